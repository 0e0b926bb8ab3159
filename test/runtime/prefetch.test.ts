import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { memoryAddon } from '../../runtime/addons.ts';
import { prefetcher } from '../../runtime/prefetch.ts';

const test = suite('prefetch');

function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
}
const make = memoryAddon()?.prefetcher;

test('loads from anywhere in an array, and changes nothing', () => {
  const words = Int32Array.from({ length: 4096 }, (_, i) => i * 7);
  const before = words.slice();
  const places = Int32Array.of(0, 4064, 17, 17, 2048);
  for (const lines of [1, 2]) {
    const prefetch = prefetcher(words, places, lines);
    for (const n of [0, 1, places.length]) prefetch(n);
  }
  assert.equal(words, before);
});

(make === undefined ? test.skip : test)('the addon reads nothing out of bounds', () => {
  const prefetch = (make as NonNullable<typeof make>)(
    new Int32Array(16),
    Int32Array.of(-1, 0x7fffffff, -0x80000000, 100),
    2,
  );
  prefetch(4);
  prefetch(1e9);
  (prefetch as unknown as (n: unknown) => void)('many');
});

(make === undefined ? test.skip : test)('the addon keeps the arrays that it was given', () => {
  const made = Array.from({ length: 200 }, () =>
    (make as NonNullable<typeof make>)(new Int32Array(100_000), Int32Array.of(0, 99_968), 2),
  );
  collectGarbage();
  for (const prefetch of made) prefetch(2);
});

test('arrays go with the function that was made of them, without a turn of the event loop', () => {
  const bytes = () => process.memoryUsage().arrayBuffers;
  const before = bytes();
  for (let i = 0; i < 100; i++) prefetcher(new Int32Array(1_000_000), Int32Array.of(0))(1);
  collectGarbage();
  assert.ok(bytes() - before < 40e6, `${bytes() - before} bytes are kept`);
});

(make === undefined ? test.skip : test)('the addon takes Int32Arrays only, and so many lines', () => {
  const wrong = make as NonNullable<typeof make> as unknown as (...args: unknown[]) => void;
  assert.throws(() => wrong(new Float64Array(4), Int32Array.of(0), 1), /Int32Array/);
  assert.throws(() => wrong(new Int32Array(4), undefined, 1), /Int32Array/);
  assert.throws(() => wrong(new Int32Array(4), Int32Array.of(0), 25), /1 to 24 lines/);
  assert.throws(() => wrong(new Int32Array(0), Int32Array.of(0), 1), /array that has some/);
});

test.run();
