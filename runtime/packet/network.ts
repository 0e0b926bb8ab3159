/**
 * IPv4 with options and IPv6 with extension headers, for frames that the fast path of decode.ts leaves. Every length is
 * checked before a byte is read.
 */
import { Counter, type Counters } from '../stats/counters.ts';
import type { FragmentTable } from './fragments.ts';
import { Meta, type PacketMemory, Pkt } from './layout.ts';
import { IpProto, type TransportReader } from './transport.ts';

/**
 * Reads the IP header at `Pkt.L3` of row `p` and what follows it. No byte at or behind `capEnd` was captured; at `wireEnd`
 * ends what was on the wire.
 */
export type NetworkReader = (p: number, capEnd: number, wireEnd: number) => void;

/** Seeded hash of a 16-byte address: stands for it in `Pkt.SRC` and `Pkt.DST`. */
export type AddressHash = (at: number) => number;

/** See {@link AddressHash}. The caller has checked that 16 bytes are there. */
export function createAddressHash(memory: PacketMemory, seed: number): AddressHash {
  const { view } = memory;
  return (at) => {
    let h = Math.imul(view.getInt32(at) ^ seed, 0x9e3779b1);
    h = Math.imul(h ^ (h >>> 15) ^ view.getInt32(at + 4), 0x85ebca6b);
    h = Math.imul(h ^ (h >>> 13) ^ view.getInt32(at + 8), 0xc2b2ae35);
    h = Math.imul(h ^ (h >>> 16) ^ view.getInt32(at + 12), 0x27d4eb2f);
    return h ^ (h >>> 15);
  };
}

