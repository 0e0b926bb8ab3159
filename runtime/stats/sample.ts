/** One look at a running program: every core and port at one moment, and what came of it since an earlier look. */
import type { PortStats } from '../source/dpdk.ts';
import { Counter, type Counters } from './counters.ts';
import { Live } from './live.ts';

export interface CoreSample {
  readonly core: number;
  /** Taken from its queues. */
  readonly packets: number;
  /** On the wire. */
  readonly bytes: number;
  /** Dropped by the packet filter: nobody asked for them. */
  readonly filtered: number;
  /** Packets of tracked connections. */
  readonly processed: number;
  readonly opened: number;
  /** Connections tracked now. */
  readonly connections: number;
  readonly ended: number;
  readonly sessions: number;
  /** Lines or calls, by subscription. */
  readonly delivered: readonly (readonly [subscription: string, count: number])[];
  readonly userErrors: number;
  /** Packets and connections that were given up, by what was too small. */
  readonly refused: number;
  readonly evicted: number;
  readonly oversize: number;
  /** Dropped on purpose by flow sampling. */
  readonly sampledOut: number;
  /** Lines of the output that were dropped: its reader was too slow. */
  readonly linesDropped: number;
  /** Packet buffers: how many there are, and how many of them hold a packet now. */
  readonly mempool: { readonly capacity: number; readonly inUse: number };
  /** A copy of all counters, by {@link Counter}. */
  readonly counters: Counters;
}

export interface PortSample {
  readonly name: string;
  readonly driver: string;
  readonly stats: PortStats;
  /** Dropped by the hardware filter because nobody asked for them; undefined where the device does not count. */
  readonly hardwareFiltered: number | undefined;
  /** The device's own counters; only what was asked for. */
  readonly xstats: Readonly<Record<string, number>>;
}

export interface Sample {
  /** Since packets flow. */
  readonly seconds: number;
  readonly cores: readonly CoreSample[];
  readonly ports: readonly PortSample[];
  /** Deliveries to handlers on other threads, by subscription; absent or empty where there are none. */
  readonly dispatch?: ReadonlyMap<string, DispatchSample>;
}

/** Handed over, or dropped for want of room, and handled, so far. */
export interface DispatchSample {
  readonly dispatched: number;
  readonly done: number;
  readonly dropped: number;
}

/** What a worker shares, with what the main thread knows of it. */
export interface CoreState {
  readonly core: number;
  readonly counters: Counters;
  readonly live: Float64Array;
  readonly subscriptions: readonly string[];
  readonly mempool: CoreSample['mempool'];
}

/** Reads a worker's shared memory. */
export function sampleCore({ core, counters: shared, live, subscriptions, mempool }: CoreState): CoreSample {
  const counters = shared.slice();
  const at = (counter: Counter) => counters[counter] ?? 0;
  const ended =
    at(Counter.ENDED_FIN) +
    at(Counter.ENDED_RST) +
    at(Counter.ENDED_ESTABLISH_TIMEOUT) +
    at(Counter.ENDED_INACTIVITY_TIMEOUT) +
    at(Counter.ENDED_DRAIN) +
    at(Counter.ENDED_REUSED) +
    at(Counter.CONNS_EVICTED);
  const unwanted = at(Counter.CONNS_UNWANTED) + at(Counter.CONNS_DROPPED);
  return {
    core,
    packets: live[Live.PACKETS] ?? 0,
    bytes: live[Live.BYTES] ?? 0,
    filtered: at(Counter.FILTERED_OUT),
    processed: at(Counter.TRACKED_PACKETS),
    opened: at(Counter.CONNS_OPENED),
    connections: Math.max(0, at(Counter.CONNS_OPENED) - ended - unwanted),
    ended,
    sessions: at(Counter.L7_SESSIONS),
    delivered: subscriptions.map((name, i) => [name, live[Live.COUNT + i] ?? 0] as const),
    userErrors: live[Live.USER_ERRORS] ?? 0,
    refused: at(Counter.CONNS_REFUSED),
    evicted: at(Counter.CONNS_EVICTED),
    oversize: live[Live.OVERSIZE] ?? 0,
    sampledOut: live[Live.SAMPLED_OUT] ?? 0,
    linesDropped: live[Live.LINES_DROPPED] ?? 0,
    mempool,
    counters,
  };
}

/** What the device, its driver or its packet socket lost before a core could take it. */
export function lostByPort({ imissed, ierrors, rxNombuf, socketDrops }: PortStats): number {
  return imissed + ierrors + rxNombuf + socketDrops;
}

/** Everything added up. */
export interface Totals {
  readonly packets: number;
  readonly bytes: number;
  readonly filtered: number;
  readonly processed: number;
  readonly connections: number;
  readonly opened: number;
  readonly ended: number;
  readonly sessions: number;
  readonly delivered: number;
  readonly userErrors: number;
  /** Dropped by ports on purpose (hardware filter) and for want of room, then by cores. */
  readonly hardwareFiltered: number;
  readonly lostInPorts: number;
  readonly lostInCores: number;
  readonly sampledOut: number;
  readonly linesDropped: number;
}

export function totalsOf({ cores, ports }: Sample): Totals {
  const sum = (of: (core: CoreSample) => number) => cores.reduce((all, core) => all + of(core), 0);
  return {
    packets: sum((c) => c.packets),
    bytes: sum((c) => c.bytes),
    filtered: sum((c) => c.filtered),
    processed: sum((c) => c.processed),
    connections: sum((c) => c.connections),
    opened: sum((c) => c.opened),
    ended: sum((c) => c.ended),
    sessions: sum((c) => c.sessions),
    delivered: sum((c) => c.delivered.reduce((all, [, count]) => all + count, 0)),
    userErrors: sum((c) => c.userErrors),
    hardwareFiltered: ports.reduce((all, port) => all + (port.hardwareFiltered ?? 0), 0),
    lostInPorts: ports.reduce((all, { stats }) => all + lostByPort(stats), 0),
    lostInCores: sum((c) => c.oversize),
    sampledOut: sum((c) => c.sampledOut),
    linesDropped: sum((c) => c.linesDropped),
  };
}

/** Packets and bits a second between two amounts; the second amount is the later one. */
export function rates(
  before: { readonly packets: number; readonly bytes: number },
  after: { readonly packets: number; readonly bytes: number },
  seconds: number,
): { readonly pps: number; readonly bps: number } {
  const span = Math.max(seconds, 1e-3);
  return {
    pps: Math.max(0, after.packets - before.packets) / span,
    bps: (Math.max(0, after.bytes - before.bytes) * 8) / span,
  };
}
