/**
 * One file read by several threads, each chunk once: a ring of chunks in shared memory that every thread parses where it
 * lies. Whoever comes to a chunk first reads the next one that nobody has read yet, so the work of reading is shared by
 * whoever is ahead; a chunk's place is used again when all threads are past it.
 *
 *     [headroom][chunk 0][chunk 1] ... [chunk n-1][slack][slab of thread 0][slab of thread 1] ...
 *
 * A record that begins in one chunk and ends in the next lies in one piece, but for the last place of the ring: there
 * its beginning is copied into the headroom, in front of place 0. All threads copy the same bytes, and nobody is so far
 * behind that the headroom's former bytes are still needed.
 */
import { closeSync, readSync } from 'node:fs';
import type { PacketMemory } from '../packet/layout.ts';
import { align, DEFAULT_WINDOW_BYTES, inputError, openFile, type ReadWindow, SLACK_BYTES } from './read-window.ts';

/** What the threads share: made by one, handed to each. */
export interface SharedFile {
  readonly file: string;
  readonly buffer: SharedArrayBuffer;
  /** Words of {@link Ring}. */
  readonly ring: Int32Array;
  readonly threads: number;
  readonly places: number;
  readonly slabBytes: number;
}

/** Bytes of a chunk: small, so that the ring stays in the cache where it was read to. */
const CHUNK = 128 * 1024;
/** Largest number of bytes in one piece: as with a single reader, so that the same records fit. */
const CAPACITY = DEFAULT_WINDOW_BYTES;

/** Words of the ring: how many chunks are claimed, then for each thread the first chunk it needs, for each place its state. */
const enum Ring {
  CLAIMED = 0,
  THREADS = 1,
}

/** No chunk is waited for by a thread that has ended. */
const PAST_ALL = 0x7fffffff;

/** Chunks in the ring beyond two for each thread: more than the longest record lies in. */
const SPARE_PLACES = CAPACITY / CHUNK + 2;

/** Memory for `threads` threads that read `file`, each with a slab of `slabBytes`. */
export function shareFile(file: string, threads: number, slabBytes: number): SharedFile {
  const places = threads * 2 + SPARE_PLACES;
  const slab = align(slabBytes);
  const buffer = new SharedArrayBuffer(slabsAt(places) + threads * slab);
  const ring = new Int32Array(new SharedArrayBuffer((Ring.THREADS + threads + places * 2) * 4));
  return { file, buffer, ring, threads, places, slabBytes: slab };
}

/** A thread that ended without closing its window must not be waited for. */
export function abandon(shared: SharedFile, thread: number): void {
  Atomics.store(shared.ring, Ring.THREADS + thread, PAST_ALL);
  Atomics.notify(shared.ring, Ring.THREADS + thread);
}

function slabsAt(places: number): number {
  return align(CAPACITY + CHUNK * places + SLACK_BYTES);
}

