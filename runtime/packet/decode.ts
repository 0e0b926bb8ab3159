/**
 * From frames to packet rows. Hot: about 15-20 ns a packet.
 *
 * Plain Ethernet with IPv4 (no options, no fragment) or IPv6 (no extension header) over TCP or UDP takes the fast path
 * in this file; everything else goes through link.ts and network.ts. Big-endian fields are read with one DataView, and
 * lengths are checked before bytes are read: an out-of-bounds read would make its site slow for ever.
 */
import { Counter, type Counters, createCounters } from '../stats/counters.ts';
import { createChecksumVerifier } from './checksum.ts';
import { type DecapConfig, decapsulates } from './decap-config.ts';
import type { FragmentTable } from './fragments.ts';
import { Hold, LinkType, Meta, type PacketMemory, Pkt } from './layout.ts';
import { createLinkReader } from './link.ts';
import { createAddressHash, createNetworkReader } from './network.ts';
import { createFlowHash, createTransportReader, IpProto, type TransportReader } from './transport.ts';
import { createTunnelReader } from './tunnels.ts';

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
}

/** Fills the decoder's words of rows 0..n-1. Never throws, whatever the bytes. */
export type Decoder = (n: number) => void;

/** The first half-words of an Ethernet payload that the fast path takes: EtherType, then version and header length. */
const IPV4_PLAIN = 0x080045;
const IPV6_PLAIN = 0x86dd6;
/** The counters that decoding a row may raise: those before this one. */
const DECODER_COUNTERS = Counter.TRANSPORT_PACKETS as number;

