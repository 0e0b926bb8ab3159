/**
 * What lies between a link layer and IP: tags and headers of switches and provider networks, LLC/SNAP, MPLS, PPPoE, PPP.
 *
 * The fast path of decode.ts handles plain Ethernet; this is for the rest, so it favours plain reading over speed. Every
 * length is checked before a byte is read.
 */
import { Counter, type Counters } from '../stats/counters.ts';
import { Meta, type PacketMemory, Pkt } from './layout.ts';

/** EtherTypes the decoder follows (IEEE registry). */
export const enum EtherType {
  IPV4 = 0x0800,
  IPV6 = 0x86dd,
  ARP = 0x0806,
  VLAN = 0x8100,
  PROVIDER_VLAN = 0x88a8,
  OLD_QINQ = 0x9100,
  OLD_QINQ_2 = 0x9200,
  MPLS = 0x8847,
  MPLS_MULTICAST = 0x8848,
  PPPOE_SESSION = 0x8864,
  /** LLC follows, of a frame longer than a length can say. */
  JUMBO_LLC = 0x8870,
  /** IEEE 802.1AE. */
  MACSEC = 0x88e5,
  /** IEEE 802.1ah: the service tag of a provider backbone bridge. */
  BACKBONE = 0x88e7,
  /** Cisco's FabricPath, which puts a header of its own in front of the Ethernet frame. */
  FABRIC_PATH = 0x8903,
  /** Cisco's metadata header and its VN-Tag, which became IEEE 802.1BR. */
  CISCO_METADATA = 0x8909,
  VN_TAG = 0x8926,
  /** IEEE 802.1BR. */
  E_TAG = 0x893f,
  /** RFC 8300. */
  NSH = 0x894f,
  /** RFC 6325. */
  TRILL = 0x22f3,
  /** Transparent Ethernet bridging: an Ethernet frame follows. */
  BRIDGING = 0x6558,
}

/** Each writes `Pkt.L3`, `Pkt.ETHERTYPE` and the VLAN bit of `Pkt.META`, and returns true, if IP follows. */
export interface EtherReader {
  /** Reads what the EtherType `type` announces at `at`; no byte at or behind `end` is there. Below 1536 it is LLC. */
  ether(p: number, type: number, at: number, end: number): boolean;
  /** Reads PPP from its address field, if it has one, or protocol field on. */
  ppp(p: number, at: number, end: number): boolean;
  /** Reads IP of the version that its first nibble tells. */
  ip(p: number, at: number, end: number): boolean;
  /** LLC over ATM, where two bytes are before a bridged Ethernet frame (RFC 2684 section 5.2). */
  llcOverAtm(p: number, at: number, end: number): boolean;
  /** A new frame: what was passed over in the last one does not count for it. */
  begin(): void;
  /** Counts why a frame cannot be read; false. */
  fail(reason: Counter): boolean;
  /** What the last call that returned false has counted. */
  reason(): Counter;
}

/** Tags, labels and headers of a frame, tunnels included; more is an attack or a loop. */
const MAX_LAYERS = 64;

/** EtherTypes of NSH's next protocols (RFC 8300 section 2.2). */
const NSH_TYPES: Readonly<Record<number, EtherType>> = {
  1: EtherType.IPV4,
  2: EtherType.IPV6,
  3: EtherType.BRIDGING,
  5: EtherType.MPLS,
};

/** EtherTypes that an Ethernet frame over MPLS is known by, as nothing else says that it is one. */
const PSEUDOWIRE_TYPES: ReadonlySet<number> = new Set([
  EtherType.IPV4,
  EtherType.IPV6,
  EtherType.ARP,
  EtherType.VLAN,
  EtherType.PROVIDER_VLAN,
  EtherType.MPLS,
  EtherType.PPPOE_SESSION,
]);

/** Organizations whose SNAP identifiers are EtherTypes (RFC 1042, IEEE 802.1H), and the one of bridged frames. */
const enum Organization {
  ETHERNET = 0x000000,
  BRIDGE_TUNNEL = 0x0000f8,
  BRIDGED = 0x0080c2,
}

