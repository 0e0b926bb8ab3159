import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { DEFAULTS, SHAPE_NAMES, shapeOptions, type TrafficOptions } from './options.ts';
import { writeCapture, writePcap } from './pcap-writer.ts';
import { FIN, RST, SYN } from './script.ts';
import { createTraffic, generate } from './traffic.ts';
import type { Truth, TruthEnd } from './truth.ts';
import { type Walked, walk } from './walk.ts';

const test = suite('traffic');

function options(overrides: Partial<TrafficOptions>): TrafficOptions {
  return { ...DEFAULTS, variety: 8, ...overrides };
}

function digest(of: TrafficOptions): string {
  const hash = createHash('sha256');
  writePcap(of, (bytes) => void hash.update(bytes));
  return hash.digest('hex');
}

interface Seen extends Walked {
  readonly connection: number;
  readonly wireLength: number;
  readonly time: readonly [number, number];
}

function read(of: TrafficOptions): { packets: Seen[]; truths: Truth[] } {
  const truths: Truth[] = [];
  const packets: Seen[] = [];
  for (const { bytes, wireLength, sec, nsec, connection } of generate(of, (truth) => truths.push(truth))) {
    packets.push({ ...walk(bytes), connection, wireLength, time: [sec, nsec] });
  }
  return { packets, truths: truths.sort((a, b) => a.connection - b.connection) };
}

const DISTURBED = options({
  connections: 600,
  ipv6: 0.3,
  vlan: 0.2,
  loss: 0.03,
  reorder: 0.05,
  retransmit: 0.04,
  mix: { tls13: 1, tls12: 1, http: 1, dns: 1, data: 1, stream: 1, chat: 1, datagrams: 1, syn: 1 },
});

test('the seed decides every byte', () => {
  assert.is(digest(DISTURBED), digest(DISTURBED));
  assert.is.not(digest(DISTURBED), digest({ ...DISTURBED, seed: 2 }));
  assert.is.not(digest(DISTURBED), digest({ ...DISTURBED, seed: 1 + 0x100000000 }));
});

test('asking for the truth does not change the packets', () => {
  const hash = createHash('sha256');
  writePcap(
    DISTURBED,
    (bytes) => void hash.update(bytes),
    () => {},
  );
  assert.is(hash.digest('hex'), digest(DISTURBED));
});

test('every checksum is right, every length agrees', () => {
  const { packets } = read(DISTURBED);
  assert.ok(packets.length > 5000);
  for (const packet of packets) {
    assert.ok(packet.ipChecksumGood && packet.l4ChecksumGood, `${packet.src}:${packet.srcPort}`);
    assert.is(packet.wireLength, packet.ipLength + (packet.vlan ? 18 : 14));
  }
});

test('times never run backwards and keep the rate', () => {
  for (const nanoseconds of [false, true]) {
    const { packets } = read(options({ rate: 1_000_000, nanoseconds, start: 1_700_000_000 }));
    let last = 0;
    for (const { time } of packets) {
      const now = (time[0] - 1_700_000_000) * 1e9 + time[1];
      assert.ok(now >= last);
      if (!nanoseconds) assert.is(time[1] % 1000, 0);
      last = now;
    }
    const mean = last / packets.length;
    assert.ok(mean > 950 && mean < 1050, `${mean} ns between packets`);
  }
});

