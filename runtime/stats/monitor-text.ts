/** A look at a run as text: a table for a terminal, a line for a log, a line of JSON for a machine. */
import { type CoreSample, lostByPort, type PortSample, rates, type Sample, totalsOf } from './sample.ts';

export interface DisplayOptions {
  readonly throughput: boolean;
  readonly mempoolUsage: boolean;
  /** Parts of the names of device counters to show. */
  readonly portStats: readonly string[];
}

/** `12,345`. */
export function whole(amount: number): string {
  return amount.toLocaleString('en-US', { maximumFractionDigits: 0 });
}

/** Three digits with a decimal prefix, as in `1.25 Mpps`. */
export function scaled(amount: number, unit: string): string {
  let value = amount;
  for (const prefix of ['', 'k', 'M', 'G']) {
    if (value < 999.5) {
      const digits = value === 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
      return `${value.toFixed(digits)} ${prefix}${unit}`;
    }
    value /= 1000;
  }
  return `${value.toFixed(2)} T${unit}`;
}

/** `3.4 %`. */
function percent(part: number, all: number): string {
  return `${((100 * part) / Math.max(all, 1)).toFixed(1)} %`;
}

/** `01:02:03`. */
export function clock(seconds: number): string {
  const s = Math.floor(seconds);
  return [Math.floor(s / 3600), Math.floor(s / 60) % 60, s % 60].map((n) => String(n).padStart(2, '0')).join(':');
}

/** Counters of a device that were asked for. */
export function chosen(xstats: Readonly<Record<string, number>>, parts: readonly string[]): [string, number][] {
  return Object.entries(xstats).filter(([name]) => parts.some((part) => name.includes(part)));
}

type Row = readonly string[];

/** Columns lined up: the first to the left, the others to the right. */
function aligned(rows: readonly Row[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join('  ')
      .trimEnd(),
  );
}

/** The table of a terminal, each line without its newline. `before` is the look that rates are counted from. */
export function tableLines(sample: Sample, before: Sample, options: DisplayOptions): string[] {
  const totals = totalsOf(sample);
  const span = sample.seconds - before.seconds;
  const rate = rates(totalsOf(before), totals, span);
  const lost = totals.lostInPorts + totals.lostInCores;
  const offered = totals.packets + lost;
  const head = [`iris  ${clock(sample.seconds)}`];
  if (options.throughput) head.push(scaled(rate.pps, 'pps'), scaled(rate.bps, 'bps'));
  head.push(`${whole(totals.connections)} connections`);
  head.push(lost > 0 ? `LOST ${whole(lost)} packets (${percent(lost, offered)})` : 'no loss');
  if (totals.linesDropped > 0) head.push(`DROPPED ${whole(totals.linesDropped)} lines`);
  return [
    head.join('   '),
    ...aligned([coreHead(options), ...sample.cores.map((core, i) => coreRow(core, before.cores[i], span, options))]),
    ...aligned([PORT_HEAD, ...sample.ports.map(portRow)]),
    ...sample.ports.flatMap((port) =>
      chosen(port.xstats, options.portStats).map(([name, value]) => `  ${port.name} ${name} ${whole(value)}`),
    ),
    ...dispatchRows(sample),
  ];
}

function coreHead({ throughput, mempoolUsage }: DisplayOptions): Row {
  return [
    'core',
    ...(throughput ? ['pps', 'bps'] : []),
    'packets',
    'filtered',
    'processed',
    'connections',
    'sessions',
    'delivered',
    ...(mempoolUsage ? ['mempool'] : []),
  ];
}

function coreRow(
  core: CoreSample,
  before: CoreSample | undefined,
  span: number,
  { throughput, mempoolUsage }: DisplayOptions,
): Row {
  const { pps, bps } = rates(before ?? { packets: 0, bytes: 0 }, core, span);
  return [
    `${core.core}`,
    ...(throughput ? [scaled(pps, 'pps'), scaled(bps, 'bps')] : []),
    whole(core.packets),
    whole(core.filtered),
    whole(core.processed),
    whole(core.connections),
    whole(core.sessions),
    whole(core.delivered.reduce((all, [, count]) => all + count, 0)),
    ...(mempoolUsage ? [percent(core.mempool.inUse, core.mempool.capacity)] : []),
  ];
}

const PORT_HEAD: Row = ['port', 'packets in', 'bytes in', 'filtered in hw', 'dropped in hw', 'dropped in sw'];

