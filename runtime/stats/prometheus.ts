/**
 * A look at a run in Prometheus's text exposition format, version 0.0.4: families of each core, of each port, of the run,
 * and of user code. Counters are since the start of the run.
 */
import { COUNTER_NAMES } from './counters.ts';
import type { MetricInfo } from './metrics.ts';
import type { CoreSample, PortSample, Sample } from './sample.ts';

export const CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

/** The metrics of one worker's user code. */
export interface UserMetrics {
  readonly core: number;
  readonly metrics: readonly MetricInfo[];
  readonly values: Float64Array;
}

type Labels = Readonly<Record<string, string | number>>;

interface Family {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge';
  readonly samples: (readonly [labels: Labels, value: number])[];
}

const escapeHelp = (text: string): string => text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
const escapeLabel = (text: string): string => escapeHelp(text).replaceAll('"', '\\"');

function number(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf';
  return String(value);
}

function text({ name, help, type, samples }: Family): string {
  const lines = samples.map(([labels, value]) => {
    const list = Object.entries(labels).map(([label, of]) => `${label}="${escapeLabel(String(of))}"`);
    return `${name}${list.length === 0 ? '' : `{${list.join(',')}}`} ${number(value)}\n`;
  });
  return `# HELP ${name} ${escapeHelp(help)}\n# TYPE ${name} ${type}\n${lines.join('')}`;
}

type Of<T> = readonly [name: string, help: string, type: Family['type'], value: (of: T) => number | undefined];

const CORE_FAMILIES: readonly Of<CoreSample>[] = [
  ['packets_total', 'Packets taken from receive queues.', 'counter', (c) => c.packets],
  ['bytes_total', 'Bytes on the wire of those packets.', 'counter', (c) => c.bytes],
  ['filtered_packets_total', 'TCP and UDP packets that the packet filter dropped.', 'counter', (c) => c.filtered],
  ['processed_packets_total', 'Packets of tracked connections.', 'counter', (c) => c.processed],
  ['oversize_packets_total', 'Packets lost because they were too long.', 'counter', (c) => c.oversize],
  ['sampled_out_packets_total', 'Packets dropped on purpose by flow sampling.', 'counter', (c) => c.sampledOut],
  [
    'dropped_lines_total',
    'Lines of the output dropped because its reader is too slow.',
    'counter',
    (c) => c.linesDropped,
  ],
  ['connections', 'Connections tracked now.', 'gauge', (c) => c.connections],
  ['connections_opened_total', 'Connections that began.', 'counter', (c) => c.opened],
  ['connections_ended_total', 'Connections that ended while they were tracked.', 'counter', (c) => c.ended],
  ['connections_refused_total', 'Connections not tracked because the table was full.', 'counter', (c) => c.refused],
  ['sessions_total', 'Sessions parsed: handshakes, transactions.', 'counter', (c) => c.sessions],
  ['user_errors_total', 'Exceptions of user code.', 'counter', (c) => c.userErrors],
  ['mempool_buffers', 'Packet buffers of the core.', 'gauge', (c) => c.mempool.capacity],
  ['mempool_buffers_in_use', 'Packet buffers that hold a packet or wait in a queue.', 'gauge', (c) => c.mempool.inUse],
];

const PORT_FAMILIES: readonly Of<PortSample>[] = [
  ['packets_total', 'Packets received.', 'counter', (p) => p.stats.ipackets],
  ['bytes_total', 'Bytes received.', 'counter', (p) => p.stats.ibytes],
  ['missed_packets_total', 'Packets lost because a queue was full.', 'counter', (p) => p.stats.imissed],
  ['error_packets_total', 'Packets that the device found broken.', 'counter', (p) => p.stats.ierrors],
  ['no_buffer_packets_total', 'Packets lost because no buffer was free.', 'counter', (p) => p.stats.rxNombuf],
  ['socket_drops_total', 'Packets lost because a packet socket was full.', 'counter', (p) => p.stats.socketDrops],
  [
    'hardware_filtered_packets_total',
    'Packets that the hardware filter dropped because nobody asked for them.',
    'counter',
    (p) => p.hardwareFiltered,
  ],
];

