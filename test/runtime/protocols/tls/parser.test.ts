import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Parse, Probe } from '../../../../runtime/protocols/contract.ts';
import { TLS_PARSER } from '../../../../runtime/protocols/tls/parser.ts';
import { cutBy, type Flight, orig, resp, sessionsOf } from '../../../support/session-parser.ts';
import * as tls from '../../../support/tls-messages.ts';
import { flows, together } from './flows.ts';

const test = suite('tls parser');
const parser = TLS_PARSER.create();

/** Sessions of a pooled parser: what it did before must not show. */
function parsed(flights: readonly Flight[], cut?: (left: number) => number): unknown[] {
  parser.reset();
  return sessionsOf(parser, flights, cut);
}

const packs = {
  'in one record': together,
  'a record each': (...messages: readonly Uint8Array[]) => tls.concat(...messages.map((m) => tls.records(16384, m))),
  'in records of 7 bytes': (...messages: readonly Uint8Array[]) => tls.records(7, ...messages),
};

for (const [how, pack] of Object.entries(packs)) {
  for (const [name, { flights, expected }] of Object.entries(flows(pack))) {
    test(`${name}, ${how}`, () => {
      const sessions = parsed(flights) as Record<string, unknown>[];
      assert.is(sessions.length, 1);
      const picked = Object.fromEntries(Object.keys(expected).map((key) => [key, sessions[0][key]]));
      assert.equal(picked, expected);
    });
  }
}

const wholeFlows = Object.values(flows(together));
const anyFlow = fc.constantFrom(...wholeFlows);
const anyCuts = fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1, maxLength: 12 });

test('the same stream cut in any way gives the same session', () => {
  fc.assert(
    fc.property(
      fc.nat({ max: wholeFlows.length - 1 }),
      fc.integer({ min: 1, max: 600 }),
      anyCuts,
      (which, size, cuts) => {
        const { flights } = wholeFlows[which];
        const repacked = Object.values(flows((...messages) => tls.records(size, ...messages)))[which].flights;
        assert.equal(parsed(flights, cutBy(cuts)), parsed(flights));
        assert.equal(parsed(repacked, cutBy(cuts)), parsed(flights));
      },
    ),
    { numRuns: 120 },
  );
});

test('byte by byte', () => {
  for (const { flights } of wholeFlows) assert.equal(parsed(flights, cutBy([1])), parsed(flights));
});

test('arbitrary bytes give no error', () => {
  const piece = fc.record({ fromOrig: fc.boolean(), bytes: fc.uint8Array({ maxLength: 300 }), missed: fc.nat(40) });
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 8 }), anyCuts, (flights, cuts) => {
      for (const { fromOrig, bytes } of flights) parser.probe(fromOrig, bytes, 0, bytes.length);
      parsed(flights, cutBy(cuts));
    }),
    { numRuns: 500 },
  );
});

test('handshakes with wrong bytes and holes give no error', () => {
  const change = fc.record({ flight: fc.nat(4), at: fc.nat(1500), to: fc.integer({ min: 0, max: 255 }) });
  const hole = fc.record({ flight: fc.nat(4), at: fc.nat(600), length: fc.integer({ min: 1, max: 200 }) });
  fc.assert(
    fc.property(anyFlow, fc.array(change, { maxLength: 6 }), fc.option(hole), anyCuts, (flow, changes, hole, cuts) => {
      const flights = flow.flights.map(({ fromOrig, bytes }) => ({ fromOrig, bytes: Uint8Array.from(bytes ?? []) }));
      for (const { flight, at, to } of changes) {
        const bytes = flights[flight % flights.length].bytes;
        bytes[at % bytes.length] = to;
      }
      const holed = flights.flatMap(({ fromOrig, bytes }, i): Flight[] => {
        if (hole === null || hole.flight !== i) return [{ fromOrig, bytes }];
        const behind = bytes.subarray(hole.at + hole.length);
        return [
          { fromOrig, bytes: bytes.subarray(0, hole.at) },
          { fromOrig, missed: hole.length, bytes: behind },
        ];
      });
      assert.ok(parsed(holed, cutBy(cuts)).length <= 1);
    }),
    { numRuns: 1000 },
  );
});

test('a handshake that breaks off is delivered as far as it came', () => {
  const [client, server] = wholeFlows[0].flights;
  const all = client.bytes?.length ?? 0;
  for (let length = 0; length < all; length++) {
    assert.equal(parsed([orig(client.bytes?.subarray(0, length) ?? new Uint8Array())]), []);
  }
  const lone = parsed([client]);
  for (let length = 0; length < 50; length++) {
    const sessions = parsed([client, resp(server.bytes?.subarray(0, length) ?? new Uint8Array())]);
    assert.equal(sessions, lone);
  }
});

