/** Workers that come and go: packets, registrations and memory all come back, even when a worker is shot in its loop. */
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Burst, Pkt } from '../../runtime/packet/layout.ts';
import { type DpdkAddon, loadDpdk } from '../../runtime/source/dpdk.ts';
import { openDpdkPort } from '../../runtime/source/dpdk-port.ts';
import { dpdk, plugIn, startEal } from '../support/dpdk.ts';

interface Task {
  readonly port: number;
  readonly memory: number;
  readonly end: 'exit' | 'throw' | 'terminate';
}

/** What each worker does: register, poll, hold some packets, and end in one of three ways without closing anything. */
function work({ port, memory, end }: Task): void {
  const addon = loadDpdk();
  addon.threadPin(addon.threadAffinity()[0] ?? 0);
  const lcore = addon.threadRegister();
  const queues = [{ port, queue: 0, linkType: 1, packetTimes: false, finite: false }];
  const source = openDpdkPort(addon, { memory, queues });
  for (let i = 0; i < 50; i++) {
    const n = source.poll(source.pkt, Burst.MAX);
    if (i < 3 && n > 0) source.pkt[Pkt.HOLD] = 1;
  }
  parentPort?.postMessage({ lcore, affinity: addon.threadAffinity() });
  if (end === 'throw') throw new Error('on purpose');
  while (end === 'terminate') source.poll(source.pkt, Burst.MAX);
}

interface Report {
  readonly lcore: number;
  readonly affinity: readonly number[];
}

function runWorker(task: Task): Promise<Report> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL(import.meta.url), { workerData: task });
    let report: Report | undefined;
    worker.on('message', (message: Report) => {
      report = message;
      if (task.end === 'terminate') void worker.terminate();
    });
    worker.on('error', (error) => {
      if (task.end !== 'throw' || error.message !== 'on purpose') reject(error);
    });
    worker.on('exit', () => (report === undefined ? reject(new Error('the worker said nothing')) : resolve(report)));
  });
}

function tests(addon: DpdkAddon | undefined): void {
  const test = suite('worker');
  if (addon === undefined) {
    test.skip('DPDK is not built in', () => {});
    test.run();
    return;
  }
  test.before(() => startEal(addon));
  test.after(() => addon.ealStop());

  for (const end of ['exit', 'throw', 'terminate'] as const) {
    test(`50 workers one after the other, ended by ${end}`, async () => {
      const device = plugIn(addon, 'net_null0');
      const lcores = new Set<number>();
      for (let i = 0; i < 50; i++) {
        const report = await runWorker({ port: device.port, memory: device.memory, end });
        lcores.add(report.lcore);
        assert.is(report.affinity.length, 1, 'pinned to one core');
        assert.is(device.inUse(), 0, `packets missing after worker ${i}`);
      }
      assert.is(lcores.size, 1, 'the registration was not given back');
      device.remove();
    });
  }

  test('two workers at a time on ports of their own', async () => {
    const devices = [plugIn(addon, 'net_null1'), plugIn(addon, 'net_null2')];
    const before = addon.threadAffinity();
    await Promise.all(devices.map(({ port, memory }) => runWorker({ port, memory, end: 'terminate' })));
    assert.equal(addon.threadAffinity(), before, 'the main thread was pinned');
    for (const device of devices) {
      assert.is(device.inUse(), 0);
      device.remove();
    }
  });
  test.run();
}

if (isMainThread) tests(dpdk());
else work(workerData as Task);
