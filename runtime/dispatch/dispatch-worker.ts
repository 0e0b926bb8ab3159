/**
 * A dispatch thread: loads the program for itself, takes deliveries out of its rings in the order that each receive core
 * put them in, and calls their handlers. It ends when all its rings are closed and empty.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { loadApp } from '../cli/load-app.ts';
import { faultOf, type WorkerFault } from '../lcore/messages.ts';
import { countedMetrics } from '../stats/metrics.ts';
import { callbacksOf, GONE, MADE } from './callbacks.ts';
import { Again, type DispatchLink, type DispatchRecord } from './divert.ts';
import { Bell, Count, openRing, type Ring } from './ring.ts';
import { unpackValues } from './transfer.ts';
import { createUserErrors, takeLateErrors } from './user-errors.ts';

/** A dispatch thread's task, its `workerData`. */
export interface DispatchTask {
  readonly program: string;
  readonly strict: boolean;
  readonly bell: SharedArrayBuffer;
  /** One of each receive core that it serves. */
  readonly links: readonly DispatchLink[];
}

export interface DispatchResult {
  readonly userErrors: readonly (readonly [subscription: string, errors: number])[];
  readonly metrics: readonly (readonly [metric: string, value: number])[];
}

export type DispatchMessage =
  | { readonly kind: 'ready' }
  /** Text for the standard error. */
  | { readonly kind: 'report'; readonly text: string }
  | { readonly kind: 'done'; readonly result: DispatchResult }
  | { readonly kind: 'fault'; readonly fault: WorkerFault };

/** Deliveries taken from one ring before the next has its turn, and before the event loop has. */
const BATCH = 256;
/** Longest sleep, in ms: what handlers have started (timers, writes) goes on then. */
const SLEEP_MS = 10;

const nextTurn = () => new Promise<void>((resolve) => setImmediate(resolve));

async function work(task: DispatchTask, rings: readonly Ring[], send: (message: DispatchMessage) => void) {
  const app = await loadApp(task.program);
  const bell = new Int32Array(task.bell);
  let connection = '';
  const errors = createUserErrors({
    strict: task.strict,
    report: (text) => send({ kind: 'report', text }),
    describe: () => connection,
  });
  const late = takeLateErrors(errors);
  const callbacks = callbacksOf(app, errors.userError);
  /** Connections that a subscription wants no more of: by ring, subscription and place, the start of the connection. */
  const silenced = new Map<string, string>();
  /** Instances of dispatched classes, by the same. */
  const instances = new Map<string, { readonly start: string; readonly own: object }>();

  /** Calls what a record is for; false: it wants no more of the connection. */
  function call(name: string, key: string, start: string, method: string | undefined, values: unknown[]): boolean {
    const callback = callbacks.get(name);
    if (method === undefined) {
      const more = (callback?.own ?? app.handlers.get(name))?.(...values);
      return more !== false;
    }
    if (method === MADE) {
      if (callback !== undefined) instances.set(key, { start, own: new callback.own(...values) });
      return true;
    }
    const known = instances.get(key);
    if (known?.start !== start) return true;
    const step: unknown = Reflect.get(known.own, method);
    return typeof step !== 'function' || step.apply(known.own, values) !== false;
  }

  function handle(at: number, { subscriptions }: DispatchLink, ring: Ring, bytes: Uint8Array): void {
    const record = unpackValues(bytes) as unknown as DispatchRecord;
    const [index, c, sec, nsec, again, ends, method, ...values] = record;
    const name = subscriptions[index]?.name ?? '';
    const ofClass = method !== undefined;
    const key = !ofClass && again === Again.ALWAYS && silenced.size === 0 ? '' : `${at} ${index} ${c}`;
    const start = key === '' ? '' : `${sec} ${nsec}`;
    if (method === GONE) {
      if (instances.get(key)?.start === start) instances.delete(key);
      silenced.delete(key);
      return;
    }
    const streaming = ofClass || again === Again.UNLESS_FALSE || callbacks.get(name)?.streaming === true;
    try {
      if (key === '' || silenced.get(key) !== start) {
        const more = call(name, key, start, method, values);
        if (streaming && !more) silenced.set(key === '' ? `${at} ${index} ${c}` : key, `${sec} ${nsec}`);
      }
    } catch (error) {
      if (streaming || again !== Again.ALWAYS) silenced.set(`${at} ${index} ${c}`, `${sec} ${nsec}`);
      connection = String(ends ?? '');
      errors.userError(name, c, error);
    } finally {
      ring.add(Count.DONE, index);
    }
  }

  /** Takes a batch from each ring; whether there was anything. */
  function round(): boolean {
    let any = false;
    task.links.forEach((link, at) => {
      const ring = rings[at];
      let n = 0;
      for (let record = ring.pop(); record !== undefined; record = ring.pop()) {
        handle(at, link, ring, record);
        if (++n === BATCH) break;
      }
      if (n === 0) return;
      any = true;
      ring.roomMade();
    });
    return any;
  }

  send({ kind: 'ready' });
  for (;;) {
    const any = round();
    await nextTurn();
    if (late.fault !== undefined) throw late.fault;
    if (any) continue;
    if (rings.every((ring) => ring.closed && ring.empty)) break;
    Atomics.store(bell, Bell.ASLEEP, 1);
    if (rings.every((ring) => ring.empty && !ring.closed)) Atomics.wait(bell, Bell.ASLEEP, 1, SLEEP_MS);
    Atomics.store(bell, Bell.ASLEEP, 0);
  }
  send({ kind: 'done', result: { userErrors: [...errors.counts], metrics: countedMetrics() } });
}

const parent = parentPort;
if (parent !== null) {
  const task = workerData as DispatchTask;
  const rings = task.links.map(({ ring }) => openRing(ring));
  try {
    await work(task, rings, (message) => parent.postMessage(message));
  } catch (error) {
    for (const ring of rings) ring.dead = true;
    parent.postMessage({ kind: 'fault', fault: faultOf(error) } satisfies DispatchMessage);
  }
}
