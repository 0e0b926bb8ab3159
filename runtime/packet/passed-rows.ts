/**
 * What the core that read a packet tells the core that it is for: all that decoding it gave, in one cache line, so that its
 * owner need not read the packet's headers. Hot.
 *
 * Only what the decoder takes the short way is told: whole TCP and UDP headers right behind Ethernet and IP without options.
 * Of any other frame just what the source knows is passed on, to every core.
 */
import { column, pktColumns } from './columns.ts';
import { Burst, LinkType, Meta, type PacketMemory, Pkt } from './layout.ts';
import { createAddressHash } from './network.ts';
import { ownerOf } from './owner.ts';
import { createFlowHash, IpProto } from './transport.ts';

/** Words of a row that is passed on; named as those of {@link Pkt}. */
export const enum Passed {
  OFFSET = 0,
  CAPLEN = 1,
  WIRELEN = 2,
  SEC = 3,
  NSEC = 4,
  /** The packet's number, as the source counts. */
  NUMBER = 5,
  PAYLOAD = 6,
  PAYLEN = 7,
  IPLEN = 8,
  SRC = 9,
  DST = 10,
  PORTS = 11,
  /** 0: not decoded, the words before and behind mean nothing but for those that a source fills. */
  META = 12,
  HASH = 13,
  SEQ = 14,
  ACK = 15,
  WORDS = 16,
}

export interface PassedOptions {
  /** Secret of the run that seeds the hash. */
  readonly seed: number;
  readonly cores: number;
  /** Whether tunnels are opened: then what UDP carries may be another's. */
  readonly tunnels: boolean;
  /** Link type of all frames. */
  readonly link: number;
}

/** The first half-words of an Ethernet payload that can be told: EtherType, then version and header length. */
const IPV4_PLAIN = 0x080045;
const IPV6_PLAIN = 0x86dd6;

function passedColumns(rows: Int32Array) {
  const word = (w: number) => column(rows, w, Passed.WORDS);
  return {
    rowOffset: word(Passed.OFFSET),
    rowCaplen: word(Passed.CAPLEN),
    rowWirelen: word(Passed.WIRELEN),
    rowSec: word(Passed.SEC),
    rowNsec: word(Passed.NSEC),
    rowNumber: word(Passed.NUMBER),
    rowPayload: word(Passed.PAYLOAD),
    rowPaylen: word(Passed.PAYLEN),
    rowIplen: word(Passed.IPLEN),
    rowSrc: word(Passed.SRC),
    rowDst: word(Passed.DST),
    rowPorts: word(Passed.PORTS),
    rowMeta: word(Passed.META),
    rowHash: word(Passed.HASH),
    rowSeq: word(Passed.SEQ),
    rowAck: word(Passed.ACK),
  } as const;
}

/** Passes frame `number` on: where it is, its lengths captured and on the wire, its time. */
export type PassOn = (
  offset: number,
  caplen: number,
  wirelen: number,
  sec: number,
  nsec: number,
  number: number,
) => void;

/** Writes rows to `rows`, for core `i` at `next[i]` on, which is moved behind them. */
export function createPassOn(memory: PacketMemory, rows: Int32Array, next: Int32Array, options: PassedOptions): PassOn {
  const { view } = memory;
  const { seed, cores, tunnels, link } = options;
  const hash = createFlowHash(seed | 0);
  const addressHash = createAddressHash(memory, seed | 0);
  const {
    rowOffset,
    rowCaplen,
    rowWirelen,
    rowSec,
    rowNsec,
    rowNumber,
    rowPayload,
    rowPaylen,
    rowIplen,
    rowSrc,
    rowDst,
    rowPorts,
    rowMeta,
    rowHash,
    rowSeq,
    rowAck,
  } = passedColumns(rows);
  const ethernet = (link & 0xffff) === LinkType.ETHERNET;

  /** True if the frame was of the plain kind and is passed on. */
  function plain(frame: number, caplen: number, wirelen: number, sec: number, nsec: number, number: number): boolean {
    if (!ethernet || caplen < 54) return false;
    const kind = view.getInt32((frame + 12) | 0);
    let bits: number;
    let total: number;
    let l4: number;
    let src: number;
    let dst: number;
    if (kind >>> 8 === IPV4_PLAIN) {
      total = view.getUint16((frame + 16) | 0);
      const field = view.getInt32((frame + 20) | 0);
      if ((field & 0x3fff0000) !== 0) return false;
      bits = (field & 0xff) | Meta.IP;
      src = view.getInt32((frame + 26) | 0);
      dst = view.getInt32((frame + 30) | 0);
      l4 = (frame + 34) | 0;
    } else if (kind >>> 12 === IPV6_PLAIN && caplen >= 74) {
      total = view.getUint16((frame + 18) | 0) + 40;
      bits = view.getUint8((frame + 20) | 0) | Meta.IP | Meta.IPV6;
      src = addressHash((frame + 22) | 0);
      dst = addressHash((frame + 38) | 0);
      l4 = (frame + 54) | 0;
    } else {
      return false;
    }
    if (total + 14 > wirelen) return false;
    const rest = (frame + 14 + total - l4) | 0;
    let header = 8;
    let seq = 0;
    let ack = 0;
    if ((bits & Meta.PROTO_MASK) === IpProto.TCP) {
      const control = view.getUint16((l4 + 12) | 0);
      header = (control >>> 12) << 2;
      if (header < 20) return false;
      seq = view.getInt32((l4 + 4) | 0);
      ack = view.getInt32((l4 + 8) | 0);
      bits |= (control & 0x1ff) << Meta.TCP_FLAGS_SHIFT;
    } else if ((bits & Meta.PROTO_MASK) !== IpProto.UDP || tunnels || view.getUint16((l4 + 4) | 0) !== rest) {
      return false;
    }
    const paylen = (rest - header) | 0;
    if (paylen < 0) return false;
    const ports = view.getInt32(l4);
    const flow = hash(src, dst, ports, bits);
    const owner = ownerOf(flow, cores);
    const to = next[owner];
    next[owner] = to + Passed.WORDS;
    rowOffset[to] = frame;
    rowCaplen[to] = caplen;
    rowWirelen[to] = wirelen;
    rowSec[to] = sec;
    rowNsec[to] = nsec;
    rowNumber[to] = number;
    rowPayload[to] = (l4 + header) | 0;
    rowPaylen[to] = paylen;
    rowIplen[to] = total;
    rowSrc[to] = src;
    rowDst[to] = dst;
    rowPorts[to] = ports;
    rowMeta[to] = bits | Meta.L4;
    rowHash[to] = flow;
    rowSeq[to] = seq;
    rowAck[to] = ack;
    return true;
  }

  function toAll(offset: number, caplen: number, wirelen: number, sec: number, nsec: number, number: number): void {
    for (let i = 0; i < cores; i++) {
      const to = next[i];
      next[i] = to + Passed.WORDS;
      rowOffset[to] = offset;
      rowCaplen[to] = caplen;
      rowWirelen[to] = wirelen;
      rowSec[to] = sec;
      rowNsec[to] = nsec;
      rowNumber[to] = number;
      rowMeta[to] = 0;
    }
  }

  return (offset, caplen, wirelen, sec, nsec, number) => {
    if (!plain(offset, caplen, wirelen, sec, nsec, number)) toAll(offset, caplen, wirelen, sec, nsec, number);
  };
}

