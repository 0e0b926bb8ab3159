import { readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { addonPath } from '../../runtime/addons.ts';
import { useHugePages } from '../../runtime/huge-pages.ts';
import { transparentHugepages } from '../../runtime/lcore/machine.ts';

const MIB = 1024 * 1024;

/** Bytes of this process's mappings that asked for huge pages. */
function advisedBytes(): number {
  let bytes = 0;
  let size = 0;
  for (const line of readFileSync('/proc/self/smaps', 'latin1').split('\n')) {
    const [name, value] = line.split(/:?\s+/);
    if (name === 'Size') size = Number(value) * 1024;
    else if (name === 'VmFlags' && / hg( |$)/.test(line)) bytes += size;
  }
  return bytes;
}

const test = suite('huge pages');
const possible = addonPath('iris_memory') !== undefined && transparentHugepages();

(possible ? test : test.skip)('a large table is on huge pages beyond its first part, as far as that pays', () => {
  const before = advisedBytes();
  const table = new ArrayBuffer(64 * MIB);
  assert.is(useHugePages(table), true);
  const advised = advisedBytes() - before;
  assert.ok(advised > 31 * MIB && advised <= 32 * MIB, `${advised} bytes`);
  const bytes = new Uint8Array(table);
  assert.is(
    bytes.findIndex((byte) => byte !== 0),
    -1,
  );
  bytes.fill(7);
  assert.is(
    bytes.findIndex((byte) => byte !== 7),
    -1,
  );
});

test('a small table is left as it is', () => {
  assert.is(useHugePages(new ArrayBuffer(4 * MIB)), false);
  assert.is(useHugePages(new ArrayBuffer(0)), false);
});

test.run();
