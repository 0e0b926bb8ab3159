import type { L4Pdu } from '../conntrack/l4-pdu.ts';
import { datatype, on } from '../subscription/decorators.ts';

const SYN = 2;
const ACK = 16;

/** {@link HandshakeRtt} as JSON: seconds; null where the handshake was not seen. */
export interface HandshakeRttJson {
  readonly to_resp: number | null;
  readonly to_orig: number | null;
  readonly total: number | null;
}

/**
 * Round-trip times of the TCP handshake, measured where the packets were captured: to the responder and back, from SYN to
 * SYN-ACK, and to the originator and back, from SYN-ACK to ACK. Of a SYN that was sent again the latest before the SYN-ACK
 * counts, of SYN-ACKs the first. Seconds, exact to a microsecond; undefined where the three were not seen in order.
 */
@datatype({ at: 'L4EndHshk' })
export class HandshakeRtt {
  /** Times of the three packets, seconds since 1970; 0 for one that was not seen. */
  synTime = 0;
  synAckTime = 0;
  ackTime = 0;

  @on('InL4Conn')
  packet(pdu: L4Pdu): void {
    if (this.synAckTime === 0) {
      const flags = pdu.flags & (SYN | ACK);
      if (flags === SYN) this.synTime = pdu.ts;
      else if (flags === (SYN | ACK)) this.synAckTime = pdu.ts;
    }
  }
  @on('L4EndHshk')
  end(pdu: L4Pdu): void {
    this.ackTime = pdu.ts;
  }

  /** From SYN to SYN-ACK. */
  get toResp(): number | undefined {
    return this.ackTime === 0 ? undefined : between(this.synTime, this.synAckTime);
  }
  /** From SYN-ACK to ACK. */
  get toOrig(): number | undefined {
    return this.ackTime === 0 ? undefined : between(this.synAckTime, this.ackTime);
  }
  /** From SYN to ACK. */
  get total(): number | undefined {
    return this.ackTime === 0 ? undefined : between(this.synTime, this.ackTime);
  }
  toJSON(): HandshakeRttJson {
    return { to_resp: this.toResp ?? null, to_orig: this.toOrig ?? null, total: this.total ?? null };
  }
}

function between(first: number, second: number): number {
  return Math.round((second - first) * 1e6) / 1e6;
}
