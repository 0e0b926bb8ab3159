/** The DNS parsers over real captures, against what tshark made of them. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type ParserFactory, Probe } from '../../../../runtime/protocols/contract.ts';
import { DNS_TCP_PARSER, DNS_UDP_PARSER } from '../../../../runtime/protocols/dns/parser.ts';
import { corpus, corpusEntries, readTruth, type Truth } from '../../../support/corpus.ts';
import {
  connectionKey,
  framesOf,
  type Piece,
  segmentOf,
  tcpStreams,
  udpStreams,
} from '../../../support/tcp-streams.ts';

interface Record {
  readonly type: number;
  readonly data?: string;
}
interface Message {
  readonly conn: number | null;
  readonly from: 'orig' | 'resp';
  readonly frame: number;
  readonly id: number;
  readonly response: boolean;
  readonly rcode: number | null;
  readonly queries: readonly { readonly name: string; readonly type: number }[];
  readonly answers: readonly Record[];
  readonly authority: readonly Record[];
  readonly additional: readonly Record[];
  readonly counts: readonly (number | null)[];
}

/** A transaction in a form that both sides can be brought to. */
interface Summary {
  readonly id: number;
  readonly name: string | null;
  readonly type: number | null;
  readonly rcode: number | null;
  readonly answers: readonly string[] | undefined;
  readonly nameservers: readonly string[] | undefined;
  readonly additionals: readonly string[] | undefined;
}

/** Types whose data the truth tells. */
const TOLD = [1, 2, 5, 12, 28];
const OPT = 41;
const SOA = 6;

/** The data of a section; undefined where the truth left records out (SRV, and what an UPDATE asks for). */
function texts(records: readonly Record[] = [], count: number | null = 0): string[] | undefined {
  if (records.length !== count) return undefined;
  return records
    .filter((record) => record.type !== OPT)
    .map((record) => {
      if (record.type === SOA) return `SOA ${record.data}`;
      return TOLD.includes(record.type) ? (record.data ?? '').replace('<Root>', '.') : '…';
    });
}

/** Queries of one connection with their answers, naively. */
function transactionsOf(messages: readonly Message[]): Summary[] {
  const waiting: Message[] = [];
  const done: Summary[] = [];
  const tell = (query: Message | undefined, response: Message | undefined) => {
    const question = (query ?? response)?.queries[0];
    done.push({
      id: (query ?? response)?.id ?? -1,
      name: question?.name.replace('<Root>', '.') ?? null,
      type: question?.type ?? null,
      rcode: response?.rcode ?? null,
      answers: texts(response?.answers, response?.counts[1]),
      nameservers: texts(response?.authority, response?.counts[2]),
      additionals: texts(response?.additional, response?.counts[3]),
    });
  };
  for (const message of messages) {
    if (!message.response) {
      waiting.push(message);
      continue;
    }
    const [question] = message.queries;
    const i = waiting.findIndex(
      (query) =>
        query.id === message.id &&
        query.from !== message.from &&
        (question === undefined || query.queries[0].name === question.name),
    );
    tell(i < 0 ? undefined : waiting.splice(i, 1)[0], message);
  }
  for (const query of waiting) tell(query, undefined);
  return done;
}

/** What our parser makes of a connection, or undefined where it says that it is no DNS. */
function parsedOf(factory: ParserFactory, pieces: readonly Piece[]): Summary[] | undefined {
  const parser = factory.create();
  const [first] = pieces;
  if (parser.probe(first.fromOrig, first.bytes, 0, first.bytes.length) !== Probe.YES) return undefined;
  const sessions: Summary[] = [];
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

/** Ours with what the truth does not tell blanked out. */
function masked(ours: Summary, theirs: Summary): Summary {
  const mask = (list: readonly string[] | undefined, model: readonly string[] | undefined) =>
    model &&
    list?.map((text, i) => {
      if (model[i] === '…') return '…';
      return model[i]?.startsWith('SOA ') ? `SOA ${text.split(' ')[0]}` : text;
    });
  return {
    ...ours,
    answers: mask(ours.answers, theirs.answers),
    nameservers: mask(ours.nameservers, theirs.nameservers),
    additionals: mask(ours.additionals, theirs.additionals),
  };
}

const test = suite('dns over the corpus');
const folder = corpus();

if (folder === undefined) test.skip('needs the corpus', () => {});
else {
  test('agrees with the truth files', () => {
    let compared = 0;
    const wrong: string[] = [];
    for (const entry of corpusEntries(folder)) {
      const truth = readTruth(entry) as Truth & { readonly dns: readonly Message[] };
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
        const theirs = transactionsOf(messages);
        const ours = parsedOf(factory, stream.pieces);
        compared++;
        if (ours === undefined || ours.length !== theirs.length) {
          wrong.push(`${place}: ${ours?.length ?? 'no'} transactions but truth has ${theirs.length}`);
          continue;
        }
        theirs.forEach((their, i) => {
          const [a, b] = [JSON.stringify(masked(ours[i], their)), JSON.stringify(their)];
          if (a !== b) wrong.push(`${place}:\n  ours  ${a}\n  truth ${b}`);
        });
      }
    }
    assert.is(wrong.join('\n'), '');
    assert.ok(compared > 200, `only ${compared} compared`);
  });
}

test.run();
