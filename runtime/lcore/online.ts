/**
 * An online run, as its main thread sees it: ports opened, one pinned worker per receive core, their lines merged in
 * order of time, loss said as soon as it happens, and a clean end by the end of all captures played, the
 * configured duration, a signal, or a fault.
 *
 * The end: workers are told to stop, end their connections and send what they still have; then ports are stopped and
 * everything is given back.
 */
import { randomInt } from 'node:crypto';
import { Worker } from 'node:worker_threads';
import { type LoadedApp, loadApp } from '../cli/load-app.ts';
import { listenForStop, SIGNAL_EXIT_CODES } from '../cli/stop.ts';
import type { Config } from '../config/config.ts';
import { playedCaptures } from '../config/device.ts';
import { type LineSink, openLineSink } from '../dispatch/line-sink.ts';
import { type Dispatch, startDispatch } from '../dispatch/threads.ts';
import { DeviceError, ExitCode, InputError } from '../errors.ts';
import { loadDpdk } from '../source/dpdk.ts';
import { COUNTERS_BYTES, createCounters } from '../stats/counters.ts';
import { liveBuffer } from '../stats/live.ts';
import type { MetricInfo } from '../stats/metrics.ts';
import { exposition } from '../stats/prometheus.ts';
import { sampleCore } from '../stats/sample.ts';
import { withTunnels } from './flow-rules.ts';
import { coreList } from './machine.ts';
import {
  Control,
  deathOf,
  errorOf,
  exitOf,
  faultOf,
  Phase,
  type WorkerFault,
  type WorkerMessage,
  type WorkerResult,
  type WorkerTask,
} from './messages.ts';
import { type MetricsServer, serveMetrics } from './metrics-server.ts';
import { createMonitor } from './monitor.ts';
import { onlineSummary, onlineSummaryJson } from './online-summary.ts';
import { createOutput } from './output.ts';
import { type LivePorts, openPorts } from './ports.ts';
import { watchPresence } from './presence.ts';
import { createScreen, type Screen } from './screen.ts';

export interface RunSettings {
  /** File for the lines; undefined: standard output. */
  readonly out?: string | undefined;
  /** End at the first exception of user code. */
  readonly strict: boolean;
  /** No summary. */
  readonly quiet: boolean;
  /** Notes, figures and the summary as JSON, one object a line. */
  readonly json: boolean;
  /** Replaces conntrack.max_connections. */
  readonly maxConnections?: number | undefined;
}

/** Time between two flushes of the output. */
const FLUSH_MS = 1000;
/** Time after which the end of a run says whom it waits for. */
const PATIENCE_MS = 2000;

