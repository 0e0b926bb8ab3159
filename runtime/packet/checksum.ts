/**
 * Checksums of IPv4, TCP and UDP (RFC 1071), and what a radio said of its frame's, verified where `[conntrack] verify_checksums` asks for it. A packet whose
 * checksum is wrong belongs to no connection, as its receiver would not have taken it.
 *
 * Only what was captured whole can be verified; the rest is believed, as are IPv6 packets that still have a way to go (routing
 * headers). Of tunnels that are opened the inside counts.
 */
import { Counter, type Counters } from '../stats/counters.ts';
import { Meta, type PacketMemory, Pkt } from './layout.ts';
import { IpProto } from './transport.ts';

/** Looks through rows `from` (0) to `to` - 1, which the decoder has filled. */
export type ChecksumVerifier = (to: number, from?: number) => void;

export function createChecksumVerifier(memory: PacketMemory, pkt: Int32Array, counters: Counters): ChecksumVerifier {
  const { view } = memory;

  /** Adds the big-endian half-words of `length` bytes at `at`; the last byte of an odd number counts as the upper one. */
  function add(sum: number, at: number, length: number): number {
    const whole = at + (length & ~1);
    let total = sum;
    for (let i = at; i < whole; i += 2) total += view.getUint16(i);
    return (length & 1) !== 0 ? total + (view.getUint8(whole) << 8) : total;
  }

  /** True if a sum with the checksum in it is the one's complement of zero. At most 2^15 half-words: below 2^31. */
  function isRight(sum: number): boolean {
    const folded = (sum & 0xffff) + (sum >>> 16);
    return (folded & 0xffff) + (folded >>> 16) === 0xffff;
  }

  /**
   * Whether the IPv6 header has the destination that was summed: with segments left, a routing header has another one (RFC
   * 8200 section 8.1). Of datagrams put together from fragments only the first header behind IPv6's is looked at.
   */
  function isAtItsEnd(p: number, l3: number, l4: number, proto: number): boolean {
    let next = view.getUint8(l3 + 6);
    let at = l3 + 40;
    if (next === proto || next === IpProto.IPV6_FRAGMENT) return true;
    if (l4 < at || l4 > pkt[p + Pkt.OFFSET] + pkt[p + Pkt.CAPLEN]) return false;
    while (at < l4) {
      if (next === IpProto.IPV6_ROUTE && view.getUint8(at + 3) !== 0) return false;
      const [following, length] = [view.getUint8(at), view.getUint8(at + 1)];
      at += next === IpProto.AH ? (length + 2) << 2 : next === IpProto.IPV6_FRAGMENT ? 8 : (length + 1) << 3;
      next = following;
    }
    return at === l4 && next === proto;
  }

  function verified(p: number): boolean {
    const meta = pkt[p + Pkt.META];
    if ((meta & Meta.BAD_FCS) !== 0) return false;
    const l3 = pkt[p + Pkt.L3];
    const isV6 = (meta & Meta.IPV6) !== 0;
    if (!isV6 && !isRight(add(0, l3, (view.getUint8(l3) & 0xf) << 2))) return false;
    if (pkt[p + Pkt.CAPPAY] !== pkt[p + Pkt.PAYLEN] || (meta & Meta.MALFORMED) !== 0) return true;
    const proto = meta & Meta.PROTO_MASK;
    const l4 = pkt[p + Pkt.L4];
    if (isV6 && !isAtItsEnd(p, l3, l4, proto)) return true;
    // A UDP checksum of 0 was not computed (RFC 768; RFC 6935 for tunnels over IPv6).
    if (proto === IpProto.UDP && view.getUint16(l4 + 6) === 0) return true;
    const length = pkt[p + Pkt.PAYLOAD] - l4 + pkt[p + Pkt.PAYLEN];
    const addresses = isV6 ? add(0, l3 + 8, 32) : add(0, l3 + 12, 8);
    return isRight(add(addresses + proto + length, l4, length));
  }

  return function verify(to, from = 0) {
    for (let p = from << Pkt.SHIFT, end = to << Pkt.SHIFT; p < end; p += Pkt.STRIDE) {
      if ((pkt[p + Pkt.META] & Meta.L4) === 0 || verified(p)) continue;
      counters[Counter.BAD_CHECKSUM]++;
      pkt[p + Pkt.META] &= Meta.PROTO_MASK | Meta.IPV6 | Meta.IP | Meta.OF_FRAME;
      pkt[p + Pkt.L4] = 0;
      pkt[p + Pkt.PAYLOAD] = 0;
      pkt[p + Pkt.PAYLEN] = 0;
      pkt[p + Pkt.CAPPAY] = 0;
      pkt[p + Pkt.PORTS] = 0;
      pkt[p + Pkt.SEQ] = 0;
      pkt[p + Pkt.ACK] = 0;
    }
  };
}
