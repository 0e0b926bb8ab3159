/** What a run did, in a few lines for people: printed on the standard error when it ends. */
import type { DispatchCounts } from '../dispatch/threads.ts';
import { Counter, type CounterName, type Counters, namedCounters } from '../stats/counters.ts';

/** Everything a run knows of itself at its end, summed over its cores. */
export interface RunSummary {
  /** Packets and bytes on the wire that were handed over by the source. */
  readonly packets: number;
  readonly bytes: number;
  /** Wall-clock time of the run, in seconds. */
  readonly seconds: number;
  readonly counters: Counters;
  /** Lines written, by subscription. */
  readonly delivered: ReadonlyMap<string, number>;
  /** Exceptions of user code, by subscription. */
  readonly userErrors: ReadonlyMap<string, number>;
  /** Counters of user code, by name and labels. */
  readonly metrics?: ReadonlyMap<string, number>;
  /** Lines of those delivered that were not written, because the reader of the output was too slow. */
  readonly linesDropped?: number;
  /** Packets of flows that are not in the sample. */
  readonly sampledOut?: number;
  /** Deliveries to handlers on other threads, by subscription. */
  readonly dispatched?: ReadonlyMap<string, DispatchCounts>;
  /** Packets lost before they reached us, by the name of the counter. */
  readonly lost: Readonly<Record<string, number>>;
  /** Why the run ended before its input did. */
  readonly stopped?: string;
}

/** Counters that say why a frame has no TCP or UDP header. */
const UNDECODED: readonly CounterName[] = [
  'not_ip',
  'other_transport',
  'fragments',
  'unknown_link_type',
  'encrypted_link',
  'truncated_link',
  'truncated_ipv4',
  'bad_ipv4_header',
  'truncated_ipv6',
  'bad_ipv6_header',
  'truncated_tcp',
  'bad_tcp_header',
  'truncated_udp',
  'bad_udp_header',
  'bad_checksum',
];
/** Counters of tunnels, with the word for each. */
const TUNNELS: readonly (readonly [CounterName, string])[] = [
  ['decapsulated', 'opened'],
  ['tunnels_unread', 'without a packet that can be read'],
  ['tunnels_truncated', 'truncated'],
  ['tunnels_malformed', 'malformed'],
  ['tunnels_too_deep', 'too deep'],
];
/** Counters that say how connections ended, with the word for it. */
const ENDED: readonly (readonly [CounterName, string])[] = [
  ['ended_fin', 'fin'],
  ['ended_rst', 'rst'],
  ['ended_establish_timeout', 'establish_timeout'],
  ['ended_inactivity_timeout', 'inactivity_timeout'],
  ['ended_reused', 'reused'],
  ['conns_evicted', 'evicted'],
  ['ended_drain', 'drain'],
];
/** Counters of what became of fragments, of IP datagrams and of 802.11 frames, with the word for each. */
const FRAGMENTS: readonly (readonly [CounterName, string])[] = [
  ['datagrams_reassembled', 'datagrams reassembled'],
  ['datagrams_timed_out', 'timed out'],
  ['fragments_dropped', 'fragments dropped'],
];
/** Counters of holes in TCP streams, with the word for each. */
const GAPS: readonly (readonly [CounterName, string])[] = [
  ['stream_gaps', 'gaps'],
  ['stream_gap_bytes', 'bytes lost in them'],
  ['reassembly_timeouts', 'given up by tcp_reassembly_timeout'],
  ['out_of_window_segments', 'segments out of window'],
];
/** Counters of what was given up for want of room, with the setting that gives more. */
const REFUSED: readonly (readonly [CounterName, string])[] = [
  ['conns_refused', 'connections not tracked: the table was full (max_connections)'],
  ['conns_evicted', 'connections evicted: the table was full (max_connections)'],
  ['streams_refused', 'streams not reassembled: all were in use (max_streams)'],
  ['reassembly_overflows', 'gaps given up: too much was out of order (max_out_of_order)'],
];

