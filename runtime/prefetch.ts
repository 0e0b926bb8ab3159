/**
 * Prefetching: what will be read in random order is loaded before, all of it at a time, so that the cache misses overlap. The
 * addon `iris_memory` does it with as many lines under way as a core can have; without it the words are just read.
 */
import { memoryAddon } from './addons.ts';

/** Loads what lies at the first `n` places. */
export type Prefetch = (n: number) => void;

/** Words of a cache line. */
const LINE_WORDS = 16;

/** A function that loads `lines` cache lines of `words` from each of the first `places` on, which are within bounds. */
export function prefetcher(words: Int32Array, places: Int32Array, lines = 1): Prefetch {
  return memoryAddon()?.prefetcher?.(words, places, lines) ?? reader(words, places, lines);
}

/** Of the lines, their first words. */
function reader(words: Int32Array, places: Int32Array, lines: number): Prefetch {
  const sink = new Int32Array(1);
  return (n) => {
    let mixed = 0;
    // Nothing else in the loop: the fewer instructions between two reads, the more reads are under way at a time.
    for (let offset = 0, end = lines * LINE_WORDS; offset < end; offset += LINE_WORDS) {
      for (let i = 0; i < n; i++) mixed ^= words[places[i] + offset];
    }
    // Stored, or the compiler would drop the reads.
    sink[0] = mixed;
  };
}
