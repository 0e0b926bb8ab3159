/** Flow sampling: tables for devices that have one, dropping by hash where there is none, counts that add up. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { parseConfig } from '../../../runtime/config/config.ts';
import { openPorts } from '../../../runtime/lcore/ports.ts';
import { limitNotes, rssNotes } from '../../../runtime/lcore/queues.ts';
import { createSampling, sinkLoop, sinkTable } from '../../../runtime/lcore/sink.ts';
import { Meta, Pkt } from '../../../runtime/packet/layout.ts';
import { END_OF_INPUT } from '../../../runtime/source/contract.ts';
import type { DpdkAddon, PortSettings } from '../../../runtime/source/dpdk.ts';
import { Counter, createCounters } from '../../../runtime/stats/counters.ts';
import type { Subscription } from '../../../runtime/subscription/contract.ts';
import { captureFolder } from '../../support/captures.ts';
import { packageRoot } from '../../support/corpus.ts';
import { dpdk } from '../../support/dpdk.ts';
import { plan } from '../../support/flow-app.ts';

const RUN = join(packageRoot(), 'dist/runtime/cli/iris-run.js');
const APP = join(packageRoot(), 'dist/test/support/flow-app.js');
const SAMPLE = join(packageRoot(), 'examples/sni/sample.pcap');

const test = suite('sink');
const folder = captureFolder();
test.after(folder.remove);

test('RSS tables', () => {
  assert.equal(sinkTable(8, 2, 256), [0, 1, 0, 1, 2, 2, 2, 2]);
  assert.equal(sinkTable(8, 2, 512), [0, 1, 0, 1, 0, 1, 0, 1]);
  // Every receive queue keeps one entry at least.
  assert.equal(sinkTable(4, 3, 3), [0, 1, 2, 3]);
  const table = sinkTable(128, 1, 384);
  assert.is(table.filter((queue) => queue === 1).length, 32);
});

test('in software: both directions alike, a port’s own share, frames without ports kept', () => {
  const rows = 4096;
  const pkt = new Int32Array(rows * Pkt.STRIDE);
  const counters = createCounters();
  let seen = 0;
  let frames = 0;
  const sub: Subscription = {
    plan,
    tracked: { open() {}, clear() {} },
    packetFilter() {
      seen++;
      return true;
    },
    onL4FirstPacket: () => 0,
    onPacket() {
      frames++;
    },
  };
  const sampling = createSampling(sub, { pkt, counters }, new Map([[3, 128]]));
  let kept = 0;
  for (let i = 0; i < rows; i++) {
    const p = i * Pkt.STRIDE;
    pkt[p + Pkt.HASH] = Math.imul(i, 0x51ed_270b);
    pkt[p + Pkt.META] = Meta.L4;
    pkt[p + Pkt.LINK] = 1 | (3 << 16);
    const first = sampling.sub.packetFilter(p);
    assert.is(sampling.sub.packetFilter(p), first);
    if (first) kept++;
    sampling.sub.onPacket?.(p);
  }
  assert.ok(kept > rows * 0.2 && kept < rows * 0.3, `${kept} of ${rows}`);
  assert.is(seen, 2 * kept);
  assert.is(frames, kept);
  assert.is(sampling.dropped(), 2 * (rows - kept));
  assert.is(counters[Counter.FILTERED_OUT], -2 * (rows - kept));
  // A port that does not sample, and a frame without ports.
  pkt[Pkt.HASH] = 0;
  while (sampling.sub.packetFilter(0)) pkt[Pkt.HASH]++;
  pkt[Pkt.LINK] = 1 | (4 << 16);
  assert.ok(sampling.sub.packetFilter(0));
  pkt[Pkt.LINK] = 1 | (3 << 16);
  pkt[Pkt.META] = 0;
  sampling.sub.onPacket?.(0);
  assert.is(frames, kept + 1);
});

test('a sink core takes until it is over', async () => {
  let polls = 0;
  await sinkLoop({ poll: () => (++polls < 10_000 ? 64 : END_OF_INPUT) }, new Int32Array(0), 64);
  assert.is(polls, 10_000);
});

/** A PCI device with an RSS table, played. */
function playedDevice(tableSize: number) {
  const calls: { settings?: PortSettings; table?: readonly number[] } = {};
  const played: Partial<DpdkAddon> = {
    threadAffinity: () => [0, 1, 2, 3],
    ealStart() {},
    ealStop() {},
    ealLog: () => [],
    memoryCreate: (() => {
      let n = 10;
      return () => n++;
    })(),
    hasHugepages: () => true,
    memoryFree() {},
    portByName: () => 5,
    portInfo: () => ({
      name: '0000:3b:00.0',
      driver: 'net_played',
      mac: '',
      socket: 0,
      maxRxQueues: 8,
      maxTxQueues: 8,
      minRxDescriptors: 64,
      maxRxDescriptors: 4096,
      maxMtu: 9000,
      rss: true,
    }),
    portConfigure: (_port, settings) => {
      calls.settings = settings;
    },
    portStart: () => true,
    portStop() {},
    deviceRemove() {},
    rssTable: () => Array.from({ length: tableSize }, () => 0),
    rssTableSet: (_port, table) => {
      calls.table = table;
      return table.length > 0;
    },
    rssState: () => 'symmetric',
    flowFlush() {},
  };
  return { addon: played as DpdkAddon, calls };
}

