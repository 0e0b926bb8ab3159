/**
 * A receive core: a thread pinned to it, registered with DPDK, that runs the program on its own queues. It waits until
 * all are ready, and ends by itself when its input does or the main thread says stop; what it leaves behind in DPDK is
 * given back when the thread ends, however it does.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { loadApp } from '../cli/load-app.ts';
import { Clock } from '../clock.ts';
import { createCore } from '../core.ts';
import { createDispatched } from '../dispatch/divert.ts';
import { createEmitter } from '../dispatch/emit.ts';
import { createLineBatcher } from '../dispatch/line-batch.ts';
import { createLineOrder } from '../dispatch/line-order.ts';
import { createUserErrors, takeLateErrors } from '../dispatch/user-errors.ts';
import { Burst } from '../packet/layout.ts';
import { parsersFor } from '../protocols/registry.ts';
import { loadDpdk } from '../source/dpdk.ts';
import { attachMemory, openDpdkPort } from '../source/dpdk-port.ts';
import { createCounters } from '../stats/counters.ts';
import { createLivePublisher } from '../stats/live.ts';
import { countedMetrics, shareMetrics } from '../stats/metrics.ts';
import { int32Words } from '../words.ts';
import { Control, faultOf, Phase, type WorkerMessage, type WorkerResult, type WorkerTask } from './messages.ts';
import { createQueueSource } from './queue-source.ts';
import { rxLoop } from './rx-loop.ts';
import { createSampling, sinkLoop } from './sink.ts';

/** Time between two writes of a worker's figures, which the monitor reads. */
const PUBLISH_MS = 5;

/** Runs the task to its end. */
async function work(task: WorkerTask, send: (message: WorkerMessage) => void): Promise<WorkerResult> {
  const { plan, control, conntrack } = task;
  const addon = loadDpdk();
  addon.threadPin(plan.core);
  addon.threadRegister();
  const app = await loadApp(task.program);
  shareMetrics((metric, values) => send({ kind: 'metric', metric, values }));
  // A capture that is played can wait, a device cannot; at the end of the run all can.
  const patient = plan.queues.every(({ finite }) => finite);
  const batcher = createLineBatcher(
    (batch) => send({ kind: 'lines', batch }),
    control,
    Control.WORKERS + plan.id,
    () => (patient || Atomics.load(control, Control.PHASE) === Phase.STOP ? 'wait' : 'drop'),
  );
  const report = (text: string) => send({ kind: 'report', text });
  const clock = int32Words(Clock.WORDS);
  const order = createLineOrder(clock, batcher);
  const emitter = createEmitter(clock, order, app.plan.subscriptions);
  const describe = (c: number) => core.fiveTuple.at(c).toString();
  const userErrors = createUserErrors({ strict: task.strict, report, describe });
  const late = takeLateErrors(userErrors);
  const { team } = plan;
  const memory = attachMemory(addon, plan.memory, team?.index, team?.count);
  const core = createCore({
    id: plan.id,
    memory,
    plan: app.plan,
    maxConnections: conntrack.max_connections,
    emit: emitter.emit,
    userError: userErrors.userError,
    clock,
    counters: createCounters(task.counters),
  });
  const port = openDpdkPort(addon, {
    memory: plan.memory,
    packets: memory,
    pkt: core.pkt,
    queues: plan.queues,
    lane: team?.index ?? 0,
  });
  const program = createDispatched(app, core, task.links);
  const sampling = plan.keep.length === 0 ? undefined : createSampling(program, core, new Map(plan.keep));
  const sub = sampling?.sub ?? program;
  const publish = createLivePublisher(new Float64Array(task.live), app.plan.subscriptions, {
    stats: () => port.stats,
    sampledOut: sampling?.dropped ?? (() => 0),
    linesDropped: () => batcher.dropped,
    delivered: emitter.delivered,
    userErrors: userErrors.counts,
  });
  let published = 0;
  function tick(): void {
    const now = performance.now();
    if (now - published < PUBLISH_MS) return;
    published = now;
    publish();
  }
  const source = createQueueSource(port, control, { tick }, team);
  const parsers = parsersFor(app.plan.parsers);

  send({ kind: 'ready' });
  Atomics.wait(control, Control.PHASE, Phase.SETUP);
  try {
    const { decap, seed } = task;
    const shared = team === undefined ? {} : { share: { ...team, handOff: team.taker }, latest: team.latest };
    const stopped = () => late.fault !== undefined;
    await rxLoop({ core, source, sub, parsers, config: conntrack, decap, seed, order, stopped, ...shared });
    if (late.fault !== undefined) throw late.fault;
  } finally {
    order.end();
    batcher.flush();
    source.close();
    if (team?.taker === true) Atomics.sub(team.takers, 0, 1);
    publish();
  }
  const { packets, bytes, lost } = source.stats;
  return {
    packets,
    bytes,
    lost,
    delivered: [...emitter.delivered],
    userErrors: [...userErrors.counts],
    metrics: countedMetrics(),
  };
}

/** A sink core: what it takes is counted and dropped. */
async function drain(
  { plan, control, live }: WorkerTask,
  send: (message: WorkerMessage) => void,
): Promise<WorkerResult> {
  const addon = loadDpdk();
  addon.threadPin(plan.core);
  addon.threadRegister();
  const port = openDpdkPort(addon, { memory: plan.memory, queues: plan.queues });
  const publish = createLivePublisher(new Float64Array(live), [], {
    stats: () => port.stats,
    sampledOut: () => port.stats.packets,
    linesDropped: () => 0,
    delivered: new Map(),
    userErrors: new Map(),
  });
  const source = createQueueSource(port, control, { tick: publish });
  send({ kind: 'ready' });
  Atomics.wait(control, Control.PHASE, Phase.SETUP);
  try {
    await sinkLoop(source, port.pkt, Burst.MAX);
  } finally {
    source.close();
    publish();
  }
  const { packets, bytes, lost } = port.stats;
  return { packets, bytes, lost, delivered: [], userErrors: [], metrics: [] };
}

const parent = parentPort;
if (parent !== null) {
  const send = (message: WorkerMessage) => parent.postMessage(message);
  const task = workerData as WorkerTask;
  try {
    send({ kind: 'done', result: await (task.plan.sink ? drain : work)(task, send) });
  } catch (error) {
    send({ kind: 'fault', fault: faultOf(error) });
  }
  parent.close();
}
