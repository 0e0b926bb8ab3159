/**
 * The connection table: an open-addressing index over the records of layout.ts. Hot.
 *
 * An entry of the index is one word: the connection's number, above it how far the entry stands from its own slot, and
 * above that as many of the hash's upper bits as there is room for (the lower ones choose the slot). 0: free. Linear
 * probing, at most half full, deletion by back-shift (no tombstones in the index). Numbers are stable while a connection
 * lives, and the latest one freed is the next one used, so that a warm record is reused. IPv6 addresses are in a cold
 * table of their own; the record holds their hashes, and a match of those is verified there. Searches start one before
 * their slot, so that the step to the next is known to the engine's compiler before the first collision.
 *
 * Both directions of a connection have the same hash. A candidate is compared with the packet as it is and turned
 * round, each by OR of XORs, and which of the two is zero is the packet's direction: no ends are ever put in order.
 */
import { pktColumns } from '../packet/columns.ts';
import { Meta, type PacketMemory } from '../packet/layout.ts';
import { prefetcher } from '../prefetch.ts';
import { ConnMeta, recColumns } from './layout.ts';

/** Bits of META that belong to a connection's identity: protocol and IP version. */
const KEY_BITS = Meta.PROTO_MASK | Meta.IPV6;

/** Most rows that `lookAhead` takes at a time. */
export const ROWS_MAX = 256;
/** Bytes of index and records beyond which `lookAhead` reads ahead: about what the L2 cache holds. */
const L2_BYTES = 1 << 20;
/** Bits of an entry's distance, and the distance that they tell no more. */
const DISTANCE_BITS = 3;
const FAR = 7;
/** The first bursts take both ways of `lookAhead` in turn, so that the engine knows both when it compiles. */
const TRIALS = 64;
/** Words that are cleared at a time. */
const CLEARED_WORDS = 1 << 20;
/** Where records take up less than this part of the index, they are taken out of it one by one. */
const FEW = 1 / 1024;

export interface ConnTable {
  /** The record of row `p`'s connection, or 0. Sets `Pkt.DIR`. Takes `Pkt.CONN` as a guess: 0, or any record. */
  find(p: number): number;
  /**
   * A new record for row `p`, whose five-tuple must not be in the table, or 0 when it is full. With `reversed` the
   * receiver becomes the originator. Sets the words of the identity and `Rec.META`; sets `Pkt.DIR`.
   */
  insert(p: number, reversed: boolean): number;
  /** Takes a record out. Its number is free at once. */
  remove(c: number): void;
  /** Takes all records out without looking each of them up; each step of the iteration clears some megabytes. */
  clear(): Iterable<void>;
  /** Records in use, tombstones included. */
  used(): number;
  /** One more than the highest record ever used, as a word index: records lie at stride, 2*stride, ... below it. */
  end(): number;
  /**
   * Before the `find`s of rows[0..n-1] (at most {@link ROWS_MAX}): in a table larger than the cache it looks them up and
   * loads what the tracker will read, so that the cache misses of a burst overlap.
   */
  lookAhead(rows: Int32Array, n: number): void;
  /** The same before records end and are removed: those that `ending.records` says, at most {@link ROWS_MAX}. */
  readonly ending: { readonly records: Int32Array; load(n: number): void };
}

