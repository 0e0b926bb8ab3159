/** From a filter file to lines, for what only conversations made by hand have: switches of protocol, and small protocols. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { runOffline } from '../../../runtime/cli/offline.ts';
import { defaultConfig } from '../../../runtime/config/config.ts';
import { SAMPLES } from '../../fuzz/samples.ts';
import { buildPcap } from '../../support/captures.ts';
import { packageRoot } from '../../support/corpus.ts';
import * as make from '../../support/frames.ts';
import { type Flight, orig, resp } from '../../support/session-parser.ts';
import * as tls from '../../support/tls-messages.ts';

const test = suite('protocols on the whole path');
const T0 = 1_700_000_000;

function tcpCapture(flights: readonly Flight[]): Buffer {
  const seq = [101, 501];
  const frames = [
    make.tcp({ flags: make.SYN, seq: 100 }),
    make.tcp(make.back({ flags: make.SYN | make.ACK, seq: 500, ack: 101 })),
    make.tcp({ flags: make.ACK, seq: 101, ack: 501 }),
  ];
  for (const { fromOrig, bytes = new Uint8Array() } of flights) {
    const side = fromOrig ? 0 : 1;
    for (let at = 0; at < bytes.length; at += 1400) {
      const payload = bytes.subarray(at, at + 1400);
      const o = { flags: make.ACK, seq: seq[side], ack: seq[1 - side], payload };
      seq[side] = (seq[side] ?? 0) + payload.length;
      frames.push(make.tcp(fromOrig ? o : make.back(o)));
    }
  }
  return buildPcap(frames.map((bytes, i) => ({ sec: T0, nsec: i * 1000, bytes })));
}

/** What `filter` delivers on the conversation, as `SUBSCRIPTION FIELD` of each line. */
async function delivered(
  filter: string,
  flights: readonly Flight[],
  field: (line: Record<string, Record<string, unknown>>) => unknown,
) {
  const folder = mkdtempSync(join(packageRoot(), 'dist', 'path-'));
  try {
    const file = (name: string) => join(folder, name);
    writeFileSync(file('a.iris'), filter);
    writeFileSync(file('a.pcap'), tcpCapture(flights));
    execFileSync(process.execPath, [join(packageRoot(), 'dist/compiler/cli/iris-compile.js'), file('a.iris')], {
      stdio: 'pipe',
    });
    const settings = { out: file('out'), strict: true, quiet: true, json: false, cores: 1 };
    assert.is(await runOffline(file('a.iris.js'), file('a.pcap'), defaultConfig(), settings), 0);
    const lines = readFileSync(file('out'), 'utf8')
      .split('\n')
      .filter((line) => line !== '');
    return lines.map((line) => JSON.parse(line)).map((line) => `${line.subscription} ${field(line) ?? '-'}`);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const hello = tls.records(16384, tls.clientHello({ extensions: [tls.sniExtension('inside.example')] }));
const answer = tls.records(16384, tls.serverHello(), tls.certificate(), tls.serverHelloDone());
const connect = orig(tls.text('CONNECT inside.example:443 HTTP/1.1\r\n\r\n'));
const established = resp(tls.text('HTTP/1.1 200 OK\r\n\r\n'));

test('a proxy: both the CONNECT and the handshake in its tunnel are delivered', async () => {
  const filter = `
    subscribe shakes(tls: TlsHandshake) when tls
    subscribe asked(http: HttpTransaction) when http
    subscribe others(conn: ConnRecord) when tcp and not tls`;
  const field = (line: Record<string, Record<string, unknown>>) => line.tls?.sni ?? line.http?.method;
  assert.equal(await delivered(filter, [connect, established, orig(hello), resp(answer)], field), [
    'asked CONNECT',
    'shakes inside.example',
  ]);
  const unknown = [connect, established, orig(tls.text('something else'))];
  assert.equal(await delivered(filter, unknown, field), ['asked CONNECT', 'others -']);
  assert.equal(await delivered(filter, [connect, established], field), ['asked CONNECT', 'others -']);
});

const get = orig(tls.text('GET /inside HTTP/1.1\r\nHost: a.example\r\n\r\n'));
const found = resp(tls.text('HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n'));
const socks = [
  orig(Uint8Array.of(5, 1, 0)),
  resp(Uint8Array.of(5, 0)),
  orig(Uint8Array.of(5, 1, 0, 1, 192, 0, 2, 1, 0, 80)),
  resp(Uint8Array.of(5, 0, 0, 1, 0, 0, 0, 0, 0, 0)),
];
const proxyLine = orig(tls.text('PROXY TCP4 192.0.2.1 192.0.2.2 40000 80\r\n'));

test('behind SOCKS and behind a PROXY header every protocol is found, and a tunnel in it', async () => {
  const filter = `
    subscribe shakes(tls: TlsHandshake) when tls
    subscribe asked(http: HttpTransaction) when http
    subscribe others(conn: ConnRecord) when tcp and not http and not tls`;
  const field = (line: Record<string, Record<string, unknown>>) => line.tls?.sni ?? line.http?.status_code;
  const told = (flights: readonly Flight[]) => delivered(filter, flights, field);
  assert.equal(await told([...socks, get, found]), ['asked 404']);
  assert.equal(await told([...socks, orig(hello), resp(answer)]), ['shakes inside.example']);
  assert.equal(await told([...socks, connect, established, orig(hello)]), ['asked 200', 'shakes inside.example']);
  assert.equal(await told([...socks, orig(tls.text('else'))]), ['others -']);
  assert.equal(await told(socks.slice(0, 2)), ['others -']);
  assert.equal(await told([proxyLine, get, found]), ['asked 404']);
  assert.equal(await told([orig(tls.concat(proxyLine.bytes ?? [], hello)), resp(answer)]), ['shakes inside.example']);
});

test('a client that does not wait for its proxy is found as well', async () => {
  const filter = `
    subscribe shakes(tls: TlsHandshake) when tls
    subscribe asked(http: HttpTransaction) when http
    subscribe others(conn: ConnRecord) when tcp and not http and not tls`;
  const field = (line: Record<string, Record<string, unknown>>) => line.tls?.cipher ?? line.http?.status_code;
  const told = (flights: readonly Flight[]) => delivered(filter, flights, field);
  const together = (...all: readonly Flight[]) => orig(tls.concat(...all.map(({ bytes = new Uint8Array() }) => bytes)));
  const cipher = 'shakes TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256';
  assert.equal(await told([connect, orig(hello), established, resp(answer)]), ['asked 200', cipher]);
  assert.equal(await told([together(connect, orig(hello)), resp(tls.concat(established.bytes ?? [], answer))]), [
    'asked 200',
    cipher,
  ]);
  const refused = resp(tls.text('HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n'));
  assert.equal(await told([together(connect, get), refused, found]), ['asked 407', 'asked 404']);
  const [greeting, method, request, granted] = socks as [Flight, Flight, Flight, Flight];
  assert.equal(await told([greeting, method, together(request, orig(hello)), granted, resp(answer)]), [cipher]);
  assert.equal(await told([together(greeting, request, get), method, granted, found]), ['asked 404']);
  const socks4 = orig(tls.concat([4, 1, 0, 80, 192, 0, 2, 1, 0], hello));
  assert.equal(await told([socks4, resp(tls.concat([0, 90, 0, 0, 0, 0, 0, 0], answer))]), [cipher]);
});

test('MQTT: filtered by a field', async () => {
  const flights = SAMPLES['mqtt tcp']?.[0] ?? [];
  const field = (line: Record<string, Record<string, unknown>>) => line.mqtt?.user_name;
  const filter = (id: string) =>
    `subscribe sensors(mqtt: MqttConnect) when mqtt.client_id = '${id}' and mqtt.return_code = 0`;
  assert.equal(await delivered(filter('id'), flights, field), ['sensors user']);
  assert.equal(await delivered(filter('other'), flights, field), []);
});

test.run();
