/**
 * From frames to packet rows. Hot: about 10 ns a packet of the plain kind.
 *
 * Plain Ethernet with IPv4 (no options, no fragment) or IPv6 (no extension header) over TCP or UDP takes the fast path
 * in this file; everything else goes through link.ts and network.ts. Big-endian fields are read with one DataView, and
 * lengths are checked before bytes are read: an out-of-bounds read would make its site slow for ever.
 */
import { Counter, type Counters, createCounters } from '../stats/counters.ts';
import { createChecksumVerifier } from './checksum.ts';
import { pktColumns } from './columns.ts';
import { type DecapConfig, decapsulates } from './decap-config.ts';
import { createEtherReader } from './ether.ts';
import type { FragmentTable } from './fragments.ts';
import { Burst, Hold, LinkType, Meta, type PacketMemory, Pkt } from './layout.ts';
import { createLinkReader } from './link.ts';
import { createAddressHash, createNetworkReader } from './network.ts';
import { ownerOf } from './owner.ts';
import { createFlowHash, createTransportReader, IpProto, type TransportReader } from './transport.ts';
import { createTunnelReader } from './tunnels.ts';
import { createWifiFragmentTable } from './wifi-fragments.ts';

export interface DecoderOptions {
  /** Secret of the run that seeds the hash; all workers of a run must use the same one. Default 0. */
  readonly seed?: number;
  /**
   * Cores that read the same packets each keep a part of them, by the five-tuple: number `index` of `count`. The rows of
   * the others are marked `Meta.FOREIGN`; nothing is counted of them. Every core puts all fragments together, so that
   * a datagram goes by its five-tuple, too.
   */
  readonly share?: Share;
  /** Where to count; own counters by default. */
  readonly counters?: Counters;
  /** Puts fragments together; without it fragments are counted and belong to no connection. */
  readonly fragments?: FragmentTable;
  /** Whether checksums are verified; false by default. */
  readonly verifyChecksums?: boolean;
  /** Tunnels to open; none by default. */
  readonly decap?: DecapConfig;
}

export interface Share {
  readonly index: number;
  readonly count: number;
  /** DPDK: what is another core's is marked for it in `Pkt.HOLD`, and what any core may need for all. */
  readonly handOff?: boolean;
  /** Rows whose META is not 0 came decoded (packet/passed-rows.ts), and are this core's. */
  readonly decoded?: boolean;
}

/** Never throws, whatever the bytes. */
export interface Decoder {
  /** Fills the decoder's words of rows 0..n-1. Of a frame that holds several packets the row gets the first. */
  (n: number): void;
  /** The first row from `from` on whose frame holds more packets (802.11 A-MSDU); {@link Burst.MAX} when there is none. */
  several(from: number): number;
  /** Puts the next packet of its frame into row `row`, in place of the one there. False when there is none. */
  next(row: number): boolean;
}

/** The first half-words of an Ethernet payload that the fast path takes: EtherType, then version and header length. */
const IPV4_PLAIN = 0x080045;
const IPV6_PLAIN = 0x86dd6;
/** The counters that decoding a row may raise: those before this one. */
const DECODER_COUNTERS = Counter.TRANSPORT_PACKETS as number;

