/**
 * The timer wheel: a ring of ticks, each a chain of blocks of record positions, all in one Int32Array.
 *
 * A record carries the tick it is due at (`Rec.TICK`); an entry found under another tick is stale and skipped. Packets
 * do not touch the wheel: an entry that fires is looked at by its owner, who ends the connection or puts it back at its
 * present deadline. That makes a timeout O(1) per connection and free per packet.
 *
 * A tick may hold a million entries. They fire in pieces, first in first out, between the packets that come meanwhile, and
 * stale entries are swept out a few at a time: nothing here takes longer the more connections there are.
 *
 * Ticks are counted modulo 2^32, so times of any size do; only their differences count.
 */

import { int32Words } from '../words.ts';
import { ConnMeta, recColumns } from './layout.ts';

export interface TimerWheel {
  /** Has record `c` looked at when `ticks` ticks of silence after `Rec.LAST` are over, unless it will be earlier anyway. */
  schedule(c: number, ticks: number): void;
  /** It is `now`: records whose tick lies wholly before are due. {@link fire} looks at them. */
  advance(now: number): void;
  /** Calls `due` for records that are due, some `most` of them. False when none are left. */
  fire(most: number): boolean;
  /** Whether record `c` is due, and was not looked at yet. */
  isDue(c: number): boolean;
  /** Whether `ticks` ticks of silence after `Rec.LAST` of record `c` were over at the `now` of the last {@link advance}. */
  over(c: number, ticks: number): boolean;
}

export interface WheelOptions {
  /** Seconds of one tick. */
  readonly resolution: number;
  /** Longest timeout in seconds: what lies further ahead is looked at early and put back. */
  readonly horizon: number;
  readonly maxConnections: number;
  /** Told of many records before the first of them ends. */
  readonly ahead?: WheelAhead;
}

export interface WheelAhead {
  readonly records: Int32Array;
  /** Loads what ending the first `n` of `records` will read. */
  load(n: number): void;
}

const enum Block {
  WORDS = 16,
  /** Word 0 is the next block of the chain, the others are record positions; 0: none. */
  ENTRIES = 15,
}

/** The wheel's state: words of one array. Blocks are named by their first word; block 0 is none. */
const enum State {
  /** First block never used, and chain of returned ones. */
  FRESH = 0,
  FREED = 1,
  /** Blocks in chains. */
  USED = 2,
  STARTED = 3,
  /** The first tick that is not yet due. */
  CURRENT = 4,
  /** The next tick to fire; the slot that fires now, and the block to go on with. */
  NEXT = 5,
  SLOT = 6,
  FIRING = 7,
  /** Where sweeping goes on: a slot, and the block of it behind which; 0: at its start. */
  SWEEP_SLOT = 8,
  SWEPT = 9,
  WORDS = 10,
}

