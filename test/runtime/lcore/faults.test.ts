/** What goes wrong while a run over ports lasts, or before it starts: one sentence, an exit code, and everything given back. */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { createLossWatch } from '../../../runtime/lcore/loss.ts';
import { watchPresence } from '../../../runtime/lcore/presence.ts';
import { Burst, Pkt } from '../../../runtime/packet/layout.ts';
import type { DpdkAddon } from '../../../runtime/source/dpdk.ts';
import { openDpdkPort, PORT_LINK_TYPE } from '../../../runtime/source/dpdk-port.ts';
import { createCounters } from '../../../runtime/stats/counters.ts';
import { liveBuffer } from '../../../runtime/stats/live.ts';
import { sampleCore } from '../../../runtime/stats/sample.ts';
import { captureFolder } from '../../support/captures.ts';
import { packageRoot } from '../../support/corpus.ts';
import { addVethPair, canMakeVeth, dpdk, plugIn, startEal } from '../../support/dpdk.ts';
import { LONGEST_MS, onePort, startRun } from '../../support/online-run.ts';

const RUN = join(packageRoot(), 'dist/runtime/cli/iris-run.js');
const APP = join(packageRoot(), 'dist/test/support/fault-app.js');
const SAMPLE = join(packageRoot(), 'examples/sni/sample.pcap');
const ENDLESS = `net_pcap0,rx_pcap=${SAMPLE},infinite_rx=1`;

const test = suite('faults');

const start = (args: readonly string[], env: Readonly<Record<string, string>> = {}) =>
  startRun(APP, [...args, '--out', '/dev/null'], env);

