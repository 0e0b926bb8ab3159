/**
 * One of the cores that share a capture: a thread that keeps the connections that fall to it by the hash of their five-tuple.
 * A plain pcap file the threads read and walk together, each a part (source/shared-pcap.ts); other captures every thread
 * walks wholly. As every core is told when ticks begin, their timers run at the same packets as one core's.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { loadApp } from '../cli/load-app.ts';
import { Clock } from '../clock.ts';
import type { ConnTrackConfig } from '../conntrack/config.ts';
import { createCore } from '../core.ts';
import { createDispatched, type DispatchLink } from '../dispatch/divert.ts';
import { createEmitter } from '../dispatch/emit.ts';
import { createLineBatcher, type LineBatch } from '../dispatch/line-batch.ts';
import { createLineOrder } from '../dispatch/line-order.ts';
import { createUserErrors, takeLateErrors } from '../dispatch/user-errors.ts';
import { type DecapConfig, decapsulates } from '../packet/decap-config.ts';
import type { Share } from '../packet/decode.ts';
import { parsersFor } from '../protocols/registry.ts';
import { openCaptures } from '../source/capture.ts';
import type { PacketSource } from '../source/contract.ts';
import { sharedPcapSource } from '../source/shared-pcap.ts';
import type { SharedPcap } from '../source/shared-pcap-memory.ts';
import { openSharedWindow, type SharedFile } from '../source/shared-window.ts';
import { createCounters } from '../stats/counters.ts';
import { countedMetrics } from '../stats/metrics.ts';
import { int32Words } from '../words.ts';
import { Control, faultOf, Phase, type WorkerFault, type WorkerResult } from './messages.ts';
import { rxLoop } from './rx-loop.ts';

/** A worker's task, its `workerData`. */
export interface ShardTask {
  readonly program: string;
  readonly pcaps: readonly string[];
  /** The one file of `pcaps` in shared memory: a pcap file, or another that is not packed. */
  readonly sharedPcap: SharedPcap | undefined;
  readonly shared: SharedFile | undefined;
  readonly share: Share;
  readonly conntrack: ConnTrackConfig;
  readonly decap: DecapConfig;
  readonly strict: boolean;
  readonly links: readonly DispatchLink[];
  /** Secret of the run for the hash of five-tuples. */
  readonly seed: number;
  /** Words of {@link Control}, shared with the main thread. */
  readonly control: Int32Array;
  /** The worker's counters, shared. */
  readonly counters: SharedArrayBuffer;
  /** Packets and bytes read so far, and bytes of the files, shared: float64. */
  readonly read: SharedArrayBuffer;
}

export type ShardMessage =
  | { readonly kind: 'lines'; readonly batch: LineBatch }
  /** Text for the standard error. */
  | { readonly kind: 'report'; readonly text: string }
  /** The last one; `fault` is what ended the work before its end. */
  | { readonly kind: 'done'; readonly result: WorkerResult; readonly fault: WorkerFault | undefined };

/** The task's packets. Several files, and one that is packed, every core reads for itself. */
function captureOf({ pcaps, shared, sharedPcap, share, seed, decap, conntrack }: ShardTask): PacketSource {
  if (sharedPcap !== undefined) {
    const tunnels = decapsulates(decap);
    return sharedPcapSource(sharedPcap, { core: share.index, seed, tunnels, resolution: conntrack.timeout_resolution });
  }
  if (shared !== undefined) return openCaptures(pcaps, { window: openSharedWindow(shared, share.index) });
  return openCaptures(pcaps, { slabBytes: conntrack.max_out_of_order_bytes });
}

async function work(task: ShardTask, send: (message: ShardMessage) => void): Promise<void> {
  const { share, control, conntrack } = task;
  const app = await loadApp(task.program);
  const capture = captureOf(task);
  const batcher = createLineBatcher((batch) => send({ kind: 'lines', batch }), control, Control.WORKERS + share.index);
  const clock = int32Words(Clock.WORDS);
  const order = createLineOrder(clock, batcher);
  const emitter = createEmitter(clock, order, app.plan.subscriptions);
  const userErrors = createUserErrors({
    strict: task.strict,
    report: (text) => send({ kind: 'report', text }),
    describe: (c) => core.fiveTuple.at(c).toString(),
  });
  const late = takeLateErrors(userErrors);
  const core = createCore({
    id: share.index,
    memory: capture.memory,
    plan: app.plan,
    maxConnections: conntrack.max_connections,
    emit: emitter.emit,
    userError: userErrors.userError,
    clock,
    counters: createCounters(task.counters),
  });
  const read = new Float64Array(task.read);
  let fault: WorkerFault | undefined;
  try {
    await rxLoop({
      core,
      source: capture,
      sub: createDispatched(app, core, task.links),
      parsers: parsersFor(app.plan.parsers),
      config: conntrack,
      decap: task.decap,
      seed: task.seed,
      share,
      order,
      stopped() {
        read[0] = capture.stats.packets;
        read[1] = capture.stats.bytes;
        read[2] = capture.offset?.() ?? 0;
        return late.fault !== undefined || Atomics.load(control, Control.PHASE) === Phase.STOP;
      },
    });
    if (late.fault !== undefined) throw late.fault;
  } catch (error) {
    fault = faultOf(error);
    order.end();
  } finally {
    capture.close();
  }
  batcher.flush();
  const { packets, bytes, lost } = capture.stats;
  const result = {
    packets,
    bytes,
    lost,
    delivered: [...emitter.delivered],
    userErrors: [...userErrors.counts],
    metrics: countedMetrics(),
  };
  send({ kind: 'done', result, fault });
}

const parent = parentPort;
if (parent !== null) {
  const send = (message: ShardMessage) => parent.postMessage(message);
  try {
    await work(workerData as ShardTask, send);
  } catch (error) {
    const result = { packets: 0, bytes: 0, lost: {}, delivered: [], userErrors: [], metrics: [] };
    send({ kind: 'done', result, fault: faultOf(error) });
  }
  parent.close();
}
