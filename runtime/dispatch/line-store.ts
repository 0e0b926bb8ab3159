/**
 * The text of lines that wait, as UTF-8 in blocks of bytes. As strings they would live long enough for the garbage
 * collector to move them about, which costs more than making them.
 */
import { LineBuffer } from '../subscription/line-buffer.ts';

/** Bytes of a block, unless a single text needs more. */
const BLOCK_BYTES = 256 * 1024;
/** Empty blocks that are kept for the lines to come. */
const MOST_SPARE = 16;

/** Bytes of many texts, one behind the other. */
export interface LineBlock {
  readonly bytes: Buffer;
  /** Texts of it that were not let go of. */
  texts: number;
}

/** A text in a block: bytes `from` to `to` - 1. */
export interface StoredText {
  block: LineBlock;
  from: number;
  to: number;
}

export interface LineStore {
  /** Where the next text is written, from `out.start` on; it is stored by `put` or `append`. */
  readonly out: LineBuffer;
  /** Stores what was written: sets `into`. */
  put(into: StoredText): void;
  /** Adds what was written to what `stored` is. */
  append(stored: StoredText): void;
  /** The bytes of `stored` may be overwritten from now on. */
  letGo(stored: StoredText): void;
}

export function createLineStore(): LineStore {
  const spare: LineBlock[] = [];
  /** The block that is written to; it is used up to `out.start`. */
  let current = newBlock(BLOCK_BYTES);
  const out = new LineBuffer(current.bytes, (_, bytes) => moveOn(bytes));

  function newBlock(bytes: number): LineBlock {
    return { bytes: Buffer.allocUnsafeSlow(bytes), texts: 0 };
  }

  /** Takes what is being written to another block, with room for so many bytes more. */
  function moveOn(bytes: number): void {
    const length = out.at - out.start + bytes;
    const full = current;
    const next = length <= BLOCK_BYTES ? spare.pop() : undefined;
    // Of a text that does not end soon, the larger part has not come yet.
    current = next ?? newBlock(length <= BLOCK_BYTES ? BLOCK_BYTES : length * 2);
    out.moveTo(current.bytes, 0);
    if (full.texts === 0) retire(full);
  }

  /** Nothing is left in `block`. */
  function retire(block: LineBlock): void {
    if (block.bytes.length === BLOCK_BYTES && spare.length < MOST_SPARE) spare.push(block);
  }

  function take(stored: StoredText): void {
    stored.block = current;
    stored.from = out.start;
    stored.to = out.at;
    current.texts++;
    out.start = out.at;
  }

  function letGo({ block }: StoredText): void {
    block.texts--;
    if (block.texts > 0) return;
    if (block === current) out.moveTo(block.bytes, 0);
    else retire(block);
  }

  return {
    out,
    put: take,
    append(stored) {
      const { block, from, to } = stored;
      if (block === current && to === out.start) {
        stored.to = out.at;
        out.start = out.at;
        return;
      }
      const length = to - from;
      out.room(length);
      out.bytes.copyWithin(out.start + length, out.start, out.at);
      block.bytes.copy(out.bytes, out.start, from, to);
      out.at += length;
      take(stored);
      letGo({ block, from, to });
    },
    letGo,
  };
}

/** The text that is stored there. */
export function storedText({ block, from, to }: StoredText): string {
  return block.bytes.toString('utf8', from, to);
}

/** Negative when text `a` stands before `b`: by their bytes, which is the order of their characters. */
export function compareTexts(a: StoredText, b: StoredText): number {
  return a.block.bytes.compare(b.block.bytes, b.from, b.to, a.from, a.to);
}
