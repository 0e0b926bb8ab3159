/** A generated module on a capture, through the engine that `iris-run` uses, without files and processes between. */
import { Clock } from '../../../runtime/clock.ts';
import type { EngineCore } from '../../../runtime/conntrack/engine-core.ts';
import { createCore } from '../../../runtime/core.ts';
import { rxLoop } from '../../../runtime/lcore/rx-loop.ts';
import { parsersFor } from '../../../runtime/protocols/registry.ts';
import { openCapture } from '../../../runtime/source/capture.ts';
import type { Subscription, SubscriptionModule } from '../../../runtime/subscription/contract.ts';

export interface Delivery {
  readonly subscription: string;
  /** Time of the delivery: seconds and nanoseconds. */
  readonly sec: number;
  readonly nsec: number;
  /** Parameters as JSON has them. */
  readonly values: Readonly<Record<string, unknown>>;
}

/** Runs the module over the whole capture. `change` may put something in the place of its functions. */
export async function runModule(
  module: SubscriptionModule,
  capture: string,
  change: (sub: Subscription, core: EngineCore) => Subscription = (sub) => sub,
): Promise<readonly Delivery[]> {
  const source = openCapture(capture, { slabBytes: 1 << 20 });
  const deliveries: Delivery[] = [];
  const clock = new Int32Array(Clock.WORDS);
  const core = createCore({
    id: 0,
    memory: source.memory,
    plan: module.plan,
    maxConnections: 20_000,
    clock,
    emit(subscription, values) {
      const plain = JSON.parse(JSON.stringify(values)) as Record<string, unknown>;
      deliveries.push({ subscription, sec: (clock[0] ?? 0) >>> 0, nsec: clock[1] ?? 0, values: plain });
    },
    userError(_subscription, _c, error) {
      throw error;
    },
  });
  try {
    const sub = change(module.create(core, {}), core);
    await rxLoop({ core, source, sub, parsers: parsersFor(module.plan.parsers), seed: 1 });
  } finally {
    source.close();
  }
  return deliveries;
}
