/**
 * The output of a run over ports: the lines of all workers, merged in order of time, into a sink whose reader may be slow.
 * What the reader does not take yet stays in the workers' batches, which count as under way; so the workers know when to
 * stop sending.
 */
import type { LineBatch } from '../dispatch/line-batch.ts';
import { createLineMerger } from '../dispatch/line-merger.ts';
import type { LineSink } from '../dispatch/line-sink.ts';

export interface Output {
  /** Takes a batch of `worker`. */
  add(worker: number, batch: LineBatch): void;
  /** Nothing more comes from `worker`. */
  end(worker: number): void;
  /** Resolves when all that came is written, or cannot be. */
  settled(): Promise<void>;
}

export interface OutputOptions {
  readonly workers: number;
  readonly sink: LineSink;
  /** Shared with the workers: `underWay[slotOf(worker)]` bytes are sent and not yet written. */
  readonly underWay: Int32Array;
  readonly slotOf: (worker: number) => number;
  /** Called when lines cannot be written. */
  readonly onFault: (error: unknown) => void;
}

export function createOutput({ workers, sink, underWay, slotOf, onFault }: OutputOptions): Output {
  const held: (() => void)[] = [];
  let empty: (() => void)[] = [];
  const merger = createLineMerger(workers, write, underWay, slotOf);

  function write(lines: Uint8Array, from: number, to: number): void {
    try {
      sink.write(lines, from, to);
    } catch (error) {
      onFault(error);
    }
  }

  function soon(step: () => void): void {
    if (held.length > 0 || sink.full) held.push(step);
    else step();
  }

  sink.onRoom = () => {
    while (held.length > 0 && !sink.full) held.shift()?.();
    if (held.length > 0) return;
    for (const done of empty) done();
    empty = [];
  };

  return {
    add: (worker, batch) => soon(() => merger.add(worker, batch)),
    end: (worker) => soon(() => merger.end(worker)),
    async settled() {
      if (held.length > 0) {
        await new Promise<void>((resolve) => {
          empty.push(resolve);
        });
      }
      try {
        await sink.drained();
      } catch (error) {
        onFault(error);
      }
    },
  };
}
