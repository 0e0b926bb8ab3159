import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ConnMeta, Rec } from '../../../runtime/conntrack/layout.ts';
import { createTimerWheel } from '../../../runtime/conntrack/wheel.ts';

const test = suite('timer wheel');
const STRIDE = 16;

/** Records with a timeout each, ended when due: what the tracker does, and nothing else. */
function setup(max: number, resolution: number, horizon: number) {
  const rec = new Int32Array((max + 1) * STRIDE);
  const recF = new Float64Array(rec.buffer);
  const timeout = new Float64Array(max + 1);
  const ended = new Map<number, number>();
  let now = 0;
  const ticks = (id: number) => Math.ceil((timeout[id] ?? 0) / resolution);
  const wheel = createTimerWheel(
    rec,
    STRIDE,
    (c) => {
      const id = c / STRIDE;
      if (now > recF[(c + Rec.LAST) >> 1] + timeout[id]) {
        ended.set(id, now);
        rec[c + Rec.META] = 0;
      } else {
        wheel.schedule(c, ticks(id));
      }
    },
    { resolution, horizon, maxConnections: max },
  );
  return {
    ended,
    alive: (id: number) => rec[id * STRIDE + Rec.META] !== 0,
    open(id: number, time: number, seconds: number) {
      const c = id * STRIDE;
      rec[c + Rec.META] = ConnMeta.USED;
      recF[(c + Rec.LAST) >> 1] = time;
      timeout[id] = seconds;
      wheel.schedule(c, ticks(id));
    },
    packet(id: number, time: number) {
      recF[(id * STRIDE + Rec.LAST) >> 1] = time;
    },
    close(id: number) {
      rec[id * STRIDE + Rec.META] = 0;
    },
    shorten(id: number, seconds: number) {
      timeout[id] = seconds;
      wheel.schedule(id * STRIDE, ticks(id));
    },
    deadline: (id: number) => recF[(id * STRIDE + Rec.LAST) >> 1] + (timeout[id] ?? 0),
    /** Fires all that is due, `piece` entries at a time. */
    advance(time: number, piece = Number.POSITIVE_INFINITY) {
      now = time;
      wheel.advance(time);
      while (wheel.fire(piece));
    },
    /** Fires some of it; false when nothing is left. */
    some(time: number, piece: number): boolean {
      now = time;
      wheel.advance(time);
      return wheel.fire(piece);
    },
    over: (id: number) => wheel.over(id * STRIDE, ticks(id)),
  };
}

for (const start of [0, 1000, 1_700_000_000, 4_294_967_000]) {
  test(`every record ends within two ticks of its deadline, never before (from ${start})`, () => {
    const step = fc.tuple(
      fc.constantFrom('open', 'packet', 'close', 'shorten', 'none'),
      fc.integer({ min: 1, max: 12 }),
      fc.constantFrom(0.05, 0.3, 1, 5, 40),
      fc.constantFrom(0, 0, 0.02, 0.1, 0.7, 3, 20, 500),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), fc.constantFrom(1, 20, 1000), (steps, piece) => {
        const w = setup(12, 0.1, 20);
        let now = start;
        for (const [what, id, seconds, pass] of steps) {
          if (what === 'open' && !w.alive(id)) w.open(id, now, seconds);
          if (what === 'packet' && w.alive(id)) w.packet(id, now);
          if (what === 'close') w.close(id);
          // As a packet does that ends a connection.
          if (what === 'shorten' && w.alive(id)) {
            w.packet(id, now);
            w.shorten(id, 0.2);
          }
          now += pass;
          const before = Array.from({ length: 13 }, (_, i) => w.alive(i));
          w.ended.clear();
          w.advance(now, piece);
          for (let i = 1; i <= 12; i++) {
            const over = now - w.deadline(i);
            if (w.ended.has(i)) assert.ok(before[i] && over > 0, `record ${i} ended ${over} s after its deadline`);
            if (w.alive(i)) assert.ok(over <= 0.21, `record ${i} still there ${over} s after its deadline`);
          }
        }
      }),
      { numRuns: 300 },
    );
  });
}

test('stale entries do not pile up', () => {
  const w = setup(50, 0.1, 300);
  let now = 1_700_000_000;
  for (let i = 0; i < 200_000; i++) {
    const id = 1 + (i % 50);
    if (w.alive(id)) w.close(id);
    // Another tick every time, so that each leaves an entry behind.
    w.open(id, now, 5 + (i % 290));
    now += 0.001;
    if (i % 64 === 0) w.advance(now);
  }
  w.advance(now + 400);
  for (let id = 1; id <= 50; id++) assert.not(w.alive(id));
});

test('a tick of many records fires in pieces, first in first out, between which others are scheduled', () => {
  const n = 10_000;
  const w = setup(n + 2, 0.1, 20);
  for (let id = 1; id <= n; id++) w.open(id, 1000, 5);
  let pieces = 0;
  for (let more = true; more; pieces++) {
    const before = w.ended.size;
    more = w.some(1005.3, 100);
    const some = w.ended.size - before;
    assert.ok(some <= 120, `${some} in one piece`);
    if (!more) continue;
    assert.ok(w.over(n) && w.alive(n));
    // What comes meanwhile is not due, and what was put off is not either.
    if (pieces === 3) w.open(n + 1, 1005.2, 5);
    if (pieces === 4) w.packet(n - 1, 1005.2);
    assert.not(w.over(n + 1) && w.alive(n + 1));
  }
  assert.ok(pieces > n / 120);
  assert.equal([...w.ended.keys()], [...Array.from({ length: n - 2 }, (_, i) => i + 1), n]);
  assert.ok(w.alive(n - 1) && w.alive(n + 1));
  w.advance(1011, 7);
  assert.not(w.alive(n - 1) || w.alive(n + 1));
});

test('sweeping keeps every record that is scheduled, whatever fires meanwhile', () => {
  const step = fc.record({ ids: fc.integer({ min: 1, max: 400 }), pass: fc.constantFrom(0, 0, 0.05, 0.4, 3, 30) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), fc.integer(), (steps, seed) => {
      const w = setup(400, 1, 60);
      let random = seed;
      let now = 1_700_000_000;
      for (const { ids, pass } of steps) {
        for (let i = 0; i < ids; i++) {
          random = (Math.imul(random, 1_664_525) + 1_013_904_223) | 0;
          const id = 1 + ((random >>> 8) % 400);
          // Each time another, so that most of what is in the wheel is stale.
          if (w.alive(id)) w.close(id);
          w.open(id, now, 1 + ((random >>> 20) % 59));
        }
        now += pass;
        w.some(now, 30);
      }
      w.advance(now);
      for (let id = 1; id <= 400; id++) if (w.alive(id)) assert.ok(now - w.deadline(id) <= 2.01);
      w.advance(now + 63);
      for (let id = 1; id <= 400; id++) assert.not(w.alive(id));
    }),
    { numRuns: 200 },
  );
});

test('time that jumps far back starts the wheel there', () => {
  const w = setup(4, 0.1, 20);
  w.open(1, 5_000_000, 5);
  w.advance(5_000_001);
  w.advance(1000);
  w.open(2, 1000, 5);
  w.advance(1004);
  assert.ok(w.alive(1) && w.alive(2));
  w.advance(1006);
  assert.ok(w.alive(1) && !w.alive(2));
  w.advance(5_000_020);
  assert.not(w.alive(1));
});

test.run();
