/**
 * One TCP segment or UDP datagram in every wrapping that the decoder reads: link layers, what lies between them and IP, and
 * tunnels. Each carries `hello`.
 */
import * as make from './frames.ts';
import { concat, u16, u32 } from './frames.ts';

export const TCP = { sport: 1234, dport: 80, seq: 0x90000001, ack: 5, flags: make.ACK | make.PSH, payload: 'hello' };
export const V6 = { src: '2001:db8::1', dst: '2001:db8::2' };
export const packet = make.ip(6, make.tcpSegment(TCP));
export const packet6 = make.ip(6, make.tcpSegment(TCP), V6);
export const snap = concat(Uint8Array.of(0xaa, 0xaa, 3, 0, 0, 0), u16(0x0800), packet);

/** A packet of the netfilter log behind an attribute of five bytes, in either byte order. */
function nflog(littleEndian: boolean): Uint8Array {
  const number = (n: number) => (littleEndian ? Uint8Array.of(n, 0) : Uint8Array.of(0, n));
  const prefix = concat(number(5), number(10), Uint8Array.of(0, 0, 0, 0));
  return concat(Uint8Array.of(2, 0, 0, 0), prefix, number(packet.length + 4), number(9), packet);
}

/** The header of a 802.11 data frame from an access point; `control` is its first byte, QoS control follows behind 0x88. */
export function dataFrame(control: 0x08 | 0x88, qos = 0): Uint8Array {
  const header = concat(Uint8Array.of(control, 0x02), new Uint8Array(22));
  return control === 0x08 ? header : concat(header, Uint8Array.of(qos, 0));
}

export interface WifiFragmentOptions {
  /** Sequence number. */
  readonly sequence?: number;
  /** Last byte of the transmitter's address. */
  readonly sender?: number;
  /** Traffic identifier of a QoS frame. */
  readonly tid?: number;
  /** What is in front of each fragment and behind it: a radio's header, a check sequence. */
  readonly before?: Uint8Array;
  readonly behind?: Uint8Array;
  readonly retry?: boolean;
}

/** 802.11 fragments of `body`, `size` bytes each (IEEE 802.11-2020 section 10.5). */
export function wifiFragments(body: Uint8Array, size: number, options: WifiFragmentOptions = {}): Uint8Array[] {
  const { sequence = 100, sender = 2, tid, before = new Uint8Array(0), behind = new Uint8Array(0), retry } = options;
  const count = Math.ceil(body.length / size);
  return Array.from({ length: count }, (_, i) => {
    const flags = 0x02 | (i < count - 1 ? 0x04 : 0) | (retry ? 0x08 : 0);
    const addresses = [1, sender, 3].map((last) => Uint8Array.of(0, 0, 0x5e, 0, 1, last));
    const control = Uint8Array.of(((sequence & 15) << 4) | i, sequence >> 4);
    const header = concat(Uint8Array.of(tid === undefined ? 0x08 : 0x88, flags, 0, 0), ...addresses, control);
    const qos = tid === undefined ? new Uint8Array(0) : Uint8Array.of(tid, 0);
    return concat(before, header, qos, body.slice(i * size, (i + 1) * size), behind);
  });
}

/** An Ethernet frame between addresses of a known maker: over MPLS nothing but that tells tshark what it is. */
const known = concat(u16(0x0000, 0x5e00, 0x0101, 0x0000, 0x5e00, 0x0102, 0x0800), packet);
/** Token ring's and FDDI's addresses. */
const ADDRESSES = u16(0x0000, 0x5e00, 0x0101, 0x0000, 0x5e00, 0x0102);
const EMPTY = (length: number) => new Uint8Array(length);

