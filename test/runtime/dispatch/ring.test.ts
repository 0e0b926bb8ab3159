/** The ring between a receive core and a dispatch thread. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Count, createBell, createRingMemory, openRing } from '../../../runtime/dispatch/ring.ts';

const test = suite('dispatch/ring');

test('records come out as they went in, round and round', () => {
  const ring = openRing(createRingMemory(256, 1, createBell()));
  const waiting: number[][] = [];
  let number = 0;
  let popped = 0;
  for (let i = 0; i < 2000; i++) {
    const record = Uint8Array.from({ length: (i * 37) % 90 }, () => number++ & 0xff);
    while (!ring.push(record)) {
      const out = ring.pop();
      assert.equal([...(out ?? [])], waiting.shift());
      popped++;
    }
    waiting.push([...record]);
  }
  assert.ok(popped > 1900);
  for (const record of waiting) assert.equal([...(ring.pop() ?? [])], record);
  assert.is(ring.pop(), undefined);
  assert.ok(ring.empty);
});

test('a record as large as the ring fits; a larger one never does, and nobody waits for it', () => {
  const ring = openRing(createRingMemory(100, 1, createBell()));
  assert.ok(ring.push(new Uint8Array(124)));
  assert.not(ring.push(new Uint8Array(0)));
  assert.is(ring.pop()?.length, 124);
  assert.not(ring.push(new Uint8Array(125)));
  assert.not(ring.waitForRoom(new Uint8Array(125)));
  assert.ok(ring.waitForRoom(new Uint8Array(124)));
});

test('nothing goes in when its reader is gone', () => {
  const memory = createRingMemory(128, 1, createBell());
  const ring = openRing(memory);
  openRing(memory).dead = true;
  assert.not(ring.push(new Uint8Array(1)));
  assert.not(ring.waitForRoom(new Uint8Array(1)));
});

test('both sides see the counts of each subscription', () => {
  const memory = createRingMemory(128, 20, createBell());
  const [one, other] = [openRing(memory), openRing(memory)];
  one.add(Count.DISPATCHED, 19);
  one.add(Count.DISPATCHED, 19);
  one.add(Count.DROPPED, 0);
  other.add(Count.DONE, 19);
  assert.equal([other.count(Count.DISPATCHED, 19), other.count(Count.DROPPED, 0)], [2, 1]);
  assert.equal([one.count(Count.DONE, 19), one.count(Count.DONE, 0)], [1, 0]);
});

test.run();
