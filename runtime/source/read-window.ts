/**
 * The moving window over a capture file: one ArrayBuffer of [window][slack][slab], filled by large reads, so that packets
 * are parsed where they were read. What the parser has not used yet is moved to the front before the next read.
 */
import { closeSync, openSync, readSync } from 'node:fs';
import { InputError } from '../errors.ts';
import type { PacketMemory } from '../packet/layout.ts';

/** Bytes of the window unless told otherwise: reads of this size cost least, and the largest legal record fits. */
export const DEFAULT_WINDOW_BYTES = 512 * 1024;
/** Bytes of the tracker's slab unless told otherwise. */
export const DEFAULT_SLAB_BYTES = 32 * 1024 * 1024;
/** Zero bytes behind the window: a header read at the end of the last packet stays in bounds. */
export const SLACK_BYTES = 256;
const LINE_BYTES = 64;

export interface ReadWindow {
  readonly file: string;
  readonly memory: PacketMemory;
  /** Largest number of bytes that `fill` can bring together. */
  readonly capacity: number;
  /** Memory offset of the next byte to parse. */
  pos: number;
  /** Memory offset behind the last byte read. */
  end: number;
  /** File offset of the next byte to parse. */
  offset(): number;
  /**
   * Makes at least `need` (at most `capacity`) bytes available at `pos`, moving what is there to the front. False when
   * the file ends before. Bytes handed out earlier are overwritten. Throws InputError when the file cannot be read.
   */
  fill(need: number): boolean;
  /** Passes over `count` bytes, which may be more than the window holds; false when the file ends before. */
  skip(count: number): boolean;
  close(): void;
}

/**
 * Opens `path` (`-` is the standard input) with a window of `windowBytes` and a slab of `slabBytes` behind it.
 * Throws InputError when it cannot be opened.
 */
export function openWindow(path: string, windowBytes: number, slabBytes: number): ReadWindow {
  const file = path === '-' ? 'standard input' : path;
  const fd = path === '-' ? 0 : openFile(path);
  const slabOffset = align(windowBytes + SLACK_BYTES);
  const buffer = new ArrayBuffer(slabOffset + align(slabBytes));
  const bytes = new Uint8Array(buffer);
  const memory: PacketMemory = { bytes, view: new DataView(buffer), slabOffset, slabLength: align(slabBytes) };
  /** File offset of memory byte 0. */
  let base = 0;
  let closed = false;

  const window: ReadWindow = {
    file,
    memory,
    capacity: windowBytes,
    pos: 0,
    end: 0,
    offset: () => base + window.pos,
    fill(need) {
      if (window.end - window.pos >= need) return true;
      if (window.pos > 0) {
        bytes.copyWithin(0, window.pos, window.end);
        base += window.pos;
        window.end -= window.pos;
        window.pos = 0;
      }
      while (window.end < need) {
        const got = read(window.end, windowBytes - window.end);
        if (got === 0) return false;
        window.end += got;
      }
      return true;
    },
    skip(count) {
      let left = count;
      for (;;) {
        const here = Math.min(left, window.end - window.pos);
        window.pos += here;
        left -= here;
        if (left === 0) return true;
        if (!window.fill(Math.min(left, windowBytes))) {
          window.pos = window.end;
          return false;
        }
      }
    },
    close() {
      if (!closed && fd !== 0) closeSync(fd);
      closed = true;
    },
  };

  function read(at: number, length: number): number {
    for (;;) {
      try {
        return readSync(fd, bytes, at, length, null);
      } catch (error) {
        const code = (error as NodeJS.ErrnoException).code;
        if (code === 'EOF') return 0;
        if (code === 'EAGAIN') {
          // A standard input that somebody else made non-blocking: nothing is there yet.
          Atomics.wait(IDLE, 0, 0, 1);
          continue;
        }
        throw inputError(file, base + at, error);
      }
    }
  }

  return window;
}

const IDLE = new Int32Array(new SharedArrayBuffer(4));

export function openFile(path: string): number {
  try {
    return openSync(path, 'r');
  } catch (error) {
    throw inputError(path, undefined, error);
  }
}

/** What the system said of a file, in words. */
export function inputError(file: string, offset: number | undefined, error: unknown): InputError {
  const { code, message } = error as NodeJS.ErrnoException;
  switch (code) {
    case 'ENOENT':
      return new InputError(file, undefined, 'no such file');
    case 'ENOTDIR':
      return new InputError(file, undefined, 'no such file: a part of its path is not a folder');
    case 'EISDIR':
      return new InputError(file, undefined, 'is a folder, not a capture');
    case 'EACCES':
    case 'EPERM':
      return new InputError(file, undefined, 'permission denied', `let this user read it: chmod a+r ${file}`);
    default:
      return new InputError(file, offset, `cannot be read: ${message}`);
  }
}

export function align(bytes: number): number {
  return Math.ceil(bytes / LINE_BYTES) * LINE_BYTES;
}
