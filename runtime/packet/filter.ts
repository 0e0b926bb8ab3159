/** The packet filter over a burst: which rows go on to the tracker. Hot. */
import { Clock } from '../clock.ts';
import { Counter, type Counters } from '../stats/counters.ts';
import type { Core, Subscription } from '../subscription/contract.ts';
import { pktColumns } from './columns.ts';
import { Meta, Pkt } from './layout.ts';

/** Looks at rows `from` (0) to `to` - 1, puts those to be tracked into `rows`, and returns how many. */
export type BurstFilter = (to: number, from?: number) => number;

/** Every frame goes to `sub.onPacket`, if there is one; TCP and UDP packets that the packet filter lets in, to `rows`. */
export function createBurstFilter(core: Core, sub: Subscription, rows: Int32Array, counters: Counters): BurstFilter {
  const { clock } = core;
  const { pktConn, pktDir, pktMeta, pktNsec, pktSec } = pktColumns(core.pkt);
  const { packetFilter, onPacket } = sub;

  function frames(from: number, to: number): void {
    if (onPacket === undefined) return;
    for (let p = from << Pkt.SHIFT, end = to << Pkt.SHIFT; p < end; p += Pkt.STRIDE) {
      if (pktMeta[p] === Meta.FOREIGN) continue;
      clock[Clock.SEC] = pktSec[p];
      clock[Clock.NSEC] = pktNsec[p];
      clock[Clock.ROW] = p;
      pktDir[p] = 0;
      pktConn[p] = 0;
      onPacket(p);
    }
  }

  return (to, from = 0) => {
    if (onPacket !== undefined) frames(from, to);
    let transport = 0;
    let wanted = 0;
    for (let p = from << Pkt.SHIFT, end = to << Pkt.SHIFT; p < end; p += Pkt.STRIDE) {
      if ((pktMeta[p] & Meta.L4) === 0) continue;
      transport++;
      if (packetFilter(p)) rows[wanted++] = p;
    }
    counters[Counter.TRANSPORT_PACKETS] += transport;
    counters[Counter.FILTERED_OUT] += transport - wanted;
    return wanted;
  };
}
