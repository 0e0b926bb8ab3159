/**
 * Link layers: from the start of a frame to its IP header, for every link type of {@link LinkType}. What may lie between is
 * ether.ts's, 802.11 is wifi.ts's.
 *
 * The fast path of decode.ts handles plain Ethernet; this is for the rest, so it favours plain reading over speed. Every
 * length is checked before a byte is read.
 */
import { Counter } from '../stats/counters.ts';
import { type EtherReader, EtherType } from './ether.ts';
import { LinkType, type PacketMemory, Pkt } from './layout.ts';
import { createWifiReader } from './wifi.ts';
import type { WifiFragmentTable } from './wifi-fragments.ts';

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
  /** Reads the frame of link type `type` at `at`; no byte at or behind `end` is there. */
  linked(p: number, type: number, at: number, end: number): boolean;
  /** Reads an 802.11 frame inside CAPWAP. */
  tunnelledWifi(p: number, at: number, end: number): boolean;
  /** Reads the next packet of the aggregate in row `p`, at `at`. */
  subframe(p: number, at: number): boolean;
  /** Where a packet begins behind the one just read, in an aggregate of several (802.11 A-MSDU); 0 when there is none. */
  next(): number;
  /** Where the packet just read ends on the wire, if it is in an aggregate, else 0. */
  packetEnd(): number;
  /** Where the packet just read ends, if its frame came in fragments and lies in the slab, else 0. */
  assembledEnd(): number;
}