/** What {@link createConnTable} needs of a core. */
function* fillZero(words: Int32Array, end: number): Generator<void, void, void> {
  for (let at = 0; at < end; at += CLEARED_WORDS) {
    words.fill(0, at, Math.min(end, at + CLEARED_WORDS));
    yield;
  }
}

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
  const { pktSrc, pktDst, pktPorts, pktMeta, pktHash, pktL3, pktDir, pktConn } = pktColumns(pkt);
  const { recSrc, recDst, recPorts, recMeta, recHash } = recColumns(rec, stride);
  // Half full at most: fuller, more connections stand outside their own slots, each of which costs a misprediction; emptier,
  // less of it stays in the cache.
  const size = 2 ** Math.ceil(Math.log2(Math.max(16, maxConnections * 2)));
  const mask = size - 1;
  const index = new Int32Array(size);
  /** Bits of an entry: the connection's number, the distance from its own slot (FAR: look it up), the hash's. */
  const numberBits = 32 - Math.clz32(maxConnections);
  const tagShift = numberBits + DISTANCE_BITS;
  const numbers = 2 ** numberBits - 1;
  const tags = -(2 ** tagShift);
  /** Of the burst at hand: where each row's search starts, then its record. */
  const places = new Int32Array(ROWS_MAX);
  const aheadFrom = Math.floor(L2_BYTES / (stride * 4 + 12));
  const free = new Int32Array(maxConnections);
  const sink = new Int32Array(1);
  const ending = new Int32Array(ROWS_MAX);
  const prefetchIndex = prefetcher(index, places);
  // Plans keep what every packet needs in their first line: it is loaded with the tracker's own.
  const lines = stride > 16 ? 2 : 1;
  const prefetchRecords = prefetcher(rec, places, lines);
  const prefetchEnding = prefetcher(rec, ending, lines);
  let freeTop = 0;
  let next = 1;
  let used = 0;
  /** Bursts so far, up to TRIALS. */
  let bursts = 0;

  /** Whether the IPv6 addresses of row `p` are those of connection `id`, `turn` words (0 or 4) turned round. */
  function sameAddresses(p: number, id: number, turn: number): boolean {
    const l3 = pktL3[p];
    const at = id << 3;
    let difference = 0;
    for (let i = 0; i < 8; i++) difference |= addr6[at + (i ^ turn)] ^ view.getInt32(l3 + 8 + (i << 2));
    return difference === 0;
  }

  /** Whether row `p` is of record `c`: then sets its direction. A record that is not in use has no protocol. */
  function matches(c: number, p: number): boolean {
    const src = pktSrc[p];
    const dst = pktDst[p];
    const ports = pktPorts[p];
    const key = pktMeta[p] & KEY_BITS;
    const a = recSrc[c];
    const b = recDst[c];
    const ends = recPorts[c];
    const forward = (a ^ src) | (b ^ dst) | (ends ^ ports);
    const reverse = (a ^ dst) | (b ^ src) | (ends ^ ((ports << 16) | (ports >>> 16)));
    // 0 for zero, else 1, without a branch: which way a packet goes cannot be foretold.
    const dir = (forward | (0 - forward)) >>> 31;
    const other = (reverse | (0 - reverse)) >>> 31;
    if (((dir & other) | ((recMeta[c] & KEY_BITS) ^ key)) !== 0) return false;
    if ((key & Meta.IPV6) !== 0 && !sameAddresses(p, (c / stride) | 0, dir << 2)) {
      // Both ways, as the ports and the hashes of both addresses are alike.
      const turned = (dir | other) === 0 && sameAddresses(p, (c / stride) | 0, 4);
      if (turned) pktDir[p] = 1;
      return turned;
    }
    pktDir[p] = dir;
    return true;
  }

  function find(p: number): number {
    const hash = pktHash[p];
    let slot = (hash - 1) | 0;
    // What `lookAhead` found may have ended since, or another connection may have its record: then it does not match.
    let c = pktConn[p];
    for (;;) {
      if (c !== 0 && matches(c, p)) return c;
      slot = (slot + 1) & mask;
      const entry = index[slot];
      c = (entry ^ hash) >>> tagShift === 0 ? Math.imul(entry & numbers, stride) : 0;
      if (entry === 0) return 0;
    }
  }

  function insert(p: number, reversed: boolean): number {
    if (freeTop === 0) {
      if (next > maxConnections) return 0;
      free[freeTop++] = next++;
    }
    const id = free[--freeTop];
    used++;
    const c = Math.imul(id, stride);
    const hash = pktHash[p];
    const ports = pktPorts[p];
    const key = pktMeta[p] & KEY_BITS;
    const dir = reversed ? 1 : 0;
    recSrc[c] = reversed ? pktDst[p] : pktSrc[p];
    recDst[c] = reversed ? pktSrc[p] : pktDst[p];
    recPorts[c] = reversed ? (ports << 16) | (ports >>> 16) : ports;
    recMeta[c] = key | ConnMeta.USED;
    recHash[c] = hash;
    if ((key & Meta.IPV6) !== 0) {
      const l3 = pktL3[p];
      const at = id << 3;
      for (let i = 0; i < 8; i++) addr6[at + (i ^ (dir << 2))] = view.getInt32(l3 + 8 + (i << 2));
    }
    let slot = (hash - 1) | 0;
    let distance = -1;
    do {
      slot = (slot + 1) & mask;
      distance++;
    } while (index[slot] !== 0);
    index[slot] = (hash & tags) | (Math.min(distance, FAR) << numberBits) | id;
    pktDir[p] = dir;
    return c;
  }

  function remove(c: number): void {
    const id = (c / stride) | 0;
    let slot = (recHash[c] - 1) | 0;
    do slot = (slot + 1) & mask;
    while ((index[slot] & numbers) !== id);
    // Close the hole: move back every later entry of the run that its probe would otherwise no longer reach.
    let look = slot;
    for (;;) {
      look = (look + 1) & mask;
      const moved = index[look];
      if (moved === 0) break;
      let distance = (moved >>> numberBits) & FAR;
      if (distance === FAR) distance = (look - recHash[Math.imul(moved & numbers, stride)]) & mask;
      const gap = (look - slot) & mask;
      if (distance >= gap) {
        index[slot] = (moved & ~(FAR << numberBits)) | (Math.min(distance - gap, FAR) << numberBits);
        slot = look;
      }
    }
    index[slot] = 0;
    recMeta[c] = 0;
    free[freeTop++] = id;
    used--;
  }

  function* clear(): Generator<void, void, void> {
    const end = Math.imul(next, stride);
    if (used < size * FEW) {
      // Most of the index was never touched: clearing it would only make memory of it.
      for (let c = stride; c < end; c += stride) if ((recMeta[c] & ConnMeta.USED) !== 0) remove(c);
    } else {
      yield* fillZero(rec, end);
      yield* fillZero(index, size);
    }
    freeTop = 0;
    next = 1;
    used = 0;
  }

  function lookAhead(rows: Int32Array, n: number): void {
    let ahead = used > aheadFrom;
    if (bursts < TRIALS) ahead = (bursts++ & 1) === 0;
    if (!ahead) {
      for (let i = 0; i < n; i++) pktConn[rows[i]] = 0;
      return;
    }
    for (let i = 0; i < n; i++) places[i] = pktHash[rows[i]] & mask;
    prefetchIndex(n);
    let kept = 0;
    for (let i = 0; i < n; i++) {
      const p = rows[i];
      const hash = pktHash[p];
      let slot = places[i] - 1;
      let entry: number;
      do {
        slot = (slot + 1) & mask;
        entry = index[slot];
      } while (entry !== 0 && (entry ^ hash) >>> tagShift !== 0);
      const id = entry & numbers;
      const c = Math.imul(id, stride);
      pktConn[p] = c;
      places[i] = c;
      if ((pktMeta[p] & Meta.IPV6) !== 0) kept ^= addr6[id << 3];
    }
    prefetchRecords(n);
    // Stored, or the compiler would drop the reads.
    sink[0] = kept;
  }

  /** Loads the records at the first `n` of `ending`, and their places in the index. */
  function loadEnding(n: number): void {
    prefetchEnding(n);
    for (let i = 0; i < n; i++) places[i] = recHash[ending[i]] & mask;
    prefetchIndex(n);
  }

  return {
    find,
    insert,
    remove,
    clear,
    used: () => used,
    end: () => Math.imul(next, stride),
    lookAhead,
    ending: { records: ending, load: loadEnding },
  };
}