/** A frame of every link type, with the same segment in it. */
export const LINKS: readonly [name: string, link: number, frame: Uint8Array][] = [
  ['VLAN', 1, make.ethernet(0x8100, concat(u16(7, 0x0800), packet))],
  ['QinQ', 1, make.ethernet(0x88a8, concat(u16(7, 0x8100, 8, 0x86dd), packet6))],
  ['old QinQ', 1, make.ethernet(0x9100, concat(u16(7, 0x8100, 8, 0x0800), packet))],
  ['MPLS, two labels', 1, make.ethernet(0x8847, concat(u32(0x00010040, 0x00020140), packet))],
  ['MPLS, IPv6', 1, make.ethernet(0x8847, concat(u32(0x00020140), packet6))],
  ['MPLS pseudowire', 1, make.ethernet(0x8847, concat(u32(0x00020140, 0), known))],
  ['MPLS pseudowire without control word', 1, make.ethernet(0x8847, concat(u32(0x00020140), known))],
  ['PPPoE', 1, make.ethernet(0x8864, concat(u16(0x1100, 1, packet.length + 2, 0x0021), packet))],
  ['PPPoE, IPv6', 1, make.ethernet(0x8864, concat(u16(0x1100, 1, packet6.length + 2, 0x0057), packet6))],
  [
    'PPPoE, compressed protocol',
    1,
    make.ethernet(0x8864, concat(u16(0x1100, 1, packet.length + 1), Uint8Array.of(0x21), packet)),
  ],
  ['jumbo LLC', 1, make.ethernet(0x8870, snap)],
  ['SNAP in a VLAN', 1, make.ethernet(0x8100, concat(u16(5, snap.length), snap))],
  ['VLAN in SNAP', 1, make.ethernet(snap.length + 4, concat(snap.slice(0, 6), u16(0x8100, 5, 0x0800), packet))],
  [
    'SNAP of 802.1H',
    1,
    make.ethernet(snap.length, concat(Uint8Array.of(0xaa, 0xaa, 3, 0, 0, 0xf8), u16(0x0800), packet)),
  ],
  ['TRILL', 1, make.ethernet(0x22f3, concat(u16(1, 1, 2), make.ethernet(0x0800, packet)))],
  ['802.1BR', 1, make.ethernet(0x893f, concat(EMPTY(6), u16(0x0800), packet))],
  ['token ring', 6, concat(Uint8Array.of(0x10, 0x40), ADDRESSES, snap)],
  [
    'token ring, routed',
    6,
    concat(Uint8Array.of(0x10, 0x40), u16(0, 0x5e00, 0x0101, 0x8000, 0x5e00, 0x0102), u16(0x0630, 1, 2), snap),
  ],
  ['FDDI', 10, concat(Uint8Array.of(0x50), ADDRESSES, snap)],
  ['pflog', 117, concat(Uint8Array.of(61, 2, 0, 0), EMPTY(60), packet)],
  ['enc', 109, concat(Uint8Array.of(2, 0, 0, 0), u32(1, 0), packet)],
  ['pktap', 258, concat(Uint8Array.of(108, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0), EMPTY(96), make.ethernet(0x0800, packet))],
  [
    'ERF',
    197,
    concat(
      EMPTY(8),
      Uint8Array.of(2, 0),
      u16(packet.length + 32, 0, packet.length + 14, 0),
      make.ethernet(0x0800, packet),
    ),
  ],
  [
    'Juniper Ethernet',
    178,
    concat(Uint8Array.of(0x4d, 0x47, 0x43, 0x80, 0, 4, 1, 1, 4, 0), make.ethernet(0x0800, packet)),
  ],
  ['IP over InfiniBand', 242, concat(EMPTY(40), u16(0x0800, 0), packet)],
  ['IPv6 over InfiniBand', 242, concat(EMPTY(40), u16(0x86dd, 0), packet6)],
  ['Ethernet with preamble', 274, concat(EMPTY(7).fill(0x55), Uint8Array.of(0xd5), make.ethernet(0x0800, packet))],
  ['LLC/SNAP', 1, make.ethernet(snap.length, snap)],
  ['LLC of IP itself', 1, make.ethernet(packet.length + 3, concat(Uint8Array.of(6, 6, 3), packet))],
  ['backbone bridge', 1, make.ethernet(0x88e7, concat(u32(1), make.ethernet(0x0800, packet)))],
  ['VN-Tag', 1, make.ethernet(0x8926, concat(u32(0), u16(0x86dd), packet6))],
  ['Cisco metadata', 1, make.ethernet(0x8909, concat(u16(0x0101, 1, 5, 0x0800), packet))],
  ['MACsec in clear', 1, make.ethernet(0x88e5, concat(u16(0, 0, 1, 0x0800), packet))],
  ['MACsec with channel', 1, make.ethernet(0x88e5, concat(u16(0x2000, 0, 1, 0, 0, 0, 1, 0x0800), packet))],
  ['NSH', 1, make.ethernet(0x894f, concat(u16(0x0fc2, 0x0201), u32(0x1ff), packet))],
  ['NSH, Ethernet', 1, make.ethernet(0x894f, concat(u16(0x0fc2, 0x0203), u32(0x1ff), make.ethernet(0x0800, packet)))],
  ['frame relay', 107, concat(Uint8Array.of(0x18, 0x41, 3, 0xcc), packet)],
  ['frame relay, padded, IPv6', 107, concat(Uint8Array.of(0x18, 0x41, 3, 0, 0x8e), packet6)],
  ['frame relay, long address', 107, concat(Uint8Array.of(0x18, 0x40, 0, 1, 3, 0xcc), packet)],
  ['frame relay, SNAP', 107, concat(Uint8Array.of(0x18, 0x41, 3, 0, 0x80, 0, 0, 0), u16(0x0800), packet)],
  [
    'frame relay, Ethernet',
    107,
    concat(Uint8Array.of(0x18, 0x41, 3, 0, 0x80, 0, 0x80, 0xc2, 0, 7), make.ethernet(0x0800, packet)),
  ],
  ['raw', 101, packet],
  ['raw, IPv6', 101, packet6],
  ['IPv4', 228, packet],
  ['IPv6', 229, packet6],
  ['null, little endian', 0, concat(Uint8Array.of(2, 0, 0, 0), packet)],
  ['null, big endian, IPv6', 0, concat(Uint8Array.of(0, 0, 0, 30), packet6)],
  ['loop', 108, concat(u32(2), packet)],
  ['PPP', 9, concat(u16(0xff03, 0x0021), packet)],
  ['PPP, compressed', 9, concat(Uint8Array.of(0x21), packet)],
  ['PPP, bridged', 9, concat(u16(0xff03, 0x0031), u16(0x0001), make.ethernet(0x0800, packet))],
  ['PPP, multilink', 9, concat(u16(0xff03, 0x003d), u32(0xc0000001), Uint8Array.of(0x21), packet)],
  ['Cisco HDLC as plain PPP', 9, concat(u16(0x0f00, 0x0800), packet)],
  ['PPP in HDLC', 50, concat(u16(0xff03, 0x0057), packet6)],
  ['Cisco HDLC as PPP', 50, concat(u16(0x0f00, 0x0800), packet)],
  ['Cisco HDLC', 104, concat(u16(0x8f00, 0x86dd), packet6)],
  ['PPP with direction', 204, concat(Uint8Array.of(1), u16(0xff03, 0x0021), packet)],
  ['PPPoE without Ethernet', 51, concat(u16(0x1100, 1, packet.length + 2, 0x0021), packet)],
  ['LLC over ATM', 100, snap],
  [
    'bridged over ATM',
    100,
    concat(Uint8Array.of(0xaa, 0xaa, 3, 0, 0x80, 0xc2, 0, 7, 0, 0), make.ethernet(0x0800, packet)),
  ],
  ['netfilter log', 239, nflog(true)],
  ['netfilter log, big endian', 239, nflog(false)],
  ['Prism', 119, concat(Uint8Array.of(0x44, 0, 0, 0, 144, 0, 0, 0), new Uint8Array(136), dataFrame(0x08), snap)],
  ['Prism, big endian', 119, concat(u32(0x44, 144), EMPTY(136), dataFrame(0x08), snap)],
  ['AVS', 163, concat(u32(0x80211001, 64), new Uint8Array(56), dataFrame(0x08), snap)],
  ['PPI', 192, concat(Uint8Array.of(0, 0, 8, 0, 105, 0, 0, 0), dataFrame(0x08), snap)],
  ['Linux cooked', 113, concat(u16(0, 1, 6, 0, 0, 0, 0, 0x0800), packet)],
  ['Linux cooked with VLAN', 113, concat(u16(0, 1, 6, 0, 0, 0, 0, 0x8100, 5, 0x0800), packet)],
  ['Linux cooked 2', 276, concat(u16(0x86dd, 0), u32(2), new Uint8Array(12), packet6)],
  ['802.11', 105, concat(Uint8Array.of(0x08, 0x01), new Uint8Array(22), snap)],
  ['802.11 QoS', 105, concat(Uint8Array.of(0x88, 0x02), new Uint8Array(24), snap)],
  ['802.11 strictly ordered', 105, concat(Uint8Array.of(0x08, 0x82), EMPTY(22), snap)],
  ['802.11 QoS with HT control', 105, concat(Uint8Array.of(0x88, 0x82), EMPTY(28), snap)],
  ['802.11 QoS, four addresses', 105, concat(Uint8Array.of(0x88, 0x03), EMPTY(30), snap)],
  ['802.11 four addresses', 105, concat(Uint8Array.of(0x08, 0x03), new Uint8Array(28), snap)],
  [
    'radiotap with two words of fields',
    127,
    concat(Uint8Array.of(0, 0, 13, 0, 2, 0, 0, 0xa0, 0, 0, 0, 0, 0), dataFrame(0x88), snap),
  ],
  ['radiotap', 127, concat(Uint8Array.of(0, 0, 8, 0, 0, 0, 0, 0, 0x08, 0x01), new Uint8Array(22), snap)],
  [
    'radiotap with time, flags and padding',
    127,
    concat(
      Uint8Array.of(0, 0, 17, 0, 3, 0, 0, 0),
      new Uint8Array(8),
      Uint8Array.of(0x20),
      Uint8Array.of(0x88, 0x02),
      new Uint8Array(24),
      new Uint8Array(2),
      snap,
    ),
  ],
];

