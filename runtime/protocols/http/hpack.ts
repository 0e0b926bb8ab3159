/** Decodes HPACK header blocks (RFC 7541), with bounds on what they can unfold to. */
import { latin1Of } from '../bytes.ts';
import { huffmanDecode } from './huffman.ts';

/** A header: name and value, a character each byte. */
export type Header = readonly [name: string, value: string];

/** Largest dynamic table that an encoder may ask for, in bytes as RFC 7541 section 4.1 counts. */
const TABLE_MAX = 65536;
const TABLE_DEFAULT = 4096;
/** What an entry counts besides its bytes. */
const ENTRY = 32;
/** Most that one block may unfold to, counted like a table. */
const LIST_MAX = 131072;
/** Longest string. */
const STRING_MAX = 65536;

/** Appendix A: names with their values. */
const STATIC: readonly Header[] = [
  [':authority', ''],
  [':method', 'GET'],
  [':method', 'POST'],
  [':path', '/'],
  [':path', '/index.html'],
  [':scheme', 'http'],
  [':scheme', 'https'],
  ...['200', '204', '206', '304', '400', '404', '500'].map((code): Header => [':status', code]),
  ['accept-charset', ''],
  ['accept-encoding', 'gzip, deflate'],
  ...[
    ...['accept-language', 'accept-ranges', 'accept', 'access-control-allow-origin', 'age', 'allow', 'authorization'],
    ...['cache-control', 'content-disposition', 'content-encoding', 'content-language', 'content-length'],
    ...['content-location', 'content-range', 'content-type', 'cookie', 'date', 'etag', 'expect', 'expires', 'from'],
    ...['host', 'if-match', 'if-modified-since', 'if-none-match', 'if-range', 'if-unmodified-since', 'last-modified'],
    ...['link', 'location', 'max-forwards', 'proxy-authenticate', 'proxy-authorization', 'range', 'referer', 'refresh'],
    ...['retry-after', 'server', 'set-cookie', 'strict-transport-security', 'transfer-encoding', 'user-agent', 'vary'],
    ...['via', 'www-authenticate'],
  ].map((name): Header => [name, '']),
];

/** Where Huffman codes are decoded to: one for all decoders, for nothing stays in it. */
const text = new Uint8Array(STRING_MAX);

const sizeOf = ([name, value]: Header) => name.length + value.length + ENTRY;

export interface HpackDecoder {
  /** The headers of a whole block; undefined where it is none, after which no other block can be decoded. */
  decode(block: Uint8Array, start: number, end: number): Header[] | undefined;
  reset(): void;
}

export function createHpackDecoder(): HpackDecoder {
  /** Newest first. */
  let table: Header[] = [];
  let size = 0;
  let most = TABLE_DEFAULT;
  /** The block at hand: `at` is -1 once it turned out to be none. */
  let bytes: Uint8Array = text;
  let at = 0;
  let end = 0;

  /** An integer whose first bits share a byte with others (section 5.1); -1 if there is none. */
  function integer(prefix: number): number {
    if (at >= end) return -1;
    const mask = (1 << prefix) - 1;
    let value = bytes[at++] & mask;
    if (value < mask) return value;
    for (let shift = 0; shift <= 21; shift += 7) {
      if (at >= end) return -1;
      const byte = bytes[at++];
      value += (byte & 127) << shift;
      if (byte < 128) return value;
    }
    return -1;
  }

  /** A string (section 5.2), or undefined. */
  function string(): string | undefined {
    const huffman = at < end && bytes[at] > 127;
    const length = integer(7);
    if (length < 0 || length > end - at) return undefined;
    const start = at;
    at += length;
    if (!huffman) return length > STRING_MAX ? undefined : latin1Of(bytes, start, at);
    const decoded = huffmanDecode(bytes, start, at, text);
    return decoded < 0 || decoded > STRING_MAX ? undefined : latin1Of(text, 0, decoded);
  }

  function entry(index: number): Header | undefined {
    return index <= STATIC.length ? STATIC[index - 1] : table[index - STATIC.length - 1];
  }

  function shrinkTo(limit: number): void {
    while (size > limit) {
      const oldest = table.pop();
      if (oldest === undefined) return;
      size -= sizeOf(oldest);
    }
  }

  function literal(prefix: number): Header | undefined {
    const index = integer(prefix);
    if (index < 0) return undefined;
    const name = index === 0 ? string() : entry(index)?.[0];
    const value = name === undefined ? undefined : string();
    return name === undefined || value === undefined ? undefined : [name, value];
  }

  /** The next header, 0 for a change of the table's size, undefined for what is neither. */
  function next(): Header | 0 | undefined {
    const first = bytes[at];
    if (first >= 0x80) return entry(integer(7));
    if (first >= 0x40) {
      const header = literal(6);
      if (header === undefined) return undefined;
      const added = sizeOf(header);
      shrinkTo(most - added);
      if (added <= most) {
        table.unshift(header);
        size += added;
      }
      return header;
    }
    if (first < 0x20) return literal(4);
    const asked = integer(5);
    if (asked < 0 || asked > TABLE_MAX) return undefined;
    most = asked;
    shrinkTo(most);
    return 0;
  }

  return {
    decode(block, start, stop) {
      bytes = block;
      at = start;
      end = stop;
      const headers: Header[] = [];
      let unfolded = 0;
      while (at < end) {
        const header = next();
        if (header === undefined) return undefined;
        if (header === 0) continue;
        unfolded += sizeOf(header);
        if (unfolded > LIST_MAX) return undefined;
        headers.push(header);
      }
      return headers;
    },
    reset() {
      table = [];
      size = 0;
      most = TABLE_DEFAULT;
    },
  };
}