/** The summary as text, its last newline included. */
export function summaryText(run: RunSummary): string {
  const named = namedCounters(run.counters);
  const rows: [string, string][] = [];
  const perSecond = (amount: number) => amount / Math.max(run.seconds, 1e-6);
  rows.push([
    'packets',
    `${whole(run.packets)}, ${scaled(run.bytes, 'B')} in ${run.seconds.toFixed(3)} s ` +
      `(${scaled(perSecond(run.packets), 'pps')}, ${scaled(perSecond(run.bytes * 8), 'bps')})`,
  ]);
  if (run.stopped !== undefined) rows.push(['stopped', run.stopped]);
  const { sampledOut = 0 } = run;
  if (sampledOut > 0) rows.push(['sampled out', `${whole(sampledOut)} packets of flows that are not in the sample`]);
  const undecoded = list(UNDECODED.map((name) => [name, named[name]]));
  if (undecoded !== '') rows.push(['no tcp or udp', undecoded]);
  const tunnels = list(TUNNELS.map(([name, word]) => [word, named[name]]));
  if (tunnels !== '') rows.push(['tunnels', tunnels]);
  const fragments = list(FRAGMENTS.map(([name, word]) => [word, named[name]]));
  if (fragments !== '') rows.push(['fragments', fragments]);
  if (named.malformed > 0) {
    rows.push(['malformed', `${whole(named.malformed)} packets whose headers promise more than was on the wire`]);
  }
  const ended = list(ENDED.map(([name, word]) => [word, named[name]]));
  rows.push([
    'connections',
    `${whole(run.counters[Counter.CONNS_OPENED])}${ended === '' ? '' : `, ended by ${ended}`}`,
  ]);
  if (named.midstream_packets > 0) {
    const settings = 'init_synack, init_fin, init_rst, init_data';
    rows.push(['not opened', `${whole(named.midstream_packets)} packets of TCP connections under way (${settings})`]);
  }
  const gaps = list(GAPS.map(([name, word]) => [word, named[name]]));
  if (gaps !== '') rows.push(['streams', gaps]);
  if (named.l7_sessions > 0) rows.push(['sessions', whole(named.l7_sessions)]);
  const lines = list([...run.delivered]);
  const { linesDropped = 0 } = run;
  rows.push([
    'lines',
    (lines === '' ? '0' : lines) +
      (linesDropped > 0 ? ` (DROPPED ${whole(linesDropped)} of them: the reader of the output was too slow)` : ''),
  ]);
  const dispatched = [...(run.dispatched ?? [])];
  if (dispatched.length > 0) {
    const amounts = dispatched.map(([name, { dispatched, done, dropped }]) =>
      done === dispatched
        ? `${name} ${whole(done)}`
        : `${name} ${whole(dispatched)} (done ${whole(done)}, DROPPED ${whole(dropped)})`,
    );
    rows.push(['dispatched', amounts.join(', ')]);
  }
  const metrics = list([...(run.metrics ?? [])]);
  if (metrics !== '') rows.push(['metrics', metrics]);
  const errors = list([...run.userErrors]);
  if (errors !== '') rows.push(['user errors', errors]);
  for (const [name, words] of REFUSED) if (named[name] > 0) rows.push(['given up', `${whole(named[name])} ${words}`]);
  const lost = list(Object.entries(run.lost));
  if (lost !== '') rows.push(['LOST', lost]);
  const width = Math.max(...rows.map(([label]) => label.length));
  return rows.map(([label, text]) => `${label.padEnd(width)}  ${text}\n`).join('');
}

/** The summary for machines: one line of JSON, its newline included; counters that are zero are left out. */
export function summaryJson(run: RunSummary, more: Readonly<Record<string, unknown>> = {}): string {
  const { packets, bytes, seconds, stopped, counters, delivered, userErrors, lost } = run;
  const record = {
    kind: 'summary',
    packets,
    bytes,
    seconds: Math.round(seconds * 1e6) / 1e6,
    ...(stopped === undefined ? {} : { stopped }),
    counters: Object.fromEntries(Object.entries(namedCounters(counters)).filter(([, count]) => count !== 0)),
    delivered: Object.fromEntries(delivered),
    ...(run.linesDropped === undefined ? {} : { lines_dropped: run.linesDropped }),
    ...(run.sampledOut === undefined ? {} : { sampled_out: run.sampledOut }),
    ...(run.metrics === undefined || run.metrics.size === 0 ? {} : { metrics: Object.fromEntries(run.metrics) }),
    ...(run.dispatched === undefined || run.dispatched.size === 0
      ? {}
      : { dispatch: Object.fromEntries(run.dispatched) }),
    user_errors: Object.fromEntries(userErrors),
    lost,
    ...more,
  };
  return `${JSON.stringify(record)}\n`;
}

/** `a 12, b 3`: the amounts that are not zero. */
function list(amounts: readonly (readonly [string, number])[]): string {
  return amounts
    .filter(([, amount]) => amount > 0)
    .map(([name, amount]) => `${name} ${whole(amount)}`)
    .join(', ');
}

function whole(amount: number): string {
  return amount.toLocaleString('en-US', { maximumFractionDigits: 0 });
}

/** Three digits and a decimal prefix. */
function scaled(amount: number, unit: string): string {
  let value = amount;
  for (const prefix of ['', 'k', 'M', 'G']) {
    if (value < 999.5) return `${value.toPrecision(value < 1 ? 1 : 3).replace(/\.0+$/, '')} ${prefix}${unit}`;
    value /= 1000;
  }
  return `${value.toPrecision(4)} T${unit}`;
}
