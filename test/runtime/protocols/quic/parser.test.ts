import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Parse, Probe } from '../../../../runtime/protocols/contract.ts';
import { initialKeys } from '../../../../runtime/protocols/quic/keys.ts';
import { QUIC_PARSER } from '../../../../runtime/protocols/quic/parser.ts';
import * as quic from '../../../support/quic-packets.ts';
import { type Flight, orig, resp, sessionsOf } from '../../../support/session-parser.ts';
import * as tls from '../../../support/tls-messages.ts';

const test = suite('quic parser');
const parser = QUIC_PARSER.create();

type Told = Record<string, unknown>;
function parsed(...flights: readonly Flight[]): Told[] {
  parser.reset();
  return sessionsOf(parser, flights) as Told[];
}

const V2 = 0x6b3343cf;
const dcid = [1, 2, 3, 4, 5, 6, 7, 8];
const scid = [9, 9, 9];
const serverId = [0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff, 0, 1];
const hello = tls.clientHello({
  extensions: [
    tls.sniExtension('quic.example'),
    tls.alpnExtension('h3'),
    tls.versionsExtension(0x0304),
    tls.keySharesExtension([0x11ec, 1216]),
  ],
});
/** The ClientHello in CRYPTO frames cut at these offsets. */
const frames = (...cuts: readonly number[]) =>
  [0, ...cuts].map((start, i) => quic.cryptoFrame(start, hello.subarray(start, cuts[i] ?? hello.length)));
const short = hello.subarray(0, 0);

test('keys of the RFCs', () => {
  const id = Buffer.from('8394c8f03e515708', 'hex');
  const hex = (version: number, side: 'client' | 'server') =>
    Object.values(initialKeys(version, id, side)).map((part: Buffer) => part.toString('hex'));
  assert.equal(hex(1, 'client'), [
    '1f369613dd76d5467730efcbe3b1a22d',
    'fa044b2f42a3fd3b46fb255c',
    '9f50449e04a0e810283a1e9933adedd2',
  ]);
  assert.equal(hex(1, 'server'), [
    'cf3a5331653c364c88f0f379b6067e37',
    '0ac1493ca1905853b0bba03e',
    'c206b8d9b9f0f37644430b490eeaa314',
  ]);
  assert.equal(hex(V2, 'client'), [
    '8b1a0bc121284290a29e0971b5cd045d',
    '91f73e2351d8fa91660e909f',
    '45b95e15235d6f45a6b19cbcb0294ba9',
  ]);
});

for (const version of [1, V2, 0xff00001d, 0xff000017]) {
  test(`a ClientHello over three Initials in any order, version ${version.toString(16)}`, () => {
    const parts = frames(300, 700).map((frame, number) => quic.initial({ version, dcid, scid, number }, frame));
    const expected = parsed(...parts.map(orig));
    const [told] = expected;
    assert.is(told.sni, 'quic.example');
    assert.equal(told.client_alpn_protocols, ['h3']);
    assert.equal(told.client_key_shares, ['X25519MLKEM768']);
    assert.match(String(told.ja4), /^q13d0204h3_/);
    assert.is(told.dcid, '0102030405060708');
    assert.is(told.scid, '090909');
    assert.is(told.packet_type, 'initial');
    assert.is(told.header_type, 'long');
    assert.is(told.payload_bytes_count, 1179);
    assert.equal(parsed(...[2, 0, 1].map((i) => orig(parts[i]))), expected);
    assert.equal(parsed(...[1, 1, 2, 0].map((i) => orig(parts[i]))), expected);
    assert.equal(parsed(...parts.map(resp)), expected);
  });
}

test('frames of one packet in any order, between others', () => {
  const [a, b, c, d] = frames(10, 20, 400);
  const ack = tls.concat([3], quic.varint(900), [0, 1], [0, 2, 3], [1, 1, 1]);
  const packet = quic.initial(
    { dcid, scid, token: new Uint8Array(80) },
    tls.concat([1], c, ack, [0, 0], b, a, d),
    1900,
  );
  assert.is(parsed(orig(packet))[0].sni, 'quic.example');
});

test('packets that share a datagram', () => {
  const [a, b] = frames(500);
  const datagram = tls.concat(
    quic.longPacket(1, dcid, scid, 100),
    quic.initial({ dcid, scid }, a, 700),
    quic.initial({ dcid, scid, number: 1 }, b),
  );
  const [told] = parsed(orig(datagram));
  assert.is(told.sni, 'quic.example');
  assert.is(told.packet_type, '0rtt');
  assert.is(told.payload_bytes_count, 100);
});