/** Ring sizes, in ticks. */
const MIN_SLOTS = 64;
const MAX_SLOTS = 65536;
/** Entries there is room for, per connection. Sweeping begins where half of it is used. */
const ROOM = 4;
/** Blocks looked at, and empty slots passed over, for each block that is taken while sweeping. */
const SWEEP_BLOCKS = 4;
const SWEEP_SLOTS = 64;

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
  /** Of each slot the first block, and the word behind its last entry; 0 when there is none. */
  const head = new Int32Array(slots);
  const tail = new Int32Array(slots);
  /** Blocks whose records are loaded at a time. */
  const blocksAhead = ahead === undefined ? 0 : Math.floor(ahead.records.length / Block.ENTRIES);
  const state = int32Words(State.WORDS);
  const most = Math.ceil((options.maxConnections * ROOM) / Block.ENTRIES);
  let blocks = new Int32Array((slots + most + 2) * Block.WORDS);
  state[State.FRESH] = Block.WORDS;

  /** Int32 of a tick: ToInt32 is modulo 2^32, so this works for times beyond 2^31 ticks. */
  function tickOf(time: number): number {
    return Math.floor(time * perSecond) | 0;
  }

  function valid(c: number, slot: number): boolean {
    return (recMeta[c] & ConnMeta.USED) !== 0 && (recTick[c] & mask) === slot;
  }

  function newBlock(): number {
    if (state[State.USED] > slots + (most >> 1)) sweep();
    state[State.USED]++;
    // A block never used has no next one and nothing in it: both kinds are taken the same way.
    const freed = state[State.FREED];
    const fresh = state[State.FRESH];
    const block = freed !== 0 ? freed : fresh;
    if (block === blocks.length) {
      const larger = new Int32Array(blocks.length * 2);
      larger.set(blocks);
      blocks = larger;
    }
    state[State.FREED] = blocks[block];
    state[State.FRESH] = fresh + (freed !== 0 ? 0 : Block.WORDS);
    for (let i = 0; i < Block.WORDS; i++) blocks[block + i] = 0;
    return block;
  }

  function release(block: number): void {
    blocks[block] = state[State.FREED];
    state[State.FREED] = block;
    state[State.USED]--;
  }

  function add(slot: number, c: number): void {
    let at = tail[slot];
    if ((at & (Block.WORDS - 1)) === 0) {
      const block = newBlock();
      // Behind the block before, or behind block 0, which means none.
      blocks[Math.max(0, at - Block.WORDS)] = block;
      head[slot] = at === 0 ? block : head[slot];
      at = block + 1;
    }
    blocks[at] = c;
    tail[slot] = at + 1;
  }

  /** The block that the slot's last entry is in. */
  function lastBlock(slot: number): number {
    return (tail[slot] - 1) & -Block.WORDS;
  }

  /** Moves the valid entries of `block` to its front, and returns how many there are. */
  function tidy(block: number, slot: number): number {
    let kept = 0;
    for (let i = 1; i <= Block.ENTRIES; i++) {
      const c = blocks[block + i];
      if (c === 0 || !valid(c, slot)) continue;
      blocks[block + ++kept] = c;
    }
    for (let i = kept + 1; i <= Block.ENTRIES; i++) blocks[block + i] = 0;
    return kept;
  }

  /** Drops stale entries of some more blocks. What is left of a block moves into the one before it, where it fits. */
  function sweep(): void {
    for (let looked = 0, passed = 0; looked < SWEEP_BLOCKS && passed < SWEEP_SLOTS; ) {
      const slot = state[State.SWEEP_SLOT];
      const last = lastBlock(slot);
      let before = state[State.SWEPT];
      // The slot's last block is being filled.
      const block = tail[slot] === 0 ? last : before === 0 ? head[slot] : blocks[before];
      if (block === last) {
        state[State.SWEEP_SLOT] = (slot + 1) & mask;
        state[State.SWEPT] = 0;
        passed++;
        continue;
      }
      looked++;
      const kept = tidy(block, slot);
      let room = 0;
      if (before !== 0) while (room < Block.ENTRIES && blocks[before + Block.ENTRIES - room] === 0) room++;
      if (kept > 0 && (before === 0 || kept > room)) {
        before = block;
      } else if (before === 0) {
        head[slot] = blocks[block];
        release(block);
      } else {
        for (let i = 1; i <= kept; i++) blocks[before + Block.ENTRIES - room + i] = blocks[block + i];
        blocks[before] = blocks[block];
        release(block);
      }
      state[State.SWEPT] = before;
    }
  }

  function schedule(c: number, ticks: number): void {
    const last = tickOf(recLast[c >> 1]);
    let tick = (last + ticks) | 0;
    if (state[State.STARTED] === 0) {
      state[State.STARTED] = 1;
      state[State.CURRENT] = last;
      state[State.NEXT] = last;
    }
    const current = state[State.CURRENT];
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

  /** Loads the records of the blocks from `first` on, some at a time. How many blocks that are. */
  function lookAhead(first: number): number {
    if (ahead === undefined) return 1;
    let n = 0;
    let count = 0;
    for (let block = first; block !== 0 && count < blocksAhead; block = blocks[block], count++) {
      for (let i = 1; i <= Block.ENTRIES; i++) ahead.records[n++] = blocks[block + i];
    }
    ahead.load(n);
    return count;
  }

  /** Looks at the entries of one block, which is in no chain any more. */
  function fireBlock(block: number, slot: number): void {
    for (let i = 1; i <= Block.ENTRIES; i++) {
      const c = blocks[block + i];
      if (c !== 0 && valid(c, slot)) {
        recTick[c] = 0;
        due(c);
      }
    }
    release(block);
  }

  return {
    schedule,
    advance(now) {
      if (state[State.STARTED] === 0) return;
      const target = tickOf(now);
      const ahead = (target - state[State.CURRENT]) | 0;
      if (ahead < -slots) {
        // Far back in time (captures strung together): from here on. What was due later is looked at early, no more.
        state[State.CURRENT] = target;
        state[State.NEXT] = target;
      } else if (ahead > 0) {
        // Set before firing, so that what `due` puts back goes ahead of it.
        state[State.CURRENT] = target;
        if (((target - state[State.NEXT]) | 0) > slots) state[State.NEXT] = (target - slots) | 0;
      }
    },
    fire(most) {
      let left = most;
      let loaded = 0;
      for (;;) {
        let block = state[State.FIRING];
        if (block === 0) {
          const tick = state[State.NEXT];
          if (tick === state[State.CURRENT]) return false;
          if (left <= 0) return true;
          const slot = tick & mask;
          state[State.NEXT] = (tick + 1) | 0;
          state[State.SLOT] = slot;
          block = head[slot];
          loaded = 0;
          head[slot] = 0;
          tail[slot] = 0;
          if (state[State.SWEEP_SLOT] === slot) state[State.SWEPT] = 0;
        }
        while (block !== 0) {
          state[State.FIRING] = block;
          if (left <= 0) return true;
          if (loaded === 0) loaded = lookAhead(block);
          loaded--;
          state[State.FIRING] = blocks[block];
          fireBlock(block, state[State.SLOT]);
          block = state[State.FIRING];
          left -= Block.ENTRIES;
        }
      }
    },
    isDue: (c) => recTick[c] !== 0 && ((recTick[c] - state[State.CURRENT]) | 0) < 0,
    over(c, ticks) {
      return ((tickOf(recLast[c >> 1]) + ticks - state[State.CURRENT]) | 0) < 0;
    },
  };
}
