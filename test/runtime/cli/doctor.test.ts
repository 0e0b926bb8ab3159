/** The doctor's findings and how they read. */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { diagnose, findingsText } from '../../../runtime/cli/doctor.ts';
import { parseConfig } from '../../../runtime/config/config.ts';
import { networkCards, nodeOfCore, numaNodes } from '../../../runtime/lcore/machine.ts';
import { nodeNotes } from '../../../runtime/lcore/preflight.ts';
import { loadNative } from '../../../runtime/source/dpdk.ts';

const test = suite('doctor');

/** A /sys of a server: two nodes, hugepages on the first only, a card bound to vfio-pci and one bound to ixgbe. */
const sys = mkdtempSync(join(tmpdir(), 'iris-sys-'));
test.after(() => rmSync(sys, { recursive: true }));
function file(path: string, text: string): void {
  mkdirSync(dirname(join(sys, path)), { recursive: true });
  writeFileSync(join(sys, path), `${text}\n`);
}
for (const [node, cores, pages] of [
  [0, '0-3', 512],
  [1, '4-7', 0],
] as const) {
  file(`devices/system/node/node${node}/cpulist`, cores);
  file(`devices/system/node/node${node}/hugepages/hugepages-2048kB/nr_hugepages`, `${pages}`);
}
mkdirSync(join(sys, 'devices/system/cpu/cpu5/node1'), { recursive: true });
mkdirSync(join(sys, 'kernel/iommu_groups/0'), { recursive: true });
for (const [address, driver, node] of [
  ['0000:3b:00.0', 'vfio-pci', '1'],
  ['0000:3b:00.1', 'ixgbe', '1'],
] as const) {
  const folder = `bus/pci/devices/${address}`;
  file(`${folder}/class`, '0x020000');
  file(`${folder}/vendor`, '0x8086');
  file(`${folder}/device`, '0x10fb');
  file(`${folder}/numa_node`, node);
  mkdirSync(join(sys, 'bus/pci/drivers', driver), { recursive: true });
  mkdirSync(join(sys, folder, 'iommu_group'));
  symlinkSync(join(sys, 'bus/pci/drivers', driver), join(sys, folder, 'driver'));
}
file('bus/pci/devices/0000:00:1f.2/class', '0x010601');

test('every part of the machine is looked at, and what is missing comes with a command', () => {
  const findings = diagnose();
  const parts = new Set(findings.map(({ what }) => what));
  const all = ['node', 'native addon', 'DPDK', 'hugepages', 'NUMA', 'cores', 'IOMMU, VFIO', 'network card'];
  assert.equal([...parts], [...all, 'packet sockets', 'device access']);
  for (const { verdict, what, hint } of findings) {
    if (verdict !== 'ok' && what !== 'cores') assert.ok(hint !== undefined, what);
  }
  const native = loadNative();
  const verdictOf = (part: string) => findings.find(({ what }) => what === part)?.verdict;
  assert.is(verdictOf('native addon'), native === undefined ? 'warn' : 'ok');
  assert.is(verdictOf('DPDK'), native?.haveDpdk === true ? 'ok' : 'warn');
});

test('a server: its nodes, its IOMMU, its cards and who has them', () => {
  assert.is(nodeOfCore(5, sys), 1);
  assert.is(nodeOfCore(6, sys), -1);
  assert.equal(
    numaNodes(sys).map(({ node, hugepageBytes }) => [node, hugepageBytes]),
    [
      [0, 1 << 30],
      [1, 0],
    ],
  );
  assert.equal(
    networkCards(sys).map(({ address, driver, node, id }) => [address, driver, node, id]),
    [
      ['0000:3b:00.0', 'vfio-pci', 1, '8086:10fb'],
      ['0000:3b:00.1', 'ixgbe', 1, '8086:10fb'],
    ],
  );
  const found = new Map(diagnose(undefined, sys).map((finding) => [finding.text, finding]));
  const that = (part: RegExp) => [...found.values()].find(({ text }) => part.test(text));
  assert.is(that(/node 0: cores 0-3, 1024 MB.*node 1: cores 4-7, 0 MB/)?.verdict, 'warn');
  assert.is(that(/^on \(1 groups\); vfio-pci is loaded$/)?.verdict, 'ok');
  assert.is(that(/^0000:3b:00\.0 .*ready for DPDK$/)?.verdict, 'ok');
  const kernel = that(/^0000:3b:00\.1 .*bound to the kernel's ixgbe, not for DPDK$/);
  assert.is(kernel?.verdict, 'warn');
  assert.match(kernel?.hint ?? '', /dpdk-devbind\.py -b vfio-pci 0000:3b:00\.1/);
});

(loadNative() === undefined ? test.skip : test)('the ports of a configuration', () => {
  const [core = 0] = loadNative()?.threadAffinity() ?? [];
  const about = (device: string, cores: string) => {
    const text = `main_core = ${core}\n[[online.ports]]\ndevice = "${device}"\ncores = [${cores}]\n`;
    return diagnose(parseConfig(text, 'x.toml'), sys).filter(({ what }) => what === 'x.toml');
  };
  assert.equal(
    about('net_null0', `${core}`).map(({ verdict }) => verdict),
    ['ok'],
  );
  const faults = [...about('0000:3b:00.1', `${core}`), ...about('0000:3c:00.0', '1000')];
  for (const [part, hint] of [
    [/^0000:3b:00\.1: not for DPDK yet$/, /dpdk-devbind/],
    [/^0000:3c:00\.0: there is no such network card$/, /lspci/],
    [/core 1000 is not there/, /^$/],
    [/^0000:3b:00\.1 needs \d+ MB of hugepages/, /nr_hugepages/],
  ] as const) {
    const fault = faults.find(({ text }) => part.test(text));
    assert.is(fault?.verdict, 'fail', `${part}`);
    assert.match(fault?.hint ?? '', hint);
  }
});

test('packets that cross between nodes are spoken of', () => {
  const nodeOf = (core: number) => (core < 4 ? 0 : 1);
  assert.equal(nodeNotes('eth', 0, [1, 2], nodeOf), []);
  assert.equal(nodeNotes('eth', -1, [1, 4], nodeOf), []);
  assert.match(nodeNotes('eth', 0, [1, 4, 5], nodeOf).join(), /^eth: on NUMA node 0, but cores 4-5 are not:/);
  assert.match(nodeNotes('eth', 1, [1, 4], nodeOf).join(), /but core 1 is not:/);
  assert.equal(
    nodeNotes('eth', 1, [1], () => -1),
    [],
  );
});

test('findings as text', () => {
  assert.is(
    findingsText([
      { verdict: 'ok', what: 'node', text: '20.0.0', hint: 'not shown' },
      { verdict: 'fail', what: 'native addon', text: 'broken', hint: 'npm run build:native' },
    ]),
    'ok    node          20.0.0\nfail  native addon  broken\n                    -> npm run build:native\n',
  );
});
test.run();