export function createNetworkReader(
  memory: PacketMemory,
  pkt: Int32Array,
  addressHash: AddressHash,
  readTransport: TransportReader,
  fragments: FragmentTable | undefined,
  counters: Counters,
): NetworkReader {
  const { view } = memory;

  /** A fragment: wait for the others, or go on with the whole datagram, which then lies in the slab. */
  function fragment(
    p: number,
    bits: number,
    id: number,
    field: number,
    at: number,
    ipEnd: number,
    capEnd: number,
  ): void {
    const more = (field & 1) !== 0;
    const from = field & 0xfff8;
    counters[Counter.FRAGMENTS]++;
    pkt[p + Pkt.META] |= bits | Meta.FRAGMENT;
    if (fragments === undefined || (bits & Meta.MALFORMED) !== 0) {
      counters[Counter.FRAGMENTS_DROPPED]++;
      return;
    }
    const captured = Math.max(0, Math.min(ipEnd, capEnd) - at);
    const whole = fragments.add(p, bits, id, from, more, at, ipEnd - at, captured);
    if (whole < 0) return;
    // The frame that completes a datagram counts as the datagram, not as a fragment.
    counters[Counter.FRAGMENTS]--;
    const end = whole + fragments.length();
    const cut = whole + fragments.captured();
    const headers = at - pkt[p + Pkt.L3] - ((bits & Meta.IPV6) !== 0 ? 8 : 0);
    pkt[p + Pkt.IPLEN] = headers + fragments.length();
    bits &= ~Meta.PROTO_MASK;
    if ((bits & Meta.IPV6) !== 0) extensions(p, bits, fragments.proto(), whole, end, cut);
    else transportOfIpv4(p, bits, fragments.proto(), whole, end, cut);
  }

  function ipv4(p: number, at: number, capEnd: number, wireEnd: number): void {
    if (at + 20 > capEnd) {
      counters[Counter.TRUNCATED_IPV4]++;
      return;
    }
    const header = (view.getUint8(at) & 0xf) << 2;
    // Segmentation offload leaves the total length 0: the frame's length is the best there is.
    const total = view.getUint16(at + 2) || wireEnd - at;
    if (header < 20 || total < header) {
      counters[Counter.BAD_IPV4_HEADER]++;
      return;
    }
    let bits = view.getUint8(at + 9) | Meta.IP;
    if (at + total > wireEnd) bits |= Meta.MALFORMED;
    pkt[p + Pkt.IPLEN] = total;
    pkt[p + Pkt.SRC] = view.getInt32(at + 12);
    pkt[p + Pkt.DST] = view.getInt32(at + 16);
    const field = view.getUint16(at + 6);
    if ((field & 0x3fff) !== 0) {
      const from = ((field & 0x1fff) << 3) | ((field >>> 13) & 1);
      fragment(p, bits, view.getUint16(at + 4), from, at + header, at + total, capEnd);
    } else {
      const end = Math.min(at + total, wireEnd);
      transportOfIpv4(p, bits & ~Meta.PROTO_MASK, bits & Meta.PROTO_MASK, at + header, end, capEnd);
    }
  }

  /** What IPv4 carries: behind authentication headers (RFC 4302 section 2), as far as they were captured. */
  function transportOfIpv4(p: number, bits: number, proto: number, at: number, ipEnd: number, capEnd: number): void {
    let [next, l4] = [proto, at];
    while (next === IpProto.AH && l4 + 8 <= Math.min(ipEnd, capEnd)) {
      const length = (view.getUint8(l4 + 1) + 2) << 2;
      next = view.getUint8(l4);
      l4 += length;
    }
    readTransport(p, bits | next | (pkt[p + Pkt.META] & Meta.OF_FRAME), l4, ipEnd, capEnd);
  }

  function ipv6(p: number, at: number, capEnd: number, wireEnd: number): void {
    if (at + 40 > capEnd) {
      counters[Counter.TRUNCATED_IPV6]++;
      return;
    }
    const next = view.getUint8(at + 6);
    const length = view.getUint16(at + 4);
    // Length 0 with something behind it is a jumbogram (RFC 2675) or segmentation offload.
    const end = length === 0 && next !== IpProto.IPV6_NONE ? Math.max(wireEnd, at + 40) : at + 40 + length;
    let bits = Meta.IP | Meta.IPV6;
    if (end > wireEnd) bits |= Meta.MALFORMED;
    pkt[p + Pkt.IPLEN] = end - at;
    pkt[p + Pkt.SRC] = addressHash(at + 8);
    pkt[p + Pkt.DST] = addressHash(at + 24);
    extensions(p, bits, next, at + 40, Math.min(end, wireEnd), capEnd);
  }

  /** Walks the extension headers (RFC 8200 section 4) to the transport header. Each is at least eight bytes long. */
  function extensions(p: number, bits: number, next: number, at: number, ipEnd: number, capEnd: number): void {
    for (;;) {
      let length: number;
      switch (next) {
        case IpProto.HOP_BY_HOP:
        case IpProto.IPV6_ROUTE:
        case IpProto.IPV6_DESTINATION:
        case IpProto.MOBILITY:
        case IpProto.HIP:
        case IpProto.SHIM6:
        case IpProto.AH:
        case IpProto.IPV6_FRAGMENT:
          if (at + 8 > capEnd || at + 8 > ipEnd) {
            counters[at + 8 > ipEnd ? Counter.BAD_IPV6_HEADER : Counter.TRUNCATED_IPV6]++;
            pkt[p + Pkt.META] |= bits | next;
            return;
          }
          if (next === IpProto.IPV6_FRAGMENT) {
            const field = view.getUint16(at + 2) & 0xfff9;
            if (field !== 0) {
              fragment(p, bits | view.getUint8(at), view.getInt32(at + 4), field, at + 8, ipEnd, capEnd);
              return;
            }
            // An atomic fragment (RFC 6946) is whole.
            length = 8;
          } else {
            length = next === IpProto.AH ? (view.getUint8(at + 1) + 2) << 2 : (view.getUint8(at + 1) + 1) << 3;
          }
          next = view.getUint8(at);
          at += length;
          break;
        default:
          readTransport(p, bits | next | (pkt[p + Pkt.META] & Meta.OF_FRAME), at, ipEnd, capEnd);
          return;
      }
    }
  }

  return function readNetwork(p, capEnd, wireEnd) {
    const at = pkt[p + Pkt.L3];
    if (view.getUint8(at) >>> 4 === 4) ipv4(p, at, capEnd, wireEnd);
    else ipv6(p, at, capEnd, wireEnd);
  };
}
