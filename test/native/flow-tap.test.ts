/**
 * A flow rule on a device that installs it: net_tap hands rules to the kernel's traffic control. Only kernels with the
 * flower classifier take them; elsewhere this is skipped.
 */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { DeviceRule } from '../../runtime/source/dpdk.ts';
import { dpdk, plugIn, startEal, type TestPort } from '../support/dpdk.ts';

const DROP_UDP: DeviceRule = {
  priority: 0,
  items: [{ type: 'eth' }, { type: 'ipv4' }, { type: 'udp' }],
  action: 'drop',
  count: false,
};

const test = suite('flow on net_tap');
const addon = dpdk();
let port: TestPort | undefined;
if (addon !== undefined) {
  startEal(addon);
  try {
    port = plugIn(addon, 'net_tap0,iface=iristap0');
  } catch {
    // No right to make interfaces, or no tun driver.
  }
}
const installed = port !== undefined && addon?.flowRule(port.port, DROP_UDP, [0], true) === undefined;

(installed ? test : test.skip)('a rule is installed, counts nothing, and is flushed', () => {
  if (addon === undefined || port === undefined) return;
  assert.is(addon.flowDropped(port.port), -1);
  addon.flowFlush(port.port);
  assert.is(addon.flowRule(port.port, DROP_UDP, [0], true), undefined);
  addon.flowFlush(port.port);
});
test.run();
process.on('exit', () => {
  port?.remove();
  addon?.ealStop();
});
