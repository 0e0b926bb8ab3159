/** Text made once, as words in little-endian order that are stored at once: fixed parts of lines, digits, octets. */

/** A text as words; the last one is filled up with zeros. */
export interface Literal {
  readonly words: Int32Array;
  /** Bytes of its UTF-8. */
  readonly length: number;
}

/** Prepares a text. */
export function literal(text: string): Literal {
  const bytes = new TextEncoder().encode(text);
  const words = new Int32Array(Math.ceil(bytes.length / 4));
  for (const [i, byte] of bytes.entries()) words[i >> 2] |= byte << ((i & 3) * 8);
  return { words, length: bytes.length };
}

function word(text: string): number {
  return literal(text).words[0];
}

/** Character codes of four digits, the first one lowest. */
const ZEROS = 0x30303030;

/** `0000` to `9999`. */
export const FOUR_DIGITS = new Int32Array(10_000);
for (let a = 0, i = 0; a < 10; a++)
  for (let b = 0; b < 10; b++)
    for (let c = 0; c < 10; c++)
      for (let d = 0; d < 10; d++) FOUR_DIGITS[i++] = ZEROS + (a | (b << 8) | (c << 16) | (d << 24));

/** Parts of an IPv4 address, each with a dot behind it: `0.` to `255.`; and how long they are. */
export const OCTETS = Int32Array.from({ length: 256 }, (_, i) => word(`${i}.`));
export const OCTET_LENGTHS = Uint8Array.from({ length: 256 }, (_, i) => String(i).length + 1);

/** `00` to `ff`. */
export const HEX_PAIRS = Int32Array.from({ length: 256 }, (_, i) => word(i.toString(16).padStart(2, '0')));
