/** What parsers do with bytes that outlive the packet they came in: copy them, and make strings of them. Hot. */

/** Room for short copies is taken from blocks of this many bytes; a kept copy keeps its block alive. */
const BLOCK = 16384;
/** Longer copies get an array of their own. */
const SHARED_MAX = 4096;

let block = new Uint8Array(BLOCK);
let used = 0;

/** An own copy of `length` bytes at `offset`. */
export function keep(bytes: Uint8Array, offset: number, length: number): Uint8Array {
  if (length > SHARED_MAX) return bytes.slice(offset, offset + length);
  if (used + length > BLOCK) {
    block = new Uint8Array(BLOCK);
    used = 0;
  }
  const copy = block.subarray(used, used + length);
  copy.set(bytes.subarray(offset, offset + length));
  used += length;
  return copy;
}

const utf8 = new TextDecoder('utf-8');

type Slice = (this: Uint8Array, start: number, end: number) => string;
/** Node's own way from Latin-1 to a string, three times as fast as a TextDecoder; a browser has none. */
const latin1Slice: Slice | undefined =
  typeof Buffer === 'undefined' ? undefined : (Buffer.prototype as unknown as { latin1Slice?: Slice }).latin1Slice;

/** The bytes from `start` to `end`, which must lie within `bytes`, as text: UTF-8, with U+FFFD for what is none. */
export function textOf(bytes: Uint8Array, start: number, end: number): string {
  if (latin1Slice !== undefined && isAscii(bytes, start, end)) return latin1Slice.call(bytes, start, end);
  return utf8.decode(bytes.subarray(start, end));
}

function isAscii(bytes: Uint8Array, start: number, end: number): boolean {
  for (let i = start; i < end; i++) if (bytes[i] > 0x7f) return false;
  return true;
}

/** `00` to `ff`. */
export const HEX = Array.from({ length: 256 }, (_, i) => i.toString(16).padStart(2, '0'));

/** Two lower-case hex digits a byte. */
export function hexOf(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += HEX[byte];
  return text;
}

/** The big-endian 16-bit number at `i`, which must lie within `bytes`. */
export function u16(bytes: Uint8Array, i: number): number {
  return (bytes[i] << 8) | bytes[i + 1];
}

/** The four bytes at `at` as an IPv4 address. */
export function ipv4Text(bytes: Uint8Array, at: number): string {
  return `${bytes[at]}.${bytes[at + 1]}.${bytes[at + 2]}.${bytes[at + 3]}`;
}

/** The sixteen bytes at `at` as an IPv6 address in the form of RFC 5952. */
export function ipv6Text(bytes: Uint8Array, at: number): string {
  const groups = Array.from({ length: 8 }, (_, i) => u16(bytes, at + 2 * i));
  // The longest run of zero groups, the first of several, but none of a single group.
  let start = 0;
  let length = 1;
  for (let i = 0; i < 8; i++) {
    let run = 0;
    while (i + run < 8 && groups[i + run] === 0) run++;
    if (run > length) {
      start = i;
      length = run;
    }
  }
  const hex = (from: number, to: number) =>
    groups
      .slice(from, to)
      .map((group) => group.toString(16))
      .join(':');
  return length > 1 ? `${hex(0, start)}::${hex(start + length, 8)}` : hex(0, 8);
}

/** The bytes from `start` to `end`, which must lie within `bytes`, as a string of a character each. */
export function latin1Of(bytes: Uint8Array, start: number, end: number): string {
  if (latin1Slice !== undefined) return latin1Slice.call(bytes, start, end);
  let text = '';
  for (let i = start; i < end; i++) text += String.fromCharCode(bytes[i]);
  return text;
}
