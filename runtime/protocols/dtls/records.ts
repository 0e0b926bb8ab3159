/** Reading DTLS records and the fragments of handshake messages in them (RFC 6347 section 4, RFC 9147 section 4). */
import { keep, u16 } from '../bytes.ts';
import { Probe } from '../contract.ts';
import { Content, Message } from '../tls/records.ts';

/** Bytes of a record's header, and of a handshake fragment's. */
export const RECORD_HEADER = 13;
export const FRAGMENT_HEADER = 12;
export const HELLO_VERIFY_REQUEST = 3;
/** Offset of the session identifier in a hello. */
const SESSION_ID = 34;

/** DTLS 1.0 is 0xfeff and 1.2 is 0xfefd, in records of 1.3 too; OpenSSL once sent 0x0100. */
function isVersion(version: number): boolean {
  return version === 0xfeff || version === 0xfefd || version === 0x0100;
}

/** Whether a plain record's header stands at `at`. */
export function isRecord(bytes: Uint8Array, at: number, end: number): boolean {
  if (end - at < RECORD_HEADER || bytes[at] < Content.CHANGE_CIPHER_SPEC || bytes[at] > 26) return false;
  return isVersion(u16(bytes, at + 1)) && u16(bytes, at + 11) <= end - at - RECORD_HEADER;
}

export function u24(bytes: Uint8Array, at: number): number {
  return (bytes[at] << 16) | u16(bytes, at + 1);
}

/** Whether a datagram starts with the first part of a ClientHello, a HelloVerifyRequest or a ServerHello. */
export function probeDtls(bytes: Uint8Array, offset: number, length: number): Probe {
  const end = offset + length;
  if (!isRecord(bytes, offset, end) || bytes[offset] !== Content.HANDSHAKE || u16(bytes, offset + 3) !== 0)
    return Probe.NO;
  const record = u16(bytes, offset + 11);
  const at = offset + RECORD_HEADER;
  if (record < FRAGMENT_HEADER) return Probe.NO;
  const type = bytes[at];
  if (type !== Message.CLIENT_HELLO && type !== Message.SERVER_HELLO && type !== HELLO_VERIFY_REQUEST) return Probe.NO;
  const [whole, fragmentAt, fragment] = [u24(bytes, at + 1), u24(bytes, at + 6), u24(bytes, at + 9)];
  return fragmentAt + fragment <= whole && fragment <= record - FRAGMENT_HEADER ? Probe.YES : Probe.NO;
}

/** A ClientHello without the cookie that DTLS has behind the session identifier; undefined if it is too short. */
export function withoutCookie(body: Uint8Array): Uint8Array | undefined {
  if (body.length <= SESSION_ID) return undefined;
  const cookie = SESSION_ID + 1 + body[SESSION_ID];
  if (cookie >= body.length) return undefined;
  const behind = cookie + 1 + body[cookie];
  if (behind > body.length) return undefined;
  const plain = keep(body, 0, body.length - (behind - cookie));
  plain.set(body.subarray(behind), cookie);
  return plain;
}
