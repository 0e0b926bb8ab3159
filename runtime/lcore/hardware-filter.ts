/** Installs the hardware filter of a started port: asks the device, installs what it takes, says what came of it. */
import type { DpdkAddon } from '../source/dpdk.ts';
import type { FlowRule } from '../subscription/contract.ts';
import { describeDevice, planDevice, wantedOf } from './flow-rules.ts';

export interface InstalledFilter {
  /** What the device does now, in one sentence. */
  readonly sentence: string;
  readonly rules: number;
}

/**
 * `queues`: where packets that pass go. All rules or none: when one cannot be installed although the device said that it
 * could, those before it are taken back.
 */
export function installFilter(
  addon: Pick<DpdkAddon, 'flowRule' | 'flowFlush'>,
  port: { readonly port: number; readonly driver: string },
  queues: readonly number[],
  rules: readonly FlowRule[],
): InstalledFilter {
  const wanted = wantedOf(rules);
  const plan = planDevice(wanted, port.driver, (rule) => addon.flowRule(port.port, rule, queues, false));
  for (const rule of plan.rules) {
    const reason = addon.flowRule(port.port, rule, queues, true);
    if (reason === undefined) continue;
    addon.flowFlush(port.port);
    const sentence = `no hardware filter: a rule could not be installed (${reason}); packets are filtered in software`;
    return { sentence, rules: 0 };
  }
  return { sentence: describeDevice(plan, wanted), rules: plan.rules.length };
}
