/** The DNS parsers over real captures, against what tshark made of them. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type ParserFactory, Probe } from '../../../../runtime/protocols/contract.ts';
import { DNS_TCP_PARSER, DNS_UDP_PARSER } from '../../../../runtime/protocols/dns/parser.ts';
import { corpus, corpusEntries, readTruth } from '../../../support/corpus.ts';
import {
  connectionKey,
  framesOf,
  type Piece,
  segmentOf,
  tcpStreams,
  udpStreams,
} from '../../../support/tcp-streams.ts';
import { type DnsSummary, dnsMasked, dnsTransactions, type SessionTruth } from '../../../support/truth-sessions.ts';

/** What our parser makes of a connection, or undefined where it says that it is no DNS. */
function parsedOf(factory: ParserFactory, pieces: readonly Piece[]): DnsSummary[] | undefined {
  const parser = factory.create();
  const [first] = pieces;
  if (parser.probe(first.fromOrig, first.bytes, 0, first.bytes.length) !== Probe.YES) return undefined;
  const sessions: DnsSummary[] = [];
  const takeAll = () => {
    for (let session = parser.take(); session !== null; session = parser.take()) {
      const dns = session as ReturnType<typeof parser.take> & {
        id: number;
        queryDomain?: string;
        queryType?: number;
        rcode?: number;
      } & { [key in 'answers' | 'nameservers' | 'additionals']: readonly string[] };
      sessions.push({
        id: dns.id,
        name: dns.queryDomain ?? null,
        type: dns.queryType ?? null,
        rcode: dns.rcode ?? null,
        answers: dns.answers,
        nameservers: dns.nameservers,
        additionals: dns.additionals,
      });
    }
  };
  for (const piece of pieces) {
    if (piece.missed > 0) parser.gap(piece.fromOrig, piece.missed);
    parser.parse(piece.fromOrig, piece.bytes, 0, piece.bytes.length);
    takeAll();
  }
  parser.end();
  takeAll();
  return sessions;
}

const test = suite('dns over the corpus');
const folder = corpus();

if (folder === undefined) test.skip('needs the corpus', () => {});
else {
  test('agrees with the truth files', () => {
    let compared = 0;
    const wrong: string[] = [];
    for (const entry of corpusEntries(folder)) {
      const truth = readTruth(entry) as SessionTruth;
      if (truth.dns.length === 0) continue;
      const frames = framesOf(entry.pcap);
      const streams = new Map([...tcpStreams(frames), ...udpStreams(frames)].map((each) => [each.key, each]));
      for (const conn of new Set(truth.dns.map((message) => message.conn ?? -1))) {
        // Quoted in an ICMP error, or in a tunnel.
        const connection = truth.connections[conn];
        if (connection === undefined || connection.depth > 0) continue;
        const messages = truth.dns.filter((message) => message.conn === conn);
        // The naive streams know no fragments.
        if (messages.some(({ frame }) => segmentOf(frames[frame - 1]) === undefined)) continue;
        const place = `${entry.name} ${conn}`;
        const stream = streams.get(connectionKey(truth, conn));
        if (stream === undefined) {
          wrong.push(`${place}: no stream`);
          continue;
        }
        const factory = connection.proto === 'tcp' ? DNS_TCP_PARSER : DNS_UDP_PARSER;
        const theirs = dnsTransactions(messages);
        const ours = parsedOf(factory, stream.pieces);
        compared++;
        if (ours === undefined || ours.length !== theirs.length) {
          wrong.push(`${place}: ${ours?.length ?? 'no'} transactions but truth has ${theirs.length}`);
          continue;
        }
        theirs.forEach((their, i) => {
          const [a, b] = [JSON.stringify(dnsMasked(ours[i], their)), JSON.stringify(their)];
          if (a !== b) wrong.push(`${place}:\n  ours  ${a}\n  truth ${b}`);
        });
      }
    }
    assert.is(wrong.join('\n'), '');
    assert.ok(compared > 200, `only ${compared} compared`);
  });
}

test.run();
