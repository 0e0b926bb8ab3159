/**
 * What a protocol folder offers: its catalog entry (fields.ts, plain data that the compiler reads too), its session type,
 * and its parser. runtime/protocols/registry.ts lists them; nothing else needs to know.
 */

/** One parsed unit of an application protocol: a handshake, a transaction. */
export interface Session {
  /** Catalog number of the protocol ({@link ProtocolNumber}). */
  readonly proto: number;
}

/** Numbers of the application protocols, as in `onL7OnDisc` and `Session.proto`. 0 is "none of those asked for". */
export const enum ProtocolNumber {
  NONE = 0,
  TLS = 1,
  HTTP = 2,
  DNS = 3,
  QUIC = 4,
  SSH = 5,
  DTLS = 6,
  MQTT = 7,
  GQUIC = 8,
}

/** A parser's word on the first payload bytes of a connection. */
export const enum Probe {
  /** Not this protocol. */
  NO = 0,
  /** Could still be: ask again with more. */
  MAYBE = 1,
  YES = 2,
  /**
   * Yes, and it opens a way for another protocol (HTTP's CONNECT). Where the plan has parsers of others, it is told the
   * connection's protocol when that of the contents is known: theirs, else this one. Sessions are delivered before.
   */
  TUNNEL = 3,
}

/** What a parser says after taking a piece. */
export const enum Parse {
  /** Go on. */
  MORE = 0,
  /** At least one session is ready: call `take()` until it returns null, then go on. */
  READY = 1,
  /** Nothing more can come of this connection (finished, or not this protocol after all); sessions may be ready. */
  STOP = 2,
  /** As STOP, but what follows is another protocol's: behind a {@link Probe.TUNNEL} or a preamble it is probed anew. */
  SWITCH = 3,
}

/**
 * The parser of one connection. Instances are pooled: `reset` makes one like new. They take (buffer, offset, length),
 * keep no view of packet memory, bound what they keep, and never throw on bytes. `fromOrig` says who sent the bytes;
 * the originator need not be the protocol's client.
 */
export interface SessionParser {
  /** Looks at the unparsed first bytes of one direction, from its stream's start. Bounded work, no side effects. */
  probe(fromOrig: boolean, bytes: Uint8Array, offset: number, length: number): Probe;
  /** Takes the next in-order bytes of one direction; over UDP, one whole datagram. */
  parse(fromOrig: boolean, bytes: Uint8Array, offset: number, length: number): Parse;
  /** `missed` bytes of one direction were lost before the next piece. */
  gap(fromOrig: boolean, missed: number): Parse;
  /** The connection ends: sessions under way become ready as far as they are known. */
  end(): void;
  /** The next ready session, else null. A session is a fresh object that its receiver may keep. */
  take(): Session | null;
  /** After {@link Parse.SWITCH}: how many bytes at the end of the piece are the other protocol's. */
  rest?(): number;
  /** After {@link Parse.SWITCH}: what the other direction has sent for the other protocol already, as a copy. */
  early?(): Uint8Array;
  reset(): void;
}

/** A class whose instances are their own properties, all of them plain values or of such classes. */
export interface SessionClass {
  readonly name: string;
  readonly prototype: object;
}

/** How the runtime gets parsers of one protocol over some transports. */
export interface ParserFactory {
  /** Catalog name; a protocol that is framed differently per transport has a factory for each. */
  readonly name: string;
  /** `NONE` for a preamble: it has no sessions, but lets another protocol begin behind it. */
  readonly proto: ProtocolNumber;
  /** The class of its sessions, and those of what they are made of: their instances can cross to other threads. */
  readonly classes?: readonly SessionClass[];
  /** Transports it runs on. */
  readonly over: readonly ('tcp' | 'udp')[];
  create(): SessionParser;
}
