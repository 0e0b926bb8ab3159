import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { TlsHandshake } from '../../../../runtime/protocols/tls/handshake.ts';
import * as tls from '../../../support/tls-messages.ts';

const test = suite('tls fingerprints');

const ofClient = (parts: tls.ClientHelloParts, transport: 't' | 'q' = 't') =>
  new TlsHandshake({ clientHello: tls.clientHelloBody(parts) }, transport);

const numbers = (list: string) => list.split(',').map((value) => Number.parseInt(value, 16));

test('JA3, the examples of its authors', () => {
  const firefox = ofClient({
    version: 769,
    ciphers: [47, 53, 5, 10, 49161, 49162, 49171, 49172, 50, 56, 19, 4],
    extensions: [tls.extension(0), tls.groupsExtension(23, 24, 25), tls.pointFormatsExtension(0)],
  });
  assert.is(firefox.ja3Str, '769,47-53-5-10-49161-49162-49171-49172-50-56-19-4,0-10-11,23-24-25,0');
  assert.is(firefox.ja3Hash, 'ada70206e40642a3e4461f35503241d5');
  const bare = ofClient({ version: 769, ciphers: [4, 5, 10, 9, 100, 98, 3, 6, 19, 18, 99] });
  assert.is(bare.ja3Str, '769,4-5-10-9-100-98-3-6-19-18-99,,,');
  assert.is(bare.ja3Hash, 'de350869b8c85de67a350c8d186f11e6');
});

test('JA3 leaves GREASE out', () => {
  const hello = ofClient({
    ciphers: [0x2a2a, 0x1301],
    extensions: [tls.extension(0xeaea), tls.groupsExtension(0xfafa, 29)],
  });
  assert.is(hello.ja3Str, '771,4865,10,29,');
  assert.equal([...hello.clientCiphers], [0x2a2a, 0x1301]);
});

test('JA3S', () => {
  const server = new TlsHandshake({
    serverHello: tls.serverHelloBody({
      version: 769,
      cipher: 47,
      extensions: [65281, 0, 11, 35, 5, 16].map((type) => tls.extension(type)),
    }),
  });
  assert.is(server.ja3sStr, '769,47,65281-0-11-35-5-16');
  assert.is(server.ja3sHash, '836ce314215654b5b1f85f97c73e506f');
});

/** A ClientHello whose JA4 lists are these; SNI and ALPN come on top. */
function listed(ciphers: string, extensions: string, signatures: string, alpn = 'h2'): TlsHandshake {
  const body = (type: number) => {
    if (type === 0x000d) return tls.signaturesExtension(...numbers(signatures));
    if (type === 0x002b) return tls.versionsExtension(0x7a7a, 0x0304, 0x0303);
    return tls.extension(type);
  };
  return ofClient({
    ciphers: [0x4a4a, ...numbers(ciphers).reverse()],
    extensions: [
      tls.extension(0x6a6a),
      ...numbers(extensions).reverse().map(body),
      tls.sniExtension('example.org'),
      tls.alpnExtension(alpn, 'http/1.1'),
    ],
  });
}
const CHROME = '002f,0035,009c,009d,1301,1302,1303,c013,c014,c02b,c02c,c02f,c030,cca8,cca9';
const CHROME_SIGNATURES = '0403,0804,0401,0503,0805,0501,0806,0601';

test('JA4, published examples with their lists', () => {
  const chrome = '0005,000a,000b,000d,0012,0015,0017,001b,0023,002b,002d,0033,4469,ff01';
  assert.is(listed(CHROME, chrome, CHROME_SIGNATURES).ja4, 't13d1516h2_8daaf6152771_e5627efa2ab1');
  const later = '0005,000a,000b,000d,0012,0017,001b,0023,002b,002d,0033,44cd,fe0d,ff01';
  assert.is(listed(CHROME, later, CHROME_SIGNATURES).ja4, 't13d1516h2_8daaf6152771_d8a2da3f94cd');
  const other = listed(
    '00ff,1301,1302,1303,c02b,c02c,c02f,c030,cca8,cca9',
    '0005,000a,000b,000d,0017,0023,002b,002d,0033',
    '0503,0403,0807,0806,0805,0804,0601,0501,0401',
  );
  assert.is(other.ja4, 't13d1011h2_61a7ad8aa9b6_3fcd1a44f3e3');
});

test('JA4, its first part', () => {
  const head = (parts: tls.ClientHelloParts, transport: 't' | 'q' = 't') =>
    ofClient(parts, transport).ja4?.split('_')[0];
  assert.is(head({ version: 0x0300, ciphers: [] }), 'ts3i000000');
  assert.is(head({ version: 0x0302, ciphers: [4], extensions: [tls.sniExtension('a')] }), 't11d010100');
  assert.is(head({ version: 0x1234, ciphers: [4] }), 't00i010000');
  assert.is(head({ ciphers: Array.from({ length: 120 }, (_, i) => 100 + i) }, 'q'), 'q12i990000');
  const alpn = (name: string | Uint8Array) =>
    head({
      extensions: [tls.extension(16, tls.vector(2, tls.vector(1, typeof name === 'string' ? tls.text(name) : name)))],
    });
  assert.is(alpn('http/1.1'), 't12i0201h1');
  assert.is(alpn('h'), 't12i0201hh');
  assert.is(alpn(Uint8Array.of(0xab)), 't12i0201ab');
  assert.is(alpn(Uint8Array.of(0xab, 0xcd)), 't12i0201ad');
  assert.is(alpn(Uint8Array.of(0x30, 0x31, 0xab, 0xcd)), 't12i02013d');
  assert.is(alpn(''), 't12i020100');
});

test('JA4 without ciphers or extensions has zeros for hashes', () => {
  assert.is(ofClient({ ciphers: [] }).ja4, 't12i000000_000000000000_000000000000');
  const named = ofClient({ ciphers: [], extensions: [tls.sniExtension('a'), tls.alpnExtension('h2')] });
  assert.is(named.ja4, 't12d0002h2_000000000000_000000000000');
});

test.run();
