import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Parse, Probe } from '../../../../runtime/protocols/contract.ts';
import { SSH_PARSER } from '../../../../runtime/protocols/ssh/parser.ts';
import { corpus, corpusEntries, readTruth, type Truth } from '../../../support/corpus.ts';
import { cutBy, type Flight, orig, resp, sessionsOf } from '../../../support/session-parser.ts';
import { connectionKey, framesOf, tcpStreams } from '../../../support/tcp-streams.ts';
import { concat, text, u16be } from '../../../support/tls-messages.ts';

const test = suite('ssh parser');
const parser = SSH_PARSER.create();

type Told = Record<string, unknown>;
function parsed(flights: readonly Flight[], cut?: (left: number) => number): Told[] {
  parser.reset();
  return sessionsOf(parser, flights, cut) as Told[];
}

function packet(message: number, payload: Uint8Array = new Uint8Array(), padding = 9): Uint8Array {
  const size = 2 + payload.length + padding;
  return concat(u16be(size >> 16, size & 0xffff), [padding, message], payload, new Uint8Array(padding).fill(0xaa));
}
const COOKIE = Uint8Array.from({ length: 16 }, (_, i) => i);
/** A KEXINIT packet whose ten lists are these, in order. */
const offer = (...lists: readonly string[]) =>
  packet(
    20,
    concat(
      COOKIE,
      ...Array.from({ length: 10 }, (_, i) => concat(u16be(0, lists[i]?.length ?? 0), text(lists[i] ?? ''))),
      [0, 0, 0, 0, 0],
    ),
  );
const CLIENT = offer('k1,ext-info-c', 'h1,h2', 'e1', 'e2', 'm1', 'm2', 'none', 'zlib', 'en', '');
const SERVER = offer('k9', 'h9', 'e8', 'e9,e7', 'm8', 'm9', 'z8', 'z9', '', 'nl,fr');

const flow = [
  resp(text('Welcome\r\nSSH-2.0-OpenSSH_9.2p1 Debian-2 deb12\r\n')),
  orig(concat(text('SSH-2.0-libssh-0.10\n'), packet(2), CLIENT)),
  resp(concat(packet(4, new Uint8Array(20)), SERVER, packet(31))),
];
const md5 = (value: string) => createHash('md5').update(value).digest('hex');

test('HASSH, the example of its authors', () => {
  const group = (...names: readonly string[]) => names.map((name) => `diffie-hellman-group${name}`);
  const kex = [
    'curve25519-sha256@libssh.org',
    ...group('-exchange-sha256'),
    ...['521', '384', '256'].map((bits) => `ecdh-sha2-nistp${bits}`),
    ...group('-exchange-sha1', '1-sha1', '14-sha1', '14-sha256', '15-sha512', '16-sha512', '17-sha512', '18-sha512'),
    ...group('14-sha256@ssh.com', '15-sha256', '15-sha256@ssh.com', '15-sha384@ssh.com', '16-sha256'),
    ...group('16-sha384@ssh.com', '16-sha512@ssh.com', '18-sha512@ssh.com'),
  ].join();
  const both = (...names: readonly string[]) => names.flatMap((name) => [`${name}-cbc`, `${name}-ctr`]);
  const ciphers = [
    ...both('aes128', 'aes192', 'aes256', 'blowfish', 'cast128', 'idea', 'serpent128', 'serpent192', 'serpent256'),
    ...both('3des', 'twofish128', 'twofish192', 'twofish256'),
    ...['twofish-cbc', 'arcfour', 'arcfour128', 'arcfour256'],
  ].join();
  const macs = ['1', '1-96']
    .map((sha) => `hmac-sha${sha}`)
    .concat('hmac-md5', 'hmac-md5-96', 'hmac-sha2-256', 'hmac-sha2-512');
  const compression = 'zlib@openssh.com,zlib,none';
  const client = offer(kex, 'ssh-rsa', ciphers, 'x', macs.join(), 'y', compression, 'z');
  const [told] = parsed([orig(concat(text('SSH-2.0-Cyberduck/6.7.1.28683\r\n'), client))]);
  assert.is(told.hassh, '8a8ae540028bf433cd68356c1b9e8d5b');
});

