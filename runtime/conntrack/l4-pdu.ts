import { Meta, type PacketMemory, Pkt } from '../packet/layout.ts';
import { datatype } from '../subscription/decorators.ts';
import { Rec } from './layout.ts';

/** The arrays an {@link L4Pdu} looks into. */
export interface PduMemory {
  readonly memory: PacketMemory;
  readonly pkt: Int32Array;
  readonly pktF: Float64Array;
  readonly recF: Float64Array;
}

/** An {@link L4Pdu} as plain data. */
export interface PackedPdu {
  readonly row: Int32Array;
  readonly bytes: Uint8Array;
  /** Time of the connection's packet before. */
  readonly last: number;
}

/**
 * One TCP segment or UDP datagram, as a flyweight over its packet row: valid during the call it is handed to. `copy()`
 * makes one to keep. At the streaming level `InL4Stream` it is a piece of the stream instead: `payload` is new and in
 * order, `seqNo` is that of its first byte, and `gapBefore` tells what was lost before it.
 */
@datatype({ kind: 'pdu' })
export class L4Pdu {
  readonly #memory: PacketMemory;
  readonly #pkt: Int32Array;
  readonly #pktF: Float64Array;
  readonly #recF: Float64Array;
  #p = 0;

  constructor(core: PduMemory) {
    this.#memory = core.memory;
    this.#pkt = core.pkt;
    this.#pktF = core.pktF;
    this.#recF = core.recF;
  }

  /** Points the flyweight at row `p`. */
  at(p: number): this {
    this.#p = p;
    return this;
  }

