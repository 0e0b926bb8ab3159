/**
 * Names in DNS messages (RFC 1035 sections 3.1 and 4.1.4). They are bounded whatever the bytes say: compression pointers only
 * lead backwards, a name has at most 255 bytes, and no reader leaves the message.
 */
import { textOf, u16 } from '../bytes.ts';

/** Longest name, and so the most bytes of one that are read (RFC 1035 section 2.3.4). */
const NAME_MAX = 255;

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

const PLAIN = /^[\w\-*/: ]*$/;

/**
 * A label as in a zone file: dots and backslashes escaped, what is not printable as three decimal digits; but a space, which
 * names of services have, as it is.
 */
function labelText(bytes: Uint8Array, start: number, end: number): string {
  const text = textOf(bytes, start, end);
  if (PLAIN.test(text)) return text;
  let escaped = '';
  for (let i = start; i < end; i++) {
    const byte = bytes[i];
    if (byte === 0x2e || byte === 0x5c) escaped += `\\${String.fromCharCode(byte)}`;
    else if (byte >= 0x20 && byte < 0x7f) escaped += String.fromCharCode(byte);
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
