/**
 * The connection table: an open-addressing index of pairs (hash, connection number) over the records of layout.ts. Hot.
 *
 * Linear probing, at most a quarter full, deletion by back-shift (no tombstones in the index). Numbers are stable while a
 * connection lives, and the latest one freed is the next one used, so that a warm record is reused. IPv6 addresses are
 * in a cold table of their own; the record holds their hashes, and a match of those is verified there.
 *
 * Both directions of a connection have the same hash. A candidate is compared with the packet as it is and turned
 * round, each by OR of XORs, and which of the two is zero is the packet's direction: no ends are ever put in order.
 */
import { Meta, type PacketMemory, Pkt } from '../packet/layout.ts';
import { ConnMeta, Rec } from './layout.ts';

/** Bits of META that belong to a connection's identity: protocol and IP version. */
const KEY_BITS = Meta.PROTO_MASK | Meta.IPV6;

export interface ConnTable {
  /** The record of row `p`'s connection, or 0. Sets `Pkt.DIR`. */
  find(p: number): number;
  /**
   * A new record for row `p`, whose five-tuple must not be in the table, or 0 when it is full. With `reversed` the
   * receiver becomes the originator. Sets the words of the identity and `Rec.META`; sets `Pkt.DIR`.
   */
  insert(p: number, reversed: boolean): number;
  /** Takes a record out. Its number is free at once. */
  remove(c: number): void;
  /** Takes all records out at once, without looking each of them up. */
  clear(): void;
  /** Records in use, tombstones included. */
  used(): number;
  /** One more than the highest record ever used, as a word index: records lie at stride, 2*stride, ... below it. */
  end(): number;
  /** Reads what `find` and the tracker will read for these rows, so that the cache misses overlap. */
  touch(rows: Int32Array, n: number): void;
  /** Reads what ending and removing record `c` will read, and returns it mixed. */
  touchRecord(c: number): number;
}

/** What {@link createConnTable} needs of a core. */
export interface TableMemory {
  readonly memory: PacketMemory;
  readonly pkt: Int32Array;
  readonly rec: Int32Array;
  readonly addr6: Int32Array;
  readonly maxConnections: number;
}

