import { Accept, type ConnRecord, Continue, type FiveTuple, filter, type L4Pdu, on } from 'iris-ts/runtime';
import { told } from './told.ts';

export const LIMIT = 3000;

/** Accepts a connection once it has carried {@link LIMIT} bytes of payload, in either direction. */
@filter
export class Heavy {
  bytes = 0;
  @on('InL4Stream') piece(pdu: L4Pdu): boolean | typeof Continue {
    this.bytes += pdu.length;
    return this.bytes >= LIMIT ? Accept : Continue;
  }
}

export const anyPiece = (pdu: L4Pdu, ft: FiveTuple): void => told('any', ft, pdu.length);
export const heavyPiece = (pdu: L4Pdu, ft: FiveTuple): void => told('heavy', ft, pdu.length);
export const lightPiece = (pdu: L4Pdu, ft: FiveTuple): void => told('light', ft, pdu.length);
export const heavyPacket = (pdu: L4Pdu, ft: FiveTuple): void => told('packet', ft, pdu.length);
export const heavyEnd = (ft: FiveTuple, conn: ConnRecord): void => told('end', ft, conn.packets[0] + conn.packets[1]);
export const lightEnd = (ft: FiveTuple): void => told('light end', ft);
