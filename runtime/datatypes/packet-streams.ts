/** The packets of a connection, kept for its end: in the order of their arrival, retransmissions included. */
import type { L4Pdu } from '../conntrack/l4-pdu.ts';
import { datatype, on } from '../subscription/decorators.ts';

/** Bytes of frames kept per connection; of more packets only the number is known. */
const MOST_BYTES = 16 << 20;

interface PacketList {
  readonly packets: L4Pdu[];
  bytes: number;
  omitted: number;
}

function keepPacket(list: PacketList, pdu: L4Pdu): void {
  if (list.bytes >= MOST_BYTES) {
    list.omitted++;
    return;
  }
  const packet = pdu.copy();
  list.bytes += packet.frame.length;
  list.packets.push(packet);
}

/** All packets of a connection, up to 16 MiB. As JSON: the list of its packets. */
@datatype({ expensive: true })
export class BidirPktStream {
  /** Copies, to keep. */
  readonly packets: L4Pdu[] = [];
  /** Captured bytes of their frames. */
  bytes = 0;
  /** Packets that are not in the list because it was full. */
  omitted = 0;

  @on('InL4Conn')
  update(pdu: L4Pdu): void {
    keepPacket(this, pdu);
  }
  toJSON(): readonly L4Pdu[] {
    return this.packets;
  }
}

/** The packets that the originator of a connection sent, up to 16 MiB. As JSON: the list of its packets. */
@datatype({ expensive: true })
export class OrigPktStream {
  /** Copies, to keep. */
  readonly packets: L4Pdu[] = [];
  /** Captured bytes of their frames. */
  bytes = 0;
  /** Packets that are not in the list because it was full. */
  omitted = 0;

  @on('InL4Conn')
  update(pdu: L4Pdu): void {
    if (pdu.fromOrig) keepPacket(this, pdu);
  }
  toJSON(): readonly L4Pdu[] {
    return this.packets;
  }
}

/** The packets that the responder of a connection sent, up to 16 MiB. As JSON: the list of its packets. */
@datatype({ expensive: true })
export class RespPktStream {
  /** Copies, to keep. */
  readonly packets: L4Pdu[] = [];
  /** Captured bytes of their frames. */
  bytes = 0;
  /** Packets that are not in the list because it was full. */
  omitted = 0;

  @on('InL4Conn')
  update(pdu: L4Pdu): void {
    if (!pdu.fromOrig) keepPacket(this, pdu);
  }
  toJSON(): readonly L4Pdu[] {
    return this.packets;
  }
}
