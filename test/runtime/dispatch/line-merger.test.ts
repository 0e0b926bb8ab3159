import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { compareEntries } from '../../../runtime/dispatch/entry.ts';
import { createLineBatcher, type LineBatch, MOST_UNDER_WAY } from '../../../runtime/dispatch/line-batch.ts';
import { createLineMerger } from '../../../runtime/dispatch/line-merger.ts';
import { storedText } from '../../../runtime/dispatch/line-store.ts';
import { entryOf } from '../../support/lines.ts';

const test = suite('merger of lines');

function textOf(lines: Uint8Array = new Uint8Array(0), from = 0, to = lines.length): string {
  return Buffer.from(lines.subarray(from, to)).toString();
}

/** Entries of all workers, with the worker of each; keys of what packets brought about are one worker's alone. */
const stream = fc
  .array(
    fc.record({
      worker: fc.nat(2),
      time: fc.integer({ min: 0, max: 6 }),
      frame: fc.integer({ min: 0, max: 20 }),
      timers: fc.boolean(),
      text: fc.constantFrom('a\n', 'b\n', 'bb\n', 'é\n'),
    }),
    { maxLength: 60 },
  )
  .map((items) =>
    items.map(({ worker, time, frame, timers, text }) => ({
      worker: timers ? worker : frame % 3,
      entry: entryOf({ time, key: frame * 2 + (timers ? 0 : 1), timers, text }),
    })),
  );

test('whatever the batches and their order of arrival, all lines come in order', () => {
  fc.assert(
    fc.property(
      stream,
      fc.array(fc.nat(2), { maxLength: 80 }),
      fc.integer({ min: 1, max: 7 }),
      (items, turns, size) => {
        const underWay = new Int32Array(new SharedArrayBuffer(16));
        const batches: LineBatch[][] = [[], [], []];
        for (let worker = 0; worker < 3; worker++) {
          const batcher = createLineBatcher((batch) => batches[worker]?.push(batch), underWay, 1 + worker);
          const own = items.filter((item) => item.worker === worker).map(({ entry }) => entry);
          own.sort(compareEntries).forEach((entry, i) => {
            batcher.entry(entry);
            if (i % size === 0) {
              // The next one may be at the very place of this one.
              batcher.passed(entry.time, entry.key);
              batcher.flush();
            }
          });
          batcher.passed(Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY);
          batcher.flush();
        }
        let written = '';
        const write = (lines: Uint8Array, from: number, to: number) => {
          written += textOf(lines, from, to);
        };
        const merger = createLineMerger(3, write, underWay, (worker) => 1 + worker);
        for (const worker of [...turns, ...Array.from({ length: 200 }, (_, i) => i % 3)]) {
          const batch = batches[worker]?.shift();
          if (batch !== undefined) merger.add(worker, batch);
        }
        const expected = items.map(({ entry }) => entry).sort(compareEntries);
        const texts = expected.map(storedText).join('');
        assert.is(Buffer.byteLength(written), Buffer.byteLength(texts));
        // What one packet brought about keeps its order, which sorting by place does not know.
        const places = new Set(expected.map(({ time, key }) => `${time} ${key}`));
        if (places.size === expected.length) assert.is(written, texts);
        for (let worker = 0; worker < 3; worker++) {
          merger.end(worker);
          assert.is(underWay[1 + worker], 0);
        }
      },
    ),
  );
});

test('nothing is written before all others are known to be later', () => {
  const underWay = new Int32Array(new SharedArrayBuffer(8));
  let written = '';
  const write = (lines: Uint8Array, from: number, to: number) => {
    written += textOf(lines, from, to);
  };
  const merger = createLineMerger(2, write, underWay, (worker) => worker);
  const batch = (time: number, text: string, passedTime: number): LineBatch => ({
    times: Float64Array.of(...(text === '' ? [] : [time])),
    keys: Float64Array.of(...(text === '' ? [] : [1])),
    timers: new Uint8Array(1),
    ends: Uint32Array.of(...(text === '' ? [] : [text.length])),
    bytes: Buffer.from(text),
    passedTime,
    passedKey: 0,
  });
  merger.add(0, batch(5, 'five\n', 6));
  assert.is(written, '');
  merger.add(1, batch(0, '', 4));
  assert.is(written, '');
  merger.add(1, batch(4, 'four\n', 5));
  assert.is(written, 'four\n');
  merger.add(1, batch(0, '', 5.5));
  assert.is(written, 'four\nfive\n');
  merger.add(0, batch(7, 'seven\n', 8));
  assert.is(written, 'four\nfive\n');
  merger.end(1);
  assert.is(written, 'four\nfive\nseven\n');
});

test('a worker that must not wait drops what finds no room, and counts it by lines', () => {
  const underWay = new Int32Array(new SharedArrayBuffer(8));
  const sent: LineBatch[] = [];
  let whenFull: 'wait' | 'drop' = 'drop';
  const batcher = createLineBatcher(
    (batch) => sent.push(batch),
    underWay,
    0,
    () => whenFull,
  );
  const entry = (time: number, text: string) => batcher.entry(entryOf({ time, key: 1, timers: false, text }));
  entry(1, 'one\n');
  batcher.flush();
  underWay[0] = MOST_UNDER_WAY + 1;
  entry(2, 'two\nand more\n');
  entry(3, 'three\n');
  batcher.flush();
  assert.is(batcher.dropped, 3);
  underWay[0] = 0;
  entry(4, 'four\n');
  batcher.flush();
  assert.is(batcher.dropped, 3);
  assert.is(sent.map(({ bytes }) => textOf(bytes)).join(''), 'one\nfour\n');
  // One that may wait drops nothing, and goes on when nobody writes any more.
  whenFull = 'wait';
  underWay[0] = MOST_UNDER_WAY + 1;
  entry(5, 'five\n');
  batcher.flush();
  assert.is(batcher.dropped, 3);
  assert.is(textOf(sent.at(-1)?.bytes), 'five\n');
});

test.run();
