import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { shapeOptions, type TrafficOptions } from '../traffic/options.ts';
import { writeCapture, writePcap } from '../traffic/pcap-writer.ts';
import type { Truth } from '../traffic/truth.ts';
import { buildFloor, FLOOR_MODES, runFloor } from './floor.ts';
import { cost, printTable } from './report.ts';

const test = suite('bench');
const compiler = spawnSync(process.env.CXX ?? 'g++', ['--version']).status === 0;
const ifCompiler = compiler ? test : test.skip;

function withCapture(options: TrafficOptions, use: (path: string, truths: Truth[]) => void): void {
  const folder = mkdtempSync(join(tmpdir(), 'iris-floor-'));
  try {
    const truths: Truth[] = [];
    writePcap(
      options,
      () => {},
      (truth) => truths.push(truth),
    );
    writeCapture(join(folder, 'x.pcap'), options);
    use(join(folder, 'x.pcap'), truths);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

ifCompiler('the floor counts what the traffic holds, in batches and one by one', () => {
  const options = shapeOptions('mixed', 1, { ipv6: 0.3, vlan: 0.2, variety: 8, nanoseconds: true });
  withCapture(options, (path, truths) => {
    const sum = (of: (truth: Truth) => number) => truths.reduce((total, truth) => total + of(truth), 0);
    for (const batch of [1, 64] as const) {
      const sample = runFloor(buildFloor(), path, 'full', batch, 1000);
      assert.is(sample.delivered, truths.length);
      assert.is(
        sample.connPackets,
        sum((truth) => truth.orig.packets + truth.resp.packets),
      );
      assert.is(
        sample.connBytes,
        sum((truth) => truth.orig.ipBytes + truth.resp.ipBytes),
      );
      assert.is(sample.packets, sample.connPackets);
    }
  });
});

ifCompiler('unanswered connections leave the floor after five seconds', () => {
  // 20,000 SYNs in 20 s: at most 5 s worth of them, and a tick, are live at a time.
  const options = shapeOptions('scan', 1, { connections: 20_000, rate: 1000 });
  withCapture(options, (path) => {
    assert.is(runFloor(buildFloor(), path, 'full', 64, 5300).delivered, 20_000);
    assert.ok(runFloor(buildFloor(), path, 'full', 64, 4000).delivered < 20_000);
  });
});

ifCompiler('every stage of the floor sees every packet', () => {
  withCapture(shapeOptions('mixed', 0.1), (path) => {
    const seen = FLOOR_MODES.filter((mode) => mode !== 'read').map(
      (mode) => runFloor(buildFloor(), path, mode, 64, 1000).packets,
    );
    assert.is(new Set(seen).size, 1);
    assert.ok((seen[0] ?? 0) > 500);
  });
});

test('costs are medians per packet, with what differs from the floor', () => {
  const sample = (cpuNs: number, delivered = 3) => ({
    packets: 10,
    bytes: 100,
    delivered,
    connPackets: 10,
    connBytes: 100,
    cpuNs,
    threadNs: cpuNs / 2,
    processNs: cpuNs + 1000,
  });
  const floor = [sample(300), sample(100), sample(200)];
  const ours = cost('ours', 10, [sample(900), sample(500, 4), sample(400)], floor, true);
  assert.equal([ours.median, ours.min, ours.process], [50, 40, 150]);
  assert.equal([ours.ratio, ours.minRatio, ours.threadRatio, ours.differs], [2.5, 4, 1.25, []]);
  const wrong = cost('ours', 10, [sample(900, 4)], floor, true);
  assert.equal(wrong.differs, ['delivered 4, floor 3']);
  assert.match(printTable('shape', [ours, wrong]), /^shape\n.*median.*\n {2}ours +50 +40 +150 +2\.50 +4\.00 +1\.25\n/);
  assert.match(printTable('shape', [wrong]), /! ours did other work than the floor: delivered 4, floor 3$/);
});

test.run();
