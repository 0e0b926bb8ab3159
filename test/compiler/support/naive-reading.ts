/**
 * The naive reading of a program over a recorded connection: each condition is evaluated anew at every event. Nothing is
 * planned, so that it can be seen to be right.
 */
import type { Level } from '../../../compiler/analysis/info.ts';
import { PROTOCOLS } from '../../../compiler/catalog/catalog.ts';
import type { TypedExpr } from '../../../compiler/language/typed.ts';
import { evaluate, evaluateAtEnd, type Facts, type FieldValue } from '../../support/interpreter.ts';
import { PSH, SYN } from './arbitrary-connections.ts';
import type { Delivered, StubConnection, StubPacket } from './stub-tracker.ts';

/**
 * What users' filters have said of a connection when a level delivers at (or behind) packet `at`; by name. `session` is
 * where the session that the condition is tested with was parsed.
 */
export type Verdicts = (
  connection: StubConnection,
  level: Level,
  at: number,
  session?: number,
) => ReadonlyMap<string, boolean>;

const NO_FILTERS: Verdicts = () => new Map();

export const big = (words: readonly number[]): bigint =>
  words.reduce((all, word) => (all << 32n) | BigInt(word >>> 0), 0n);

/** Facts that hold from the first packet on. */
function connectionFacts({ ends: e }: StubConnection): {
  protocols: Map<string, boolean>;
  fields: Map<string, FieldValue>;
} {
  const protocols = new Map<string, boolean>([
    ['ethernet', true],
    ['ipv4', !e.v6],
    ['ipv6', e.v6],
    ['tcp', e.proto === 6],
    ['udp', e.proto === 17],
  ]);
  // What runs over TCP only is out of the question over UDP.
  if (e.proto === 17) for (const name of ['tls', 'http', 'ssh']) protocols.set(name, false);
  const ip = e.v6 ? 'ipv6' : 'ipv4';
  const l4 = e.proto === 6 ? 'tcp' : 'udp';
  const fields = new Map<string, FieldValue>([
    [`${ip}.src_addr`, big(e.orig)],
    [`${ip}.dst_addr`, big(e.resp)],
    [`${l4}.src_port`, BigInt(e.origPort)],
    [`${l4}.dst_port`, BigInt(e.respPort)],
  ]);
  return { protocols, fields };
}

interface Moment {
  /** Of users' filters, what those have said that have spoken. */
  readonly filters: ReadonlyMap<string, boolean>;
  readonly packet?: StubPacket | undefined;
  /** The application protocol is known. */
  readonly discovered: boolean;
  readonly session?: StubConnection['sessions'][number]['session'] | undefined;
}

function factsAt(connection: StubConnection, moment: Moment): Facts {
  const { protocols, fields } = connectionFacts(connection);
  const { packet: own, session: parsed } = moment;
  if (own !== undefined) {
    fields.set('tcp.syn', (own.flags & SYN) !== 0 ? 1n : 0n);
    fields.set('tcp.psh', (own.flags & PSH) !== 0 ? 1n : 0n);
    fields.set('ipv4.time_to_live', BigInt(own.ttl));
  }
  if (moment.discovered) {
    for (const { name, number, layer } of PROTOCOLS) {
      if (layer === 'application') protocols.set(name, connection.protocol === number);
    }
  }
  if (parsed !== undefined) {
    for (const { name, fields: defs } of PROTOCOLS) {
      for (const { name: field, access } of defs) {
        if (access.kind !== 'session') continue;
        const value: unknown = Reflect.get(parsed, access.property);
        fields.set(`${name}.${field}`, asFact(value));
      }
    }
  }
  return { protocols, fields, filters: moment.filters };
}

function asFact(value: unknown): FieldValue {
  if (typeof value === 'number') return BigInt(value);
  if (typeof value === 'string') return value;
  if (Array.isArray(value)) return value.map((v) => BigInt(v as number));
  return null;
}

export interface Expected {
  readonly must: readonly Delivered[];
  /** Allowed too: a planner may see that something holds before each of its parts is known. */
  readonly may: readonly Delivered[];
}

/** What a condition delivers at a level; `verdicts` tells what users' filters said, and when. */
export function expected(
  when: TypedExpr,
  level: Level,
  name: string,
  connection: StubConnection,
  verdicts: Verdicts = NO_FILTERS,
): Expected {
  const { packets, discoveredAt, sessions } = connection;
  const must: Delivered[] = [];
  const may: Delivered[] = [];
  const at = (point: number, session?: number): Moment['filters'] => verdicts(connection, level, point, session);
  const truth = (moment: Moment): boolean | undefined => evaluate(when, factsAt(connection, moment));
  /** At a level that comes once. */
  const once = (point: number, moment: Omit<Moment, 'filters'>): void => {
    const now = truth({ ...moment, filters: at(point, moment.session === undefined ? undefined : point) });
    if (now === true) must.push({ name, at: point });
    else if (now === undefined) may.push({ name, at: point });
  };
  const known = (at: number): boolean => discoveredAt !== undefined && discoveredAt < at;
  switch (level) {
    case 'L4FirstPacket':
      once(0, { packet: packets[0], discovered: false });
      break;
    case 'L4EndHshk':
      if (connection.handshakeAt !== undefined) once(connection.handshakeAt, { discovered: false });
      break;
    case 'InL4Conn':
    case 'InL4Stream':
      for (const [point, own] of packets.entries()) {
        const filters = at(point);
        const before = sessions.filter((s) => s.at < point);
        const moments: Moment[] = before.map((s) => ({
          packet: own,
          discovered: true,
          session: s.session,
          filters: at(point, s.at),
        }));
        if (moments.length === 0) moments.push({ packet: own, discovered: known(point), filters });
        const now = moments.map(truth);
        if (now.includes(true)) must.push({ name, at: point });
        else if (now.includes(undefined) || hasLater(connection, point)) may.push({ name, at: point });
      }
      break;
    case 'L7OnDisc':
      if (discoveredAt !== undefined) once(discoveredAt, { discovered: true });
      else {
        // Nothing was recognised. What filters have not said by then is not known.
        const moment = { discovered: true, filters: at(packets.length) };
        const now = evaluate(when, factsAt({ ...connection, protocol: 0 }, moment));
        if (now === true) must.push({ name, at: packets.length });
        else if (now === undefined) may.push({ name, at: packets.length });
      }
      break;
    case 'L7EndHdrs':
      for (const { at: point, session: parsed } of sessions) once(point, { discovered: true, session: parsed });
      break;
    case 'L4Terminated': {
      const discovered = discoveredAt !== undefined;
      const filters = at(packets.length);
      const ends: Moment[] = sessions.map((s) => ({
        discovered,
        session: s.session,
        filters: at(packets.length, s.at),
      }));
      const moments = ends.length === 0 ? [{ discovered, filters }] : ends;
      if (moments.some((moment) => evaluateAtEnd(when, factsAt(connection, moment))))
        must.push({ name, at: packets.length });
      break;
    }
    default:
      throw new RangeError(level);
  }
  return { must, may };
}

/** Sessions still come, of a protocol that has many: what the earlier ones said is not the last word. */
function hasLater(connection: StubConnection, at: number): boolean {
  return connection.sessions.every((s) => s.at >= at);
}
