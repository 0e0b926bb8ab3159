/**
 * Fuzzes one parser: conversations that are nearly right, from a seed. It must not throw, must not do much for few bytes, must
 * be like new after a reset, and over TCP must say the same however the streams are cut: its sessions, or where a preamble ends.
 */
import { isDeepStrictEqual } from 'node:util';
import { type ParserFactory, ProtocolNumber } from '../../runtime/protocols/contract.ts';
import { PARSERS, PREAMBLES } from '../../runtime/protocols/registry.ts';
import { type Flight, sessionsOf, switchOf } from '../support/session-parser.ts';
import { SAMPLES } from './samples.ts';

const FACTORIES = [...PARSERS, ...PREAMBLES];

/** Names of the parsers, preambles among them, and their transports: `tls tcp`. */
export const TARGETS: readonly string[] = FACTORIES.map(nameOf);

function nameOf(factory: ParserFactory): string {
  return `${factory.name} ${factory.over.join(' ')}`;
}

/** Small whole numbers from a seed (xorshift32). */
function createRandom(seed: number): (below: number) => number {
  let state = seed | 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}
type Random = ReturnType<typeof createRandom>;

const EDGES = [0, 1, 2, 0x16, 0x7f, 0x80, 0xc0, 0xfe, 0xff, 10, 13, 32];

function mutated(bytes: Uint8Array, random: Random): Uint8Array {
  const at = random(bytes.length + 1);
  const length = 1 + random(1 << random(8));
  const copy = bytes.slice();
  switch (random(7)) {
    case 0:
      for (let i = 0; i < 1 + random(4); i++) copy[random(copy.length)] = random(256);
      return copy;
    case 1:
      copy[at % Math.max(1, copy.length)] = EDGES[random(EDGES.length)] ?? 0;
      return copy;
    case 2:
      copy[at % Math.max(1, copy.length)] ^= 1 << random(8);
      return copy;
    case 3:
      return Uint8Array.from([...bytes.subarray(0, at), ...bytes.subarray(at + length)]);
    case 4:
      return Uint8Array.from([...bytes.subarray(0, at), ...bytes.subarray(at, at + length), ...bytes.subarray(at)]);
    case 5:
      return Uint8Array.from([
        ...bytes.subarray(0, at),
        ...Array.from({ length }, () => random(256)),
        ...bytes.subarray(at),
      ]);
    default:
      return bytes.subarray(0, at);
  }
}

/** One conversation: a sample, spoilt. */
function conversation(samples: readonly (readonly Flight[])[], random: Random, holes: boolean): Flight[] {
  const sample = samples[random(samples.length)] ?? [];
  const flights = sample.map((flight) => ({ ...flight }));
  for (let n = random(6); n > 0; n--) {
    const i = random(flights.length);
    const flight = flights[i];
    if (flight === undefined) continue;
    switch (random(10)) {
      case 0: {
        const other = samples[random(samples.length)] ?? [];
        const borrowed = other[random(other.length)];
        if (borrowed !== undefined) flights.splice(i, 0, { ...borrowed });
        break;
      }
      case 1:
        if (flights.length > 1) flights.splice(i, 1);
        break;
      case 2:
        flights[i] = { ...flight, fromOrig: !flight.fromOrig };
        break;
      case 3:
        if (holes) flights[i] = { ...flight, missed: 1 + random(1 << random(16)) };
        break;
      default:
        flights[i] = { ...flight, bytes: mutated(flight.bytes ?? new Uint8Array(), random) };
    }
  }
  return flights;
}

/** Milliseconds of CPU of this process: a paused or crowded run is not slow. */
export function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

export interface FuzzResult {
  readonly runs: number;
  readonly sessions: number;
  /** What went wrong first, with all that is needed to see it again. */
  readonly fault: string | undefined;
  /** Most CPU time that one conversation took, collection of garbage included, in milliseconds. */
  readonly slowest: number;
}

function shown(flights: readonly Flight[]): string {
  return flights
    .map(
      ({ fromOrig, missed, bytes }) =>
        `${fromOrig ? 'orig' : 'resp'} ${missed ?? 0} ${Buffer.from(bytes ?? []).toString('hex')}`,
    )
    .join('\n');
}

/** Fuzzes until `enough` says so; it gets the number of runs. */
export function fuzz(target: string, seed: number, enough: (runs: number) => boolean): FuzzResult {
  const factory = FACTORIES.find((each) => nameOf(each) === target);
  const samples = SAMPLES[target];
  if (factory === undefined || samples === undefined) throw new RangeError(`no fuzz target '${target}'`);
  const random = createRandom(seed);
  const used = factory.create();
  // Of a preamble it matters where it ends.
  const outcome = factory.proto === ProtocolNumber.NONE ? switchOf : sessionsOf;
  const overTcp = factory.over.includes('tcp');
  let runs = 0;
  let sessions = 0;
  let slowest = 0;
  while (!enough(runs)) {
    const holes = random(3) === 0;
    const flights = conversation(samples, random, holes);
    const cuts = Array.from({ length: 1 + random(6) }, () => 1 + random(1 << random(10)));
    let n = 0;
    const cut = (left: number) => Math.min(left, cuts[n++ % cuts.length] ?? left);
    const start = cpuMs();
    let fault: string | undefined;
    try {
      for (const { fromOrig, bytes = new Uint8Array() } of flights)
        factory.create().probe(fromOrig, bytes, 0, bytes.length);
      const whole = outcome(factory.create(), flights);
      used.reset();
      const again = outcome(used, flights, overTcp && !holes ? cut : undefined);
      sessions += whole.length;
      if (!isDeepStrictEqual(again, whole)) {
        fault = `other sessions ${overTcp && !holes ? `when cut by ${cuts}` : 'after a reset'}:\n${JSON.stringify(whole)}\n${JSON.stringify(again)}`;
      }
    } catch (error) {
      fault = error instanceof Error ? (error.stack ?? error.message) : String(error);
    }
    slowest = Math.max(slowest, cpuMs() - start);
    runs++;
    if (fault !== undefined) {
      return { runs, sessions, slowest, fault: `${target}, seed ${seed}, run ${runs}: ${fault}\n${shown(flights)}` };
    }
  }
  return { runs, sessions, slowest, fault: undefined };
}
