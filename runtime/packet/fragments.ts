/**
 * IP fragments put together again (RFC 791 section 3.2, RFC 8200 section 4.5), in a part of the tracker's slab.
 *
 * A fixed number of datagrams at a time, 64 KiB each: when all are taken the oldest gives way, and one that is not whole
 * after `timeout` seconds is forgotten, so a flood of fragments costs neither memory nor time. A fragment that came before
 * is passed over; one that overlaps others in part makes the whole datagram refused (RFC 5722 section 3, RFC 8200 section
 * 4.5, and by the same reasoning IPv4), as nobody could tell which of its readings the receiver takes.
 */
import { Counter, type Counters } from '../stats/counters.ts';
import { Meta, type PacketMemory, Pkt, type SlabPart } from './layout.ts';

export interface FragmentTable {
  /** Frees what the last burst completed. Call before a burst is decoded. */
  newBurst(): void;
  /**
   * Takes the fragment of row `p`: `length` bytes, of which `captured` are at `at`, belong at byte `from` of the datagram's
   * payload. Returns the offset of the whole payload, valid until {@link newBurst}, when this completed it, else -1.
   */
  add(
    p: number,
    bits: number,
    id: number,
    from: number,
    more: boolean,
    at: number,
    length: number,
    captured: number,
  ): number;
  /** Length of the payload that `add` just returned. */
  length(): number;
  /** Bytes of it from the start on that no cut fragment lacks. */
  captured(): number;
  /** Protocol (IPv4) or next header (IPv6) of the datagram that `add` just returned. */
  proto(): number;
  /** The part of the slab that is for 802.11 fragments (wifi-fragments.ts): one datagram's place, where there are many. */
  readonly wifi: SlabPart;
}

/** Part of the slab to use. */
export interface FragmentOptions extends SlabPart {
  /** Seconds after its first fragment that a datagram is given up. RFC 8200 says 60, common stacks 30. Default 30. */
  readonly timeout?: number;
}

const enum Size {
  DATAGRAM = 65536,
  MAX_DATAGRAMS = 64,
  /** Places from which on one is for 802.11 fragments. */
  MANY = 5,
  /** Bits of one datagram's map, one per eight bytes, in words. */
  MAP_WORDS = 256,
}

const enum State {
  FREE = 0,
  FILLING = 1,
  /** Whole, and its bytes are still pointed at by the current burst. */
  DONE = 2,
  /** Fragments overlapped: nothing of the datagram is taken any more. */
  REFUSED = 3,
}

/** The part of a worker's slab that is for fragments: the last quarter, or as much of it as they can use. */
export function fragmentSlab(memory: PacketMemory): SlabPart {
  const bytes = Math.min(Size.DATAGRAM * (Size.MAX_DATAGRAMS + 1), Math.floor(memory.slabLength / 4));
  return { offset: memory.slabOffset + memory.slabLength - bytes, bytes };
}

/** Words of a datagram's key: four of each address, id, protocol and version. */
const KEY_WORDS = 10;

