/**
 * Columns: the words of rows, each as an array of its own over the same memory. Word `w` of the row that begins at `p`
 * is `rows[p + w]`, and as a column `col[p]`.
 *
 * Hot code reads rows through columns. All columns of an array have one length, so that the engine proves once per
 * function that `p` is inside and then needs one instruction a word; `rows[p + w]` costs an addition with an overflow
 * check and a bounds check of its own every time.
 */
import { Pkt } from './layout.ts';

/**
 * Word `word` of every row of `rows`, whose rows are `stride` words long. Element `p` is `rows[p + word]`, `p + i` is
 * `rows[p + word + i]`. The last `stride - 1` words of `rows` are out of reach of `p`, where no row begins.
 */
export function column(rows: Int32Array, word: number, stride: number): Int32Array {
  return new Int32Array(rows.buffer, rows.byteOffset + word * 4, rows.length - stride + 1);
}

/** As {@link column}, of float64: element `p >> 1` is the number at the even word `word` of row `p`. */
export function columnF(rows: Int32Array, word: number, stride: number): Float64Array {
  return new Float64Array(rows.buffer, rows.byteOffset + word * 4, (rows.length - stride + 2) >> 1);
}

/** The columns of packet rows, one for each word of {@link Pkt} that hot code reads or writes. */
export type PktColumns = ReturnType<typeof pktColumns>;

/** The columns of `pkt`; `pktTs` holds float64 and has the index `p >> 1`. */
export function pktColumns(pkt: Int32Array) {
  const word = (w: number) => column(pkt, w, Pkt.STRIDE);
  return {
    pktOffset: word(Pkt.OFFSET),
    pktCaplen: word(Pkt.CAPLEN),
    pktWirelen: word(Pkt.WIRELEN),
    pktSec: word(Pkt.SEC),
    pktNsec: word(Pkt.NSEC),
    pktLink: word(Pkt.LINK),
    pktRss: word(Pkt.RSS),
    pktHold: word(Pkt.HOLD),
    pktL3: word(Pkt.L3),
    pktL4: word(Pkt.L4),
    pktPayload: word(Pkt.PAYLOAD),
    pktPaylen: word(Pkt.PAYLEN),
    pktIplen: word(Pkt.IPLEN),
    pktSrc: word(Pkt.SRC),
    pktDst: word(Pkt.DST),
    pktPorts: word(Pkt.PORTS),
    pktMeta: word(Pkt.META),
    pktHash: word(Pkt.HASH),
    pktCappay: word(Pkt.CAPPAY),
    pktSeq: word(Pkt.SEQ),
    pktAck: word(Pkt.ACK),
    pktEthertype: word(Pkt.ETHERTYPE),
    pktTs: columnF(pkt, Pkt.TS, Pkt.STRIDE),
    pktDir: word(Pkt.DIR),
    pktConn: word(Pkt.CONN),
    pktGap: word(Pkt.GAP),
  } as const;
}