export function createDecoder(memory: PacketMemory, pkt: Int32Array, options: DecoderOptions = {}): Decoder {
  const { view } = memory;
  const {
    pktOffset,
    pktCaplen,
    pktWirelen,
    pktSec,
    pktNsec,
    pktLink,
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
  const seed = (options.seed ?? 0) | 0;
  const counters = options.counters ?? createCounters();
  const addressHash = createAddressHash(memory, seed);
  const ether = createEtherReader(memory, pkt, counters);
  const { fragments } = options;
  const wifiFragments = fragments && createWifiFragmentTable(memory, pkt, counters, fragments.wifi);
  const link = createLinkReader(memory, pkt, ether, wifiFragments);
  /** By row, where the next packet of its frame begins; 0 where there is none. And how many rows have one. */
  const following = new Int32Array(Burst.MAX + 1);
  let aggregates = 0;
  const decap = options.decap !== undefined && decapsulates(options.decap) ? options.decap : undefined;
  const readTransport = transportReader();
  const readNetwork = createNetworkReader(memory, pkt, addressHash, readTransport, fragments, counters);

  function transportReader(): TransportReader {
    const plain = createTransportReader(memory, pkt, seed, counters);
    if (decap === undefined) return plain;
    // The IP layer inside a tunnel is that outside, which in turn comes back to the tunnels.
    const parts = { memory, pkt, counters, ether, link, readTransport: plain, readNetwork: inner };
    return createTunnelReader(parts, decap);
  }

  function inner(p: number, capEnd: number, wireEnd: number): void {
    readNetwork(p, capEnd, wireEnd);
  }

  /** The packet of row `p` at `at` of an aggregate, or that at its frame's beginning. */
  function slow(p: number, at = 0): void {
    for (let word = Pkt.L3; word < Pkt.TS; word++) pkt[p + word] = 0;
    const isIp = at === 0 ? link.frame(p) : link.subframe(p, at);
    const next = link.next();
    if (isIp) readIp(p);
    // An aggregate may be inside a tunnel, too.
    noteNext(p, next === 0 ? link.next() : next);
  }

  /** What is behind the link layer of row `p`. */
  function readIp(p: number): void {
    const assembled = link.assembledEnd();
    if (assembled !== 0) {
      readNetwork(p, assembled, assembled);
      return;
    }
    const frame = pkt[p + Pkt.OFFSET];
    const [capEnd, wireEnd] = [frame + pkt[p + Pkt.CAPLEN], frame + pkt[p + Pkt.WIRELEN]];
    const end = link.packetEnd() === 0 ? wireEnd : Math.min(wireEnd, link.packetEnd());
    readNetwork(p, Math.min(capEnd, end), end);
  }

  /** The next packet of the frame of row `p` is at `next`, if that is in the frame, and no datagram put together. */
  function noteNext(p: number, next: number): void {
    const frame = pkt[p + Pkt.OFFSET];
    if (next <= frame || next >= frame + pkt[p + Pkt.CAPLEN]) return;
    following[p >> Pkt.SHIFT] = next;
    aggregates++;
  }

  const hash = createFlowHash(seed);
  /** UDP may carry a tunnel, which is not plain. */
  const mayTunnel = decap !== undefined;

  /** True if the frame was of the plain kind and is done. */
  function fast(p: number): boolean {
    const length = pktCaplen[p];
    if ((pktLink[p] & 0xffff) !== LinkType.ETHERNET || length < 54) return false;
    const frame = pktOffset[p];
    const l3 = (frame + 14) | 0;
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
    } else if (kind >>> 12 === IPV6_PLAIN && length >= 74) {
      total = view.getUint16((frame + 18) | 0) + 40;
      bits = view.getUint8((frame + 20) | 0) | Meta.IP | Meta.IPV6;
      src = addressHash((frame + 22) | 0);
      dst = addressHash((frame + 38) | 0);
      l4 = (frame + 54) | 0;
    } else {
      return false;
    }
    // The frame is not cut before the transport header's end; a datagram longer than the wire is left to the slow path.
    if (total + 14 > pktWirelen[p]) return false;
    const rest = (l3 + total - l4) | 0;
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
    } else if ((bits & Meta.PROTO_MASK) !== IpProto.UDP || mayTunnel || view.getUint16((l4 + 4) | 0) !== rest) {
      return false;
    }
    const paylen = (rest - header) | 0;
    if (paylen < 0) return false;
    const ports = view.getInt32(l4);
    const payload = (l4 + header) | 0;
    // The lesser of what was captured and the length, at least 0; without branches, as cut packets come in no order.
    const lacking = (frame + length - payload - paylen) | 0;
    const captured = (paylen + (lacking & (lacking >> 31))) | 0;
    pktL3[p] = l3;
    pktL4[p] = l4;
    pktPayload[p] = payload;
    pktPaylen[p] = paylen;
    pktIplen[p] = total;
    pktSrc[p] = src;
    pktDst[p] = dst;
    pktPorts[p] = ports;
    pktMeta[p] = bits | Meta.L4;
    pktHash[p] = hash(src, dst, ports, bits);
    pktCappay[p] = captured & ~(captured >> 31);
    pktSeq[p] = seq;
    pktAck[p] = ack;
    pktEthertype[p] = (frame + 12) | 0;
    return true;
  }

  function readTime(p: number): void {
    pktTs[p >> 1] = (pktSec[p] >>> 0) + pktNsec[p] * 1e-9;
    pktGap[p] = 0;
  }

  const { index, count, handOff = false, decoded = false } = options.share ?? { index: 0, count: 1 };
  /** What the counters were before the row at hand. */
  const saved = new Float64Array(DECODER_COUNTERS);

  /** Reads row `p`, or the packet at `at` of its aggregate; only what is this core's is kept and counted. True if it is. */
  function readShare(p: number, at: number): boolean {
    const plain = at === 0 && fast(p);
    if (!plain) slow(p, at);
    const owner = ownerOf(pktHash[p], count);
    const foreign = owner !== index;
    // Of a datagram in pieces, or inside a tunnel, only the owner of the whole knows that it is.
    if (handOff && (!plain || mayTunnel)) pktHold[p] = Hold.FOR_ALL;
    else if (handOff && foreign) pktHold[p] = Hold.FOR_CORE - owner;
    // Of plain frames nothing is counted but their number.
    if (!plain) {
      for (let i = 0; i < DECODER_COUNTERS; i++) {
        if (foreign) counters[i] = saved[i];
        else saved[i] = counters[i];
      }
    }
    if (foreign) pktMeta[p] = Meta.FOREIGN;
    return !foreign;
  }

  function decodeShare(n: number): void {
    let own = 0;
    for (let i = 0; i < DECODER_COUNTERS; i++) saved[i] = counters[i];
    for (let p = 0, end = n << Pkt.SHIFT; p < end; p += Pkt.STRIDE) {
      if (decoded && pktMeta[p] !== 0) {
        own++;
        continue;
      }
      readTime(p);
      if (readShare(p, 0)) own++;
    }
    counters[Counter.FRAMES] += own;
  }

  function decode(n: number): void {
    fragments?.newBurst();
    wifiFragments?.newBurst();
    if (aggregates > 0) {
      aggregates = 0;
      following.fill(0);
    }
    if (count > 1) {
      decodeShare(n);
      return;
    }
    counters[Counter.FRAMES] += n;
    for (let p = 0, end = n << Pkt.SHIFT; p < end; p += Pkt.STRIDE) {
      readTime(p);
      if (!fast(p)) slow(p);
    }
  }

  const verify = options.verifyChecksums === true ? createChecksumVerifier(memory, pkt, counters) : undefined;

  function several(from: number): number {
    if (aggregates === 0) return Burst.MAX;
    let row = from;
    while (row < Burst.MAX && following[row] === 0) row++;
    return row;
  }

  function next(row: number): boolean {
    const at = following[row];
    if (at === 0) return false;
    following[row] = 0;
    aggregates--;
    const p = row << Pkt.SHIFT;
    readTime(p);
    counters[Counter.SUBFRAMES]++;
    if (count > 1) {
      for (let i = 0; i < DECODER_COUNTERS; i++) saved[i] = counters[i];
      saved[Counter.SUBFRAMES]--;
      readShare(p, at);
    } else {
      slow(p, at);
    }
    verify?.(row + 1, row);
    return true;
  }

  function decodeAndVerify(n: number): void {
    decode(n);
    verify?.(n);
  }

  return Object.assign(verify === undefined ? decode : decodeAndVerify, { several, next });
}
