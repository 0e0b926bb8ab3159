import { Accept, type bool, datatype, Drop, type FiveTuple, filter, type L4Pdu, on, type TlsHandshake, type u32 } from 'iris-ts/runtime';

let pieces = 0;
export function watch(pdu: L4Pdu, tls: TlsHandshake): boolean {
  pieces += tls.sni === undefined ? 0 : pdu.length;
  return pieces < 1_000_000;
}

export const isOdd = filter('L4FirstPacket', (ft: FiveTuple) => (ft.origPort % 2 === 1 ? Accept : Drop));

@datatype
export class PacketSizes {
  small: u32 = 0;
  large: u32 = 0;
  sawEmpty: bool = false;
  @on('InL4Conn') update(pdu: L4Pdu): void {
    if (pdu.length === 0) this.sawEmpty = true;
    if (pdu.length < 100) this.small++;
    else this.large++;
  }
}

@datatype({ expensive: true })
export class Notes {
  readonly list: string[] = [];
  @on('InL4Conn') update(pdu: L4Pdu): void {
    if (this.list.length < 3) this.list.push(`${pdu.length}`);
  }
}
