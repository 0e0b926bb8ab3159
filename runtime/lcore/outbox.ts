/**
 * A worker's lines on their way to the main thread: in batches, and never more under way than the main thread can keep
 * up with. A worker that is too far ahead waits; a live port then loses packets, which its counters tell.
 */
import type { MessagePort } from 'node:worker_threads';
import { Control, type WorkerMessage } from './messages.ts';

/** A batch is sent when it has so many UTF-16 units, or is so old. */
const BATCH_UNITS = 64 * 1024;
const BATCH_MS = 100;
/** Most units sent and not yet written. */
const MOST_UNDER_WAY = 32 * 1024 * 1024;

export interface Outbox {
  /** Takes a line, its newline included. */
  write(line: string): void;
  /** Sends a batch that has waited long enough; call it now and then. */
  tick(): void;
  /** Sends what there is. */
  flush(): void;
}

export function createOutbox(port: Pick<MessagePort, 'postMessage'>, control: Int32Array, worker: number): Outbox {
  const slot = Control.WORKERS + worker;
  let batch: string[] = [];
  let units = 0;
  let since = 0;

  function flush(): void {
    if (units === 0) return;
    Atomics.add(control, slot, units);
    port.postMessage({ kind: 'lines', text: batch.join('') } satisfies WorkerMessage);
    batch = [];
    units = 0;
    for (let under = Atomics.load(control, slot); under > MOST_UNDER_WAY; under = Atomics.load(control, slot)) {
      Atomics.wait(control, slot, under, 100);
    }
  }

  return {
    write(line) {
      if (units === 0) since = performance.now();
      batch.push(line);
      units += line.length;
      if (units >= BATCH_UNITS) flush();
    },
    tick() {
      if (units > 0 && performance.now() - since >= BATCH_MS) flush();
    },
    flush,
  };
}

/** The main thread's side: so much text of the worker is written. */
export function acknowledge(control: Int32Array, worker: number, units: number): void {
  Atomics.sub(control, Control.WORKERS + worker, units);
  Atomics.notify(control, Control.WORKERS + worker);
}
