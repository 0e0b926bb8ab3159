/**
 * The timer wheel: a ring of ticks, each a chain of blocks of record positions, all in one Int32Array.
 *
 * A record carries the tick it is due at (`Rec.TICK`); an entry found under another tick is stale and skipped. Packets
 * do not touch the wheel: an entry that fires is looked at by its owner, who ends the connection or puts it back at its
 * present deadline. That makes a timeout O(1) per connection and free per packet.
 *
 * Ticks are counted modulo 2^32, so times of any size do; only their differences count.
 */
import { ConnMeta, recColumns } from './layout.ts';

export interface TimerWheel {
  /** Has record `c` looked at when `ticks` ticks of silence after `Rec.LAST` are over, unless it will be earlier anyway. */
  schedule(c: number, ticks: number): void;
  /** Calls `due` for every record whose tick lies wholly before `now`. */
  advance(now: number): void;
}

export interface WheelOptions {
  /** Seconds of one tick. */
  readonly resolution: number;
  /** Longest timeout in seconds: what lies further ahead is looked at early and put back. */
  readonly horizon: number;
  readonly maxConnections: number;
  /** Reads what ending record `c` will read, and returns any of it: called for many records before the first ends. */
  readonly ahead?: (c: number) => number;
}

const enum Block {
  WORDS = 16,
  /** Word 0 is the next block of the chain, the others are record positions. */
  ENTRIES = 15,
}

/** Ring sizes, in ticks. */
const MIN_SLOTS = 64;
const MAX_SLOTS = 65536;

export function createTimerWheel(
  rec: Int32Array,
  stride: number,
  due: (c: number) => void,
  options: WheelOptions,
): TimerWheel {
  const { ahead } = options;
  const { recLast, recMeta, recTick } = recColumns(rec, stride);
  const perSecond = 1 / options.resolution;
  const wanted = Math.ceil(options.horizon * perSecond) + 2;
  const slots = Math.min(MAX_SLOTS, 2 ** Math.ceil(Math.log2(Math.max(MIN_SLOTS, wanted))));
  const mask = slots - 1;
  const head = new Int32Array(slots);
  const fill = new Int32Array(slots);
  const sink = new Int32Array(1);
  let blocks = new Int32Array((slots + Math.ceil((options.maxConnections * 2) / Block.ENTRIES) + 2) * Block.WORDS);
  /** First never used block, and chain of returned ones; block 0 means none. */
  let fresh = Block.WORDS as number;
  let freed = 0;
  /** The next tick to fire. */
  let current = 0;
  let started = false;

  /** Int32 of a tick: ToInt32 is modulo 2^32, so this works for times beyond 2^31 ticks. */
  function tickOf(time: number): number {
    return Math.floor(time * perSecond) | 0;
  }

  function newBlock(): number {
    if (freed !== 0) {
      const block = freed;
      freed = blocks[block];
      return block;
    }
    if (fresh < blocks.length) {
      const block = fresh;
      fresh += Block.WORDS;
      return block;
    }
    return 0;
  }

  function release(block: number): void {
    blocks[block] = freed;
    freed = block;
  }

  function valid(c: number, slot: number): boolean {
    return (recMeta[c] & ConnMeta.USED) !== 0 && (recTick[c] & mask) === slot;
  }

  /** Drops all stale entries; if that frees little, makes the array larger. */
  function compact(): void {
    let kept = 0;
    for (let slot = 0; slot < slots; slot++) {
      let block = head[slot];
      let count = fill[slot];
      head[slot] = 0;
      fill[slot] = 0;
      while (block !== 0) {
        const next = blocks[block];
        const entries = blocks.slice(block + 1, block + 1 + count);
        release(block);
        for (let i = 0; i < entries.length; i++) {
          if (valid(entries[i], slot)) {
            add(slot, entries[i]);
            kept++;
          }
        }
        block = next;
        count = Block.ENTRIES;
      }
    }
    if (kept > (blocks.length / Block.WORDS - slots) * Block.ENTRIES * 0.75) {
      const larger = new Int32Array(blocks.length * 2);
      larger.set(blocks);
      blocks = larger;
    }
  }

  function add(slot: number, c: number): void {
    let count = fill[slot];
    if (head[slot] === 0 || count === Block.ENTRIES) {
      let block = newBlock();
      if (block === 0) {
        compact();
        count = fill[slot];
        // Compaction may have left room in this slot's own block.
        if (head[slot] !== 0 && count < Block.ENTRIES) {
          blocks[head[slot] + 1 + count] = c;
          fill[slot] = count + 1;
          return;
        }
        block = newBlock();
      }
      blocks[block] = head[slot];
      head[slot] = block;
      count = 0;
    }
    blocks[head[slot] + 1 + count] = c;
    fill[slot] = count + 1;
  }

  function schedule(c: number, ticks: number): void {
    const last = tickOf(recLast[c >> 1]);
    let tick = (last + ticks) | 0;
    if (!started) {
      started = true;
      current = last;
    }
    const ahead = (tick - current) | 0;
    if (ahead < 0) tick = current;
    else if (ahead >= mask) tick = (current + mask - 1) | 0;
    // A tick of 0 means "none": a moment later does no harm.
    if (tick === 0) tick = 1;
    const before = recTick[c];
    // An entry that fires no later than this one will do, if it is still ahead.
    if (before !== 0 && ((before - current) | 0) >= 0 && ((before - tick) | 0) <= 0) return;
    recTick[c] = tick;
    add(tick & mask, c);
  }

  function fire(slot: number): void {
    let block = head[slot];
    let count = fill[slot];
    head[slot] = 0;
    fill[slot] = 0;
    while (block !== 0) {
      let kept = 0;
      for (let i = 1; i <= count; i++) kept ^= recTick[blocks[block + i]];
      if (ahead !== undefined) for (let i = 1; i <= count; i++) kept ^= ahead(blocks[block + i]);
      sink[0] = kept;
      for (let i = 1; i <= count; i++) {
        const c = blocks[block + i];
        if (valid(c, slot)) {
          recTick[c] = 0;
          due(c);
        }
      }
      const next = blocks[block];
      release(block);
      block = next;
      count = Block.ENTRIES;
    }
  }

  return {
    schedule,
    advance(now) {
      if (!started) return;
      const target = tickOf(now);
      const ahead = (target - current) | 0;
      if (ahead <= 0) {
        // Far back in time (captures strung together): from here on. What was due later is looked at early, no more.
        if (ahead < -slots) current = target;
        return;
      }
      const first = ahead > slots ? (target - slots) | 0 : current;
      const steps = Math.min(ahead, slots);
      // Set before firing, so that what `due` puts back goes ahead of it.
      current = target;
      for (let i = 0; i < steps; i++) fire((first + i) & mask);
    },
  };
}
