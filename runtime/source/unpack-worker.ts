/** The thread that unpacks a capture into the ring that its reader reads: see unpack-ring.ts. */
import { fstatSync, readSync } from 'node:fs';
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

/** Bytes of the packed file that were unpacked, or are just now. */
let fed = 0;
/** Bytes that came of them and were handed over. */
let delivered = 0;

function deliver(bytes: Uint8Array): void {
  put(bytes);
  delivered += bytes.length;
}

/** Reads into `chunk`, from where the file is or at `position`; 0 at its end. */
function readChunk(chunk: Uint8Array, position: number | null): number {
  for (;;) {
    try {
      return readSync(fd, chunk, 0, chunk.length, position);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EOF') return 0;
      if (code !== 'EAGAIN') throw error;
      Atomics.wait(idle, 0, 0, 1);
    }
  }
}

/** The packed file from its start; `fed` counts what went before. */
function* packed(): Generator<Uint8Array, void, void> {
  for (let at = 0; at < head.length; at += CHUNK_BYTES) {
    const chunk = head.subarray(at, at + CHUNK_BYTES);
    yield chunk;
    fed += chunk.length;
  }
  for (;;) {
    const chunk = new Uint8Array(CHUNK_BYTES);
    const count = readChunk(chunk, null);
    if (count === 0) return;
    yield chunk.subarray(0, count);
    fed += count;
  }
}

/** The packed file once more: to byte `whole` as it comes, then byte by byte. */
function* repeated(whole: number): Generator<Uint8Array, void, void> {
  fed = 0;
  for (;;) {
    const chunk = new Uint8Array(Math.min(CHUNK_BYTES, Math.max(1, whole - fed)));
    const count = readChunk(chunk, fed);
    if (count === 0) return;
    yield chunk.subarray(0, count);
    fed += count;
  }
}

/**
 * Unpacks gzip data in steps, each ended before the next is begun: then all that cut data held is there before its end is
 * told.
 */
function inflate(chunks: Generator<Uint8Array, void, void>, take: (bytes: Uint8Array) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const stream = createGunzip({ chunkSize: CHUNK_BYTES });
    stream.on('data', take);
    stream.on('end', resolve);
    stream.on('error', reject);
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

/** zlib gives nothing of the step in which it finds a fault. Of a file that step is made once more, byte by byte. */
async function gunzip(): Promise<void> {
  try {
    await inflate(packed(), deliver);
  } catch (error) {
    if (isCut(error) || !fstatSync(fd).isFile()) throw error;
    let known = delivered;
    await inflate(repeated(fed), (bytes) => {
      const fresh = bytes.subarray(Math.min(known, bytes.length));
      known -= bytes.length - fresh.length;
      deliver(fresh);
    });
  }
}

function unzstd(): void {
  const stream = new Decompress(deliver);
  for (const chunk of packed()) stream.push(chunk);
  stream.push(new Uint8Array(), true);
}

/** Whether it is zlib's or fzstd's way to say that the end came too early. */
function isCut(error: unknown): boolean {
  const { code, message } = error as { code?: string | number; message?: string };
  return code === 'Z_BUF_ERROR' || message === 'unexpected EOF';
}

function wordsFor(error: unknown): string {
  if (isCut(error)) return `the ${packing} data is cut short`;
  const { code, message } = error as { code?: string | number; message?: string };
  const broken = typeof code === 'number' || code?.startsWith('Z_') === true;
  if (!broken) return `cannot be read: ${message}`;
  // fzstd does not tell where in the step it was.
  const where = packing === 'zstd' ? ` in the ${CHUNK_BYTES} bytes from there on` : '';
  return `the ${packing} data is corrupt${where}: ${message}`;
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
  new Float64Array(shared.fault, Ring.FAULT_BYTES)[0] = fed;
  end(RingState.FAULT);
}