/** The window of thread number `thread`. Throws InputError when the file cannot be opened. */
export function openSharedWindow(shared: SharedFile, thread: number): ReadWindow {
  const { file, buffer, ring, threads, places, slabBytes } = shared;
  const fd = openFile(file);
  const bytes = new Uint8Array(buffer);
  const memory: PacketMemory = {
    bytes,
    view: new DataView(buffer),
    slabOffset: slabsAt(places) + thread * slabBytes,
    slabLength: slabBytes,
  };
  const own = Ring.THREADS + thread;
  /** Of each place: the number of the chunk that is there, plus one; and its length. */
  const chunkAt = Ring.THREADS + threads;
  const lengthAt = chunkAt + places;
  /** The next chunk to go on with, and the file offset of memory byte 0 for what is at `end`. */
  let next = 0;
  let base = 0;
  let atEnd = false;
  let closed = false;

  function placeOf(chunk: number): number {
    return chunk % places;
  }

  function offsetOf(chunk: number): number {
    return CAPACITY + placeOf(chunk) * CHUNK;
  }

  /** Whether no thread needs what was at the place of `chunk` before. The first that does is waited for, if asked. */
  function free(chunk: number, wait: boolean): boolean {
    for (let i = 0; i < threads; i++) {
      for (;;) {
        const needed = Atomics.load(ring, Ring.THREADS + i);
        if (needed > chunk - places) break;
        if (!wait) return false;
        Atomics.wait(ring, Ring.THREADS + i, needed, 1000);
      }
    }
    return true;
  }

  /** Reads the next chunk that nobody has read, if it is at most `most`; false when there is none to read. */
  function readOne(most: number, wait: boolean): boolean {
    const chunk = Atomics.load(ring, Ring.CLAIMED);
    if (chunk > most || !free(chunk, wait)) return false;
    if (Atomics.compareExchange(ring, Ring.CLAIMED, chunk, chunk + 1) !== chunk) return true;
    let length = 0;
    try {
      while (length < CHUNK) {
        const got = readSync(fd, bytes, offsetOf(chunk) + length, CHUNK - length, chunk * CHUNK + length);
        if (got === 0) break;
        length += got;
      }
    } catch {
      // Everybody finds out by themselves.
      length = -1;
    }
    Atomics.store(ring, lengthAt + placeOf(chunk), length);
    Atomics.store(ring, chunkAt + placeOf(chunk), chunk + 1);
    Atomics.notify(ring, chunkAt + placeOf(chunk));
    return true;
  }

  /** Waits until `chunk` is there; its length. */
  function lengthOf(chunk: number): number {
    // Claimed by somebody by now; who comes here first reads ahead.
    while (Atomics.load(ring, Ring.CLAIMED) <= chunk) readOne(chunk, true);
    readOne(chunk + threads, false);
    const place = chunkAt + placeOf(chunk);
    for (let there = Atomics.load(ring, place); there !== chunk + 1; there = Atomics.load(ring, place)) {
      Atomics.wait(ring, place, there, 1000);
    }
    return Atomics.load(ring, lengthAt + placeOf(chunk));
  }

  /** Goes on to the next chunk; false at the end of the file. */
  function advance(): boolean {
    if (atEnd) return false;
    const length = lengthOf(next);
    if (length < 0) {
      try {
        readSync(fd, new Uint8Array(CHUNK), 0, CHUNK, next * CHUNK);
      } catch (error) {
        throw inputError(file, next * CHUNK, error);
      }
      throw inputError(file, next * CHUNK, new Error('a chunk could not be read'));
    }
    atEnd = length < CHUNK;
    const at = offsetOf(next);
    if (window.end !== at) {
      // Place 0 follows the last place: what is left there goes in front of it.
      const left = window.end - window.pos;
      bytes.copyWithin(at - left, window.pos, window.end);
      window.pos = at - left;
    }
    base = next * CHUNK - at;
    window.end = at + length;
    next++;
    return length > 0;
  }

  /** The chunks before the one that holds `pos` are not needed any more. */
  function letGo(): void {
    const needed = Math.max(0, Math.floor((base + window.pos) / CHUNK));
    if (Atomics.load(ring, own) === needed) return;
    Atomics.store(ring, own, needed);
    Atomics.notify(ring, own);
  }

  const window: ReadWindow = {
    file,
    memory,
    capacity: CAPACITY,
    pos: CAPACITY,
    end: CAPACITY,
    offset: () => base + window.pos,
    fill(need) {
      if (window.end - window.pos >= need) return true;
      letGo();
      while (window.end - window.pos < need) if (!advance()) return window.end - window.pos >= need;
      return true;
    },
    skip(count) {
      let left = count;
      for (;;) {
        const here = Math.min(left, window.end - window.pos);
        window.pos += here;
        left -= here;
        if (left === 0) return true;
        if (!window.fill(1)) return false;
      }
    },
    close() {
      if (closed) return;
      closed = true;
      abandon(shared, thread);
      closeSync(fd);
    },
  };
  base = -CAPACITY;
  return window;
}
