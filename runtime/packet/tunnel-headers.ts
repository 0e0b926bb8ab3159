/**
 * The headers of tunnels: where what is inside begins, and what it is. No byte at or behind the end that is given is read.
 */
import { Counter, type Counters } from '../stats/counters.ts';
import type { TUNNEL_KINDS } from './decap-config.ts';
import { EtherType } from './ether.ts';
import { IpProto } from './transport.ts';

export const enum Tunnel {
  NONE = 0,
  IPV4,
  IPV6,
  GRE,
  VXLAN,
  GENEVE,
  GTP_U,
  TEREDO,
  ETHER_IP,
  MPLS,
  L2TP,
  AYIYA,
  CAPWAP,
  TZSP,
}

/** The tunnels over UDP, by the key of the configuration that opens them. */
export const OVER_UDP: Partial<Record<(typeof TUNNEL_KINDS)[number], Tunnel>> = {
  vxlan: Tunnel.VXLAN,
  geneve: Tunnel.GENEVE,
  gtp_u: Tunnel.GTP_U,
  teredo: Tunnel.TEREDO,
  mpls: Tunnel.MPLS,
  l2tp: Tunnel.L2TP,
  ayiya: Tunnel.AYIYA,
  capwap: Tunnel.CAPWAP,
  tzsp: Tunnel.TZSP,
};

/** What a tunnel's header announces: an EtherType, or one of these. */
export const enum Inside {
  /** IP of the version that its first nibble tells. */
  IP = -1,
  PPP = -2,
  /** 802.11 of an access point, and behind headers of a radio. */
  WIFI = -3,
  PRISM = -4,
  AVS = -5,
}

/**
 * GRE's protocol numbers beside EtherTypes: PPTP (RFC 2637 section 4.1), ERSPAN of types I and II, and III, packets that WCCP
 * redirects, and Ethernet as routers of MikroTik send it.
 */
const enum GreProtocol {
  PPP = 0x880b,
  ERSPAN = 0x88be,
  ERSPAN_3 = 0x22eb,
  WCCP = 0x883e,
  EOIP = 0x6400,
}

/** EtherTypes of the next protocols of VXLAN-GPE. */
const GPE_TYPES: Readonly<Record<number, EtherType>> = {
  1: EtherType.IPV4,
  2: EtherType.IPV6,
  3: EtherType.BRIDGING,
  4: EtherType.NSH,
  5: EtherType.MPLS,
};

/** Kinds of frames that TZSP carries. */
const TZSP_KINDS: Readonly<Record<number, number>> = {
  1: EtherType.BRIDGING,
  18: Inside.WIFI,
  119: Inside.PRISM,
  127: Inside.AVS,
};

export interface TunnelHeaders {
  /** Offset behind the header at `at` of a tunnel of kind `tunnel`; -1, counted, when it cannot be read. */
  read(tunnel: number, at: number, end: number): number;
  /** What the header last read announces: an EtherType or {@link Inside}. */
  inside(): number;
}

