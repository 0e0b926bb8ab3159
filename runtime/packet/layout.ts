/**
 * The packet row: what is known of one packet of the current burst.
 *
 * A burst is one Int32Array of `BURST_MAX + SPARE_ROWS` rows of `PKT_STRIDE` words. The source (capture reader or DPDK
 * port) fills words 0-7, the decoder fills the rest, the tracker fills CONN and DIR. `p` everywhere in the runtime and in
 * generated code is the index of a row's first word, so a field is `pkt[p + Pkt.PORTS]`. All offsets are absolute byte
 * offsets into the worker's {@link PacketMemory}.
 *
 * These are const enums, inlined by tsc. Generated modules get the same numbers as literals; {@link ABI_VERSION} guards
 * against running a module against another layout.
 */

/** Raised by one whenever a word of any layout, or the meaning of one, changes. */
export const ABI_VERSION = 2;

export const enum Burst {
  /** Most packets of one burst. */
  MAX = 64,
  /** Rows behind the burst, for packets that are replayed from the out-of-order slab. */
  SPARE_ROWS = 2,
}

export const enum Pkt {
  /** Words of one row (128 bytes: two cache lines). */
  STRIDE = 32,
  /** Rows to words: `p = i << SHIFT`. */
  SHIFT = 5,

  // Filled by the source.
  /** Byte offset of the frame. */
  OFFSET = 0,
  /** Bytes captured. */
  CAPLEN = 1,
  /** Bytes on the wire; at most {@link Wire.MOST}. */
  WIRELEN = 2,
  /** Time: whole seconds since 1970, as an unsigned 32-bit number in an int32 word. */
  SEC = 3,
  /** Time: nanoseconds of the second, 0..999999999. */
  NSEC = 4,
  /** Link type of the frame ({@link LinkType}) in bits 0-15, port or interface number in bits 16-31. */
  LINK = 5,
  /** The device's RSS hash, 0 where there is none. */
  RSS = 6,
  /** DPDK: above zero keeps the mbuf past this burst; else one of {@link Hold}, or 0. */
  HOLD = 7,

  // Filled by the decoder.
  /** Offset of the IP header; 0 when there is none. */
  L3 = 8,
  /** Offset of the TCP or UDP header; 0 when there is none. */
  L4 = 9,
  /** Offset of the first payload byte. */
  PAYLOAD = 10,
  /** Payload bytes by the headers (IP length less headers), captured or not, but no more than were on the wire. */
  PAYLEN = 11,
  /** IPv4 total length, or IPv6 payload length + 40. */
  IPLEN = 12,
  /** IPv4 source address as a big-endian int32; for IPv6 a hash of the source address. */
  SRC = 13,
  /** IPv4 destination address as a big-endian int32; for IPv6 a hash of the destination address. */
  DST = 14,
  /** Source port << 16 | destination port. */
  PORTS = 15,
  /** {@link Meta} bits. */
  META = 16,
  /** Symmetric, seeded hash of the five-tuple. */
  HASH = 17,
  /** Payload bytes really captured, 0..PAYLEN. */
  CAPPAY = 18,
  /** TCP sequence number of the first payload byte (of the SYN itself on a SYN), else 0. */
  SEQ = 19,
  /** TCP acknowledgement number, else 0. */
  ACK = 20,
  /** Offset of the Ethernet header's type field, or 0; with VLAN tags the innermost. */
  ETHERTYPE = 21,
  /** Time in seconds with fraction as a float64, at `pktF[(p + TS) >> 1]` (words 22 and 23). */
  TS = 22,

  // Filled by the tracker.
  /** 0: sent by the originator, 1: by the responder. */
  DIR = 24,
  /** First word of the connection's record. */
  CONN = 25,
  /** Bytes lost right before this piece of the stream (streaming levels only). */
  GAP = 26,
}

export const enum Wire {
  /** Stands for any length beyond: no frame has one, but files say so, and the packet is there. A sum with an offset is an int32. */
  MOST = 0x3fffffff,
}

/** Bytes of a worker's slab. */
export interface SlabPart {
  readonly offset: number;
  readonly bytes: number;
}

/** Values of `Pkt.HOLD` that are not above zero; native/src/receive.cc has them too. */
export const enum Hold {
  /** The bytes are a copy: there is no mbuf to be kept. */
  NOT_HOLDABLE = -1,
  /** For another core of those that share the device's packets: this less its number. */
  FOR_CORE = -2,
  /** For all of them. */
  FOR_ALL = -0x80000000,
}

/** Bits of `Pkt.META`. */
export const enum Meta {
  /** IP protocol number of the innermost header read (6 TCP, 17 UDP, ...). */
  PROTO_MASK = 0xff,
  /** The innermost IP header is version 6. */
  IPV6 = 0x100,
  /** An IP header was read. */
  IP = 0x200,
  /** A whole TCP or UDP header was read: the packet belongs to a connection. */
  L4 = 0x400,
  /** A fragment of a datagram that is not (yet) whole. */
  FRAGMENT = 0x800,
  /** The headers promise more bytes than the frame had on the wire. */
  MALFORMED = 0x1000,
  /** At least one VLAN tag. */
  VLAN = 0x2000,
  /** 802.11: the radio found the frame's check sequence wrong. */
  BAD_FCS = 0x8000,
  /** The bits that belong to the frame and not to what is in it. */
  OF_FRAME = VLAN | BAD_FCS,
  /** Alone in META: the packet is another core's, see {@link DecoderOptions.share} of decode.ts. */
  FOREIGN = 0x4000,
  /** TCP flags, 9 bits (FIN is bit 0 ... CWR bit 7, NS bit 8), shifted left by this. */
  TCP_FLAGS_SHIFT = 16,
}

/** TCP flags as in RFC 9293 section 3.1. */
export const enum TcpFlag {
  FIN = 0x01,
  SYN = 0x02,
  RST = 0x04,
  PSH = 0x08,
  ACK = 0x10,
  URG = 0x20,
  ECE = 0x40,
  CWR = 0x80,
  NS = 0x100,
}

/** Link-layer header types that the decoder reads (numbers of the tcpdump.org registry). */
export const enum LinkType {
  NULL = 0,
  ETHERNET = 1,
  TOKEN_RING = 6,
  PPP = 9,
  FDDI = 10,
  PPP_HDLC = 50,
  PPP_ETHER = 51,
  ATM_RFC1483 = 100,
  RAW = 101,
  C_HDLC = 104,
  IEEE802_11 = 105,
  FRELAY = 107,
  LOOP = 108,
  ENC = 109,
  LINUX_SLL = 113,
  PFLOG = 117,
  IEEE802_11_PRISM = 119,
  IEEE802_11_RADIOTAP = 127,
  IEEE802_11_AVS = 163,
  JUNIPER_ETHERNET = 178,
  PPI = 192,
  ERF = 197,
  PPP_WITH_DIR = 204,
  MPLS = 219,
  IPV4 = 228,
  IPV6 = 229,
  NFLOG = 239,
  NETANALYZER = 240,
  NETANALYZER_TRANSPARENT = 241,
  IPOIB = 242,
  PKTAP = 258,
  ETHERNET_MPACKET = 274,
  LINUX_SLL2 = 276,
}

/**
 * All memory a worker reads packet bytes from: the source's packets, and behind them a slab that belongs to the tracker
 * (out-of-order segments, fragments), in one ArrayBuffer, so that hot code reads every byte through one `view`.
 */
export interface PacketMemory {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  /** First byte of the tracker's slab. */
  readonly slabOffset: number;
  /** Bytes of the tracker's slab. */
  readonly slabLength: number;
}
