/**
 * The contract between a generated module and the runtime.
 *
 * A generated module exports `plan` (data) and `create(core, handlers)`, called once per worker. Its closures capture
 * the core's typed arrays as `const`. The tracker knows connections by `c`, the first word of their record, and packets
 * by `p`, the first word of their row; see runtime/packet/layout.ts and runtime/conntrack/layout.ts.
 */

import type { L4Pdu } from '../conntrack/l4-pdu.ts';
import type { EndReason, RecColumns } from '../conntrack/layout.ts';
import type { FiveTuple } from '../datatypes/five-tuple.ts';
import type { PktColumns } from '../packet/columns.ts';
import type { PacketMemory } from '../packet/layout.ts';
import type { Session } from '../protocols/contract.ts';

/** Bits of {@link Action}: what the tracker does for the connection's next packets. 0 drops the connection. */
export type Actions = number;

/** What one worker offers to its generated module: memory, the current burst, the connection records, delivery. */
export interface Core {
  /** Number of this worker, 0..cores-1. */
  readonly id: number;
  readonly memory: PacketMemory;
  /** Packet rows of the current burst. */
  readonly pkt: Int32Array;
  readonly pktF: Float64Array;
  /** Connection records; `plan.recordWords` words each. */
  readonly rec: Int32Array;
  readonly recF: Float64Array;
  /** The columns of `pkt`: what hot code reads rows through (packet/columns.ts). */
  readonly row: PktColumns;
  /** The tracker's columns of `rec`. */
  readonly record: RecColumns;
  /**
   * Memory beside the records, as long as they: record `c` has the words from `c` on. They are 0 when a connection opens;
   * who writes one sets `ConnMeta.RARE`, and `Trackable.clear` makes it 0 again. What no connection writes takes no memory.
   */
  readonly rare: Int32Array;
  /** Word `word` of every record: element `c`. */
  column(word: number): Int32Array;
  /** The float64 at the even word `word` of every record: element `c >> 1`. */
  columnF(word: number): Float64Array;
  /** The same of `rare`. */
  rareColumn(word: number): Int32Array;
  rareColumnF(word: number): Float64Array;
  /** Time of what is being delivered now: [whole seconds (unsigned), nanoseconds]. */
  readonly clock: Int32Array;
  /** Most connections at a time; connection numbers are 1..maxConnections, record 0 is never used. */
  readonly maxConnections: number;
  /** The flyweight of the packet being delivered; point it with `pdu.at(p)`. */
  readonly pdu: L4Pdu;
  /** The flyweight of a connection's ends; point it with `fiveTuple.at(c)`. */
  readonly fiveTuple: FiveTuple;
  /** Cold table of IPv6 addresses: 8 words a connection, originator then responder, at `(c / recordWords) * 8`. */
  readonly addr6: Int32Array;
  /** Delivers one record to the run's output: one line, `values` keyed by parameter in order. Copies at once. */
  emit(subscription: string, values: Readonly<Record<string, unknown>>): void;
  /**
   * The function or class that the filter file names as subscription `name`: `own`, or what stands for it on this core
   * where it runs on another thread. `streaming`: a call that returns false ends its deliveries of the connection; of a
   * class every method's call does.
   */
  callback<T>(name: string, own: T, streaming?: boolean): T;
  /** Reports an exception of user code; throws on under `--strict`. */
  userError(subscription: string, c: number, error: unknown): void;
}

/** What a generated module's `plan` says of itself. Plain data: it is printed by `iris explain` and checked on load. */
export interface Plan {
  readonly abi: number;
  readonly compiler: string;
  /** First hex digits of the hash of everything that decided the module. */
  readonly hash: string;
  /** Name of the filter file it came from. */
  readonly source: string;
  /** Words of a connection's record: a multiple of 16. */
  readonly recordWords: number;
  /** Parsers to probe, by catalog name. */
  readonly parsers: readonly string[];
  /** Names of the subscriptions in order of declaration. */
  readonly subscriptions: readonly string[];
  /**
   * What the port may drop in hardware: all but these, the union of the packet-level parts and a superset of the packet
   * filter. Empty: nothing may be dropped.
   */
  readonly flowRules: readonly FlowRule[];
}

/** One pattern of a flow rule, from the outside in; a packet is let in if it matches any rule. */
export interface FlowRule {
  readonly items: readonly FlowItem[];
}
export interface FlowItem {
  readonly layer: 'ethernet' | 'ipv4' | 'ipv6' | 'tcp' | 'udp';
  /** Fields as catalog names with a value and a mask or a range; empty means the layer's mere presence. */
  readonly fields: readonly {
    readonly field: string;
    readonly value: string;
    readonly mask?: string;
    readonly last?: string;
  }[];
}

/** Per-connection columns and pools of one plan. */
export interface Trackable {
  /** Sets the plan's columns of a connection that just opened with packet `p`. */
  open(c: number, p: number): void;
  /** Lets go of what the plan keeps for a connection that ends. */
  clear(c: number): void;
}

/**
 * What `create` returns. A state transition that the plan does not need is absent and costs nothing. Decision functions
 * return the actions that are in force from now on. They never throw: user code is called through guards that report to
 * `core.userError`.
 */
export interface Subscription {
  readonly plan: Plan;
  readonly tracked: Trackable;
  /** TCP and UDP packets only: may this packet belong to a wanted connection? Alike for both directions. */
  packetFilter(p: number): boolean;
  /** The first packet of a connection; `tracked.open` has run. 0 means nobody wants it. */
  onL4FirstPacket(c: number, p: number): Actions;
  /** Streaming and tracked data: every packet of the connection, the first included, while UPDATE is in force. */
  readonly update?: (c: number, p: number) => Actions;
  readonly onL4EndHshk?: (c: number, p: number) => Actions;
  /** Every new piece of payload in sequence order while STREAM is in force; row `p` tells PAYLOAD, PAYLEN, SEQ, GAP. */
  readonly onL4Stream?: (c: number, p: number) => Actions;
  /** The protocol is known: its catalog number ({@link Session.proto}), or 0 when it is none of `plan.parsers`. */
  readonly onL7OnDisc?: (c: number, proto: number) => Actions;
  /** One session is parsed. */
  readonly onL7EndHdrs?: (c: number, session: Session) => Actions;
  /** The connection ends; sessions still open were delivered before. Only while TRACK is in force. */
  readonly onL4Terminated?: (c: number, reason: EndReason) => void;
  /** A packet of a connection that was dropped or has ended. Only modules that explain their run have it. */
  readonly onLate?: (c: number, p: number) => void;
  /** Frames delivered to subscriptions at `Packet`: every frame read, connection or not. */
  readonly onPacket?: (p: number) => void;
}

/** The exports of a generated module. */
export interface SubscriptionModule<Handlers = object> {
  readonly plan: Plan;
  create(core: Core, handlers: Handlers): Subscription;
}