test('the truth is what a naive walk of the packets finds', () => {
  const { packets, truths } = read(DISTURBED);
  assert.is(truths.length, DISTURBED.connections);
  const walked = new Map<number, Seen[]>();
  for (const packet of packets) {
    const list = walked.get(packet.connection);
    if (list === undefined) walked.set(packet.connection, [packet]);
    else list.push(packet);
  }
  const tuples = new Set<string>();
  for (const truth of truths) {
    const list = walked.get(truth.connection) ?? [];
    const first = list[0];
    const last = list.at(-1);
    if (first === undefined || last === undefined) throw new Error(`connection ${truth.connection} has no packets`);
    assert.equal([first.src, first.srcPort], [truth.orig.addr, truth.orig.port]);
    assert.equal([first.dst, first.dstPort], [truth.resp.addr, truth.resp.port]);
    assert.equal([first.time, last.time], [truth.first, truth.last]);
    assert.is(first.proto, truth.proto === 'tcp' ? 6 : 17);
    tuples.add([first.src, first.srcPort, first.dst, first.dstPort, first.proto].join());
    const check = (end: TruthEnd) => {
      const from = list.filter((packet) => packet.src === end.addr && packet.srcPort === end.port);
      const sum = (of: (packet: Seen) => number) => from.reduce((total, packet) => total + of(packet), 0);
      assert.is(end.packets, from.length);
      assert.is(
        end.frameBytes,
        sum((packet) => packet.wireLength),
      );
      assert.is(
        end.ipBytes,
        sum((packet) => packet.ipLength),
      );
      assert.is(
        end.payloadBytes,
        sum((packet) => packet.payload.length),
      );
    };
    check(truth.orig);
    check(truth.resp);
    const flags = list.reduce((all, packet) => all | packet.flags, 0);
    assert.is(truth.ending, flags & RST ? 'rst' : flags & FIN ? 'fin' : 'open');
  }
  assert.is(tuples.size, truths.length, 'five-tuples repeat');
});

test('the first flights fit into the windows of the SYNs, which are not scaled (RFC 7323 section 2.2)', () => {
  const { packets } = read(options({ connections: 300, mix: { tls13: 1, http: 1, data: 1, stream: 1 } }));
  // By connection and receiver's port: the window of its SYN, and what came before its next packet.
  const windows = new Map<string, number>();
  const flights = new Map<string, number>();
  for (const { connection, srcPort, dstPort, flags, window, payload } of packets) {
    const [sender, receiver] = [`${connection} ${srcPort}`, `${connection} ${dstPort}`];
    if (flags & SYN) windows.set(sender, window);
    else windows.delete(sender);
    if (!windows.has(receiver)) continue;
    flights.set(receiver, (flights.get(receiver) ?? 0) + payload.length);
    assert.ok((flights.get(receiver) ?? 0) <= (windows.get(receiver) ?? 0));
  }
  assert.ok(Math.max(...flights.values()) > 1460);
});

test('TCP payload in sequence order is what was said, but for what is missing', () => {
  const truths: Truth[] = [];
  const traffic = createTraffic(DISTURBED, 0x11000, (truth) => truths.push(truth));
  // By connection and destination port: payloads by their place in the stream.
  const streams = new Map<string, Map<number, Buffer>>();
  const starts = new Map<string, number>();
  for (let length = traffic.next(0); length >= 0; length = traffic.next(0)) {
    const { proto, flags, seq, payload, dstPort } = walk(traffic.bytes.subarray(0, length));
    if (proto !== 6) continue;
    const side = `${traffic.connection} ${dstPort}`;
    if (flags & SYN) starts.set(side, seq + 1);
    if (payload.length === 0) continue;
    const pieces = streams.get(side) ?? new Map<number, Buffer>();
    pieces.set((seq - (starts.get(side) ?? 0)) >>> 0, payload);
    streams.set(side, pieces);
  }
  let compared = 0;
  for (const truth of truths) {
    if (truth.proto !== 'tcp') continue;
    for (const dir of [0, 1] as const) {
      const said = Buffer.from(traffic.sent(truth, dir));
      const pieces = streams.get(`${truth.connection} ${dir === 0 ? truth.resp.port : truth.orig.port}`) ?? new Map();
      let heard = 0;
      for (const [at, piece] of pieces) {
        assert.ok(said.subarray(at, at + piece.length).equals(piece));
        heard += piece.length;
      }
      assert.is(said.length - heard, (dir === 0 ? truth.orig : truth.resp).missingBytes);
      compared++;
    }
  }
  assert.ok(compared > 500);
});

