/** Records what Node's own HTTP/2 says: requests over one connection in clear, as flights in the order of the wire. */
import {
  type ClientHttp2Session,
  connect,
  createServer,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
} from 'node:http2';
import { type AddressInfo, createServer as createTcpServer, connect as tcpConnect } from 'node:net';
import type { Flight } from './session-parser.ts';

/** Runs `use` with a client; the server answers each request with what `answer` gives for its headers. */
export async function recordHttp2(
  answer: (headers: IncomingHttpHeaders) => { readonly headers: OutgoingHttpHeaders; readonly body?: string },
  use: (client: ClientHttp2Session) => Promise<void>,
): Promise<Flight[]> {
  const flights: Flight[] = [];
  const server = createServer();
  server.on('stream', (stream, headers) => {
    const { headers: own, body } = answer(headers);
    stream.respond(own);
    stream.end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const proxy = createTcpServer((near) => {
    const far = tcpConnect((server.address() as AddressInfo).port, '127.0.0.1');
    const relay = (from: typeof near, to: typeof near, fromOrig: boolean) => {
      from.on('data', (bytes: Buffer) => {
        flights.push({ fromOrig, bytes: Uint8Array.from(bytes) });
        to.write(bytes);
      });
      from.on('close', () => to.destroy());
      from.on('error', () => to.destroy());
    };
    relay(near, far, true);
    relay(far, near, false);
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  const client = connect(`http://127.0.0.1:${(proxy.address() as AddressInfo).port}`);
  try {
    await use(client);
  } finally {
    await new Promise<void>((resolve) => client.close(resolve));
    proxy.close();
    server.close();
  }
  return flights;
}

/** Sends a request and waits for the end of the response. */
export function request(client: ClientHttp2Session, headers: OutgoingHttpHeaders, body?: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const stream = client.request(headers);
    stream.on('error', reject);
    stream.on('end', resolve);
    stream.resume();
    stream.end(body);
  });
}
