/**
 * TCP and UDP headers, and the symmetric five-tuple hash. Hot: see the rules in decode.ts.
 *
 * Addresses (`Pkt.SRC`, `Pkt.DST`) and `Pkt.L3`, `Pkt.IPLEN` are set by the caller.
 */
import { Counter, type Counters } from '../stats/counters.ts';
import { Meta, type PacketMemory, Pkt } from './layout.ts';

/** IP protocol numbers the decoder names. */
export const enum IpProto {
  HOP_BY_HOP = 0,
  IPV4 = 4,
  TCP = 6,
  UDP = 17,
  IPV6 = 41,
  IPV6_ROUTE = 43,
  IPV6_FRAGMENT = 44,
  GRE = 47,
  ESP = 50,
  AH = 51,
  IPV6_NONE = 59,
  IPV6_DESTINATION = 60,
  ETHER_IP = 97,
  MOBILITY = 135,
  MPLS = 137,
  HIP = 139,
  SHIM6 = 140,
}

/** Multipliers of the hash: odd 32-bit constants with well-spread bits (from the golden ratio and murmur3's finaliser). */
const enum Mix {
  A = 0x9e3779b1,
  B = 0x85ebca6b,
  C = 0xc2b2ae35,
}

/** Symmetric hash of a five-tuple; `bits` are those of META: protocol and IP version count. */
export type FlowHash = (src: number, dst: number, ports: number, bits: number) => number;

/** See {@link createTransportReader}. */
export function createFlowHash(seed: number): FlowHash {
  const seedAddress = Math.imul(seed ^ 0x5bd1e995, Mix.A) | 0;
  const seedPort = Math.imul(seed ^ (seed >>> 16) ^ 0x27d4eb2f, Mix.C) | 0;

  return (src, dst, ports, bits) => {
    let a = Math.imul(src ^ seedAddress, Mix.A);
    let b = Math.imul(dst ^ seedAddress, Mix.A);
    a = Math.imul(a ^ (a >>> 15) ^ ((ports >>> 16) + seedPort), Mix.B);
    b = Math.imul(b ^ (b >>> 15) ^ ((ports & 0xffff) + seedPort), Mix.B);
    a ^= a >>> 13;
    b ^= b >>> 13;
    let h = (a + b + (bits & (Meta.PROTO_MASK | Meta.IPV6))) | 0;
    h = Math.imul(h ^ (h >>> 16), Mix.C);
    return h ^ (h >>> 15);
  };
}

/** Reads the transport header of the packet at row `p`; see {@link createTransportReader}. */
export type TransportReader = (p: number, bits: number, l4: number, ipEnd: number, capEnd: number) => void;

/**
 * A reader for TCP and UDP. `bits` are META bits known so far, with the protocol number in the low eight; the header is
 * at `l4`, the IP payload ends at `ipEnd` by the IP header, and no byte at or behind `capEnd` may be read.
 *
 * The hash is the sum of one seeded mix per end, so both directions of a connection share it without putting the ends
 * in order. `seed` is a run's secret: without it nobody can aim many connections at one slot of the table.
 */
export function createTransportReader(
  memory: PacketMemory,
  pkt: Int32Array,
  seed: number,
  counters: Counters,
): TransportReader {
  const { view } = memory;
  const hash = createFlowHash(seed);

  function undecodable(p: number, bits: number, reason: Counter): void {
    counters[reason]++;
    withoutTransport(p, bits);
  }

  function withoutTransport(p: number, bits: number): void {
    pkt[p + Pkt.L4] = 0;
    pkt[p + Pkt.PAYLOAD] = 0;
    pkt[p + Pkt.PAYLEN] = 0;
    pkt[p + Pkt.PORTS] = 0;
    pkt[p + Pkt.META] = bits;
    pkt[p + Pkt.HASH] = hash(pkt[p + Pkt.SRC], pkt[p + Pkt.DST], 0, bits);
    pkt[p + Pkt.CAPPAY] = 0;
    pkt[p + Pkt.SEQ] = 0;
    pkt[p + Pkt.ACK] = 0;
  }

  return function readTransport(p, bits, l4, ipEnd, capEnd) {
    const proto = bits & Meta.PROTO_MASK;
    let payload: number;
    let length: number;
    if (proto === IpProto.TCP) {
      if (l4 + 20 > capEnd || l4 + 20 > ipEnd) {
        undecodable(p, bits, l4 + 20 > ipEnd ? Counter.BAD_TCP_HEADER : Counter.TRUNCATED_TCP);
        return;
      }
      const control = view.getUint16(l4 + 12);
      const header = (control >>> 12) << 2;
      payload = l4 + header;
      length = ipEnd - payload;
      if (header < 20 || length < 0) {
        undecodable(p, bits, Counter.BAD_TCP_HEADER);
        return;
      }
      pkt[p + Pkt.SEQ] = view.getInt32(l4 + 4);
      pkt[p + Pkt.ACK] = view.getInt32(l4 + 8);
      bits |= (control & 0x1ff) << Meta.TCP_FLAGS_SHIFT;
    } else if (proto === IpProto.UDP) {
      if (l4 + 8 > capEnd || l4 + 8 > ipEnd) {
        undecodable(p, bits, l4 + 8 > ipEnd ? Counter.BAD_UDP_HEADER : Counter.TRUNCATED_UDP);
        return;
      }
      payload = l4 + 8;
      const udpLength = view.getUint16(l4 + 4);
      if (udpLength === 0) {
        // A jumbogram (RFC 2675 section 4) or segmentation offload: the IP header alone knows.
        length = ipEnd - payload;
      } else if (udpLength < 8) {
        undecodable(p, bits, Counter.BAD_UDP_HEADER);
        return;
      } else {
        length = udpLength - 8;
        if (payload + length > ipEnd) {
          bits |= Meta.MALFORMED;
          length = ipEnd - payload;
        }
      }
      pkt[p + Pkt.SEQ] = 0;
      pkt[p + Pkt.ACK] = 0;
    } else {
      undecodable(p, bits, Counter.OTHER_TRANSPORT);
      return;
    }
    const ports = view.getInt32(l4);
    // The lesser of what was captured and the length, at least 0; without branches, as cut packets come in no order.
    const lacking = (capEnd - payload - length) | 0;
    const captured = length + (lacking & (lacking >> 31));
    pkt[p + Pkt.L4] = l4;
    pkt[p + Pkt.PAYLOAD] = payload;
    pkt[p + Pkt.PAYLEN] = length;
    pkt[p + Pkt.PORTS] = ports;
    pkt[p + Pkt.META] = bits | Meta.L4;
    pkt[p + Pkt.HASH] = hash(pkt[p + Pkt.SRC], pkt[p + Pkt.DST], ports, bits);
    pkt[p + Pkt.CAPPAY] = captured & ~(captured >> 31);
    if ((bits & Meta.MALFORMED) !== 0) counters[Counter.MALFORMED]++;
  };
}
