import type { L4Pdu } from '../conntrack/l4-pdu.ts';
import { datatype, on } from '../subscription/decorators.ts';

/** Times kept per direction; of more only the number is known. */
const MOST = 65_536;

/**
 * The times between one packet and the next of the same direction, in order of arrival: seconds, exact to a microsecond,
 * negative where the clock of the capture went back. The first 65,536 of each direction are kept.
 */
@datatype({ expensive: true })
export class InterArrivals {
  /** Between packets of the originator. */
  readonly orig: number[] = [];
  /** Between packets of the responder. */
  readonly resp: number[] = [];
  /** Times that are in neither list because it was full. */
  omitted = 0;
  /** Time of the latest packet of each direction, seconds since 1970; 0 before the first. */
  readonly last = [0, 0];

  @on('InL4Conn')
  update(pdu: L4Pdu): void {
    const last = this.last[pdu.dir];
    this.last[pdu.dir] = pdu.ts;
    if (last === 0) return;
    const times = pdu.fromOrig ? this.orig : this.resp;
    if (times.length < MOST) times.push(Math.round((pdu.ts - last) * 1e6) / 1e6);
    else this.omitted++;
  }

  toJSON(): { readonly orig: readonly number[]; readonly resp: readonly number[]; readonly omitted?: number } {
    const { orig, resp, omitted } = this;
    return omitted === 0 ? { orig, resp } : { orig, resp, omitted };
  }
}
