/** What each parser costs for one conversation: the bytes handed over whole, the sessions taken, then also printed. */
import { Parse, type Session, type SessionParser } from '../../runtime/protocols/contract.ts';
import { PARSERS } from '../../runtime/protocols/registry.ts';
import { SAMPLES } from '../fuzz/samples.ts';
import type { Flight } from '../support/session-parser.ts';

export interface ParserCost {
  /** Name and transports. */
  readonly parser: string;
  /** Of the conversation. */
  readonly bytes: number;
  readonly sessions: number;
  /** Nanoseconds of CPU per session: probed and parsed, and with all its fields read for JSON. Least of all rounds. */
  readonly parse: number;
  readonly print: number;
}

const ROUNDS = 5;
const ROUND_NS = 1e8;

/** Nanoseconds of CPU of this process. */
function cpuNs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) * 1000;
}

/** Hands a conversation to a parser like new; `take` gets the sessions. */
function converse(parser: SessionParser, flights: readonly Flight[], take: (session: Session) => void): void {
  parser.reset();
  const [first] = flights;
  if (first?.bytes !== undefined) parser.probe(first.fromOrig, first.bytes, 0, first.bytes.length);
  let said: Parse = Parse.MORE;
  for (const { fromOrig, bytes } of flights) {
    if (bytes === undefined || said >= Parse.STOP) continue;
    said = parser.parse(fromOrig, bytes, 0, bytes.length);
    if (said !== Parse.MORE) for (let s = parser.take(); s !== null; s = parser.take()) take(s);
  }
  parser.end();
  for (let s = parser.take(); s !== null; s = parser.take()) take(s);
}

/** Least nanoseconds of a call of `work`, of rounds long enough to be told from none. */
function least(work: () => void): number {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round <= ROUNDS; round++) {
    const start = cpuNs();
    let calls = 0;
    let spent = 0;
    while (spent < ROUND_NS) {
      for (let i = 0; i < 64; i++) work();
      calls += 64;
      spent = cpuNs() - start;
    }
    // The first round warms up.
    if (round > 0) best = Math.min(best, spent / calls);
  }
  return best;
}

/** Measures every parser on the first of its sample conversations. */
export function parserCosts(): ParserCost[] {
  return PARSERS.map((factory) => {
    const name = `${factory.name} ${factory.over.join(' ')}`;
    const flights = SAMPLES[name]?.[0] ?? [];
    const parser = factory.create();
    let sessions = 0;
    converse(parser, flights, () => sessions++);
    let length = 0;
    const parse = least(() => converse(parser, flights, () => {}));
    const print = least(() =>
      converse(parser, flights, (session) => {
        length += JSON.stringify(session).length;
      }),
    );
    if (length === 0) throw new RangeError(`${name}: the sample has no session`);
    const bytes = flights.reduce((sum, flight) => sum + (flight.bytes?.length ?? 0), 0);
    return { parser: name, bytes, sessions, parse: parse / sessions, print: print / sessions };
  });
}

/** A line per parser. */
export function parserTable(costs: readonly ParserCost[]): string {
  const rows = [
    ['parser', 'bytes', 'sessions', 'ns/session', 'with JSON'],
    ...costs.map((c) => [c.parser, `${c.bytes}`, `${c.sessions}`, c.parse.toFixed(0), c.print.toFixed(0)]),
  ];
  return rows
    .map(([name = '', ...numbers]) => name.padEnd(12) + numbers.map((n) => n.padStart(12)).join(''))
    .join('\n');
}
