/**
 * Link layers: from the start of a frame to its IP header. Reads every link type of {@link LinkType}, and what may lie
 * between Ethernet and IP: tags and headers of switches, LLC/SNAP, MPLS, PPPoE.
 *
 * The fast path of decode.ts handles plain Ethernet; this is for the rest, so it favours plain reading over speed. Every
 * length is checked before a byte is read.
 */
import { Counter, type Counters } from '../stats/counters.ts';
import { LinkType, Meta, type PacketMemory, Pkt } from './layout.ts';

/** EtherTypes the decoder follows (IEEE registry). */
export const enum EtherType {
  IPV4 = 0x0800,
  IPV6 = 0x86dd,
  VLAN = 0x8100,
  PROVIDER_VLAN = 0x88a8,
  OLD_QINQ = 0x9100,
  OLD_QINQ_2 = 0x9200,
  MPLS = 0x8847,
  MPLS_MULTICAST = 0x8848,
  PPPOE_SESSION = 0x8864,
  /** IEEE 802.1AE. */
  MACSEC = 0x88e5,
  /** IEEE 802.1ah: the service tag of a provider backbone bridge. */
  BACKBONE = 0x88e7,
  /** Cisco's metadata header and its VN-Tag, which became IEEE 802.1BR. */
  CISCO_METADATA = 0x8909,
  VN_TAG = 0x8926,
  /** RFC 8300. */
  NSH = 0x894f,
  /** Transparent Ethernet bridging: an Ethernet frame follows. */
  BRIDGING = 0x6558,
}

/** Network layers of frame relay, and where they are told by SNAP (RFC 2427 section 3). */
const enum Nlpid {
  SNAP = 0x80,
  IPV6 = 0x8e,
  IPV4 = 0xcc,
}
/** Control field of frames without numbers; and the organization whose frames are bridged. */
const UNNUMBERED = 0x03;
const BRIDGED = 0x0080c2;

/** Each writes `Pkt.L3`, `Pkt.ETHERTYPE` and the VLAN bit of `Pkt.META`, and returns true, if IP follows. */
export interface LinkReader {
  /** Reads the link layer of row `p` from the start of its frame. */
  frame(p: number): boolean;
  /** Reads what the EtherType `type` announces at `at`; no byte at or behind `end` is there. */
  ether(p: number, type: number, at: number, end: number): boolean;
  /** Reads PPP from its address field, if it has one, or protocol field on. */
  ppp(p: number, at: number, end: number): boolean;
  /** What the last of them that returned false has counted. */
  reason(): Counter;
}

/** Tags, labels and headers between two IP headers; more is an attack or a loop. */
const MAX_LAYERS = 16;

/** EtherTypes of NSH's next protocols (RFC 8300 section 2.2). */
const NSH_TYPES: Readonly<Record<number, EtherType>> = {
  1: EtherType.IPV4,
  2: EtherType.IPV6,
  3: EtherType.BRIDGING,
  5: EtherType.MPLS,
};