/** An extension header of eight bytes, `next` behind it: padding, or what the type makes of zeros. */
const extension = (next: number) => concat(Uint8Array.of(next, 0, 1, 4), EMPTY(4));
/** Behind the IPv6 header, extension headers of the `types` in turn, each of eight bytes, and the segment. */
const extended = (...types: readonly number[]) =>
  make.ethernet(
    0x86dd,
    make.ip(6, make.tcpSegment(TCP), {
      ...V6,
      firstExtension: types[0] ?? 6,
      options: concat(...types.map((_, i) => extension(types[i + 1] ?? 6))),
    }),
  );
const v6With = (first: number, header: Uint8Array) =>
  make.ethernet(0x86dd, make.ip(6, make.tcpSegment(TCP), { ...V6, firstExtension: first, options: header }));
const v4With = (options: Uint8Array) => make.ethernet(0x0800, make.ip(6, make.tcpSegment(TCP), { options }));
/** A jumbogram (RFC 2675): its length is in an option, and more than the header could say. */
const jumbo = (() => {
  const segment = make.tcpSegment({ ...TCP, payload: EMPTY(66_000) });
  const option = concat(Uint8Array.of(6, 0, 0xc2, 4), u32(8 + segment.length));
  return make.ethernet(0x86dd, make.ip(6, segment, { ...V6, firstExtension: 0, options: option, length: 0 }));
})();

