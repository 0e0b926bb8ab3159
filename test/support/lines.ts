/** Lines of text for what takes them as bytes. */

import type { Entry } from '../../runtime/dispatch/entry.ts';
import { type StoredText, storedText } from '../../runtime/dispatch/line-store.ts';
import { LineBuffer } from '../../runtime/subscription/line-buffer.ts';

/** A text in a block of its own. */
export function stored(text: string): StoredText {
  const bytes = Buffer.from(text);
  return { block: { bytes, texts: 1 }, from: 0, to: bytes.length };
}

/** An entry with that text. */
export function entryOf({ text, ...place }: Omit<Entry, keyof StoredText> & { readonly text: string }): Entry {
  return { ...place, ...stored(text) };
}

/** What `write` writes. The memory is so short at first that it has to grow wherever it can. */
export function written(write: (out: LineBuffer) => void): string {
  const out = new LineBuffer(Buffer.alloc(0), (self, bytes) => {
    // No byte more than was asked for: what is written beyond it fails.
    self.moveTo(Buffer.alloc(self.at - self.start + bytes), 0);
  });
  write(out);
  return storedText({ block: { bytes: out.bytes, texts: 1 }, from: out.start, to: out.at });
}
