/** The engine without files: frames go in, and a hand-written subscription writes down all that it is told. */
import { type ConnTrackConfig, conntrackConfig } from '../../runtime/conntrack/config.ts';
import type { EngineCore } from '../../runtime/conntrack/engine-core.ts';
import type { L4Pdu } from '../../runtime/conntrack/l4-pdu.ts';
import { Action, END_REASON_NAMES } from '../../runtime/conntrack/layout.ts';
import { type ConnTracker, createConnTracker } from '../../runtime/conntrack/tracker.ts';
import { createCore } from '../../runtime/core.ts';
import { ConnRecord } from '../../runtime/datatypes/conn-record.ts';
import { Lifespan } from '../../runtime/datatypes/lifespan.ts';
import type { DecapConfig } from '../../runtime/packet/decap-config.ts';
import { createDecoder } from '../../runtime/packet/decode.ts';
import { createBurstFilter } from '../../runtime/packet/filter.ts';
import { createFragmentTable, fragmentSlab } from '../../runtime/packet/fragments.ts';
import { ABI_VERSION, Burst, type PacketMemory, Pkt } from '../../runtime/packet/layout.ts';
import type { ParserFactory, Session } from '../../runtime/protocols/contract.ts';
import { type CounterName, namedCounters } from '../../runtime/stats/counters.ts';
import type { Core, Plan, Subscription } from '../../runtime/subscription/contract.ts';

export const RECORD_WORDS = 32;

export const PLAN: Plan = {
  abi: ABI_VERSION,
  compiler: 'test',
  hash: 'test',
  source: 'test',
  recordWords: RECORD_WORDS,
  parsers: [],
  subscriptions: [],
  flowRules: [],
};

/** Packet memory with room for `packetBytes` of packets and a slab behind them. */
export function packetMemory(packetBytes = 1 << 20, slabBytes = 1 << 20): PacketMemory {
  const bytes = new Uint8Array(packetBytes + slabBytes);
  return { bytes, view: new DataView(bytes.buffer), slabOffset: packetBytes, slabLength: slabBytes };
}

/** What the subscription was told, in order. `at` is the core's clock in seconds. */
export interface Told {
  readonly what: 'open' | 'clear' | 'handshake' | 'stream' | 'disc' | 'session' | 'end' | 'packet';
  readonly at: number;
  /** The connection as text, `tcp 10.0.0.1:1 -> 10.0.0.2:2`; '' at `packet`. */
  readonly conn: string;
  /** `stream`: who sent, the bytes, what was lost before. */
  readonly fromOrig?: boolean;
  readonly bytes?: Uint8Array;
  readonly gap?: number;
  readonly seq?: number;
  /** `end`: why. */
  readonly reason?: string;
  /** `end`: the record that a ConnRecord fed with every packet gives. */
  readonly record?: ReturnType<ConnRecord['toJSON']>;
  readonly proto?: number;
  readonly session?: Session;
}

export interface EngineOptions {
  readonly memory?: PacketMemory;
  readonly maxConnections?: number;
  readonly config?: Partial<ConnTrackConfig>;
  readonly decap?: DecapConfig;
  /** Actions at the first packet; all by default. */
  readonly actions?: number;
  readonly parsers?: readonly ParserFactory[];
  readonly seed?: number;
  /** Records that timers look at behind each burst; all that are due by default. */
  readonly piece?: number;
  /** Replace what the recorder returns. */
  readonly sub?: (core: Core, recorder: Subscription) => Partial<Subscription>;
}

export interface Frame {
  /** Seconds. */
  readonly ts: number;
  readonly bytes: Uint8Array;
  readonly wirelen?: number;
  /** Link type; Ethernet by default. */
  readonly link?: number;
}

export interface Engine {
  readonly core: EngineCore;
  readonly tracker: ConnTracker;
  readonly told: Told[];
  /** Processes frames in bursts, and looks after the timers behind each. */
  run(frames: readonly Frame[], burst?: number): void;
  /** Ends the run at the time of the last frame, or later. */
  drain(now?: number): void;
  counters(): Record<CounterName, number>;
  /** Only what was told of one kind. */
  of(what: Told['what']): Told[];
}

const ALL = Action.UPDATE | Action.STREAM | Action.PARSE | Action.TRACK | Action.HANDSHAKE;

