/** A run over a capture, on the thread that was asked or on several: source, core and sink put together, and every way of
 * ending.
 */
import { randomInt } from 'node:crypto';
import { statSync } from 'node:fs';
import { Clock } from '../clock.ts';
import type { Config } from '../config/config.ts';
import type { EngineCore } from '../conntrack/engine-core.ts';
import { createCore } from '../core.ts';
import { createDispatched } from '../dispatch/divert.ts';
import { createEmitter } from '../dispatch/emit.ts';
import { createLineOrder, type LineOrder } from '../dispatch/line-order.ts';
import { entriesTo, type LineSink, openLineSink } from '../dispatch/line-sink.ts';
import { type Dispatch, startDispatch } from '../dispatch/threads.ts';
import { createUserErrors, takeLateErrors } from '../dispatch/user-errors.ts';
import { ExitCode, IrisError } from '../errors.ts';
import type { RunSettings } from '../lcore/online.ts';
import { startProgress } from '../lcore/progress.ts';
import { rxLoop } from '../lcore/rx-loop.ts';
import { type Shards, startShards } from '../lcore/shards.ts';
import { Pkt } from '../packet/layout.ts';
import { parsersFor } from '../protocols/registry.ts';
import { isPacked, openCaptures } from '../source/capture.ts';
import type { PacketSource } from '../source/contract.ts';
import { Counter } from '../stats/counters.ts';
import { countedMetrics } from '../stats/metrics.ts';
import { int32Words } from '../words.ts';
import { type LoadedApp, loadApp } from './load-app.ts';
import { jsonLine, printError } from './print-error.ts';
import { listenForStop, SIGNAL_EXIT_CODES } from './stop.ts';
import { summaryJson, summaryText } from './summary.ts';

/**
 * Runs `program` on one capture or several (`-`: the standard input) and returns the exit code. Throws IrisError for what is
 * wrong before the first packet; later faults are printed below the summary of what was done until then.
 */
export async function runOffline(
  program: string,
  captures: string | readonly string[],
  config: Config,
  settings: RunSettings & { readonly cores: number },
): Promise<number> {
  const app = await loadApp(program);
  const pcaps = typeof captures === 'string' ? [captures] : captures;
  const conntrack = {
    ...config.conntrack,
    max_connections: settings.maxConnections ?? config.conntrack.max_connections,
  };
  if (settings.cores > 1) return runShards(app, pcaps, { ...config, conntrack }, settings);
  const capture = openCaptures(pcaps, { slabBytes: conntrack.max_out_of_order_bytes });
  const sink = openLineSink(settings.out);
  const dispatch = await dispatchOf(app, config, settings).catch((error: unknown) => {
    capture.close();
    sink.close();
    throw error;
  });
  const clock = int32Words(Clock.WORDS);
  const order = createLineOrder(clock, entriesTo(sink));
  const { emit, delivered } = createEmitter(clock, order, app.plan.subscriptions);
  const errors = createUserErrors({
    strict: settings.strict,
    report: (text) => process.stderr.write(text),
    describe: (c) => core.fiveTuple.at(c).toString(),
  });
  const core: EngineCore = createCore({
    id: 0,
    memory: capture.memory,
    plan: app.plan,
    maxConnections: conntrack.max_connections,
    emit,
    userError: errors.userError,
    clock,
  });
  const late = takeLateErrors(errors);
  const part = partRead(pcaps, capture.offset);
  const progress = () => ({ ...capture.stats, connections: core.counters[Counter.CONNS_OPENED], part: part() });
  const stop = listenForStop();
  const started = performance.now();
  const endProgress = settings.quiet || settings.json ? undefined : startProgress(progress, toTerminal(settings));
  let fault: unknown;
  try {
    await rxLoop({
      core,
      source: pcaps[0] === '-' ? flushing(capture, sink, order) : capture,
      sub: createDispatched(app, core, dispatch.links(0)),
      parsers: parsersFor(app.plan.parsers),
      config: conntrack,
      decap: config.decap,
      seed: randomInt(2 ** 31),
      order,
      stopped: () => stop.signal !== undefined || sink.closedByReader || (dispatch.fault ?? late.fault) !== undefined,
    });
    sink.flush();
    // A signal that came during the last packets is still in the queue.
    await new Promise((resolve) => setImmediate(resolve));
  } catch (error) {
    fault = error;
  } finally {
    await dispatch.drain();
    endProgress?.();
    stop.dispose();
    capture.close();
  }
  late.dispose();
  fault ??= dispatch.fault ?? late.fault;
  try {
    order.end();
    sink.close();
  } catch (error) {
    fault ??= error;
  }
  if (!settings.quiet) {
    process.stderr.write(
      (settings.json ? summaryJson : summaryText)({
        packets: capture.stats.packets,
        bytes: capture.stats.bytes,
        seconds: (performance.now() - started) / 1000,
        counters: core.counters,
        delivered,
        userErrors: addedUp([[...errors.counts], ...dispatch.results.map(({ userErrors }) => userErrors)]),
        metrics: addedUp([countedMetrics(), ...dispatch.results.map(({ metrics }) => metrics)]),
        dispatched: dispatch.counts(),
        lost: capture.stats.lost,
        ...stoppedBy(stop.signal, sink),
      }),
    );
  }
  if (fault !== undefined) return printError(fault, settings.json);
  return stop.signal === undefined ? ExitCode.OK : SIGNAL_EXIT_CODES[stop.signal];
}

