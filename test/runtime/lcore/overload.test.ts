/**
 * Overload: a sender at one end of a veth pair outruns a slow program at the other. Loss is said while it happens, though
 * the driver hides it, and every packet sent is either processed or counted as lost.
 */
import { spawn, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { DpdkAddon } from '../../../runtime/source/dpdk.ts';
import { captureFolder } from '../../support/captures.ts';
import { packageRoot } from '../../support/corpus.ts';
import { addVethPair, canMakeVeth, dpdk, plugIn, startEal } from '../../support/dpdk.ts';

const RUN = join(packageRoot(), 'dist/runtime/cli/iris-run.js');
const APP = join(packageRoot(), 'dist/test/support/slow-app.js');
const PACKETS = 6000;

const test = suite('overload');

/** A UDP frame of one of 100 flows. */
function frame(i: number): Uint8Array {
  const bytes = Buffer.alloc(64);
  bytes.set([2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, 0x45, 0, 0, 50, 0, 0, 0, 0, 64, 17]);
  bytes.set([10, 0, 0, 1, 10, 0, 0, 2], 26);
  bytes.writeUInt16BE(1024 + (i % 100), 34);
  bytes.writeUInt16BE(53, 36);
  bytes.writeUInt16BE(30, 38);
  return bytes;
}

function tests(addon: DpdkAddon): void {
  const folder = captureFolder();
  test.before(() => {
    addVethPair();
    startEal(addon);
  });
  test.after(() => {
    addon.ealStop();
    folder.remove();
  });

  test('sent = processed + lost, and the loss is said at once', async () => {
    const [core = 0] = addon.threadAffinity();
    const config = folder.write(
      'run.toml',
      Buffer.from(`main_core = ${core}
mempool.capacity = 8191
[online]
nb_rxd = 512
duration = 60
[[online.ports]]
device = "net_af_packet0,iface=irisb,blocksz=65536,framesz=2048,framecnt=512"
cores = [${core}]
`),
    );
    const child = spawn(process.execPath, [RUN, APP, '--json', '--config', config, '--out', '/dev/null'], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let err = '';
    let started = () => {};
    const receiving = new Promise<void>((resolve) => {
      started = resolve;
    });
    child.stderr.on('data', (chunk) => {
      err += chunk;
      if (err.includes('receiving on core')) started();
    });
    const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
    const port = plugIn(addon, 'net_af_packet0,iface=irisa,blocksz=65536,framesz=2048,framecnt=1024');
    const records = () =>
      err
        .split('\n')
        .filter((line) => line.endsWith('}'))
        .map((line) => JSON.parse(line));
    try {
      await Promise.race([receiving, ended]);
      for (let i = 0; i < PACKETS; i++) {
        // The sender's own ring is full now and then.
        while (!addon.portSend(port.port, 0, port.memory, frame(i)))
          await new Promise((resolve) => setImmediate(resolve));
      }
      // What waits in the ring is processed: the count of packets stands still.
      for (let last = -1, taken = 0; child.exitCode === null && (last !== taken || taken === 0); ) {
        await new Promise((resolve) => setTimeout(resolve, 2100));
        last = taken;
        taken = records().findLast(({ kind }) => kind === 'monitor')?.packets ?? 0;
      }
      assert.ok(
        records().some(({ kind, text }) => kind === 'loss' && text.includes('the ring of its packet socket was full')),
        `no loss said: ${err}`,
      );
      child.kill('SIGINT');
      assert.is(await ended, 130, err);
      const summary = records().at(-1);
      assert.is(summary.kind, 'summary');
      assert.ok(summary.lost.socket_drops > 0, err);
      const lost = Object.values<number>(summary.lost).reduce((all, count) => all + count, 0);
      assert.is(summary.packets + lost, PACKETS, err);
      assert.is(summary.counters.tracked_packets, summary.packets);
    } finally {
      child.kill('SIGKILL');
      port.remove();
    }
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
