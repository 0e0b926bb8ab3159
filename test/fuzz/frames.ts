/** Well-formed frames from which the packet fuzzer starts: each link layer, IP form, fragment and tunnel. */
import { LinkType } from '../../runtime/packet/layout.ts';
import { AGGREGATES, LINKS, TUNNELS } from '../support/encapsulations.ts';
import * as make from '../support/frames.ts';
import { concat, u16, u32 } from '../support/frames.ts';

export interface SampleFrame {
  readonly bytes: Uint8Array;
  readonly link: number;
}

const V6 = { src: '2001:db8::1', dst: '2001:db8::2' };
const TCP = { sport: 1234, dport: 80, seq: 100, ack: 7, flags: make.ACK | make.PSH, payload: 'GET / HTTP/1.1\r\n\r\n' };
const segment = make.tcpSegment(TCP);
const datagram = make.udpDatagram({ sport: 1234, dport: 53, payload: 'a datagram of some bytes' });
const ip4 = make.ip(6, segment);
const ip6 = make.ip(6, segment, V6);
const udp4 = make.ip(17, datagram);
const udp6 = make.ip(17, datagram, V6);
const ether4 = make.ethernet(0x0800, ip4);
const ether6 = make.ethernet(0x86dd, ip6);

const options = make.ip(6, segment, { options: Uint8Array.of(7, 7, 4, 0, 0, 0, 0, 1) });
const extension = (next: number, type = 0) => Uint8Array.of(next, 0, type, 0, 0, 0, 0, 0);
const extended = make.ip(6, segment, {
  ...V6,
  firstExtension: 0,
  options: concat(extension(60), extension(43), extension(51), Uint8Array.of(6, 1), new Uint8Array(10)),
});
const piece4 = (from: number, to: number, more: boolean) =>
  make.ip(17, datagram.slice(from, to), { id: 77, fragment: (more ? 0x2000 : 0) | (from >> 3) });
const piece6 = (from: number, to: number, more: boolean) =>
  make.ip(17, datagram.slice(from, to), {
    ...V6,
    firstExtension: 44,
    options: concat(Uint8Array.of(17, 0), u16(from | (more ? 1 : 0)), u32(88)),
  });

const gre = (flags: number, protocol: number, ...rest: Uint8Array[]) =>
  make.ip(47, concat(u16(flags, protocol), ...rest));
const to = (dport: number, payload: Uint8Array) => make.udp({ sport: 3544, dport, payload });
const vxlan = (frame: Uint8Array) => to(4789, concat(u32(0x08000000, 0x100), frame));

const llc = Uint8Array.of(0xaa, 0xaa, 3, 0, 0, 0);
const wifi = concat(Uint8Array.of(0x88, 1), new Uint8Array(24), llc, u16(0x0800), ip4);
const pppoe = (protocol: number, packet: Uint8Array) => concat(u16(0x1100, 1, packet.length + 2, protocol), packet);

const ETHERNET: readonly Uint8Array[] = [
  ether4,
  ether6,
  make.ethernet(0x0800, udp4, 10),
  make.ethernet(0x86dd, udp6),
  make.ethernet(0x0800, options),
  make.ethernet(0x86dd, extended),
  make.ethernet(0x0800, piece4(0, 16, true)),
  make.ethernet(0x0800, piece4(16, datagram.length, false)),
  make.ethernet(0x86dd, piece6(0, 16, true)),
  make.ethernet(0x86dd, piece6(16, datagram.length, false)),
  make.ethernet(0x8100, concat(u16(5, 0x0800), ip4)),
  make.ethernet(0x88a8, concat(u16(5, 0x8100, 6, 0x86dd), ip6)),
  make.ethernet(0x8847, concat(u32(0x1000, 0x2140), ip4)),
  make.ethernet(0x8847, concat(u32(0x2140), u32(0), ether4)),
  make.ethernet(0x8864, pppoe(0x21, ip4)),
  make.ethernet(0x8864, pppoe(0x57, ip6)),
  make.ethernet(ip4.length + 8, concat(llc, u16(0x0800), ip4)),
  make.ethernet(0x0800, gre(0xb000, 0x0800, u32(0, 1, 2), ip4)),
  make.ethernet(0x0800, gre(0, 0x6558, ether6)),
  make.ethernet(0x0800, gre(0x3081, 0x880b, u16(9, 1), u32(1, 2), u16(0xff03, 0x21), ip4)),
  make.ethernet(0x0800, gre(0x1000, 0x88be, u32(1, 2, 3), ether4)),
  make.ethernet(0x0800, gre(0x1000, 0x22eb, u32(1, 2, 3, 1, 5, 6), ether4)),
  make.ethernet(0x0800, make.ip(4, ip4)),
  make.ethernet(0x0800, make.ip(41, make.ip(4, make.ip(41, udp6)), V6)),
  make.ethernet(0x0800, make.ip(41, piece6(0, 16, true))),
  make.ethernet(0x0800, make.ip(41, piece6(16, datagram.length, false))),
  vxlan(ether4),
  vxlan(vxlan(ether6)),
  to(6081, concat(u16(0x0280, 0x6558), u32(1, 2, 3), ether4)),
  to(6081, concat(u16(0x0200, 0x86dd), u32(1, 2, 3), ip6)),
  to(2152, concat(u16(0x34ff, 0), u32(1, 0x85), Uint8Array.of(1, 0, 9, 0), ip4)),
  to(3544, concat(u16(1), Uint8Array.of(2, 3), new Uint8Array(14), u16(0), new Uint8Array(6), udp6)),
  to(9, ip6),
];

export const FRAMES: readonly SampleFrame[] = [
  ...ETHERNET.map((bytes) => ({ bytes, link: LinkType.ETHERNET })),
  { bytes: ip4, link: LinkType.RAW },
  { bytes: ip6, link: LinkType.RAW },
  { bytes: ip4, link: LinkType.IPV4 },
  { bytes: ip6, link: LinkType.IPV6 },
  { bytes: concat(u32(2), ip4), link: LinkType.NULL },
  { bytes: concat(Uint8Array.of(30, 0, 0, 0), ip6), link: LinkType.NULL },
  { bytes: concat(u32(24), ip6), link: LinkType.LOOP },
  { bytes: concat(u16(0xff03, 0x21), ip4), link: LinkType.PPP },
  { bytes: concat(Uint8Array.of(0x57), ip6), link: LinkType.PPP },
  { bytes: concat(new Uint8Array(14), u16(0x0800), ip4), link: LinkType.LINUX_SLL },
  { bytes: concat(u16(0x86dd), new Uint8Array(18), ip6), link: LinkType.LINUX_SLL2 },
  { bytes: wifi, link: LinkType.IEEE802_11 },
  { bytes: concat(Uint8Array.of(0, 0, 12, 0, 2, 0, 0, 0, 0x20, 0, 0, 0), wifi), link: LinkType.IEEE802_11_RADIOTAP },
  ...[...LINKS, ...AGGREGATES].map(([, link, bytes]) => ({ bytes, link })),
  ...TUNNELS.map(([, bytes]) => ({ bytes, link: LinkType.ETHERNET })),
];
