/** The handshake bytes of CRYPTO frames, put in order (RFC 9000 section 19.6). */
import { Varints } from './packet.ts';

/** Most handshake bytes of one connection that are kept. */
const KEPT_MAX = 65536;
/** Most stretches that wait for what lies between them. */
const STRETCHES_MAX = 64;

const enum Frame {
  PADDING = 0,
  PING = 1,
  ACK = 2,
  ACK_ECN = 3,
  CRYPTO = 6,
}

export class CryptoStream {
  private bytes = new Uint8Array(2048);
  /** What has come: first offset and end of each stretch, sorted, apart from each other. */
  private stretches: { start: number; end: number }[] = [];

  /** The bytes from the stream's start up to the first hole. */
  get prefix(): Uint8Array {
    const [first] = this.stretches;
    return first === undefined || first.start > 0 ? this.bytes.subarray(0, 0) : this.bytes.subarray(0, first.end);
  }

  reset(): void {
    if (this.bytes.length > 4096) this.bytes = new Uint8Array(2048);
    this.stretches = [];
  }

  /** Takes the CRYPTO frames of an opened Initial packet; the frames behind one that has no place there are left out. */
  frames(payload: Uint8Array): void {
    const varints = new Varints(payload, 0, payload.length);
    while (varints.at < payload.length) {
      const type = varints.next();
      if (type === Frame.PADDING || type === Frame.PING) continue;
      if (type === Frame.CRYPTO) {
        const offset = varints.next();
        const length = varints.next();
        if (offset < 0 || length < 0 || length > payload.length - varints.at) return;
        this.add(offset, payload.subarray(varints.at, varints.at + length));
        varints.at += length;
      } else if (type === Frame.ACK || type === Frame.ACK_ECN) {
        if (!skipAck(varints, type)) return;
      } else return;
    }
  }

  private add(offset: number, data: Uint8Array): void {
    const end = offset + data.length;
    if (end > KEPT_MAX || data.length === 0) return;
    if (end > this.bytes.length) {
      const larger = new Uint8Array(Math.max(end, 2 * this.bytes.length));
      larger.set(this.bytes);
      this.bytes = larger;
    }
    this.bytes.set(data, offset);
    let merged = { start: offset, end };
    const apart = this.stretches.filter((each) => {
      if (each.end < merged.start || each.start > merged.end) return true;
      merged = { start: Math.min(each.start, merged.start), end: Math.max(each.end, merged.end) };
      return false;
    });
    if (apart.length >= STRETCHES_MAX) return;
    this.stretches = [...apart, merged].sort((a, b) => a.start - b.start);
  }
}

/** Skips the fields of an ACK frame (RFC 9000 section 19.3). */
function skipAck(varints: Varints, type: Frame): boolean {
  varints.next();
  varints.next();
  const ranges = varints.next();
  if (ranges < 0) return false;
  for (let left = 1 + 2 * ranges + (type === Frame.ACK_ECN ? 3 : 0); left > 0; left--) {
    if (varints.next() < 0) return false;
  }
  return true;
}
