/**
 * Overload: a sender at one end of a veth pair outruns a slow program at the other. Loss is said while it happens, though
 * the driver hides it, and every packet sent is either processed or counted as lost.
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { DpdkAddon } from '../../../runtime/source/dpdk.ts';
import { captureFolder } from '../../support/captures.ts';
import { packageRoot } from '../../support/corpus.ts';
import { addVethPair, canMakeVeth, dpdk, plugIn, startEal } from '../../support/dpdk.ts';
import { onePort, startRun } from '../../support/online-run.ts';

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
    const device = 'net_af_packet0,iface=irisb,blocksz=65536,framesz=2048,framecnt=512';
    const config = folder.write('run.toml', onePort(device, [core], core, 'duration = 60'));
    const run = startRun(APP, ['--json', '--config', config, '--out', '/dev/null']);
    const port = plugIn(addon, 'net_af_packet0,iface=irisa,blocksz=65536,framesz=2048,framecnt=1024');
    const records = () =>
      run
        .err()
        .split('\n')
        .filter((line) => line.endsWith('}'))
        .map((line) => JSON.parse(line));
    try {
      await run.said(/receiving on core/);
      for (let i = 0; i < PACKETS; i++) {
        // The sender's own ring is full now and then.
        while (!addon.portSend(port.port, 0, port.memory, frame(i)))
          await new Promise((resolve) => setImmediate(resolve));
      }
      // What waits in the ring is processed: the count of packets stands still.
      for (let last = -1, taken = 0; run.child.exitCode === null && (last !== taken || taken === 0); ) {
        await new Promise((resolve) => setTimeout(resolve, 2100));
        last = taken;
        taken = records().findLast(({ kind }) => kind === 'monitor')?.packets ?? 0;
      }
      assert.ok(
        records().some(({ kind, text }) => kind === 'loss' && text.includes('the ring of its packet socket was full')),
        `no loss said: ${run.err()}`,
      );
      run.child.kill('SIGINT');
      const { code, err } = await run.ended;
      assert.is(code, 130, err);
      const summary = records().at(-1);
      assert.is(summary.kind, 'summary');
      assert.ok(summary.lost.socket_drops > 0, err);
      const lost = Object.values<number>(summary.lost).reduce((all, count) => all + count, 0);
      assert.is(summary.packets + lost, PACKETS, err);
      assert.is(summary.counters.tracked_packets, summary.packets);
    } finally {
      run.child.kill('SIGKILL');
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