function tests(addon: DpdkAddon): void {
  const folder = captureFolder();
  test.before(addVethPair);
  test.after(() => folder.remove());
  const cores = addon.threadAffinity();
  const [core = 0] = cores;

  const configure = (device: string, online = '', own = core) =>
    folder.write('run.toml', onePort(device, [own], core, online));
  const sampled = existsSync(SAMPLE) ? test : test.skip;

  sampled('user code that ends its thread ends the run, in one sentence', async () => {
    const { code, err } = await start(['--config', configure(ENDLESS)], { IRIS_TEST_FAULT: 'exit' }).ended;
    assert.is(code, 1, err);
    assert.match(
      err,
      new RegExp(`^error: core ${core}: the program ended its thread: process\\.exit\\(7\\)\\n {2}.+\\n$`, 'm'),
    );
    assert.not.match(err, /note: |internal error/);
    // What the core did until then is not forgotten.
    assert.match(err, /^net_pcap0 +received [1-9]/m);
  });

  for (const fault of ['reject', 'later']) {
    sampled(`${fault}: what user code throws outside a delivery is reported and counted`, async () => {
      const config = configure(ENDLESS, 'duration = 1');
      const { code, err } = await start(['--config', config], { IRIS_TEST_FAULT: fault }).ended;
      assert.is(code, 0, err);
      assert.match(
        err,
        /^iris: error in user code: subscription \(outside a delivery\): Error: (nobody catches me|thrown later)$/m,
      );
      assert.match(err, /^user errors +\(outside a delivery\) 1$/m);
      const strict = await start(['--strict', '--config', config], { IRIS_TEST_FAULT: fault }).ended;
      assert.is(strict.code, 1, strict.err);
      assert.match(strict.err, /^error: subscription \(outside a delivery\)/m);
    });
  }

  sampled('user code that never returns: the first signal says so, the second one ends it', async () => {
    const run = start(['--config', configure(ENDLESS)], { IRIS_TEST_FAULT: 'loop' });
    await run.said(/^in a loop$/m);
    run.child.kill('SIGINT');
    await run.said(/still at work/);
    assert.is(run.child.exitCode, null);
    run.child.kill('SIGINT');
    const { code, err } = await run.ended;
    assert.is(code, 130, err);
    assert.match(err, new RegExp(`^note: core ${core} still at work; Ctrl-C once more ends it at once$`, 'm'));
  });

  sampled('and so does one signal when the configured duration is over', async () => {
    const run = start(['--config', configure(ENDLESS, 'duration = 0.2')], { IRIS_TEST_FAULT: 'loop' });
    await run.said(/still at work/);
    run.child.kill('SIGINT');
    const { code, err } = await run.ended;
    assert.is(code, 130, err);
  });

  test('an interface that is deleted is missed, and a run without any port ends', async () => {
    const run = start(['--config', configure('net_af_packet0,iface=irisb,blocksz=65536,framesz=2048,framecnt=512')]);
    await run.said(/receiving on core/);
    execFileSync('ip', ['link', 'del', 'irisa']);
    const { code, err } = await run.ended;
    addVethPair();
    assert.is(code, 3, err);
    assert.match(err, /^iris: net_af_packet0: its interface irisb is gone: no packet comes from there any more$/m);
    assert.match(err, /^stopped +all ports are gone$/m);
    assert.match(err, /^error: no port is left: net_af_packet0$/m);
  });

  test('a mempool that runs dry loses packets, says so, and recovers', async () => {
    startEal(addon);
    const sender = plugIn(addon, 'net_af_packet8,iface=irisa,blocksz=65536,framesz=2048,framecnt=1024');
    const memory = addon.memoryCreate({ capacity: 127, cacheSize: 0, dataRoom: 2048, slabLength: 64, socket: -1 });
    const port = addon.deviceProbe('net_af_packet9,iface=irisb,blocksz=65536,framesz=2048,framecnt=512');
    addon.portConfigure(port, { memories: [memory], rxDescriptors: 64, mtu: 0, rss: false });
    addon.portStart(port, true);
    const name = 'net_af_packet9';
    const queue = { port, queue: 0, linkType: PORT_LINK_TYPE, packetTimes: false, finite: false };
    const source = openDpdkPort(addon, { memory, queues: [queue] });
    const mempool = () => addon.memoryInfo(memory);
    const counters = createCounters();
    const live = new Float64Array(liveBuffer(0));
    const sample = () => [sampleCore({ core, counters, live, subscriptions: [], mempool: mempool() })];
    const watched = {
      ports: [
        {
          name,
          port,
          driver: 'net_af_packet',
          device: { kind: 'pci' as const, address: name },
        },
      ],
      stats: () => addon.portStats(port),
    };
    const watch = createLossWatch(watched, sample);
    const held: number[] = [];
    /** Sends `count` frames, takes what comes, and holds it if asked to; how many came. */
    async function exchange(count: number, hold: boolean): Promise<number> {
      let came = 0;
      for (let i = 0; i < count; i++) addon.portSend(sender.port, 0, sender.memory, new Uint8Array(64).fill(2));
      for (const end = performance.now() + 500; performance.now() < end; ) {
        const n = source.poll(source.pkt, Burst.MAX);
        for (let row = 0; row < n; row++) {
          if (!hold) continue;
          source.pkt[(row << Pkt.SHIFT) + Pkt.HOLD] = 1;
          held.push(source.pkt[(row << Pkt.SHIFT) + Pkt.OFFSET]);
        }
        came += Math.max(0, n);
        await new Promise((resolve) => setImmediate(resolve));
      }
      return came;
    }
    try {
      const sent = 1500;
      assert.is(await exchange(sent, true), 127);
      assert.is(mempool().inUse, 127);
      const { rxNombuf, socketDrops, imissed } = addon.portStats(port);
      assert.ok(rxNombuf + socketDrops + imissed > 0);
      assert.match(watch.look().join(), /^net_af_packet9 lost [\d,]+ packets: no packet buffer was free/);
      source.poll(source.pkt, Burst.MAX);
      assert.is(source.release(Int32Array.from(held), held.length), 127);
      // What waited in the ring of the socket comes first.
      assert.ok((await exchange(50, false)) > 127);
      const lost = addon.portStats(port).socketDrops;
      assert.ok(lost > 0 && lost < sent);
    } finally {
      source.close();
      addon.portStop(port);
      addon.deviceRemove(port);
      sender.remove();
    }
  });

  test('no permission: one sentence, with the command', () => {
    const asNobody = (device: string) =>
      spawnSync(
        'setpriv',
        [
          '--reuid',
          '65534',
          '--regid',
          '65534',
          '--clear-groups',
          process.execPath,
          RUN,
          APP,
          '--config',
          configure(device),
        ],
        { encoding: 'utf8', timeout: LONGEST_MS },
      );
    if (spawnSync('setpriv', ['--version']).status !== 0) return;
    execFileSync('chmod', ['-R', 'a+rX', folder.path]);
    for (const device of ['net_af_packet0,iface=irisb', 'net_tap0,iface=irisx', 'net_pcap0,rx_iface=irisb']) {
      const { status, stderr } = asNobody(device);
      assert.is(status, 3, stderr);
      assert.match(stderr, /^error: .+\n {2}run it as root: sudo npx iris-run …\n$/);
    }
  });

  test('wrong arguments for DPDK: one sentence that names them, and nothing else of its words', async () => {
    const config = configure('net_null0', 'dpdk_supl_args = ["--colour"]');
    const { status, stdout, stderr } = spawnSync(process.execPath, [RUN, APP, '--config', config], {
      encoding: 'utf8',
      timeout: LONGEST_MS,
    });
    assert.is(status, 3);
    assert.is(stdout, '');
    assert.match(
      stderr,
      /^error: DPDK does not start: .*unrecognized option '--colour'\n {2}look at online\.dpdk_supl_args; .+\n$/,
    );
  });

  test('devices that are not there, or lack an option', async () => {
    const refusals: [string, RegExp][] = [
      ['0000:99:03.0', /^error: 0000:99:03\.0: there is no such PCI device\n {2}lspci/],
      ['net_af_packet0', /^error: net_af_packet0: needs the option iface=…\n {2}write device = /],
      ['net_pcap0', /^error: net_pcap0: needs the option rx_pcap=… or rx_iface=… or iface=…\n/],
    ];
    for (const [device, message] of refusals) {
      const { code, err } = await start(['--config', configure(device)]).ended;
      assert.is(code, 3, err);
      assert.match(err, message);
    }
  });

  test('each device is missed once', () => {
    const ports = ['a', 'b'].map((name) => ({ name, device: { kind: 'pci', address: name } as const }));
    const lost = new Set<string>();
    const presence = watchPresence(ports, (device) =>
      device.kind === 'pci' && lost.has(device.address) ? 'it' : undefined,
    );
    assert.equal(presence.look(), []);
    lost.add('b');
    assert.equal(presence.look(), ['b: it is gone: no packet comes from there any more']);
    assert.equal(presence.look(), []);
    assert.is(presence.allGone, false);
    lost.add('a');
    assert.is(presence.look().length, 1);
    assert.is(presence.allGone, true);
  });
  test.run();
}

const addon = dpdk();
if (addon === undefined || !canMakeVeth()) {
  test.skip('needs DPDK and the right to make network namespaces', () => {});
  test.run();
} else if (process.env.IRIS_TEST_NETNS === undefined) {
  const env = { ...process.env, IRIS_TEST_NETNS: '1' };
  const args = ['--net', process.execPath, ...process.execArgv, fileURLToPath(import.meta.url)];
  process.exitCode = spawnSync('unshare', args, { stdio: 'inherit', env }).status ?? 1;
} else {
  tests(addon);
}