export function createDecoder(
  memory: PacketMemory,
  pkt: Int32Array,
  pktF: Float64Array,
  options: DecoderOptions = {},
): Decoder {
  const { view } = memory;
  const seed = (options.seed ?? 0) | 0;
  const counters = options.counters ?? createCounters();
  const addressHash = createAddressHash(memory, seed);
  const link = createLinkReader(memory, pkt, counters);
  const decap = options.decap !== undefined && decapsulates(options.decap) ? options.decap : undefined;
  const readTransport = transportReader();
  const readNetwork = createNetworkReader(memory, pkt, addressHash, readTransport, options.fragments, counters);

  function transportReader(): TransportReader {
    const plain = createTransportReader(memory, pkt, seed, counters);
    if (decap === undefined) return plain;
    // The IP layer inside a tunnel is that outside, which in turn comes back to the tunnels.
    const parts = { memory, pkt, counters, link, readTransport: plain, readNetwork: inner };
    return createTunnelReader(parts, decap);
  }

  function inner(p: number, capEnd: number, wireEnd: number): void {
    readNetwork(p, capEnd, wireEnd);
  }

  function slow(p: number): void {
    for (let word = Pkt.L3; word < Pkt.TS; word++) pkt[p + word] = 0;
    if (!link.frame(p)) return;
    const frame = pkt[p + Pkt.OFFSET];
    readNetwork(p, frame + pkt[p + Pkt.CAPLEN], frame + pkt[p + Pkt.WIRELEN]);
  }

  /** True if the frame was of the plain kind and is done. */
  function fast(p: number): boolean {
    const length = pkt[p + Pkt.CAPLEN];
    if ((pkt[p + Pkt.LINK] & 0xffff) !== LinkType.ETHERNET || length < 42) return false;
    const frame = pkt[p + Pkt.OFFSET];
    const l3 = frame + 14;
    const kind = view.getInt32(frame + 12);
    if (kind >>> 8 === IPV4_PLAIN) {
      const total = view.getUint16(l3 + 2);
      const proto = view.getUint8(l3 + 9);
      if (total < 28 || (view.getUint16(l3 + 6) & 0x3fff) !== 0 || (proto !== IpProto.TCP && proto !== IpProto.UDP)) {
        return false;
      }
      const malformed = total + 14 > pkt[p + Pkt.WIRELEN] ? Meta.MALFORMED : 0;
      pkt[p + Pkt.L3] = l3;
      pkt[p + Pkt.IPLEN] = total;
      pkt[p + Pkt.SRC] = view.getInt32(l3 + 12);
      pkt[p + Pkt.DST] = view.getInt32(l3 + 16);
      pkt[p + Pkt.ETHERTYPE] = frame + 12;
      const ipEnd = malformed === 0 ? l3 + total : frame + pkt[p + Pkt.WIRELEN];
      readTransport(p, proto | Meta.IP | malformed, l3 + 20, ipEnd, frame + length);
      return true;
    }
    if (kind >>> 12 === IPV6_PLAIN && length >= 62) {
      const payload = view.getUint16(l3 + 4);
      const proto = view.getUint8(l3 + 6);
      if (payload < 8 || (proto !== IpProto.TCP && proto !== IpProto.UDP)) return false;
      const malformed = payload + 54 > pkt[p + Pkt.WIRELEN] ? Meta.MALFORMED : 0;
      pkt[p + Pkt.L3] = l3;
      pkt[p + Pkt.IPLEN] = payload + 40;
      pkt[p + Pkt.SRC] = addressHash(l3 + 8);
      pkt[p + Pkt.DST] = addressHash(l3 + 24);
      pkt[p + Pkt.ETHERTYPE] = frame + 12;
      const ipEnd = malformed === 0 ? l3 + 40 + payload : frame + pkt[p + Pkt.WIRELEN];
      readTransport(p, proto | Meta.IP | Meta.IPV6 | malformed, l3 + 40, ipEnd, frame + length);
      return true;
    }
    return false;
  }

  const { fragments } = options;

  function readTime(p: number): void {
    pktF[(p + Pkt.TS) >> 1] = (pkt[p + Pkt.SEC] >>> 0) + pkt[p + Pkt.NSEC] * 1e-9;
    pkt[p + Pkt.GAP] = 0;
  }

  const { index, count, handOff = false } = options.share ?? { index: 0, count: 1 };
  /** What the counters were before the row at hand. */
  const saved = new Float64Array(DECODER_COUNTERS);

  const flowHash = count > 1 ? createFlowHash(seed) : undefined;

  /** Whose a hash is. Its upper half decides: the lower bits choose the slot in the connection table. */
  function ownerOf(hash: number): number {
    return Math.imul(hash >>> 16, count) >>> 16;
  }

  /** True if the frame is of the plain kind, whole, and another core's for sure: then nothing else is read of it. */
  function skip(p: number): boolean {
    const length = pkt[p + Pkt.CAPLEN];
    if (flowHash === undefined || (pkt[p + Pkt.LINK] & 0xffff) !== LinkType.ETHERNET || length < 54) return false;
    const frame = pkt[p + Pkt.OFFSET];
    if (view.getInt32(frame + 12) >>> 8 !== IPV4_PLAIN) return false;
    const end = Math.min(view.getUint16(frame + 16), length - 14);
    const proto = view.getUint8(frame + 23);
    if ((view.getUint16(frame + 20) & 0x3fff) !== 0 || end < 40) return false;
    // A header that is not whole has no ports, and another hash.
    if (proto === IpProto.TCP) {
      const header = view.getUint8(frame + 46) >>> 4;
      if (header < 5 || view.getUint16(frame + 16) < 20 + (header << 2)) return false;
    } else if (proto !== IpProto.UDP || view.getUint16(frame + 38) < 8) {
      return false;
    }
    const ports = view.getInt32(frame + 34);
    const owner = ownerOf(flowHash(view.getInt32(frame + 26), view.getInt32(frame + 30), ports, proto));
    if (owner === index) return false;
    pkt[p + Pkt.META] = Meta.FOREIGN;
    if (handOff) pkt[p + Pkt.HOLD] = Hold.FOR_CORE - owner;
    return true;
  }

  /** As `decode`, and only what is this core's is kept and counted. */
  function decodeShare(n: number): void {
    let own = 0;
    for (let i = 0; i < DECODER_COUNTERS; i++) saved[i] = counters[i];
    for (let p = 0, end = n << Pkt.SHIFT; p < end; p += Pkt.STRIDE) {
      readTime(p);
      if (decap === undefined && skip(p)) continue;
      const plain = fast(p);
      if (!plain) slow(p);
      const owner = ownerOf(pkt[p + Pkt.HASH]);
      const foreign = owner !== index;
      // Of a datagram in pieces, or inside a tunnel, only the owner of the whole knows that it is.
      if (handOff && (!plain || decap !== undefined)) pkt[p + Pkt.HOLD] = Hold.FOR_ALL;
      else if (handOff && foreign) pkt[p + Pkt.HOLD] = Hold.FOR_CORE - owner;
      if (!plain || decap !== undefined || (pkt[p + Pkt.META] & (Meta.L4 | Meta.MALFORMED)) !== Meta.L4) {
        for (let i = 0; i < DECODER_COUNTERS; i++) {
          if (foreign) counters[i] = saved[i];
          else saved[i] = counters[i];
        }
      }
      if (foreign) pkt[p + Pkt.META] = Meta.FOREIGN;
      else own++;
    }
    counters[Counter.FRAMES] += own;
  }

  function decode(n: number): void {
    fragments?.newBurst();
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

  if (options.verifyChecksums !== true) return decode;
  const verify = createChecksumVerifier(memory, pkt, counters);
  return function decodeAndVerify(n) {
    decode(n);
    verify(n);
  };
}
