import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { certificateNames, certificatesOf } from '../../../../runtime/protocols/tls/certificates.ts';
import { TLS_FIELDS } from '../../../../runtime/protocols/tls/fields.ts';
import { TlsHandshake } from '../../../../runtime/protocols/tls/handshake.ts';
import * as tls from '../../../support/tls-messages.ts';
import { concat, text, vector } from '../../../support/tls-messages.ts';

const test = suite('tls handshake');

test('every field of the catalog is a property', () => {
  const handshake = new TlsHandshake({});
  for (const field of TLS_FIELDS) {
    assert.is(field.access.kind, 'session');
    if (field.access.kind === 'session') assert.ok(field.access.property in handshake, field.name);
  }
});

test('what was not seen is not printed', () => {
  assert.equal(new TlsHandshake({}).toJSON(), {});
});

test('prints names of numbers, in the order of the catalog', () => {
  const handshake = new TlsHandshake({
    clientHello: tls.clientHelloBody({
      ciphers: [0x1301, 0x9999],
      compressions: [1, 0],
      extensions: [tls.sniExtension('example.org'), tls.groupsExtension(0x0a0a, 29, 0x0203), tls.extension(0x4242)],
    }),
    serverHello: tls.serverHelloBody({ version: 0x0302, cipher: 0x1301 }),
  });
  const json = handshake.toJSON();
  assert.is(json.sni, 'example.org');
  assert.is(json.version, 'TLSv1.1');
  assert.equal(json.client_ciphers, ['TLS_AES_128_GCM_SHA256', '0x9999']);
  assert.equal(json.client_compression_algs, ['DEFLATE', 'null']);
  assert.is(json.compression_alg, 'null');
  assert.equal(json.client_groups, ['0x0a0a', 'x25519', '0x0203']);
  assert.equal(json.client_extensions, ['server_name', 'supported_groups', '0x4242']);
  assert.is(json.client_random, Buffer.from(tls.random(1)).toString('hex'));
  const order = TLS_FIELDS.map((field) => field.name);
  assert.equal(
    Object.keys(json),
    order.filter((name) => name in json),
  );
});

test('text that is not ASCII is UTF-8', () => {
  const ofName = (name: string) =>
    new TlsHandshake({ clientHello: tls.clientHelloBody({ extensions: [tls.sniExtension(name)] }) });
  assert.is(ofName('bücher.example').sni, 'bücher.example');
  assert.is(ofName('a'.repeat(200)).sni, 'a'.repeat(200));
  const broken = tls.extension(0, vector(2, [0], vector(2, [0x61, 0xff])));
  assert.is(new TlsHandshake({ clientHello: tls.clientHelloBody({ extensions: [broken] }) }).sni, 'a\ufffd');
});

test('lists whose length fields lie end where their extension ends', () => {
  const body = tls.clientHelloBody({
    extensions: [
      tls.extension(10, [0, 200, 0, 29]),
      tls.extension(0, [0, 90, 0, 0, 80, 0x61]),
      tls.alpnExtension('h2'),
    ],
  });
  const handshake = new TlsHandshake({ clientHello: body });
  assert.equal([...handshake.clientGroups], [29]);
  assert.is(handshake.sni, 'a');
  assert.equal(handshake.clientAlpnProtocols, ['h2']);
});

/** DER: one element. */
function der(tag: number, ...content: readonly tls.Bytes[]): Uint8Array {
  const body = concat(...content);
  const length = body.length < 128 ? [body.length] : [0x82, body.length >> 8, body.length & 0xff];
  return concat([tag], length, body);
}
const oid = (...bytes: number[]) => der(6, bytes);
const attribute = (type: number, tag: number, value: tls.Bytes) => der(0x30, oid(0x55, 4, type), der(tag, value));
const name = (...sets: readonly (readonly Uint8Array[])[]) => der(0x30, ...sets.map((set) => der(0x31, ...set)));
const ALGORITHM = der(0x30, oid(0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 11), der(5));
/** RSA key of the smallest kind OpenSSL reads. */
const KEY = der(
  0x30,
  der(0x30, oid(0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1), der(5)),
  der(3, [0], der(0x30, der(2, [0, 0xc1, ...Array(62).fill(0x35), 1]), der(2, [1, 0, 1]))),
);

