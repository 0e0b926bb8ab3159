/**
 * The text of lines that wait, as UTF-8 in blocks of bytes. As strings they would live long enough for the garbage
 * collector to move them about, which costs more than making them.
 */

/** Bytes of a block, unless a single text needs more. */
const BLOCK_BYTES = 256 * 1024;
/** Empty blocks that are kept for the lines to come. */
const MOST_SPARE = 16;
/** UTF-8 needs at most this many bytes for one UTF-16 unit. */
const BYTES_PER_UNIT = 3;

/** Bytes of many texts, one behind the other. */
export interface LineBlock {
  readonly bytes: Buffer;
  used: number;
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
  /** Stores `text`: sets `into`. */
  put(text: string, into: StoredText): void;
  /** Adds `text` to what `stored` is. */
  append(text: string, stored: StoredText): void;
  /** The bytes of `stored` may be overwritten from now on. */
  letGo(stored: StoredText): void;
}

export function createLineStore(): LineStore {
  const spare: LineBlock[] = [];
  let current = newBlock(BLOCK_BYTES);

  function newBlock(bytes: number): LineBlock {
    return { bytes: Buffer.allocUnsafeSlow(bytes), used: 0, texts: 0 };
  }

  /** Makes `current` a block with room for so many bytes. */
  function makeRoom(bytes: number): void {
    if (current.bytes.length - current.used >= bytes) return;
    if (current.texts === 0) retire(current);
    const next = bytes <= BLOCK_BYTES ? spare.pop() : undefined;
    current = next ?? newBlock(Math.max(bytes, BLOCK_BYTES));
  }

  /** Nothing is left in `block`. */
  function retire(block: LineBlock): void {
    block.used = 0;
    if (block.bytes.length === BLOCK_BYTES && spare.length < MOST_SPARE) spare.push(block);
  }

  function letGo({ block }: StoredText): void {
    block.texts--;
    if (block.texts > 0) return;
    if (block === current) block.used = 0;
    else retire(block);
  }

  return {
    put(text, into) {
      makeRoom(text.length * BYTES_PER_UNIT);
      into.block = current;
      into.from = current.used;
      current.used += current.bytes.write(text, current.used);
      into.to = current.used;
      current.texts++;
    },
    append(text, stored) {
      const { block, from, to } = stored;
      const most = text.length * BYTES_PER_UNIT;
      if (block !== current || to !== block.used || block.bytes.length - to < most) {
        makeRoom(to - from + most);
        if (current !== block) {
          stored.block = current;
          current.texts++;
          letGo({ block, from, to });
        }
        stored.from = current.used;
        current.used += block.bytes.copy(current.bytes, current.used, from, to);
      }
      current.used += current.bytes.write(text, current.used);
      stored.to = current.used;
    },
    letGo,
  };
}

/** The text that is stored there. */
export function storedText({ block, from, to }: StoredText): string {
  return block.bytes.toString('utf8', from, to);
}