/**
 * Takes the rows from `at` to `end`, at most `max` and none whose number is `until` or more, to rows 0 and following of a
 * burst. Returns how many.
 */
export type TakePassed = (at: number, end: number, max: number, until: number) => number;

/** From `rows` to `pkt`; the packets' numbers go to `numbers`. */
export function createTakePassed(rows: Int32Array, pkt: Int32Array, numbers: Int32Array, link: number): TakePassed {
  const {
    rowOffset,
    rowCaplen,
    rowWirelen,
    rowSec,
    rowNsec,
    rowNumber,
    rowPayload,
    rowPaylen,
    rowIplen,
    rowSrc,
    rowDst,
    rowPorts,
    rowMeta,
    rowHash,
    rowSeq,
    rowAck,
  } = passedColumns(rows);
  const {
    pktOffset,
    pktCaplen,
    pktWirelen,
    pktSec,
    pktNsec,
    pktLink,
    pktRss,
    pktHold,
    pktL3,
    pktL4,
    pktPayload,
    pktPaylen,
    pktIplen,
    pktSrc,
    pktDst,
    pktPorts,
    pktMeta,
    pktHash,
    pktCappay,
    pktSeq,
    pktAck,
    pktEthertype,
    pktGap,
    pktTs,
  } = pktColumns(pkt);

  // Nobody changes these words of a capture's rows.
  for (let p = 0; p < Burst.MAX << Pkt.SHIFT; p += Pkt.STRIDE) {
    pktLink[p] = link;
    pktRss[p] = 0;
    pktHold[p] = 0;
  }

  return (start, end, max, until) => {
    let at = start;
    let n = 0;
    for (let p = 0; n < max && at < end; p += Pkt.STRIDE, at += Passed.WORDS) {
      const number = rowNumber[at];
      if (number >= until) break;
      const offset = rowOffset[at];
      const caplen = rowCaplen[at];
      const sec = rowSec[at];
      const nsec = rowNsec[at];
      const meta = rowMeta[at];
      const payload = rowPayload[at];
      const paylen = rowPaylen[at];
      pktOffset[p] = offset;
      pktCaplen[p] = caplen;
      pktWirelen[p] = rowWirelen[at];
      pktSec[p] = sec;
      pktNsec[p] = nsec;
      pktL3[p] = (offset + 14) | 0;
      pktL4[p] = (offset + 34 + ((meta & Meta.IPV6) >> 8) * 20) | 0;
      pktPayload[p] = payload;
      pktPaylen[p] = paylen;
      pktIplen[p] = rowIplen[at];
      pktSrc[p] = rowSrc[at];
      pktDst[p] = rowDst[at];
      pktPorts[p] = rowPorts[at];
      pktMeta[p] = meta;
      pktHash[p] = rowHash[at];
      const lacking = (offset + caplen - payload - paylen) | 0;
      const captured = (paylen + (lacking & (lacking >> 31))) | 0;
      pktCappay[p] = captured & ~(captured >> 31);
      pktSeq[p] = rowSeq[at];
      pktAck[p] = rowAck[at];
      pktEthertype[p] = (offset + 12) | 0;
      pktTs[p >> 1] = (sec >>> 0) + nsec * 1e-9;
      pktGap[p] = 0;
      numbers[n++] = number;
    }
    return n;
  };
}