test('shares come out as asked', () => {
  const asked = options({ connections: 6000, ipv6: 0.25, vlan: 0.1, rst: 0.2, halfOpen: 0.1, mix: { http: 1 } });
  const { packets, truths } = read({ ...asked, loss: 0.05, reorder: 0.08, retransmit: 0.1 });
  const near = (count: number, of: number, share: number, what: string) =>
    assert.ok(Math.abs(count / of - share) < 0.25 * share, `${what}: ${count} of ${of}, asked for ${share}`);
  near(truths.filter((truth) => truth.orig.addr.includes(':')).length, truths.length, 0.25, 'ipv6');
  near(new Set(packets.filter((p) => p.vlan).map((p) => p.connection)).size, truths.length, 0.1, 'vlan');
  near(truths.filter((truth) => truth.ending === 'open').length, truths.length, 0.1, 'half open');
  // A connection left open is not also aborted.
  near(truths.filter((truth) => truth.ending === 'rst').length, truths.length, 0.18, 'rst');
  const sum = (of: (truth: Truth) => number) => truths.reduce((total, truth) => total + of(truth), 0);
  const data = packets.filter((packet) => packet.payload.length > 0).length;
  const sent = data + sum((truth) => truth.lost) - sum((truth) => truth.repeated);
  near(
    sum((truth) => truth.lost),
    sent,
    0.05,
    'loss',
  );
  near(
    sum((truth) => truth.repeated),
    sent,
    0.1,
    'retransmit',
  );
  // The last segment before the close cannot be late.
  const reordered = sum((truth) => truth.reordered);
  assert.ok(reordered > 0.02 * sent && reordered < 0.09 * sent, `${reordered} of ${sent} late`);
});

test('each late packet is behind its successor', () => {
  const { packets, truths } = read(options({ connections: 400, reorder: 0.2, mix: { stream: 1 }, repeats: [20, 20] }));
  const highest = new Map<string, number>();
  const late = new Map<number, number>();
  for (const { connection, dstPort, seq, flags, payload } of packets) {
    if (payload.length === 0 && (flags & SYN) === 0) continue;
    const side = `${connection} ${dstPort}`;
    const before = highest.get(side);
    if (before !== undefined && (seq - before) << 0 < 0) late.set(connection, (late.get(connection) ?? 0) + 1);
    else highest.set(side, seq);
  }
  // With pure acknowledgements in between, not every delay overtakes a segment.
  for (const truth of truths) assert.ok((late.get(truth.connection) ?? 0) <= truth.reordered);
  assert.ok([...late.values()].reduce((a, b) => a + b, 0) > 1000);
});

test('many connections are under way at a time, as many as asked', () => {
  const { packets } = read(options({ connections: 2000, live: 500, halfOpen: 0, rst: 0 }));
  const left = new Map<number, number>();
  for (const { connection } of packets) left.set(connection, (left.get(connection) ?? 0) + 1);
  const under = new Set<number>();
  let most = 0;
  for (const { connection } of packets) {
    const rest = (left.get(connection) ?? 0) - 1;
    left.set(connection, rest);
    if (rest > 0) under.add(connection);
    else under.delete(connection);
    most = Math.max(most, under.size);
  }
  assert.ok(most > 450 && most <= 500, `${most}`);
});

test('a limit on packets cuts what is under way', () => {
  const { packets, truths } = read(shapeOptions('live200k', 0.001));
  assert.is(packets.length, 2400);
  assert.ok(truths.length <= 200 && truths.length > 190);
  assert.ok(truths.every((truth) => !truth.complete && truth.ending === 'open'));
});

