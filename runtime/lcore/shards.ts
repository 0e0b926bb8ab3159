/**
 * A run over a capture on several cores, as its main thread sees it: workers that share the packets, and their lines
 * merged into one stream, which is that of one core.
 */
import { randomInt } from 'node:crypto';
import { Worker } from 'node:worker_threads';
import type { ConnTrackConfig } from '../conntrack/config.ts';
import type { DispatchLink } from '../dispatch/divert.ts';
import { createLineMerger } from '../dispatch/line-merger.ts';
import { ExitCode } from '../errors.ts';
import type { DecapConfig } from '../packet/decap-config.ts';
import { isPacked, plainPcap } from '../source/capture.ts';
import { leaveSharedPcap, sharePcap } from '../source/shared-pcap-memory.ts';
import { abandon, shareFile } from '../source/shared-window.ts';
import { COUNTERS_BYTES, Counter, type Counters, createCounters } from '../stats/counters.ts';
import { Control, deathOf, errorOf, exitOf, faultOf, Phase, type WorkerFault, type WorkerResult } from './messages.ts';
import type { ShardMessage, ShardTask } from './shard-worker.ts';

/** What the engine of each core is told by the configuration. */
export interface EngineConfig {
  readonly conntrack: ConnTrackConfig;
  readonly decap: DecapConfig;
}

export interface ShardedRun extends EngineConfig {
  /** Path of the module. */
  readonly program: string;
  readonly pcaps: readonly string[];
  readonly cores: number;
  readonly strict: boolean;
  /** Where core `index` hands over deliveries for handlers on other threads. */
  readonly links: (index: number) => readonly DispatchLink[];
  /** Takes the run's lines, one or more at a time. What it throws ends the run. */
  readonly write: (lines: Uint8Array, from: number, to: number) => void;
  /** Takes text for the standard error. */
  readonly report: (text: string) => void;
}

export interface Shards {
  /** Every worker has ended. */
  readonly gone: Promise<void>;
  /** Ends the run as the end of the input would. */
  stop(): void;
  /** Packets and bytes read so far, bytes of the files that are behind all cores, connections opened so far. */
  progress(): {
    readonly packets: number;
    readonly bytes: number;
    readonly offset: number;
    readonly connections: number;
  };
  /** Everything counted, added up. */
  counters(): Counters;
  /** Of the workers that have ended. */
  readonly results: readonly WorkerResult[];
  /** What ended the run before the end of its input. */
  readonly fault: Error | undefined;
}

/** Starts the workers of a run. */
export function startShards(run: ShardedRun): Shards {
  const { program, pcaps, cores, conntrack, decap, strict } = run;
  const [file] = pcaps;
  const alone = file !== undefined && pcaps.length === 1 ? file : undefined;
  const format = alone === undefined ? undefined : plainPcap(alone);
  const slabBytes = conntrack.max_out_of_order_bytes;
  const sharedPcap =
    alone === undefined || format === undefined ? undefined : sharePcap(alone, format, cores, slabBytes);
  const shared =
    alone !== undefined && format === undefined && !isPacked(alone) ? shareFile(alone, cores, slabBytes) : undefined;
  const control = new Int32Array(new SharedArrayBuffer((Control.WORKERS + cores) * 4));
  const seed = randomInt(2 ** 31);
  const results: WorkerResult[] = [];
  let fault: WorkerFault | undefined;
  const merger = createLineMerger(cores, write, control, (worker) => Control.WORKERS + worker);

  function stop(): void {
    Atomics.store(control, Control.PHASE, Phase.STOP);
  }
  function fail(problem: WorkerFault): void {
    fault ??= problem;
    stop();
  }
  function write(lines: Uint8Array, from: number, to: number): void {
    try {
      run.write(lines, from, to);
    } catch (error) {
      fail(faultOf(error));
    }
  }

  const workers = Array.from({ length: cores }, (_, index) => {
    const counters = new SharedArrayBuffer(COUNTERS_BYTES);
    const read = new SharedArrayBuffer(24);
    const share = { index, count: cores };
    const task: ShardTask = {
      program,
      pcaps,
      shared,
      sharedPcap,
      share,
      conntrack,
      decap,
      strict,
      seed,
      control,
      counters,
      read,
      links: run.links(index),
    };
    const worker = new Worker(new URL('./shard-worker.js', import.meta.url), { workerData: task });
    let done = false;
    worker.on('message', (message: ShardMessage) => {
      switch (message.kind) {
        case 'lines':
          merger.add(index, message.batch);
          break;
        case 'report':
          run.report(message.text);
          break;
        case 'done':
          done = true;
          results.push(message.result);
          // The others meet the end of a broken capture by themselves, and it is the same.
          if (message.fault?.exitCode === ExitCode.INPUT) fault ??= message.fault;
          else if (message.fault !== undefined) fail(message.fault);
          merger.end(index);
          break;
      }
    });
    worker.on('error', (error) => fail(deathOf(`core ${index}`, error)));
    const gone = new Promise<void>((resolve) => {
      worker.on('exit', (code) => {
        if (!done) fail(exitOf(`core ${index}`, code));
        if (shared !== undefined) abandon(shared, index);
        if (sharedPcap !== undefined) leaveSharedPcap(sharedPcap, index, !done);
        merger.end(index);
        resolve();
      });
    });
    return { counters: createCounters(counters), read: new Float64Array(read), gone };
  });

  return {
    gone: Promise.all(workers.map(({ gone }) => gone)).then(() => {}),
    stop,
    progress: () => ({
      packets: Math.max(...workers.map(({ read }) => read[0])),
      bytes: Math.max(...workers.map(({ read }) => read[1])),
      offset: Math.min(...workers.map(({ read }) => read[2])),
      connections: workers.reduce((sum, { counters }) => sum + counters[Counter.CONNS_OPENED], 0),
    }),
    counters() {
      const all = createCounters();
      for (const { counters } of workers) for (let i = 0; i < Counter.COUNT; i++) all[i] += counters[i];
      return all;
    },
    results,
    get fault() {
      return fault === undefined ? undefined : errorOf(fault);
    },
  };
}
