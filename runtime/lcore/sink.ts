/**
 * Flow sampling: of 512 buckets that flows fall into by their hash, `nb_buckets` are kept and the others are dropped and
 * counted. A device with an RSS table sends the dropped ones to a queue of their own, which the sink core empties; so
 * they cost the receive cores nothing. Elsewhere the receive cores drop them right after the headers are read. Both
 * directions of a flow share a bucket; packets without ports are never dropped.
 */
import { BUCKETS } from '../config/schema.ts';
import { Meta, Pkt } from '../packet/layout.ts';
import { END_OF_INPUT } from '../source/contract.ts';
import { Counter, type Counters } from '../stats/counters.ts';
import type { Subscription } from '../subscription/contract.ts';

/** Of the spread hash: its highest bits are the bucket, one of {@link BUCKETS}. */
const BUCKET_SHIFT = 23;
/** Spreads the bits of the hash anew: its own low bits choose slots of the connection table. */
const SPREAD = 0x9e37_79b1 | 0;

/**
 * The RSS table of a device that keeps `buckets` of {@link BUCKETS}: a queue for each of `size` entries, receive queues
 * 0..queues-1 in turn, then the sink's, number `queues`.
 */
export function sinkTable(size: number, queues: number, buckets: number): number[] {
  const kept = Math.min(size, Math.max(queues, Math.round((size * buckets) / BUCKETS)));
  return Array.from({ length: size }, (_, i) => (i < kept ? i % queues : queues));
}

/** Flow sampling in software, in front of a subscription. */
export interface Sampling {
  readonly sub: Subscription;
  /** Packets dropped. */
  dropped(): number;
}

/** `keep`: buckets to keep by port number, for ports that sample; all of the others are kept. Hot: per packet. */
export function createSampling(
  sub: Subscription,
  core: { readonly pkt: Int32Array; readonly counters: Counters },
  keep: ReadonlyMap<number, number>,
): Sampling {
  const { pkt, counters } = core;
  const { packetFilter, onPacket } = sub;
  const limits = new Int32Array(0x10000).fill(BUCKETS);
  for (const [port, buckets] of keep) limits[port] = buckets;
  const dropped = new Float64Array(1);

  function kept(p: number): boolean {
    return Math.imul(pkt[p + Pkt.HASH], SPREAD) >>> BUCKET_SHIFT < limits[pkt[p + Pkt.LINK] >>> 16];
  }

  return {
    dropped: () => dropped[0] ?? 0,
    sub: {
      ...sub,
      packetFilter(p) {
        if (kept(p)) return packetFilter(p);
        dropped[0]++;
        // The caller counts it as filtered, which it is not.
        counters[Counter.FILTERED_OUT]--;
        return false;
      },
      ...(onPacket === undefined
        ? {}
        : {
            onPacket(p: number) {
              if ((pkt[p + Pkt.META] & Meta.L4) === 0 || kept(p)) onPacket(p);
            },
          }),
    },
  };
}

/** Bursts between two turns of the event loop. */
const ROUND = 4096;

/** The work of a sink core: takes packets and gives them back, until `poll` says that it is over. */
export async function sinkLoop(
  source: { poll(pkt: Int32Array, max: number): number },
  pkt: Int32Array,
  burst: number,
): Promise<void> {
  for (;;) {
    for (let i = 0; i < ROUND; i++) if (source.poll(pkt, burst) === END_OF_INPUT) return;
    await new Promise((resolve) => setImmediate(resolve));
  }
}
