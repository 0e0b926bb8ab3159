/**
 * TLS that begins later in a connection: behind STARTTLS and its likes, behind a proxy's CONNECT, behind a
 * request for encryption (PostgreSQL, MySQL, RDP). A connection is watched for it only if it opens as one of these
 * protocols does, and only as long as the bytes that are kept for probing last (`max_probe_bytes` of either direction);
 * any other connection is known to be no TLS by its first bytes.
 */
import { u16 } from '../bytes.ts';
import { Probe } from '../contract.ts';
import { Content, Message, RECORD_MAX } from './records.ts';

/** Bytes by which the start of a hello is known among others: a record's header, a message's, and the version. */
export const HELLO_START = 10;

/** What either side says first, in upper case where letters may be in either. */
const OPENINGS: readonly (readonly number[])[] = [
  // SMTP, LMTP, FTP, NNTP, and an HTTP proxy's answer: replies and commands.
  ...['220 ', '220-', '200 ', '201 ', 'EHLO ', 'HELO ', 'LHLO ', 'AUTH TLS', 'AUTH SSL', 'FEAT\r', 'MODE READER'],
  ...['CAPABILITIES\r', 'CONNECT ', 'HTTP/1.0 2', 'HTTP/1.1 2', 'HTTP/1.1 101'],
  // POP3, IMAP, ManageSieve, XMPP, IRC.
  ...['+OK', 'CAPA\r', 'STLS\r', 'USER ', '* OK', '* PREAUTH', '"IMPLEMENTATION"', '"SIEVE"', 'STARTTLS\r'],
  ...['<?XML ', '<STREAM:', 'CAP LS', 'NICK '],
].map((text) => Array.from(text, (letter) => letter.charCodeAt(0)));

const BINARY_OPENINGS: readonly (readonly number[])[] = [
  // PostgreSQL's SSLRequest and its answer, MySQL's SSLRequest (with the bit for SSL among its capabilities).
  ...[
    [0, 0, 0, 8, 4, 210, 22, 47],
    [83, 22],
    [32, 0, 0, 1],
  ],
  // TPKT, under RDP.
  [3, 0, 0],
];

const IMAP_COMMANDS = ['CAPABILITY', 'STARTTLS', 'ID ', 'NOOP', 'LOGIN ', 'AUTHENTICATE '].map((text) =>
  Array.from(text, (letter) => letter.charCodeAt(0)),
);
/** Longest tag of an IMAP command that is believed. */
const TAG_MAX = 12;

/** Whether a direction opens as a protocol that may turn to TLS, and has turned: MAYBE while it has not. */
export function probeUpgrade(bytes: Uint8Array, offset: number, length: number): Probe {
  const end = offset + length;
  if (!opensSo(bytes, offset, end)) return Probe.NO;
  for (let at = offset; at + HELLO_START <= end; at++) {
    if (bytes[at] === Content.HANDSHAKE && isHelloStart(bytes, at, HELLO_START)) return Probe.YES;
  }
  return Probe.MAYBE;
}

/** Whether the `length` bytes at `at`, at most {@link HELLO_START}, are or may become the start of a hello. */
export function isHelloStart(bytes: Uint8Array, at: number, length: number): boolean {
  if (bytes[at] !== Content.HANDSHAKE) return false;
  if (length > 1 && bytes[at + 1] !== 3) return false;
  if (length > 2 && bytes[at + 2] > 4) return false;
  if (length > 4 && (u16(bytes, at + 3) > RECORD_MAX || u16(bytes, at + 3) < 42)) return false;
  if (length > 5 && bytes[at + 5] !== Message.CLIENT_HELLO && bytes[at + 5] !== Message.SERVER_HELLO) return false;
  if (length > 6 && bytes[at + 6] !== 0) return false;
  if (length > 8 && u16(bytes, at + 7) < 38) return false;
  return length < HELLO_START || bytes[at + 9] === 3;
}

/** True for what may be such an opening, as far as it has come. */
function opensSo(bytes: Uint8Array, offset: number, end: number): boolean {
  for (const opening of OPENINGS) if (startsWith(bytes, offset, end, opening, true)) return true;
  for (const opening of BINARY_OPENINGS) if (startsWith(bytes, offset, end, opening, false)) return true;
  return opensLdap(bytes, offset, end) || opensImap(bytes, offset, end) || opensMysql(bytes, offset, end);
}

function startsWith(
  bytes: Uint8Array,
  offset: number,
  end: number,
  text: readonly number[],
  anyCase: boolean,
): boolean {
  const length = Math.min(text.length, end - offset);
  for (let i = 0; i < length; i++) {
    const byte = bytes[offset + i];
    const upper = anyCase && byte >= 0x61 && byte <= 0x7a ? byte - 32 : byte;
    if (upper !== text[i]) return false;
  }
  return true;
}

/** An LDAP message that asks for StartTLS or answers that: an extended request or response (RFC 4511 section 4.14). */
function opensLdap(bytes: Uint8Array, offset: number, end: number): boolean {
  if (bytes[offset] !== 0x30) return false;
  if (end - offset < 2) return true;
  // BER lengths of up to 127 bytes, or in the long form with up to four bytes.
  const at = offset + (bytes[offset + 1] < 128 ? 2 : 2 + (bytes[offset + 1] & 7));
  if (at + 2 >= end) return end - offset < 10;
  if (bytes[at] !== 2 || bytes[at + 1] > 4) return false;
  const operation = at + 2 + bytes[at + 1];
  return operation >= end || bytes[operation] === 0x77 || bytes[operation] === 0x78;
}

/** A tag and a command that a client sends before STARTTLS (RFC 9051 section 2.2.1). */
function opensImap(bytes: Uint8Array, offset: number, end: number): boolean {
  for (let at = offset; at < Math.min(end, offset + TAG_MAX); at++) {
    const byte = bytes[at];
    if (byte === 0x20) {
      return at > offset && IMAP_COMMANDS.some((command) => startsWith(bytes, at + 1, end, command, true));
    }
    const digit = byte >= 0x30 && byte <= 0x39;
    const letter = (byte >= 0x41 && byte <= 0x5a) || (byte >= 0x61 && byte <= 0x7a);
    if (!digit && !letter && byte !== 0x2e) return false;
  }
  return end - offset < TAG_MAX;
}

/** The greeting of a MySQL server: a packet with number 0 that starts with protocol version 10. */
function opensMysql(bytes: Uint8Array, offset: number, end: number): boolean {
  if (bytes[offset] < 32 || bytes[offset] > 127) return false;
  return startsWith(bytes, offset + 1, end, [0, 0, 0, 10], false);
}
