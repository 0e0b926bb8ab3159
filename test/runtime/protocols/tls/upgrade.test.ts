/** TLS that begins later in a connection. */
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Parse, Probe } from '../../../../runtime/protocols/contract.ts';
import { TLS_PARSER } from '../../../../runtime/protocols/tls/parser.ts';
import { cutBy, type Flight, orig, resp, sessionsOf } from '../../../support/session-parser.ts';
import * as tls from '../../../support/tls-messages.ts';

const test = suite('tls upgrade');
const parser = TLS_PARSER.create();
const hello = tls.records(16384, tls.clientHello({ extensions: [tls.sniExtension('late.example')] }));
const answer = tls.records(16384, tls.serverHello(), tls.certificate(), tls.serverHelloDone());
const sslRequest = [0, 0, 0, 8, 4, 210, 22, 47];
const ldapRequest = tls.concat([0x30, 0x1d, 2, 1, 1, 0x77, 0x18, 0x80, 0x16], tls.text('1.3.6.1.4.1.1466.20037'));
const mysqlGreeting = tls.concat([74, 0, 0, 0, 10], tls.text('8.0.36'), new Uint8Array(68));
const mysqlRequest = tls.concat([32, 0, 0, 1, 0x85, 0xae, 0xff, 0x19], new Uint8Array(28));

type Said = readonly [from: 'client' | 'server', bytes: tls.Bytes | string];
const upgrades: Readonly<Record<string, readonly Said[]>> = {
  SMTP: [
    ['server', '220 mx.example ESMTP\r\n'],
    ['client', 'EHLO a.example\r\n'],
    ['server', '250-mx.example\r\n250 STARTTLS\r\n'],
    ['client', 'STARTTLS\r\n'],
    ['server', '220 go ahead\r\n'],
  ],
  IMAP: [
    ['server', '* OK ready\r\n'],
    ['client', 'a1 CAPABILITY\r\n'],
    ['server', '* CAPABILITY IMAP4rev1 STARTTLS\r\na1 OK\r\n'],
    ['client', 'a2 STARTTLS\r\n'],
    ['server', 'a2 OK begin\r\n'],
  ],
  POP3: [
    ['server', '+OK ready\r\n'],
    ['client', 'STLS\r\n'],
    ['server', '+OK begin\r\n'],
  ],
  FTP: [
    ['server', '220 (vsFTPd 3.0.3)\r\n'],
    ['client', 'AUTH TLS\r\n'],
    ['server', '234 Proceed\r\n'],
  ],
  XMPP: [
    ['client', "<?xml version='1.0'?><stream:stream to='example.org'>"],
    ['server', "<?xml version='1.0'?><stream:stream><stream:features><starttls/></stream:features>"],
    ['client', "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"],
    ['server', "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"],
  ],
  LDAP: [
    ['client', ldapRequest],
    ['server', [0x30, 0x0c, 2, 1, 1, 0x78, 7, 10, 1, 0, 4, 0, 4, 0]],
  ],
  PostgreSQL: [
    ['client', sslRequest],
    ['server', 'S'],
  ],
  MySQL: [
    ['server', mysqlGreeting],
    ['client', mysqlRequest],
  ],
  'HTTP CONNECT': [
    ['client', 'CONNECT a.example:443 HTTP/1.1\r\nHost: a.example\r\n\r\n'],
    ['server', 'HTTP/1.1 200 Connection established\r\n\r\n'],
  ],
  RDP: [
    ['client', [3, 0, 0, 19, 14, 0xe0, 0, 0, 0, 0, 0, 1, 0, 8, 0, 3, 0, 0, 0]],
    ['server', [3, 0, 0, 19, 14, 0xd0, 0, 0, 0x12, 0x34, 0, 2, 0x1f, 8, 0, 2, 0, 0, 0]],
  ],
};

function flightsOf(said: readonly Said[]): Flight[] {
  const all: readonly Said[] = [...said, ['client', hello], ['server', answer]];
  return all.map(([from, what]) => {
    const bytes = typeof what === 'string' ? tls.text(what) : tls.concat(what);
    return from === 'client' ? orig(bytes) : resp(bytes);
  });
}

/** What probing says when it is asked as the engine asks: each direction from its start, whenever more of it came. */
function probed(flights: readonly Flight[]): Probe {
  const known: [Uint8Array, Uint8Array] = [new Uint8Array(), new Uint8Array()];
  for (const { fromOrig, bytes = new Uint8Array() } of flights) {
    const side = fromOrig ? 0 : 1;
    known[side] = tls.concat(known[side], bytes);
    const said = parser.probe(fromOrig, known[side], 0, known[side].length);
    if (said !== Probe.MAYBE) return said;
  }
  return Probe.MAYBE;
}

for (const [name, said] of Object.entries(upgrades)) {
  const flights = flightsOf(said);
  test(`behind ${name}`, () => {
    assert.is(probed(flights.slice(0, -2)), Probe.MAYBE);
    assert.is(probed(flights), Probe.YES);
    parser.reset();
    const sessions = sessionsOf(parser, flights) as { sni?: string; cipher?: string }[];
    assert.equal(
      sessions.map(({ sni, cipher }) => [sni, cipher]),
      [['late.example', 'TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256']],
    );
  });

  test(`behind ${name}, cut in any way`, () => {
    parser.reset();
    const whole = sessionsOf(parser, flights);
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 90 }), { minLength: 1, maxLength: 9 }), (cuts) => {
        parser.reset();
        assert.equal(sessionsOf(parser, flights, cutBy(cuts)), whole);
      }),
      { numRuns: 40 },
    );
  });

  test(`the opening of ${name} is not refused by any of its first bytes`, () => {
    for (const { fromOrig, bytes = new Uint8Array() } of [flights[0]]) {
      for (let n = 1; n <= bytes.length; n++) assert.is(parser.probe(fromOrig, bytes, 0, n), Probe.MAYBE, `${n}`);
    }
  });
}

test('other protocols are refused by their first bytes', () => {
  for (const opening of [
    'GET / HTTP/1.1\r\n',
    'SSH-2.0-OpenSSH_9.2\r\n',
    'HTTP/1.1 404 Not Found\r\n',
    '\x13BitTorrent protocol',
    'SIP/2.0 200 OK\r\n',
  ]) {
    const bytes = tls.text(opening);
    assert.is(parser.probe(true, bytes, 0, bytes.length), Probe.NO, opening);
  }
});

test('a hole in what comes before loses nothing', () => {
  const flights = flightsOf(upgrades.SMTP);
  parser.reset();
  const whole = sessionsOf(parser, flights);
  const holed = flights.map((flight, i) =>
    i === 2 ? { ...flight, missed: 10, bytes: flight.bytes?.subarray(10) } : flight,
  );
  parser.reset();
  assert.equal(sessionsOf(parser, holed), whole);
});

test('what looks like the start of a hello and is none is passed over', () => {
  const flights = [orig(tls.concat(tls.text('EHLO a\r\n'), [22, 3, 1, 22, 22, 3, 3, 0, 22, 3], hello)), resp(answer)];
  parser.reset();
  assert.is(sessionsOf(parser, flights, cutBy([1])).length, 1);
});

test('a server that answers a ClientHello in another protocol ends the handshake at once', () => {
  const page = tls.text('HTTP/1.1 400 Bad Request\r\n\r\n');
  parser.reset();
  parser.parse(true, hello, 0, hello.length);
  assert.is(parser.parse(false, page, 0, page.length), Parse.STOP);
  assert.ok(parser.take());
});

test.run();
