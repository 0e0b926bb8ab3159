/**
 * Tunnels: what lies behind a tunnel's header is read in place of the headers outside, so that a packet belongs to its
 * innermost connection. Stands between the IP layer and TCP and UDP where `[decap]` asks for it, and costs nothing where
 * it does not.
 *
 * A tunnel that cannot be opened (cut off, malformed, without an IP packet inside, too deep) leaves the packet what it
 * is without decapsulation, and is counted by reason. Ethernet fields stay those of the frame on the wire.
 */
import { Counter, type Counters } from '../stats/counters.ts';
import { type DecapConfig, tunnelPorts } from './decap-config.ts';
import type { EtherReader } from './ether.ts';
import { LinkType, Meta, type PacketMemory, Pkt } from './layout.ts';
import type { LinkReader } from './link.ts';
import type { NetworkReader } from './network.ts';
import { IpProto, type TransportReader } from './transport.ts';
import { createTunnelHeaders, Inside, OVER_UDP, Tunnel } from './tunnel-headers.ts';

/** Words of a row that the decoder fills and a tunnel's inside replaces. */
const ROW_FIRST = Pkt.L3 as number;
const ROW_WORDS = (Pkt.TS as number) - ROW_FIRST;

export interface TunnelParts {
  readonly memory: PacketMemory;
  readonly pkt: Int32Array;
  readonly counters: Counters;
  readonly link: LinkReader;
  readonly ether: EtherReader;
  /** Reads TCP and UDP. */
  readonly readTransport: TransportReader;
  /** Reads the IP header at `Pkt.L3` and what follows; comes back here for the transport inside. */
  readonly readNetwork: NetworkReader;
}

/** A transport reader that opens tunnels first. */
export function createTunnelReader(parts: TunnelParts, config: DecapConfig): TransportReader {
  const { pkt, counters, ether, link, readTransport, readNetwork } = parts;
  const { view } = parts.memory;
  /** Tunnel by UDP port, of the receiver and of the sender. */
  const toPort = new Uint8Array(65536);
  const fromPort = new Uint8Array(65536);
  for (const { kind, port, from } of tunnelPorts(config)) {
    toPort[port] = OVER_UDP[kind] ?? Tunnel.NONE;
    if (from) fromPort[port] = toPort[port];
  }
  const headers = createTunnelHeaders(view, counters);
  const maxDepth = config.max_depth;
  const saved = new Int32Array(ROW_WORDS * (maxDepth + 1));
  let depth = 0;
  /** Counts why a tunnel stays closed; the result stands for the offset that there is not. */
  function closed(reason: Counter): number {
    counters[reason]++;
    return -1;
  }

  /** Reads on at `at` as the tunnel's header said. True if IP follows. */
  function readLink(p: number, inside: number, at: number, end: number): boolean {
    switch (inside) {
      case Inside.IP:
        return ether.ip(p, at, end);
      case Inside.PPP:
        return ether.ppp(p, at, end);
      case Inside.WIFI:
        return link.tunnelledWifi(p, at, end);
      case Inside.PRISM:
        return link.linked(p, LinkType.IEEE802_11_PRISM, at, end);
      case Inside.AVS:
        return link.linked(p, LinkType.IEEE802_11_AVS, at, end);
      default:
        return ether.ether(p, inside, at, end);
    }
  }

  /** Finds the IP header that follows at `at`: sets `Pkt.L3`. False, counted, when there is none that can be read. */
  function findIp(p: number, at: number, end: number): boolean {
    const inside = headers.inside();
    if (!readLink(p, inside, at, end)) {
      // The frame is not lost: that reason is not its own.
      const reason = ether.reason();
      counters[reason]--;
      if (reason === Counter.TRUNCATED_LINK) closed(Counter.TUNNELS_TRUNCATED);
      else if (reason === Counter.BAD_IPV4_HEADER || reason === Counter.BAD_IPV6_HEADER)
        closed(Counter.TUNNELS_MALFORMED);
      else closed(Counter.TUNNELS_UNREAD);
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
    const next = headers.read(tunnel, at, capEnd);
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
    pkt[p + Pkt.META] = outer & Meta.OF_FRAME;
    pkt[p + Pkt.ETHERTYPE] = saved[kept + Pkt.ETHERTYPE - ROW_FIRST];
    depth++;
    readNetwork(p, capEnd, end);
    depth--;
    return true;
  }

  /** The tunnel that an IP protocol number announces. */
  function tunnelOf(proto: number): number {
    if (proto === IpProto.GRE) return config.gre ? Tunnel.GRE : Tunnel.NONE;
    if (proto === IpProto.ETHER_IP) return config.etherip ? Tunnel.ETHER_IP : Tunnel.NONE;
    if (proto === IpProto.MPLS) return config.mpls ? Tunnel.MPLS : Tunnel.NONE;
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