/** The same on `settings.cores` threads. */
async function runShards(
  app: LoadedApp,
  pcaps: readonly string[],
  config: Config,
  settings: RunSettings & { readonly cores: number },
): Promise<number> {
  if (pcaps.some((pcap) => pcap === '-' || statSync(pcap, { throwIfNoEntry: false })?.isFIFO() === true)) {
    throw new IrisError(
      ExitCode.USAGE,
      'one core reads a pipe, not several',
      'write it to a file first, or leave out --cores',
    );
  }
  // What is no capture ends the run here, before any thread starts.
  openCaptures(pcaps, { slabBytes: 0 }).close();
  const sink = openLineSink(settings.out);
  let running: Shards | undefined;
  const dispatch = await dispatchOf(app, config, settings, () => running?.stop());
  const stop = listenForStop();
  const started = performance.now();
  const shards = startShards({
    program: app.path,
    pcaps,
    cores: settings.cores,
    conntrack: config.conntrack,
    decap: config.decap,
    strict: settings.strict,
    links: dispatch.links,
    write(lines, from, to) {
      sink.write(lines, from, to);
      if (sink.closedByReader) shards.stop();
    },
    report: (text) => process.stderr.write(text),
  });
  running = shards;
  stop.onStop = shards.stop;
  if (stop.signal !== undefined) shards.stop();
  const part = partRead(pcaps, () => shards.progress().offset);
  const progress = () => ({ ...shards.progress(), part: part() });
  const endProgress = settings.quiet || settings.json ? undefined : startProgress(progress, toTerminal(settings));
  await shards.gone;
  await dispatch.drain();
  endProgress?.();
  stop.dispose();
  let fault: unknown = shards.fault ?? dispatch.fault;
  try {
    sink.close();
  } catch (error) {
    fault ??= error;
  }
  if (!settings.quiet) {
    const { results } = shards;
    process.stderr.write(
      (settings.json ? summaryJson : summaryText)({
        // Every core reads every packet.
        packets: Math.max(...results.map(({ packets }) => packets)),
        bytes: Math.max(...results.map(({ bytes }) => bytes)),
        seconds: (performance.now() - started) / 1000,
        counters: shards.counters(),
        delivered: addedUp(results.map(({ delivered }) => delivered)),
        userErrors: addedUp([...results, ...dispatch.results].map(({ userErrors }) => userErrors)),
        metrics: addedUp([...results, ...dispatch.results].map(({ metrics }) => metrics)),
        dispatched: dispatch.counts(),
        lost: {},
        ...stoppedBy(stop.signal, sink),
      }),
    );
  }
  if (fault !== undefined) return printError(fault, settings.json);
  return stop.signal === undefined ? ExitCode.OK : SIGNAL_EXIT_CODES[stop.signal];
}

/** The threads of the configuration's [dispatch], for the cores of this run. */
function dispatchOf(
  app: LoadedApp,
  config: Config,
  settings: RunSettings & { readonly cores: number },
  onFault?: () => void,
): Promise<Dispatch> {
  return startDispatch({
    app,
    config: config.dispatch,
    cores: settings.cores,
    live: false,
    strict: settings.strict,
    report: (text) => process.stderr.write(text),
    loss: (text) => process.stderr.write(settings.json ? jsonLine({ kind: 'loss', text }) : `iris: ${text}\n`),
    ...(onFault === undefined ? {} : { onFault }),
  });
}

/** Amounts by name, those of one name added up. */
function addedUp(lists: readonly (readonly (readonly [string, number])[])[]): Map<string, number> {
  const all = new Map<string, number>();
  for (const [name, amount] of lists.flat()) all.set(name, (all.get(name) ?? 0) + amount);
  return all;
}

function stoppedBy(signal: string | undefined, sink: LineSink): { stopped?: string } {
  if (signal !== undefined) return { stopped: `by ${signal}` };
  return sink.closedByReader ? { stopped: 'the reader of the output went away' } : {};
}

/** How much of plain files has been read, 0..1, by the bytes that `offset` counts. */
function partRead(pcaps: readonly string[], offset: (() => number) | undefined): () => number | undefined {
  if (offset === undefined) return () => undefined;
  let size = 0;
  for (const path of pcaps) {
    const file = statSync(path, { throwIfNoEntry: false });
    if (file?.isFile() !== true || isPacked(path)) return () => undefined;
    size += file.size;
  }
  return () => offset() / size;
}

/** The run's lines appear where a progress line would be drawn. */
function toTerminal({ out }: RunSettings): boolean {
  return (out === undefined || out === '-') && process.stdout.isTTY === true;
}

/** Packets of a pipe that are no older come from a capture under way; in seconds. */
const UNDER_WAY = 5;

/**
 * A pipe may be silent for long: lines are handed on before it is read again. Those of a capture under way do not wait
 * for their order either.
 */
function flushing(capture: PacketSource, sink: LineSink, order: LineOrder): PacketSource {
  let short = false;
  let seconds = 0;
  return {
    memory: capture.memory,
    live: capture.live,
    stats: capture.stats,
    poll(pkt, max) {
      if (short) {
        if (Math.abs(Date.now() / 1000 - seconds) < UNDER_WAY) order.release(seconds + 1);
        sink.flush();
      }
      const n = capture.poll(pkt, max);
      short = n < max;
      if (n > 0) seconds = pkt[((n - 1) << Pkt.SHIFT) + Pkt.SEC] >>> 0;
      return n;
    },
    close: capture.close,
  };
}
