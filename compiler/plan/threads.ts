/**
 * Threads: what can still become of a connection after its first packet. A thread is a delivery with the literals that are
 * not decided yet; each has one bit in the connection's record. When the application protocol or a session becomes known a
 * thread dies, stays, or goes on as a thread with fewer literals.
 */

import type { ProtocolDef } from '../../runtime/protocols/field.ts';
import type { Level } from '../analysis/info.ts';
import { type Atom, applicationOf, type Literal, type Pattern, patternKey, pendingFilter } from './atom.ts';
import { type Delivery, isStreaming } from './deliveries.ts';
import { asksSessions, canDecideUnder, wantsParsing } from './filters.ts';

export interface Thread {
  /** Bit number: word `id >> 5` of the live bits, bit `id & 31`. */
  readonly id: number;
  readonly subscription: number;
  readonly level: Level;
  /** Which of its patterns holds if it does; undefined where nobody asks. */
  readonly pattern: number | undefined;
  /** Not yet decided, all of them tests of the application protocol, a session, the packet at hand, a filter's verdict. */
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
  /** As in {@link Thread}. */
  readonly pattern: number | undefined;
}

/** Whether sessions of one connection come one after the other (HTTP, DNS) or once (TLS). */
export const hasManySessions = (protocol: ProtocolDef): boolean => protocol.sessions !== 'one';

const isLate = (literal: Literal): boolean => literal.atom.when === 'protocol' || literal.atom.when === 'session';

/** Whether a filter has not yet said what a pattern waits for. */
export const isPending = (rest: Pattern): boolean => rest.some((literal) => pendingFilter(literal) !== undefined);

/** Whether what is left of a pattern, or its level, needs the application protocol or its sessions. */
function needsParsing(level: Level, rest: Pattern): boolean {
  if (level === 'L7OnDisc' || level === 'L7EndHdrs') return true;
  return rest.some((literal) => {
    const filter = pendingFilter(literal);
    return filter === undefined ? isLate(literal) : wantsParsing(filter);
  });
}

/** A thread apart from its number. */
type State = Omit<Thread, 'id'>;

/** The table of all threads of a plan; threads are made once per distinct meaning. */
export class ThreadTable {
  readonly #threads = new Map<string, Thread>();

