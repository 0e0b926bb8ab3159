/** Reading QUIC's packet headers in clear (RFC 8999, RFC 9000 section 17.2, RFC 9369 section 3). */

import { u16 } from '../bytes.ts';
import { Probe } from '../contract.ts';

/** Values of the field `packet_type`: the same for all versions. */
export const enum PacketType {
  INITIAL = 0,
  ZERO_RTT = 1,
  HANDSHAKE = 2,
  RETRY = 3,
  VERSION_NEGOTIATION = 4,
  ONE_RTT = 5,
}

export const enum Version {
  NEGOTIATION = 0,
  V1 = 1,
  V2 = 0x6b3343cf,
  /** Drafts are this and their number. */
  DRAFT = 0xff000000,
  /** Google's: `Q050`, with a handshake of its own (QUIC Crypto), `T050` and `T051`, with TLS. */
  Q050 = 0x51303530,
  T050 = 0x54303530,
  T051 = 0x54303531,
  /** Facebook's, after drafts 22 and 27. */
  MVFST_22 = 0xfaceb001,
  MVFST_27 = 0xfaceb002,
  MVFST_EXPERIMENT = 0xfaceb00e,
}
/** Drafts whose Initial packets look like those of version 1, but for their salt. */
const FIRST_DRAFT = 22;
const LAST_DRAFT = 34;
/** Other versions with such packets. */
const RELATIVES: ReadonlySet<number> = new Set([
  Version.V1,
  Version.V2,
  Version.Q050,
  Version.T050,
  Version.T051,
  Version.MVFST_22,
  Version.MVFST_27,
  Version.MVFST_EXPERIMENT,
]);

/** Longest connection identifier (RFC 9000 section 17.2). */
const ID_MAX = 20;
/** Shortest destination identifier of a client's first packet (RFC 9000 section 7.2). */
const FIRST_ID_MIN = 8;
const FIXED_BIT = 0x40;
/** Smallest datagram that may carry a client's Initial packet (RFC 9000 section 14.1). */
const DATAGRAM_MIN = 1200;

export function isDraft(version: number): boolean {
  return version >= Version.DRAFT + FIRST_DRAFT && version <= Version.DRAFT + LAST_DRAFT;
}

/** Versions whose Initial packets we can open. */
export function isKnownVersion(version: number): boolean {
  return RELATIVES.has(version) || isDraft(version);
}

/** A version that only exists to make servers negotiate (RFC 9000 section 15). Clients fill in what they would send else. */
export function isReserved(version: number): boolean {
  return (version & 0x0f0f0f0f) === 0x0a0a0a0a;
}

/** A variable-length integer (RFC 9000 section 16) at `at`; -1 if it is not whole. `at` moves behind it. */
export class Varints {
  constructor(
    readonly bytes: Uint8Array,
    public at: number,
    readonly end: number,
  ) {}

  next(): number {
    const { bytes, at, end } = this;
    if (at >= end) return -1;
    const length = 1 << (bytes[at] >> 6);
    if (at + length > end) return -1;
    this.at = at + length;
    let value = bytes[at] & 63;
    for (let i = 1; i < length; i++) value = value * 256 + bytes[at + i];
    return value;
  }
}

export interface LongHeader {
  readonly version: number;
  readonly type: PacketType;
  readonly dcid: Uint8Array;
  readonly scid: Uint8Array;
  /** Value of the Length field; 0 in packets that have none. */
  readonly length: number;
  /** Where the packet number is, protected. */
  readonly numberAt: number;
  /** Where the next packet of the datagram begins. */
  readonly end: number;
}

/** The two type bits in the meaning of their version. */
function typeOf(bits: number, version: number): PacketType {
  if (version === Version.NEGOTIATION) return PacketType.VERSION_NEGOTIATION;
  return version === Version.V2 ? (bits + 3) & 3 : bits;
}

/**
 * The long header at `start` of a datagram that ends at `end`, or undefined if there is none or it promises more than there
 * is. Of versions that are not known only what is the same in all of them is read; they fill the datagram. Identifiers are
 * views, valid as long as `bytes` are.
 */
export function longHeader(bytes: Uint8Array, start: number, end: number): LongHeader | undefined {
  if (end - start < 7 || bytes[start] < 128) return undefined;
  const version = u16(bytes, start + 1) * 0x10000 + u16(bytes, start + 3);
  const dcidAt = start + 6;
  const scidAt = dcidAt + bytes[dcidAt - 1] + 1;
  if (scidAt > end) return undefined;
  const rest = scidAt + bytes[scidAt - 1];
  if (rest > end) return undefined;
  const dcid = bytes.subarray(dcidAt, scidAt - 1);
  const scid = bytes.subarray(scidAt, rest);
  const type = typeOf((bytes[start] >> 4) & 3, version);
  const whole = { version, type, dcid, scid, length: 0, numberAt: end, end };
  if (isKnownVersion(version)) return type === PacketType.RETRY && fits(whole) ? whole : sized(whole, bytes, rest);
  return isReserved(version) ? (sized(whole, bytes, rest) ?? whole) : whole;
}

function fits({ dcid, scid }: LongHeader): boolean {
  return dcid.length <= ID_MAX && scid.length <= ID_MAX;
}

/** With what comes behind the identifiers at `at`: how long the packet is. */
function sized(header: LongHeader, bytes: Uint8Array, at: number): LongHeader | undefined {
  const { type, end } = header;
  if (!fits(header)) return undefined;
  const varints = new Varints(bytes, at, end);
  if (type === PacketType.INITIAL) {
    const token = varints.next();
    if (token < 0 || token > end - varints.at) return undefined;
    varints.at += token;
  }
  const length = varints.next();
  const numberAt = varints.at;
  if (length < 0 || length > end - numberAt) return undefined;
  return { ...header, length, numberAt, end: numberAt + length };
}

/**
 * Whether a datagram starts as a QUIC connection does: a long header of a version we know, or a client's try of one. Without the
 * fixed bit, which may be cleared (RFC 9287 section 3), it has to look like a client's first in all other ways.
 */
export function probeQuic(bytes: Uint8Array, offset: number, length: number): Probe {
  const header = longHeader(bytes, offset, offset + length);
  if (header === undefined) return Probe.NO;
  const { version, type, dcid } = header;
  const first = length >= DATAGRAM_MIN && dcid.length >= FIRST_ID_MIN;
  if (!isKnownVersion(version)) return isReserved(version) && first ? Probe.YES : Probe.NO;
  if ((bytes[offset] & FIXED_BIT) === 0) return first && type === PacketType.INITIAL ? Probe.YES : Probe.NO;
  return type === PacketType.RETRY ? Probe.NO : Probe.YES;
}