export function createLinkReader(memory: PacketMemory, pkt: Int32Array, counters: Counters): LinkReader {
  const { view } = memory;
  let lastReason = Counter.NOT_IP;

  function fail(reason: Counter): boolean {
    counters[reason]++;
    lastReason = reason;
    return false;
  }

  /** IP of the version its first nibble tells. */
  function ipByNibble(p: number, at: number, end: number): boolean {
    if (at >= end) return fail(Counter.TRUNCATED_LINK);
    const version = view.getUint8(at) >>> 4;
    if (version !== 4 && version !== 6) return fail(Counter.NOT_IP);
    pkt[p + Pkt.L3] = at;
    return true;
  }

  /** What an EtherType announces at `at`. */
  function ether(p: number, first: number, at: number, end: number): boolean {
    let type = first;
    for (let layer = 0; layer < MAX_LAYERS; layer++) {
      switch (type) {
        case EtherType.IPV4:
        case EtherType.IPV6:
          if (at >= end) return fail(Counter.TRUNCATED_LINK);
          if (view.getUint8(at) >>> 4 !== (type === EtherType.IPV4 ? 4 : 6)) {
            return fail(type === EtherType.IPV4 ? Counter.BAD_IPV4_HEADER : Counter.BAD_IPV6_HEADER);
          }
          pkt[p + Pkt.L3] = at;
          return true;
        case EtherType.VLAN:
        case EtherType.PROVIDER_VLAN:
        case EtherType.OLD_QINQ:
        case EtherType.OLD_QINQ_2:
          if (at + 4 > end) return fail(Counter.TRUNCATED_LINK);
          pkt[p + Pkt.META] |= Meta.VLAN;
          pkt[p + Pkt.ETHERTYPE] = at + 2;
          type = view.getUint16(at + 2);
          at += 4;
          break;
        case EtherType.MPLS:
        case EtherType.MPLS_MULTICAST: {
          let bottom = 0;
          while (bottom === 0) {
            if (at + 4 > end) return fail(Counter.TRUNCATED_LINK);
            bottom = view.getUint8(at + 2) & 1;
            at += 4;
          }
          if (at >= end) return fail(Counter.TRUNCATED_LINK);
          // A label does not say what it carries. A control word (first nibble 0, RFC 4385) means an Ethernet pseudowire.
          if (view.getUint8(at) >>> 4 !== 0) return ipByNibble(p, at, end);
          at += 4;
          type = EtherType.BRIDGING;
          break;
        }
        case EtherType.PPPOE_SESSION:
          if (at + 8 > end) return fail(Counter.TRUNCATED_LINK);
          return ppp(p, at + 6, end);
        case EtherType.BACKBONE:
          if (at + 4 > end) return fail(Counter.TRUNCATED_LINK);
          at += 4;
          type = EtherType.BRIDGING;
          break;
        case EtherType.VN_TAG:
        case EtherType.CISCO_METADATA: {
          const tag = type === EtherType.VN_TAG ? 4 : 6;
          if (at + tag + 2 > end) return fail(Counter.TRUNCATED_LINK);
          type = view.getUint16(at + tag);
          at += tag + 2;
          break;
        }
        case EtherType.MACSEC: {
          if (at + 6 > end) return fail(Counter.TRUNCATED_LINK);
          const control = view.getUint8(at);
          // Encrypted, or changed (IEEE 802.1AE section 9.5); else the data is only signed.
          if ((control & 0x0c) !== 0) return fail(Counter.ENCRYPTED_LINK);
          const tag = (control & 0x20) !== 0 ? 14 : 6;
          if (at + tag + 2 > end) return fail(Counter.TRUNCATED_LINK);
          type = view.getUint16(at + tag);
          at += tag + 2;
          break;
        }
        case EtherType.NSH: {
          if (at + 4 > end) return fail(Counter.TRUNCATED_LINK);
          const length = (view.getUint8(at + 1) & 0x3f) << 2;
          type = NSH_TYPES[view.getUint8(at + 3)] ?? 0xffff;
          if (length < 8) return fail(Counter.NOT_IP);
          at += length;
          break;
        }
        case EtherType.BRIDGING:
          if (at + 14 > end) return fail(Counter.TRUNCATED_LINK);
          type = view.getUint16(at + 12);
          at += 14;
          break;
        default:
          // Below 1536 it is a length and an LLC header follows (IEEE 802.3 section 3.2.6).
          if (type >= 1536) return fail(Counter.NOT_IP);
          if (at + 8 > end) return fail(Counter.NOT_IP);
          // Service access point 6 is IP itself.
          if (view.getUint16(at) === 0x0606 && view.getUint8(at + 2) === 3) return ipByNibble(p, at + 3, end);
          if (view.getUint16(at) !== 0xaaaa || view.getUint8(at + 2) !== 3) return fail(Counter.NOT_IP);
          type = view.getUint16(at + 6);
          if (type < 1536) return fail(Counter.NOT_IP);
          at += 8;
      }
    }
    return fail(Counter.NOT_IP);
  }

  /** PPP from its protocol field on (RFC 1661 section 2); a one-byte field is odd. */
  function ppp(p: number, at: number, end: number): boolean {
    if (at + 2 > end) return fail(Counter.TRUNCATED_LINK);
    let protocol = view.getUint8(at);
    let next = at + 1;
    if ((protocol & 1) === 0) {
      protocol = (protocol << 8) | view.getUint8(next);
      next++;
    }
    switch (protocol) {
      case 0x21:
        return ether(p, EtherType.IPV4, next, end);
      case 0x57:
        return ether(p, EtherType.IPV6, next, end);
      case 0x281:
      case 0x283:
        return ether(p, EtherType.MPLS, next, end);
      default:
        return fail(Counter.NOT_IP);
    }
  }

  /** BSD loopback: an address family in the byte order of the machine that captured. */
  function family(p: number, at: number, end: number): boolean {
    if (at + 4 > end) return fail(Counter.TRUNCATED_LINK);
    const value = view.getUint32(at, view.getUint16(at) !== 0);
    switch (value) {
      case 2:
        return ether(p, EtherType.IPV4, at + 4, end);
      // AF_INET6 of Linux, NetBSD and OpenBSD, FreeBSD, macOS.
      case 10:
      case 24:
      case 28:
      case 30:
        return ether(p, EtherType.IPV6, at + 4, end);
      default:
        // Some writers put an EtherType here, in all four bytes or in the last two.
        if (value < 1536) return fail(Counter.NOT_IP);
        return ether(p, value > 0xffff ? view.getUint16(at + 2) : value, at + 4, end);
    }
  }

  /** Packets in one frame: a row holds one of them, the first, and the others are counted. */
  function aggregate(p: number, at: number, end: number): boolean {
    let next = at;
    let packets = 0;
    while (next + 14 <= end && view.getUint16(next + 12) >= 8) {
      next += (14 + view.getUint16(next + 12) + 3) & ~3;
      packets++;
    }
    counters[Counter.SUBFRAMES_UNREAD] += Math.max(0, packets - 1);
    return ether(p, EtherType.BRIDGING, at, end);
  }

  /** IEEE 802.11 data frames in clear; `padded` when the radio aligned the body to four bytes. */
  function wifi(p: number, at: number, end: number, padded: boolean): boolean {
    if (at + 24 > end) return fail(Counter.TRUNCATED_LINK);
    const control = view.getUint8(at);
    const flags = view.getUint8(at + 1);
    if (((control >>> 2) & 3) !== 2 || (control & 0x40) !== 0) return fail(Counter.NOT_IP);
    if ((flags & 0x40) !== 0) return fail(Counter.ENCRYPTED_LINK);
    let header = 24;
    if ((flags & 3) === 3) header += 6;
    const qos = at + header;
    if ((control & 0x80) !== 0) header += (flags & 0x80) !== 0 ? 6 : 2;
    if (padded) header = (header + 3) & ~3;
    if (at + header > end) return fail(Counter.TRUNCATED_LINK);
    // An A-MSDU: packets with destination, source, length and LLC each (IEEE 802.11-2020 section 9.3.2.2).
    if ((control & 0x80) !== 0 && (view.getUint8(qos) & 0x80) !== 0) return aggregate(p, at + header, end);
    // Length zero makes `ether` expect LLC/SNAP.
    return ether(p, 0, at + header, end);
  }

  /** Radiotap: little-endian, its own length at byte 2, flags (for the padding) behind an optional 8-byte time. */
  function radiotap(p: number, at: number, end: number): boolean {
    if (at + 8 > end) return fail(Counter.TRUNCATED_LINK);
    const length = view.getUint16(at + 2, true);
    if (length < 8 || at + length > end) return fail(Counter.TRUNCATED_LINK);
    const present = view.getUint32(at + 4, true);
    let fields = at + 8;
    for (let word = present; word >>> 31 !== 0; fields += 4) {
      if (fields + 4 > at + length) return fail(Counter.TRUNCATED_LINK);
      word = view.getUint32(fields, true);
    }
    let padded = false;
    if ((present & 2) !== 0) {
      if ((present & 1) !== 0) fields = at + (((fields - at + 7) & ~7) + 8);
      if (fields < at + length) padded = (view.getUint8(fields) & 0x20) !== 0;
    }
    return wifi(p, at + length, end, padded);
  }

  /** PPP whose address and control fields (0xff 0x03, RFC 1662 section 3.1) may be left out. */
  function framedPpp(p: number, at: number, end: number): boolean {
    const framed = at + 2 <= end && view.getUint16(at) === 0xff03;
    return ppp(p, framed ? at + 2 : at, end);
  }

  /** Cisco's HDLC: address (unicast or broadcast), control 0, EtherType. */
  function ciscoHdlc(p: number, at: number, end: number): boolean {
    if (at + 4 > end) return fail(Counter.TRUNCATED_LINK);
    return ether(p, view.getUint16(at + 2), at + 4, end);
  }

  /** 802.11 behind a header of AVS (big-endian, length at byte 4) or of the Prism driver (the same, little-endian). */
  function monitor(p: number, at: number, end: number): boolean {
    if (at + 8 > end) return fail(Counter.TRUNCATED_LINK);
    const avs = view.getUint32(at) >>> 12 === 0x80211;
    const length = view.getUint32(at + 4, !avs);
    if (length < 8 || length > end - at) return fail(Counter.TRUNCATED_LINK);
    return wifi(p, at + length, end, false);
  }

  /** A packet of the Linux netfilter log: attributes in the capturing machine's order, of which 9 holds the packet. */
  function nflog(p: number, at: number, end: number): boolean {
    let attribute = at + 4;
    while (attribute + 4 <= end) {
      const littleEndian = view.getUint8(attribute + 3) === 0;
      const length = view.getUint16(attribute, littleEndian);
      if (length < 4) return fail(Counter.NOT_IP);
      if (view.getUint16(attribute + 2, littleEndian) === 9) return ipByNibble(p, attribute + 4, end);
      attribute += (length + 3) & ~3;
    }
    return fail(Counter.TRUNCATED_LINK);
  }

  function frame(p: number): boolean {
    const at = pkt[p + Pkt.OFFSET];
    return linked(p, pkt[p + Pkt.LINK] & 0xffff, at, at + pkt[p + Pkt.CAPLEN]);
  }

  /** Frame relay (RFC 2427): an address of two to four bytes, control, padding perhaps, then the network layer's number. */
  function frameRelay(p: number, at: number, end: number): boolean {
    let next = at;
    // The last byte of the address has its lowest bit set.
    for (let more = true; more; next++) {
      if (next === end || next === at + 4) return fail(Counter.TRUNCATED_LINK);
      more = (view.getUint8(next) & 1) === 0;
    }
    if (next + 2 > end) return fail(Counter.TRUNCATED_LINK);
    if (view.getUint8(next) !== UNNUMBERED) return fail(Counter.NOT_IP);
    next += view.getUint8(next + 1) === 0 ? 2 : 1;
    if (next + 1 > end) return fail(Counter.TRUNCATED_LINK);
    switch (view.getUint8(next)) {
      case Nlpid.IPV4:
        return ether(p, EtherType.IPV4, next + 1, end);
      case Nlpid.IPV6:
        return ether(p, EtherType.IPV6, next + 1, end);
      case Nlpid.SNAP: {
        if (next + 6 > end) return fail(Counter.TRUNCATED_LINK);
        const organization = view.getUint32(next) & 0xffffff;
        const type = view.getUint16(next + 4);
        if (organization === 0) return ether(p, type, next + 6, end);
        // Bridged Ethernet, with its frame check sequence or without.
        const bridged = organization === BRIDGED && (type === 1 || type === 7);
        return bridged ? ether(p, EtherType.BRIDGING, next + 6, end) : fail(Counter.NOT_IP);
      }
      default:
        return fail(Counter.NOT_IP);
    }
  }

  function linked(p: number, type: number, at: number, end: number): boolean {
    switch (type) {
      case LinkType.ETHERNET:
        if (at + 14 > end) return fail(Counter.TRUNCATED_LINK);
        pkt[p + Pkt.ETHERTYPE] = at + 12;
        return ether(p, view.getUint16(at + 12), at + 14, end);
      case LinkType.RAW:
      case 12: // LINKTYPE 12 and 14 are DLT_RAW of some systems, written by mistake.
      case 14:
        return ipByNibble(p, at, end);
      case LinkType.IPV4:
        return ether(p, EtherType.IPV4, at, end);
      case LinkType.IPV6:
        return ether(p, EtherType.IPV6, at, end);
      case LinkType.NULL:
      case LinkType.LOOP:
        return family(p, at, end);
      case LinkType.PPP:
        return framedPpp(p, at, end);
      case LinkType.LINUX_SLL:
        if (at + 16 > end) return fail(Counter.TRUNCATED_LINK);
        return ether(p, sllType(view.getUint16(at + 14)), at + 16, end);
      case LinkType.LINUX_SLL2:
        if (at + 20 > end) return fail(Counter.TRUNCATED_LINK);
        return ether(p, sllType(view.getUint16(at)), at + 20, end);
      case LinkType.IEEE802_11:
        return wifi(p, at, end, false);
      case LinkType.IEEE802_11_RADIOTAP:
        return radiotap(p, at, end);
      case LinkType.IEEE802_11_PRISM:
      case LinkType.IEEE802_11_AVS:
        return monitor(p, at, end);
      case LinkType.PPI: {
        // Little-endian: the header's length at byte 2, the link type of what follows at byte 4.
        if (at + 8 > end) return fail(Counter.TRUNCATED_LINK);
        const length = view.getUint16(at + 2, true);
        const inner = view.getUint32(at + 4, true);
        if (length < 8 || at + length > end) return fail(Counter.TRUNCATED_LINK);
        return inner === LinkType.PPI ? fail(Counter.NOT_IP) : linked(p, inner, at + length, end);
      }
      case LinkType.PPP_HDLC:
        // Cisco's framing is told from RFC 1662's by its address.
        return at < end && (view.getUint8(at) & 0x7f) === 0x0f ? ciscoHdlc(p, at, end) : framedPpp(p, at, end);
      case LinkType.PPP_WITH_DIR:
        return framedPpp(p, at + 1, end);
      case LinkType.PPP_ETHER:
        return ether(p, EtherType.PPPOE_SESSION, at, end);
      case LinkType.C_HDLC:
        return ciscoHdlc(p, at, end);
      case LinkType.FRELAY:
        return frameRelay(p, at, end);
      case LinkType.ATM_RFC1483:
        // Length zero makes `ether` expect LLC.
        return ether(p, 0, at, end);
      case LinkType.NFLOG:
        return nflog(p, at, end);
      default:
        return fail(Counter.UNKNOWN_LINK_TYPE);
    }
  }

  return { frame, ether, ppp: framedPpp, reason: () => lastReason };
}

/** Cooked captures use 4 for 802.2 LLC and 1 for 802.3 without one; other small numbers are no EtherTypes. */
function sllType(protocol: number): number {
  return protocol === 4 ? 0 : protocol < 1536 ? 0xffff : protocol;
}
