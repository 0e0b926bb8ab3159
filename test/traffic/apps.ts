/** What connections say: HTTP/1.1 (RFC 9112), DNS (RFC 1035) and plain data, as messages in each direction with their truth. */
import { block, concat, text, u16, u32 } from './bytes.ts';
import type { Random } from './random.ts';
import type { Message } from './script.ts';
import type { TlsFacts } from './tls.ts';
import { PATHS, USER_AGENTS } from './words.ts';

export interface HttpFacts {
  readonly app: 'http';
  readonly transactions: readonly {
    readonly method: string;
    readonly uri: string;
    readonly host: string;
    readonly status: number;
    /** Body bytes of the response, by whichever framing. */
    readonly bodyLength: number;
  }[];
}

export interface DnsFacts {
  readonly app: 'dns';
  readonly id: number;
  readonly name: string;
  readonly type: number;
  readonly rcode: number;
  readonly answers: number;
}

export interface DataFacts {
  readonly app: 'data' | 'syn';
}

export type Facts = TlsFacts | HttpFacts | DnsFacts | DataFacts;

/** One to three requests on one connection, the responses framed by length or by chunks. */
export function httpMessages(random: Random, host: string): { messages: Message[]; facts: HttpFacts } {
  const messages: Message[] = [];
  const transactions: HttpFacts['transactions'][number][] = [];
  const count = random.chance(0.8) ? 1 : 2 + random.below(2);
  for (let i = 0; i < count; i++) {
    const method = random.pick(['GET', 'GET', 'GET', 'POST', 'HEAD']);
    const uri = random.pick(PATHS);
    const status = random.pick([200, 200, 200, 200, 304, 404]);
    const upload = method === 'POST' ? random.fill(new Uint8Array(20 + random.below(300))) : new Uint8Array(0);
    const length = method === 'HEAD' || status === 304 ? 0 : 64 + random.below(6000);
    transactions.push({ method, uri, host, status, bodyLength: length });
    messages.push({ dir: 0, bytes: concat(requestHead(random, method, uri, host, upload.length), upload) });
    messages.push({ dir: 1, bytes: response(random, status, length) });
  }
  return { messages, facts: { app: 'http', transactions } };
}

function requestHead(random: Random, method: string, uri: string, host: string, length: number): Uint8Array {
  const lines = [
    `${method} ${uri} HTTP/1.1`,
    `Host: ${host}`,
    `User-Agent: ${random.pick(USER_AGENTS)}`,
    'Accept: */*',
  ];
  if (length > 0) lines.push('Content-Type: application/octet-stream', `Content-Length: ${length}`);
  if (random.chance(0.5)) lines.push(`Cookie: session=${(random.next() >>> 0).toString(16).padStart(8, '0')}`);
  return text(`${lines.join('\r\n')}\r\n\r\n`);
}

const REASONS: Readonly<Record<number, string>> = { 200: 'OK', 304: 'Not Modified', 404: 'Not Found' };

function response(random: Random, status: number, length: number): Uint8Array {
  const head = [`HTTP/1.1 ${status} ${REASONS[status]}`, 'Server: iris-traffic'];
  const body = random.fill(new Uint8Array(length));
  if (length > 0 && random.chance(0.3)) {
    head.push('Content-Type: text/html', 'Transfer-Encoding: chunked');
    const cut = 1 + random.below(length - 1);
    const chunks = [body.subarray(0, cut), body.subarray(cut)].filter((chunk) => chunk.length > 0);
    const framed = chunks.flatMap((chunk) => [text(`${chunk.length.toString(16)}\r\n`), chunk, text('\r\n')]);
    return concat(text(`${head.join('\r\n')}\r\n\r\n`), ...framed, text('0\r\n\r\n'));
  }
  if (length > 0) head.push('Content-Type: application/octet-stream', `Content-Length: ${length}`);
  else if (status !== 304) head.push('Content-Length: 0');
  return concat(text(`${head.join('\r\n')}\r\n\r\n`), body);
}

const encodeName = (name: string): Uint8Array => concat(...name.split('.').map((label) => block(1, text(label))), [0]);

/** One question and its answer over UDP. */
export function dnsMessages(random: Random, name: string): { messages: Message[]; facts: DnsFacts } {
  const id = random.below(0x10000);
  const type = random.pick([1, 1, 28]);
  const rcode = random.chance(0.05) ? 3 : 0;
  const answers = rcode === 0 ? 1 + random.below(3) : 0;
  const question = concat(encodeName(name), u16(type), u16(1));
  const records: Uint8Array[] = [];
  for (let i = 0; i < answers; i++) {
    const address = random.fill(new Uint8Array(type === 28 ? 16 : 4));
    records.push(concat(u16(0xc00c), u16(type), u16(1), u32(300), block(2, address)));
  }
  const header = (flags: number, count: number) => concat(u16(id), u16(flags), u16(1), u16(count), u32(0));
  return {
    messages: [
      { dir: 0, bytes: concat(header(0x0100, 0), question) },
      { dir: 1, bytes: concat(header(0x8180 | rcode, answers), question, ...records) },
    ],
    facts: { app: 'dns', id, name, type, rcode, answers },
  };
}

/** Random bytes that are no protocol's: the first one is none that a parser starts with. */
export function plainData(random: Random, length: number): Uint8Array {
  const bytes = random.fill(new Uint8Array(length));
  if (length > 0) bytes[0] = 0xf7;
  return bytes;
}
