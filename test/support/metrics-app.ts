/** The flow program with metrics of its own, as user code has them. */
import { type Core, counter, gauge, type Subscription } from '../../runtime/runtime.ts';
import { create as createFlows, plan } from './flow-app.ts';

const opened = counter('test_connections_total', 'Connections that the program saw.');
const both = counter('test_sum_total', 'All cores together.', { perCore: false, labels: { kind: 'a"b' } });
const latest = gauge('test_latest', 'Number of the latest connection.');

export { plan };

export function create(core: Core): Subscription {
  const flows = createFlows(core);
  return {
    ...flows,
    onL4FirstPacket(c, p) {
      opened.add();
      both.add(2);
      latest.set(c);
      return flows.onL4FirstPacket(c, p);
    },
  };
}
