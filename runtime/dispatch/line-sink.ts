/**
 * Where lines go: standard output or a file, in writes of 64 KiB. A reader that goes away (`| head`) ends it quietly. A
 * reader that is slow is waited for; or, in a patient sink, its lines wait and the thread goes on.
 */
import { closeSync, constants, fstatSync, openSync, writeSync } from 'node:fs';
import { constants as system } from 'node:os';
import { isatty } from 'node:tty';
import { ExitCode, IrisError } from '../errors.ts';
import type { EntrySink } from './entry.ts';

const BUFFER_BYTES = 64 * 1024;
/** A sink with so many bytes waiting for the reader is full. */
const FULL_BYTES = 1 << 20;
/** Time between two tries to write what waits. */
const RETRY_MS = 5;

export interface LineSink {
  /**
   * Takes lines in UTF-8, newlines included: bytes `from` to `to` - 1, which may be overwritten when it returns. Throws
   * IrisError when they cannot be written.
   */
  write(lines: Uint8Array, from: number, to: number): void;
  /** Hands what is buffered to the system. */
  flush(): void;
  /** Flushes, waiting for the reader, and lets go of the file; may be called again. */
  close(): void;
  /** The reader went away: nothing is written any more, and there is no point in going on. */
  readonly closedByReader: boolean;
  /** Much waits for the reader: better write nothing until `onRoom` is called. Only patient sinks are ever full. */
  readonly full: boolean;
  onRoom: (() => void) | undefined;
  /** Flushes; resolves when nothing waits for the reader any more. Rejects with IrisError when it cannot be written. */
  drained(): Promise<void>;
}

/** What is put in order as it goes to `sink`: texts that lie one behind the other are written at once. */
export function entriesTo(sink: LineSink): EntrySink {
  let bytes: Uint8Array = new Uint8Array(0);
  let from = 0;
  let to = 0;

  function write(): void {
    if (to > from) sink.write(bytes, from, to);
    from = to;
  }

  return {
    entry(entry) {
      if (entry.from !== to || entry.block.bytes !== bytes) {
        write();
        bytes = entry.block.bytes;
        from = entry.from;
      }
      to = entry.to;
    },
    passed: write,
  };
}

/** `sendNow` of the native addon. */
export type SendNow = (fd: number, bytes: Uint8Array, from: number, to: number) => number;

export interface SinkOptions {
  /**
   * The sink is patient: a pipe, terminal or socket whose reader is slow does not hold up the thread. Its descriptor may be
   * shared with other programs, so that its mode must stay: pipes and terminals are opened once more, sockets need this.
   */
  readonly sendNow?: SendNow;
}

/** Writes bytes `from` to `to` - 1 as far as the system takes them, and returns how many. Throws the system's error. */
type Write = (bytes: Uint8Array, from: number, to: number) => number;

