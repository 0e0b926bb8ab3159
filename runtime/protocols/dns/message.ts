/**
 * Reading DNS messages (RFC 1035 section 4.1). Names and record data are bounded whatever the bytes say: compression
 * pointers only lead backwards, a name has at most 255 bytes, and no reader leaves the message.
 */
import { hexOf, ipv4Text, ipv6Text, textOf, u16 } from '../bytes.ts';

/** Bytes of the header. */
export const HEADER = 12;

/** Offsets of the header's counts. */
export const enum Count {
  QUESTIONS = 4,
  ANSWERS = 6,
  NAMESERVERS = 8,
  ADDITIONALS = 10,
}

const enum Type {
  A = 1,
  NS = 2,
  CNAME = 5,
  SOA = 6,
  MB = 7,
  MG = 8,
  MR = 9,
  PTR = 12,
  HINFO = 13,
  MX = 15,
  TXT = 16,
  RP = 17,
  AFSDB = 18,
  AAAA = 28,
  SRV = 33,
  KX = 36,
  DNAME = 39,
  OPT = 41,
  SPF = 99,
  CAA = 257,
}

/** Longest name, and so the most bytes of one that are read (RFC 1035 section 2.3.4). */
const NAME_MAX = 255;

/** Whether the message is an answer. The header must be whole. */
export function isResponse(bytes: Uint8Array, start: number): boolean {
  return bytes[start + 2] > 127;
}

/** Where the name at `at` ends, or -1 if it does not within the message. */
export function skipName(bytes: Uint8Array, at: number, end: number): number {
  for (let i = at; i < end && i - at <= NAME_MAX; ) {
    const length = bytes[i];
    if (length === 0) return i + 1;
    if (length > 63) return length >= 0xc0 && i + 2 <= end ? i + 2 : -1;
    i += 1 + length;
  }
  return -1;
}

const PLAIN = /^[\w\-*/:]*$/;

/** A label as in a zone file: dots and backslashes escaped, what is not printable as three decimal digits. */
function labelText(bytes: Uint8Array, start: number, end: number): string {
  const text = textOf(bytes, start, end);
  if (PLAIN.test(text)) return text;
  let escaped = '';
  for (let i = start; i < end; i++) {
    const byte = bytes[i];
    if (byte === 0x2e || byte === 0x5c) escaped += `\\${String.fromCharCode(byte)}`;
    else if (byte > 0x20 && byte < 0x7f) escaped += String.fromCharCode(byte);
    else if (byte > 0x7f && !text.includes('\ufffd')) return text.replace(/[.\\]/g, '\\$&');
    else escaped += `\\${String(byte).padStart(3, '0')}`;
  }
  return escaped;
}

/** The name at `at` of the message from `start` to `end`, without the final dot; `.` is the root. Empty if it is none. */
export function nameAt(bytes: Uint8Array, start: number, end: number, at: number): string {
  let name = '';
  let length = 0;
  let here = at;
  /** Pointers lead to before the name, or the part of it, that they stand in. */
  let first = at;
  while (here < end) {
    const size = bytes[here];
    if (size === 0) return name === '' ? '.' : name;
    if (size > 63) {
      if (size < 0xc0 || here + 2 > end) return '';
      const target = start + (u16(bytes, here) & 0x3fff);
      if (target >= first) return '';
      here = first = target;
      continue;
    }
    const next = here + 1 + size;
    length += 1 + size;
    if (next > end || length > NAME_MAX) return '';
    name += (name === '' ? '' : '.') + labelText(bytes, here + 1, next);
    here = next;
  }
  return '';
}

/** Where the questions end, or -1 if they are not whole. */
export function skipQuestions(bytes: Uint8Array, start: number, end: number): number {
  let at = start + HEADER;
  for (let left = u16(bytes, start + Count.QUESTIONS); left > 0; left--) {
    at = skipName(bytes, at, end);
    if (at < 0 || at + 4 > end) return -1;
    at += 4;
  }
  return at;
}

/** Where the record at `at` ends, or -1 if it is not whole. */
function skipRecord(bytes: Uint8Array, at: number, end: number): number {
  const fixed = skipName(bytes, at, end);
  if (fixed < 0 || fixed + 10 > end) return -1;
  const next = fixed + 10 + u16(bytes, fixed + 8);
  return next <= end ? next : -1;
}

