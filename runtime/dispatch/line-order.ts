/**
 * The order of a run's lines, alike for every number of cores: by the time of delivery; then by the packet that brought
 * the line about; lines that one packet or one connection's end brought about stay together as they came. Behind those of
 * packets at the same microsecond stand the connections whose time was over, whoever noticed it when, ordered by their
 * text. Behind all that, the connections that the end of the run ended, by the time of their last packet.
 *
 * Timers notice an end somewhat later than its time, so lines wait until nothing earlier can come: {@link LineOrder.release}.
 * A line that is later still (a capture whose times go back) takes its place as if it had the time released last.
 */
import { Clock } from '../clock.ts';
import { Pkt } from '../packet/layout.ts';
import type { LineBuffer } from '../subscription/line-buffer.ts';
import { type EntrySink, type Place, TIMERS_KEY } from './entry.ts';
import { createEntryTable } from './entry-table.ts';

/** More packets than a frame can hold. */
const MOST_PARTS = 4096;

/** At the end of the run: lines that lie one behind the other are handed on at once. */
const DRAINED_AT_ONCE = 64;

export interface LineOrder {
  /** Where lines are written, each with its newline. */
  readonly out: LineBuffer;
  /** Takes the line that was written, delivered at the core's clock. */
  add(): void;
  /** Row 0 of the burst at hand is frame number `first`, or row r is number `first + numbers[r]`. */
  burst(first: number, numbers?: Int32Array): void;
  /** From the packet at hand on, what packets bring about counts as no earlier than `time`. Timers may lag behind. */
  reach(time: number): void;
  /** All timers have come as far as `time`, too: hands on all lines before it. */
  release(time: number): void;
  /** Connections that time out have ended, and now the end of the run ends the others, in order of time. */
  drain(): void;
  /** Hands on everything. */
  end(): void;
}

function isBefore(place: Place, time: number, key: number): boolean {
  return place.time < time || (place.time === time && place.key < key);
}

/** Puts the lines of the core with that `clock` in order, for `sink`. */
export function createLineOrder(clock: Int32Array, sink: EntrySink): LineOrder {
  const entries = createEntryTable();
  const { compare } = entries;
  /** Numbers of those that wait. */
  let waiting: number[] = [];
  /** The entry that the next line may join, or -1. */
  let last = -1;
  let sorted = true;
  let reached = 0;
  let released = 0;
  let draining = false;
  let first = 0;
  let numbers: Int32Array | undefined;

  /** The number of the frame at hand; of the packets in one frame each has a fraction of its own. */
  function frame(): number {
    const row = clock[Clock.ROW] >> Pkt.SHIFT;
    return first + (numbers === undefined ? row : numbers[row]) + clock[Clock.PART] / MOST_PARTS;
  }

  /** Hands on the first `n` that wait: all up to that place. */
  function handOn(n: number, time: number, key: number): void {
    for (let i = 0; i < n; i++) sink.entry(entries.at(waiting[i]));
    sink.passed(time, key);
    if (n === 0) return;
    for (let i = 0; i < n; i++) entries.letGo(waiting[i]);
    waiting = n === waiting.length ? [] : waiting.slice(n);
    if (waiting.length === 0) last = -1;
  }

  function sort(): void {
    if (!sorted) waiting.sort(compare);
    sorted = true;
    // What comes next must not join an entry that has moved.
    last = -1;
  }

  function add(): void {
    const group = clock[Clock.GROUP];
    const ts = (clock[Clock.SEC] >>> 0) + clock[Clock.NSEC] * 1e-9;
    const byTimers = group !== 0;
    const time = draining ? Number.POSITIVE_INFINITY : Math.max(ts, byTimers ? released : reached);
    const key = draining ? ts : byTimers ? TIMERS_KEY : frame();
    if (last !== -1 && entries.joins(last, time, key, group)) {
      entries.append(last);
      return;
    }
    if (draining && waiting.length >= DRAINED_AT_ONCE && last !== -1 && key > entries.at(last).key) {
      sort();
      handOn(waiting.length, time, key);
    }
    last = entries.add(time, key, group);
    if (sorted && waiting.length > 0 && compare(waiting[waiting.length - 1], last) > 0) sorted = false;
    waiting.push(last);
  }

  return {
    out: entries.out,
    add,
    burst(frame, numbersOfRows) {
      first = frame;
      numbers = numbersOfRows;
    },
    reach(time) {
      if (time > reached) reached = time;
    },
    release(time) {
      if (time > released) released = time;
      if (released > reached) reached = released;
      const key = frame();
      if (waiting.length > 0) sort();
      let n = 0;
      while (n < waiting.length && isBefore(entries.at(waiting[n]), released, key)) n++;
      handOn(n, released, key);
    },
    drain() {
      sort();
      handOn(waiting.length, Number.POSITIVE_INFINITY, 0);
      draining = true;
    },
    end() {
      sort();
      handOn(waiting.length, Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY);
    },
  };
}