/** IP with everything that may stand between it and the segment; the jumbogram's is larger than the others'. */
export const NETWORKS: readonly [name: string, link: number, frame: Uint8Array][] = [
  ['IPv4, record route', 1, v4With(concat(Uint8Array.of(7, 7, 4), EMPTY(5)))],
  ['IPv4, forty bytes of options', 1, v4With(EMPTY(40).fill(1))],
  ['IPv4, router alert', 1, v4With(Uint8Array.of(0x94, 4, 0, 0))],
  ['IPv4, padded frame', 1, concat(make.ethernet(0x0800, packet), EMPTY(20))],
  ['IPv4 in a VLAN, padded frame', 1, concat(make.ethernet(0x8100, concat(u16(5, 0x0800), packet)), EMPTY(12))],
  ['802.3, padded frame', 1, concat(make.ethernet(snap.length, snap), EMPTY(12))],
  [
    'IPv4, authentication header',
    1,
    make.ethernet(0x0800, make.ip(51, concat(Uint8Array.of(6, 4), EMPTY(22), make.tcpSegment(TCP)))),
  ],
  ['IPv6, hop-by-hop', 1, extended(0)],
  ['IPv6, routing', 1, v6With(43, concat(Uint8Array.of(6, 2, 0, 0, 0, 0, 0, 0), make.address('2001:db8::2')))],
  ['IPv6, segment routing', 1, v6With(43, concat(Uint8Array.of(6, 2, 4, 0, 0, 0, 0, 0), make.address('2001:db8::2')))],
  ['IPv6, destination options', 1, extended(60)],
  ['IPv6, all of them', 1, concat(extended(0, 60, 60))],
  ['IPv6, a long chain', 1, extended(0, ...new Array<number>(60).fill(60))],
  ['IPv6, atomic fragment', 1, v6With(44, concat(Uint8Array.of(6, 0), u16(0), u32(9)))],
  ['IPv6, authentication header', 1, v6With(51, concat(Uint8Array.of(6, 4), EMPTY(22)))],
  ['IPv6, jumbogram', 1, jumbo],
];

