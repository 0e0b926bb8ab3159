/** `core.emit`: from a delivery of one worker to a line of the run's output. */
import type { Core } from '../subscription/contract.ts';
import { createLineWriter } from './json-line.ts';
import type { LineOrder } from './line-order.ts';

export interface Emitter {
  readonly emit: Core['emit'];
  /** Lines by subscription. */
  readonly delivered: ReadonlyMap<string, number>;
}

/**
 * Turns deliveries into lines for `order`. `clock` is the core's: whole seconds (unsigned), nanoseconds. Subscriptions
 * that are not in `names` count as they come.
 */
export function createEmitter(
  clock: Int32Array,
  order: Pick<LineOrder, 'out' | 'add'>,
  names: readonly string[] = [],
): Emitter {
  const write = createLineWriter(order.out);
  const delivered = new Map<string, number>(names.map((name) => [name, 0]));
  return {
    delivered,
    emit(subscription, values) {
      write(subscription, clock[0], clock[1], values);
      order.add();
      delivered.set(subscription, (delivered.get(subscription) ?? 0) + 1);
    },
  };
}
