import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Burst, Pkt } from '../../../runtime/packet/layout.ts';
import { openCapture } from '../../../runtime/source/capture.ts';
import type { CaptureSource } from '../../../runtime/source/contract.ts';
import { END_OF_INPUT } from '../../../runtime/source/contract.ts';
import { abandon, openSharedWindow, shareFile } from '../../../runtime/source/shared-window.ts';
import { buildPcap, captureFolder, type TestPacket } from '../../support/captures.ts';

const test = suite('shared window');
const folder = captureFolder();
test.after(() => folder.remove());

/** Packets of many lengths; each is filled with its number. */
function packets(count: number, longest: number): TestPacket[] {
  return Array.from({ length: count }, (_, i) => {
    const bytes = Buffer.alloc(4 + ((i * 7919) % longest), i & 0xff);
    bytes.writeUInt32BE(i, 0);
    return { sec: i, nsec: 0, bytes };
  });
}

const pkt = new Int32Array((Burst.MAX + Burst.SPARE_ROWS) * Pkt.STRIDE);

/** Takes one burst: its packets as text; undefined at the end. Throws as the source does. */
function burst(source: CaptureSource, max: number = Burst.MAX): string[] | undefined {
  const n = source.poll(pkt, max);
  if (n === END_OF_INPUT) return undefined;
  return Array.from({ length: n }, (_, i) => {
    const p = i * Pkt.STRIDE;
    const bytes = source.memory.bytes.subarray(pkt[p + Pkt.OFFSET], pkt[p + Pkt.OFFSET] + pkt[p + Pkt.CAPLEN]);
    const last = bytes.length > 4 ? bytes[bytes.length - 1] : -1;
    return `${pkt[p + Pkt.SEC]} ${bytes.length} ${source.memory.view.getUint32(bytes.byteOffset)} ${last}`;
  });
}

function all(source: CaptureSource): string[] {
  const texts: string[] = [];
  for (let some = burst(source); some !== undefined; some = burst(source)) texts.push(...some);
  source.close();
  return texts;
}

test('several readers, each at its own pace, see what a single one sees', () => {
  // Some 25 MB: the ring goes round several times.
  const file = folder.write('long.pcap', buildPcap(packets(9000, 5600)));
  const expected = all(openCapture(file));
  const shared = shareFile(file, 3, 4096);
  const readers = [0, 1, 2].map((i) => openCapture(file, { window: openSharedWindow(shared, i) }));
  const seen: string[][] = [[], [], []];
  const live = new Set([0, 1, 2]);
  for (let turn = 0; live.size > 0; turn++) {
    for (const i of live) {
      // Nobody waits for a reader of this thread: they stay within some bursts of each other.
      for (let k = 0; k < 1 + ((turn + i) % 3); k++) {
        if (seen[i].length > Math.min(...seen.map(({ length }) => length)) + 300) break;
        const some = burst(readers[i], 1 + ((turn * 13) % 64));
        if (some === undefined) {
          live.delete(i);
          readers[i].close();
          break;
        }
        seen[i].push(...some);
      }
    }
  }
  for (const texts of seen) assert.equal(texts, expected);
});

test('a reader that was given up is not waited for', () => {
  const file = folder.write('alone.pcap', buildPcap(packets(4000, 5600)));
  const shared = shareFile(file, 2, 4096);
  abandon(shared, 1);
  const alone = openCapture(file, { window: openSharedWindow(shared, 0) });
  assert.equal(all(alone), all(openCapture(file)));
});

test('records as long as the window, and a file that ends with a chunk', () => {
  const long = packets(12, 4).map((packet, i) => ({ ...packet, bytes: Buffer.alloc(i % 2 ? 262_144 : 60, i) }));
  const whole = buildPcap(long);
  const rest = 512 * 1024 * Math.ceil(whole.length / (512 * 1024)) - whole.length;
  const thirds = [0, 1, 2].map((i) => Math.floor((rest - 48 + i) / 3));
  const fill = thirds.map((length, i) => ({ sec: 90 + i, nsec: 0, bytes: Buffer.alloc(length, 7) }));
  const exact = buildPcap([...long, ...fill]);
  assert.is(exact.length % (512 * 1024), 0);
  const file = folder.write('exact.pcap', exact);
  const expected = all(openCapture(file));
  assert.is(expected.length, 15);
  assert.equal(all(openCapture(file, { window: openSharedWindow(shareFile(file, 1, 64), 0) })), expected);
});

test('faults are those of a single reader, with their place', () => {
  const whole = buildPcap(packets(3000, 5600));
  const cases = { cut: whole.subarray(0, whole.length - 3), text: Buffer.from('hello'), empty: Buffer.alloc(0) };
  for (const [name, bytes] of Object.entries(cases)) {
    const file = folder.write(`${name}.pcap`, bytes);
    const fault = (open: () => CaptureSource) => {
      try {
        all(open());
      } catch (error) {
        return `${error}`;
      }
      return undefined;
    };
    const expected = fault(() => openCapture(file));
    assert.match(`${expected}`, /InputError/);
    assert.is(
      fault(() => openCapture(file, { window: openSharedWindow(shareFile(file, 1, 64), 0) })),
      expected,
    );
  }
});

test.run();