function families<T>(prefix: string, of: readonly Of<T>[], all: readonly T[], labels: (one: T) => Labels): Family[] {
  return of.map(([name, help, type, value]) => ({
    name: `${prefix}_${name}`,
    help,
    type,
    samples: all.flatMap((one) => {
      const amount = value(one);
      return amount === undefined ? [] : [[labels(one), amount] as const];
    }),
  }));
}

/** The whole answer to a scrape. `info`: labels of `iris_build_info`. */
export function exposition(sample: Sample, user: readonly UserMetrics[], info: Labels): string {
  const { cores, ports } = sample;
  const of = (core: CoreSample): Labels => ({ core: core.core });
  const all: Family[] = [
    { name: 'iris_build_info', help: 'What runs.', type: 'gauge', samples: [[info, 1]] },
    {
      name: 'iris_run_seconds',
      help: 'Seconds since packets flow.',
      type: 'gauge',
      samples: [[{}, Math.round(sample.seconds * 1000) / 1000]],
    },
    ...families('iris_core', CORE_FAMILIES, cores, of),
    {
      name: 'iris_core_deliveries_total',
      help: 'Deliveries to a subscription that were written as lines.',
      type: 'counter',
      samples: cores.flatMap((core) =>
        core.delivered.map(([subscription, count]) => [{ ...of(core), subscription }, count] as const),
      ),
    },
    {
      name: 'iris_core_events_total',
      help: 'Everything that a core counts, by name: frames by what they were, connections and streams by fate.',
      type: 'counter',
      samples: cores.flatMap((core) =>
        COUNTER_NAMES.map((event, i) => [{ ...of(core), event }, core.counters[i] ?? 0] as const),
      ),
    },
    ...dispatchFamilies(sample),
    ...families('iris_port', PORT_FAMILIES, ports, ({ name, driver }) => ({ port: name, driver })),
    ...userFamilies(user),
  ];
  return all
    .filter(({ samples }) => samples.length > 0)
    .map(text)
    .join('');
}

const DISPATCH_FAMILIES = [
  ['dispatched', 'Deliveries to handlers on other threads, those dropped included.'],
  ['done', 'Deliveries that handlers on other threads are done with.'],
  ['dropped', 'Deliveries dropped because the handler was too slow.'],
] as const;

function dispatchFamilies({ dispatch = new Map() }: Sample): Family[] {
  return DISPATCH_FAMILIES.map(([key, help]) => ({
    name: `iris_run_${key === 'dispatched' ? key : `dispatch_${key}`}_total`,
    help,
    type: 'counter',
    samples: [...dispatch].map(([subscription, counts]) => [{ subscription }, counts[key]] as const),
  }));
}

/** User metrics of all workers by family; those that are not per core are added up. */
function userFamilies(user: readonly UserMetrics[]): Family[] {
  const found = new Map<string, Family>();
  const sums = new Map<string, { family: Family; labels: Labels; value: number }>();
  for (const { core, metrics, values } of user) {
    for (const { name, help, type, labels, perCore, slot } of metrics) {
      const family = found.get(name) ?? { name, help, type, samples: [] };
      found.set(name, family);
      const value = values[slot] ?? 0;
      if (perCore) {
        family.samples.push([{ core, ...labels }, value]);
        continue;
      }
      const key = `${name} ${JSON.stringify(Object.entries(labels).sort())}`;
      const sum = sums.get(key) ?? { family, labels, value: 0 };
      sum.value += value;
      sums.set(key, sum);
    }
  }
  for (const { family, labels, value } of sums.values()) family.samples.push([labels, value]);
  return [...found.values()];
}