/** PPP's protocols (RFC 1661, IANA registry). */
const enum PppProtocol {
  IPV4 = 0x21,
  BRIDGING = 0x31,
  MULTILINK = 0x3d,
  IPV6 = 0x57,
  MPLS = 0x281,
  MPLS_MULTICAST = 0x283,
}

export function createEtherReader(memory: PacketMemory, pkt: Int32Array, counters: Counters): EtherReader {
  const { view } = memory;
  let lastReason = Counter.NOT_IP;
  let layers = 0;
  /** Bytes before a bridged Ethernet frame. */
  let bridgePad = 0;

  function fail(reason: Counter): boolean {
    counters[reason]++;
    lastReason = reason;
    return false;
  }

  function found(p: number, at: number): boolean {
    pkt[p + Pkt.L3] = at;
    return true;
  }

  function ip(p: number, at: number, end: number): boolean {
    if (at >= end) return fail(Counter.TRUNCATED_LINK);
    const version = view.getUint8(at) >>> 4;
    return version === 4 || version === 6 ? found(p, at) : fail(Counter.NOT_IP);
  }

  /** Whether an Ethernet frame may begin at `at`, by its type and what follows. */
  function looksLikeEthernet(at: number, end: number): boolean {
    if (at + 15 > end) return false;
    const type = view.getUint16(at + 12);
    if (!PSEUDOWIRE_TYPES.has(type)) return false;
    const version = view.getUint8(at + 14) >>> 4;
    return (type !== EtherType.IPV4 || version === 4) && (type !== EtherType.IPV6 || version === 6);
  }

  /** Whether the nibble 4 or 6 at `at` begins an IP header and is no address of an Ethernet frame, as far as can be told. */
  function looksLikeIp(at: number, end: number): boolean {
    const first = view.getUint8(at);
    if (first >>> 4 === 6) return at + 8 > end || view.getUint16(at + 4) <= end - at || !looksLikeEthernet(at, end);
    return (first & 0xf) >= 5 && (at + 4 > end || view.getUint16(at + 2) <= end - at || !looksLikeEthernet(at, end));
  }

  /**
   * Behind the last label of MPLS, which does not say what it carries: IP by its first nibble, or an Ethernet frame, behind a
   * control word (first nibble 0, RFC 4385 section 3) or without. Returns where the frame begins, or -1 for IP.
   */
  function behindLabels(at: number, end: number): number {
    const nibble = view.getUint8(at) >>> 4;
    if ((nibble === 4 || nibble === 6) && looksLikeIp(at, end)) return -1;
    if (nibble === 0 && !(looksLikeEthernet(at, end) && !looksLikeEthernet(at + 4, end))) return at + 4;
    return looksLikeEthernet(at, end) ? at : -1;
  }

  function ether(p: number, first: number, from: number, end: number): boolean {
    let type = first;
    let at = from;
    while (layers++ < MAX_LAYERS) {
      switch (type) {
        case EtherType.IPV4:
        case EtherType.IPV6:
          if (at >= end) return fail(Counter.TRUNCATED_LINK);
          if (view.getUint8(at) >>> 4 !== (type === EtherType.IPV4 ? 4 : 6)) {
            return fail(type === EtherType.IPV4 ? Counter.BAD_IPV4_HEADER : Counter.BAD_IPV6_HEADER);
          }
          return found(p, at);
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
          const frame = behindLabels(at, end);
          if (frame < 0) return ip(p, at, end);
          at = frame;
          type = EtherType.BRIDGING;
          break;
        }
        case EtherType.PPPOE_SESSION:
          if (at + 7 > end) return fail(Counter.TRUNCATED_LINK);
          return ppp(p, at + 6, end);
        case EtherType.BACKBONE:
          at += 4;
          type = EtherType.BRIDGING;
          break;
        case EtherType.FABRIC_PATH:
          at += 2;
          type = EtherType.BRIDGING;
          break;
        case EtherType.TRILL:
          if (at + 2 > end) return fail(Counter.TRUNCATED_LINK);
          // Options are counted in words of four bytes (RFC 6325 section 3.5).
          at += 6 + (((view.getUint16(at) >>> 6) & 0x1f) << 2);
          type = EtherType.BRIDGING;
          break;
        case EtherType.VN_TAG:
        case EtherType.E_TAG:
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
        default: {
          // Below 1536 it is a length and an LLC header follows (IEEE 802.3 section 3.2.6).
          if (type >= 1536 && type !== EtherType.JUMBO_LLC) return fail(Counter.NOT_IP);
          if (at + 3 > end) return fail(Counter.TRUNCATED_LINK);
          const points = view.getUint16(at);
          if (view.getUint8(at + 2) !== 3) return fail(Counter.NOT_IP);
          // Service access point 6 is IP itself.
          if (points === 0x0606) return ip(p, at + 3, end);
          if (points !== 0xaaaa) return fail(Counter.NOT_IP);
          if (at + 8 > end) return fail(Counter.TRUNCATED_LINK);
          const organization = view.getUint32(at + 2) & 0xffffff;
          type = view.getUint16(at + 6);
          at += 8;
          if (organization === Organization.BRIDGED && (type === 1 || type === 7)) {
            type = EtherType.BRIDGING;
            at += bridgePad;
          } else if (organization !== Organization.ETHERNET && organization !== Organization.BRIDGE_TUNNEL) {
            return fail(Counter.NOT_IP);
          } else if (type < 1536) {
            return fail(Counter.NOT_IP);
          }
        }
      }
    }
    return fail(Counter.NOT_IP);
  }

  /** PPP from its protocol field on (RFC 1661 section 2); a one-byte field is odd. */
  function protocol(p: number, at: number, end: number): boolean {
    if (at >= end) return fail(Counter.TRUNCATED_LINK);
    let number = view.getUint8(at);
    let next = at + 1;
    if ((number & 1) === 0) {
      if (next >= end) return fail(Counter.TRUNCATED_LINK);
      number = (number << 8) | view.getUint8(next);
      next++;
    }
    switch (number) {
      case PppProtocol.IPV4:
        return ether(p, EtherType.IPV4, next, end);
      case PppProtocol.IPV6:
        return ether(p, EtherType.IPV6, next, end);
      case PppProtocol.MPLS:
      case PppProtocol.MPLS_MULTICAST:
        return ether(p, EtherType.MPLS, next, end);
      case PppProtocol.BRIDGING:
        // Flags, then the kind of the frame, of which 1 is Ethernet (RFC 3518 section 4.2).
        if (next + 2 > end) return fail(Counter.TRUNCATED_LINK);
        return view.getUint8(next + 1) === 1 ? ether(p, EtherType.BRIDGING, next + 2, end) : fail(Counter.NOT_IP);
      case PppProtocol.MULTILINK:
        // A packet in one piece is its beginning and its end (RFC 1990 section 3).
        if (next + 4 > end) return fail(Counter.TRUNCATED_LINK);
        if (view.getUint8(next) >>> 6 !== 3) return fail(Counter.FRAGMENTS);
        return layers++ < MAX_LAYERS ? ppp(p, next + 4, end) : fail(Counter.NOT_IP);
      default:
        return fail(Counter.NOT_IP);
    }
  }

  /** Address and control fields (0xff 0x03, RFC 1662 section 3.1) may be left out. */
  function ppp(p: number, at: number, end: number): boolean {
    const framed = at + 2 <= end && view.getUint16(at) === 0xff03;
    return protocol(p, framed ? at + 2 : at, end);
  }

  return {
    ether,
    ppp,
    ip,
    llcOverAtm(p, at, end) {
      bridgePad = 2;
      const read = ether(p, 0, at, end);
      bridgePad = 0;
      return read;
    },
    begin() {
      layers = 0;
    },
    fail,
    reason: () => lastReason,
  };
}
