/** The QUIC parser over real captures, against what tshark made of them. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Parse, Probe } from '../../../../runtime/protocols/contract.ts';
import { QUIC_PARSER } from '../../../../runtime/protocols/quic/parser.ts';
import type { QuicStream } from '../../../../runtime/protocols/quic/stream.ts';
import { corpus, corpusEntries, readTruth } from '../../../support/corpus.ts';
import { connectionKey, framesOf, type Piece, udpStreams } from '../../../support/tcp-streams.ts';
import type { SessionTruth, TlsRecord } from '../../../support/truth-sessions.ts';

function streamOf(pieces: readonly Piece[]): QuicStream | undefined {
  const parser = QUIC_PARSER.create();
  const [first] = pieces;
  if (parser.probe(first.fromOrig, first.bytes, 0, first.bytes.length) !== Probe.YES) return undefined;
  for (const { fromOrig, bytes } of pieces) {
    if (parser.parse(fromOrig, bytes, 0, bytes.length) === Parse.STOP) break;
  }
  parser.end();
  return parser.take() as QuicStream | undefined;
}

/** Connections whose ClientHello tshark does not open, and why. */
const UNOPENED: Readonly<Record<string, string>> = {
  'ndpi-quic-forcing-vn-with-data 0': 'version negotiation and then a Retry: it takes the identifier before the Retry',
};

/** Connections in which tshark has another ClientHello than the one that was answered, and why. */
const OTHER_RANDOM: Readonly<Record<string, string>> = {
  'iris-quic_retry 1': 'the client sends another one after the Retry (packet 21), which tshark cannot put together',
};

const hexOf = (bytes: Uint8Array | undefined) => bytes && Buffer.from(bytes).toString('hex');
const test = suite('quic over the corpus');
const folder = corpus();

if (folder === undefined) test.skip('needs the corpus', () => {});
else {
  test('agrees with the truth files', () => {
    let compared = 0;
    const wrong: string[] = [];
    for (const entry of corpusEntries(folder)) {
      const truth = readTruth(entry) as SessionTruth;
      if (truth.quic.length === 0) continue;
      const streams = new Map(udpStreams(framesOf(entry.pcap)).map((each) => [each.key, each]));
      for (const quic of truth.quic) {
        const tls = (truth.tls as readonly TlsRecord[]).find(({ conn, over }) => conn === quic.conn && over === 'quic');
        const place = `${entry.name} ${quic.conn}`;
        const same = (field: string, our: unknown, their: unknown) => {
          const [a, b] = [JSON.stringify(our ?? null), JSON.stringify(their ?? null)];
          if (a !== b) wrong.push(`${place} ${field}: ${a} but truth has ${b}`);
        };
        const stream = streams.get(connectionKey(truth, quic.conn));
        const ours = stream && streamOf(stream.pieces);
        compared++;
        if (ours === undefined) {
          wrong.push(`${place}: no session`);
          continue;
        }
        const hello = tls?.client_hellos.at(-1);
        same('dcid', hexOf(ours.dcid), quic.first_initial_dcid);
        same('version', quic.versions.includes(`0x${ours.version.toString(16).padStart(8, '0')}`), true);
        same('sni', ours.sni, tls?.sni);
        if (place in UNOPENED) {
          assert.is(hello, undefined);
          assert.ok(ours.clientCiphers.length > 0);
          continue;
        }
        same('alpn', ours.clientAlpnProtocols, tls?.alpn_offered ?? []);
        same('ja3', ours.ja3Hash, hello?.ja3);
        if (!(place in OTHER_RANDOM)) same('random', hexOf(ours.clientRandom), hello?.random);
        same('ciphers', [...ours.clientCiphers], hello?.ciphers ?? []);
        same('extensions', [...ours.clientExtensions], hello?.extensions ?? []);
        same('groups', [...ours.clientGroups], hello?.groups ?? []);
      }
    }
    assert.is(wrong.join('\n'), '');
    assert.ok(compared >= 14, `only ${compared} compared`);
  });
}

test.run();