test('after a Retry the keys are those of the new identifier', () => {
  const [a, b] = frames(600);
  const [told] = parsed(
    orig(quic.initial({ dcid, scid }, a)),
    resp(quic.retry(scid, serverId)),
    orig(quic.initial({ dcid: serverId, scid, token: [1, 2] }, a)),
    orig(quic.initial({ dcid: serverId, scid, token: [1, 2], number: 1 }, b)),
  );
  assert.is(told.sni, 'quic.example');
  assert.is(told.dcid, '0102030405060708');
});

test('the keys stay when the server has chosen an identifier', () => {
  const [a, b] = frames(600);
  const [told] = parsed(
    orig(quic.initial({ dcid, scid }, a)),
    resp(quic.longPacket(0, scid, serverId, 60)),
    orig(quic.initial({ dcid: serverId, scid, number: 1, keysOf: dcid }, b)),
  );
  assert.is(told.sni, 'quic.example');
});

test('after version negotiation', () => {
  const [all] = frames();
  const [told] = parsed(
    orig(tls.concat(quic.longPacket(0, dcid, scid, 1190, 0x1a2a3a4a))),
    resp(quic.negotiation(scid, dcid, 1, V2)),
    orig(quic.initial({ dcid: serverId, scid, version: V2 }, all, 1900)),
  );
  assert.is(told.sni, 'quic.example');
  assert.is(told.version, '0x1a2a3a4a');
});

for (const keyVersion of [1, 0xff00001d]) {
  test(`a version that makes the server negotiate, with the keys of ${keyVersion.toString(16)}`, () => {
    const [all] = frames();
    const reserved = quic.initial({ dcid, scid, version: 0x0a1a2a3a, keyVersion }, all);
    const [told] = parsed(orig(reserved));
    assert.is(told.sni, 'quic.example');
    assert.is(told.version, '0xa1a2a3a');
    assert.is(told.payload_bytes_count, 1334);
    const [again] = parsed(
      orig(reserved),
      resp(quic.negotiation(scid, dcid, 1)),
      orig(quic.initial({ dcid: serverId, scid }, all)),
    );
    assert.is(again.sni, 'quic.example');
    assert.is(again.version, '0xa1a2a3a');
  });
}

test('delivered without a ClientHello when that cannot come any more', () => {
  const [a] = frames(500);
  const first = orig(quic.initial({ dcid, scid }, a));
  for (const [name, next] of [
    ['end', []],
    ['handshake', [orig(quic.longPacket(2, serverId, scid, 50))]],
    ['short', [orig(quic.shortPacket(60))]],
  ] as const) {
    const [told, ...more] = parsed(first, ...next);
    assert.is(told.version, 'v1', name);
    assert.is(told.sni, undefined, name);
    assert.is(more.length, 0, name);
  }
});

test('a client that sends Initials without end is given up', () => {
  parser.reset();
  const packet = quic.initial({ dcid, scid }, quic.cryptoFrame(0, short));
  let count = 1;
  while (parser.parse(true, packet, 0, packet.length) === Parse.MORE && count < 100) count++;
  assert.is(count, 16);
});

const serverHello = tls.serverHello({ cipher: 0x1302, extensions: [tls.extension(43, [3, 4])] });
const retryHello = tls.serverHello({
  random: tls.RETRY_RANDOM,
  cipher: 0x1302,
  extensions: [tls.extension(43, [3, 4])],
});
const ofServer = (frame: Uint8Array, number = 0, version = 1) =>
  quic.initial({ version, dcid: scid, scid: serverId, number, keysOf: dcid, side: 'server' }, frame);

test('stops at the ServerHello', () => {
  parser.reset();
  const packet = quic.initial({ dcid, scid }, frames()[0], 1900);
  assert.is(parser.parse(true, packet, 0, packet.length), Parse.MORE);
  const answer = ofServer(quic.cryptoFrame(0, serverHello));
  assert.is(parser.parse(false, answer, 0, answer.length), Parse.STOP);
  assert.ok(parser.take());
  assert.is(parser.take(), null);
});

test('the ServerHello, over two Initials in any order, in the version of the server', () => {
  const client = orig(quic.initial({ dcid, scid }, frames()[0], 1900));
  for (const version of [1, V2]) {
    const parts = [0, 20].map((at, i) =>
      resp(ofServer(quic.cryptoFrame(at, serverHello.subarray(at, i === 0 ? 20 : undefined)), i, version)),
    );
    for (const order of [parts, [parts[1], parts[0]]]) {
      const [told] = parsed(client, ...order);
      assert.is(told.sni, 'quic.example');
      assert.is(told.cipher, 'TLS_AES_256_GCM_SHA384');
      assert.is(told.tls_version, 'TLSv1.3');
      assert.is(told.ja3s_str, '771,4866,43');
    }
  }
});

