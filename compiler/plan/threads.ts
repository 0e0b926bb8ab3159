/**
 * Threads: what can still become of a connection after its first packet. A thread is a delivery with the literals that are
 * not decided yet; each has one bit in the connection's record. When the application protocol or a session becomes known a
 * thread dies, stays, or goes on as a thread with fewer literals.
 */

import type { ProtocolDef } from '../../runtime/protocols/field.ts';
import type { Level } from '../analysis/info.ts';
import { applicationOf, type Literal, type Pattern, patternKey } from './atom.ts';
import { type Delivery, isStreaming } from './deliveries.ts';

export interface Thread {
  /** Bit number: word `id >> 5` of the live bits, bit `id & 31`. */
  readonly id: number;
  readonly subscription: number;
  readonly level: Level;
  /** Not yet decided, all of them tests of the application protocol, a session or the packet at hand. */
  readonly rest: Pattern;
  /** The application protocol, or its sessions, can still matter: parse. */
  readonly waits: boolean;
  /** A session was seen that did not satisfy the rest; "without a session" is out of the question. */
  readonly disappointed: boolean;
}

/** What becomes of a thread: delivered now or not, and its successor if it lives on. */
export interface Step {
  readonly thread: Thread;
  /** The subscription is delivered at this step. */
  readonly delivers: boolean;
  /** Absent: the thread ends. The thread itself: nothing changes. */
  readonly next: Thread | undefined;
}

/** The first step of a delivery's pattern: decided by the first packet, and what is left after it. */
export interface Start {
  readonly early: Pattern;
  /** Undefined: delivered at the first packet itself. */
  readonly thread: Thread | undefined;
  readonly subscription: number;
}

/** Whether sessions of one connection come one after the other (HTTP, DNS) or once (TLS). */
export const hasManySessions = (protocol: ProtocolDef): boolean => protocol.sessions !== 'one';

const isLate = (literal: Literal): boolean => literal.atom.when === 'protocol' || literal.atom.when === 'session';

/** The table of all threads of a plan; threads are made once per distinct meaning. */
export class ThreadTable {
  readonly #threads = new Map<string, Thread>();

  get all(): readonly Thread[] {
    return [...this.#threads.values()];
  }

  #intern(subscription: number, level: Level, rest: Pattern, waits: boolean, disappointed: boolean): Thread {
    const key = `${subscription} ${level} ${waits} ${disappointed} ${patternKey(rest)}`;
    const known = this.#threads.get(key);
    if (known !== undefined) return known;
    const thread: Thread = { id: this.#threads.size, subscription, level, rest, waits, disappointed };
    this.#threads.set(key, thread);
    return thread;
  }

  /** Splits a pattern into what the first packet decides and the thread that starts where it holds. */
  start(delivery: Delivery, pattern: Pattern): Start {
    const { subscription, level } = delivery;
    const decided = (l: Literal): boolean =>
      l.atom.when === 'connection' ||
      l.atom.when === 'first' ||
      (l.atom.when === 'packet' && level === 'L4FirstPacket');
    const early = pattern.filter(decided);
    if (level === 'L4FirstPacket') return { early, thread: undefined, subscription };
    const rest = pattern.filter((l) => !decided(l));
    const waits = level === 'L7OnDisc' || level === 'L7EndHdrs' || rest.some(isLate);
    return { early, thread: this.#intern(subscription, level, rest, waits, false), subscription };
  }

  /** The application protocol is known: `protocol`, or undefined for none of those that were probed. */
  atDiscovery(thread: Thread, protocol: ProtocolDef | undefined): Step {
    if (!thread.waits) return { thread, delivers: false, next: thread };
    const left: Literal[] = [];
    for (const literal of thread.rest) {
      const verdict = verdictAtDiscovery(literal, protocol);
      if (verdict === false) return { thread, delivers: false, next: undefined };
      if (verdict === undefined) left.push(literal);
    }
    if (thread.level === 'L7OnDisc') return { thread, delivers: true, next: undefined };
    const sessions = protocol !== undefined && (thread.level === 'L7EndHdrs' || left.some(isLate));
    if (sessions) return { thread, delivers: false, next: thread };
    if (thread.level === 'L7EndHdrs') return { thread, delivers: false, next: undefined };
    return { thread, delivers: false, next: this.#decided(thread) };
  }

  /** A session satisfied the rest of the thread. */
  atMatch(thread: Thread, protocol: ProtocolDef): Step {
    if (thread.level !== 'L7EndHdrs') return { thread, delivers: false, next: this.#decided(thread) };
    return { thread, delivers: true, next: hasManySessions(protocol) ? thread : undefined };
  }

  /** A session did not satisfy the rest of the thread. */
  atMismatch(thread: Thread, protocol: ProtocolDef): Step {
    if (!hasManySessions(protocol)) return { thread, delivers: false, next: undefined };
    const { subscription, level, rest, disappointed } = thread;
    if (disappointed || level !== 'L4Terminated' || !couldHoldUnseen(rest))
      return { thread, delivers: false, next: thread };
    return { thread, delivers: false, next: this.#intern(subscription, level, rest, true, true) };
  }

  /** Whether a thread can still be waiting when a session of `protocol` is parsed. */
  concerns(thread: Thread, protocol: ProtocolDef): boolean {
    return thread.waits && this.atDiscovery(thread, protocol).next === thread;
  }

  #decided(thread: Thread): Thread {
    const rest = thread.rest.filter((l) => !isLate(l));
    return this.#intern(thread.subscription, thread.level, rest, false, false);
  }

  /** All threads that can come up, and how: a worklist over the steps until nothing new appears. */
  close(protocols: readonly ProtocolDef[]): readonly Thread[] {
    let size = -1;
    while (size !== this.#threads.size) {
      size = this.#threads.size;
      for (const thread of this.all) {
        for (const protocol of [undefined, ...protocols]) this.atDiscovery(thread, protocol);
        if (!thread.waits) continue;
        for (const protocol of protocols.filter((p) => this.concerns(thread, p))) {
          this.atMatch(thread, protocol);
          this.atMismatch(thread, protocol);
        }
      }
    }
    return this.all;
  }
}

function verdictAtDiscovery(literal: Literal, protocol: ProtocolDef | undefined): boolean | undefined {
  const own = applicationOf(literal);
  if (own === undefined || !isLate(literal)) return undefined;
  if (literal.atom.when === 'protocol') return (own.name === protocol?.name) === literal.positive;
  return own.name === protocol?.name ? undefined : !literal.positive;
}

/** Whether the protocol literals of a pattern hold when the application protocol is this one. */
export function holdsUnder(rest: Pattern, protocol: ProtocolDef | undefined): boolean {
  return rest.every((literal) => verdictAtDiscovery(literal, protocol) !== false);
}

/** Whether a pattern can hold for a connection that never had a session: no test of one has to be true. */
export function couldHoldUnseen(rest: Pattern): boolean {
  return rest.every((literal) => literal.atom.when !== 'session' || !literal.positive);
}

/**
 * Threads of L7OnDisc that hold where no protocol was recognised: a connection that ends before that was looked into is
 * one of those.
 */
export function endsUnknown(thread: Thread): boolean {
  return thread.level === 'L7OnDisc' && thread.waits && holdsUnder(thread.rest, undefined);
}

/** Threads that are decided and deliver as packets arrive. */
export function streams(thread: Thread, level: Level): boolean {
  return isStreaming(level) && thread.level === level && !thread.waits;
}