const SINK = parseConfig(
  `[online]
dpdk_supl_args = ["--in-memory"]
[[online.ports]]
device = "0000:3b:00.0"
cores = [1, 2]
[online.ports.sink]
core = 3
nb_buckets = 256
`,
  'x.toml',
);

test('a device with an RSS table: the sink’s queue is the last one, on a worker of its own', () => {
  const { addon, calls } = playedDevice(8);
  const live = openPorts(addon, SINK, () => {});
  assert.equal(
    live.workers.map(({ core, sink, queues, keep }) => [core, sink, queues.map(({ queue }) => queue), keep]),
    [
      [1, false, [0], []],
      [2, false, [1], []],
      [3, true, [2], []],
    ],
  );
  assert.equal(calls.settings?.memories, [10, 11, 12]);
  assert.is(calls.settings?.rss, true);
  assert.equal(live.start(), []);
  assert.equal(calls.table, [0, 1, 0, 1, 2, 2, 2, 2]);
  assert.equal(live.close(), []);
});

test('what a device has less of than the configuration asks for is said', () => {
  const limits = { maxMtu: 1500, maxRxDescriptors: 256 };
  assert.equal(limitNotes('p', limits, { mtu: 1500, rxDescriptors: 256 }), []);
  const [mtu, descriptors] = limitNotes('p', limits, { mtu: 9000, rxDescriptors: 4096 });
  assert.match(mtu, /^p: takes an MTU of 1500 at most, not 9000/);
  assert.match(descriptors, /^p: has room for 256 descriptors a queue, not 4096 \(online\.nb_rxd\)$/);
  const small = parseConfig(
    `[online]
mtu = 9500
nb_rxd = 8192
dpdk_supl_args = ["--in-memory"]
[[online.ports]]
device = "0000:3b:00.0"
cores = [1]
`,
    'x.toml',
  );
  assert.is(openPorts(playedDevice(8).addon, small, () => {}).notes.length, 2);
});

test('RSS that would split flows is refused, what a device does not tell is said', () => {
  assert.equal(rssNotes('p', 'symmetric'), []);
  assert.match(rssNotes('p', 'no ports').join(), /^p: its RSS leaves out TCP and UDP ports/);
  assert.match(rssNotes('p', 'unknown').join(), /^p: it does not tell its RSS key/);
  assert.throws(() => rssNotes('p', 'other key'), /^p: it has not taken the symmetric RSS key/);
  const { addon } = playedDevice(8);
  const live = openPorts({ ...addon, rssState: () => 'other key' }, SINK, () => {});
  assert.throws(() => live.start(), /has not taken the symmetric RSS key/);
});

test('a table that cannot be set is no sampling', () => {
  const { addon } = playedDevice(0);
  const live = openPorts(addon, SINK, () => {});
  assert.throws(() => live.start(), /its RSS table cannot be set/);
});

const cores = dpdk()?.threadAffinity() ?? [];
(cores.length < 2 || !existsSync(SAMPLE) ? test.skip : test)('a run keeps whole flows, and counts the others', () => {
  const [receive = 0, sink = 1] = cores;
  const config = folder.write(
    'run.toml',
    Buffer.from(`main_core = ${receive}
mempool.capacity = 8191
[online]
nb_rxd = 512
[[online.ports]]
device = "net_pcap0,rx_pcap=${SAMPLE}"
cores = [${receive}]
[online.ports.sink]
core = ${sink}
nb_buckets = 256
`),
  );
  const { status, stdout, stderr } = spawnSync(process.execPath, [RUN, APP, '--json', '--config', config], {
    encoding: 'utf8',
  });
  assert.is(status, 0, stderr);
  const records = stderr
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  assert.match(records[0].text, /^net_pcap0: net_pcap has no RSS table; receive cores drop/);
  const { packets, sampled_out, counters } = records.at(-1);
  assert.ok(sampled_out > 0 && sampled_out < packets);
  assert.is(sampled_out + (counters.filtered_out ?? 0) + counters.tracked_packets, counters.transport_packets);
  const lines = (text: string) => text.split('\n').filter((line) => line.includes('"flows"'));
  const all = new Set(lines(spawnSync(process.execPath, [RUN, APP, '--pcap', SAMPLE], { encoding: 'utf8' }).stdout));
  const sample = lines(stdout);
  assert.ok(sample.length < all.size);
  for (const line of sample) assert.ok(all.has(line), `not a whole flow: ${line}`);
});
test.run();
