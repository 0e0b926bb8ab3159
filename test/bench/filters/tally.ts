import { datatype, type L4Pdu, on } from 'iris-ts/runtime';

/** What the floor counts, per direction, in numbers of the same sizes. */
@datatype
export class Tally {
  packets = new Uint32Array(2);
  bytes = new Float64Array(2);
  payload = new Uint32Array(2);

  @on('InL4Conn')
  update(pdu: L4Pdu): void {
    const dir = pdu.dir;
    this.packets[dir]++;
    this.bytes[dir] += pdu.ipLength;
    this.payload[dir] += pdu.payloadLength;
  }
}