export function createTunnelHeaders(view: DataView, counters: Counters): TunnelHeaders {
  let inside = 0;

  /** Counts why a tunnel stays closed; the result stands for the offset that there is not. */
  function closed(reason: Counter): number {
    counters[reason]++;
    return -1;
  }

  /** GRE (RFC 2784 section 2.1, RFC 2890 section 2, RFC 2637 section 4.1). */
  function gre(at: number, end: number): number {
    if (at + 4 > end) return closed(Counter.TUNNELS_TRUNCATED);
    const flags = view.getUint16(at);
    const version = flags & 7;
    const protocol = view.getUint16(at + 2);
    // Source routes (RFC 1701) are of the past.
    if (version > 1 || (flags & 0x4000) !== 0) return closed(Counter.TUNNELS_UNREAD);
    let next = at + 4;
    if ((flags & 0x8000) !== 0) next += 4;
    if ((flags & 0x2000) !== 0) next += 4;
    if ((flags & 0x1000) !== 0) next += 4;
    if (version === 1 && protocol === GreProtocol.EOIP) {
      // A length and the tunnel's number, in place of the key; length 0 only says that it is there.
      inside = EtherType.BRIDGING;
      return at + 8;
    }
    if (version === 1) {
      if (protocol !== GreProtocol.PPP || (flags & 0x2000) === 0) return closed(Counter.TUNNELS_MALFORMED);
      if ((flags & 0x80) !== 0) next += 4;
      // Without a sequence number it only acknowledges.
      if ((flags & 0x1000) === 0) return closed(Counter.TUNNELS_UNREAD);
      inside = Inside.PPP;
    } else if (protocol === GreProtocol.ERSPAN) {
      // Type I has no header of its own, nor has its GRE a sequence number.
      if ((flags & 0x1000) !== 0) next += 8;
      inside = EtherType.BRIDGING;
    } else if (protocol === GreProtocol.ERSPAN_3) {
      if (next + 12 > end) return closed(Counter.TUNNELS_TRUNCATED);
      next += (view.getUint8(next + 11) & 1) !== 0 ? 20 : 12;
      inside = EtherType.BRIDGING;
    } else if (protocol === GreProtocol.WCCP) {
      // Version 2 has a header of its own, which does not begin as IP does.
      if (next < end && view.getUint8(next) >>> 4 !== 4) next += 4;
      inside = Inside.IP;
    } else {
      inside = protocol === GreProtocol.PPP ? Inside.PPP : protocol;
    }
    return next;
  }

  /**
   * VXLAN: the flag that the network identifier is valid must be set (RFC 7348 section 5). With another one the header names
   * what follows (draft-ietf-nvo3-vxlan-gpe section 3).
   */
  function vxlan(at: number, end: number): number {
    if (at + 8 > end) return closed(Counter.TUNNELS_TRUNCATED);
    const flags = view.getUint8(at);
    if ((flags & 0x08) === 0) return closed(Counter.TUNNELS_MALFORMED);
    inside = ((flags & 0x04) !== 0 && GPE_TYPES[view.getUint8(at + 3)]) || EtherType.BRIDGING;
    return at + 8;
  }

  /** GENEVE, its options passed over (RFC 8926 section 3.4). */
  function geneve(at: number, end: number): number {
    if (at + 8 > end) return closed(Counter.TUNNELS_TRUNCATED);
    const first = view.getUint8(at);
    if (first >>> 6 !== 0) return closed(Counter.TUNNELS_MALFORMED);
    // Control packets are for the endpoints themselves.
    if ((view.getUint8(at + 1) & 0x80) !== 0) return closed(Counter.TUNNELS_UNREAD);
    inside = view.getUint16(at + 2);
    return at + 8 + ((first & 0x3f) << 2);
  }

  /** A G-PDU of GTP version 1 with its extension headers (3GPP TS 29.281 section 5). */
  function gtpU(at: number, end: number): number {
    if (at + 8 > end) return closed(Counter.TUNNELS_TRUNCATED);
    const flags = view.getUint8(at);
    if (flags >>> 4 !== 3) return closed(Counter.TUNNELS_MALFORMED);
    if (view.getUint8(at + 1) !== 0xff) return closed(Counter.TUNNELS_UNREAD);
    let next = at + 8;
    inside = Inside.IP;
    if ((flags & 7) === 0) return next;
    if (next + 4 > end) return closed(Counter.TUNNELS_TRUNCATED);
    let extension = (flags & 4) !== 0 ? view.getUint8(next + 3) : 0;
    next += 4;
    while (extension !== 0) {
      if (next >= end) return closed(Counter.TUNNELS_TRUNCATED);
      const length = view.getUint8(next) << 2;
      if (length === 0) return closed(Counter.TUNNELS_MALFORMED);
      next += length;
      if (next > end) return closed(Counter.TUNNELS_TRUNCATED);
      extension = view.getUint8(next - 1);
    }
    return next;
  }

  /** Teredo's authentication and origin headers, each at most once and in this order (RFC 4380 section 5.1.1). */
  function teredo(at: number, end: number): number {
    let next = at;
    inside = EtherType.IPV6;
    if (next + 4 > end) return closed(Counter.TUNNELS_TRUNCATED);
    if (view.getUint16(next) === 1) {
      next += 13 + view.getUint8(next + 2) + view.getUint8(next + 3);
      if (next + 2 > end) return closed(Counter.TUNNELS_TRUNCATED);
    }
    return view.getUint16(next) === 0 ? next + 8 : next;
  }

  /** Ethernet in IP: two bytes, of which the first nibble is the version 3 (RFC 3378 section 3). */
  function etherIp(at: number, end: number): number {
    if (at + 2 > end) return closed(Counter.TUNNELS_TRUNCATED);
    if (view.getUint8(at) >>> 4 !== 3) return closed(Counter.TUNNELS_MALFORMED);
    inside = EtherType.BRIDGING;
    return at + 2;
  }

  /** Data of L2TP version 2 (RFC 2661 section 3.1): PPP behind length, sequence numbers and offset, if they are there. */
  function l2tp(at: number, end: number): number {
    if (at + 2 > end) return closed(Counter.TUNNELS_TRUNCATED);
    const flags = view.getUint16(at);
    // Control messages, and other versions: nothing in those of version 3 says what they carry.
    if ((flags & 0x8000) !== 0 || (flags & 0xf) !== 2) return closed(Counter.TUNNELS_UNREAD);
    let next = at + 6;
    if ((flags & 0x4000) !== 0) next += 2;
    if ((flags & 0x0800) !== 0) next += 4;
    if ((flags & 0x0200) !== 0) {
      if (next + 2 > end) return closed(Counter.TUNNELS_TRUNCATED);
      next += 2 + view.getUint16(next);
    }
    inside = Inside.PPP;
    return next;
  }

  /** AYIYA (draft-massar-v6ops-ayiya-02 section 4): identity and signature have lengths of their own. */
  function ayiya(at: number, end: number): number {
    if (at + 8 > end) return closed(Counter.TUNNELS_TRUNCATED);
    const next = view.getUint8(at + 3);
    // Operation 1 forwards a packet; the others are for the endpoints.
    if ((view.getUint8(at + 2) & 0xf) !== 1) return closed(Counter.TUNNELS_UNREAD);
    if (next !== IpProto.IPV6 && next !== IpProto.IPV4) return closed(Counter.TUNNELS_UNREAD);
    inside = next === IpProto.IPV6 ? EtherType.IPV6 : EtherType.IPV4;
    return at + 8 + 2 ** (view.getUint8(at) >>> 4) + (view.getUint8(at + 1) >>> 4) * 4;
  }

  /** CAPWAP's data (RFC 5415 section 4.3), in clear and in one piece. */
  function capwap(at: number, end: number): number {
    if (at + 8 > end) return closed(Counter.TUNNELS_TRUNCATED);
    const flags = view.getUint32(at);
    if (flags >>> 24 !== 0 || (flags & 0x88) !== 0) return closed(Counter.TUNNELS_UNREAD);
    // A native frame, of 802.11 where the binding says so, or Ethernet.
    const native = (flags & 0x100) !== 0;
    if (native && ((flags >>> 9) & 0x1f) !== 1) return closed(Counter.TUNNELS_UNREAD);
    inside = native ? Inside.WIFI : EtherType.BRIDGING;
    return at + ((flags >>> 19) & 0x1f) * 4;
  }

  /** TZSP: version 1, a received or sent packet, the kind of its frame, then tags up to one of type 1. */
  function tzsp(at: number, end: number): number {
    if (at + 4 > end) return closed(Counter.TUNNELS_TRUNCATED);
    if (view.getUint8(at) !== 1) return closed(Counter.TUNNELS_MALFORMED);
    const kind = TZSP_KINDS[view.getUint16(at + 2)];
    if (view.getUint8(at + 1) > 1 || kind === undefined) return closed(Counter.TUNNELS_UNREAD);
    inside = kind;
    for (let next = at + 4; next < end; ) {
      const tag = view.getUint8(next);
      if (tag === 1) return next + 1;
      if (tag === 0) next++;
      else if (next + 2 > end) break;
      else next += 2 + view.getUint8(next + 1);
    }
    return closed(Counter.TUNNELS_TRUNCATED);
  }

  function read(tunnel: number, at: number, end: number): number {
    switch (tunnel) {
      case Tunnel.GRE:
        return gre(at, end);
      case Tunnel.VXLAN:
        return vxlan(at, end);
      case Tunnel.GENEVE:
        return geneve(at, end);
      case Tunnel.GTP_U:
        return gtpU(at, end);
      case Tunnel.TEREDO:
        return teredo(at, end);
      case Tunnel.ETHER_IP:
        return etherIp(at, end);
      case Tunnel.L2TP:
        return l2tp(at, end);
      case Tunnel.AYIYA:
        return ayiya(at, end);
      case Tunnel.CAPWAP:
        return capwap(at, end);
      case Tunnel.TZSP:
        return tzsp(at, end);
      case Tunnel.MPLS:
        inside = EtherType.MPLS;
        return at;
      default:
        inside = tunnel === Tunnel.IPV4 ? EtherType.IPV4 : EtherType.IPV6;
        return at;
    }
  }

  return { read, inside: () => inside };
}
