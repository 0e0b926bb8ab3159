/**
 * Handlers outside the receive cores: which subscriptions run on which threads, as the configuration's [dispatch] says,
 * their rings, and their life. A receive core always feeds the same thread, so that what it delivers of a connection stays
 * in order; each pair of core and thread has a ring of its own.
 */
import { Worker } from 'node:worker_threads';
import type { LoadedApp } from '../cli/load-app.ts';
import type { DispatchConfig } from '../config/config.ts';
import { ExitCode, IrisError } from '../errors.ts';
import { deathOf, errorOf, exitOf, type WorkerFault } from '../lcore/messages.ts';
import { callbacksOf } from './callbacks.ts';
import type { DispatchMessage, DispatchResult, DispatchTask } from './dispatch-worker.ts';
import type { DispatchLink } from './divert.ts';
import { Count, createBell, createRingMemory, openRing, type Ring } from './ring.ts';

export interface DispatchOptions {
  readonly app: LoadedApp;
  readonly config: readonly DispatchConfig[];
  /** Receive cores. */
  readonly cores: number;
  /** Packets of a port do not wait. */
  readonly live: boolean;
  readonly strict: boolean;
  /** Takes text for the standard error. */
  readonly report: (text: string) => void;
  /** Takes a sentence on deliveries that were dropped. */
  readonly loss: (text: string) => void;
  /** Called at the first fault of a thread. */
  readonly onFault?: () => void;
}

/** `dispatched` is `done` and `dropped` together, when all is drained. */
export interface DispatchCounts {
  readonly dispatched: number;
  readonly done: number;
  readonly dropped: number;
}

export interface Dispatch {
  /** What receive core `core`, from 0, hands to `createDispatched`. */
  links(core: number): readonly DispatchLink[];
  /** By subscription; at any time. */
  counts(): Map<string, DispatchCounts>;
  /** Nothing more comes from the receive cores: waits until all handlers have run and their threads have ended. */
  drain(): Promise<void>;
  /** Of the threads that have ended. */
  readonly results: readonly DispatchResult[];
  /** What ended a thread before its time. */
  readonly fault: Error | undefined;
}

/** Threads that have the same subscriptions. */
interface Group {
  readonly members: DispatchConfig[];
  readonly threads: number;
  readonly ring: number;
}

/** Time between two looks for drops, in ms. */
const LOOK_MS = 200;

/** Starts the threads, if any are asked for, and waits until they are ready. Throws IrisError for what cannot be done. */
export async function startDispatch(options: DispatchOptions): Promise<Dispatch> {
  const { app, cores, live } = options;
  const groups = groupsOf(options);
  const linksOf: DispatchLink[][] = Array.from({ length: cores }, () => []);
  const open: { readonly link: DispatchLink; readonly ring: Ring }[] = [];
  const results: DispatchResult[] = [];
  let fault: WorkerFault | undefined;

  function fail(problem: WorkerFault): void {
    if (fault !== undefined) return;
    fault = problem;
    options.onFault?.();
  }

  const threads = groups.flatMap(({ members, threads: most, ring: bytes }) => {
    const subscriptions = members.map(({ subscription, onFull }) => ({
      name: subscription,
      waits: !live && onFull !== 'drop',
    }));
    return Array.from({ length: Math.min(most, cores) }, (_, index, all = Math.min(most, cores)) => {
      const bell = createBell();
      const links: DispatchLink[] = [];
      for (let core = index; core < cores; core += all) {
        const link = { ring: createRingMemory(bytes, members.length, bell), subscriptions };
        links.push(link);
        linksOf[core].push(link);
        open.push({ link, ring: openRing(link.ring) });
      }
      const task: DispatchTask = { program: app.path, strict: options.strict, bell, links };
      return startThread(task, links, { report: options.report, fail, results });
    });
  });

  function counts(): Map<string, DispatchCounts> {
    const all = new Map<string, DispatchCounts>();
    for (const { link, ring } of open) {
      link.subscriptions.forEach(({ name }, i) => {
        const before = all.get(name) ?? { dispatched: 0, done: 0, dropped: 0 };
        all.set(name, {
          dispatched: before.dispatched + ring.count(Count.DISPATCHED, i),
          done: before.done + ring.count(Count.DONE, i),
          dropped: before.dropped + ring.count(Count.DROPPED, i),
        });
      });
    }
    return all;
  }

  const said = new Map<string, number>();
  function look(): void {
    for (const [name, { dropped }] of counts()) {
      const before = said.get(name) ?? 0;
      // The first drop is said at once, then each doubling: an overload must not flood the screen too.
      if (dropped === 0 || dropped < before * 2) continue;
      said.set(name, dropped);
      options.loss(
        `dispatch.${name}: ${dropped.toLocaleString('en-US')} deliveries dropped so far: ` +
          'its handler is slower than what it is sent (ring, threads)',
      );
    }
  }
  const watch = setInterval(look, LOOK_MS);
  watch.unref();

  async function drain(): Promise<void> {
    for (const { ring } of open) ring.closed = true;
    await Promise.all(threads.map(({ gone }) => gone));
    clearInterval(watch);
    look();
  }

  await Promise.all(threads.map(({ ready }) => ready));
  if (fault !== undefined) {
    await drain();
    throw errorOf(fault);
  }
  return {
    links: (core) => linksOf[core] ?? [],
    counts,
    drain,
    results,
    get fault() {
      return fault === undefined ? undefined : errorOf(fault);
    },
  };
}

