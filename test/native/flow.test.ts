/** rte_flow and the RSS table on virtual devices: what they refuse, what they take. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { DeviceRule, DpdkAddon } from '../../runtime/source/dpdk.ts';
import { dpdk, plugIn, startEal } from '../support/dpdk.ts';

const test = suite('flow');

const DROP_UDP: DeviceRule = {
  priority: 0,
  items: [{ type: 'eth' }, { type: 'ipv4' }, { type: 'udp' }],
  action: 'drop',
  count: false,
};
const mask = new Uint8Array(20);
mask.set([0xff, 0xff], 2);
const spec = new Uint8Array(20);
spec.set([0x01, 0xbb], 2);
const PASS_HTTPS: DeviceRule = {
  priority: 0,
  items: [{ type: 'eth' }, { type: 'ipv4' }, { type: 'tcp', spec, mask }],
  action: 'pass',
  count: false,
};

function tests(addon: DpdkAddon): void {
  test.before(() => startEal(addon));
  test.after(() => addon.ealStop());

  for (const device of ['net_null0', 'net_ring0']) {
    test(`${device} has no flow rules, and says so`, () => {
      const port = plugIn(addon, device);
      try {
        for (const install of [false, true]) {
          for (const rule of [DROP_UDP, PASS_HTTPS]) {
            assert.is(addon.flowRule(port.port, rule, [0], install), 'it has no flow rules');
          }
        }
        assert.is(addon.flowDropped(port.port), -1);
        addon.flowFlush(port.port);
      } finally {
        port.remove();
      }
    });
  }

  test('wrong rules are refused, not crashed on', () => {
    const port = plugIn(addon, 'net_null0');
    try {
      const wrong = (rule: object) => () => addon.flowRule(port.port, rule as DeviceRule, [0], false);
      assert.throws(wrong({ ...DROP_UDP, items: [{ type: 'icmp' }] }), /not an item of a flow rule/);
      assert.throws(wrong({ ...DROP_UDP, items: [{ type: 'eth', spec: new Uint8Array(65) }] }), /not an item/);
      assert.throws(() => addon.flowRule(port.port, PASS_HTTPS, [], false), /need a queue/);
      assert.throws(() => addon.flowRule(4000, DROP_UDP, [0], false), /no such port/);
    } finally {
      port.remove();
    }
  });

  test('the RSS table of net_null', () => {
    const port = plugIn(addon, 'net_null0', 2048, 3);
    try {
      const table = addon.rssTable(port.port);
      assert.ok(table.length > 0 && table.length % 64 === 0, `${table.length} entries`);
      const wanted = table.map((_, i) => (i * 7) % 3);
      assert.ok(addon.rssTableSet(port.port, wanted));
      assert.equal(addon.rssTable(port.port), wanted);
      assert.not(addon.rssTableSet(port.port, [...wanted.slice(1), 3]), 'there is no queue 3');
    } finally {
      port.remove();
    }
  });

  test('net_ring has none', () => {
    const port = plugIn(addon, 'net_ring0');
    try {
      assert.equal(addon.rssTable(port.port), []);
      assert.not(
        addon.rssTableSet(
          port.port,
          Array.from({ length: 128 }, () => 0),
        ),
      );
    } finally {
      port.remove();
    }
  });
  test.run();
}

const addon = dpdk();
if (addon === undefined) {
  test.skip('needs DPDK', () => {});
  test.run();
} else {
  tests(addon);
}