/** The subscription that writes everything down, with a ConnRecord instance for each connection. */
function recorder(core: Core, told: Told[], actions: number, plan: Plan): Subscription {
  const { pkt, rec, clock, pdu, fiveTuple, memory } = core;
  const records = new Map<number, ConnRecord>();
  const conn = (c: number) => fiveTuple.at(c).toString();
  const now = () => (clock[0] >>> 0) + clock[1] * 1e-9;
  const current = (c: number) => rec[c + 6];
  return {
    plan,
    tracked: {
      open(c) {
        const record = new ConnRecord();
        Object.defineProperty(record, 'fiveTuple', { get: () => fiveTuple.at(c) });
        Object.defineProperty(record, 'lifespan', { get: () => new Lifespan(core).at(c) });
        records.set(c, record);
        told.push({ what: 'open', at: now(), conn: conn(c) });
      },
      clear(c) {
        records.delete(c);
        told.push({ what: 'clear', at: now(), conn: conn(c) });
      },
    },
    packetFilter: () => true,
    onL4FirstPacket: () => actions,
    update(c, p) {
      const at: L4Pdu = pdu.at(p);
      records.get(c)?.update(at);
      return current(c);
    },
    onL4EndHshk(c) {
      told.push({ what: 'handshake', at: now(), conn: conn(c) });
      return current(c) & ~Action.HANDSHAKE;
    },
    onL4Stream(c, p) {
      const start = pkt[p + Pkt.PAYLOAD];
      told.push({
        what: 'stream',
        at: now(),
        conn: conn(c),
        fromOrig: pkt[p + Pkt.DIR] === 0,
        bytes: memory.bytes.slice(start, start + pkt[p + Pkt.CAPPAY]),
        gap: pkt[p + Pkt.GAP],
        seq: pkt[p + Pkt.SEQ] >>> 0,
      });
      return current(c);
    },
    onL7OnDisc(c, proto) {
      told.push({ what: 'disc', at: now(), conn: conn(c), proto });
      return current(c);
    },
    onL7EndHdrs(c, session) {
      told.push({ what: 'session', at: now(), conn: conn(c), session });
      return current(c);
    },
    onL4Terminated(c, reason) {
      const record = records.get(c)?.toJSON();
      told.push({ what: 'end', at: now(), conn: conn(c), reason: END_REASON_NAMES[reason], record });
    },
  };
}

export function createEngine(options: EngineOptions = {}): Engine {
  const memory = options.memory ?? packetMemory();
  const config = conntrackConfig(options.config);
  const told: Told[] = [];
  const core = createCore({
    id: 0,
    memory,
    plan: PLAN,
    maxConnections: options.maxConnections ?? 1000,
    emit() {},
    userError(_subscription, _c, error) {
      throw error;
    },
  });
  const base = recorder(core, told, options.actions ?? ALL, PLAN);
  const sub = { ...base, ...options.sub?.(core, base) };
  const { pkt, pktF, counters } = core;
  const fragments = createFragmentTable(memory, pkt, pktF, counters, fragmentSlab(memory));
  const { decap, seed = 1 } = options;
  const decode = createDecoder(memory, pkt, {
    seed,
    counters,
    fragments,
    verifyChecksums: config.verify_checksums,
    ...(decap === undefined ? {} : { decap }),
  });
  const tracker = createConnTracker(core, sub, options.parsers ?? [], config);
  const filter = createBurstFilter(core, sub, tracker.rows, counters);
  let now = 0;
  /** Bytes of packet memory that the burst before took. */
  let used = 0;

  return {
    core,
    tracker,
    told,
    run(frames, burst = Burst.MAX) {
      for (let first = 0; first < frames.length; first += burst) {
        const some = frames.slice(first, first + burst);
        // Bytes of the burst before must not be looked at any more.
        memory.bytes.fill(0xee, 0, used);
        let at = 16;
        some.forEach((frame, i) => {
          const p = i << Pkt.SHIFT;
          const sec = Math.floor(frame.ts);
          memory.bytes.set(frame.bytes, at);
          pkt[p + Pkt.OFFSET] = at;
          pkt[p + Pkt.CAPLEN] = frame.bytes.length;
          pkt[p + Pkt.WIRELEN] = frame.wirelen ?? frame.bytes.length;
          pkt[p + Pkt.SEC] = sec | 0;
          pkt[p + Pkt.NSEC] = Math.round((frame.ts - sec) * 1e9);
          pkt[p + Pkt.LINK] = frame.link ?? 1;
          at += frame.bytes.length;
          now = frame.ts;
        });
        used = at;
        decode(some.length);
        let start = 0;
        for (let row = decode.several(0); row < some.length; row = decode.several(start)) {
          tracker.process(filter(row + 1, start));
          while (decode.next(row)) tracker.process(filter(row + 1, row));
          start = row + 1;
        }
        tracker.process(filter(some.length, start));
        tracker.checkInactive(now, options.piece);
      }
    },
    drain(at) {
      for (const _ of tracker.drain(at ?? now));
    },
    counters: () => namedCounters(counters),
    of: (what) => told.filter((t) => t.what === what),
  };
}

/** All bytes of one direction of one connection (all of them where `conn` is not given), in the order delivered. */
export function streamOf(told: readonly Told[], fromOrig: boolean, conn?: string): Uint8Array {
  const pieces = told.filter(
    (t) => t.what === 'stream' && t.fromOrig === fromOrig && (conn === undefined || t.conn === conn),
  );
  return Buffer.concat(pieces.map((t) => t.bytes ?? new Uint8Array()));
}