test('banners and offers of both sides', () => {
  assert.equal(parsed(flow), [
    {
      protocol_version_ctos: '2.0',
      protocol_version_stoc: '2.0',
      software_version_ctos: 'libssh-0.10',
      software_version_stoc: 'OpenSSH_9.2p1',
      comments_stoc: 'Debian-2 deb12',
      key_exchange_cookie_ctos: '000102030405060708090a0b0c0d0e0f',
      key_exchange_cookie_stoc: '000102030405060708090a0b0c0d0e0f',
      kex_algs_ctos: ['k1', 'ext-info-c'],
      kex_algs_stoc: ['k9'],
      server_host_key_algs_ctos: ['h1', 'h2'],
      server_host_key_algs_stoc: ['h9'],
      encryption_algs_ctos: ['e1'],
      encryption_algs_stoc: ['e9', 'e7'],
      mac_algs_ctos: ['m1'],
      mac_algs_stoc: ['m9'],
      compression_algs_ctos: ['none'],
      compression_algs_stoc: ['z9'],
      languages_ctos: ['en'],
      languages_stoc: ['nl', 'fr'],
      hassh: md5('k1,ext-info-c;e1;m1;none'),
      hassh_server: md5('k9;e9,e7;m9;z9'),
    },
  ]);
});

test('the originator that offers what only servers offer is the server', () => {
  const [told] = parsed([
    orig(concat(text('SSH-2.0-a\r\n'), offer('k1,kex-strict-s-v00@openssh.com'))),
    resp(concat(text('SSH-2.0-b\r\n'), CLIENT)),
  ]);
  assert.equal([told.software_version_ctos, told.software_version_stoc], ['b', 'a']);
});

test('delivered as far as it came', () => {
  const [banners] = parsed([resp(text('SSH-2.0-s\r\n')), orig(text('SSH-1.99-c d\r\n'))]);
  assert.equal(banners, {
    protocol_version_ctos: '1.99',
    protocol_version_stoc: '2.0',
    software_version_ctos: 'c',
    software_version_stoc: 's',
    comments_ctos: 'd',
  });
  assert.equal(parsed([orig(text('SSH-2.0-half a line'))]), []);
  assert.equal(parsed([orig(concat(text('SSH-2.0-c\r\n'), packet(21)))]), [
    { protocol_version_ctos: '2.0', software_version_ctos: 'c' },
  ]);
});

test('stops when both offers are there, and for SSH 1 after the banners', () => {
  const feed = (flight: Flight) => {
    const bytes = flight.bytes ?? new Uint8Array();
    return parser.parse(flight.fromOrig, bytes, 0, bytes.length);
  };
  parser.reset();
  assert.equal(flow.map(feed), [Parse.MORE, Parse.MORE, Parse.STOP]);
  parser.reset();
  assert.equal([resp(text('SSH-1.5-a\n')), orig(text('SSH-1.5-b\n'))].map(feed), [Parse.MORE, Parse.STOP]);
  parser.reset();
  feed(flow[1]);
  assert.is(parser.gap(false, 10), Parse.STOP);
  assert.ok(parser.take());
});

test('the same stream cut in any way gives the same handshake', () => {
  const expected = parsed(flow);
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 120 }), { minLength: 1, maxLength: 8 }), (cuts) => {
      assert.equal(parsed(flow, cutBy(cuts)), expected);
    }),
  );
  assert.equal(parsed(flow, cutBy([1])), expected);
});