function portRow({ name, stats, hardwareFiltered }: PortSample): Row {
  return [
    name,
    whole(stats.ipackets + stats.imissed),
    scaled(stats.ibytes, 'B'),
    hardwareFiltered === undefined ? '-' : whole(hardwareFiltered),
    whole(stats.imissed + stats.ierrors),
    whole(stats.rxNombuf + stats.socketDrops),
  ];
}

/** A line for each subscription whose handler runs on another thread. */
function dispatchRows({ dispatch = new Map() }: Sample): string[] {
  if (dispatch.size === 0) return [];
  const rows = [...dispatch].map(([name, counts]) => [
    name,
    ...[counts.dispatched, counts.done, counts.dropped].map((amount) => whole(amount)),
  ]);
  return aligned([['dispatch', 'dispatched', 'done', 'DROPPED'], ...rows]);
}

/** One line, its newline included, for what is not a terminal. */
export function sampleLine(sample: Sample, before: Sample, options: DisplayOptions): string {
  const totals = totalsOf(sample);
  const { pps, bps } = rates(totalsOf(before), totals, sample.seconds - before.seconds);
  const parts = [`${clock(sample.seconds)}`];
  if (options.throughput) parts.push(scaled(pps, 'pps'), scaled(bps, 'bps'));
  parts.push(
    `packets ${whole(totals.packets)}`,
    `filtered ${whole(totals.filtered)}`,
    `processed ${whole(totals.processed)}`,
    `connections ${whole(totals.connections)}`,
    `delivered ${whole(totals.delivered)}`,
  );
  if (options.mempoolUsage) {
    const fullest = Math.max(0, ...sample.cores.map(({ mempool }) => mempool.inUse / Math.max(1, mempool.capacity)));
    parts.push(`mempool ${percent(fullest, 1)}`);
  }
  const { hardwareFiltered, lostInPorts, lostInCores } = totals;
  if (hardwareFiltered > 0) parts.push(`filtered in hardware ${whole(hardwareFiltered)}`);
  parts.push(`lost ${whole(lostInPorts + lostInCores)}`);
  if (totals.linesDropped > 0) parts.push(`lines DROPPED ${whole(totals.linesDropped)}`);
  for (const port of sample.ports) {
    for (const [name, value] of chosen(port.xstats, options.portStats)) {
      parts.push(`${port.name} ${name} ${whole(value)}`);
    }
  }
  for (const [name, { dispatched, done, dropped }] of sample.dispatch ?? []) {
    parts.push(`${name} dispatched ${whole(dispatched)} done ${whole(done)} dropped ${whole(dropped)}`);
  }
  return `iris: ${parts.join(', ')}\n`;
}

/** One line of JSON, its newline included: everything of the sample, with rates since `before`. */
export function sampleJson(sample: Sample, before: Sample): string {
  const totals = totalsOf(sample);
  const span = sample.seconds - before.seconds;
  return `${JSON.stringify({
    kind: 'monitor',
    seconds: round(sample.seconds),
    ...rounded(rates(totalsOf(before), totals, span)),
    ...totals,
    ...(sample.dispatch === undefined || sample.dispatch.size === 0
      ? {}
      : { dispatch: Object.fromEntries(sample.dispatch) }),
    cores: sample.cores.map(({ counters: _, delivered, mempool: { capacity, inUse }, ...core }, i) => ({
      ...core,
      mempool: { capacity, inUse },
      delivered: Object.fromEntries(delivered),
      ...rounded(rates(before.cores[i] ?? { packets: 0, bytes: 0 }, core, span)),
    })),
    ports: sample.ports.map(({ name, driver, stats, hardwareFiltered, xstats }) => ({
      name,
      driver,
      packets: stats.ipackets,
      bytes: stats.ibytes,
      missed: stats.imissed,
      errors: stats.ierrors,
      no_buffer: stats.rxNombuf,
      socket_drops: stats.socketDrops,
      lost: lostByPort(stats),
      ...(hardwareFiltered === undefined ? {} : { hardware_filtered: hardwareFiltered }),
      ...(Object.keys(xstats).length === 0 ? {} : { xstats }),
    })),
  })}\n`;
}

const round = (value: number): number => Math.round(value * 1000) / 1000;
const rounded = ({ pps, bps }: { readonly pps: number; readonly bps: number }) => ({
  pps: Math.round(pps),
  bps: Math.round(bps),
});