function certificateOf(subject: Uint8Array, issuer: Uint8Array, dnsNames: readonly string[] = []): Uint8Array {
  const alt = der(0x30, der(0x87, [127, 0, 0, 1]), ...dnsNames.map((each) => der(0x82, text(each))));
  const extensions = der(0xa3, der(0x30, der(0x30, oid(0x55, 0x1d, 17), der(1, [0xff]), der(4, alt))));
  const time = der(0x17, text('230101000000Z'));
  const signed = der(
    0x30,
    der(0xa0, der(2, [2])),
    der(2, [5]),
    ALGORITHM,
    issuer,
    der(0x30, time, time),
    subject,
    KEY,
    extensions,
  );
  return der(0x30, signed, ALGORITHM, der(3, [0, 1, 2, 3]));
}

test('names of a certificate', () => {
  const subject = name(
    [attribute(6, 0x13, text('NL'))],
    [attribute(10, 0x0c, text('Bücher, "B" + <C>; Sons\\Co'))],
    [attribute(11, 0x1e, [0, 0x41, 0x20, 0xac]), attribute(5, 0x13, text('77'))],
    [attribute(3, 0x0c, text('example.org'))],
  );
  const issuer = name([attribute(10, 0x14, [0x61, 0xe9])], [attribute(3, 0x0c, text(' #root '))]);
  const bytes = certificateOf(subject, issuer, ['example.org', '*.example.org']);
  const names = certificateNames(bytes);
  assert.is(names?.subject, 'CN=example.org,OU=A€+serialNumber=77,O=Bücher\\, \\"B\\" \\+ \\<C\\>\\; Sons\\\\Co,C=NL');
  assert.is(names?.issuer, 'CN=\\ #root\\ ,O=aé');
  assert.equal(names?.dnsNames, ['example.org', '*.example.org']);
  assert.is(certificateNames(bytes.slice()), names, 'a certificate seen before is not read again');
});

test('DNS names that hold what separates names stay whole', () => {
  const odd = ['a, DNS:b', 'c"d\\e', 'f:g', 'plain.example'];
  assert.equal(certificateNames(certificateOf(name(), name(), odd))?.dnsNames, odd);
});

test('an attribute without a short name is printed by its number', () => {
  const odd = der(0x30, der(0x31, der(0x30, oid(0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 99), der(0x0c, text('x\n')))));
  assert.is(certificateNames(certificateOf(odd, name()))?.subject, '1.2.840.113549.99=x\\0A');
});

test('bytes that are no certificate have no names and give no error', () => {
  const good = certificateOf(name([attribute(3, 0x0c, text('a'))]), name(), ['b']);
  for (let length = 0; length < good.length - 200; length++) certificateNames(good.subarray(0, length));
  assert.is(certificateNames(good.subarray(0, 40)), undefined);
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(good.length - 1), fc.integer({ min: 0, max: 255 })), { maxLength: 5 }),
      (changes) => {
        const bad = Uint8Array.from(good);
        for (const [at, to] of changes) bad[at] = to;
        certificateNames(bad);
      },
    ),
    { numRuns: 2000 },
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => void certificatesOf(bytes).map(certificateNames)),
  );
});

test('a chain is read up to where its lengths hold', () => {
  const chain = vector(3, vector(3, [1, 2]), vector(3, [3]), [0, 0, 9, 1]);
  assert.equal(
    certificatesOf(chain).map((each) => [...each]),
    [[1, 2], [3]],
  );
});

test.run();
