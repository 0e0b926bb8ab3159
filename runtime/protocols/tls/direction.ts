/** What the parser knows of one direction of a TLS connection: where it is in its records and messages. Hot. */

/** First size of the buffer of a message that comes in pieces. */
const FIRST_BUFFER = 1024;

export const enum AlertState {
  /** The record is no alert in clear. */
  NONE = -2,
  /** Neither of its two bytes has come. */
  EMPTY = -1,
}
/** What is known of one direction. */
export class Direction {
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
