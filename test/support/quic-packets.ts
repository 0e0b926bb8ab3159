/** Makes QUIC packets: Initials protected as a client would, and the headers of the rest. */
import { createCipheriv } from 'node:crypto';
import { initialKeys } from '../../runtime/protocols/quic/keys.ts';
import { type Bytes, concat, u16be } from './tls-messages.ts';

/** A variable-length integer (RFC 9000 section 16) of at least `size` bytes. */
export function varint(value: number, size: 1 | 2 | 4 = 1): number[] {
  if (size === 1 && value < 64) return [value];
  if (size <= 2 && value < 16384) return u16be(0x4000 | value);
  return u16be(0x8000 | (value >> 16), value & 0xffff);
}

export const cryptoFrame = (offset: number, data: Uint8Array): Uint8Array =>
  concat([6], varint(offset), varint(data.length), data);

function longStart(first: number, version: number, dcid: Bytes, scid: Bytes): Uint8Array {
  return concat([first], u16be(version >>> 16, version & 0xffff), [dcid.length], dcid, [scid.length], scid);
}

export interface InitialParts {
  readonly version?: number;
  readonly dcid: Bytes;
  readonly scid?: Bytes;
  readonly token?: Bytes;
  readonly number?: number;
  /** Identifier the keys are made of, if not `dcid`. */
  readonly keysOf?: Bytes;
  /** The version whose keys it has, if not its own. */
  readonly keyVersion?: number;
  /** Whose packet it is: the client's if not said. */
  readonly side?: 'client' | 'server';
  /** False: with the fixed bit cleared (RFC 9287). */
  readonly fixed?: boolean;
}

/** An Initial packet with these frames, padded to `size` bytes. */
export function initial(parts: InitialParts, frames: Uint8Array, size = 1200): Uint8Array {
  const { version = 1, dcid, scid = [], token = [], number = 0, keysOf = dcid, side = 'client', fixed = true } = parts;
  const keys = initialKeys(parts.keyVersion ?? version, Uint8Array.from(keysOf), side);
  const typeBits = version === 0x6b3343cf ? 1 : 0;
  const start = concat(
    longStart((fixed ? 0xc0 : 0x80) | (typeBits << 4) | 1, version, dcid, scid),
    varint(token.length),
    token,
  );
  const numberBytes = u16be(number);
  const room = size - start.length - 2 - numberBytes.length - 16;
  const payload = new Uint8Array(Math.max(room, frames.length));
  payload.set(frames);
  const header = concat(start, varint(numberBytes.length + payload.length + 16, 2), numberBytes);

  const nonce = Buffer.from(keys.iv);
  nonce[10] ^= numberBytes[0];
  nonce[11] ^= numberBytes[1];
  const cipher = createCipheriv('aes-128-gcm', keys.key, nonce);
  cipher.setAAD(header);
  const sealed = concat(cipher.update(payload), cipher.final(), cipher.getAuthTag());
  const packet = concat(header, sealed);
  const at = header.length - 2;
  const mask = createCipheriv('aes-128-ecb', keys.hp, null).update(packet.subarray(at + 4, at + 20));
  packet[0] ^= mask[0] & 0x0f;
  packet[at] ^= mask[1];
  packet[at + 1] ^= mask[2];
  return packet;
}

/** A packet with a long header of another type; `bits` are its type bits. */
export const longPacket = (bits: number, dcid: Bytes, scid: Bytes, length: number, version = 1): Uint8Array =>
  concat(longStart(0xc0 | (bits << 4), version, dcid, scid), varint(length, 2), new Uint8Array(length).fill(0x77));
export const retry = (dcid: Bytes, scid: Bytes): Uint8Array =>
  concat(longStart(0xf0, 1, dcid, scid), new Uint8Array(40).fill(0x55));
export const negotiation = (dcid: Bytes, scid: Bytes, ...versions: readonly number[]): Uint8Array =>
  concat(longStart(0x80, 0, dcid, scid), ...versions.map((version) => u16be(version >>> 16, version & 0xffff)));
export const shortPacket = (length: number): Uint8Array => concat([0x41], new Uint8Array(length).fill(0x33));
