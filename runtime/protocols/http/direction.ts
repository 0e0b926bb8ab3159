/** One direction of HTTP/1: where it is in heads, bodies and chunks. Hot. */
import { Body, type BodyKind, lineEnd } from './head.ts';

/** First size of the buffer of a head that comes in pieces. */
const FIRST_BUFFER = 1024;

export const enum State {
  /** In the head, or before it. */
  HEAD = 0,
  /** In a body, or a chunk, of which `left` bytes are still to come. */
  BODY = 1,
  /** In the line that says how long the next chunk is. */
  CHUNK_SIZE = 2,
  /** In the line end behind a chunk. */
  CHUNK_END = 3,
  /** In the lines behind the last chunk. */
  TRAILER = 4,
  /** In the rest of a line that is none of HTTP. */
  STRAY_LINE = 5,
  /** In a body that ends with the connection. */
  UNTIL_CLOSE = 6,
  /** Behind a hole: a start line at the start of a piece is waited for. */
  ASTRAY = 7,
  /** No HTTP: not listened to any more. */
  LOST = 8,
  /** In frames of HTTP/2. */
  FRAMES = 9,
  /** Behind a CONNECT that was not answered yet: what comes is kept in `head`. */
  HELD = 10,
}

/** One direction of a connection. */
export class Direction {
  state: State = State.HEAD;
  /** Bytes of the stream before the piece at hand, and the offset at which that begins; doubles, for streams are long. */
  seen = -0;
  piece = 0;
  /** Bytes of the stream up to the end of the last head. */
  bodyAt = -0;
  /** The head, where it comes in pieces. */
  head = new Uint8Array(FIRST_BUFFER);
  filled = 0;
  /** Bytes of the current line so far, a CR at its end not counted. */
  line = 0;
  /** In the first line of a head, or before it. */
  firstLine = true;
  /** There was a head: lines that come where another is due, and are none of one, are passed over. */
  heard = false;
  /** Bytes still to come; a double, for bodies may be long. */
  left = -0;
  /** The body comes in chunks. */
  chunked = false;
  /** Of a chunk's size: digits are over. */
  sized = false;

  reset(): void {
    this.state = State.HEAD;
    this.seen = -0;
    this.piece = 0;
    this.bodyAt = -0;
    if (this.head.length > FIRST_BUFFER) this.head = new Uint8Array(FIRST_BUFFER);
    this.dropHead();
    this.heard = false;
    this.left = -0;
    this.chunked = false;
    this.sized = false;
  }

  /** What came of a head is none. */
  dropHead(): void {
    this.filled = 0;
    this.line = 0;
    this.firstLine = true;
  }

  /** Waits for a start line at the start of a piece. */
  goAstray(): void {
    const { seen, piece } = this;
    this.reset();
    this.seen = seen;
    this.piece = piece;
    this.heard = true;
    this.state = State.ASTRAY;
  }

  /** The head begins later: the first `length` bytes are none of it. */
  cutHead(length: number): void {
    this.head.copyWithin(0, length, this.filled);
    this.filled -= length;
  }

  append(bytes: Uint8Array, at: number, next: number): void {
    const filled = this.filled + next - at;
    if (filled > this.head.length) {
      const larger = new Uint8Array(Math.max(filled, 2 * this.head.length));
      larger.set(this.head.subarray(0, this.filled));
      this.head = larger;
    }
    this.head.set(bytes.subarray(at, next), this.filled);
    this.filled = filled;
  }
}

export const NO_BODY: BodyKind = { kind: Body.NONE, length: 0 };

/** The head is over: its body comes next. */
export function enterBody(direction: Direction, body: BodyKind): void {
  direction.line = 0;
  direction.chunked = body.kind === Body.CHUNKED;
  direction.left = body.length;
  direction.sized = false;
  switch (body.kind) {
    case Body.NONE:
      direction.state = State.HEAD;
      break;
    case Body.LENGTH:
      direction.state = State.BODY;
      break;
    case Body.CHUNKED:
      direction.state = State.CHUNK_SIZE;
      break;
    default:
      direction.state = State.UNTIL_CLOSE;
  }
}

/** Takes bytes of a body or a chunk; returns where it got to, as the others do. */
export function skipBody(direction: Direction, at: number, end: number): number {
  const next = Math.min(end, at + direction.left);
  direction.left -= next - at;
  if (direction.left === 0) direction.state = direction.chunked ? State.CHUNK_END : State.HEAD;
  return next;
}

/**
 * Takes the line before a chunk: its size in hex, and extensions that nobody needs (RFC 9112 section 7.1). Behind one without
 * a size, or with one that no chunk has, a head is looked for.
 */
export function readSize(direction: Direction, bytes: Uint8Array, from: number, end: number): number {
  for (let at = from; at < end; at++) {
    const byte = bytes[at];
    if (byte === 10) {
      // `line` counts the digits: there has to be one.
      if (direction.line === 0) direction.state = State.HEAD;
      else direction.state = direction.left > 0 ? State.BODY : State.TRAILER;
      direction.line = 0;
      direction.sized = false;
      return at + 1;
    }
    const digit = direction.sized ? -1 : hexDigit(byte);
    if (digit < 0) direction.sized = true;
    else if (++direction.line > 12) {
      direction.line = 0;
      direction.left = 0;
      direction.state = State.STRAY_LINE;
      return at + 1;
    } else direction.left = direction.left * 16 + digit;
  }
  return end;
}

function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}

/** Takes the rest of a line. */
export function skipLine(direction: Direction, bytes: Uint8Array, at: number, end: number, then: State): number {
  const lf = lineEnd(bytes, at, end);
  if (lf < end) direction.state = then;
  return Math.min(lf + 1, end);
}

/** Skips lines up to and including an empty one. */
export function skipTrailer(direction: Direction, bytes: Uint8Array, from: number, end: number): number {
  for (let at = from; at < end; at++) {
    if (bytes[at] === 10) {
      if (direction.line === 0) {
        direction.state = State.HEAD;
        return at + 1;
      }
      direction.line = 0;
    } else if (bytes[at] !== 13) direction.line++;
  }
  return end;
}