/** The packets of an aggregate (802.11 A-MSDU), with destination, source and length each, padded to four bytes. */
export function aggregate(...packets: readonly Uint8Array[]): Uint8Array {
  return concat(
    ...packets.map((packet, i) => {
      const subframe = concat(ADDRESSES, u16(packet.length), packet);
      return i === packets.length - 1 ? subframe : concat(subframe, EMPTY(-subframe.length & 3));
    }),
  );
}
/** A TCP segment or UDP datagram over IPv4 with LLC and SNAP. */
export const snapOf = (segment: Uint8Array, proto = 17) => concat(snap.slice(0, 8), make.ip(proto, segment));
const segmentOf = (sport: number, payload: string) => snapOf(make.tcpSegment({ ...TCP, sport, payload }), 6);
const THREE = aggregate(segmentOf(1234, 'hello'), segmentOf(1235, 'again'), segmentOf(1236, 'and on'));
const NOT_IP = concat(snap.slice(0, 6), u16(0x0806), EMPTY(28));

/** 802.11 frames with several packets in each. */
export const AGGREGATES: readonly [name: string, link: number, frame: Uint8Array][] = [
  ['A-MSDU', 105, concat(dataFrame(0x88, 0x80), THREE)],
  ['A-MSDU of one packet', 105, concat(dataFrame(0x88, 0x80), aggregate(snap))],
  ['A-MSDU between four addresses', 105, concat(Uint8Array.of(0x88, 0x03), EMPTY(28), u16(0x8000), THREE)],
  ['A-MSDU with HT control', 105, concat(Uint8Array.of(0x88, 0x82), EMPTY(22), u16(0x8000), EMPTY(4), THREE)],
  [
    'A-MSDU with check sequence',
    127,
    concat(Uint8Array.of(0, 0, 9, 0, 2, 0, 0, 0, 0x10), dataFrame(0x88, 0x80), THREE, EMPTY(4)),
  ],
  ['A-MSDU with other packets', 105, concat(dataFrame(0x88, 0x80), aggregate(NOT_IP, segmentOf(1235, 'x'), NOT_IP))],
];

export const FLOW = { src: '172.16.0.1', dst: '172.16.0.2', sport: 1234, dport: 80 };
export const PACKET = make.ip(17, make.udpDatagram({ ...FLOW, payload: 'hello' }), FLOW);
const FLOW6 = { src: '2001:db8::1', dst: '2001:db8::2', sport: 1234, dport: 80 };
export const PACKET6 = make.ip(17, make.udpDatagram({ ...FLOW6, payload: 'hello' }), FLOW6);
export const FRAME = make.ethernet(0x0800, PACKET);
const SNAP = concat(snap.slice(0, 8), PACKET);
export const INSIDE = 'udp 172.16.0.1:1234 -> 172.16.0.2:80';
export const INSIDE6 = 'udp [2001:db8::1]:1234 -> [2001:db8::2]:80';

