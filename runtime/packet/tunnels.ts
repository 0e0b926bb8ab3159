/**
 * Tunnels: what lies behind a tunnel's header is read in place of the headers outside, so that a packet belongs to its
 * innermost connection. Stands between the IP layer and TCP and UDP where `[decap]` asks for it, and costs nothing where
 * it does not.
 *
 * A tunnel that cannot be opened (cut off, malformed, without an IP packet inside, too deep) leaves the packet what it
 * is without decapsulation, and is counted by reason. Ethernet fields stay those of the frame on the wire.
 */
import { Counter, type Counters } from '../stats/counters.ts';
import { type DecapConfig, TEREDO_PORT } from './decap-config.ts';
import { Meta, type PacketMemory, Pkt } from './layout.ts';
import { EtherType, type LinkReader } from './link.ts';
import type { NetworkReader } from './network.ts';
import { IpProto, type TransportReader } from './transport.ts';

const enum Tunnel {
  NONE = 0,
  IPV4,
  IPV6,
  GRE,
  VXLAN,
  GENEVE,
  GTP_U,
  TEREDO,
}

/** What a tunnel's header announces: an EtherType, or one of these. */
const enum Inside {
  /** IP of the version that its first nibble tells. */
  IP = -1,
  PPP = -2,
}

/** GRE's protocol numbers beside EtherTypes: PPTP (RFC 2637 section 4.1) and ERSPAN of types I and II, and III. */
const enum GreProtocol {
  PPP = 0x880b,
  ERSPAN = 0x88be,
  ERSPAN_3 = 0x22eb,
}

/** Words of a row that the decoder fills and a tunnel's inside replaces. */
const ROW_FIRST = Pkt.L3 as number;
const ROW_WORDS = (Pkt.TS as number) - ROW_FIRST;

export interface TunnelParts {
  readonly memory: PacketMemory;
  readonly pkt: Int32Array;
  readonly counters: Counters;
  readonly link: LinkReader;
  /** Reads TCP and UDP. */
  readonly readTransport: TransportReader;
  /** Reads the IP header at `Pkt.L3` and what follows; comes back here for the transport inside. */
  readonly readNetwork: NetworkReader;
}

