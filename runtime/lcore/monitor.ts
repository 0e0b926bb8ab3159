/**
 * Watches a run from the main thread: looks at ports and workers at intervals, shows what it sees, writes the CSV log, and
 * says loss as soon as it happens. Workers only write their figures into shared memory; they never wait for it.
 */
import { closeSync, copyFileSync, existsSync, mkdirSync, openSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { MonitorConfig } from '../config/config.ts';
import { ExitCode, IrisError } from '../errors.ts';
import { reasonOf } from '../source/dpdk.ts';
import { CORE_COLUMNS, coreLine, csvLine, portColumns, portLine } from '../stats/csv-log.ts';
import { type DisplayOptions, sampleJson, sampleLine, tableLines } from '../stats/monitor-text.ts';
import { type CoreSample, rates, type Sample, totalsOf } from '../stats/sample.ts';
import { createLossWatch } from './loss.ts';
import type { LivePorts } from './ports.ts';
import type { Screen } from './screen.ts';

/** Time between two looks for loss. */
const LOSS_MS = 200;
/** The line of a terminal where no display was asked for. */
const PROGRESS_MS = 1000;
const EVERYTHING: DisplayOptions = { throughput: true, mempoolUsage: true, portStats: [] };

export interface MonitorOptions {
  readonly config: MonitorConfig;
  /** The configuration's file, copied beside the logs. */
  readonly file: string;
  readonly live: LivePorts;
  readonly cores: () => readonly CoreSample[];
  readonly dispatch?: () => NonNullable<Sample['dispatch']>;
  readonly screen: Screen;
  /** No display, but what was asked for by its section. */
  readonly quiet: boolean;
}

export interface Monitor {
  /** Packets flow from now on. Throws IrisError when the log cannot be written. */
  start(): void;
  /** Everything now. */
  sample(): Sample;
  /** Looks once more, closes the log. */
  stop(): void;
}

export function createMonitor({ config, file, live, cores, dispatch, screen, quiet }: MonitorOptions): Monitor {
  const { display, log } = config;
  const options = display ?? EVERYTHING;
  const losses = createLossWatch(live, cores);
  const timers: NodeJS.Timeout[] = [];
  const wanted = [...(display?.portStats ?? []), ...(log?.portStats ?? [])];
  let started = performance.now();
  let shown: Sample | undefined;
  let logger: Logger | undefined;
  let running = false;

  function sample(): Sample {
    return {
      seconds: (performance.now() - started) / 1000,
      cores: cores(),
      ...(dispatch === undefined ? {} : { dispatch: dispatch() }),
      ports: live.ports.map((port) => ({
        name: port.name,
        driver: port.driver,
        stats: live.stats(port),
        hardwareFiltered: live.hardwareFiltered(port),
        xstats: wanted.length === 0 ? {} : live.xstats(port),
      })),
    };
  }

  function show(): void {
    const now = sample();
    const before = shown ?? now;
    shown = now;
    if (screen.json) screen.write(sampleJson(now, before));
    else if (display === undefined) screen.draw([sampleLine(now, before, options).trimEnd()]);
    else if (screen.table) screen.draw(tableLines(now, before, options));
    else screen.write(sampleLine(now, before, options));
  }

  /** A look must not end the run. */
  function every(ms: number, look: () => void): void {
    const timer = setInterval(() => {
      try {
        look();
      } catch (error) {
        clearInterval(timer);
        screen.say('note', `the monitor stops: ${reasonOf(error)}`);
      }
    }, ms);
    timers.push(timer);
  }

  function lookForLoss(): void {
    for (const text of losses.look()) screen.say('loss', text);
  }

  return {
    sample,
    start() {
      started = performance.now();
      running = true;
      shown = sample();
      if (log !== undefined) {
        const opened = openLog(log, file, shown);
        logger = opened;
        every(log.interval, () => opened.write(sample()));
      }
      // Machines get their lines whether or not the configuration asks for a display.
      const progress = screen.table && !quiet;
      if (display !== undefined || screen.json || progress) every(display?.interval ?? PROGRESS_MS, show);
      every(LOSS_MS, lookForLoss);
    },
    stop() {
      for (const timer of timers.splice(0)) clearInterval(timer);
      if (!running) return;
      running = false;
      lookForLoss();
      screen.draw([]);
      logger?.close(sample());
      logger = undefined;
    },
  };
}

interface Logger {
  write(sample: Sample): void;
  /** Writes the last lines and what the whole run came to. */
  close(sample: Sample): void;
}

function openLog(log: NonNullable<MonitorConfig['log']>, file: string, first: Sample): Logger {
  const folder = join(log.directory, new Date().toISOString());
  try {
    mkdirSync(folder, { recursive: true });
    if (existsSync(file)) copyFileSync(file, join(folder, 'config.toml'));
    const ports = first.ports.map((port, i) => {
      const columns = portColumns(port, log.portStats);
      return { columns, fd: create(join(folder, `port${i}.csv`), columns) };
    });
    const cores = first.cores.map(({ core }) => create(join(folder, `core${core}.csv`), CORE_COLUMNS));
    const write = (sample: Sample) => {
      const ms = sample.seconds * 1000;
      const mempool = {
        capacity: sample.cores.reduce((all, { mempool: own }) => all + own.capacity, 0),
        inUse: sample.cores.reduce((all, { mempool: own }) => all + own.inUse, 0),
      };
      sample.ports.forEach((port, i) => {
        const to = ports[i];
        if (to !== undefined) writeSync(to.fd, portLine(ms, port, mempool, to.columns));
      });
      sample.cores.forEach((core, i) => {
        const to = cores[i];
        if (to !== undefined) writeSync(to, coreLine(ms, core));
      });
    };
    return {
      write,
      close(sample) {
        write(sample);
        const totals = totalsOf(sample);
        const average = rates({ packets: 0, bytes: 0 }, totals, sample.seconds);
        const text = JSON.stringify({ seconds: sample.seconds, ...average, ...totals }, undefined, 2);
        writeFileSync(join(folder, 'throughputs.json'), `${text}\n`);
        for (const fd of [...ports.map((port) => port.fd), ...cores]) closeSync(fd);
      },
    };
  } catch (error) {
    throw new IrisError(ExitCode.USAGE, `online.monitor.log.directory: ${folder}: ${reasonOf(error)}`);
  }
}

function create(path: string, columns: readonly string[]): number {
  const fd = openSync(path, 'w');
  writeSync(fd, csvLine(columns));
  return fd;
}
