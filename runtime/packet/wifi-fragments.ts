/**
 * 802.11 fragments (IEEE 802.11-2020 sections 10.4 and 10.5) put together again, in a small part of the tracker's slab. The
 * next is only sent when the one before was acknowledged: they come in order. One that was sent again is passed over; where
 * one is missing, the capture lacks it, and the frame is given up.
 */
import { Counter, type Counters } from '../stats/counters.ts';
import { type PacketMemory, Pkt, type SlabPart } from './layout.ts';

export interface WifiFragmentTable {
  /** Frees what the last burst completed. Call before a burst is decoded. */
  newBurst(): void;
  /**
   * Takes the fragment of row `p`: its header at `at`, its body from `body` to `end`, traffic identifier `tid`. Returns where
   * the whole frame's body begins, valid until {@link newBurst}, when this completed it, else -1.
   */
  add(p: number, at: number, tid: number, body: number, end: number, more: boolean): number;
  /** Length of the body that `add` just returned. */
  length(): number;
}

/** Bytes of a frame: a body has at most 2304 (section 9.2.4.7.1), those of a mesh some more. */
const SLOT = 4096;
/** Seconds after its first fragment that a frame is given up: twice the standard's limit of 512 units of 1.024 ms. */
const TIMEOUT = 1;
/** Receiver and transmitter, then the sequence number with the traffic identifier. */
const KEY_WORDS = 4;
/** Flag of the second byte: sent again. */
const RETRY = 0x08;

const enum State {
  FREE = 0,
  FILLING = 1,
  /** Whole, and its bytes are still pointed at by the current burst. */
  DONE = 2,
}

/** As many frames at a time as the part of the slab has room for. */
export function createWifiFragmentTable(
  { view, bytes }: PacketMemory,
  pkt: Int32Array,
  counters: Counters,
  { offset, bytes: size }: SlabPart,
): WifiFragmentTable {
  const slots = Math.floor(size / SLOT);
  const pktF = new Float64Array(pkt.buffer, pkt.byteOffset, pkt.length >> 1);
  const state = new Uint8Array(slots);
  const keys = new Int32Array(slots * KEY_WORDS);
  const key = new Int32Array(KEY_WORDS);
  const started = new Float64Array(slots);
  /** The number of the fragment that comes next, and the bytes so far. */
  const next = new Uint8Array(slots);
  const filled = new Int32Array(slots);
  let done = 0;
  let lastLength = 0;

  /** A frame that never became whole. */
  function giveUp(slot: number): void {
    counters[Counter.DATAGRAMS_TIMED_OUT]++;
    state[slot] = State.FREE;
  }

  /** The frame with the current key; -1 when there is none. */
  function find(now: number): number {
    for (let slot = 0; slot < slots; slot++) {
      if (state[slot] !== State.FILLING) continue;
      if (now - started[slot] > TIMEOUT) giveUp(slot);
      else if (key.every((word, i) => keys[slot * KEY_WORDS + i] === word)) return slot;
    }
    return -1;
  }

  /** A place for a new frame: a free one, or that of the oldest. -1 when all hold whole ones. */
  function take(now: number): number {
    let best = -1;
    for (let slot = 0; slot < slots; slot++) {
      if (state[slot] === State.DONE) continue;
      const before = best < 0 || (state[best] === State.FILLING && started[slot] < started[best]);
      if (state[slot] === State.FREE || before) best = slot;
      if (state[slot] === State.FREE) break;
    }
    if (best < 0) return -1;
    if (state[best] === State.FILLING) giveUp(best);
    state[best] = State.FILLING;
    keys.set(key, best * KEY_WORDS);
    started[best] = now;
    return best;
  }

  function drop(slot: number): number {
    if (slot >= 0) state[slot] = State.FREE;
    counters[Counter.FRAGMENTS_DROPPED]++;
    return -1;
  }

  return {
    newBurst() {
      if (done === 0) return;
      done = 0;
      for (let slot = 0; slot < slots; slot++) if (state[slot] === State.DONE) state[slot] = State.FREE;
    },
    add(p, at, tid, body, end, more) {
      const now = pktF[(p + Pkt.TS) >> 1];
      const control = view.getUint16(at + 22, true);
      const number = control & 15;
      for (let i = 0; i < 3; i++) key[i] = view.getInt32(at + 4 + i * 4);
      key[3] = (control >>> 4) | (tid << 16);
      let slot = find(now);
      const again = slot >= 0 && number < next[slot] && (number > 0 || (view.getUint8(at + 1) & RETRY) !== 0);
      if (again) return -1;
      if (number === 0) {
        // The sequence numbers have gone round.
        if (slot >= 0) giveUp(slot);
        slot = take(now);
        if (slot < 0) return drop(-1);
        next[slot] = 0;
        filled[slot] = 0;
      }
      const length = end - body;
      if (slot < 0 || number !== next[slot] || filled[slot] + length > SLOT) return drop(slot);
      const start = offset + slot * SLOT;
      bytes.copyWithin(start + filled[slot], body, end);
      filled[slot] += length;
      next[slot]++;
      if (more) return -1;
      state[slot] = State.DONE;
      done++;
      lastLength = filled[slot];
      counters[Counter.DATAGRAMS_REASSEMBLED]++;
      return start;
    },
    length: () => lastLength,
  };
}
