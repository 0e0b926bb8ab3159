import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { createLineStore, type StoredText, storedText } from '../../../runtime/dispatch/line-store.ts';

const test = suite('dispatch/line-store');

const EMPTY = { bytes: Buffer.alloc(0), texts: 0 };

test('texts stay what they are until they are let go of, in any order', () => {
  const size = fc.oneof(fc.integer({ min: 0, max: 400 }), fc.constantFrom(30_000, 90_000, 300_000));
  const step = fc.record({ what: fc.constantFrom('put', 'put', 'append', 'letGo'), which: fc.nat(), size });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      const store = createLineStore();
      const there: { stored: StoredText; text: string }[] = [];
      steps.forEach(({ what, which, size }, i) => {
        const text = `${i}é😀`.repeat(Math.ceil(size / 5));
        const one = there[which % Math.max(1, there.length)];
        if (what === 'put') {
          const stored = { block: EMPTY, from: 0, to: 0 };
          store.out.text(text);
          store.put(stored);
          there.push({ stored, text });
        } else if (one !== undefined && what === 'append') {
          store.out.text(text);
          store.append(one.stored);
          one.text += text;
        } else if (one !== undefined) {
          // In the middle of a text, as the order does it.
          store.out.text('unfinished ');
          store.letGo(one.stored);
          store.out.restart();
          there.splice(there.indexOf(one), 1);
        }
        for (const { stored, text: expected } of there) assert.ok(storedText(stored) === expected);
      });
    }),
    { numRuns: 200 },
  );
});

test('blocks are used again', () => {
  const store = createLineStore();
  const blocks = new Set<Buffer>();
  const waiting: StoredText[] = [];
  for (let i = 0; i < 50_000; i++) {
    const stored = { block: EMPTY, from: 0, to: 0 };
    store.out.text('x'.repeat(500));
    store.put(stored);
    blocks.add(stored.block.bytes);
    waiting.push(stored);
    if (waiting.length > 1000) store.letGo(waiting.shift() as StoredText);
  }
  assert.ok(blocks.size < 10, `${blocks.size} blocks`);
});

test.run();
