/**
 * Reading a client's first packets of Google QUIC, which are authenticated by a hash but not encrypted: up to Q043 with a
 * public header of their own, in Q046 with the long header of an early draft of the IETF's.
 */
import { latin1Of } from '../bytes.ts';

/** Bytes of the hash that stands in for a tag (QUIC Crypto, "FNV1a-128"). */
const HASH = 12;
const CID = 8;

const enum Flag {
  VERSION = 0x01,
  RESET = 0x02,
  CID = 0x08,
  NUMBER_SHIFT = 4,
}
/** The first version without a byte of private flags, and the first that is big-endian. */
const NO_PRIVATE_FLAGS = 34;
const BIG_ENDIAN = 39;
const LONG_HEADER = 46;

export interface ClientPacket {
  readonly version: string;
  readonly number: number;
  /** Offsets of the connection ID and of the first frame. */
  readonly cidAt: number;
  readonly framesAt: number;
}

/** The number of the version at `at` (`Q0` and two digits), or -1. */
function versionAt(bytes: Uint8Array, at: number, end: number): number {
  if (at + 4 > end || bytes[at] !== 0x51 || bytes[at + 1] !== 0x30) return -1;
  const [tens, ones] = [bytes[at + 2] - 0x30, bytes[at + 3] - 0x30];
  return tens >= 0 && tens <= 4 && ones >= 0 && ones <= 9 ? tens * 10 + ones : -1;
}

/** The packet in the datagram from `offset` to `end` if it is one of a client that tells its version; else undefined. */
export function clientPacket(bytes: Uint8Array, offset: number, end: number): ClientPacket | undefined {
  if (end - offset < 1 + CID + 4 + 1) return undefined;
  const flags = bytes[offset];
  const long = flags > 127;
  const versionStart = offset + (long ? 1 : 1 + CID);
  const number = versionAt(bytes, versionStart, end);
  if (number < 0 || number >= LONG_HEADER !== long) return undefined;
  let framesAt: number;
  if (long) {
    // Of the two connection IDs the client's packets have the first, of eight bytes.
    if (bytes[offset + 5] !== 0x50) return undefined;
    framesAt = offset + 6 + CID + 1 + (flags & 3) + HASH;
  } else {
    const wanted = Flag.VERSION | Flag.CID;
    if ((flags & (wanted | Flag.RESET | 0xc0)) !== wanted) return undefined;
    const numberLength = [1, 2, 4, 6][(flags >> Flag.NUMBER_SHIFT) & 3] ?? 1;
    framesAt = versionStart + 4 + numberLength + HASH + (number < NO_PRIVATE_FLAGS ? 1 : 0);
  }
  const version = latin1Of(bytes, versionStart, versionStart + 4);
  return { version, number, cidAt: offset + (long ? 6 : 1), framesAt };
}

export interface CryptoPiece {
  readonly offset: number;
  readonly start: number;
  readonly end: number;
}

function numberOf(bytes: Uint8Array, at: number, length: number, big: boolean): number {
  let value = 0;
  for (let i = 0; i < length; i++) value = value * 256 + bytes[at + (big ? i : length - 1 - i)];
  return value;
}

/** The piece of stream 1, the crypto stream, in the first frame that is no padding; undefined if that is another frame. */
export function cryptoPiece(bytes: Uint8Array, packet: ClientPacket, end: number): CryptoPiece | undefined {
  const big = packet.number >= BIG_ENDIAN;
  let at = packet.framesAt;
  while (at < end && bytes[at] === 0) at++;
  if (at >= end || bytes[at] < 128) return undefined;
  const type = bytes[at++];
  const idLength = (type & 3) + 1;
  const offsetBits = (type >> 2) & 7;
  const offsetLength = offsetBits === 0 ? 0 : offsetBits + 1;
  const lengthLength = (type & 0x20) !== 0 ? 2 : 0;
  const start = at + idLength + offsetLength + lengthLength;
  if (start > end || numberOf(bytes, at, idLength, big) !== 1) return undefined;
  const offset = numberOf(bytes, at + idLength, offsetLength, big);
  const length = lengthLength === 0 ? end - start : numberOf(bytes, start - 2, 2, big);
  return start + length <= end ? { offset, start, end: start + length } : undefined;
}