test('arbitrary and damaged bytes give no error', () => {
  const change = fc.record({ flight: fc.nat(2), at: fc.nat(300), to: fc.integer({ min: 0, max: 255 }) });
  fc.assert(
    fc.property(
      fc.array(change, { maxLength: 6 }),
      fc.uint8Array({ maxLength: 60 }),
      fc.nat(100),
      (changes, noise, cut) => {
        const flights = flow.map(({ fromOrig, bytes }) => ({ fromOrig, bytes: Uint8Array.from(bytes ?? []) }));
        for (const { flight, at, to } of changes) flights[flight].bytes[at % flights[flight].bytes.length] = to;
        parser.probe(true, noise, 0, noise.length);
        parsed([...flights, orig(noise)], cutBy([cut + 1]));
        parsed([orig(concat(text('SSH-2.0-x\r\n'), noise)), resp(noise)], cutBy([cut + 1]));
      },
    ),
    { numRuns: 1000 },
  );
});

test('probing', () => {
  const probe = (start: string) => parser.probe(true, text(`..${start}`), 2, start.length);
  for (const start of ['', 'S', 'SSH']) assert.is(probe(start), Probe.MAYBE);
  assert.is(probe('SSH-2.0'), Probe.YES);
  for (const start of ['X', 'SSL', 'SSH2', 'GET / HTTP/1.1']) assert.is(probe(start), Probe.NO);
});

test('a server may send lines before, a client may not', () => {
  const probe = (start: string, fromOrig = false) => parser.probe(fromOrig, text(`..${start}`), 2, start.length);
  assert.is(probe('Welcome\r\nto this host\r\nSSH-2.0-x'), Probe.YES);
  assert.is(probe('Welcome\r\nSSH'), Probe.MAYBE);
  assert.is(probe('Welcome\r\nSSH-', true), Probe.NO);
  const others = [
    '220 mail ESMTP',
    '+OK ready',
    '* OK IMAP',
    'HTTP/1.1 200',
    '<stream',
    'bi\u0000nary',
    'l\n'.repeat(1025),
  ];
  for (const other of others) assert.is(probe(other), Probe.NO, other);
});

interface Offer {
  readonly [list: string]: unknown;
  readonly kex_algorithms: readonly string[];
  readonly hassh: string;
  readonly cookie: string;
}
interface TruthSsh {
  readonly conn: number;
  readonly client_version: string;
  readonly server_version: string;
  readonly client_kexinit: Offer;
  readonly server_kexinit: Offer;
}

const folder = corpus();
if (folder === undefined) test.skip('needs the corpus', () => {});
else {
  test('agrees with the truth files', () => {
    let compared = 0;
    for (const entry of corpusEntries(folder)) {
      const truth = readTruth(entry) as Truth & { readonly ssh: readonly TruthSsh[] };
      if (truth.ssh.length === 0) continue;
      const streams = new Map(tcpStreams(framesOf(entry.pcap)).map((each) => [each.key, each]));
      for (const record of truth.ssh) {
        // The naive streams know no tunnels.
        if (truth.connections[record.conn].depth > 0) continue;
        const stream = streams.get(connectionKey(truth, record.conn));
        const [ours] = parsed(stream?.pieces ?? []);
        const client = record.client_kexinit;
        const server = record.server_kexinit;
        const banner = (side: string) =>
          `SSH-${ours[`protocol_version_${side}`]}-${ours[`software_version_${side}`]}${
            ours[`comments_${side}`] === undefined ? '' : ` ${ours[`comments_${side}`]}`
          }`;
        assert.is(banner('ctos'), record.client_version, entry.name);
        assert.is(banner('stoc'), record.server_version, entry.name);
        assert.equal(ours.kex_algs_ctos, client.kex_algorithms);
        assert.equal(ours.kex_algs_stoc, server.kex_algorithms);
        assert.equal(ours.server_host_key_algs_stoc, server.server_host_key_algorithms);
        assert.equal(ours.encryption_algs_ctos, client.encryption_algorithms_client_to_server);
        assert.equal(ours.mac_algs_stoc, server.mac_algorithms_server_to_client);
        assert.equal(ours.compression_algs_ctos, client.compression_algorithms_client_to_server);
        assert.is(ours.key_exchange_cookie_ctos, client.cookie);
        assert.is(ours.hassh, client.hassh);
        assert.is(ours.hassh_server, server.hassh);
        compared++;
      }
    }
    assert.ok(compared >= 4, `only ${compared} compared`);
  });
}

test.run();