  /** 0: sent by the originator of the connection, 1: by its responder. */
  get dir(): number {
    return this.#pkt[this.#p + Pkt.DIR];
  }
  /** Whether the originator of the connection sent it. */
  get fromOrig(): boolean {
    return this.#pkt[this.#p + Pkt.DIR] === 0;
  }
  /** IP protocol number: 6 TCP, 17 UDP. */
  get proto(): number {
    return this.#pkt[this.#p + Pkt.META] & Meta.PROTO_MASK;
  }
  /** Payload bytes by the headers, captured or not; link-layer padding is not counted. */
  get payloadLength(): number {
    return this.#pkt[this.#p + Pkt.PAYLEN];
  }
  /** The same as {@link payloadLength}. */
  get length(): number {
    return this.#pkt[this.#p + Pkt.PAYLEN];
  }
  /** Payload bytes that were captured and can be read. */
  get capturedLength(): number {
    return this.#pkt[this.#p + Pkt.CAPPAY];
  }
  /** The captured payload: a view of packet memory, valid during the call. */
  get payload(): Uint8Array {
    const start = this.#pkt[this.#p + Pkt.PAYLOAD];
    return this.#memory.bytes.subarray(start, start + this.#pkt[this.#p + Pkt.CAPPAY]);
  }
  /** Bytes of the IP packet, header included: IPv4 total length, or IPv6 payload length + 40. */
  get ipLength(): number {
    return this.#pkt[this.#p + Pkt.IPLEN];
  }
  /** Bytes of the frame on the wire. */
  get wireLength(): number {
    return this.#pkt[this.#p + Pkt.WIRELEN];
  }
  /** The headers promise more bytes than the frame had. */
  get malformed(): boolean {
    return (this.#pkt[this.#p + Pkt.META] & Meta.MALFORMED) !== 0;
  }
  /** TCP: sequence number of the first payload byte, 0..2^32-1; of the SYN itself on a SYN. 0 for UDP. */
  get seqNo(): number {
    return this.#pkt[this.#p + Pkt.SEQ] >>> 0;
  }
  /** TCP: acknowledgement number, 0..2^32-1. 0 for UDP. */
  get ackNo(): number {
    return this.#pkt[this.#p + Pkt.ACK] >>> 0;
  }
  /** TCP flags: FIN 1, SYN 2, RST 4, PSH 8, ACK 16, URG 32, ECE 64, CWR 128, NS 256. 0 for UDP. */
  get flags(): number {
    return this.#pkt[this.#p + Pkt.META] >>> Meta.TCP_FLAGS_SHIFT;
  }
  /** Packet time in seconds since 1970, with its fraction. */
  get ts(): number {
    return this.#pktF[(this.#p + Pkt.TS) >> 1];
  }
  /** Seconds since the previous packet of the connection, either direction; 0 for the first. Negative if time went back. */
  get sinceLast(): number {
    return this.#pktF[(this.#p + Pkt.TS) >> 1] - this.#recF[(this.#pkt[this.#p + Pkt.CONN] + Rec.LAST) >> 1];
  }
  /** Streaming levels: bytes of the stream that were lost right before this piece. */
  get gapBefore(): number {
    return this.#pkt[this.#p + Pkt.GAP];
  }
  /** Link type of the frame, a number of the tcpdump.org registry: 1 Ethernet, 101 raw IP, 113 Linux cooked, … */
  get linkType(): number {
    return this.#pkt[this.#p + Pkt.LINK] & 0xffff;
  }
  /** The frame from its link-layer header on, as captured: a view of packet memory, valid during the call. */
  get frame(): Uint8Array {
    const start = this.#pkt[this.#p + Pkt.OFFSET];
    return this.#memory.bytes.subarray(start, start + this.#pkt[this.#p + Pkt.CAPLEN]);
  }

  /** A copy to keep, with bytes of its own. */
  copy(): L4Pdu {
    return L4Pdu.unpack(this.pack());
  }
  /** Its values and bytes as plain data, for {@link unpack} on another thread. */
  pack(): PackedPdu {
    const row = this.#pkt.slice(this.#p, this.#p + Pkt.STRIDE);
    const frame = this.frame;
    const payload = this.payload;
    const bytes = new Uint8Array(frame.length + payload.length);
    bytes.set(frame);
    bytes.set(payload, frame.length);
    const moved = -row[Pkt.OFFSET];
    row[Pkt.OFFSET] = 0;
    if (row[Pkt.L3] !== 0) row[Pkt.L3] += moved;
    if (row[Pkt.L4] !== 0) row[Pkt.L4] += moved;
    if (row[Pkt.ETHERTYPE] !== 0) row[Pkt.ETHERTYPE] += moved;
    // The payload may lie outside its frame: in the slab, where fragments and late segments are put together.
    row[Pkt.PAYLOAD] = frame.length;
    row[Pkt.CONN] = 0;
    return { row, bytes, last: this.ts - this.sinceLast };
  }
  static unpack({ row, bytes, last }: PackedPdu): L4Pdu {
    // What comes from another thread may lie anywhere in its buffer.
    const pkt = row.byteOffset % 8 === 0 ? row : row.slice();
    const recF = new Float64Array(Rec.PLAN >> 1);
    recF[Rec.LAST >> 1] = last;
    const memory = {
      bytes,
      view: new DataView(bytes.buffer, bytes.byteOffset, bytes.length),
      slabOffset: bytes.length,
      slabLength: 0,
    };
    return new L4Pdu({ memory, pkt, pktF: new Float64Array(pkt.buffer, pkt.byteOffset, pkt.length >> 1), recF });
  }

  /** Numbers by name; `payload` in hex. */
  toJSON(): Record<string, unknown> {
    const head = { ts: this.ts, from_orig: this.fromOrig, length: this.length };
    const tcp = this.proto === 6 ? { seq_no: this.seqNo, ack_no: this.ackNo, flags: this.flags } : {};
    const gap = this.gapBefore === 0 ? {} : { gap_before: this.gapBefore };
    return { ...head, ...tcp, ...gap, payload: hex(this.payload) };
  }
}

function hex(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += (byte < 16 ? '0' : '') + byte.toString(16);
  return text;
}
