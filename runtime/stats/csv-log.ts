/**
 * The CSV log of a run: the columns and lines of its files. One file a port (`port0.csv`: `ts`, the device's counters that
 * were asked for, its mempools) and one a core (`core1.csv`). `ts` is in milliseconds since packets flow.
 */
import { chosen } from './monitor-text.ts';
import type { CoreSample, PortSample } from './sample.ts';

/** A field as RFC 4180 has it. */
function field(value: string | number): string {
  const text = String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** A line of CSV, its newline included. */
export function csvLine(fields: readonly (string | number)[]): string {
  return `${fields.map(field).join(',')}\n`;
}

/** Columns between `ts` and the device's counters. */
const PORT_COLUMNS = [
  'packets',
  'bytes',
  'missed',
  'errors',
  'no_buffer',
  'socket_drops',
  'hardware_filtered',
] as const;

/** The columns of a port's file; its device counters are fixed by the first look. */
export function portColumns(first: PortSample, portStats: readonly string[]): string[] {
  const names = chosen(first.xstats, portStats).map(([name]) => name);
  return ['ts', ...PORT_COLUMNS, ...names, 'mempool_avail_cnt', 'mempool_inuse_cnt'];
}

/** A line for `columns`; `mempool` is that of all cores on the port together. */
export function portLine(
  ms: number,
  { stats, hardwareFiltered, xstats }: PortSample,
  mempool: CoreSample['mempool'],
  columns: readonly string[],
): string {
  const own: Readonly<Record<string, number | string>> = {
    ...xstats,
    ts: Math.round(ms),
    packets: stats.ipackets,
    bytes: stats.ibytes,
    missed: stats.imissed,
    errors: stats.ierrors,
    no_buffer: stats.rxNombuf,
    socket_drops: stats.socketDrops,
    hardware_filtered: hardwareFiltered ?? '-',
    mempool_avail_cnt: mempool.capacity - mempool.inUse,
    mempool_inuse_cnt: mempool.inUse,
  };
  return csvLine(columns.map((column) => own[column] ?? '-'));
}

export const CORE_COLUMNS: readonly string[] = [
  'ts',
  'packets',
  'bytes',
  'filtered',
  'processed',
  'connections',
  'opened',
  'ended',
  'sessions',
  'delivered',
  'user_errors',
  'refused',
  'evicted',
  'oversize',
  'sampled_out',
  'lines_dropped',
  'mempool_avail_cnt',
  'mempool_inuse_cnt',
];

export function coreLine(ms: number, core: CoreSample): string {
  return csvLine([
    Math.round(ms),
    core.packets,
    core.bytes,
    core.filtered,
    core.processed,
    core.connections,
    core.opened,
    core.ended,
    core.sessions,
    core.delivered.reduce((all, [, count]) => all + count, 0),
    core.userErrors,
    core.refused,
    core.evicted,
    core.oversize,
    core.sampledOut,
    core.linesDropped,
    core.mempool.capacity - core.mempool.inUse,
    core.mempool.inUse,
  ]);
}
