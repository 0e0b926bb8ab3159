/** The end of an online run in a few lines for people: the whole, then each core, then each port. */
import { type RunSummary, summaryJson, summaryText } from '../cli/summary.ts';
import type { Dispatch } from '../dispatch/threads.ts';
import type { PortStats } from '../source/dpdk.ts';
import { Counter, createCounters } from '../stats/counters.ts';
import { Live } from '../stats/live.ts';
import { lostOf } from './loss.ts';
import type { WorkerResult } from './messages.ts';
import type { LivePort, WorkerPlan } from './ports.ts';

export interface OnlineOutcome {
  readonly workers: readonly {
    readonly counters: Float64Array;
    readonly live: Float64Array;
    readonly result: WorkerResult | undefined;
  }[];
  /** In the order of `workers`. */
  readonly plans: readonly WorkerPlan[];
  readonly ports: readonly {
    readonly port: LivePort;
    readonly stats: PortStats;
    /** Dropped by the hardware filter; undefined where nothing counts them. */
    readonly hardwareFiltered?: number | undefined;
  }[];
  readonly seconds: number;
  readonly dispatch?: Pick<Dispatch, 'counts' | 'results'>;
  /** Why the run ended before its input did. */
  readonly stopped: string | undefined;
}

export function onlineSummary(outcome: OnlineOutcome): string {
  const { workers, plans, ports } = outcome;
  const total = summaryOf(outcome);
  const rows: [string, string][] = plans.map((plan, i) => {
    const own = workers[i]?.counters ?? total.counters;
    return [
      `core ${plan.core}`,
      list([
        ['packets', packetsOf(workers[i])],
        ['filtered', own[Counter.FILTERED_OUT]],
        ['tracked', own[Counter.TRACKED_PACKETS]],
        ['connections', own[Counter.CONNS_OPENED]],
      ]),
    ];
  });
  for (const { port, stats, hardwareFiltered } of ports) {
    const received: [string, number][] = [['received', stats.ipackets]];
    if (hardwareFiltered !== undefined) received.push(['filtered in hardware', hardwareFiltered]);
    rows.push([port.name, list([...received, ...Object.entries(lostOf(stats))])]);
  }
  const width = Math.max(...rows.map(([label]) => label.length));
  return summaryText(total) + rows.map(([label, text]) => `${label.padEnd(width)}  ${text}\n`).join('');
}

/** The same for machines: one line of JSON. */
export function onlineSummaryJson(outcome: OnlineOutcome): string {
  const { workers, plans, ports } = outcome;
  return summaryJson(summaryOf(outcome), {
    cores: plans.map(({ core }, i) => ({
      core,
      packets: packetsOf(workers[i]),
      filtered: workers[i]?.counters[Counter.FILTERED_OUT] ?? 0,
      tracked: workers[i]?.counters[Counter.TRACKED_PACKETS] ?? 0,
      connections: workers[i]?.counters[Counter.CONNS_OPENED] ?? 0,
    })),
    ports: ports.map(({ port, stats, hardwareFiltered }) => ({
      name: port.name,
      received: stats.ipackets,
      ...(hardwareFiltered === undefined ? {} : { hardware_filtered: hardwareFiltered }),
      lost: lostOf(stats),
    })),
  });
}

/** All workers and ports added up. */
function summaryOf({ workers, ports, seconds, stopped, dispatch }: OnlineOutcome): RunSummary {
  const counters = createCounters();
  for (const worker of workers) for (let i = 0; i < Counter.COUNT; i++) counters[i] += worker.counters[i];
  const results = workers.flatMap(({ result }) => (result === undefined ? [] : [result]));
  const users = [...results, ...(dispatch?.results ?? [])];
  const lost = [...results.map((result) => result.lost), ...ports.map(({ stats }) => lostOf(stats))];
  return {
    packets: sum(workers.map(packetsOf)),
    bytes: sum(workers.map(({ live, result }) => result?.bytes ?? live[Live.BYTES] ?? 0)),
    seconds,
    counters,
    sampledOut: sum(workers.map(({ live }) => live[Live.SAMPLED_OUT] ?? 0)),
    linesDropped: sum(workers.map(({ live }) => live[Live.LINES_DROPPED] ?? 0)),
    delivered: added(results.flatMap(({ delivered }) => delivered)),
    userErrors: added(users.flatMap(({ userErrors }) => userErrors)),
    metrics: added(users.flatMap(({ metrics }) => metrics)),
    ...(dispatch === undefined ? {} : { dispatched: dispatch.counts() }),
    lost: Object.fromEntries(added(lost.flatMap((counts) => Object.entries(counts)))),
    ...(stopped === undefined ? {} : { stopped }),
  };
}

/** Packets that a worker took; of one that died before its end, as far as it told. */
function packetsOf(worker: OnlineOutcome['workers'][number] | undefined): number {
  return worker?.result?.packets ?? worker?.live[Live.PACKETS] ?? 0;
}

function list(amounts: readonly (readonly [string, number])[]): string {
  return amounts.map(([name, amount]) => `${name} ${amount.toLocaleString('en-US')}`).join(', ');
}

function sum(amounts: readonly number[]): number {
  return amounts.reduce((all, amount) => all + amount, 0);
}

/** Amounts of the same name added up. */
function added(amounts: readonly (readonly [string, number])[]): Map<string, number> {
  const all = new Map<string, number>();
  for (const [name, amount] of amounts) all.set(name, (all.get(name) ?? 0) + amount);
  return all;
}
