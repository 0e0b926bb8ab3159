/** The HTTP parser over real captures, against what tshark made of them. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Parse, Probe } from '../../../../runtime/protocols/contract.ts';
import { HTTP_PARSER } from '../../../../runtime/protocols/http/parser.ts';
import type { HttpTransaction } from '../../../../runtime/protocols/http/transaction.ts';
import { corpus, corpusEntries, readTruth } from '../../../support/corpus.ts';
import { connectionKey, framesOf, type Piece, tcpStreams } from '../../../support/tcp-streams.ts';
import { httpTransactions, type SessionTruth } from '../../../support/truth-sessions.ts';

function parsedOf(pieces: readonly Piece[]): HttpTransaction[] | undefined {
  const parser = HTTP_PARSER.create();
  const { fromOrig } = pieces[0];
  const opening = Buffer.concat(pieces.filter((piece) => piece.fromOrig === fromOrig).map((piece) => piece.bytes));
  if (parser.probe(fromOrig, opening, 0, opening.length) < Probe.YES) return undefined;
  const sessions: HttpTransaction[] = [];
  const takeAll = () => {
    for (let session = parser.take(); session !== null; session = parser.take())
      sessions.push(session as HttpTransaction);
  };
  for (const piece of pieces) {
    if (piece.missed > 0) parser.gap(piece.fromOrig, piece.missed);
    const said = parser.parse(piece.fromOrig, piece.bytes, 0, piece.bytes.length);
    takeAll();
    if (said >= Parse.STOP) break;
  }
  parser.end();
  takeAll();
  return sessions;
}

/** Where the truth is not what we want, and why; by `capture connection`. */
const EXPLAINED: Readonly<Record<string, string>> = {
  'arkime-80211http 0': 'the naive streams do not read 802.11',
  'zeek-mixed-vlan-mpls 2': 'nor MPLS',
  'mercury-emix 243': 'the connection starts as SOCKS, which the engine takes away before',
  'mercury-emix 244': 'the connection starts as SOCKS, which the engine takes away before',
  'mercury-emix 245': 'the connection starts as SOCKS, which the engine takes away before',
  'mercury-emix 248': 'the connection starts as SOCKS, which the engine takes away before',
  'pcpp-one_tcp_stream_max_seq 0': 'tshark loses the second request where sequence numbers wrap',
  'sv-tcp-urg 0': 'tshark takes the urgent byte in the request line for the end of it',
  'zeek-bro.org 2': 'tshark loses the first response, whose body has a hole; its head and the rest are there',
};

const test = suite('http over the corpus');
const folder = corpus();

if (folder === undefined) test.skip('needs the corpus', () => {});
else {
  test('agrees with the truth files', () => {
    let compared = 0;
    const wrong: string[] = [];
    for (const entry of corpusEntries(folder)) {
      const truth = readTruth(entry) as SessionTruth;
      if (truth.http.length === 0) continue;
      const streams = new Map(tcpStreams(framesOf(entry.pcap)).map((each) => [each.key, each]));
      for (const conn of new Set(truth.http.map((message) => message.conn))) {
        const connection = truth.connections[conn];
        if (connection.depth > 0) continue;
        const place = `${entry.name} ${conn}`;
        if (place in EXPLAINED) continue;
        const stream = streams.get(connectionKey(truth, conn));
        const theirs = httpTransactions(truth.http.filter((message) => message.conn === conn));
        const ours = stream && parsedOf(stream.pieces);
        compared += theirs.length;
        if (ours?.length !== theirs.length) {
          wrong.push(`${place}: ${ours?.length ?? 'no'} transactions but truth has ${theirs.length}`);
          continue;
        }
        theirs.forEach((their, i) => {
          const our = ours[i].toJSON();
          for (const [key, value] of Object.entries(their)) {
            const [a, b] = [JSON.stringify(our[key] ?? null), JSON.stringify(value ?? null)];
            if (a !== b) wrong.push(`${place} ${i} ${key}: ${a} but truth has ${b}`);
          }
        });
      }
    }
    assert.is(wrong.join('\n'), '');
    assert.ok(compared > 90, `only ${compared} compared`);
  });
}

test.run();
