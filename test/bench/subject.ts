/**
 * One measured run of this project on a capture, as a process of its own: `node subject.js STAGE CAPTURE MAX [--gc]`.
 * Prints one JSON line, a Sample and what the garbage collector did.
 */

import { readFileSync } from 'node:fs';
import { constants, PerformanceObserver } from 'node:perf_hooks';
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
   * CPU time between two polls of the source, a burst with all that the program itself put into it: how many took less
   * than each bound and not less than the one before. The last bound is none. CPU time, all threads, because on a busy
   * machine the clock tells of the others.
   */
  readonly bursts: readonly { readonly belowMs: number | null; readonly count: number }[];
  /** The longest of them, the same by the clock, and the CPU time from the first poll to their ends. */
  readonly longestBursts: readonly { readonly ms: number; readonly clockMs: number; readonly atMs: number }[];
  /** Most bytes of memory the process ever had resident. */
  readonly maxRss: number;
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
/** The longest so far: CPU milliseconds, the same by the clock, and when it ended. */
const longest = Array.from({ length: 5 }, () => ({ ms: 0, clockMs: 0, atMs: 0 }));
let first = -1;
let cpuBefore = 0;
let clockBefore = 0;
const onPoll = () => {
  const { user, system } = process.cpuUsage();
  const cpu = (user + system) / 1000;
  const clock = performance.now();
  if (first < 0) first = cpu;
  else noteBurst({ ms: cpu - cpuBefore, clockMs: clock - clockBefore, atMs: cpu - first });
  cpuBefore = cpu;
  clockBefore = clock;
};

function noteBurst(burst: { ms: number; clockMs: number; atMs: number }): void {
  const bucket = BOUNDS.findIndex((bound) => burst.ms < bound);
  burstCounts[bucket] = (burstCounts[bucket] ?? 0) + 1;
  const least = longest.reduce((low, { ms }, i) => (ms < (longest[low]?.ms ?? 0) ? i : low), 0);
  if (burst.ms > (longest[least]?.ms ?? 0)) longest[least] = burst;
}

/** CPU time of this thread in nanoseconds; undefined where the system does not tell. */
function threadNs(): number | undefined {
  try {
    return Number(readFileSync('/proc/thread-self/schedstat', 'latin1').split(' ')[0]);
  } catch {
    return undefined;
  }
}

const work = await prepare(capture, Number(max), gcFlag === '--gc' ? onPoll : undefined);
await setImmediate();
pauses.length = 0;
const threadBefore = threadNs();
const before = process.cpuUsage();
const counts = await work();
const used = process.cpuUsage(before);
const threadAfter = threadNs();
const whole = process.cpuUsage();
const sample: Sample = {
  ...counts,
  cpuNs: (used.user + used.system) * 1000,
  ...(threadBefore === undefined || threadAfter === undefined ? {} : { threadNs: threadAfter - threadBefore }),
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