/** A transport reader that opens tunnels first. */
export function createTunnelReader(parts: TunnelParts, config: DecapConfig): TransportReader {
  const { pkt, counters, link, readTransport, readNetwork } = parts;
  const { view } = parts.memory;
  /** Tunnel by UDP port, of the receiver and of the sender. */
  const toPort = new Uint8Array(65536);
  const fromPort = new Uint8Array(65536);
  if (config.teredo) toPort[TEREDO_PORT] = fromPort[TEREDO_PORT] = Tunnel.TEREDO;
  if (config.vxlan) for (const port of config.vxlan_ports) toPort[port] = Tunnel.VXLAN;
  if (config.geneve) for (const port of config.geneve_ports) toPort[port] = Tunnel.GENEVE;
  if (config.gtp_u) for (const port of config.gtp_u_ports) toPort[port] = Tunnel.GTP_U;
  const maxDepth = config.max_depth;
  const saved = new Int32Array(ROW_WORDS * (maxDepth + 1));
  let depth = 0;
  /** What the header last read announces: an EtherType or {@link Inside}. */
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
    } else {
      inside = protocol === GreProtocol.PPP ? Inside.PPP : protocol;
    }
    return next;
  }

  /** VXLAN: the flag that the network identifier is valid must be set (RFC 7348 section 5). */
  function vxlan(at: number, end: number): number {
    if (at + 8 > end) return closed(Counter.TUNNELS_TRUNCATED);
    if ((view.getUint8(at) & 0x08) === 0) return closed(Counter.TUNNELS_MALFORMED);
    inside = EtherType.BRIDGING;
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

  /** Offset behind the tunnel's header, with `inside` set; -1, counted, when it cannot be read. */
  function header(tunnel: number, at: number, end: number): number {
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
      default:
        inside = tunnel === Tunnel.IPV4 ? EtherType.IPV4 : EtherType.IPV6;
        return at;
    }
  }

  /** Finds the IP header that follows at `at`: sets `Pkt.L3`. False, counted, when there is none that can be read. */
  function findIp(p: number, at: number, end: number): boolean {
    if (inside === Inside.IP) {
      const version = at < end ? view.getUint8(at) >>> 4 : 0;
      inside = version === 6 ? EtherType.IPV6 : version === 4 ? EtherType.IPV4 : 0xffff;
    }
    if (!(inside === Inside.PPP ? link.ppp(p, at, end) : link.ether(p, inside, at, end))) {
      // The frame is not lost: that reason is not its own.
      const reason = link.reason();
      counters[reason]--;
      closed(
        reason === Counter.TRUNCATED_LINK
          ? Counter.TUNNELS_TRUNCATED
          : reason === Counter.NOT_IP
            ? Counter.TUNNELS_UNREAD
            : Counter.TUNNELS_MALFORMED,
      );
      return false;
    }
    const l3 = pkt[p + Pkt.L3];
    const isV4 = view.getUint8(l3) >>> 4 === 4;
    if (l3 + (isV4 ? 20 : 40) > end) return closed(Counter.TUNNELS_TRUNCATED) > 0;
    if (!isV4) return true;
    const length = (view.getUint8(l3) & 0xf) << 2;
    const total = view.getUint16(l3 + 2);
    return (length >= 20 && (total === 0 || total >= length)) || closed(Counter.TUNNELS_MALFORMED) > 0;
  }

  /**
   * Reads on inside the tunnel whose header is at `at`. False if it stays closed: the row is then as it was. Bytes at
   * and behind `capEnd` were not captured, and at `end` the tunnel's payload is over.
   */
  function open(p: number, tunnel: number, at: number, capEnd: number, end: number): boolean {
    if (depth >= maxDepth) return closed(Counter.TUNNELS_TOO_DEEP) > 0;
    const next = header(tunnel, at, capEnd);
    if (next < 0) return false;
    const row = p + ROW_FIRST;
    const kept = depth * ROW_WORDS;
    for (let i = 0; i < ROW_WORDS; i++) saved[kept + i] = pkt[row + i];
    if (!findIp(p, next, capEnd)) {
      for (let i = 0; i < ROW_WORDS; i++) pkt[row + i] = saved[kept + i];
      return false;
    }
    counters[Counter.DECAPSULATED]++;
    const outer = saved[kept + Pkt.META - ROW_FIRST];
    if ((outer & (Meta.L4 | Meta.MALFORMED)) === (Meta.L4 | Meta.MALFORMED)) counters[Counter.MALFORMED]--;
    for (let word = Pkt.L4 as number; word < Pkt.TS; word++) pkt[p + word] = 0;
    pkt[p + Pkt.META] = outer & Meta.VLAN;
    pkt[p + Pkt.ETHERTYPE] = saved[kept + Pkt.ETHERTYPE - ROW_FIRST];
    depth++;
    readNetwork(p, capEnd, end);
    depth--;
    return true;
  }

  /** The tunnel that an IP protocol number announces. */
  function tunnelOf(proto: number): number {
    if (proto === IpProto.GRE) return config.gre ? Tunnel.GRE : Tunnel.NONE;
    if (!config.ipip) return Tunnel.NONE;
    return proto === IpProto.IPV4 ? Tunnel.IPV4 : proto === IpProto.IPV6 ? Tunnel.IPV6 : Tunnel.NONE;
  }

  return function readThroughTunnels(p, bits, l4, ipEnd, capEnd) {
    const proto = bits & Meta.PROTO_MASK;
    if (proto === IpProto.UDP) {
      readTransport(p, bits, l4, ipEnd, capEnd);
      if ((pkt[p + Pkt.META] & Meta.L4) === 0) return;
      const ports = pkt[p + Pkt.PORTS];
      const tunnel = toPort[ports & 0xffff] || fromPort[ports >>> 16];
      if (tunnel === Tunnel.NONE) return;
      const payload = pkt[p + Pkt.PAYLOAD];
      const end = payload + pkt[p + Pkt.PAYLEN];
      open(p, tunnel, payload, Math.min(capEnd, end), end);
      return;
    }
    const tunnel = proto === IpProto.TCP ? Tunnel.NONE : tunnelOf(proto);
    if (tunnel !== Tunnel.NONE && open(p, tunnel, l4, Math.min(capEnd, ipEnd), ipEnd)) return;
    readTransport(p, bits, l4, ipEnd, capEnd);
  };
}