interface Ears {
  readonly report: (text: string) => void;
  readonly fail: (fault: WorkerFault) => void;
  readonly results: DispatchResult[];
}

/** Both promises are always fulfilled; faults go to `fail`. */
function startThread(task: DispatchTask, links: readonly DispatchLink[], { report, fail, results }: Ears) {
  const worker = new Worker(new URL('./dispatch-worker.js', import.meta.url), { workerData: task });
  let isReady = () => {};
  const ready = new Promise<void>((resolve) => {
    isReady = resolve;
  });
  let ended = false;
  worker.on('message', (message: DispatchMessage) => {
    switch (message.kind) {
      case 'ready':
        isReady();
        break;
      case 'report':
        report(message.text);
        break;
      case 'done':
        ended = true;
        results.push(message.result);
        break;
      case 'fault':
        ended = true;
        fail(message.fault);
        break;
    }
  });
  worker.on('error', (error) => fail(deathOf('a dispatch thread', error)));
  const gone = new Promise<void>((resolve) => {
    worker.on('exit', (code) => {
      // Nobody waits for one that is gone.
      for (const { ring } of links) openRing(ring).dead = true;
      if (!ended) fail(exitOf('a dispatch thread', code));
      isReady();
      resolve();
    });
  });
  return { ready, gone };
}

/** Checks what is asked for against the program, and puts together what shares its threads. */
function groupsOf({ app, config, live }: DispatchOptions): Group[] {
  const known = app.plan.subscriptions;
  for (const { subscription: name, mode, onFull } of config) {
    if (!known.includes(name)) {
      throw new IrisError(
        ExitCode.USAGE,
        `dispatch.${name}: there is no such subscription`,
        `there are: ${known.join(', ')}`,
      );
    }
    if (mode === 'inline') continue;
    if (!app.handlers.has(name) && !callbacksOf(app).has(name)) {
      throw new IrisError(
        ExitCode.USAGE,
        `dispatch.${name}: there is no handler to run elsewhere`,
        'handlers given to defineApp can be dispatched, and functions and classes that the filter file names itself; ' +
          'lines of output belong to the receive cores',
      );
    }
    if (live && onFull === 'wait') {
      throw new IrisError(ExitCode.USAGE, `dispatch.${name}.on_full: receive cores never wait`, 'say "drop"');
    }
  }
  const shared = config.filter(({ mode }) => mode === 'shared');
  const dedicated = config.filter(({ mode }) => mode === 'dedicated').map((one) => [one]);
  return [...(shared.length === 0 ? [] : [shared]), ...dedicated].map((members) => ({
    members,
    threads: Math.max(...members.map(({ threads }) => threads)),
    ring: Math.max(...members.map(({ ring }) => ring)),
  }));
}
