/**
 * A bounded ring of records in shared memory, from one thread to one other. Neither side locks. Each side's words have
 * cache lines of their own, so that writing them does not slow the other side.
 *
 * Hot: the producer's side runs per delivery on receive cores.
 */

/** Words of the head. */
const enum Word {
  /** Bytes ever written, modulo 2^32; the producer's. */
  HEAD = 0,
  /** Bytes ever taken; the consumer's. */
  TAIL = 32,
  /** 1: nothing more will be written. */
  CLOSED = 64,
  /** 1: nobody takes anything any more. */
  DEAD = 65,
  COUNT = 96,
}
/** Float64 counts by subscription, in planes that follow the head. */
export const enum Count {
  /** Offered to the ring, those included that found no room; the producer's. */
  DISPATCHED = 0,
  /** Found no room; the producer's. */
  DROPPED = 1,
  /** The handler has run; the consumer's. */
  DONE = 2,
  PLANES = 3,
}
const LENGTH_BYTES = 4;
/** Float64 of a cache line and its neighbour. */
const PLANE_ALIGN = 16;

/** Words by which the consumer is woken; one array for all rings that it reads. */
export const enum Bell {
  /** 1 while it sleeps. */
  ASLEEP = 0,
  COUNT = 1,
}

/** What both sides need of a ring, as it crosses threads. */
export interface RingMemory {
  readonly buffer: SharedArrayBuffer;
  readonly bell: SharedArrayBuffer;
  /** Subscriptions that are counted. */
  readonly subscriptions: number;
  /** Bytes for records: a power of two. */
  readonly capacity: number;
}

/** A ring with room for at least `bytes`. */
export function createRingMemory(bytes: number, subscriptions: number, bell: SharedArrayBuffer): RingMemory {
  const capacity = 2 ** Math.ceil(Math.log2(bytes));
  const counts = Count.PLANES * planeLength(subscriptions) * 8;
  return {
    buffer: new SharedArrayBuffer(Word.COUNT * 4 + counts + capacity),
    bell,
    subscriptions,
    capacity,
  };
}

export function createBell(): SharedArrayBuffer {
  return new SharedArrayBuffer(Bell.COUNT * 4);
}

function planeLength(subscriptions: number): number {
  return Math.ceil(subscriptions / PLANE_ALIGN) * PLANE_ALIGN;
}

export interface Ring {
  /** Writes a record; false when there is no room for it, or nobody to take it. */
  push(record: Uint8Array): boolean;
  /** Waits until there may be room; false when there never will be. */
  waitForRoom(record: Uint8Array): boolean;
  /** Takes the next record, a copy; undefined when there is none. */
  pop(): Uint8Array | undefined;
  /** Lets a producer that waits for room look again. */
  roomMade(): void;
  readonly empty: boolean;
  closed: boolean;
  dead: boolean;
  count(plane: Count, subscription: number): number;
  add(plane: Count, subscription: number): void;
}

export function openRing({ buffer, bell: bellBuffer, subscriptions, capacity }: RingMemory): Ring {
  const words = new Int32Array(buffer, 0, Word.COUNT);
  const stride = planeLength(subscriptions);
  const counts = new Float64Array(buffer, Word.COUNT * 4, Count.PLANES * stride);
  const start = Word.COUNT * 4 + counts.byteLength;
  const data = new Uint8Array(buffer, start, capacity);
  const lengths = new Int32Array(buffer, start, capacity >> 2);
  const bell = new Int32Array(bellBuffer);
  const mask = capacity - 1;

  /** Bytes that a record takes: its length, itself, up to the next word. */
  const sizeOf = (length: number) => (LENGTH_BYTES + length + 3) & ~3;

  function push(record: Uint8Array): boolean {
    const head = Atomics.load(words, Word.HEAD);
    const size = sizeOf(record.length);
    if (((head - Atomics.load(words, Word.TAIL)) >>> 0) + size > capacity || words[Word.DEAD] !== 0) return false;
    lengths[(head & mask) >>> 2] = record.length;
    const at = (head + LENGTH_BYTES) & mask;
    const first = Math.min(record.length, capacity - at);
    data.set(first === record.length ? record : record.subarray(0, first), at);
    if (first < record.length) data.set(record.subarray(first), 0);
    Atomics.store(words, Word.HEAD, (head + size) | 0);
    if (Atomics.load(bell, Bell.ASLEEP) === 1) {
      Atomics.store(bell, Bell.ASLEEP, 0);
      Atomics.notify(bell, Bell.ASLEEP);
    }
    return true;
  }

  return {
    push,
    waitForRoom(record) {
      const size = sizeOf(record.length);
      if (size > capacity) return false;
      for (;;) {
        if (Atomics.load(words, Word.DEAD) !== 0) return false;
        const tail = Atomics.load(words, Word.TAIL);
        if (((Atomics.load(words, Word.HEAD) - tail) >>> 0) + size <= capacity) return true;
        Atomics.wait(words, Word.TAIL, tail, 100);
      }
    },
    pop() {
      const tail = Atomics.load(words, Word.TAIL);
      if (tail === Atomics.load(words, Word.HEAD)) return undefined;
      const length = lengths[(tail & mask) >>> 2] ?? 0;
      const at = (tail + LENGTH_BYTES) & mask;
      const record = new Uint8Array(length);
      const first = Math.min(length, capacity - at);
      record.set(data.subarray(at, at + first));
      if (first < length) record.set(data.subarray(0, length - first), first);
      Atomics.store(words, Word.TAIL, (tail + sizeOf(length)) | 0);
      return record;
    },
    roomMade() {
      Atomics.notify(words, Word.TAIL);
    },
    get empty() {
      return Atomics.load(words, Word.TAIL) === Atomics.load(words, Word.HEAD);
    },
    get closed() {
      return Atomics.load(words, Word.CLOSED) !== 0;
    },
    set closed(value) {
      Atomics.store(words, Word.CLOSED, Number(value));
      Atomics.store(bell, Bell.ASLEEP, 0);
      Atomics.notify(bell, Bell.ASLEEP);
    },
    get dead() {
      return Atomics.load(words, Word.DEAD) !== 0;
    },
    set dead(value) {
      Atomics.store(words, Word.DEAD, Number(value));
      Atomics.notify(words, Word.TAIL);
    },
    count: (plane, subscription) => counts[plane * stride + subscription] ?? 0,
    add(plane, subscription) {
      counts[plane * stride + subscription]++;
    },
  };
}