export const outer = (proto: number, payload: Uint8Array) => make.ethernet(0x0800, make.ip(proto, payload));
let latestPort = 40_000;
/** In a UDP datagram from a port of its own, as tshark remembers what a pair of ports carried. */
export const overUdp = (dport: number, payload: Uint8Array, sport = ++latestPort) =>
  make.udp({ sport, dport, payload });

export const gre = (flags: number, protocol: number, ...rest: Uint8Array[]) => concat(u16(flags, protocol), ...rest);
export const vxlan = (frame: Uint8Array) => overUdp(4789, concat(u32(0x08000000, 0x12300), frame));
export const geneve = (protocol: number, options: number, inside: Uint8Array) =>
  overUdp(6081, concat(u16(options << 8, protocol), u32(0x100), new Uint8Array(options * 4), inside));
export const gtp = (flags: number, ...rest: Uint8Array[]) =>
  overUdp(2152, concat(Uint8Array.of(flags, 0xff), u16(concat(...rest).length), u32(7), ...rest));
export const teredo = (...parts: Uint8Array[]) => overUdp(3544, concat(...parts));

export const TUNNELS: readonly (readonly [name: string, frame: Uint8Array, inside: string])[] = [
  ['GRE', outer(47, gre(0, 0x0800, PACKET)), INSIDE],
  ['GRE with checksum, key and sequence number', outer(47, gre(0xb000, 0x0800, u32(0, 5, 6), PACKET)), INSIDE],
  ['GRE with IPv6', outer(47, gre(0, 0x86dd, PACKET6)), INSIDE6],
  ['GRE over IPv6', make.ethernet(0x86dd, make.ip(47, gre(0, 0x0800, PACKET), { src: '::1', dst: '::2' })), INSIDE],
  ['GRE bridging Ethernet', outer(47, gre(0x2000, 0x6558, u32(9), FRAME)), INSIDE],
  ['GRE bridging a VLAN', outer(47, gre(0, 0x6558, make.ethernet(0x8100, concat(u16(5, 0x0800), PACKET)))), INSIDE],
  ['GRE with MPLS', outer(47, gre(0, 0x8847, u32(0x140), PACKET)), INSIDE],
  ['PPTP', outer(47, gre(0x3001, 0x880b, u16(40, 1), u32(1), u16(0xff03, 0x0021), PACKET)), INSIDE],
  [
    'PPTP with an acknowledgement',
    outer(47, gre(0x3081, 0x880b, u16(40, 1), u32(1, 2), Uint8Array.of(0x21), PACKET)),
    INSIDE,
  ],
  ['ERSPAN type I', outer(47, gre(0, 0x88be, FRAME)), INSIDE],
  ['ERSPAN type II', outer(47, gre(0x1000, 0x88be, u32(1, 0x10000001, 3), FRAME)), INSIDE],
  ['ERSPAN type III', outer(47, gre(0x1000, 0x22eb, u32(1, 0x20000001, 3, 1, 5, 6), FRAME)), INSIDE],
  ['NVGRE', outer(47, gre(0x2000, 0x6558, u32(0x123401), FRAME)), INSIDE],
  ['WCCP', outer(47, gre(0, 0x883e, PACKET)), INSIDE],
  ['WCCP version 2', outer(47, gre(0, 0x883e, u32(0), PACKET)), INSIDE],
  ['EoIP', outer(47, gre(0x2001, 0x6400, u16(FRAME.length, 0x0100), FRAME)), INSIDE],
  ['GRE with NSH', outer(47, gre(0, 0x894f, u16(0x0fc2, 0x0201), u32(0x1ff), PACKET)), INSIDE],
  ['Ethernet in IP', outer(97, concat(u16(0x3000), FRAME)), INSIDE],
  ['MPLS in IP', outer(137, concat(u32(0x10140), PACKET)), INSIDE],
  ['MPLS over UDP', overUdp(6635, concat(u32(0x10140), PACKET)), INSIDE],
  ['L2TP', overUdp(1701, concat(u16(2, 1, 2, 0xff03, 0x0021), PACKET)), INSIDE],
  [
    'L2TP with length and numbers',
    overUdp(1701, concat(u16(0x4802, PACKET.length + 13, 1, 2, 3, 4), Uint8Array.of(0x21), PACKET)),
    INSIDE,
  ],
  ['L2TP with an offset', overUdp(1701, concat(u16(0x0202, 1, 2, 2, 0, 0x0021), PACKET)), INSIDE],
  ['AYIYA', overUdp(5072, concat(Uint8Array.of(0x44, 0x52, 0x11, 41), u32(0x5c000000), EMPTY(36), PACKET6)), INSIDE6],
  ['CAPWAP with Ethernet', overUdp(5247, concat(u32(0x00100000, 0), FRAME)), INSIDE],
  ['CAPWAP with 802.11', overUdp(5247, concat(u32(0x00100300, 0), dataFrame(0x08), SNAP)), INSIDE],
  [
    'CAPWAP with 802.11, swapped',
    overUdp(5247, concat(u32(0x00100300, 0), u16(0x0208), EMPTY(22), SNAP), 5247),
    INSIDE,
  ],
  ['TZSP', overUdp(37008, concat(Uint8Array.of(1, 0, 0, 1, 0, 10, 1, 5, 1), FRAME)), INSIDE],
  ['TZSP with 802.11', overUdp(37008, concat(Uint8Array.of(1, 0, 0, 0x12, 1), dataFrame(0x08), SNAP)), INSIDE],
  ['VXLAN-GPE', overUdp(4790, concat(u32(0x0c000001, 0x12300), PACKET)), INSIDE],
  ['VXLAN-GPE with Ethernet', overUdp(4790, concat(u32(0x0c000003, 0x12300), FRAME)), INSIDE],
  [
    'VXLAN-GPE with NSH',
    overUdp(4790, concat(u32(0x0c000004, 0x12300), u16(0x0fc2, 0x0201), u32(0x1ff), PACKET)),
    INSIDE,
  ],
  ['IP in IP', outer(4, PACKET), INSIDE],
  ['6in4', outer(41, PACKET6), INSIDE6],
  ['4in6', make.ethernet(0x86dd, make.ip(4, PACKET, { src: '::1', dst: '::2' })), INSIDE],
  ['6in6', make.ethernet(0x86dd, make.ip(41, PACKET6, { src: '::1', dst: '::2' })), INSIDE6],
  ['VXLAN', vxlan(FRAME), INSIDE],
  ['GENEVE', geneve(0x6558, 0, FRAME), INSIDE],
  ['GENEVE with options and IPv4', geneve(0x0800, 3, PACKET), INSIDE],
  ['GTP-U', gtp(0x30, PACKET), INSIDE],
  ['GTP-U with IPv6', gtp(0x30, PACKET6), INSIDE6],
  ['GTP-U with a sequence number', gtp(0x32, u32(0x00010000), PACKET), INSIDE],
  ['GTP-U with extensions', gtp(0x34, u32(0x85), Uint8Array.of(1, 0, 9, 0xc0, 2, 0, 0, 0, 0, 0, 0, 0), PACKET), INSIDE],
  ['Teredo', teredo(PACKET6), INSIDE6],
  ['Teredo from its server', overUdp(50000, PACKET6, 3544), INSIDE6],
  ['Teredo with an origin', teredo(u16(0), new Uint8Array(6), PACKET6), INSIDE6],
  [
    'Teredo with authentication and origin',
    teredo(u16(1), Uint8Array.of(2, 3), new Uint8Array(5 + 9), u16(0), new Uint8Array(6), PACKET6),
    INSIDE6,
  ],
];
