/**
 * Entries of one worker on their way to the main thread: many in one message, and never more under way than the main
 * thread can keep up with. A worker that is too far ahead of it, or of the others, waits for them, or drops what finds no
 * room and counts it: a core that receives from a port must not wait.
 */
import type { Entry, EntrySink } from './entry.ts';

/** Entries as they cross threads. Entry `i` is the text from byte `ends[i - 1]` to `ends[i]` - 1. */
export interface LineBatch {
  readonly times: Float64Array;
  readonly keys: Float64Array;
  readonly timers: Uint8Array;
  readonly ends: Uint32Array;
  /** UTF-8. */
  readonly bytes: Uint8Array;
  /** Nothing of this worker before this place comes any more. */
  readonly passedTime: number;
  readonly passedKey: number;
}

/** A batch is sent when it has so many bytes, or so many ms have gone by. */
const BATCH_BYTES = 128 * 1024;
const BATCH_MS = 20;
/** Most bytes sent and not yet written. */
export const MOST_UNDER_WAY = 32 * 1024 * 1024;
/** A worker that waits goes on when the main thread has written nothing of its lines for so many ms. */
const PATIENCE_MS = 1000;

const NEWLINE = 0x0a;

/** What a worker does while too much of it is under way. */
export type WhenFull = 'wait' | 'drop';

export interface LineBatcher extends EntrySink {
  entry(entry: Entry): void;
  /** Sends what there is. */
  flush(): void;
  /** Lines dropped for want of room. */
  readonly dropped: number;
}

/**
 * Batches for `send`. `underWay[slot]` is shared with the main thread: bytes sent and not yet written, see
 * {@link createLineMerger}. `whenFull` is asked each time that there is no room.
 */
export function createLineBatcher(
  send: (batch: LineBatch) => void,
  underWay: Int32Array,
  slot: number,
  whenFull: () => WhenFull = () => 'wait',
): LineBatcher {
  let times: number[] = [];
  let keys: number[] = [];
  let timers: number[] = [];
  let ends: number[] = [];
  let bytes = new Uint8Array(BATCH_BYTES * 2);
  let used = 0;
  let passedTime = Number.NEGATIVE_INFINITY;
  let passedKey = Number.NEGATIVE_INFINITY;
  let sentAt = 0;
  let dropped = 0;

  /**
   * Waits for room, but not for ever: cores that hand packets to each other would otherwise wait for each other, one for
   * packets and one for the place of its lines.
   */
  function waitForRoom(): void {
    let seen = Atomics.load(underWay, slot);
    let since = performance.now();
    for (let now = seen; now > MOST_UNDER_WAY; now = Atomics.load(underWay, slot)) {
      if (now !== seen) {
        seen = now;
        since = performance.now();
      } else if (performance.now() - since > PATIENCE_MS) return;
      Atomics.wait(underWay, slot, now, 100);
    }
  }

  function flush(): void {
    send({
      times: Float64Array.from(times),
      keys: Float64Array.from(keys),
      timers: Uint8Array.from(timers),
      ends: Uint32Array.from(ends),
      // A copy: what goes to another thread goes with all of its buffer.
      bytes: bytes.slice(0, used),
      passedTime,
      passedKey,
    });
    sentAt = performance.now();
    Atomics.add(underWay, slot, used);
    times = [];
    keys = [];
    timers = [];
    ends = [];
    used = 0;
    if (Atomics.load(underWay, slot) > MOST_UNDER_WAY && whenFull() === 'wait') waitForRoom();
  }

  return {
    get dropped() {
      return dropped;
    },
    entry({ time, key, timers: byTimers, block, from, to }) {
      const text = block.bytes.subarray(from, to);
      if (Atomics.load(underWay, slot) > MOST_UNDER_WAY && whenFull() === 'drop') {
        for (let at = text.indexOf(NEWLINE); at !== -1; at = text.indexOf(NEWLINE, at + 1)) dropped++;
        return;
      }
      times.push(time);
      keys.push(key);
      timers.push(byTimers ? 1 : 0);
      if (used + text.length > bytes.length) {
        const longer = new Uint8Array((used + text.length) * 2);
        longer.set(bytes.subarray(0, used));
        bytes = longer;
      }
      bytes.set(text, used);
      used += text.length;
      ends.push(used);
    },
    passed(time, key) {
      passedTime = time;
      passedKey = key;
      if (used >= BATCH_BYTES || performance.now() - sentAt >= BATCH_MS) flush();
    },
    flush,
  };
}
