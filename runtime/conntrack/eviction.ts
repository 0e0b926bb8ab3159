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

/**
 * Records looked at for a victim: a bounded sample, so that a flood costs the same per packet whatever the table's size.
 * It is taken in short runs from all over the table, as connections of an age lie together.
 */
const SAMPLE = 64;
const RUN = 8;
/** Samples taken, where nobody in those before can be given up. */
const ROUNDS = 4;

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
  const embryonicOnly = config.on_full === 'evict_embryonic';
  let seed = 1;

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
      const records = (table.end() / stride - 1) | 0;
      for (let round = 0; round < ROUNDS; round++) {
        let best = 0;
        for (let look = 0; look < SAMPLE; look++) {
          if (look % RUN === 0) seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) | 0;
          const c = Math.imul(1 + (((seed >>> 8) + (look % RUN)) % records), stride);
          const meta = rec[c + Rec.META];
          if ((meta & ConnMeta.USED) === 0) continue;
          // A tombstone that the ring had lost sight of.
          if ((meta & ConnMeta.ENDED) !== 0) return c;
          if (embryonicOnly && !isEmbryonic(meta)) continue;
          if (best === 0 || recF[(c + Rec.LAST) >> 1] < recF[(best + Rec.LAST) >> 1]) best = c;
        }
        if (best !== 0) return best;
      }
      return 0;
    },
  };
}

/** One packet, or a TCP handshake that is not complete: a server under a flood answers every SYN. */
function isEmbryonic(meta: number): boolean {
  if ((meta & ConnMeta.SECOND) === 0) return true;
  return (meta & (ConnMeta.SYN | ConnMeta.SYNACK)) !== 0 && (meta & ConnMeta.ESTABLISHED) === 0;
}
