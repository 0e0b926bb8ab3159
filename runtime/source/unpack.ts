/**
 * Captures packed with gzip or zstd, unpacked while they are read: by a thread of their own, so that it costs the reader
 * no more than a copy.
 */
import { Worker } from 'node:worker_threads';
import { InputError } from '../errors.ts';
import { type Packing, Ring, RingState, type UnpackTask } from './unpack-ring.ts';

export interface UnpackedBytes {
  readonly fd: number;
  /** Copies the next bytes, at most `length`, to `bytes[at]` on; 0 at the end. Throws InputError for broken packing. */
  read(bytes: Uint8Array, at: number, length: number): number;
  close(): void;
}

/** A thread that has not started by then never will. */
const START_MS = 30_000;
/** Long enough for a thread that unpacks a chunk to notice that nobody wants it. */
const CLOSE_MS = 2000;

const MAGICS: readonly (readonly [Packing, readonly number[]])[] = [
  ['gzip', [0x1f, 0x8b]],
  ['zstd', [0x28, 0xb5, 0x2f, 0xfd]],
];

const SKIPPED: readonly number[] = [0x2a, 0x4d, 0x18];

/** How data that starts with `head` is packed, if it is. */
export function packingOf(head: Uint8Array): Packing | undefined {
  // A frame that zstd's readers pass over (RFC 8878 section 3.1.2) may be the first.
  if ((head[0] & 0xf0) === 0x50 && SKIPPED.every((byte, i) => head[1 + i] === byte)) return 'zstd';
  return MAGICS.find(([, magic]) => magic.every((byte, i) => head[i] === byte))?.[0];
}

/**
 * Starts to unpack what can be read at `fd`, of which `head` was read already. `file` is its name in messages, `close`
 * closes it.
 */
export function startUnpacking(
  file: string,
  packing: Packing,
  fd: number,
  head: Uint8Array,
  close: () => void,
): UnpackedBytes {
  const control = new Int32Array(new SharedArrayBuffer(Ring.WORDS * 4));
  const ring = new Uint8Array(new SharedArrayBuffer(Ring.BYTES));
  const fault = new Uint8Array(new SharedArrayBuffer(Ring.FAULT_BYTES + 8));
  const task: UnpackTask = {
    fd,
    packing,
    head,
    control: control.buffer as SharedArrayBuffer,
    ring: ring.buffer as SharedArrayBuffer,
    fault: fault.buffer as SharedArrayBuffer,
  };
  const worker = new Worker(new URL('./unpack-worker.js', import.meta.url), {
    workerData: task,
    execArgv: [],
    stdin: false,
  });
  worker.unref();
  let read = 0;

  function signal(): void {
    Atomics.add(control, Ring.READER_EVENT, 1);
    Atomics.notify(control, Ring.READER_EVENT);
  }

  return {
    fd,
    read(bytes, at, length) {
      for (;;) {
        const event = Atomics.load(control, Ring.WRITER_EVENT);
        // The state first: when it says that all is done, all is written.
        const state = Atomics.load(control, Ring.STATE);
        const ready = (Atomics.load(control, Ring.WRITTEN) - read) | 0;
        if (ready > 0) {
          const from = read & (Ring.BYTES - 1);
          const count = Math.min(ready, length, Ring.BYTES - from);
          bytes.set(ring.subarray(from, from + count), at);
          read = (read + count) | 0;
          Atomics.store(control, Ring.READ, read);
          signal();
          return count;
        }
        if (state === RingState.DONE) return 0;
        if (state === RingState.FAULT) {
          const words = new TextDecoder().decode(fault.slice(0, control[Ring.FAULT_LENGTH]));
          const [place] = new Float64Array(fault.buffer, Ring.FAULT_BYTES);
          throw new InputError(file, place, words);
        }
        const waited = Atomics.wait(control, Ring.WRITER_EVENT, event, START_MS);
        if (waited === 'timed-out' && state === RingState.STARTING) {
          throw new InputError(file, undefined, `the thread that unpacks ${packing} data did not start`);
        }
      }
    },
    close() {
      Atomics.store(control, Ring.CLOSED, 1);
      signal();
      // A thread that waits in vain for more of a pipe keeps its file: under its number it would come to read another.
      const deadline = performance.now() + CLOSE_MS;
      for (let left = CLOSE_MS; left > 0; left = deadline - performance.now()) {
        const event = Atomics.load(control, Ring.WRITER_EVENT);
        const state = Atomics.load(control, Ring.STATE);
        if (state === RingState.DONE || state === RingState.FAULT) {
          close();
          return;
        }
        Atomics.wait(control, Ring.WRITER_EVENT, event, left);
      }
    },
  };
}
