/**
 * The end of a run: every connection ends, in pieces, so that a million of them stop nothing else for long. Those whose
 * time is over end by timeout; the others in the order of their last packets, whatever the number of cores.
 */
import { microseconds } from '../clock.ts';
import { ConnMeta, type RecColumns } from './layout.ts';
import type { ConnTable } from './table.ts';

/** What the tracker does with single records. */
export interface DrainParts {
  /** Goes on with what is due, `most` records at a time. False when nothing is left. */
  fireTimers(most: number): boolean;
  /** From now on what is over at `now` (seconds since 1970) is due. */
  reach(now: number): void;
  /** Whether the time of record `c` is over. */
  isDue(c: number): boolean;
  /** Ends record `c` by timeout, unless it is a tombstone. */
  finishInactive(c: number): void;
  /** Ends record `c` because the run ends. */
  finishDrained(order: Int32Array, from: number, to: number): void;
}

/** Connections that end in one piece. */
const PIECE = 256;
/** Records looked at, or put in order, in one piece: some 10 ns each. */
const MANY = 1 << 15;

/** Ends every record of `table` at `now`. With `next`, those that are not due follow when it was called, by their last packets. */
export function* drainInPieces(
  record: RecColumns,
  stride: number,
  table: ConnTable,
  parts: DrainParts,
  now: number,
  next: (() => void) | undefined,
): Generator<void, void, void> {
  const { recMeta } = record;
  const { fireTimers, reach, isDue, finishInactive, finishDrained } = parts;
  while (fireTimers(PIECE)) yield;
  reach(now);
  while (fireTimers(PIECE)) yield;
  let live = 0;
  const ending = new Int32Array(PIECE);
  let n = 0;
  for (let c = stride, due = 0, looked = 0; c < table.end(); c += stride) {
    if (n + due === PIECE || looked === MANY) {
      finishDrained(ending, 0, n);
      n = 0;
      due = 0;
      looked = 0;
      yield;
    }
    looked++;
    if ((recMeta[c] & ConnMeta.USED) === 0) continue;
    if (isDue(c)) {
      // All in the order of the records.
      finishDrained(ending, 0, n);
      n = 0;
      finishInactive(c);
      due++;
    } else if ((recMeta[c] & ConnMeta.ENDED) !== 0) {
    } else if (next === undefined) {
      ending[n++] = c;
    } else {
      live++;
    }
  }
  finishDrained(ending, 0, n);
  if (next !== undefined) {
    next();
    const order = yield* byLastPacket(record, stride, table.end(), live);
    for (let from = 0; from < live; from += PIECE) {
      yield;
      finishDrained(order, from, Math.min(live, from + PIECE));
    }
  }
  yield* table.clear();
}

/** Bits that a step of sorting looks at. */
const DIGIT = 16;
const DIGITS = 1 << DIGIT;
/** So many records are sorted by comparing them: a step over all digits would take longer. */
const FEW = 4096;

/**
 * The `n` records that live, of those from `stride` to `end`, by the time of their last packet, to the microsecond; those of
 * one time stay in their order. Many are sorted digit by digit, from the lowest on, as many as the times' span has.
 */
export function* byLastPacket(
  { recMeta, recLast }: Pick<RecColumns, 'recMeta' | 'recLast'>,
  stride: number,
  end: number,
  n: number,
): Generator<void, Int32Array, void> {
  let live = new Int32Array(n);
  let times = new Float64Array(n);
  // The first time and the last: in an array, as variables would be boxed at every change.
  const bounds = Float64Array.of(Number.POSITIVE_INFINITY, 0);
  for (let c = stride, i = 0, looked = 0; c < end; c += stride) {
    if (++looked % MANY === 0) yield;
    if ((recMeta[c] & (ConnMeta.USED | ConnMeta.ENDED)) !== ConnMeta.USED) continue;
    const time = microseconds(recLast[c >> 1]);
    live[i] = c;
    times[i++] = time;
    if (time < bounds[0]) bounds[0] = time;
    if (time > bounds[1]) bounds[1] = time;
  }
  if (n <= FEW) {
    const order = new Uint32Array(n).map((_, i) => i);
    return Int32Array.from(
      order.sort((a, b) => times[a] - times[b] || a - b),
      (i) => live[i],
    );
  }
  const [first, last] = bounds;
  let otherLive = new Int32Array(n);
  let otherTimes = new Float64Array(n);
  const places = new Int32Array(DIGITS);
  for (let unit = 1; unit <= last - first; unit *= DIGITS) {
    places.fill(0);
    for (let i = 0; i < n; i++) {
      if (i % MANY === MANY - 1) yield;
      places[Math.floor((times[i] - first) / unit) & (DIGITS - 1)]++;
    }
    for (let digit = 0, place = 0; digit < DIGITS; digit++) {
      const count = places[digit];
      places[digit] = place;
      place += count;
    }
    for (let i = 0; i < n; i++) {
      if (i % MANY === MANY - 1) yield;
      const place = places[Math.floor((times[i] - first) / unit) & (DIGITS - 1)]++;
      otherLive[place] = live[i];
      otherTimes[place] = times[i];
    }
    [live, otherLive] = [otherLive, live];
    [times, otherTimes] = [otherTimes, times];
  }
  return live;
}
