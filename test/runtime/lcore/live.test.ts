/** A run on a live interface: af_packet on one end of a veth pair, packets put in at the other, in a namespace of its own. */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Burst, Pkt } from '../../../runtime/packet/layout.ts';
import { openCapture } from '../../../runtime/source/capture.ts';
import { END_OF_INPUT } from '../../../runtime/source/contract.ts';
import type { DpdkAddon } from '../../../runtime/source/dpdk.ts';
import { captureFolder } from '../../support/captures.ts';
import { packageRoot } from '../../support/corpus.ts';
import { addVethPair, canMakeVeth, dpdk, plugIn, startEal } from '../../support/dpdk.ts';
import { onePort, startRun } from '../../support/online-run.ts';

const RUN = join(packageRoot(), 'dist/runtime/cli/iris-run.js');
const APP = join(packageRoot(), 'dist/test/support/flow-app.js');
const SAMPLE = join(packageRoot(), 'examples/sni/sample.pcap');
const RING = 'blocksz=65536,framesz=2048,framecnt=4096';

const test = suite('live');

/** All frames of a capture. */
function framesOf(file: string): Uint8Array[] {
  const capture = openCapture(file);
  const rows = new Int32Array((Burst.MAX + Burst.SPARE_ROWS) * Pkt.STRIDE);
  const frames: Uint8Array[] = [];
  for (let n = capture.poll(rows, Burst.MAX); n !== END_OF_INPUT; n = capture.poll(rows, Burst.MAX)) {
    for (let i = 0; i < n; i++) {
      const p = i << Pkt.SHIFT;
      frames.push(capture.memory.bytes.slice(rows[p + Pkt.OFFSET], rows[p + Pkt.OFFSET] + rows[p + Pkt.CAPLEN]));
    }
  }
  capture.close();
  return frames;
}

interface Line {
  readonly subscription: string;
  readonly ts: number;
  readonly ended?: string;
}

/** Lines without what depends on when packets arrived. */
function timeless(out: string): string[] {
  const lines = out.split('\n').filter((line) => line !== '');
  return lines.map((line) => JSON.stringify({ ...(JSON.parse(line) as Line), ts: 0, ended: '' })).sort();
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

  const cores = addon.threadAffinity();
  for (const workers of cores.length > 1 ? [1, 2] : [1]) {
    test(`${workers} worker(s): the records of the capture that is sent, and a clean end by SIGINT`, async () => {
      const on = cores.slice(0, workers);
      const device = `net_af_packet0,iface=irisb,qpairs=${workers},${RING}`;
      const config = folder.write('run.toml', onePort(device, on, cores[0], 'duration = 30'));
      const out = join(folder.path, 'out.json');
      const run = startRun(APP, ['--config', config, '--out', out]);
      const port = plugIn(addon, `net_af_packet0,iface=irisa,${RING}`);
      try {
        const frames = framesOf(SAMPLE);
        await run.said(/receiving on core/);
        for (const frame of frames) {
          // The sender's ring is full now and then.
          for (let i = 0; i < 1000 && !addon.portSend(port.port, 0, port.memory, frame); i++) {
            await new Promise((resolve) => setTimeout(resolve, 1));
          }
        }
        await new Promise((resolve) => setTimeout(resolve, 1000));
        run.child.kill('SIGINT');
        const { code, err } = await run.ended;
        assert.is(code, 130, err);
        assert.match(err, new RegExp(`^net_af_packet0 +received ${frames.length}$`, 'm'), err);
        const offline = spawnSync(process.execPath, [RUN, APP, '--pcap', SAMPLE], { encoding: 'utf8' });
        const online = execFileSync('cat', [out], { encoding: 'utf8' });
        assert.equal(timeless(online), timeless(offline.stdout));
        // In order of time, whichever core a line comes from; what the end of the run ended comes last.
        const lines = online.split('\n').filter((line) => line !== '' && !line.includes('"ended":"drain"'));
        const times = lines.map((line) => (JSON.parse(line) as Line).ts);
        assert.equal(
          times,
          [...times].sort((a, b) => a - b),
        );
      } finally {
        run.child.kill('SIGKILL');
        port.remove();
      }
    });
  }
  test.run();
}

const addon = dpdk();
if (addon === undefined || !canMakeVeth() || !existsSync(SAMPLE)) {
  test.skip('needs DPDK, the right to make network namespaces, and the example capture', () => {});
  test.run();
} else if (process.env.IRIS_TEST_NETNS === undefined) {
  const env = { ...process.env, IRIS_TEST_NETNS: '1' };
  const args = ['--net', process.execPath, ...process.execArgv, fileURLToPath(import.meta.url)];
  process.exitCode = spawnSync('unshare', args, { stdio: 'inherit', env }).status ?? 1;
} else {
  tests(addon);
}
