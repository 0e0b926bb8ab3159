import type { L4Pdu } from '../conntrack/l4-pdu.ts';
import { datatype, on, type u32 } from '../subscription/decorators.ts';

/** Packets of a connection, by who sent them. */
@datatype
export class PktCount {
  /** From the originator. */
  orig: u32 = 0;
  /** From the responder. */
  resp: u32 = 0;

  @on('InL4Conn')
  update(pdu: L4Pdu): void {
    if (pdu.fromOrig) this.orig++;
    else this.resp++;
  }

  /** Both together. */
  get total(): number {
    return this.orig + this.resp;
  }
  toJSON(): { readonly orig: number; readonly resp: number } {
    return { orig: this.orig, resp: this.resp };
  }
}
