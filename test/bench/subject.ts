/**
 * One measured run of this project on a capture, as a process of its own: `node subject.js STAGE CAPTURE MAX [--gc]`.
 * Prints one JSON line, a Sample and what the garbage collector did.
 */

import { openSync, readSync } from 'node:fs';
import { constants, PerformanceObserver } from 'node:perf_hooks';
import { setImmediate as nextTurn } from 'node:timers';
import { setImmediate } from 'node:timers/promises';
import type { Sample } from './floor.ts';
import { PORT_STAGES, type Prepare, STAGES } from './stages.ts';

export interface GcReport {
  readonly minor: number;
  readonly major: number;
  /** Milliseconds in all, and of the longest one. */
  readonly totalMs: number;
  readonly longestMs: number;
  /**
   * CPU time of the packets' thread between two polls of the source, a burst with all that the program itself put into
   * it, or at the end of the run between two pieces of the drain: how many took less than each bound and not less than the
   * one before. The last bound is none. CPU time, because on a busy machine the clock tells of the others; that of a
   * burst may count some of the shorter ones before it.
   */
  readonly bursts: readonly { readonly belowMs: number | null; readonly count: number }[];
  /** The longest of them. */
  readonly longestBursts: readonly Burst[];
  /** Most bytes of memory the process ever had resident. */
  readonly maxRss: number;
}

interface Burst {
  /** As in {@link GcReport.bursts}. */
  readonly ms: number;
  readonly clockMs: number;
  /** CPU time from the first poll to the burst's end. */
  readonly atMs: number;
}

const [stage = '', capture = '', max = '', gcFlag] = process.argv.slice(2);
const stages: Readonly<Record<string, Prepare>> = { ...STAGES, ...PORT_STAGES };
const prepare = stages[stage];
if (prepare === undefined) throw new Error(`stages are ${Object.keys(stages).join(', ')}`);

const pauses: { kind: number; ms: number }[] = [];
const observer = new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) {
    pauses.push({ kind: (entry as { detail?: { kind?: number } }).detail?.kind ?? 0, ms: entry.duration });
  }
});
if (gcFlag === '--gc') observer.observe({ entryTypes: ['gc'] });

const BOUNDS = [0.1, 0.3, 1, 3, 10, 30, Number.POSITIVE_INFINITY];
const burstCounts = new Float64Array(BOUNDS.length);
const longest: Burst[] = Array.from({ length: 5 }, () => ({ ms: 0, clockMs: 0, atMs: 0 }));
const schedstat = openSchedstat();
const digits = new Uint8Array(64);
/** What the last burst began with, in ms: by the clock, and the thread's CPU time when that was last read. */
const before = Float64Array.of(Number.NaN, 0, 0);
const enum Before {
  CLOCK = 0,
  CPU = 1,
  FIRST_CPU = 2,
}
/** Polls between two looks at the CPU time, which is looked at behind every long burst, too. */
const POLLS = 64;
const LONG_MS = 0.3;
let polls = 0;

/** Makes no garbage, or the collections would be its own. */
function onPoll(): void {
  const clock = performance.now();
  if (Number.isNaN(before[Before.CLOCK])) {
    before[Before.CPU] = threadMs();
    before[Before.FIRST_CPU] = before[Before.CPU];
  } else {
    noteBurst(clock - before[Before.CLOCK]);
  }
  before[Before.CLOCK] = performance.now();
}

function noteBurst(clockMs: number): void {
  let ms = clockMs;
  if (clockMs > LONG_MS || ++polls === POLLS) {
    polls = 0;
    const cpu = threadMs();
    ms = Math.min(ms, cpu - before[Before.CPU]);
    before[Before.CPU] = cpu;
  }
  let bucket = 0;
  while (ms >= BOUNDS[bucket]) bucket++;
  burstCounts[bucket]++;
  if (ms < LONG_MS) return;
  const least = longest.reduce((low, burst, i) => (burst.ms < longest[low].ms ? i : low), 0);
  if (ms > longest[least].ms) longest[least] = { ms, clockMs, atMs: before[Before.CPU] - before[Before.FIRST_CPU] };
}

/** The system's file that tells the thread's CPU time; -1 where there is none. */
function openSchedstat(): number {
  try {
    return openSync('/proc/thread-self/schedstat', 'r');
  } catch {
    return -1;
  }
}

/** CPU time of this thread in ms; that of all threads where the system does not tell. */
function threadMs(): number {
  if (schedstat < 0) {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1000;
  }
  const length = readSync(schedstat, digits, 0, digits.length, 0);
  let ns = 0;
  for (let i = 0; i < length && digits[i] !== 0x20; i++) ns = ns * 10 + digits[i] - 0x30;
  return ns / 1e6;
}

const work = await prepare(capture, Number(max), gcFlag === '--gc' ? onPoll : undefined);
await setImmediate();
pauses.length = 0;
const threadBefore = threadMs();
const cpuBefore = process.cpuUsage();
// The end of the run is no poll, but comes in pieces between turns of the event loop, too.
let running = gcFlag === '--gc';
const onTurn = () => {
  if (!running) return;
  if (!Number.isNaN(before[Before.CLOCK])) onPoll();
  nextTurn(onTurn);
};
onTurn();
const counts = await work();
running = false;
const used = process.cpuUsage(cpuBefore);
const threadAfter = threadMs();
const whole = process.cpuUsage();
const sample: Sample = {
  ...counts,
  cpuNs: (used.user + used.system) * 1000,
  ...(schedstat < 0 ? {} : { threadNs: (threadAfter - threadBefore) * 1e6 }),
  processNs: (whole.user + whole.system) * 1000,
};
// The observer's entries arrive once the loop gives the event loop a turn.
await setImmediate();
await setImmediate();
const of = (...kinds: number[]) => pauses.filter((pause) => kinds.includes(pause.kind)).length;
const gc: GcReport = {
  minor: of(constants.NODE_PERFORMANCE_GC_MINOR),
  major: of(constants.NODE_PERFORMANCE_GC_MAJOR, constants.NODE_PERFORMANCE_GC_INCREMENTAL),
  totalMs: pauses.reduce((sum, pause) => sum + pause.ms, 0),
  longestMs: pauses.reduce((most, pause) => Math.max(most, pause.ms), 0),
  bursts: BOUNDS.map((bound, i) => ({ belowMs: Number.isFinite(bound) ? bound : null, count: burstCounts[i] ?? 0 })),
  longestBursts: longest.sort((a, b) => b.ms - a.ms),
  maxRss: process.resourceUsage().maxRSS * 1024,
};
console.log(JSON.stringify(gcFlag === '--gc' ? { ...sample, gc } : sample));
process.exit();
