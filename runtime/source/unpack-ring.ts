/** The shared memory through which a thread that unpacks a capture hands its bytes to the one that reads them. */

export const enum Ring {
  /** Bytes of the ring, a power of two. */
  BYTES = 1 << 20,
  /** Bytes for the words of a fault; behind them is where it is in the packed file, float64. */
  FAULT_BYTES = 512,

  // Words of the control array.
  /** Bytes written and bytes read so far, modulo 2^32. */
  WRITTEN = 0,
  READ = 1,
  /** {@link RingState}. */
  STATE = 2,
  /** Raised by one with everything the writer does, and the reader does: what the other waits on. */
  WRITER_EVENT = 3,
  READER_EVENT = 4,
  /** Set by the reader when it wants no more. */
  CLOSED = 5,
  FAULT_LENGTH = 6,
  WORDS = 8,
}

export const enum RingState {
  STARTING = 0,
  RUNNING = 1,
  DONE = 2,
  FAULT = 3,
}

/** How a capture may be packed. */
export type Packing = 'gzip' | 'zstd';

/** What the unpacking thread is given. */
export interface UnpackTask {
  /** Where to read on. */
  readonly fd: number;
  readonly packing: Packing;
  /** What was read of it already. */
  readonly head: Uint8Array;
  readonly control: SharedArrayBuffer;
  readonly ring: SharedArrayBuffer;
  readonly fault: SharedArrayBuffer;
}
