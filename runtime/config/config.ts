/**
 * The configuration file: TOML text to checked values. Nothing here touches files or devices; every fault of the text is
 * found in one pass and reported with its key and line.
 */
import { parse, TomlError } from 'smol-toml';
import type { ConnTrackConfig } from '../conntrack/config.ts';
import { ConfigError, ConfigErrors } from '../errors.ts';
import { type DecapConfig, FIXED_PORTS } from '../packet/decap-config.ts';
import { check, type Entry } from './check.ts';
import { DEVICE_ALLOWED, type Device, parseDevice } from './device.ts';
import { keyLines, lineOf } from './locate.ts';
import { KEYS, type KeyPath, type SCHEMA } from './schema.ts';

export interface PortConfig {
  readonly device: Device;
  readonly cores: readonly number[];
  /** Flow sampling: see runtime/lcore/sink.ts. */
  readonly sink: { readonly core: number; readonly buckets: number } | undefined;
}

/** Where the handler of a subscription runs: see runtime/dispatch/threads.ts. */
export interface DispatchConfig {
  readonly subscription: string;
  readonly mode: 'inline' | 'shared' | 'dedicated';
  /** Bytes per receive core. */
  readonly ring: number;
  readonly threads: number;
  /** undefined: captures wait, ports drop. */
  readonly onFull: 'drop' | 'wait' | undefined;
}

/** What a run shows and writes of itself while it lasts. */
export interface MonitorConfig {
  /** Absent without its section. */
  readonly display:
    | {
        readonly throughput: boolean;
        readonly mempoolUsage: boolean;
        readonly portStats: readonly string[];
        /** Milliseconds. */
        readonly interval: number;
      }
    | undefined;
  /** Absent without its section. */
  readonly log:
    | { readonly directory: string; readonly interval: number; readonly portStats: readonly string[] }
    | undefined;
}

export interface Config {
  /** Where it was read from, as in messages. */
  readonly file: string;
  readonly mainCore: number;
  readonly memoryChannels: number;
  readonly mempool: { readonly capacity: number; readonly cacheSize: number };
  readonly offline: { readonly pcap: string | undefined };
  /** Absent when the file has no ports. */
  readonly online:
    | {
        /** Seconds; undefined: until stopped. */
        readonly duration: number | undefined;
        readonly rxDescriptors: number;
        readonly promiscuous: boolean;
        readonly mtu: number;
        readonly hardwareAssist: boolean;
        readonly dpdkArgs: readonly string[];
        readonly monitor: MonitorConfig;
        /** Absent without its section. */
        readonly prometheus: { readonly port: number; readonly address: string } | undefined;
        readonly ports: readonly PortConfig[];
      }
    | undefined;
  readonly conntrack: ConnTrackConfig;
  readonly decap: DecapConfig;
  /** In the order of the file. */
  readonly dispatch: readonly DispatchConfig[];
  /** Sentences about keys that are given but have no effect. */
  readonly notes: readonly string[];
}

type Described<K extends KeyPath> = (typeof SCHEMA)[K];
type Plain<T extends string> = {
  integer: number;
  number: number;
  boolean: boolean;
  string: string;
  strings: readonly string[];
  cores: readonly number[];
  ports: readonly number[];
}[T & ('integer' | 'number' | 'boolean' | 'string' | 'strings' | 'cores' | 'ports')];
type Values<K extends KeyPath> =
  Described<K> extends { readonly default: infer V extends string } ? V : Plain<Described<K>['type']>;
/** Type of a key's value: absent only when it has no default and need not be given. */
export type ValueOf<K extends KeyPath> =
  Described<K> extends { readonly default: unknown } | { readonly required: true } ? Values<K> : Values<K> | undefined;

/** A configuration with every default, as when no file is given. */
export function defaultConfig(): Config {
  return parseConfig('', 'defaults');
}

