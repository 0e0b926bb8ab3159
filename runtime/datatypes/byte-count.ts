import type { L4Pdu } from '../conntrack/l4-pdu.ts';
import { datatype, type f64, on } from '../subscription/decorators.ts';

/** Payload bytes of a connection, by who sent them: what the TCP or UDP headers say, each retransmission counted again. */
@datatype
export class ByteCount {
  /** From the originator. */
  orig: f64 = 0;
  /** From the responder. */
  resp: f64 = 0;

  @on('InL4Conn')
  update(pdu: L4Pdu): void {
    if (pdu.fromOrig) this.orig += pdu.length;
    else this.resp += pdu.length;
  }

  /** Both together. */
  get total(): number {
    return this.orig + this.resp;
  }
  toJSON(): { readonly orig: number; readonly resp: number } {
    return { orig: this.orig, resp: this.resp };
  }
}
