/** Numbers of TLS's record layer and handshake (RFC 8446 sections 5.1 and 4), and how a connection's first bytes look. */
import { u16 } from '../bytes.ts';
import { Probe } from '../contract.ts';

export const enum Content {
  CHANGE_CIPHER_SPEC = 20,
  ALERT = 21,
  HANDSHAKE = 22,
  APPLICATION_DATA = 23,
  HEARTBEAT = 24,
  /** No content type: an SSLv2 record, which is one handshake message without a header. */
  SSL2 = 128,
}

export const enum Message {
  CLIENT_HELLO = 1,
  SERVER_HELLO = 2,
  CERTIFICATE = 11,
  CERTIFICATE_REQUEST = 13,
  SERVER_HELLO_DONE = 14,
  CLIENT_KEY_EXCHANGE = 16,
  SSL2_CLIENT_HELLO = 256,
}

/** Longest record: 2^14 bytes and 2048 for compression and encryption (RFC 5246 section 6.2.3). */
export const RECORD_MAX = 16384 + 2048;
/** Longest SSLv2-compatible ClientHello that is believed. */
export const SSL2_MAX = 4096;
const SSL_2 = 0x0002;
const SSL_3 = 0x0300;
const TLS_1_3 = 0x0304;

/** Whether a direction starts with a ClientHello or a ServerHello, in a record or as SSLv2 had it. */
export function probeTls(bytes: Uint8Array, offset: number, length: number): Probe {
  if (length === 0) return Probe.MAYBE;
  if (bytes[offset] !== Content.HANDSHAKE) return probeSsl2(bytes, offset, length);
  if (length > 1 && bytes[offset + 1] !== 3) return Probe.NO;
  if (length > 2 && bytes[offset + 2] > 4) return Probe.NO;
  if (length < 6) return Probe.MAYBE;
  const record = u16(bytes, offset + 3);
  if (record === 0 || record > RECORD_MAX) return Probe.NO;
  // HelloRequest, ClientHello or ServerHello.
  return bytes[offset + 5] <= Message.SERVER_HELLO ? Probe.YES : Probe.NO;
}

/** Whether a connection starts with an SSLv2-compatible ClientHello (RFC 5246 appendix E.2). */
function probeSsl2(bytes: Uint8Array, offset: number, length: number): Probe {
  if (bytes[offset] < 128) return Probe.NO;
  if (length > 2 && bytes[offset + 2] !== Message.CLIENT_HELLO) return Probe.NO;
  if (length < 11) return Probe.MAYBE;
  const record = ((bytes[offset] & 127) << 8) | bytes[offset + 1];
  const version = u16(bytes, offset + 3);
  const kinds = u16(bytes, offset + 5);
  const id = u16(bytes, offset + 7);
  const challenge = u16(bytes, offset + 9);
  if (record > SSL2_MAX || 9 + kinds + id + challenge !== record || kinds % 3 !== 0 || kinds === 0) return Probe.NO;
  if (version !== SSL_2 && (version < SSL_3 || version > TLS_1_3)) return Probe.NO;
  return id <= 32 && challenge >= 16 && challenge <= 32 ? Probe.YES : Probe.NO;
}

/** Message types up to 25 that IANA's "TLS HandshakeType" registry knows, a bit each; it has two more. */
const KNOWN_MESSAGES = 0b11_1111_0001_1111_1001_0111_1111;
const NEXT_PROTOCOL = 67;
const MESSAGE_HASH = 254;

export function isKnownMessage(type: number): boolean {
  return type < 26 ? ((KNOWN_MESSAGES >> type) & 1) !== 0 : type === NEXT_PROTOCOL || type === MESSAGE_HASH;
}