test('a snap length cuts frames, not their length on the wire', () => {
  const sizes = new Set<number>();
  for (const { bytes, wireLength } of generate(shapeOptions('elephant', 0.001))) {
    assert.ok(bytes.length <= 128);
    if (wireLength > 128) assert.is(bytes.length, 128);
    sizes.add(wireLength);
  }
  assert.ok(sizes.has(1514));
});

test('every shape can be made at a small size', () => {
  for (const shape of SHAPE_NAMES) {
    const { packets, bytes } = writePcap(shapeOptions(shape, 0.0005), () => {});
    assert.ok(packets > 0 && bytes > 24 + packets * 70, shape);
  }
});

test('impossible options are refused', () => {
  const bad: Partial<TrafficOptions>[] = [
    { connections: 0 },
    { snaplen: 60 },
    { loss: 1.5 },
    { loss: 0.5, reorder: 0.6 },
    { repeats: [4, 2] },
    { mix: {} },
  ];
  for (const overrides of bad) {
    assert.throws(
      () => writePcap(options(overrides), () => {}),
      (error: unknown) => error instanceof RangeError,
    );
  }
});

const tshark = spawnSync('tshark', ['-v']).status === 0;

(tshark ? test : test.skip)('tshark reads the capture, finds nothing malformed and the same TLS, HTTP and DNS', () => {
  const folder = mkdtempSync(join(tmpdir(), 'iris-traffic-'));
  try {
    const of = options({ connections: 300, ipv6: 0.3, vlan: 0.1, rst: 0, halfOpen: 0, nanoseconds: true, live: 20 });
    const file = join(folder, 'x.pcap');
    const { packets } = writeCapture(file, of, join(folder, 'x.jsonl'));
    const truths = readFileSync(join(folder, 'x.jsonl'), 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Truth);
    const fields = (filter: string, ...names: string[]) =>
      execFileSync(
        'tshark',
        ['-r', file, '-o', 'tcp.check_checksum:TRUE', '-Y', filter, '-T', 'fields', ...names.flatMap((n) => ['-e', n])],
        { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] },
      )
        .split('\n')
        .slice(0, -1);
    assert.is(fields('frame', 'frame.number').length, packets);
    assert.equal(fields('_ws.malformed or tcp.checksum.status == 0 or tcp.analysis.flags', 'frame.number'), []);
    const facts = truths.map((truth) => truth.facts);
    const names = facts.flatMap((fact) => (fact.app === 'tls' ? [`${fact.sni}\t${fact.ciphers.length * 2}`] : []));
    const hello = ['tls.handshake.extensions_server_name', 'tls.handshake.cipher_suites_length'];
    assert.equal(fields('tls.handshake.type == 1', ...hello).sort(), names.sort());
    const servers = facts.flatMap((fact) =>
      fact.app === 'tls' ? [`0x${fact.cipher.toString(16).padStart(4, '0')}`] : [],
    );
    assert.equal(fields('tls.handshake.type == 2', 'tls.handshake.ciphersuite').sort(), servers.sort());
    const certificates = facts.reduce((sum, fact) => sum + (fact.app === 'tls' ? fact.certificates : 0), 0);
    assert.is(fields('tls.handshake.certificate', 'frame.number').length, certificates);
    const requests = facts.flatMap((fact) => {
      return fact.app === 'http' ? fact.transactions.map((t) => `${t.method}\t${t.uri}\t${t.host}`) : [];
    });
    const request = ['http.request.method', 'http.request.uri', 'http.host'];
    assert.equal(fields('http.request', ...request).sort(), requests.sort());
    const statuses = facts.flatMap((fact) => (fact.app === 'http' ? fact.transactions.map((t) => `${t.status}`) : []));
    assert.equal(fields('http.response', 'http.response.code').sort(), statuses.sort());
    const queries = facts.flatMap((fact) => (fact.app === 'dns' ? [`${fact.name}\t${fact.answers}`] : []));
    assert.equal(fields('dns.flags.response == 1', 'dns.qry.name', 'dns.count.answers').sort(), queries.sort());
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test.run();
