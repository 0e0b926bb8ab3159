/** A program whose user code goes wrong in the way that IRIS_TEST_FAULT names, at its third UDP connection. */
import { writeSync } from 'node:fs';
import { Action, Rec } from '../../runtime/conntrack/layout.ts';
import { ABI_VERSION } from '../../runtime/packet/layout.ts';
import type { Core, Plan, Subscription } from '../../runtime/subscription/contract.ts';

export const plan: Plan = {
  abi: ABI_VERSION,
  compiler: 'test',
  hash: '0',
  source: 'fault-app.iris',
  recordWords: 32,
  parsers: [],
  subscriptions: ['flows'],
  flowRules: [],
};

const FAULTS: Readonly<Record<string, () => void>> = {
  exit: () => process.exit(7),
  loop: () => {
    // The thread's own stream would wait for the event loop.
    writeSync(2, 'in a loop\n');
    for (;;);
  },
  reject: () => {
    Promise.reject(new Error('nobody catches me'));
  },
  later: () => {
    setTimeout(() => {
      throw new Error('thrown later');
    }, 1);
  },
  none: () => {},
};

export function create(core: Core): Subscription {
  let connections = 0;
  const fault = FAULTS[process.env.IRIS_TEST_FAULT ?? 'none'] ?? (() => {});
  return {
    plan,
    tracked: { open() {}, clear() {} },
    packetFilter: () => true,
    onL4FirstPacket(c) {
      if ((core.rec[c + Rec.META] & 0xff) === 17 && ++connections === 3) fault();
      return Action.TRACK;
    },
    onL4Terminated(c) {
      core.emit('flows', { conn: core.fiveTuple.at(c).toJSON() });
    },
  };
}
