/** What the parser knows of one direction of a TLS connection: where it is in its records and messages. Hot. */

/** First size of the buffer of a message that comes in pieces. */
const FIRST_BUFFER = 1024;

import { Content } from './records.ts';
import { HELLO_START, isHelloStart } from './upgrade.ts';

export const enum AlertState {
  /** The record is no alert in clear. */
  NONE = -2,
  /** Neither of its two bytes has come. */
  EMPTY = -1,
}

/** Whether a direction is in another protocol, before it turns to TLS. */
export const enum Before {
  /** Nothing has come. */
  UNKNOWN = 0,
  /** In another protocol: the start of a hello is looked for. */
  OTHER = 1,
  /** In TLS. */
  OVER = 2,
}

/** What is known of one direction. */
export class Direction {
  before: Before = Before.UNKNOWN;
  /** What may be the start of a hello, how much of it, and the bytes before it. */
  readonly start = new Uint8Array(HELLO_START);
  startFilled = 0;
  skipped = 0;
  /** The header of a record that came in pieces, and how much of it. */
  readonly header = new Uint8Array(5);
  headerFilled = 0;
  /** The current record: its content type, bytes still to come, and whether it is encrypted. */
  content = 0;
  left = 0;
  opaque = false;
  /** Bytes up to the end of the current record. */
  sent = 0;
  /** The header of a message that came in pieces, and how much of it. */
  readonly opening = new Uint8Array(4);
  openingFilled = 0;
  /** The current message: its type, the length of its body, and bytes still to come. */
  message = 0;
  messageLength = 0;
  messageLeft = 0;
  /** Its body is wanted; what has come of it, where it does not come at once. */
  wanted = false;
  body: Uint8Array | undefined = undefined;
  bodyFilled = 0;
  /** An {@link AlertState}, or the level of an alert whose description is to follow. */
  alert: number = AlertState.NONE;
  /** A ChangeCipherSpec was sent. */
  changed = false;
  /** It cannot be followed any further: a gap, or bytes that are no TLS. */
  lost = false;

  reset(): void {
    this.before = Before.UNKNOWN;
    this.startFilled = 0;
    this.skipped = 0;
    this.headerFilled = 0;
    this.content = 0;
    this.left = 0;
    this.opaque = false;
    this.sent = 0;
    this.openingFilled = 0;
    this.message = 0;
    this.messageLength = 0;
    this.messageLeft = 0;
    this.wanted = false;
    this.body = undefined;
    this.bodyFilled = 0;
    this.alert = AlertState.NONE;
    this.changed = false;
    this.lost = false;
  }

  /** Decides by the first byte. Where one side begins with TLS, so does the other; else what it sends is no TLS. */
  startsInOther(byte: number, other: Direction): boolean {
    if (this.before === Before.UNKNOWN) {
      const direct = (byte >= Content.CHANGE_CIPHER_SPEC && byte <= Content.HEARTBEAT) || byte > 127;
      const otherDirect = other.before === Before.OVER && other.skipped === 0;
      this.before = direct || otherDirect ? Before.OVER : Before.OTHER;
    }
    return this.before === Before.OTHER;
  }

  /** Takes bytes up to the start of a hello, which is then in `start`; returns the offset behind it, else `end`. */
  seekHello(bytes: Uint8Array, from: number, end: number): number {
    const { start } = this;
    for (let at = from; at < end; at++) {
      start[this.startFilled++] = bytes[at];
      // What is no start of a hello may end with one.
      while (this.startFilled > 0 && !isHelloStart(start, 0, this.startFilled)) {
        start.copyWithin(0, 1, this.startFilled--);
        this.skipped++;
      }
      if (this.startFilled === HELLO_START) {
        this.before = Before.OVER;
        return at + 1;
      }
    }
    return end;
  }

  /** A hole in the other protocol loses nothing that is wanted; one at the very start leaves open what it is. */
  seekBehindHole(missed: number): void {
    if (this.before === Before.UNKNOWN) this.lost = true;
    this.skipped += this.startFilled + missed;
    this.startFilled = 0;
  }

  /** Takes the next bytes of the body of a message that comes in pieces. */
  append(bytes: Uint8Array, at: number, next: number): void {
    const count = next - at;
    const filled = this.bodyFilled;
    let body = this.body;
    if (body === undefined || body.length < filled + count) {
      // Grows with what really came: a length field alone reserves nothing.
      const size = Math.max(FIRST_BUFFER, filled + count, 2 * (body === undefined ? 0 : body.length));
      const larger = new Uint8Array(Math.min(this.messageLength, size));
      if (body !== undefined) larger.set(body.subarray(0, filled));
      this.body = body = larger;
    }
    body.set(bytes.subarray(at, next), filled);
    this.bodyFilled = filled + count;
  }
}
