/** The parser over real captures, against what tshark made of them. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Parse, Probe } from '../../../../runtime/protocols/contract.ts';
import type { TlsHandshake } from '../../../../runtime/protocols/tls/handshake.ts';
import { VERSIONS } from '../../../../runtime/protocols/tls/names.ts';
import { TLS_PARSER } from '../../../../runtime/protocols/tls/parser.ts';
import { corpus, corpusEntries, readTruth, type TruthTls } from '../../../support/corpus.ts';
import { connectionKey, framesOf, type Stream, tcpStreams } from '../../../support/tcp-streams.ts';

/** What truth files say of TLS beyond `TruthTls`. */
interface TlsRecord extends TruthTls {
  readonly server_cert_chain?: readonly TruthCertificate[];
  readonly client_cert_chain?: readonly TruthCertificate[];
  readonly client_hellos: readonly {
    readonly random: string;
    readonly extensions: readonly number[];
    readonly groups: readonly number[];
    readonly sig_algs: readonly number[];
    readonly ja3: string;
    readonly sslv2_cipher_specs?: readonly string[];
  }[];
  readonly server_hellos: readonly { readonly extensions: readonly number[]; readonly random: string }[];
}
interface TruthCertificate {
  readonly sha256: string;
  readonly bytes: number;
  readonly subject: { readonly rdn: readonly string[] };
  readonly issuer: { readonly rdn: readonly string[] };
  readonly san_dns: readonly string[];
}

/** The handshake of a stream, or what the parser said instead. */
function handshakeOf(stream: Stream): TlsHandshake | string {
  const parser = TLS_PARSER.create();
  const first = stream.pieces[0];
  if (first === undefined) return 'no payload';
  const probe = parser.probe(first.fromOrig, first.bytes, 0, first.bytes.length);
  if (probe !== Probe.YES) return 'not tls';
  for (const piece of stream.pieces) {
    let said = piece.missed > 0 ? parser.gap(piece.fromOrig, piece.missed) : Parse.MORE;
    if (said === Parse.MORE) said = parser.parse(piece.fromOrig, piece.bytes, 0, piece.bytes.length);
    if (said === Parse.STOP) break;
  }
  parser.end();
  return (parser.take() as TlsHandshake | null) ?? 'no session';
}

const number = (name: string | null): number | undefined =>
  name === null ? undefined : (VERSIONS[name] ?? Number(name));
const hex = (value: number) => `0x${value.toString(16).padStart(4, '0')}`;
const hexOf = (bytes: Uint8Array | undefined) => bytes && Buffer.from(bytes).toString('hex');

/** Where a handshake and the truth differ: field, ours, theirs. */
function differences(ours: TlsHandshake, theirs: TlsRecord): string[] {
  const lines: string[] = [];
  const same = (field: string, our: unknown, their: unknown) => {
    const [a, b] = [JSON.stringify(our ?? null), JSON.stringify(their ?? null)];
    if (a !== b) lines.push(`${field}: ${a} but truth has ${b}`);
  };
  const firstClient = theirs.client_hellos[0];
  const lastClient = theirs.client_hellos.at(-1);
  const lastServer = theirs.server_hellos.at(-1);
  same('sni', ours.sni, theirs.sni);
  same('client_version', ours.clientVersion, number(theirs.client_legacy_version));
  same('version', ours.version, number(theirs.version_selected));
  same('cipher', ours.cipher === undefined ? null : hex(ours.cipher), theirs.cipher_selected);
  same('client_alpn', ours.clientAlpnProtocols, theirs.alpn_offered);
  same('alpn', ours.alpn, theirs.alpn_selected);
  same('ja3s', ours.ja3sHash, theirs.ja3s);
  const specs = lastClient?.sslv2_cipher_specs;
  if (specs !== undefined) {
    // An SSLv2-compatible ClientHello, of which tshark tells little else. Kinds above 0xffff are SSLv2's own.
    const ciphers = specs.map(Number).filter((kind) => kind <= 0xffff);
    same('ciphers', Array.from(ours.clientCiphers), ciphers);
  } else {
    same('ciphers', Array.from(ours.clientCiphers, hex), theirs.ciphers_offered);
    same('ja3', ours.ja3Hash, lastClient?.ja3);
    same('client_random', hexOf(ours.clientRandom), lastClient?.random);
  }
  same('server_random', hexOf(ours.serverRandom), lastServer?.random);
  same('client_extensions', Array.from(ours.clientExtensions), lastClient?.extensions ?? []);
  same('server_extensions', Array.from(ours.serverExtensions), lastServer?.extensions ?? []);
  same('groups', Array.from(ours.clientGroups), firstClient?.groups ?? []);
  // The truth has those of delegated_credentials (34) in the same list.
  if (!firstClient?.extensions.includes(34))
    same('signature_algs', Array.from(ours.clientSignatureAlgs), firstClient?.sig_algs ?? []);
  for (const [side, certificates, chain, subject, issuer] of [
    ['server', ours.serverCertificates, theirs.server_cert_chain, ours.serverCertSubject, ours.serverCertIssuer],
    ['client', ours.clientCertificates, theirs.client_cert_chain, ours.clientCertSubject, ours.clientCertIssuer],
  ] as const) {
    same(
      `${side} certificates`,
      certificates.map((der) => der.length),
      chain?.map((each) => each.bytes) ?? [],
    );
    const leaf = chain?.[0];
    if (leaf === undefined) continue;
    const rdn = (name: readonly string[]) => [...name].reverse().join(',');
    same(`${side} subject`, subject?.replaceAll('\\', ''), rdn(leaf.subject.rdn));
    same(`${side} issuer`, issuer?.replaceAll('\\', ''), rdn(leaf.issuer.rdn));
    if (side === 'server') same('names', ours.serverCertNames, leaf.san_dns);
  }
  return lines;
}

const test = suite('tls over the corpus');
const folder = corpus();

if (folder === undefined) test.skip('needs the corpus', () => {});
else {
  test('agrees with the truth files', () => {
    let compared = 0;
    const wrong: string[] = [];
    for (const entry of corpusEntries(folder)) {
      const truth = readTruth(entry);
      const records = (truth.tls as readonly TlsRecord[]).filter(
        // The naive streams have no tunnels.
        (record) => record.over === 'tcp' && truth.connections[record.conn].depth === 0,
      );
      if (records.length === 0) continue;
      const streams = new Map(tcpStreams(framesOf(entry.pcap)).map((each) => [each.key, each]));
      for (const record of records) {
        const stream = streams.get(connectionKey(truth, record.conn));
        const ours = stream === undefined ? 'no stream' : handshakeOf(stream);
        // After STARTTLS or CONNECT the connection is another protocol's.
        const expected = record.at_stream_start === false ? 'not tls' : undefined;
        const lines = typeof ours === 'string' ? [ours] : differences(ours, record);
        if (expected === undefined) compared++;
        if (lines.join() !== (expected ?? ''))
          wrong.push(...lines.map((line) => `${entry.name} ${record.conn}: ${line}`));
      }
    }
    assert.is(wrong.join('\n'), '');
    assert.ok(compared > 200, `only ${compared} compared`);
  });
}

test.run();
