/**
 * The Huffman code of HPACK (RFC 7541 appendix B). It is canonical: codes of one length follow each other in the order of
 * their bytes, and longer ones begin where shorter ones end, so that the lengths say all.
 */

/** Length of each byte's code: `A` is 5 bits. The code behind the last, of 30 bits, ends a string and must not occur. */
const LENGTHS =
  'ISXXXXXXXTZXXZXXXXXXXXZXXXXXXXXXBFFHIBDGFFDGDBBBAAABBBBBBBCDKBHF' +
  'IBCCCCCCCCCCCCCCCCCCCCCCDCDIOIJBKABABABBBACCBBBABCBAABCCCCCKGJIX' +
  'PRPPRRRSRSSSSSTSTTRSTSSSSQRSRSSTRQPRRSSQSRRTQRSSQQRQSRSSPRRRSRRS' +
  'VVPORSRUVVVWWVTUOQVWWVWTQQVVXWWWPTPQRQQSRRUUTTVSVWVVWWWWWXWWWWWV';
const SHORTEST = 5;
const LONGEST = 30;

/** Bytes in the order of their codes. */
const BYTES = new Uint8Array(256);
/** By length: the first code, how many there are, and where their bytes begin in BYTES. */
const FIRST = new Int32Array(LONGEST + 1);
const COUNT = new Int32Array(LONGEST + 1);
const START = new Int32Array(LONGEST + 1);

let placed = 0;
let code = 0;
for (let length = SHORTEST; length <= LONGEST; length++) {
  code <<= 1;
  FIRST[length] = code;
  START[length] = placed;
  for (let byte = 0; byte < 256; byte++) {
    if (LENGTHS.charCodeAt(byte) - 0x41 + SHORTEST === length) BYTES[placed++] = byte;
  }
  COUNT[length] = placed - START[length];
  code += COUNT[length];
}

/**
 * Decodes the bytes from `start` to `end` into `into`, as far as that has room; returns how many bytes they are, or -1 for what
 * is no such code: the end code, or padding that is longer than 7 bits or has a 0 in it.
 */
export function huffmanDecode(bytes: Uint8Array, start: number, end: number, into: Uint8Array): number {
  let filled = 0;
  let pending = 0;
  let length = 0;
  for (let at = start; at < end; at++) {
    for (let bit = 7; bit >= 0; bit--) {
      pending = (pending << 1) | ((bytes[at] >> bit) & 1);
      length++;
      if (length < SHORTEST) continue;
      const rank = pending - FIRST[length];
      if (rank < COUNT[length] && rank >= 0) {
        if (filled < into.length) into[filled] = BYTES[START[length] + rank];
        filled++;
        pending = 0;
        length = 0;
      } else if (length === LONGEST) return -1;
    }
  }
  return length > 7 || pending !== (1 << length) - 1 ? -1 : filled;
}
