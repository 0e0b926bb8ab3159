import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Parse, Probe } from '../../../../runtime/protocols/contract.ts';
import { DTLS_PARSER } from '../../../../runtime/protocols/dtls/parser.ts';
import { type Flight, orig, resp, sessionsOf } from '../../../support/session-parser.ts';
import * as tls from '../../../support/tls-messages.ts';

const test = suite('dtls parser');
const parser = DTLS_PARSER.create();
const DTLS_1_2 = 0xfefd;

const u24be = (value: number) => [value >> 16, (value >> 8) & 0xff, value & 0xff];

function record(type: number, content: tls.Bytes, epoch = 0): Uint8Array {
  return tls.concat([type, 0xfe, 0xfd], tls.u16be(epoch), [0, 0, 0, 0, 0, 1], tls.vector(2, content));
}

/** The bytes `from` to `to` of a message. */
function fragment(type: number, number: number, body: Uint8Array, from = 0, to = body.length): Uint8Array {
  const header = tls.concat([type], u24be(body.length), tls.u16be(number), u24be(from), u24be(to - from));
  return record(22, tls.concat(header, body.subarray(from, to)));
}

function helloBody(cookie: tls.Bytes, name = 'd.example'): Uint8Array {
  const plain = tls.clientHelloBody({ version: DTLS_1_2, extensions: [tls.sniExtension(name)] });
  return tls.concat(plain.subarray(0, 35), tls.vector(1, cookie), plain.subarray(35));
}

const cookie = new Uint8Array(20).fill(7);
const certificateBody = tls.certificate(new Uint8Array(900)).subarray(4);
const serverBody = tls.serverHelloBody({ version: DTLS_1_2 });
const done = fragment(14, 3, new Uint8Array());
const ccs = record(20, [1]);

const usual: Flight[] = [
  orig(fragment(1, 0, helloBody([]))),
  resp(fragment(3, 0, tls.concat([0xfe, 0xff], tls.vector(1, cookie)))),
  orig(fragment(1, 1, helloBody(cookie))),
  resp(tls.concat(fragment(2, 1, serverBody), fragment(11, 2, certificateBody, 0, 100))),
  resp(tls.concat(fragment(11, 2, certificateBody, 100), done)),
  orig(tls.concat(fragment(16, 2, new Uint8Array(66)), ccs)),
];

/** The same in the version that OpenSSL sent before there was a standard. */
const early = usual.map(({ fromOrig, bytes = new Uint8Array() }): Flight => {
  const changed = bytes.slice();
  for (let i = 0; i + 1 < changed.length; i++) {
    if (changed[i] !== 0xfe || (changed[i + 1] ?? 0) < 0xfd) continue;
    changed[i] = 1;
    changed[i + 1] = 0;
  }
  return { fromOrig, bytes: changed };
});

interface Printed {
  readonly sni?: string;
  readonly version?: string;
  readonly cipher?: string;
  readonly ja4?: string;
}
function parsed(flights: readonly Flight[]): Printed[] {
  parser.reset();
  return sessionsOf(parser, flights) as Printed[];
}

test('a handshake with a cookie and fragments', () => {
  const [session, ...more] = parsed(usual);
  assert.equal(more, []);
  assert.is(session.sni, 'd.example');
  assert.is(session.version, 'DTLSv1.2');
  assert.is(session.cipher, 'TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256');
  assert.ok(session.ja4?.startsWith('dd2d0201'), session.ja4);
});

test('probing', () => {
  const probe = (bytes: Uint8Array) => parser.probe(true, bytes, 0, bytes.length);
  assert.is(probe(fragment(1, 0, helloBody([]))), Probe.YES);
  assert.is(probe(fragment(1, 0, helloBody([]), 0, 30)), Probe.YES);
  assert.is(probe(fragment(2, 0, serverBody)), Probe.YES);
  assert.is(probe(fragment(20, 0, serverBody)), Probe.NO);
  assert.is(probe(record(23, new Uint8Array(40))), Probe.NO);
  assert.is(probe(record(22, helloBody([]), 1)), Probe.NO);
  assert.is(probe(fragment(1, 0, helloBody([])).subarray(0, 40)), Probe.NO);
  assert.is(probe(tls.records(16384, tls.clientHello())), Probe.NO);
});

test('fragments of any size, in any order, more than once', () => {
  const whole = parsed(usual);
  fc.assert(
    fc.property(
      fc.array(fc.nat(300), { maxLength: 6 }),
      fc.array(fc.tuple(fc.nat(20), fc.nat(20)), { maxLength: 12 }),
      (cuts, swaps) => {
        const body = helloBody(cookie);
        const ends = [0, ...cuts.map((at) => at % body.length).sort((a, b) => a - b), body.length];
        const parts = ends.slice(1).map((end, i) => orig(fragment(1, 1, body, ends[i], end)));
        const shuffled = [...parts, ...parts];
        for (const [a, b] of swaps) {
          const [i, j] = [a % shuffled.length, b % shuffled.length];
          [shuffled[i], shuffled[j]] = [shuffled[j], shuffled[i]];
        }
        assert.equal(parsed([...usual.slice(0, 2), ...shuffled, ...usual.slice(3)]), whole);
      },
    ),
    { numRuns: 200 },
  );
});

test('it ends when the server is done, and waits for a certificate that was asked for', () => {
  parser.reset();
  const asked = [
    ...usual.slice(0, 3),
    resp(tls.concat(fragment(2, 1, serverBody), fragment(13, 2, new Uint8Array(8)), done)),
    orig(fragment(11, 2, certificateBody)),
  ];
  const said = asked.map(({ fromOrig, bytes = new Uint8Array() }) => parser.parse(fromOrig, bytes, 0, bytes.length));
  assert.equal(said, [Parse.MORE, Parse.MORE, Parse.MORE, Parse.MORE, Parse.STOP]);
  assert.is(parser.take()?.proto, DTLS_PARSER.proto);
});

test('a lone hello is delivered at the end, and a fatal alert ends the handshake', () => {
  assert.is(parsed(usual.slice(0, 1)).length, 1);
  parser.reset();
  const hello = fragment(1, 0, helloBody([]));
  parser.parse(true, hello, 0, hello.length);
  const alert = record(21, [2, 40]);
  assert.is(parser.parse(false, alert, 0, alert.length), Parse.STOP);
});

test('many messages and datagrams are bounded', () => {
  parser.reset();
  let said: Parse = Parse.MORE;
  let datagrams = 0;
  while (said === Parse.MORE && datagrams < 1000) {
    const part = fragment(1, datagrams++ & 0xffff, helloBody([]), 0, 50);
    said = parser.parse(true, part, 0, part.length);
  }
  assert.is(datagrams, 256);
});

test('the version before the standard', () => {
  const [session] = parsed(early);
  assert.is(session.sni, 'd.example');
  assert.is(session.version, 'DTLSv1.0-openssl');
});

test.run();
