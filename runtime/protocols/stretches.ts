/** Bytes of a message or stream that come in stretches of any order, more than once, over datagrams. */

/** Most bytes that are kept. */
const KEPT_MAX = 65536;
/** Most stretches that wait for what lies between them. */
const STRETCHES_MAX = 64;
/** First size of the buffer, and the largest that is kept for the next. */
const FIRST_BUFFER = 2048;

export interface Stretches {
  /** The bytes from the start up to the first hole; a view, valid until the next `add`. */
  readonly prefix: Uint8Array;
  /** Takes the bytes that belong at `offset`. What lies beyond 64 KiB is left out. */
  add(offset: number, data: Uint8Array): void;
  reset(): void;
}

export function createStretches(): Stretches {
  let bytes = new Uint8Array(FIRST_BUFFER);
  /** What has come: first offset and end of each stretch, sorted, apart from each other. */
  let stretches: { start: number; end: number }[] = [];
  return {
    get prefix() {
      const [first] = stretches;
      return first === undefined || first.start > 0 ? bytes.subarray(0, 0) : bytes.subarray(0, first.end);
    },
    add(offset, data) {
      const end = offset + data.length;
      if (end > KEPT_MAX || data.length === 0) return;
      if (end > bytes.length) {
        const larger = new Uint8Array(Math.max(end, 2 * bytes.length));
        larger.set(bytes);
        bytes = larger;
      }
      let merged = { start: offset, end };
      const apart = stretches.filter((each) => {
        if (each.end < merged.start || each.start > merged.end) return true;
        merged = { start: Math.min(each.start, merged.start), end: Math.max(each.end, merged.end) };
        return false;
      });
      if (apart.length >= STRETCHES_MAX) return;
      bytes.set(data, offset);
      stretches = [...apart, merged].sort((a, b) => a.start - b.start);
    },
    reset() {
      if (bytes.length > FIRST_BUFFER) bytes = new Uint8Array(FIRST_BUFFER);
      stretches = [];
    },
  };
}
