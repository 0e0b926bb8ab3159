/** A line that waits for its turn, and where it belongs among the others. */
import { compareTexts, type StoredText } from './line-store.ts';

/** Behind every frame. */
export const TIMERS_KEY = Number.MAX_SAFE_INTEGER;

/** Where lines belong. Compared word by word, and then, if `timers`, by text. */
export interface Place {
  /** Seconds since 1970; infinite for what the end of the run ended. */
  readonly time: number;
  /** The number of the frame; {@link TIMERS_KEY} for what timers brought about; at the end of the run seconds. */
  readonly key: number;
}

/** Lines that belong together, one or more, each with its newline: bytes of a block. */
export interface Entry extends Place, StoredText {
  /** They come from timers or from the end of the run: equal places are ordered by text. */
  readonly timers: boolean;
}

/** Takes entries in their order. */
export interface EntrySink {
  /** `entry` is valid during the call, its bytes until the next call of `passed` returns. */
  entry(entry: Entry): void;
  /** Nothing before that place comes any more. */
  passed(time: number, key: number): void;
}

/** Negative when `a` stands before `b`. Equal only for what may stand either way. */
export function compareEntries(a: Entry, b: Entry): number {
  if (a.time !== b.time) return a.time < b.time ? -1 : 1;
  if (a.key !== b.key) return a.key - b.key;
  return a.timers && b.timers ? compareTexts(a, b) : 0;
}
