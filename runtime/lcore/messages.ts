/** What the main thread and its workers tell each other. Packets, connections and sessions never cross. */
import type { ConnTrackConfig } from '../conntrack/config.ts';
import type { DispatchLink } from '../dispatch/divert.ts';
import type { LineBatch } from '../dispatch/line-batch.ts';
import { ExitCode, IrisError } from '../errors.ts';
import type { DecapConfig } from '../packet/decap-config.ts';
import type { MetricInfo } from '../stats/metrics.ts';
import type { WorkerPlan } from './ports.ts';

/** A worker's task, its `workerData`. */
export interface WorkerTask {
  readonly program: string;
  readonly plan: WorkerPlan;
  readonly conntrack: ConnTrackConfig;
  readonly decap: DecapConfig;
  readonly strict: boolean;
  /** Where deliveries for handlers on other threads go. */
  readonly links: readonly DispatchLink[];
  /** Secret of the run for the hash of five-tuples. */
  readonly seed: number;
  /** Words of {@link Control}, shared with the main thread. */
  readonly control: Int32Array;
  /** The worker's counters, shared: the main thread may read them at any time. */
  readonly counters: SharedArrayBuffer;
  /** What the worker publishes besides, shared: see runtime/stats/live.ts. */
  readonly live: SharedArrayBuffer;
}

/** Words of the shared control array; those of a worker follow, at `WORKERS + id`. */
export const enum Control {
  /** {@link Phase}. */
  PHASE = 0,
  /** From here on: text that a worker has sent and the main thread not yet written, in UTF-16 units. */
  WORKERS = 1,
}

export const enum Phase {
  /** Workers get ready. */
  SETUP = 0,
  /** Packets flow. */
  RUN = 1,
  /** Workers end their connections and finish. */
  STOP = 2,
}

/** What a worker did, sent once at its end. */
export interface WorkerResult {
  readonly packets: number;
  readonly bytes: number;
  readonly lost: Readonly<Record<string, number>>;
  readonly delivered: readonly (readonly [subscription: string, lines: number])[];
  readonly userErrors: readonly (readonly [subscription: string, errors: number])[];
  /** Counters of user code. */
  readonly metrics: readonly (readonly [metric: string, value: number])[];
}

/** A fault that ends the run; `exitCode` is absent for a fault of ours. */
export interface WorkerFault {
  readonly message: string;
  readonly hint?: string;
  readonly exitCode?: number;
  readonly stack?: string;
}

export type WorkerMessage =
  | { readonly kind: 'ready' }
  | { readonly kind: 'lines'; readonly batch: LineBatch }
  /** A metric of user code, whose value lies in the worker's shared array. */
  | { readonly kind: 'metric'; readonly metric: MetricInfo; readonly values: SharedArrayBuffer }
  /** Text for the standard error. */
  | { readonly kind: 'report'; readonly text: string }
  | { readonly kind: 'done'; readonly result: WorkerResult }
  | { readonly kind: 'fault'; readonly fault: WorkerFault };

/** An error as it crosses threads, where classes are lost. */
export function faultOf(error: unknown): WorkerFault {
  if (error instanceof IrisError) {
    const { message, hint, exitCode } = error;
    return hint === undefined ? { message, exitCode } : { message, hint, exitCode };
  }
  if (!(error instanceof Error)) return { message: String(error) };
  return error.stack === undefined ? { message: error.message } : { message: error.message, stack: error.stack };
}

/** What ended a thread although nobody threw it: `who` ran out of memory, say. */
export function deathOf(who: string, error: Error): WorkerFault {
  if ((error as NodeJS.ErrnoException).code !== 'ERR_WORKER_OUT_OF_MEMORY') return faultOf(error);
  return {
    message: `${who}: the program needs more JavaScript memory than there is`,
    hint: 'keep less of what is delivered, or allow more, in MB: NODE_OPTIONS=--max-old-space-size=8192',
    exitCode: ExitCode.USAGE,
  };
}

/** What it means that a thread ended without its last message. */
export function exitOf(who: string, code: number): WorkerFault {
  return {
    message: `${who}: the program ended its thread: process.exit(${code})`,
    hint: 'to end a run, send SIGINT, set online.duration, or throw under --strict',
    exitCode: ExitCode.USAGE,
  };
}

/** What a worker's fault was, as an error that can be printed. */
export function errorOf(fault: WorkerFault): Error {
  if (fault.exitCode !== undefined) return new IrisError(fault.exitCode as ExitCode, fault.message, fault.hint);
  const error = new Error(fault.message);
  if (fault.stack !== undefined) error.stack = fault.stack;
  return error;
}
