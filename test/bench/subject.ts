/**
 * One measured run of this project on a capture, as a process of its own: `node subject.js STAGE CAPTURE MAX [--gc]`.
 * Prints one JSON line, a Sample and what the garbage collector did.
 */

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
   * Time between two polls of the source, a burst with all that interrupted it: how many took less than each bound and
   * not less than the one before. The last bound is none.
   */
  readonly bursts: readonly { readonly belowMs: number | null; readonly count: number }[];
  /** The longest of them and when each ended, from the first poll on. */
  readonly longestBursts: readonly { readonly ms: number; readonly atMs: number }[];
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
/** The longest so far: milliseconds, and when it ended. */
const longest = new Float64Array(2 * 5);
const clock = new Float64Array(2);
const onPoll = () => {
  const now = performance.now();
  if (clock[0] === 0) clock[0] = now;
  else noteBurst(now - (clock[1] ?? 0), now - (clock[0] ?? 0));
  clock[1] = now;
};

function noteBurst(ms: number, atMs: number): void {
  let bucket = 0;
  while (ms >= (BOUNDS[bucket] ?? 0)) bucket++;
  burstCounts[bucket] = (burstCounts[bucket] ?? 0) + 1;
  let least = 0;
  for (let i = 2; i < longest.length; i += 2) if ((longest[i] ?? 0) < (longest[least] ?? 0)) least = i;
  if (ms <= (longest[least] ?? 0)) return;
  longest[least] = ms;
  longest[least + 1] = atMs;
}

const work = await prepare(capture, Number(max), gcFlag === '--gc' ? onPoll : undefined);
await setImmediate();
pauses.length = 0;
const before = process.cpuUsage();
const counts = await work();
const used = process.cpuUsage(before);
const whole = process.cpuUsage();
const sample: Sample = {
  ...counts,
  cpuNs: (used.user + used.system) * 1000,
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
  longestBursts: [0, 2, 4, 6, 8]
    .map((i) => ({ ms: longest[i] ?? 0, atMs: longest[i + 1] ?? 0 }))
    .sort((a, b) => b.ms - a.ms),
  maxRss: process.resourceUsage().maxRSS * 1024,
};
console.log(JSON.stringify(gcFlag === '--gc' ? { ...sample, gc } : sample));
process.exit();