  get all(): readonly Thread[] {
    return [...this.#threads.values()];
  }

  #intern(state: State): Thread {
    const { subscription, level, pattern, rest, waits, disappointed } = state;
    const key = `${subscription} ${level} ${pattern ?? ''} ${waits} ${disappointed} ${patternKey(rest)}`;
    const known = this.#threads.get(key);
    if (known !== undefined) return known;
    const thread: Thread = { id: this.#threads.size, subscription, level, pattern, rest, waits, disappointed };
    this.#threads.set(key, thread);
    return thread;
  }

  /** Splits a pattern into what the first packet decides and the thread that starts where it holds. */
  start(delivery: Delivery, literals: Pattern, pattern: number | undefined): Start {
    const { subscription, level } = delivery;
    const decided = (l: Literal): boolean =>
      l.atom.when === 'connection' ||
      l.atom.when === 'first' ||
      (l.atom.when === 'packet' && level === 'L4FirstPacket');
    const early = literals.filter(decided);
    if (level === 'L4FirstPacket') return { early, thread: undefined, subscription, pattern };
    const rest = literals.filter((l) => !decided(l));
    const waits = needsParsing(level, rest);
    const thread = this.#intern({ subscription, level, pattern, rest, waits, disappointed: false });
    return { early, thread, subscription, pattern };
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
    if (thread.level === 'L7OnDisc') {
      const known = !isPending(left) && left.every((l) => l.atom.when !== 'session');
      return { thread, delivers: known, next: undefined };
    }
    const sessions =
      protocol !== undefined &&
      (thread.level === 'L7EndHdrs' || left.some(isLate) || left.some((l) => asksOf(l, protocol)));
    if (sessions) {
      // Filters that cannot say anything any more are left out. Tests of the protocol hold, and stay, so that no further
      // thread is needed, but where a filter can speak after this: it would leave them open for good.
      const speaks = thread.level !== 'L7EndHdrs' && left.some((l) => pendingFilter(l) !== undefined);
      const rest = speaks ? left : thread.rest.filter((l) => pendingFilter(l) === undefined || left.includes(l));
      return { thread, delivers: false, next: this.#intern({ ...thread, rest }) };
    }
    if (thread.level === 'L7EndHdrs') return { thread, delivers: false, next: undefined };
    return { thread, delivers: false, next: this.#decided(thread, left) };
  }

  /** A session satisfied the rest of the thread. */
  atMatch(thread: Thread, protocol: ProtocolDef): Step {
    const many = hasManySessions(protocol);
    if (thread.level === 'L7EndHdrs') {
      return { thread, delivers: !isPending(thread.rest), next: many ? thread : undefined };
    }
    const asksMore = thread.rest.some((l) => many && asksOf(l, protocol));
    if (asksMore) {
      // What earlier sessions did not satisfy this one did.
      const rest = thread.rest.filter((l) => !isLate(l));
      return { thread, delivers: false, next: this.#intern({ ...thread, rest, waits: true, disappointed: false }) };
    }
    return { thread, delivers: false, next: this.#decided(thread, thread.rest) };
  }

  /** A session did not satisfy the rest of the thread. */
  atMismatch(thread: Thread, protocol: ProtocolDef): Step {
    if (!hasManySessions(protocol)) return { thread, delivers: false, next: undefined };
    const { level, rest, disappointed } = thread;
    // What asks nothing of sessions is not disappointed by one.
    if (!rest.some(isLate)) return { thread, delivers: false, next: thread };
    // What a filter has yet to say may still come.
    const known = rest.filter((l) => pendingFilter(l) === undefined);
    if (disappointed || level !== 'L4Terminated' || !couldHoldUnseen(known))
      return { thread, delivers: false, next: thread };
    return { thread, delivers: false, next: this.#intern({ ...thread, waits: true, disappointed: true }) };
  }

  /** A filter that the thread waits for has decided. */
  atVerdict(thread: Thread, atom: Atom, accepted: boolean): Step {
    const own = thread.rest.find((l) => l.atom.key === atom.key);
    if (own === undefined) return { thread, delivers: false, next: thread };
    if (own.positive !== accepted) return { thread, delivers: false, next: undefined };
    const rest = thread.rest.filter((l) => l !== own);
    const waits = thread.waits && needsParsing(thread.level, rest);
    return { thread, delivers: false, next: this.#intern({ ...thread, rest, waits }) };
  }

  /** Whether a thread can still be waiting when a session of `protocol` is parsed. */
  concerns(thread: Thread, protocol: ProtocolDef): boolean {
    return thread.waits && this.atDiscovery(thread, protocol).next === thread;
  }

  /** Nothing more is parsed for the thread; it still waits for a filter, or for the packet at hand. */
  #decided(thread: Thread, rest: Pattern): Thread {
    return this.#intern({ ...thread, rest: rest.filter((l) => !isLate(l)), waits: false, disappointed: false });
  }

  /** All threads that can come up, and how: a worklist over the steps until nothing new appears. */
  close(protocols: readonly ProtocolDef[]): readonly Thread[] {
    let size = -1;
    while (size !== this.#threads.size) {
      size = this.#threads.size;
      for (const thread of this.all) {
        for (const protocol of [undefined, ...protocols]) this.atDiscovery(thread, protocol);
        for (const { atom } of thread.rest) {
          if (atom.when !== 'later') continue;
          this.atVerdict(thread, atom, true);
          this.atVerdict(thread, atom, false);
        }
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

/** Whether a literal is a filter that is asked of sessions of this protocol. */
function asksOf(literal: Literal, protocol: ProtocolDef): boolean {
  const filter = pendingFilter(literal);
  return filter !== undefined && asksSessions(filter, protocol);
}

function verdictAtDiscovery(literal: Literal, protocol: ProtocolDef | undefined): boolean | undefined {
  const filter = pendingFilter(literal);
  // A filter that can say nothing any more has not said yes.
  if (filter !== undefined) return canDecideUnder(filter, protocol) ? undefined : !literal.positive;
  if (!isLate(literal)) return undefined;
  const own = applicationOf(literal);
  if (own === undefined) return protocol === undefined ? !literal.positive : undefined;
  if (literal.atom.when === 'protocol') return (own.name === protocol?.name) === literal.positive;
  return own.name === protocol?.name ? undefined : !literal.positive;
}

/** Whether the protocol literals of a pattern hold when the application protocol is this one. */
export function holdsUnder(rest: Pattern, protocol: ProtocolDef | undefined): boolean {
  return rest.every((literal) => verdictAtDiscovery(literal, protocol) !== false);
}

/** Whether a pattern can hold for a connection that never had a session, and whose filters never decided. */
export function couldHoldUnseen(rest: Pattern): boolean {
  return rest.every(({ atom, positive }) => (atom.when !== 'session' && atom.when !== 'later') || !positive);
}

/**
 * Threads of L7OnDisc that hold where no protocol was recognised: a connection that ends before that was looked into is
 * one of those.
 */
export function endsUnknown(thread: Thread): boolean {
  return (
    thread.level === 'L7OnDisc' && thread.waits && couldHoldUnseen(thread.rest) && holdsUnder(thread.rest, undefined)
  );
}

/** Threads that are decided and deliver as packets arrive. */
export function streams(thread: Thread, level: Level): boolean {
  return isStreaming(level) && thread.level === level && !thread.waits && !isPending(thread.rest);
}