/** Runs `program` on the ports of `config` and returns the exit code. Throws IrisError for what the user can mend. */
export async function runOnline(program: string, config: Config, settings: RunSettings): Promise<number> {
  const app = await loadApp(program);
  const { plan } = app;
  const addon = loadDpdk();
  const sink = openLineSink(settings.out, addon);
  const screen = createScreen(process.stderr, { json: settings.json, output: outputOf(settings) });
  const dispatchFailed = countdown(1);
  // Before this thread is pinned: threads inherit where they may run.
  const dispatch = await startDispatch({
    app,
    config: config.dispatch,
    cores: coresOf(config).size,
    live: true,
    strict: settings.strict,
    report: (text) => screen.say('report', text),
    loss: (text) => screen.say('loss', text),
    onFault: dispatchFailed.finish,
  });
  const stop = listenForStop();
  try {
    const live = openPorts(addon, config);
    addon.threadPin(config.mainCore);
    const crew = createCrew(app, config, settings, live, sink, screen, dispatch);
    const sampleWorker = (worker: WorkerState, i: number) => {
      const own = live.workers[i];
      const mempool = own === undefined ? { capacity: 0, inUse: 0 } : live.mempool(own);
      return sampleCore({ ...worker, core: own?.core ?? i, subscriptions: plan.subscriptions, mempool });
    };
    const monitor = createMonitor({
      config: config.online?.monitor ?? { display: undefined, log: undefined },
      file: config.file,
      live,
      cores: () => crew.workers.map(sampleWorker),
      dispatch: dispatch.counts,
      screen,
      quiet: settings.quiet,
    });
    let metrics: MetricsServer | undefined;
    try {
      await crew.ready;
      const started = performance.now();
      const rules = config.online?.hardwareAssist === true ? withTunnels(plan.flowRules, config.decap) : undefined;
      for (const note of [...live.notes, ...live.start(rules)]) screen.say('note', note);
      monitor.start();
      const { prometheus } = config.online ?? {};
      if (prometheus !== undefined) {
        const info = { program: plan.source, plan: plan.hash, compiler: plan.compiler };
        const user = () => crew.workers.map((worker, i) => ({ ...worker, core: live.workers[i]?.core ?? i }));
        metrics = await serveMetrics(prometheus, () => exposition(monitor.sample(), user(), info));
      }
      crew.enter(Phase.RUN);
      if (!settings.quiet) for (const text of receiving(live)) screen.say('start', text);
      const presence = watchPresence(live.ports);
      const stopped = await untilTheEnd(crew, config, stop, sink, dispatchFailed.promise, () => {
        for (const text of presence.look()) screen.say('loss', text);
        return presence.allGone;
      });
      const seconds = (performance.now() - started) / 1000;
      crew.enter(Phase.STOP);
      // Who interrupts a run that is ending already means it.
      if (stop.signal === undefined) stop.onStop = () => process.exit(SIGNAL_EXIT_CODES[stop.signal ?? 'SIGINT']);
      const patience = setTimeout(() => {
        const busy = live.workers.filter((_, i) => crew.workers[i]?.result === undefined).map(({ core }) => core);
        const which = busy.length > 1 ? 'cores' : 'core';
        if (busy.length > 0)
          screen.say('note', `${which} ${coreList(busy)} still at work; Ctrl-C once more ends it at once`);
      }, PATIENCE_MS);
      await crew.gone;
      clearTimeout(patience);
      await crew.written();
      await dispatch.drain();
      monitor.stop();
      sink.close();
      const stats = live.ports.map((port) => ({
        port,
        stats: live.stats(port),
        hardwareFiltered: live.hardwareFiltered(port),
      }));
      if (!settings.quiet) {
        const outcome = { workers: crew.workers, plans: live.workers, ports: stats, seconds, stopped, dispatch };
        process.stderr.write((settings.json ? onlineSummaryJson : onlineSummary)(outcome));
      }
      if (crew.fault !== undefined) throw errorOf(crew.fault);
      if (dispatch.fault !== undefined) throw dispatch.fault;
      throwIfCaptureBroke(config, stats);
      if (presence.allGone) throw new DeviceError(`no port is left: ${live.ports.map(({ name }) => name).join(', ')}`);
      return stop.signal === undefined ? ExitCode.OK : SIGNAL_EXIT_CODES[stop.signal];
    } finally {
      crew.enter(Phase.STOP);
      await crew.gone;
      monitor.stop();
      metrics?.close();
      for (const fault of live.close()) screen.say('note', fault);
    }
  } finally {
    await dispatch.drain();
    // What is written already throws no more than once: the first fault is the one to tell.
    await sink.drained().catch(() => {});
    stop.dispose();
    sink.close();
  }
}

/** Cores of all workers. */
function coresOf({ online }: Config): Set<number> {
  return new Set(
    (online?.ports ?? []).flatMap(({ cores, sink }) => [...cores, ...(sink === undefined ? [] : [sink.core])]),
  );
}

/** Where packets lie, and a line for each port that has no end of its own: packets are taken from now on. */
function receiving(live: LivePorts): string[] {
  const lines = live.ports.flatMap(({ name, port }) => {
    const on = live.workers.filter(({ queues }) => queues.some((queue) => queue.port === port && !queue.finite));
    if (on.length === 0) return [];
    return [`${name}: receiving on ${on.length > 1 ? 'cores' : 'core'} ${coreList(on.map(({ core }) => core))}`];
  });
  return [live.memory, ...lines];
}

/** Where the run's lines go, if that may be a terminal. */
function outputOf({ out }: RunSettings): { readonly isTTY?: boolean } {
  return out === undefined || out === '-' ? process.stdout : {};
}

/** One worker as the main thread sees it. */
export interface WorkerState {
  readonly counters: Float64Array;
  readonly live: Float64Array;
  /** Of user code; their values lie in `values`. */
  readonly metrics: MetricInfo[];
  values: Float64Array;
  result: WorkerResult | undefined;
}

interface Crew {
  readonly workers: readonly WorkerState[];
  /** Every worker has loaded the program and opened its queues; rejects with the first fault. */
  readonly ready: Promise<void>;
  /** Every worker has sent its result, or one has failed. */
  readonly done: Promise<void>;
  /** Every worker thread has ended. */
  readonly gone: Promise<void>;
  /** Resolves when all lines that came are written. */
  written(): Promise<void>;
  /** The first fault of a worker. */
  readonly fault: WorkerFault | undefined;
  enter(phase: Phase): void;
}

