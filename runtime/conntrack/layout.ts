import { column, columnF } from '../packet/columns.ts';

/**
 * The connection record: one row of `stride` int32 words per connection, 64-byte lines, in one Int32Array (`rec`) with a
 * Float64Array over the same buffer (`recF`). The first line is the tracker's; a plan's own columns follow from word
 * {@link Rec.PLAN} on. `c` everywhere is the index of a record's first word, so a field is `rec[c + Rec.PORTS]`; a
 * float64 column at (even) word w is `recF[(c + w) >> 1]`.
 */
export const enum Rec {
  /** Originator's IPv4 address, or a hash of its IPv6 address (the address itself is in the cold key table). */
  SRC = 0,
  /** Responder's, likewise. */
  DST = 1,
  /** Originator's port << 16 | responder's port. */
  PORTS = 2,
  /** {@link ConnMeta} bits. */
  META = 3,
  /** Hash of the five-tuple, as in `Pkt.HASH`. */
  HASH = 4,
  /** Tick of the timer wheel at which the record is due. */
  TICK = 5,
  /** {@link Action} bits now in force. 0: a tombstone. */
  ACTIONS = 6,
  /** Handle of the pooled stream state (reassembly, parser), 0 when there is none. */
  STREAM = 7,
  /** First packet: whole seconds, unsigned. */
  START_SEC = 8,
  /** First packet: nanoseconds. */
  START_NSEC = 9,
  /** Time of the latest packet, float64 seconds, at `recF[(c + LAST) >> 1]` (words 10 and 11). */
  LAST = 10,
  /** TCP: initial sequence number + 1 of the originator, later the number that acknowledges its FIN. */
  ORIG_SEQ = 12,
  /** TCP: the same of the responder. */
  RESP_SEQ = 13,
  /** First bits of the plan's decisions ("threads" still alive); plans that need more put them among their columns. */
  LIVE = 14,
  /** TCP: low 16 bits of the initial sequence numbers, originator's << 16 | responder's. */
  ISN_LOW = 15,
  /** First word of the plan's columns. */
  PLAN = 16,
}

/** Bits of `Rec.META`. The low 9 bits are those of the packet's META: IP protocol and IPv6. */
export const enum ConnMeta {
  PROTO_MASK = 0xff,
  IPV6 = 0x100,
  /** The record is in use. */
  USED = 0x200,
  /** TCP: SYN of the originator seen. */
  SYN = 0x400,
  /** TCP: SYN-ACK of the responder seen. */
  SYNACK = 0x800,
  /** TCP: the three-way handshake is complete. */
  ESTABLISHED = 0x1000,
  /** TCP: FIN of the originator seen / acknowledged; of the responder likewise. */
  FIN_ORIG = 0x2000,
  FIN_RESP = 0x4000,
  FINACK_ORIG = 0x8000,
  FINACK_RESP = 0x10000,
  RST = 0x20000,
  /** More than one packet was seen. */
  SECOND = 0x40000,
  /** The connection has ended or was dropped; the record is a tombstone. */
  ENDED = 0x80000,
  /** L7: probing is over (bit), the protocol's number is in bits 24-27. */
  L7_KNOWN = 0x100000,
  L7_PROTO_SHIFT = 24,
  L7_PROTO_MASK = 0xf,
  /** How the connection ended ({@link EndReason}), three bits; 0 while it lives and for one that was dropped. */
  END_SHIFT = 21,
  END_MASK = 7,
  /** Payload passed by while no stream was kept: a stream that starts now starts at its first segment. */
  DATA_PASSED = 0x10000000,
  /** L7: nothing more can come of parsing, PARSE is not in force whatever the plan says. */
  L7_DONE = 0x20000000,
  /** A column of the plan's that lies beside the records was written: it must be cleared when the connection ends. */
  RARE = 0x40000000,
}

/** What the tracker does for a connection's next packets. Generated decision functions return a sum of these. */
export const enum Action {
  /** Call `update` for every packet (InL4Conn). */
  UPDATE = 1,
  /** Reassemble and call `onL4Stream` for every new piece of payload (InL4Stream). */
  STREAM = 2,
  /** Reassemble and probe or parse the application protocol (L7OnDisc, L7EndHdrs). */
  PARSE = 4,
  /** Keep the connection for L4Terminated. */
  TRACK = 8,
  /** TCP: tell the end of the three-way handshake (L4EndHshk). */
  HANDSHAKE = 16,
}

/** Why a connection ended. */
export const enum EndReason {
  /** TCP: both FINs consumed and acknowledged. */
  FIN = 1,
  RST = 2,
  /** No second packet within tcp_establish_timeout. */
  ESTABLISH_TIMEOUT = 3,
  INACTIVITY_TIMEOUT = 4,
  /** The run ended. */
  DRAIN = 5,
  /** The table was full and the connection had to make room. */
  EVICTED = 6,
  /** A SYN with a new initial sequence number reused the five-tuple. */
  REUSED = 7,
}

/** Names of {@link EndReason} as they stand in JSON. */
export const END_REASON_NAMES = [
  '',
  'fin',
  'rst',
  'establish_timeout',
  'inactivity_timeout',
  'drain',
  'evicted',
  'reused',
] as const;

/** The tracker's columns of connection records (packet/columns.ts says why). */
export type RecColumns = ReturnType<typeof recColumns>;

/** The columns of `rec`, whose records are `stride` words long; `recLast` holds float64 and has the index `c >> 1`. */
export function recColumns(rec: Int32Array, stride: number) {
  const word = (w: number) => column(rec, w, stride);
  return {
    recSrc: word(Rec.SRC),
    recDst: word(Rec.DST),
    recPorts: word(Rec.PORTS),
    recMeta: word(Rec.META),
    recHash: word(Rec.HASH),
    recTick: word(Rec.TICK),
    recActions: word(Rec.ACTIONS),
    recStream: word(Rec.STREAM),
    recStartSec: word(Rec.START_SEC),
    recStartNsec: word(Rec.START_NSEC),
    recLast: columnF(rec, Rec.LAST, stride),
    recOrigSeq: word(Rec.ORIG_SEQ),
    recRespSeq: word(Rec.RESP_SEQ),
    recLive: word(Rec.LIVE),
    recIsnLow: word(Rec.ISN_LOW),
  } as const;
}