test('packets whose fixed bit is cleared (RFC 9287)', () => {
  const packet = quic.initial({ dcid, scid, token: [1, 2, 3], fixed: false }, frames()[0], 1900);
  assert.is(parser.probe(true, packet, 0, packet.length), Probe.YES);
  assert.is(parser.probe(true, packet, 0, 1100), Probe.NO);
  const answer = quic.initial(
    { dcid: scid, scid: serverId, keysOf: dcid, side: 'server', fixed: false },
    quic.cryptoFrame(0, serverHello),
  );
  const [told] = parsed(orig(packet), resp(answer));
  assert.is(told.sni, 'quic.example');
  assert.is(told.cipher, 'TLS_AES_256_GCM_SHA384');
  const initial = quic.initial({ dcid, scid }, frames()[0], 1900);
  const short = quic.shortPacket(100);
  short[0] &= 0x3f;
  parser.reset();
  parser.parse(true, initial, 0, initial.length);
  assert.is(parser.parse(true, short, 0, short.length), Parse.STOP);
  assert.ok(parser.take());
});

test('after a HelloRetryRequest the second hellos count', () => {
  const second = tls.clientHello({ extensions: [tls.sniExtension('second.example'), tls.versionsExtension(0x0304)] });
  const [told, ...more] = parsed(
    orig(quic.initial({ dcid, scid }, frames()[0], 1900)),
    resp(ofServer(quic.cryptoFrame(0, retryHello))),
    orig(quic.initial({ dcid: serverId, scid, number: 1, keysOf: dcid }, quic.cryptoFrame(hello.length, second))),
    resp(ofServer(quic.cryptoFrame(retryHello.length, serverHello), 1)),
  );
  assert.is(told.sni, 'second.example');
  assert.is(told.server_random, '65666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f8081828384');
  assert.is(more.length, 0);
});

test('arbitrary and damaged bytes give no error', () => {
  const packets = [
    quic.initial({ dcid, scid }, frames(500)[0]),
    quic.initial({ dcid, scid, version: V2, token: [1, 2, 3] }, frames()[0], 1900),
    quic.longPacket(1, dcid, scid, 30),
    quic.retry(scid, dcid),
    quic.negotiation(scid, dcid, 1),
    quic.shortPacket(20),
    ofServer(quic.cryptoFrame(0, serverHello)),
  ];
  const damaged = fc
    .tuple(
      fc.constantFrom(...packets),
      fc.array(fc.tuple(fc.nat(40), fc.integer({ min: 0, max: 255 })), { maxLength: 4 }),
      fc.nat(1900),
    )
    .map(([packet, changes, length]) => {
      const bytes = packet.slice(0, length % 3 === 0 ? length : packet.length);
      for (const [at, to] of changes) if (at < bytes.length) bytes[at] = to;
      return bytes;
    });
  /** Opens, but its frames are noise. */
  const noise = fc.uint8Array({ minLength: 1, maxLength: 60 }).map((bytes) => quic.initial({ dcid, scid }, bytes, 200));
  const piece = fc.record({
    fromOrig: fc.boolean(),
    bytes: fc.oneof(damaged, noise, fc.uint8Array({ maxLength: 80 })),
  });
  fc.assert(
    fc.property(fc.array(piece, { minLength: 1, maxLength: 6 }), (flights) => {
      for (const { fromOrig, bytes } of flights) parser.probe(fromOrig, bytes, 0, bytes.length);
      parsed(...flights);
    }),
    { numRuns: 600 },
  );
});

test('probing', () => {
  const probe = (bytes: Uint8Array) => parser.probe(true, tls.concat([1, 2], bytes), 2, bytes.length);
  const packet = quic.initial({ dcid, scid }, frames(100)[0]);
  assert.is(probe(packet), Probe.YES);
  assert.is(probe(packet.subarray(0, 1000)), Probe.NO);
  assert.is(probe(quic.longPacket(0, dcid, scid, 1190, 0x1a2a3a4a)), Probe.YES);
  assert.is(probe(quic.longPacket(0, dcid, scid, 100, 0x1a2a3a4a)), Probe.NO);
  assert.is(probe(quic.longPacket(0, dcid, scid, 1190, 0x12345678)), Probe.NO);
  assert.is(probe(quic.shortPacket(1200)), Probe.NO);
  assert.is(probe(quic.retry(dcid, scid)), Probe.NO);
  assert.is(probe(new Uint8Array(1200)), Probe.NO);
});

test.run();
