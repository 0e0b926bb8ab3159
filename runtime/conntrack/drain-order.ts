/** The order in which connections end with the run: that of their last packets, whatever the number of cores. */
import { microseconds } from '../clock.ts';
import { ConnMeta, type RecColumns } from './layout.ts';

/**
 * The `n` records that live, of those from `stride` to `end`, by the time of their last packet. Time and place in one
 * double sort fastest.
 */
export function byLastPacket({ recMeta, recLast }: RecColumns, stride: number, end: number, n: number): Int32Array {
  const live = new Int32Array(n);
  const keys = new Float64Array(n);
  let first = Number.POSITIVE_INFINITY;
  for (let c = stride, i = 0; c < end; c += stride) {
    if ((recMeta[c] & (ConnMeta.USED | ConnMeta.ENDED)) !== ConnMeta.USED) continue;
    live[i] = c;
    keys[i] = microseconds(recLast[c >> 1]);
    first = Math.min(first, keys[i++]);
  }
  // Timeouts of up to an hour and a million live records fit; beyond, the slow way.
  const span = keys.reduce((most, key) => Math.max(most, key), 0) - first + 1;
  if (span * n > Number.MAX_SAFE_INTEGER) return live.sort((a, b) => recLast[a >> 1] - recLast[b >> 1]);
  for (let i = 0; i < n; i++) keys[i] = (keys[i] - first) * n + i;
  keys.sort();
  return Int32Array.from(keys, (key) => live[key % n]);
}
