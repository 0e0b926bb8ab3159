/** Loss is said at once, then ever less often, and nothing of it is kept back. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { createLossWatch } from '../../../runtime/lcore/loss.ts';
import { createCounters } from '../../../runtime/stats/counters.ts';
import { liveBuffer } from '../../../runtime/stats/live.ts';
import { sampleCore } from '../../../runtime/stats/sample.ts';

const test = suite('loss');
const NOTHING = { ipackets: 0, ibytes: 0, imissed: 0, ierrors: 0, rxNombuf: 0, socketDrops: 0 };

test('a loss that goes on', () => {
  let missed = 5;
  const watch = createLossWatch({
    ports: [{ name: 'p', port: 0, driver: 'x', device: { kind: 'pci', address: '0000:00:00.0' } }],
    stats: () => ({ ...NOTHING, imissed: missed }),
  });
  assert.match(watch.look(0).join(), /^p lost 5 packets: its queue was full/);
  missed = 20;
  assert.equal(watch.look(200), []);
  assert.match(watch.look(1000).join(), /^p lost 15 packets \(20 since the start\): /);
  missed = 21;
  assert.equal(watch.look(2900), []);
  assert.match(watch.look(3000).join(), /^p lost 1 packets \(21 since the start\): /);
  assert.equal(watch.look(100_000), []);
});

test('errors of net_pcap are no packets', () => {
  const watch = createLossWatch({
    ports: [{ name: 'p', port: 0, driver: 'net_pcap', device: { kind: 'pci', address: '0000:00:00.0' } }],
    stats: () => ({ ...NOTHING, ierrors: 3 }),
  });
  assert.equal(watch.look(0), []);
});

test('what cores give up', () => {
  const core = sampleCore({
    core: 7,
    counters: createCounters(),
    live: new Float64Array(liveBuffer(0)),
    subscriptions: [],
    mempool: { capacity: 1, inUse: 0 },
  });
  const lost = { ...core, refused: 2, evicted: 3, oversize: 4 };
  const watch = createLossWatch({ ports: [], stats: () => NOTHING }, () => [lost]);
  const [refused, evicted, oversize, ...rest] = watch.look(0);
  assert.match(refused, /^core 7 lost 2 connections: its table was full: a larger conntrack\.max_connections/);
  assert.match(evicted, /^core 7 lost 3 connections: .*gave way/);
  assert.match(oversize, /^core 7 lost 4 packets: /);
  assert.equal(rest, []);
});
test.run();