export function createLinkReader(
  memory: PacketMemory,
  pkt: Int32Array,
  reader: EtherReader,
  fragments: WifiFragmentTable | undefined,
): LinkReader {
  const { view } = memory;
  const { ether, ppp, ip, fail } = reader;
  const wifi = createWifiReader(memory, pkt, reader, fragments);

  /** BSD loopback: an address family in the byte order of the machine that captured. */
  function family(p: number, at: number, end: number, header = 4): boolean {
    if (at + header > end) return fail(Counter.TRUNCATED_LINK);
    const value = view.getUint32(at, view.getUint16(at) !== 0);
    switch (value) {
      case 2:
        return ether(p, EtherType.IPV4, at + header, end);
      // AF_INET6 of Linux, NetBSD and OpenBSD, FreeBSD, macOS.
      case 10:
      case 24:
      case 28:
      case 30:
        return ether(p, EtherType.IPV6, at + header, end);
      default:
        // Some writers put an EtherType here, in all four bytes or in the last two.
        if (value < 1536) return fail(Counter.NOT_IP);
        return ether(p, value > 0xffff ? view.getUint16(at + 2) : value, at + header, end);
    }
  }

  /** Cisco's HDLC: address (unicast or broadcast), control 0, EtherType. */
  function ciscoHdlc(p: number, at: number, end: number): boolean {
    if (at + 4 > end) return fail(Counter.TRUNCATED_LINK);
    return ether(p, view.getUint16(at + 2), at + 4, end);
  }

  /** A packet of the Linux netfilter log: attributes in the capturing machine's order, of which 9 holds the packet. */
  function nflog(p: number, at: number, end: number): boolean {
    let attribute = at + 4;
    while (attribute + 4 <= end) {
      const littleEndian = view.getUint8(attribute + 3) === 0;
      const length = view.getUint16(attribute, littleEndian);
      if (length < 4) return fail(Counter.NOT_IP);
      if (view.getUint16(attribute + 2, littleEndian) === 9) return ip(p, attribute + 4, end);
      attribute += (length + 3) & ~3;
    }
    return fail(Counter.TRUNCATED_LINK);
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

  /** A frame of link type `type` behind a header of `length` bytes, `least` of which were read. */
  function wrapped(p: number, type: number, at: number, length: number, least: number, end: number): boolean {
    if (length < least || length > end - at) return fail(Counter.TRUNCATED_LINK);
    const again = type === LinkType.PPI || type === LinkType.PKTAP;
    return again ? fail(Counter.NOT_IP) : linked(p, type, at + length, end);
  }

  /** Token ring (IEEE 802.5): control, addresses, perhaps a route, which the source address tells, then LLC. */
  function tokenRing(p: number, at: number, end: number): boolean {
    if (at + 16 > end) return fail(Counter.TRUNCATED_LINK);
    const route = (view.getUint8(at + 8) & 0x80) !== 0 ? view.getUint8(at + 14) & 0x1f : 0;
    return ether(p, 0, at + 14 + route, end);
  }

  /** OpenBSD's log of its firewall: a header whose first byte is its length without padding, the family behind it. */
  function firewall(p: number, at: number, end: number): boolean {
    if (at + 2 > end) return fail(Counter.TRUNCATED_LINK);
    const body = at + ((view.getUint8(at) + 3) & ~3);
    return view.getUint8(at) < 2 ? fail(Counter.NOT_IP) : ip(p, body, end);
  }

  /** A record of Endace's cards: a header of 16 bytes, more of 8 bytes each, then the frame, Ethernet two bytes on. */
  function erf(p: number, at: number, end: number): boolean {
    if (at + 16 > end) return fail(Counter.TRUNCATED_LINK);
    const type = view.getUint8(at + 8);
    let next = at + 16;
    for (let more = type >>> 7 !== 0; more; next += 8) {
      if (next + 8 > end) return fail(Counter.TRUNCATED_LINK);
      more = view.getUint8(next) >>> 7 !== 0;
    }
    // Ethernet, plain, with a colour, and of several cards' channels.
    const ethernet = [2, 11, 16, 20].includes(type & 0x7f);
    return ethernet ? linked(p, LinkType.ETHERNET, next + 2, end) : fail(Counter.NOT_IP);
  }

  /** Juniper's header: a magic number, flags, perhaps extensions with their length. */
  function juniper(p: number, at: number, end: number): boolean {
    if (at + 6 > end) return fail(Counter.TRUNCATED_LINK);
    const flags = view.getUint8(at + 3);
    if (view.getUint32(at) >>> 8 !== 0x4d4743 || (flags & 0x02) !== 0) return fail(Counter.NOT_IP);
    const header = (flags & 0x80) !== 0 ? 6 + view.getUint16(at + 4) : 4;
    return linked(p, LinkType.ETHERNET, at + header, end);
  }

  function frame(p: number): boolean {
    const at = pkt[p + Pkt.OFFSET];
    reader.begin();
    wifi.begin();
    const isIp = linked(p, pkt[p + Pkt.LINK] & 0xffff, at, at + pkt[p + Pkt.CAPLEN]);
    wifi.enterTunnels();
    return isIp;
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
        return ip(p, at, end);
      case LinkType.IPV4:
        return ether(p, EtherType.IPV4, at, end);
      case LinkType.IPV6:
        return ether(p, EtherType.IPV6, at, end);
      case LinkType.NULL:
      case LinkType.LOOP:
        return family(p, at, end);
      case LinkType.LINUX_SLL:
        if (at + 16 > end) return fail(Counter.TRUNCATED_LINK);
        return ether(p, sllType(view.getUint16(at + 14)), at + 16, end);
      case LinkType.LINUX_SLL2:
        if (at + 20 > end) return fail(Counter.TRUNCATED_LINK);
        return ether(p, sllType(view.getUint16(at)), at + 20, end);
      case LinkType.IEEE802_11:
        return wifi.frame(p, at, end);
      case LinkType.IEEE802_11_RADIOTAP:
        return wifi.radiotap(p, at, end);
      case LinkType.IEEE802_11_PRISM:
      case LinkType.IEEE802_11_AVS:
        return wifi.monitor(p, at, end);
      case LinkType.PPI: {
        // Little-endian: the header's length at byte 2, the link type of what follows at byte 4.
        if (at + 8 > end) return fail(Counter.TRUNCATED_LINK);
        return wrapped(p, view.getUint32(at + 4, true), at, view.getUint16(at + 2, true), 8, end);
      }
      case LinkType.PPP:
      case LinkType.PPP_HDLC:
        // Cisco's framing is told from RFC 1662's by its address.
        return at < end && (view.getUint8(at) & 0x7f) === 0x0f ? ciscoHdlc(p, at, end) : ppp(p, at, end);
      case LinkType.PPP_WITH_DIR:
        return ppp(p, at + 1, end);
      case LinkType.PPP_ETHER:
        return ether(p, EtherType.PPPOE_SESSION, at, end);
      case LinkType.C_HDLC:
        return ciscoHdlc(p, at, end);
      case LinkType.FRELAY:
        return frameRelay(p, at, end);
      case LinkType.ATM_RFC1483:
        return reader.llcOverAtm(p, at, end);
      case LinkType.NFLOG:
        return nflog(p, at, end);
      case LinkType.TOKEN_RING:
        return tokenRing(p, at, end);
      case LinkType.FDDI:
        // Frame control and addresses, then LLC.
        return ether(p, 0, at + 13, end);
      case LinkType.MPLS:
        return ether(p, EtherType.MPLS, at, end);
      case LinkType.PFLOG:
        return firewall(p, at, end);
      case LinkType.ENC:
        return family(p, at, end, 12);
      case LinkType.PKTAP: {
        // Little-endian: the header's length, what kind of record this is, the link type of what follows.
        if (at + 12 > end) return fail(Counter.TRUNCATED_LINK);
        return wrapped(p, view.getUint32(at + 8, true), at, view.getUint32(at, true), 12, end);
      }
      case LinkType.ERF:
        return erf(p, at, end);
      case LinkType.JUNIPER_ETHERNET:
        return juniper(p, at, end);
      case LinkType.NETANALYZER:
        return linked(p, LinkType.ETHERNET, at + 4, end);
      case LinkType.NETANALYZER_TRANSPARENT:
        return linked(p, LinkType.ETHERNET, at + 12, end);
      case LinkType.IPOIB:
        // InfiniBand's global header, then that of RFC 4391 section 6: EtherType and two bytes of nothing.
        if (at + 44 > end) return fail(Counter.TRUNCATED_LINK);
        return ether(p, view.getUint16(at + 40), at + 44, end);
      case LinkType.ETHERNET_MPACKET:
        // The preamble, too.
        return linked(p, LinkType.ETHERNET, at + 8, end);
      default:
        return fail(Counter.UNKNOWN_LINK_TYPE);
    }
  }

  return {
    frame,
    linked,
    tunnelledWifi: wifi.tunnelled,
    subframe(p, at) {
      reader.begin();
      return wifi.subframe(p, at, pkt[p + Pkt.OFFSET] + pkt[p + Pkt.CAPLEN]);
    },
    next: wifi.next,
    packetEnd: wifi.packetEnd,
    assembledEnd: wifi.assembledEnd,
  };
}

/** Cooked captures use 4 for 802.2 LLC and 1 for 802.3 without one; other small numbers are no EtherTypes. */
function sllType(protocol: number): number {
  return protocol === 4 ? 0 : protocol < 1536 ? 0xffff : protocol;
}
