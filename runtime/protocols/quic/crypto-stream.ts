/** The handshake bytes of CRYPTO frames, put in order (RFC 9000 section 19.6). */
import { createStretches } from '../stretches.ts';
import { Varints } from './packet.ts';

const enum Frame {
  PADDING = 0,
  PING = 1,
  ACK = 2,
  ACK_ECN = 3,
  CRYPTO = 6,
  /** The same of Google's versions. In an Initial packet of others this type, of STREAM, has no place. */
  GOOGLE_CRYPTO = 8,
}

export class CryptoStream {
  private readonly stretches = createStretches();

  /** The bytes from the stream's start up to the first hole. */
  get prefix(): Uint8Array {
    return this.stretches.prefix;
  }

  reset(): void {
    this.stretches.reset();
  }

  /** Takes the CRYPTO frames of an opened Initial packet; the frames behind one that has no place there are left out. */
  frames(payload: Uint8Array): void {
    const varints = new Varints(payload, 0, payload.length);
    while (varints.at < payload.length) {
      const type = varints.next();
      if (type === Frame.PADDING || type === Frame.PING) continue;
      if (type === Frame.CRYPTO || type === Frame.GOOGLE_CRYPTO) {
        const offset = varints.next();
        const length = varints.next();
        if (offset < 0 || length < 0 || length > payload.length - varints.at) return;
        this.stretches.add(offset, payload.subarray(varints.at, varints.at + length));
        varints.at += length;
      } else if (type === Frame.ACK || type === Frame.ACK_ECN) {
        if (!skipAck(varints, type)) return;
      } else return;
    }
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
