/** Where lines go: standard output or a file, in writes of 64 KiB. A reader that goes away (`| head`) ends it quietly. */
import { closeSync, openSync, writeSync } from 'node:fs';
import { ExitCode, IrisError } from '../errors.ts';

const BUFFER_BYTES = 64 * 1024;
/** UTF-8 needs at most this many bytes for one UTF-16 unit. */
const BYTES_PER_UNIT = 3;

export interface LineSink {
  /** Takes a line, its newline included. Throws IrisError when it cannot be written. */
  write(line: string): void;
  /** Hands what is buffered to the system. */
  flush(): void;
  /** Flushes and lets go of the file; may be called again. */
  close(): void;
  /** The reader went away: nothing is written any more, and there is no point in going on. */
  readonly closedByReader: boolean;
}

/** A sink into `path`, which is replaced, or into the standard output. Throws IrisError when it cannot be created. */
export function openLineSink(path?: string): LineSink {
  const name = path ?? 'standard output';
  const fd = path === undefined || path === '-' ? 1 : create(path);
  const buffer = Buffer.allocUnsafe(BUFFER_BYTES);
  let used = 0;
  let open = true;
  let closedByReader = false;

  function flush(): void {
    const length = used;
    used = 0;
    writeAll(buffer, length);
  }

  function writeAll(bytes: Buffer, length: number): void {
    let at = 0;
    while (at < length && open && !closedByReader) {
      try {
        at += writeSync(fd, bytes, at, length - at);
      } catch (error) {
        const { code, message } = error as NodeJS.ErrnoException;
        if (code === 'EPIPE') closedByReader = true;
        // Somebody made the pipe non-blocking, and it is full: its reader needs a moment.
        else if (code === 'EAGAIN') Atomics.wait(IDLE, 0, 0, 1);
        else throw new IrisError(ExitCode.DEVICE, `${name}: cannot be written: ${message}`);
      }
    }
  }

  return {
    get closedByReader() {
      return closedByReader;
    },
    write(line) {
      const most = line.length * BYTES_PER_UNIT;
      if (most > BUFFER_BYTES - used) {
        flush();
        if (most > BUFFER_BYTES) {
          const bytes = Buffer.from(line);
          writeAll(bytes, bytes.length);
          return;
        }
      }
      used += buffer.write(line, used);
    },
    flush,
    close() {
      if (!open) return;
      try {
        flush();
      } finally {
        open = false;
        if (fd !== 1) closeSync(fd);
      }
    },
  };
}

const IDLE = new Int32Array(new SharedArrayBuffer(4));

function create(path: string): number {
  try {
    return openSync(path, 'w');
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const why: Readonly<Record<string, string>> = {
      ENOENT: 'cannot be created: its folder does not exist',
      EISDIR: 'cannot be written: it is a folder',
      EACCES: 'cannot be written: permission denied',
      ENOTDIR: 'cannot be created: a part of its path is not a folder',
    };
    throw new IrisError(ExitCode.USAGE, `${path}: ${why[code ?? ''] ?? `cannot be written: ${message}`}`);
  }
}
