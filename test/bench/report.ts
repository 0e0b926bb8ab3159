/** Turns samples into the table that a benchmark prints. */
import type { Sample } from './floor.ts';

/** What one subject cost over all runs of one shape, in nanoseconds of CPU per packet. */
export interface Cost {
  readonly subject: string;
  /** Median and least of the measured loop. */
  readonly median: number;
  readonly min: number;
  /** Median of the whole process, start-up included. */
  readonly process: number;
  /** Median and least, divided by those of the floor of the same shape; undefined where they are not the same work. */
  readonly ratio: number | undefined;
  readonly minRatio: number | undefined;
  /** Median of the packets' own thread, as a multiple of the floor's: without what the engine compiles beside it. */
  readonly threadRatio: number | undefined;
  /** The work was not the floor's: what differs. */
  readonly differs: readonly string[];
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const high = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? high : (high + (sorted[middle - 1] ?? high)) / 2;
}

/** `floor`: samples of the floor; `compare`: the subject claims to have done the floor's whole work. */
export function cost(
  subject: string,
  packets: number,
  samples: readonly Sample[],
  floor: readonly Sample[] | undefined,
  compare: boolean,
): Cost {
  const perPacket = (of: (sample: Sample) => number, list: readonly Sample[]) => list.map((s) => of(s) / packets);
  const loop = perPacket((s) => s.cpuNs, samples);
  const base = floor === undefined ? undefined : perPacket((s) => s.cpuNs, floor);
  const thread = median(perPacket((s) => s.threadNs ?? Number.NaN, samples));
  const threadRatio = base === undefined || Number.isNaN(thread) ? undefined : thread / median(base);
  const [sample, wanted] = [samples[0], floor?.[0]];
  const keys = ['packets', 'bytes', 'delivered', 'connPackets', 'connBytes'] as const;
  const differs =
    compare && sample !== undefined && wanted !== undefined
      ? keys.filter((key) => sample[key] !== wanted[key]).map((key) => `${key} ${sample[key]}, floor ${wanted[key]}`)
      : [];
  return {
    subject,
    median: median(loop),
    min: Math.min(...loop),
    process: median(perPacket((s) => s.processNs, samples)),
    ratio: base === undefined ? undefined : median(loop) / median(base),
    minRatio: base === undefined ? undefined : Math.min(...loop) / Math.min(...base),
    threadRatio,
    differs,
  };
}

/** One shape's table: a line per subject. */
export function printTable(title: string, costs: readonly Cost[]): string {
  const rows = [
    ['', 'median', 'min', 'process', 'ratio', 'min ratio', 'thread ratio'],
    ...costs.map((c) => [
      c.subject,
      c.median.toFixed(0),
      c.min.toFixed(0),
      c.process.toFixed(0),
      c.ratio?.toFixed(2) ?? '',
      c.minRatio?.toFixed(2) ?? '',
      c.threadRatio?.toFixed(2) ?? '',
    ]),
  ];
  const widths = [0, 1, 2, 3, 4, 5, 6].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const lines = rows.map((row) =>
    row
      .map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0)))
      .join('  ')
      .trimEnd(),
  );
  const notes = costs.flatMap((c) => c.differs.map((what) => `! ${c.subject} did other work than the floor: ${what}`));
  return [title, ...lines.map((line) => `  ${line}`), ...notes].join('\n');
}