test('stops when it has all, not before', () => {
  for (const [name, { flights }] of Object.entries(flows(together))) {
    if (/alone|nobody/.test(name)) continue;
    parser.reset();
    const said = flights.map(({ fromOrig, bytes }) =>
      parser.parse(fromOrig, bytes ?? new Uint8Array(), 0, bytes?.length ?? 0),
    );
    assert.is(said[0], Parse.MORE, name);
    assert.is(said.at(-1), Parse.STOP, name);
    assert.ok(parser.take(), name);
    assert.is(parser.take(), null, name);
  }
});

test('a server that is never heard ends the handshake after 128 KiB', () => {
  parser.reset();
  const [client] = wholeFlows[0].flights;
  assert.is(parser.parse(true, client.bytes ?? new Uint8Array(), 0, client.bytes?.length ?? 0), Parse.MORE);
  const data = tls.encrypted(tls.RecordType.APPLICATION_DATA, 16000);
  let pieces = 0;
  while (parser.parse(true, data, 0, data.length) === Parse.MORE && pieces < 20) pieces++;
  assert.is(pieces, 9);
  assert.ok(parser.take());
});

test('a hole within a message leaves what is behind it readable', () => {
  const hello = tls.clientHello({ extensions: [tls.sniExtension('a.example')] });
  const server = tls.records(16384, tls.serverHello(), tls.certificate(new Uint8Array(3000)), tls.serverHelloDone());
  const flights = [
    orig(tls.records(16384, hello)),
    resp(server.subarray(0, 700)),
    { fromOrig: false, missed: 1448, bytes: server.subarray(700 + 1448) },
  ];
  parser.reset();
  const [session] = sessionsOf(parser, flights) as Record<string, unknown>[];
  assert.is(session.version, 'TLSv1.2');
  assert.is(session.server_cert_chain, undefined);
});

test('a hole between records ends the handshake', () => {
  const hello = tls.records(16384, tls.clientHello({ extensions: [tls.sniExtension('a.example')] }));
  parser.reset();
  parser.parse(true, hello, 0, hello.length);
  assert.is(parser.gap(false, 1448), Parse.STOP);
  assert.ok(parser.take());
});

test('probing', () => {
  const probe = (...bytes: number[]) => parser.probe(true, Uint8Array.from([9, 9, ...bytes]), 2, bytes.length);
  assert.is(probe(), Probe.MAYBE);
  assert.is(probe(22), Probe.MAYBE);
  assert.is(probe(22, 3, 1), Probe.MAYBE);
  assert.is(probe(22, 3, 1, 0, 1), Probe.MAYBE);
  assert.is(probe(22, 3, 1, 0, 1, 1), Probe.YES);
  assert.is(probe(22, 3, 3, 0, 80, 2), Probe.YES);
  assert.is(probe(22, 3, 3, 0, 80, 11), Probe.NO);
  assert.is(probe(22, 3, 5), Probe.NO);
  assert.is(probe(22, 2), Probe.NO);
  assert.is(probe(22, 3, 3, 0, 0, 1), Probe.NO);
  assert.is(probe(22, 3, 3, 0xff, 0xff, 1), Probe.NO);
  assert.is(probe(23, 3, 3, 0, 80), Probe.NO);
  assert.is(probe(...tls.text('GET / HTTP/1.1\r\n')), Probe.NO);
  const ssl2 = tls.ssl2Hello(0x0300, [4], tls.random(1).subarray(0, 16));
  assert.is(probe(...ssl2), Probe.YES);
  for (let length = 1; length < 11; length++) assert.is(probe(...ssl2.subarray(0, length)), Probe.MAYBE);
  assert.is(probe(0x80, 46, 1, 3, 1, 0, 3, 0, 0, 0, 16), Probe.NO);
});

test('a length field alone reserves no memory', () => {
  parser.reset();
  const claim = tls.record(tls.RecordType.HANDSHAKE, [1, 0, 0xff, 0xff], new Uint8Array(100));
  assert.is(parser.parse(true, claim, 0, claim.length), Parse.MORE);
  const gathered = Object.values((parser as unknown as { orig: object }).orig).filter(
    (value) => value instanceof Uint8Array,
  );
  assert.ok(gathered.every((buffer) => buffer.length <= 1024));
});

test('a draft of TLS 1.3 whose ServerHello has neither session nor compression', () => {
  const keyShare = tls.concat([0, 51, 0, 4, 0, 29, 0, 0]);
  const body = tls.concat([0x7f, 20], new Uint8Array(32).fill(9), [0x13, 3], tls.vector(2, keyShare));
  const [told] = parsed([
    orig(together(tls.clientHello())),
    resp(tls.concat(together(tls.message(2, body)), tls.record(tls.RecordType.APPLICATION_DATA, new Uint8Array(40)))),
  ]) as Record<string, unknown>[];
  assert.is(told.version, 'TLSv1.3-draft20');
  assert.is(told.cipher, 'TLS_CHACHA20_POLY1305_SHA256');
  assert.is(told.ja3s_str, '32532,4867,51');
  assert.is(told.server_key_share, 'x25519');
  assert.is(told.compression_alg, undefined);
});

test.run();
