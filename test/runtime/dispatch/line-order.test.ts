import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Clock, microseconds, setClock } from '../../../runtime/clock.ts';
import { compareEntries, type Entry } from '../../../runtime/dispatch/entry.ts';
import { createLineOrder } from '../../../runtime/dispatch/line-order.ts';
import { storedText } from '../../../runtime/dispatch/line-store.ts';
import { Pkt } from '../../../runtime/packet/layout.ts';
import { entryOf } from '../../support/lines.ts';

const test = suite('order of lines');

function setup() {
  const clock = new Int32Array(Clock.WORDS);
  const texts: string[] = [];
  const entries: Entry[] = [];
  const passed: [number, number][] = [];
  const order = createLineOrder(clock, {
    entry(entry) {
      // It is there for the time of the call.
      const { time, key, timers } = entry;
      const text = storedText(entry);
      entries.push(entryOf({ time, key, timers, text }));
      texts.push(text);
    },
    passed: (time, key) => passed.push([time, key]),
  });
  /** A line at `time`, of row `row`; `group` 0 is the packet's own doing. */
  function at(time: number, row: number, group: number, text: string): void {
    setClock(clock, time);
    clock[Clock.ROW] = row << Pkt.SHIFT;
    clock[Clock.GROUP] = group;
    order.out.text(text);
    order.add();
  }
  return { clock, order, texts, entries, passed, at };
}

test('lines wait until nothing earlier can come', () => {
  const { order, texts, at } = setup();
  at(10.5, 0, 0, 'packet');
  order.release(10.4);
  assert.equal(texts, []);
  at(10.45, 1, 2, 'timeout');
  order.release(10.5);
  assert.equal(texts, ['timeout', 'packet']);
});

test('at one time: by packet, then timers by text; what one packet brought about stays together', () => {
  const { order, texts, at } = setup();
  at(1, 5, 2, 'b');
  at(1, 7, 3, 'a');
  at(1, 7, 3, 'a2');
  at(1, 7, 0, 'x');
  at(1, 7, 0, 'w');
  at(1, 6, 0, 'earlier packet');
  order.end();
  assert.equal(texts, ['earlier packet', 'xw', 'aa2', 'b']);
});

test('what is later than what was released comes at once, behind it', () => {
  const { order, texts, at } = setup();
  order.burst(100);
  at(50, 0, 0, 'a');
  order.release(60);
  at(20, 1, 0, 'b');
  at(61, 2, 0, 'd');
  at(30, 3, 0, 'c');
  at(61, 4, 0, 'e');
  order.release(60);
  assert.equal(texts, ['a', 'b', 'c']);
  order.end();
  assert.equal(texts, ['a', 'b', 'c', 'd', 'e']);
});

test('at the end of the run lines are handed on many at a time, in order, and few wait', () => {
  const { order, texts, passed, at } = setup();
  order.drain();
  const before = passed.length;
  const wanted = Array.from({ length: 1000 }, (_, i) => `line ${i}`);
  for (const [i, text] of wanted.entries()) {
    at(100 + (i >> 1), 0, i + 1, text);
    assert.ok(i - texts.length < 200);
  }
  assert.ok(passed.length - before < 50, `${passed.length - before} times`);
  order.end();
  assert.is(texts.length, 1000);
  // Two a second, by text.
  const pairs = wanted.flatMap((_, i) => (i % 2 === 0 ? [wanted.slice(i, i + 2).sort()] : []));
  assert.equal(texts, pairs.flat());
});

test('timers may lag behind packets: lines wait for them', () => {
  const { order, texts, at } = setup();
  at(58, 0, 0, 'packet');
  order.reach(60);
  at(57, 1, 3, 'timeout');
  at(50, 2, 0, 'packet from before');
  order.release(55);
  assert.equal(texts, []);
  at(56, 2, 4, 'earlier timeout');
  at(61, 3, 0, 'later packet');
  order.release(60);
  assert.equal(texts, ['earlier timeout', 'timeout', 'packet', 'packet from before']);
});

test('the end of the run stands last, by time', () => {
  const { order, texts, passed, at } = setup();
  at(90, 0, 0, 'packet');
  at(80, 0, 2, 'timeout');
  order.drain();
  at(70, 0, 3, 'n');
  at(70, 0, 4, 'm');
  at(75, 0, 5, 'o');
  assert.equal(texts, ['timeout', 'packet']);
  order.end();
  assert.equal(texts, ['timeout', 'packet', 'm', 'n', 'o']);
  assert.equal(passed.at(-1), [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY]);
});

test('nothing that comes stands before what was passed', () => {
  const event = fc.record({
    step: fc.integer({ min: -3, max: 20 }),
    late: fc.integer({ min: 0, max: 12 }),
    group: fc.integer({ min: 0, max: 2 }),
    release: fc.boolean(),
    text: fc.string({ minLength: 1, maxLength: 2 }),
  });
  fc.assert(
    fc.property(fc.array(event, { maxLength: 60 }), (events) => {
      const { order, texts, entries, passed, at } = setup();
      let now = 100;
      let seen = 0;
      events.forEach(({ step, late, group, release, text }, row) => {
        now += step;
        if (release) {
          const before = entryOf({ time: 0, key: 0, timers: true, text: '', ...placeOf(passed.at(-1)) });
          for (const entry of entries.slice(seen)) assert.ok(compareEntries(before, entry) <= 0);
          order.release(now - 10);
          seen = entries.length;
        }
        at(group === 0 ? now : now - late, row, group, text);
      });
      order.end();
      assert.is(texts.join('').length, events.map(({ text }) => text).join('').length);
      entries.forEach((entry, i) => {
        if (i > 0) assert.ok(compareEntries(entries[i - 1] as Entry, entry) <= 0);
      });
    }),
  );
});

function placeOf(passed: [number, number] | undefined) {
  return passed === undefined ? {} : { time: passed[0], key: passed[1] };
}

test('times kept as float64 are whole microseconds', () => {
  const clock = new Int32Array(Clock.WORDS);
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 2 ** 32 - 1 }), fc.integer({ min: 0, max: 999_999 }), (sec, micros) => {
      setClock(clock, sec + micros / 1e6);
      assert.is(clock[Clock.SEC] >>> 0, sec);
      assert.is(clock[Clock.NSEC], micros * 1000);
      assert.is(microseconds(sec + micros / 1e6), sec * 1e6 + micros);
    }),
  );
  setClock(clock, 5.9999999);
  assert.equal([clock[Clock.SEC], clock[Clock.NSEC]], [6, 0]);
});

test.run();
