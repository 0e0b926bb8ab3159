/**
 * Metrics of user code: `counter` and `gauge`, made once at the top of a module, written from callbacks, read by the main
 * thread while the run lasts. Each worker has its own values in one shared array; writing one costs a store.
 *
 * A module is loaded by every worker, and may be bundled or installed beside the runtime that runs it: the registry
 * belongs to the thread, not to one copy of this file.
 */

export interface MetricOptions {
  /** Constant labels: metrics of one name with different labels are one family. */
  readonly labels?: Readonly<Record<string, string>>;
  /** Whether each core is shown by itself, with the label `core` (the default), or all are added up. */
  readonly perCore?: boolean;
}

/** Only grows. */
export interface CounterMetric {
  /** Adds `amount`, 1 if not given; negative amounts are not counted. */
  add(amount?: number): void;
  /** In this worker. */
  readonly value: number;
}

/** Goes up and down. */
export interface GaugeMetric {
  set(value: number): void;
  add(amount?: number): void;
  /** In this worker. */
  readonly value: number;
}

export type MetricType = 'counter' | 'gauge';

/** What a metric is, apart from its value. */
export interface MetricInfo {
  readonly name: string;
  readonly help: string;
  readonly type: MetricType;
  readonly labels: Readonly<Record<string, string>>;
  readonly perCore: boolean;
  /** Where its value stands in the shared array. */
  readonly slot: number;
}

/** Most metrics of one program. */
const MAX_METRICS = 1024;

interface Registry {
  readonly buffer: SharedArrayBuffer;
  readonly values: Float64Array;
  readonly metrics: MetricInfo[];
  /** Told of each new metric. */
  onMetric: ((metric: MetricInfo) => void) | undefined;
}

const KEY = Symbol.for('iris-ts.metrics');

function registry(): Registry {
  const home = globalThis as { [KEY]?: Registry };
  const known = home[KEY];
  if (known !== undefined) return known;
  const buffer = new SharedArrayBuffer(MAX_METRICS * 8);
  const made: Registry = { buffer, values: new Float64Array(buffer), metrics: [], onMetric: undefined };
  home[KEY] = made;
  return made;
}

/** A counter. Its name is one of Prometheus: letters, digits, `_`; a counter's best ends in `_total`. */
export function counter(name: string, help: string, options: MetricOptions = {}): CounterMetric {
  const { values, slot } = register('counter', name, help, options);
  return {
    add(amount = 1) {
      if (amount > 0) values[slot] += amount;
    },
    get value() {
      return values[slot] ?? 0;
    },
  };
}

/** A gauge. */
export function gauge(name: string, help: string, options: MetricOptions = {}): GaugeMetric {
  const { values, slot } = register('gauge', name, help, options);
  return {
    set(value) {
      values[slot] = value;
    },
    add(amount = 1) {
      values[slot] += amount;
    },
    get value() {
      return values[slot] ?? 0;
    },
  };
}

/** Names that this runtime gives its own families. */
const RESERVED = /^iris_(core|port|run|build)_/;

function register(type: MetricType, name: string, help: string, options: MetricOptions) {
  const { values, metrics, onMetric } = registry();
  const { labels = {}, perCore = true } = options;
  if (!/^[a-zA-Z_][a-zA-Z0-9_]*$/.test(name) || RESERVED.test(name)) {
    throw new TypeError(`${type}: ${JSON.stringify(name)} is no name for a metric`);
  }
  for (const label of Object.keys(labels)) {
    if (!/^[a-zA-Z_][a-zA-Z0-9_]*$/.test(label) || label.startsWith('__') || label === 'core') {
      throw new TypeError(`metric ${name}: ${JSON.stringify(label)} is no name for a label`);
    }
  }
  const relative = metrics.find((metric) => metric.name === name);
  if (relative !== undefined && relative.type !== type) {
    throw new TypeError(`metric ${name} is a ${relative.type} already`);
  }
  const key = labelKey(labels);
  const same = metrics.find((metric) => metric.name === name && labelKey(metric.labels) === key);
  if (same !== undefined) return { values, slot: same.slot };
  const slot = metrics.length;
  if (slot >= MAX_METRICS) throw new RangeError(`more than ${MAX_METRICS} metrics: labels are for few values`);
  const metric: MetricInfo = { name, help, type, labels: { ...labels }, perCore, slot };
  metrics.push(metric);
  onMetric?.(metric);
  return { values, slot };
}

function labelKey(labels: Readonly<Record<string, string>>): string {
  return JSON.stringify(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** What the calling thread's counters came to, by name and labels: for the end of a run. */
export function countedMetrics(): (readonly [metric: string, value: number])[] {
  const { metrics, values } = registry();
  return metrics
    .filter(({ type }) => type === 'counter')
    .map(({ name, labels, slot }) => {
      const list = Object.entries(labels).map(([label, value]) => `${label}=${JSON.stringify(value)}`);
      return [list.length === 0 ? name : `${name}{${list.join(',')}}`, values[slot] ?? 0] as const;
    });
}

/** The calling thread's metrics, for the main thread: `tell` gets those that are there and each that comes. */
export function shareMetrics(tell: (metric: MetricInfo, values: SharedArrayBuffer) => void): void {
  const own = registry();
  own.onMetric = (metric) => tell(metric, own.buffer);
  for (const metric of own.metrics) tell(metric, own.buffer);
}
