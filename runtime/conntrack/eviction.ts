/** Who gives way when the table is full: tombstones first, in the order they fell; then whom `on_full` names. */
import type { ConnTrackConfig } from './config.ts';
import { ConnMeta, Rec } from './layout.ts';
import type { ConnTable } from './table.ts';

export interface Eviction {
  /** Record `c` has become a tombstone. */
  tombstone(c: number): void;
  /** The oldest tombstone, or 0. */
  takeTombstone(): number;
  /** A connection that `on_full` gives up, or 0. */
  victim(): number;
}

/** Records looked at for a victim: a bounded sample, so that a flood costs the same per packet whatever the table's size. */
const SAMPLE = 64;

export function createEviction(
  { rec, recF, maxConnections }: { rec: Int32Array; recF: Float64Array; maxConnections: number },
  table: ConnTable,
  stride: number,
  config: ConnTrackConfig,
): Eviction {
  // A ring of records that fell, oldest first. A record may stand in it twice, or live again: looked at when taken.
  const size = 2 ** Math.ceil(Math.log2(Math.max(2, maxConnections)));
  const ring = new Int32Array(size);
  let first = 0;
  let last = 0;
  let hand = stride;

  return {
    tombstone(c) {
      ring[last] = c;
      last = (last + 1) & (size - 1);
      if (last === first) first = (first + 1) & (size - 1);
    },
    takeTombstone() {
      while (first !== last) {
        const c = ring[first];
        first = (first + 1) & (size - 1);
        if ((rec[c + Rec.META] & (ConnMeta.USED | ConnMeta.ENDED)) === (ConnMeta.USED | ConnMeta.ENDED)) return c;
      }
      return 0;
    },
    victim() {
      if (config.on_full === 'drop_new') return 0;
      const embryonic = config.on_full === 'evict_embryonic';
      const end = table.end();
      let best = 0;
      for (let i = 0; i < SAMPLE; i++) {
        hand = hand + stride >= end ? stride : hand + stride;
        const meta = rec[hand + Rec.META];
        if ((meta & ConnMeta.USED) === 0) continue;
        // A tombstone that the ring had lost sight of.
        if ((meta & ConnMeta.ENDED) !== 0) return hand;
        if (embryonic && (meta & ConnMeta.SECOND) !== 0) continue;
        if (best === 0 || recF[(hand + Rec.LAST) >> 1] < recF[(best + Rec.LAST) >> 1]) best = hand;
      }
      return best;
    },
  };
}
