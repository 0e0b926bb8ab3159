/** The flow program, slowed down: a sender outruns it easily. */
import type { Core, Subscription } from '../../runtime/subscription/contract.ts';
import { create as createFlows, plan } from './flow-app.ts';

export { plan };

/** Time that each packet costs, in milliseconds. */
const COST_MS = 0.2;

export function create(core: Core): Subscription {
  const flows = createFlows(core);
  return {
    ...flows,
    packetFilter() {
      for (const until = performance.now() + COST_MS; performance.now() < until; );
      return true;
    },
  };
}
