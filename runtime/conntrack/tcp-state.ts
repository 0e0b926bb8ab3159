/**
 * What the tracker knows of a TCP connection's state: SYNs, the handshake, FINs and their acknowledgements, RST. Hot on
 * the first and last packets of a connection only; the tracker skips it in between.
 *
 * It is an observer's state, not an endpoint's: both ends' packets are taken at their word, in the order seen.
 */
import { pktColumns } from '../packet/columns.ts';
import { Meta, TcpFlag } from '../packet/layout.ts';
import { ConnMeta, EndReason, recColumns } from './layout.ts';

/** What a packet did to the state: an {@link EndReason}, or one of these. */
export const enum TcpEvent {
  NONE = 0,
  /** The three-way handshake is complete. */
  ESTABLISHED = 64,
}

export interface TcpState {
  /** Takes the packet of row `p` into record `c`. Returns an EndReason or TcpEvent; both at once are ORed. */
  update(c: number, p: number): number;
  /** Whether row `p`, a SYN without ACK, starts a new connection on the five-tuple of record `c`. */
  reuses(c: number, p: number): boolean;
}

const FINS = ConnMeta.FIN_ORIG | ConnMeta.FIN_RESP;
const FINACKS = ConnMeta.FINACK_ORIG | ConnMeta.FINACK_RESP;

/** `reuseAfter`: seconds of silence after which an open five-tuple can be taken over by a new SYN. */
export function createTcpState(
  { pkt, rec }: { pkt: Int32Array; rec: Int32Array },
  stride: number,
  reuseAfter: number,
): TcpState {
  const { pktAck, pktDir, pktMeta, pktPaylen, pktSeq, pktTs } = pktColumns(pkt);
  const { recIsnLow, recLast, recMeta, recOrigSeq, recRespSeq } = recColumns(rec, stride);

  function syn(c: number, p: number, meta: number): number {
    const seq = pktSeq[p];
    if (pktDir[p] === 0) {
      // A client that tries again before any answer may do so with another number; one whose SYN was overtaken by the answer
      // tells its number only now.
      const opened = ConnMeta.SYN | ConnMeta.SYNACK;
      if ((meta & opened) !== opened && (meta & ConnMeta.FIN_ORIG) === 0) {
        recOrigSeq[c] = (seq + 1) | 0;
        recIsnLow[c] = (seq << 16) | (recIsnLow[c] & 0xffff);
      }
      return meta | ConnMeta.SYN;
    }
    // The responder's SYN, with an ACK or, in a simultaneous open or split handshake (RFC 9293 section 3.5), without.
    if ((meta & (ConnMeta.ESTABLISHED | ConnMeta.FIN_RESP)) === 0) {
      recRespSeq[c] = (seq + 1) | 0;
      recIsnLow[c] = (recIsnLow[c] & -0x10000) | (seq & 0xffff);
    }
    return meta | ConnMeta.SYNACK;
  }

  function fin(c: number, p: number, meta: number, flags: number): number {
    const last = (pktSeq[p] + pktPaylen[p] + 1 + ((flags & TcpFlag.SYN) >>> 1)) | 0;
    if (pktDir[p] === 0) {
      if ((meta & ConnMeta.FIN_ORIG) === 0) recOrigSeq[c] = last;
      return meta | ConnMeta.FIN_ORIG;
    }
    if ((meta & ConnMeta.FIN_RESP) === 0) recRespSeq[c] = last;
    return meta | ConnMeta.FIN_RESP;
  }

  function ack(c: number, p: number, meta: number): number {
    const number = pktAck[p];
    if (pktDir[p] === 0) {
      const covered = ((number - recRespSeq[c]) | 0) >= 0;
      if (covered && (meta & ConnMeta.FIN_RESP) !== 0) meta |= ConnMeta.FINACK_RESP;
      const opening = ConnMeta.SYN | ConnMeta.SYNACK;
      if (covered && (meta & (opening | ConnMeta.FIN_RESP)) === opening) meta |= ConnMeta.ESTABLISHED;
    } else if ((meta & ConnMeta.FIN_ORIG) !== 0 && ((number - recOrigSeq[c]) | 0) >= 0) {
      meta |= ConnMeta.FINACK_ORIG;
    }
    return meta;
  }

  return {
    update(c, p) {
      const before = recMeta[c];
      const flags = pktMeta[p] >>> Meta.TCP_FLAGS_SHIFT;
      let meta = before;
      if ((flags & TcpFlag.RST) !== 0) {
        recMeta[c] = meta | ConnMeta.RST;
        return EndReason.RST;
      }
      if ((flags & TcpFlag.SYN) !== 0) meta = syn(c, p, meta);
      if ((flags & TcpFlag.FIN) !== 0) meta = fin(c, p, meta, flags);
      if ((flags & TcpFlag.ACK) !== 0) meta = ack(c, p, meta);
      if (meta === before) return TcpEvent.NONE;
      recMeta[c] = meta;
      const event = (meta & ~before & ConnMeta.ESTABLISHED) !== 0 ? TcpEvent.ESTABLISHED : TcpEvent.NONE;
      return (meta & FINACKS) === FINACKS ? event | EndReason.FIN : event;
    },

    reuses(c, p) {
      const meta = recMeta[c];
      const fromOrig = pktDir[p] === 0;
      const ended = ((meta >>> ConnMeta.END_SHIFT) & ConnMeta.END_MASK) !== 0;
      const closed = ended || (meta & FINS) === FINS || (meta & ConnMeta.RST) !== 0;
      if (!closed && pktTs[p >> 1] - recLast[c >> 1] <= reuseAfter) return false;
      // A refused client may try again with the number it had.
      if ((meta & (ConnMeta.RST | ConnMeta.SYNACK)) === ConnMeta.RST) return true;
      // The same number again is a retransmission, or a copy that came late.
      const seq = pktSeq[p];
      if ((meta & (fromOrig ? ConnMeta.SYN : ConnMeta.SYNACK)) === 0) return true;
      if ((meta & (fromOrig ? ConnMeta.FIN_ORIG : ConnMeta.FIN_RESP)) === 0) {
        return (fromOrig ? recOrigSeq[c] : recRespSeq[c]) !== ((seq + 1) | 0);
      }
      // Behind a FIN only half of the number is left to compare.
      const low = recIsnLow[c];
      return (fromOrig ? low >>> 16 : low & 0xffff) !== (seq & 0xffff);
    },
  };
}
