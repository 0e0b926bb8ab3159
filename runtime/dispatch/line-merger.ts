/** The lines of all workers as one stream: each worker's come in order, and the earliest of all is written next. */
import type { LineBatch } from './line-batch.ts';

export interface LineMerger {
  /** Takes a batch of `worker` and writes what is then known to be next. */
  add(worker: number, batch: LineBatch): void;
  /** Nothing more comes from `worker`. */
  end(worker: number): void;
}

/** What is there of one worker. */
interface Lane {
  readonly batches: LineBatch[];
  /** The next entry of the first batch. */
  at: number;
  passedTime: number;
  passedKey: number;
}

/**
 * Merges the batches of `workers` workers for `write`. When a batch is written whole, its bytes are taken off
 * `underWay[slotOf(worker)]`, on which its sender may be waiting.
 */
export function createLineMerger(
  workers: number,
  write: (lines: Uint8Array, from: number, to: number) => void,
  underWay: Int32Array,
  slotOf: (worker: number) => number,
): LineMerger {
  const lanes = Array.from(
    { length: workers },
    (): Lane => ({ batches: [], at: 0, passedTime: Number.NEGATIVE_INFINITY, passedKey: Number.NEGATIVE_INFINITY }),
  );

  /** Negative when what lane `a` has next stands before all that lane `b` has or will have. */
  function compare(a: Lane, b: Lane): number {
    const one = a.batches[0];
    const other = b.batches[0];
    const time = other === undefined ? b.passedTime : other.times[b.at];
    if (one.times[a.at] !== time) return one.times[a.at] < time ? -1 : 1;
    const key = other === undefined ? b.passedKey : other.keys[b.at];
    if (one.keys[a.at] !== key) return one.keys[a.at] - key;
    // What comes may have this very place and an earlier text.
    if (other === undefined) return 1;
    if (one.timers[a.at] === 0 || other.timers[b.at] === 0) return 0;
    return Buffer.compare(textAt(one, a.at), textAt(other, b.at));
  }

  function before(a: Lane, b: Lane): boolean {
    const order = compare(a, b);
    // Which of two equal lines goes first is the same to the reader, as long as it is one of them.
    return order < 0 || (order === 0 && lanes.indexOf(a) < lanes.indexOf(b));
  }

  /** The lane whose next entry stands before all others', if that is known. */
  function next(): Lane | undefined {
    let least: Lane | undefined;
    for (const lane of lanes) {
      if (lane.batches.length > 0 && (least === undefined || before(lane, least))) least = lane;
    }
    if (least === undefined) return undefined;
    for (const lane of lanes) if (lane !== least && !before(least, lane)) return undefined;
    return least;
  }

  function drop(lane: Lane): void {
    const done = lane.batches.shift();
    lane.at = 0;
    const slot = slotOf(lanes.indexOf(lane));
    Atomics.sub(underWay, slot, done?.bytes.length ?? 0);
    Atomics.notify(underWay, slot);
  }

  /** Writes entries of `lane` as long as they stand before those of all others. */
  function writeRun(lane: Lane): void {
    const batch = lane.batches[0];
    const from = startOf(batch, lane.at);
    const others = lanes.filter((other) => other !== lane);
    do lane.at++;
    while (lane.at < batch.ends.length && others.every((other) => before(lane, other)));
    write(batch.bytes, from, startOf(batch, lane.at));
    if (lane.at === batch.ends.length) drop(lane);
  }

  function merge(): void {
    for (let lane = next(); lane !== undefined; lane = next()) writeRun(lane);
  }

  return {
    add(worker, batch) {
      const lane = lanes[worker];
      lane.passedTime = batch.passedTime;
      lane.passedKey = batch.passedKey;
      if (batch.ends.length > 0) lane.batches.push(batch);
      merge();
    },
    end(worker) {
      lanes[worker].passedTime = Number.POSITIVE_INFINITY;
      lanes[worker].passedKey = Number.POSITIVE_INFINITY;
      merge();
    },
  };
}

function startOf(batch: LineBatch, entry: number): number {
  return entry === 0 ? 0 : batch.ends[entry - 1];
}

function textAt(batch: LineBatch, entry: number): Uint8Array {
  return batch.bytes.subarray(startOf(batch, entry), batch.ends[entry]);
}
