/** The thread that unpacks a capture into the ring that its reader reads: see unpack-ring.ts. */
import { readSync } from 'node:fs';
import { workerData } from 'node:worker_threads';
import { createGunzip } from 'node:zlib';
import { Decompress } from 'fzstd';
import { Ring, RingState, type UnpackTask } from './unpack-ring.ts';

const CHUNK_BYTES = 64 * 1024;

const { fd, packing, head, ...shared } = workerData as UnpackTask;
const control = new Int32Array(shared.control);
const ring = new Uint8Array(shared.ring);
const idle = new Int32Array(new SharedArrayBuffer(4));

function signal(): void {
  Atomics.add(control, Ring.WRITER_EVENT, 1);
  Atomics.notify(control, Ring.WRITER_EVENT);
}

/** The last word: the file is not touched any more. */
function end(state: RingState): void {
  Atomics.store(control, Ring.STATE, state);
  signal();
}

/** Writes all of `bytes`, waiting for room; ends the thread when nobody reads any more. */
function put(bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) {
    const event = Atomics.load(control, Ring.READER_EVENT);
    if (Atomics.load(control, Ring.CLOSED) !== 0) {
      end(RingState.DONE);
      process.exit();
    }
    const written = control[Ring.WRITTEN];
    const room = Ring.BYTES - ((written - Atomics.load(control, Ring.READ)) | 0);
    if (room === 0) {
      Atomics.wait(control, Ring.READER_EVENT, event);
      continue;
    }
    const to = written & (Ring.BYTES - 1);
    const count = Math.min(room, bytes.length - at, Ring.BYTES - to);
    ring.set(bytes.subarray(at, at + count), to);
    at += count;
    Atomics.store(control, Ring.WRITTEN, (written + count) | 0);
    signal();
  }
}

/** The next bytes of the file; none at its end. */
function* packed(): Generator<Uint8Array> {
  yield head;
  for (;;) {
    const chunk = new Uint8Array(CHUNK_BYTES);
    let count = 0;
    try {
      count = readSync(fd, chunk, 0, chunk.length, null);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EAGAIN') {
        Atomics.wait(idle, 0, 0, 1);
        continue;
      }
      if (code !== 'EOF') throw error;
    }
    if (count === 0) return;
    yield chunk.subarray(0, count);
  }
}

/**
 * Unpacks in steps, each ended before the next is begun: then all that cut data held is there before its end is told. Of
 * corrupt data the last {@link CHUNK_BYTES} before the fault may be missing: zlib does not give them.
 */
function gunzip(): Promise<void> {
  return new Promise((resolve, reject) => {
    const stream = createGunzip({ chunkSize: CHUNK_BYTES });
    stream.on('data', put);
    stream.on('end', resolve);
    stream.on('error', reject);
    const chunks = packed();
    const next = () => {
      try {
        const { value, done } = chunks.next();
        if (done === true) stream.end();
        else stream.write(value, next);
      } catch (error) {
        reject(error);
      }
    };
    next();
  });
}

function unzstd(): void {
  const stream = new Decompress(put);
  for (const chunk of packed()) stream.push(chunk);
  stream.push(new Uint8Array(), true);
}

function wordsFor(error: unknown): string {
  const { code, message } = error as { code?: string | number; message?: string };
  // zlib's and fzstd's words for an end that came too early.
  if (code === 'Z_BUF_ERROR' || message === 'unexpected EOF') return `the ${packing} data is cut short`;
  const broken = typeof code === 'number' || code?.startsWith('Z_') === true;
  return broken ? `the ${packing} data is corrupt: ${message}` : `cannot be read: ${message}`;
}

Atomics.store(control, Ring.STATE, RingState.RUNNING);
signal();
try {
  if (packing === 'gzip') await gunzip();
  else unzstd();
  end(RingState.DONE);
} catch (error) {
  const words = new TextEncoder().encode(wordsFor(error)).subarray(0, Ring.FAULT_BYTES);
  new Uint8Array(shared.fault).set(words);
  control[Ring.FAULT_LENGTH] = words.length;
  end(RingState.FAULT);
}