export function createFragmentTable(
  memory: PacketMemory,
  pkt: Int32Array,
  pktF: Float64Array,
  counters: Counters,
  options: FragmentOptions,
): FragmentTable {
  const { view, bytes } = memory;
  const places = Math.floor(options.bytes / Size.DATAGRAM);
  const slots = Math.min(Size.MAX_DATAGRAMS, places < Size.MANY ? places : places - 1);
  const timeout = options.timeout ?? 30;
  const state = new Uint8Array(slots);
  const keys = new Int32Array(slots * KEY_WORDS);
  const key = new Int32Array(KEY_WORDS);
  const started = new Float64Array(slots);
  const map = new Int32Array(slots * Size.MAP_WORDS);
  /** Eight-byte blocks there, and the payload's length once the last fragment told it, else -1. */
  const blocks = new Int32Array(slots);
  const total = new Int32Array(slots);
  const nextHeader = new Uint8Array(slots);
  /** Where the first byte of the payload lies that a cut fragment lacks. */
  const cutAt = new Int32Array(slots);
  let done = 0;
  let lastLength = 0;
  let lastCaptured = 0;
  let lastProto = 0;

  function readKey(p: number, bits: number, id: number): void {
    const l3 = pkt[p + Pkt.L3];
    if ((bits & Meta.IPV6) !== 0) {
      for (let i = 0; i < 8; i++) key[i] = view.getInt32(l3 + 8 + i * 4);
      // The fragments of an IPv6 datagram may name different next headers; only the first one's counts.
      key[9] = Meta.IPV6;
    } else {
      key.fill(0);
      key[0] = pkt[p + Pkt.SRC];
      key[4] = pkt[p + Pkt.DST];
      key[9] = bits & Meta.PROTO_MASK;
    }
    key[8] = id;
  }

  function same(slot: number): boolean {
    const at = slot * KEY_WORDS;
    for (let i = 0; i < KEY_WORDS; i++) if (keys[at + i] !== key[i]) return false;
    return true;
  }

  /** The slot of the current key; takes a free one, or that of the oldest datagram. -1 when all are done. */
  function slotOf(now: number): number {
    let free = -1;
    let oldest = -1;
    for (let slot = 0; slot < slots; slot++) {
      if (state[slot] === State.FILLING || state[slot] === State.REFUSED) {
        if (now - started[slot] > timeout) {
          if (state[slot] === State.FILLING) counters[Counter.DATAGRAMS_TIMED_OUT]++;
          state[slot] = State.FREE;
          free = slot;
        } else if (same(slot)) {
          return slot;
        } else if (oldest < 0 || started[slot] < started[oldest]) {
          oldest = slot;
        }
      } else if (state[slot] === State.FREE) {
        free = slot;
      }
    }
    if (free < 0) {
      free = oldest;
      if (free < 0) return -1;
      if (state[free] === State.FILLING) counters[Counter.DATAGRAMS_TIMED_OUT]++;
    }
    state[free] = State.FILLING;
    keys.set(key, free * KEY_WORDS);
    started[free] = now;
    map.fill(0, free * Size.MAP_WORDS, (free + 1) * Size.MAP_WORDS);
    blocks[free] = 0;
    total[free] = -1;
    nextHeader[free] = 0;
    cutAt[free] = Size.DATAGRAM;
    return free;
  }

  /** Takes the fragment unless all of it is there. False when a part of it is: fragments overlap. */
  function fill(slot: number, from: number, at: number, length: number, captured: number): boolean {
    const bit0 = slot * Size.MAP_WORDS * 32;
    const [first, end] = [bit0 + (from >> 3), bit0 + ((from + length + 7) >> 3)];
    let there = 0;
    for (let bit = first; bit < end; bit++) there += (map[bit >> 5] >>> (bit & 31)) & 1;
    if (there === end - first) return true;
    if (there !== 0) return false;
    for (let bit = first; bit < end; bit++) map[bit >> 5] |= 1 << (bit & 31);
    blocks[slot] += end - first;
    bytes.copyWithin(options.offset + slot * Size.DATAGRAM + from, at, at + captured);
    if (captured < length) cutAt[slot] = Math.min(cutAt[slot], from + captured);
    return true;
  }

  return {
    newBurst() {
      if (done === 0) return;
      done = 0;
      for (let slot = 0; slot < slots; slot++) if (state[slot] === State.DONE) state[slot] = State.FREE;
    },
    add(p, bits, id, from, more, at, length, captured) {
      // Only the last fragment may end off an eight-byte boundary, and nothing reaches beyond 65535 bytes.
      if (length <= 0 || from + length > 65535 || (more && (length & 7) !== 0)) {
        counters[Counter.FRAGMENTS_DROPPED]++;
        return -1;
      }
      readKey(p, bits, id);
      const slot = slotOf(pktF[(p + Pkt.TS) >> 1]);
      if (slot < 0 || state[slot] === State.REFUSED) {
        counters[Counter.FRAGMENTS_DROPPED]++;
        return -1;
      }
      const end = from + length;
      if ((total[slot] >= 0 && end > total[slot]) || (!more && total[slot] >= 0 && end !== total[slot])) {
        counters[Counter.FRAGMENTS_DROPPED]++;
        return -1;
      }
      if (!fill(slot, from, at, length, captured)) {
        state[slot] = State.REFUSED;
        counters[Counter.FRAGMENTS_DROPPED]++;
        return -1;
      }
      if (!more) total[slot] = end;
      if (from === 0) nextHeader[slot] = bits & Meta.PROTO_MASK;
      if (total[slot] < 0 || blocks[slot] !== (total[slot] + 7) >> 3) return -1;
      state[slot] = State.DONE;
      done++;
      lastLength = total[slot];
      lastCaptured = Math.min(lastLength, cutAt[slot]);
      lastProto = nextHeader[slot];
      counters[Counter.DATAGRAMS_REASSEMBLED]++;
      return options.offset + slot * Size.DATAGRAM;
    },
    length: () => lastLength,
    captured: () => lastCaptured,
    proto: () => lastProto,
    wifi: {
      offset: options.offset + slots * Size.DATAGRAM,
      bytes: places < Size.MANY ? 0 : Size.DATAGRAM,
    },
  };
}