/** Where `count` records from `at` on end, or -1 if they are not whole. */
export function skipRecords(bytes: Uint8Array, from: number, end: number, count: number): number {
  let at = from;
  for (let left = count; left > 0 && at >= 0; left--) at = skipRecord(bytes, at, end);
  return at;
}

/** Data of the records of one section, in order. Those of EDNS (RFC 6891) are no data and are left out. */
export function sectionText(message: Uint8Array, section: Count): string[] {
  const end = message.length;
  const list: string[] = [];
  let at = skipQuestions(message, 0, end);
  for (let before = Count.ANSWERS; before < section && at >= 0; before += 2) {
    at = skipRecords(message, at, end, u16(message, before));
  }
  for (let left = at < 0 ? 0 : u16(message, section); left > 0; left--) {
    const next = skipRecord(message, at, end);
    if (next < 0) break;
    const fixed = skipName(message, at, end);
    const type = u16(message, fixed);
    if (type !== Type.OPT) list.push(dataText(message, type, fixed + 10, next));
    at = next;
  }
  return list;
}

/** The upper bits of the response code, from the OPT record (RFC 6891 section 6.1.3). */
export function extendedRcode(message: Uint8Array): number {
  const end = message.length;
  let at = skipQuestions(message, 0, end);
  if (at < 0) return 0;
  at = skipRecords(message, at, end, u16(message, Count.ANSWERS) + u16(message, Count.NAMESERVERS));
  for (let left = at < 0 ? 0 : u16(message, Count.ADDITIONALS); left > 0; left--) {
    const next = skipRecord(message, at, end);
    if (next < 0) return 0;
    const fixed = skipName(message, at, end);
    if (u16(message, fixed) === Type.OPT) return message[fixed + 4] << 4;
    at = next;
  }
  return 0;
}

/** The strings from `at` to `end`, each with its length in front (RFC 1035 section 3.3). */
function strings(bytes: Uint8Array, from: number, end: number): string[] {
  const list: string[] = [];
  for (let at = from; at < end; at += 1 + bytes[at]) {
    list.push(textOf(bytes, at + 1, Math.min(at + 1 + bytes[at], end)));
  }
  return list;
}

function u32(bytes: Uint8Array, at: number): number {
  return u16(bytes, at) * 0x10000 + u16(bytes, at + 2);
}

/** A record's data from `at` to `end` as in a zone file, names without the final dot. */
function dataText(message: Uint8Array, type: Type, at: number, end: number): string {
  const name = (from: number) => nameAt(message, 0, message.length, from);
  const length = end - at;
  switch (type) {
    case Type.A:
      if (length === 4) return ipv4Text(message, at);
      break;
    case Type.AAAA:
      if (length === 16) return ipv6Text(message, at);
      break;
    case Type.NS:
    case Type.CNAME:
    case Type.MB:
    case Type.MG:
    case Type.MR:
    case Type.PTR:
    case Type.DNAME:
      return name(at);
    case Type.MX:
    case Type.AFSDB:
    case Type.KX:
      if (length > 2) return `${u16(message, at)} ${name(at + 2)}`;
      break;
    case Type.SRV:
      if (length > 6) {
        return `${u16(message, at)} ${u16(message, at + 2)} ${u16(message, at + 4)} ${name(at + 6)}`;
      }
      break;
    case Type.SOA: {
      const second = skipName(message, at, end);
      const numbers = second < 0 ? -1 : skipName(message, second, end);
      if (numbers < 0 || numbers + 20 > end) break;
      const five = [0, 4, 8, 12, 16].map((i) => u32(message, numbers + i));
      return `${name(at)} ${name(second)} ${five.join(' ')}`;
    }
    case Type.RP: {
      const second = skipName(message, at, end);
      if (second > 0 && second < end) return `${name(at)} ${name(second)}`;
      break;
    }
    case Type.TXT:
    case Type.SPF:
    case Type.HINFO:
      return strings(message, at, end).join(' ');
    case Type.CAA: {
      const value = at + 2 + (length > 1 ? message[at + 1] : 0);
      if (length > 2 && value <= end) {
        return `${message[at]} ${textOf(message, at + 2, value)} "${textOf(message, value, end)}"`;
      }
      break;
    }
    default:
      break;
  }
  // RFC 3597 section 5.
  return `\\# ${length}${length > 0 ? ` ${hexOf(message.subarray(at, end))}` : ''}`;
}