/** Reads a configuration. Throws `ConfigError`, or `ConfigErrors` with all of them. */
export function parseConfig(text: string, file: string): Config {
  let tree: Record<string, unknown>;
  try {
    tree = parse(text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const reason = (error.message.split('\n')[0] ?? '').replace(/^Invalid TOML document: /, '');
    throw new ConfigError(file, 'TOML', error.line, reason);
  }
  const lines = keyLines(text);
  const errors: ConfigError[] = [];
  const report = (path: string, message: string, hint?: string) =>
    errors.push(new ConfigError(file, path, lineOf(lines, path), message, hint));
  const entries = check(tree, report);
  const config = build(file, entries, report);
  errors.sort((a, b) => (a.line ?? 0) - (b.line ?? 0));
  const [first] = errors;
  if (first !== undefined) throw errors.length === 1 ? first : new ConfigErrors(errors);
  return config;
}

type Get = <K extends KeyPath>(key: K) => ValueOf<K>;

/** The runtime counts in seconds. */
function readConntrack(get: Get): ConnTrackConfig {
  return {
    max_connections: get('conntrack.max_connections'),
    on_full: get('conntrack.on_full'),
    init_synack: get('conntrack.init_synack'),
    init_fin: get('conntrack.init_fin'),
    init_rst: get('conntrack.init_rst'),
    init_data: get('conntrack.init_data'),
    tcp_establish_timeout: get('conntrack.tcp_establish_timeout') / 1000,
    tcp_inactivity_timeout: get('conntrack.tcp_inactivity_timeout') / 1000,
    udp_inactivity_timeout: get('conntrack.udp_inactivity_timeout') / 1000,
    tcp_reassembly_timeout: get('conntrack.tcp_reassembly_timeout') / 1000,
    tcp_closed_timeout: get('conntrack.tcp_closed_timeout') / 1000,
    tcp_reuse_timeout: get('conntrack.tcp_reuse_timeout') / 1000,
    timeout_resolution: get('conntrack.timeout_resolution') / 1000,
    max_out_of_order: get('conntrack.max_out_of_order'),
    max_out_of_order_bytes: get('conntrack.max_out_of_order_bytes'),
    max_streams: get('conntrack.max_streams'),
    on_gap: get('conntrack.on_gap'),
    max_probe_bytes: get('conntrack.max_probe_bytes'),
    verify_checksums: get('conntrack.verify_checksums'),
  };
}

function readDecap(get: Get, report: Report): DecapConfig {
  const all = get('decap.all');
  const vxlan_ports = get('decap.vxlan_ports');
  const geneve_ports = get('decap.geneve_ports');
  const gtp_u_ports = get('decap.gtp_u_ports');
  const sections = [vxlan_ports, geneve_ports, gtp_u_ports];
  const names = ['vxlan_ports', 'geneve_ports', 'gtp_u_ports'];
  sections.forEach((ports, i) => {
    for (const port of ports) {
      const other = sections.findIndex((others) => others.includes(port));
      if (other < i) report(`decap.${names[i]}`, `${port} is a port of decap.${names[other]} already`);
      const fixed = FIXED_PORTS.find((one) => one.port === port);
      if (fixed !== undefined) report(`decap.${names[i]}`, `${port} is the port of decap.${fixed.kind}`);
    }
  });
  return {
    gre: get('decap.gre') ?? all,
    ipip: get('decap.ipip') ?? all,
    etherip: get('decap.etherip') ?? all,
    mpls: get('decap.mpls') ?? all,
    l2tp: get('decap.l2tp') ?? all,
    vxlan: get('decap.vxlan') ?? all,
    geneve: get('decap.geneve') ?? all,
    gtp_u: get('decap.gtp_u') ?? all,
    teredo: get('decap.teredo') ?? all,
    ayiya: get('decap.ayiya') ?? all,
    capwap: get('decap.capwap') ?? all,
    tzsp: get('decap.tzsp') ?? all,
    vxlan_ports,
    geneve_ports,
    gtp_u_ports,
    max_depth: get('decap.max_depth'),
  };
}

function readDispatch(
  entries: ReadonlyMap<string, Entry>,
  get: <K extends KeyPath>(key: K, path: string) => ValueOf<K>,
  online: boolean,
  report: Report,
): DispatchConfig[] {
  const sections = [...entries.values()].filter(({ key }) => key === 'dispatch.*');
  return sections.map(({ path }) => {
    const onFull = get('dispatch.*.on_full', `${path}.on_full`) as DispatchConfig['onFull'];
    if (online && onFull === 'wait') report(`${path}.on_full`, 'receive cores never wait; leave it out, or say "drop"');
    return {
      subscription: path.slice(path.indexOf('.') + 1),
      mode: get('dispatch.*.mode', `${path}.mode`) as DispatchConfig['mode'],
      ring: get('dispatch.*.ring', `${path}.ring`),
      threads: get('dispatch.*.threads', `${path}.threads`),
      onFull,
    };
  });
}

function readMonitor(get: Get, has: (section: string) => boolean): MonitorConfig {
  return {
    display: has('online.monitor.display')
      ? {
          throughput: get('online.monitor.display.throughput'),
          mempoolUsage: get('online.monitor.display.mempool_usage'),
          portStats: get('online.monitor.display.port_stats'),
          interval: get('online.monitor.display.interval'),
        }
      : undefined,
    log: has('online.monitor.log')
      ? {
          directory: get('online.monitor.log.directory'),
          interval: get('online.monitor.log.interval'),
          portStats: get('online.monitor.log.port_stats'),
        }
      : undefined,
  };
}

type Report = (path: string, message: string, hint?: string) => void;

function build(file: string, entries: ReadonlyMap<string, Entry>, report: Report): Config {
  /** The value of a key; `path` tells which element of an array of tables. */
  function get<K extends KeyPath>(key: K, path: string = key): ValueOf<K> {
    return (entries.get(path)?.value ?? KEYS.get(key)?.default) as ValueOf<K>;
  }
  const mempool = { capacity: get('mempool.capacity'), cacheSize: get('mempool.cache_size') };
  if (mempool.cacheSize * 1.5 > mempool.capacity) {
    const most = Math.floor(mempool.capacity / 1.5);
    report(
      'mempool.cache_size',
      `${mempool.cacheSize} is too much for a capacity of ${mempool.capacity}; at most ${most}`,
    );
  }
  const ports = readPorts(entries, report);
  const rxDescriptors = get('online.nb_rxd');
  checkCores(ports, rxDescriptors, mempool.capacity, report);
  return {
    file,
    mainCore: get('main_core'),
    memoryChannels: get('nb_memory_channels'),
    mempool,
    offline: { pcap: get('offline.pcap') },
    online:
      ports.length === 0
        ? undefined
        : {
            duration: get('online.duration'),
            rxDescriptors,
            promiscuous: get('online.promiscuous'),
            mtu: get('online.mtu'),
            hardwareAssist: get('online.hardware_assist'),
            dpdkArgs: get('online.dpdk_supl_args'),
            monitor: readMonitor(get, (section) => entries.has(section)),
            prometheus: entries.has('online.prometheus')
              ? { port: get('online.prometheus.port'), address: get('online.prometheus.address') }
              : undefined,
            ports,
          },
    conntrack: readConntrack(get),
    decap: readDecap(get, report),
    dispatch: readDispatch(entries, get, ports.length > 0, report),
    notes: notes(entries),
  };
}

const NB_BUCKETS = 'online.ports[].sink.nb_buckets' satisfies KeyPath;

function readPorts(entries: ReadonlyMap<string, Entry>, report: Report): PortConfig[] {
  const ports: PortConfig[] = [];
  const names = new Set<string>();
  const indices = [...entries.keys()].map((path) => Number(/^online\.ports\[(\d+)\]/.exec(path)?.[1] ?? -1));
  for (let i = 0; i <= Math.max(-1, ...indices); i++) {
    const path = `online.ports[${i}]`;
    const text = entries.get(`${path}.device`)?.value;
    const cores = entries.get(`${path}.cores`)?.value;
    if (typeof text !== 'string') continue;
    const device = parseDevice(text);
    if (device === undefined) {
      report(`${path}.device`, `"${text}" is no device; it must be ${DEVICE_ALLOWED}`);
      continue;
    }
    const name = device.kind === 'pci' ? device.address : device.name;
    if (names.has(name)) report(`${path}.device`, `${name} is the device of another port already`);
    names.add(name);
    if (!Array.isArray(cores)) continue;
    const core = entries.get(`${path}.sink.core`)?.value;
    const buckets = (entries.get(`${path}.sink.nb_buckets`)?.value ?? KEYS.get(NB_BUCKETS)?.default) as number;
    const sink = typeof core === 'number' ? { core, buckets } : undefined;
    if (sink !== undefined && buckets < cores.length) {
      report(`${path}.sink.nb_buckets`, `${buckets} buckets cannot be spread over ${cores.length} cores`);
    }
    ports.push({ device, cores: cores as number[], sink });
  }
  const receiving = new Set(ports.flatMap((port) => port.cores));
  ports.forEach(({ sink }, i) => {
    if (sink === undefined || !receiving.has(sink.core)) return;
    report(`online.ports[${i}].sink.core`, `core ${sink.core} receives already; a sink needs a core of its own`);
  });
  return ports;
}

/** One packet memory per core must hold the descriptors of all its queues and some packets more. */
function checkCores(ports: readonly PortConfig[], rxDescriptors: number, capacity: number, report: Report): void {
  const queues = new Map<number, number>();
  for (const port of ports) for (const core of port.cores) queues.set(core, (queues.get(core) ?? 0) + 1);
  for (const [core, n] of queues) {
    const needed = n * rxDescriptors + 128;
    if (needed <= capacity) continue;
    const queuesOf = `${n} queue${n === 1 ? '' : 's'} of ${rxDescriptors} descriptors (online.nb_rxd)`;
    report('mempool.capacity', `${capacity} packets are too few for core ${core}: ${queuesOf} need at least ${needed}`);
    return;
  }
}

function notes(entries: ReadonlyMap<string, Entry>): string[] {
  const inert = [...entries.values()].filter((entry) => KEYS.get(entry.key)?.inert === true).map((entry) => entry.path);
  if (inert.length === 0) return [];
  return [`${inert.join(', ')}: no effect in this version`];
}