/** A sink into `path`, which is replaced, or into the standard output. Throws IrisError when it cannot be created. */
export function openLineSink(path?: string, { sendNow }: SinkOptions = {}): LineSink {
  const name = path ?? 'standard output';
  const own = path === undefined || path === '-' ? 1 : create(path);
  const unblocked = sendNow === undefined ? undefined : withoutBlocking(own, sendNow);
  const put: Write = unblocked?.put ?? ((bytes, from, to) => writeSync(own, bytes, from, to - from));
  const buffer = Buffer.allocUnsafe(BUFFER_BYTES);
  let used = 0;
  let open = true;
  let closedByReader = false;
  let waiting: Buffer[] = [];
  let waitingBytes = 0;
  let timer: NodeJS.Timeout | undefined;
  let fault: unknown;
  let settled: (() => void)[] = [];

  /** Writes as much as the system takes now, and returns how much that was. */
  function writeSome(bytes: Uint8Array, from: number, length: number): number {
    let at = from;
    while (at < length && open && !closedByReader) {
      try {
        at += put(bytes, at, length);
      } catch (error) {
        const { code, message } = error as NodeJS.ErrnoException;
        if (code === 'EPIPE') closedByReader = true;
        else if (code === 'EAGAIN') return at;
        else throw new IrisError(ExitCode.DEVICE, `${name}: cannot be written: ${message}`);
      }
    }
    return length;
  }

  function writeAll(bytes: Uint8Array, length: number): void {
    if (fault !== undefined) throw fault;
    let at = waiting.length > 0 ? 0 : writeSome(bytes, 0, length);
    if (unblocked === undefined) {
      // Somebody made the pipe non-blocking, and it is full: its reader needs a moment.
      for (; at < length; at = writeSome(bytes, at, length)) Atomics.wait(IDLE, 0, 0, 1);
      return;
    }
    if (at === length) return;
    waiting.push(Buffer.from(bytes.subarray(at, length)));
    waitingBytes += length - at;
    timer ??= setTimeout(retry, RETRY_MS);
  }

  /** Writes what waits, as far as the reader takes it. */
  function writeWaiting(): void {
    while (waiting.length > 0) {
      const [first] = waiting;
      const at = writeSome(first, 0, first.length);
      waitingBytes -= at;
      if (at < first.length) {
        waiting[0] = first.subarray(at);
        return;
      }
      waiting.shift();
    }
  }

  function retry(): void {
    timer = undefined;
    try {
      writeWaiting();
    } catch (error) {
      fault = error;
      waiting = [];
      waitingBytes = 0;
    }
    if (waiting.length > 0) timer = setTimeout(retry, RETRY_MS);
    if (waitingBytes < FULL_BYTES) sink.onRoom?.();
    if (waiting.length > 0) return;
    for (const done of settled.splice(0)) done();
  }

  function flush(): void {
    const length = used;
    used = 0;
    writeAll(buffer, length);
  }

  const sink: LineSink = {
    get closedByReader() {
      return closedByReader;
    },
    get full() {
      return waitingBytes >= FULL_BYTES;
    },
    onRoom: undefined,
    write(lines, from, to) {
      const length = to - from;
      if (length > BUFFER_BYTES - used) {
        flush();
        if (length > BUFFER_BYTES) {
          writeAll(lines.subarray(from, to), length);
          return;
        }
      }
      buffer.set(lines.subarray(from, to), used);
      used += length;
    },
    flush,
    async drained() {
      flush();
      if (waiting.length > 0) {
        await new Promise<void>((resolve) => {
          settled.push(resolve);
        });
      }
      if (fault !== undefined) throw fault;
    },
    close() {
      if (!open) return;
      try {
        flush();
        for (writeWaiting(); waiting.length > 0; writeWaiting()) Atomics.wait(IDLE, 0, 0, 1);
      } finally {
        clearTimeout(timer);
        open = false;
        settled = [];
        unblocked?.close();
        if (own !== 1) closeSync(own);
      }
    },
  };
  return sink;
}

const IDLE = new Int32Array(new SharedArrayBuffer(4));

/** Writes to `fd` that do not block. Undefined for files, and where there is nothing of the kind. */
function withoutBlocking(fd: number, sendNow: SendNow): { readonly put: Write; close(): void } | undefined {
  const stat = fstatSync(fd);
  if (stat.isSocket()) {
    const put: Write = (bytes, from, to) => {
      const sent = sendNow(fd, bytes, from, to);
      if (sent >= 0) return sent;
      const [code = 'EIO'] = Object.entries(system.errno).find(([, number]) => number === -sent) ?? [];
      throw Object.assign(new Error(code), { code });
    };
    return { put, close() {} };
  }
  if (!stat.isFIFO() && !isatty(fd)) return undefined;
  try {
    const again = openSync(`/proc/self/fd/${fd}`, constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
    return { put: (bytes, from, to) => writeSync(again, bytes, from, to - from), close: () => closeSync(again) };
  } catch {
    return undefined;
  }
}

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
