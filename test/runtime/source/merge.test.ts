/** Several captures as one: the order of time, files opened and closed when they are due, faults, patterns of names. */

import { statSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { InputError } from '../../../runtime/errors.ts';
import { Burst, Pkt } from '../../../runtime/packet/layout.ts';
import { openCaptures } from '../../../runtime/source/capture.ts';
import { capturePaths } from '../../../runtime/source/capture-paths.ts';
import { END_OF_INPUT } from '../../../runtime/source/contract.ts';
import { buildPcap, captureFolder } from '../../support/captures.ts';

const test = suite('several captures');
const folder = captureFolder();
test.after(() => folder.remove());

interface Got {
  readonly sec: number;
  readonly nsec: number;
  /** File and place in it, as the packet's bytes say. */
  readonly file: number;
  readonly place: number;
}

/** One file of packets at the given microseconds; each says in its bytes where it belongs. */
function write(name: string, file: number, times: readonly number[]): string {
  const packets = times.map((time, place) => {
    const bytes = Buffer.alloc(60 + (place % 7));
    bytes.writeUInt16BE(file);
    bytes.writeUInt32BE(place, 2);
    return { sec: Math.floor(time / 1e6), nsec: (time % 1e6) * 1000, bytes };
  });
  const plain = buildPcap(packets);
  return folder.write(name, name.endsWith('.gz') ? gzipSync(plain) : plain);
}

function read(paths: readonly string[], burst: number = Burst.MAX): { got: Got[]; error: unknown } {
  const got: Got[] = [];
  const source = openCaptures(paths, { slabBytes: 64, windowBytes: 1024 });
  const pkt = new Int32Array(burst << Pkt.SHIFT);
  let error: unknown;
  try {
    for (;;) {
      const n = source.poll(pkt, burst);
      if (n === END_OF_INPUT) break;
      assert.ok(n > 0);
      for (let p = 0; p < n << Pkt.SHIFT; p += Pkt.STRIDE) {
        const at = pkt[p + Pkt.OFFSET];
        const { view } = source.memory;
        got.push({
          sec: pkt[p + Pkt.SEC],
          nsec: pkt[p + Pkt.NSEC],
          file: view.getUint16(at),
          place: view.getUint32(at + 2),
        });
      }
    }
  } catch (thrown) {
    error = thrown;
  }
  assert.is(source.stats.packets, got.length);
  source.close();
  return { got, error };
}

test('tells how many bytes of all files it has read', () => {
  const paths = [0, 1, 2].map((file) =>
    write(
      `offset-${file}.pcap`,
      file,
      Array.from({ length: 100 }, (_, i) => file * 50 + i),
    ),
  );
  const size = paths.reduce((sum, path) => sum + statSync(path).size, 0);
  const source = openCaptures(paths, { slabBytes: 64, windowBytes: 1024 });
  const pkt = new Int32Array(Burst.MAX << Pkt.SHIFT);
  let before = 0;
  while (source.poll(pkt, Burst.MAX) !== END_OF_INPUT) {
    const now = source.offset?.() ?? 0;
    assert.ok(now >= before && now <= size);
    before = now;
  }
  assert.is(source.offset?.(), size);
  source.close();
});

test('in the order of time, each file in its own', () => {
  const times = fc.array(fc.nat(5_000_000), { maxLength: 150 });
  fc.assert(
    fc.property(fc.array(times, { minLength: 2, maxLength: 6 }), fc.constantFrom(1, 3, 64), (files, burst) => {
      const sorted = files.map((list) => [...list].sort((a, b) => a - b));
      const paths = sorted.map((list, i) => write(`m${i}.pcap`, i, list));
      const { got, error } = read(paths, burst);
      assert.is(error, undefined);
      assert.equal(
        got.map((g) => g.sec * 1e6 + g.nsec / 1000),
        sorted.flat().sort((a, b) => a - b),
      );
      for (let i = 0; i < files.length; i++) {
        const places = got.filter((g) => g.file === i).map((g) => g.place);
        assert.equal(
          places,
          sorted[i]?.map((_, k) => k),
        );
      }
    }),
    { numRuns: 60 },
  );
});

test('time that goes back within a file', () => {
  const paths = [write('b0.pcap', 0, [10, 30, 20, 40]), write('b1.pcap', 1, [25, 26])];
  assert.equal(
    read(paths).got.map((g) => [g.file, g.place]),
    [
      [0, 0],
      [1, 0],
      [1, 1],
      [0, 1],
      [0, 2],
      [0, 3],
    ],
  );
});

test('packed and plain files that follow each other, named in any order', () => {
  const paths = Array.from({ length: 12 }, (_, i) =>
    write(
      `r${i}.pcap${i % 3 === 0 ? '.gz' : ''}`,
      i,
      Array.from({ length: 100 }, (_, k) => i * 1000 + k),
    ),
  );
  const { got } = read([...paths].reverse());
  assert.is(got.length, 1200);
  got.forEach((g, k) => {
    assert.is(g.file, Math.floor(k / 100));
  });
});

test('a fault ends its own file, and is told at the end', () => {
  const cut = folder.write(
    'cut.pcap',
    buildPcap([1, 2].map((sec) => ({ sec, nsec: 0, bytes: new Uint8Array(60) }))).subarray(0, 120),
  );
  const { got, error } = read([cut, write('whole.pcap', 7, [500_000, 1_500_000, 9_000_000])]);
  assert.is(got.length, 4);
  assert.instance(error, InputError);
  assert.match((error as Error).message, 'cut.pcap: byte 100: the file is cut short');
});

test('what is no capture is refused before the first packet', () => {
  const text = folder.write('text', Buffer.from('this is no capture'));
  assert.throws(() => read([write('a.pcap', 0, [1]), text]), /not a capture/);
  assert.throws(() => read([text, '-']), /a pipe cannot be read together with files/);
});

test('files without packets', () => {
  const empty = folder.write('empty.pcap', buildPcap([]));
  assert.equal(read([empty, empty]).got, []);
  assert.is(read([empty, write('one.pcap', 0, [1])]).got.length, 1);
});

test('a file of no byte, or cut in its header, among others: those are read, then it is told', () => {
  const one = write('before.pcap', 0, [1, 5]);
  const two = write('between.pcap', 1, [3]);
  for (const [name, bytes, words] of [
    ['nothing.pcap', Buffer.alloc(0), 'nothing.pcap: is empty'],
    ['nothing.pcap.gz', gzipSync(''), 'nothing.pcap.gz (unpacked): is empty'],
    [
      'begun.pcap',
      buildPcap([]).subarray(0, 10),
      "begun.pcap: byte 0: the file is cut short: 10 of the header's 24 bytes",
    ],
  ] as const) {
    const { got, error } = read([one, folder.write(name, bytes), two]);
    assert.equal(
      got.map(({ file, place }) => [file, place]),
      [
        [0, 0],
        [1, 0],
        [0, 1],
      ],
    );
    assert.instance(error, InputError);
    assert.ok((error as Error).message.endsWith(words), (error as Error).message);
  }
});

test('patterns stand for file names', () => {
  for (const name of ['x1.cap', 'x2.cap', 'x10.cap', 'y.cap', '.x3.cap', 'x[1].cap'])
    folder.write(name, new Uint8Array());
  const names = (...words: string[]) =>
    capturePaths(words.map((word) => `${folder.path}/${word}`)).map((path) => path.slice(folder.path.length + 1));
  assert.equal(names('x?.cap'), ['x1.cap', 'x2.cap']);
  assert.equal(names('x*.cap'), ['x1.cap', 'x10.cap', 'x2.cap', 'x[1].cap']);
  assert.equal(names('x[1].cap', 'y.cap'), ['x[1].cap', 'y.cap']);
  folder.write('z*.cap', new Uint8Array());
  assert.equal(names('z*.cap'), ['z*.cap']);
  assert.throws(() => names('none*'), /no file has a name like this/);
  assert.throws(() => names('y.cap', 'y*'), /is named twice/);
  assert.equal(capturePaths(['-']), ['-']);
});

test.run();