function createCrew(
  { path: program, plan: { subscriptions } }: LoadedApp,
  config: Config,
  settings: RunSettings,
  live: LivePorts,
  sink: LineSink,
  screen: Screen,
  dispatch: Dispatch,
): Crew {
  const control = new Int32Array(new SharedArrayBuffer((Control.WORKERS + live.workers.length) * 4));
  const max_connections = settings.maxConnections ?? config.conntrack.max_connections;
  const conntrack = { ...config.conntrack, max_connections };
  const seed = randomInt(2 ** 31);
  let fault: WorkerFault | undefined;
  const ready = countdown(live.workers.length);
  const done = countdown(live.workers.length);
  const gone = countdown(live.workers.length);
  function fail(problem: WorkerFault): void {
    fault ??= problem;
    ready.fail(errorOf(problem));
    done.finish();
  }

  const output = createOutput({
    workers: live.workers.length,
    sink,
    underWay: control,
    slotOf: (worker) => Control.WORKERS + worker,
    onFault: (error) => fail(faultOf(error)),
  });
  for (const { id, sink: without } of live.workers) if (without) output.end(id);

  const workers = live.workers.map((plan): WorkerState => {
    const counters = new SharedArrayBuffer(COUNTERS_BYTES);
    const shared = liveBuffer(subscriptions.length);
    const state: WorkerState = {
      counters: createCounters(counters),
      live: new Float64Array(shared),
      metrics: [],
      values: new Float64Array(),
      result: undefined,
    };
    const task: WorkerTask = {
      program,
      plan,
      conntrack,
      decap: config.decap,
      strict: settings.strict,
      links: dispatch.links(plan.id),
      seed,
      control,
      counters,
      live: shared,
    };
    const worker = new Worker(new URL('./worker.js', import.meta.url), { workerData: task });
    worker.on('message', (message: WorkerMessage) => {
      switch (message.kind) {
        case 'ready':
          ready.one();
          break;
        case 'lines':
          output.add(plan.id, message.batch);
          break;
        case 'metric':
          state.metrics.push(message.metric);
          state.values = new Float64Array(message.values);
          break;
        case 'report':
          screen.say('report', message.text);
          break;
        case 'done':
          state.result = message.result;
          done.one();
          break;
        case 'fault':
          fail(message.fault);
          break;
      }
    });
    worker.on('error', (error) => fail(deathOf(`core ${plan.core}`, error)));
    worker.on('exit', (code) => {
      output.end(plan.id);
      if (state.result === undefined) fail(exitOf(`core ${plan.core}`, code));
      gone.one();
    });
    return state;
  });

  return {
    workers,
    ready: ready.promise,
    done: done.promise,
    gone: gone.promise,
    written: output.settled,
    get fault() {
      return fault;
    },
    enter(phase) {
      Atomics.store(control, Control.PHASE, phase);
      Atomics.notify(control, Control.PHASE);
    },
  };
}

/** A promise that is fulfilled after `count` calls of `one`. */
function countdown(count: number) {
  let left = count;
  let finish = () => {};
  let fail = (_: unknown) => {};
  const promise = new Promise<void>((resolve, reject) => {
    finish = resolve;
    fail = reject;
  });
  // Whoever awaits it later still sees the rejection; until then it is no unhandled one.
  promise.catch(() => {});
  return {
    promise,
    finish: () => finish(),
    fail: (error: unknown) => fail(error),
    one: () => --left === 0 && finish(),
  };
}

/** Waits for the first reason to end; returns it in words unless it is the end of the input. */
async function untilTheEnd(
  crew: Crew,
  config: Config,
  stop: ReturnType<typeof listenForStop>,
  sink: LineSink,
  failed: Promise<void>,
  lookAtPorts: () => boolean,
): Promise<string | undefined> {
  const timers: NodeJS.Timeout[] = [];
  const ends: Promise<string | undefined>[] = [crew.done.then(() => undefined), failed.then(() => undefined)];
  if (stop.signal !== undefined) return `by ${stop.signal}`;
  ends.push(
    new Promise((resolve) => {
      stop.onStop = () => resolve(`by ${stop.signal}`);
    }),
    new Promise((resolve) => {
      const watch = setInterval(() => {
        sink.flush();
        if (sink.closedByReader) resolve('the reader of the output went away');
        else if (lookAtPorts()) resolve('all ports are gone');
      }, FLUSH_MS);
      timers.push(watch);
    }),
  );
  const duration = config.online?.duration;
  if (duration !== undefined) {
    const words = `after the configured ${duration} s`;
    ends.push(
      new Promise((resolve) => {
        // setTimeout takes at most 2^31 - 1 ms, about 24 days.
        timers.push(setTimeout(() => resolve(words), Math.min(duration * 1000, 2 ** 31 - 1)));
      }),
    );
  }
  try {
    return await Promise.race(ends);
  } finally {
    for (const timer of timers) clearTimeout(timer);
    stop.onStop = undefined;
  }
}

/** net_pcap counts reads that fail, and goes silent. */
function throwIfCaptureBroke(
  config: Config,
  ports: readonly { readonly port: { readonly name: string }; readonly stats: { readonly ierrors: number } }[],
): void {
  for (const { port, stats } of ports) {
    if (stats.ierrors === 0) continue;
    const device = config.online?.ports.find(({ device: d }) => d.kind === 'virtual' && d.name === port.name)?.device;
    const [file] = device === undefined ? [] : playedCaptures(device);
    if (file === undefined) continue;
    throw new InputError(
      file,
      undefined,
      'net_pcap cannot read it to its end',
      `iris-run --pcap ${file} names the place, or reads what libpcap cannot`,
    );
  }
}