/** A table over the records of `core`, `stride` words each. */
export function createConnTable(core: TableMemory, stride: number): ConnTable {
  const { pkt, rec, addr6, maxConnections } = core;
  const { view } = core.memory;
  // A quarter full: one connection in eight then stands outside its own slot, at half full it is one in four, and each of
  // those costs `touch` a misprediction and a miss of its own.
  const slots = 2 ** Math.ceil(Math.log2(Math.max(16, maxConnections * 4)));
  const mask = slots - 1;
  const index = new Int32Array(slots * 2);
  const free = new Int32Array(maxConnections);
  const sink = new Int32Array(1);
  // Plans keep what every packet needs in their first line and what many need in their second: both are read ahead.
  const line2 = stride > 16 ? 16 : 0;
  const line3 = stride > 32 ? 32 : 0;
  let freeTop = 0;
  let next = 1;
  let used = 0;

  /** Whether the IPv6 addresses of row `p` are those of connection `id`, `turn` words (0 or 4) turned round. */
  function sameAddresses(p: number, id: number, turn: number): boolean {
    const l3 = pkt[p + Pkt.L3];
    const at = id << 3;
    let difference = 0;
    for (let i = 0; i < 8; i++) difference |= addr6[at + (i ^ turn)] ^ view.getInt32(l3 + 8 + (i << 2));
    return difference === 0;
  }

  function find(p: number): number {
    const hash = pkt[p + Pkt.HASH];
    const src = pkt[p + Pkt.SRC];
    const dst = pkt[p + Pkt.DST];
    const ports = pkt[p + Pkt.PORTS];
    const turned = (ports << 16) | (ports >>> 16);
    const key = pkt[p + Pkt.META] & KEY_BITS;
    let slot = hash & mask;
    for (;;) {
      const id = index[(slot << 1) + 1];
      if (id === 0) return 0;
      if (index[slot << 1] === hash) {
        const c = Math.imul(id, stride);
        const a = rec[c + Rec.SRC];
        const b = rec[c + Rec.DST];
        const ends = rec[c + Rec.PORTS];
        const forward = (a ^ src) | (b ^ dst) | (ends ^ ports);
        const reverse = (a ^ dst) | (b ^ src) | (ends ^ turned);
        if ((forward === 0 || reverse === 0) && (rec[c + Rec.META] & KEY_BITS) === key) {
          const dir = forward === 0 ? 0 : 1;
          if ((key & Meta.IPV6) === 0 || sameAddresses(p, id, dir << 2)) {
            pkt[p + Pkt.DIR] = dir;
            return c;
          }
        }
      }
      slot = (slot + 1) & mask;
    }
  }

  function insert(p: number, reversed: boolean): number {
    let id: number;
    if (freeTop > 0) {
      id = free[--freeTop];
    } else {
      if (next > maxConnections) return 0;
      id = next++;
    }
    used++;
    const c = Math.imul(id, stride);
    const hash = pkt[p + Pkt.HASH];
    const ports = pkt[p + Pkt.PORTS];
    const key = pkt[p + Pkt.META] & KEY_BITS;
    const dir = reversed ? 1 : 0;
    rec[c + Rec.SRC] = pkt[p + (reversed ? Pkt.DST : Pkt.SRC)];
    rec[c + Rec.DST] = pkt[p + (reversed ? Pkt.SRC : Pkt.DST)];
    rec[c + Rec.PORTS] = reversed ? (ports << 16) | (ports >>> 16) : ports;
    rec[c + Rec.META] = key | ConnMeta.USED;
    rec[c + Rec.HASH] = hash;
    if ((key & Meta.IPV6) !== 0) {
      const l3 = pkt[p + Pkt.L3];
      const at = id << 3;
      for (let i = 0; i < 8; i++) addr6[at + (i ^ (dir << 2))] = view.getInt32(l3 + 8 + (i << 2));
    }
    let slot = hash & mask;
    while (index[(slot << 1) + 1] !== 0) slot = (slot + 1) & mask;
    index[slot << 1] = hash;
    index[(slot << 1) + 1] = id;
    pkt[p + Pkt.DIR] = dir;
    return c;
  }

  function remove(c: number): void {
    const id = (c / stride) | 0;
    let slot = rec[c + Rec.HASH] & mask;
    while (index[(slot << 1) + 1] !== id) slot = (slot + 1) & mask;
    // Close the hole: move back every later entry of the run that its probe would otherwise no longer reach.
    let look = slot;
    for (;;) {
      look = (look + 1) & mask;
      const moved = index[(look << 1) + 1];
      if (moved === 0) break;
      const home = index[look << 1] & mask;
      if (((look - home) & mask) >= ((look - slot) & mask)) {
        index[slot << 1] = index[look << 1];
        index[(slot << 1) + 1] = moved;
        slot = look;
      }
    }
    index[(slot << 1) + 1] = 0;
    rec[c + Rec.META] = 0;
    free[freeTop++] = id;
    used--;
  }

  function clear(): void {
    for (let c = stride, end = Math.imul(next, stride); c < end; c += stride) rec[c + Rec.META] = 0;
    index.fill(0);
    freeTop = 0;
    next = 1;
    used = 0;
  }

  function touch(rows: Int32Array, n: number): void {
    let kept = 0;
    for (let i = 0; i < n; i++) kept ^= index[(pkt[rows[i] + Pkt.HASH] & mask) << 1];
    // The records that stand in their own slot; for others record 0, without a branch that nobody could predict.
    for (let i = 0; i < n; i++) {
      const hash = pkt[rows[i] + Pkt.HASH];
      const slot = (hash & mask) << 1;
      const difference = index[slot] ^ hash;
      const c = Math.imul(index[slot + 1] & ~((difference | -difference) >> 31), stride);
      kept ^= rec[c] ^ rec[c + line2] ^ rec[c + line3];
    }
    // Those that stand behind their slot. A misprediction here does not hold up the reads above: they are under way.
    for (let i = 0; i < n; i++) {
      const p = rows[i];
      const hash = pkt[p + Pkt.HASH];
      let slot = hash & mask;
      if (index[slot << 1] !== hash) {
        while (index[(slot << 1) + 1] !== 0 && index[slot << 1] !== hash) slot = (slot + 1) & mask;
        const c = Math.imul(index[(slot << 1) + 1], stride);
        kept ^= rec[c] ^ rec[c + line2] ^ rec[c + line3];
      }
      if ((pkt[p + Pkt.META] & Meta.IPV6) !== 0) kept ^= addr6[index[(slot << 1) + 1] << 3];
    }
    // Stored, or the compiler would drop the reads.
    sink[0] = kept;
  }

  function touchRecord(c: number): number {
    return index[(rec[c + Rec.HASH] & mask) << 1] ^ rec[c + line2];
  }

  return {
    find,
    insert,
    remove,
    clear,
    used: () => used,
    end: () => Math.imul(next, stride),
    touch,
    touchRecord,
  };
}
