/**
 * The moving window over a capture file: [window][slack] in one ArrayBuffer with a slab
 * behind it, filled by large reads, so that packets
 * are parsed where they were read. What the parser has not used yet is moved to the front before the next read.
 */
import { closeSync, openSync, readSync } from 'node:fs';
import { InputError } from '../errors.ts';
import type { PacketMemory } from '../packet/layout.ts';
import { startUnpacking } from './unpack.ts';
import type { Packing } from './unpack-ring.ts';

/** Bytes of the window unless told otherwise: the largest legal record fits. */
export const DEFAULT_WINDOW_BYTES = 512 * 1024;
/** Most bytes read at a time: larger reads take more of the cache from the tables, smaller ones cost more calls. */
const READ_BYTES = 256 * 1024;
/** Bytes of the tracker's slab unless told otherwise. */
export const DEFAULT_SLAB_BYTES = 32 * 1024 * 1024;
/** Zero bytes behind the window: a header read at the end of the last packet stays in bounds. */
export const SLACK_BYTES = 256;
const LINE_BYTES = 64;

/** Packet memory of `windows` windows, with a slab behind them all. */
export interface CaptureMemory {
  readonly memory: PacketMemory;
  readonly windowBytes: number;
  /** Memory offsets of the windows. */
  readonly windows: readonly number[];
}

export function createCaptureMemory(windows: number, windowBytes: number, slabBytes: number): CaptureMemory {
  const stride = align(windowBytes + SLACK_BYTES);
  const slabOffset = stride * windows;
  const slabLength = align(slabBytes);
  const buffer = new ArrayBuffer(slabOffset + slabLength);
  const memory = { bytes: new Uint8Array(buffer), view: new DataView(buffer), slabOffset, slabLength };
  return { memory, windowBytes, windows: Array.from({ length: windows }, (_, i) => i * stride) };
}

export interface ReadWindow {
  /** The file's name, as in messages. */
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
  /** Starts anew with what the file's bytes are when they are unpacked, where the window can do that. Nothing may have been parsed yet. */
  unpack?(packing: Packing): void;
  close(): void;
}

/**
 * Opens `path` (`-` is the standard input) with the window at `start` of `space`. Throws InputError when it cannot be
 * opened.
 */
export function openWindow(path: string, space: CaptureMemory, start: number): ReadWindow {
  const { memory, windowBytes } = space;
  const { bytes } = memory;
  let file = path === '-' ? 'standard input' : path;
  let input = openInput(path);
  /** File offset of the window's first byte. */
  let base = 0;
  let closed = false;

  function read(at: number, length: number): number {
    try {
      return input.read(bytes, at, length);
    } catch (error) {
      throw error instanceof InputError ? error : inputError(file, base + at - start, error);
    }
  }

  const window: ReadWindow = {
    get file() {
      return file;
    },
    memory,
    capacity: windowBytes,
    pos: start,
    end: start,
    offset: () => base + window.pos - start,
    fill(need) {
      if (window.end - window.pos >= need) return true;
      if (window.pos > start) {
        bytes.copyWithin(start, window.pos, window.end);
        base += window.pos - start;
        window.end -= window.pos - start;
        window.pos = start;
      }
      while (window.end - start < need) {
        const got = read(window.end, Math.min(READ_BYTES, start + windowBytes - window.end));
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
    unpack(packing) {
      const { fd, close } = input;
      input = startUnpacking(file, packing, fd, bytes.slice(window.pos, window.end), close);
      file = `${file} (unpacked)`;
      window.pos = start;
      window.end = start;
    },
    close() {
      if (!closed) input.close();
      closed = true;
    },
  };
  return window;
}

interface Input {
  readonly fd: number;
  /** Reads at most `length` bytes to `bytes[at]` on; 0 at the end. */
  read(bytes: Uint8Array, at: number, length: number): number;
  close(): void;
}

function openInput(path: string): Input {
  const fd = path === '-' ? 0 : openFile(path);
  return {
    fd,
    read(bytes, at, length) {
      for (;;) {
        try {
          return readSync(fd, bytes, at, length, null);
        } catch (error) {
          const code = (error as NodeJS.ErrnoException).code;
          if (code === 'EOF') return 0;
          if (code !== 'EAGAIN') throw error;
          // A standard input that somebody else made non-blocking: nothing is there yet.
          Atomics.wait(IDLE, 0, 0, 1);
        }
      }
    },
    close() {
      if (fd !== 0) closeSync(fd);
    },
  };
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
