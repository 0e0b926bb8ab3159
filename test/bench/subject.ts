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
  /** Longest time between two polls of the source: a burst with all that interrupted it. */
  readonly longestBurstMs: number;
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

let longest = 0;
let last = 0;
const onPoll = () => {
  const now = performance.now();
  if (last !== 0) longest = Math.max(longest, now - last);
  last = now;
};

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
  longestBurstMs: longest,
};
console.log(JSON.stringify(gcFlag === '--gc' ? { ...sample, gc } : sample));
process.exit();
