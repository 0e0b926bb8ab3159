import {
  type ConnRecord,
  callback,
  type FiveTuple,
  type L4Pdu,
  on,
  type StartTime,
  type TlsHandshake,
} from 'iris-ts/runtime';
import { told } from './told.ts';

/** Everything about one TLS connection, by one instance. */
@callback
export class Video {
  readonly name: string;
  readonly from: number;
  bytes = 0;

  constructor(first: L4Pdu, ft: FiveTuple) {
    this.name = ft.toString();
    this.from = first.ts;
    told('made', ft, first.flags);
  }
  @on('L7EndHdrs') hello(tls: TlsHandshake): void {
    told('hello', this.nameOf(), tls.sni ?? '');
  }
  @on('InL4Stream') piece(pdu: L4Pdu, tls: TlsHandshake): boolean {
    this.bytes += pdu.length;
    told('piece', this.nameOf(), tls.version === undefined ? 0 : pdu.length);
    return true;
  }
  @on('L4Terminated') done(start: StartTime, conn: ConnRecord): void {
    told('done', this.nameOf(), start.time === this.from ? this.bytes : -1);
    told('packets', this.nameOf(), conn.packets[0] + conn.packets[1]);
  }
  private nameOf(): object {
    return { toString: () => this.name };
  }
}

let handshakes = 0;
export function countHandshake(tls: TlsHandshake, ft: FiveTuple): void {
  handshakes++;
  told('by function', ft, tls.sni ?? '');
}
export function countEstablished(ft: FiveTuple): void {
  told('established by function', ft, handshakes);
}
@callback
export class Handshakes {
  @on('L7EndHdrs') count(tls: TlsHandshake, ft: FiveTuple): void {
    told('by class', ft, tls.sni ?? '');
  }
  @on('L4EndHshk') established(ft: FiveTuple): void {
    told('established by class', ft);
  }
}

/** At the first packet and at every one. */
@callback
export class Packets {
  @on('L4FirstPacket') begin(pdu: L4Pdu, ft: FiveTuple): void {
    told('first', ft, pdu.flags);
  }
  @on('InL4Conn') packet(pdu: L4Pdu, ft: FiveTuple): void {
    told('each', ft, pdu.length);
  }
  @on('L4Terminated') end(conn: ConnRecord, ft: FiveTuple): void {
    told('counted', ft, conn.packets[0] + conn.packets[1]);
  }
}
export function firstOnly(pdu: L4Pdu, ft: FiveTuple): void {
  told('first by function', ft, pdu.flags);
}
