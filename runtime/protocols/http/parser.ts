/**
 * Parses HTTP/1.x into one `HttpTransaction` per request: with its response when the head of that has come, without when
 * the connection ends. Heads are kept, bodies are skipped by length or by chunk; requests may be pipelined. After CONNECT and
 * Upgrade the connection is another protocol's.
 * Hot.
 */
import { keep } from '../bytes.ts';
import { Parse, type ParserFactory, Probe, ProtocolNumber, type SessionParser } from '../contract.ts';
import { Body, type BodyKind, bodyOf, HeadKind, hasMethod, headKind, lineEnd, probeHttp, statusOf } from './head.ts';
import { HttpTransaction } from './transaction.ts';

/** Longest head, in bytes. */
const HEAD_MAX = 65536;
/** Most bytes of requests that wait for a response; the oldest of more is delivered without. */
const WAITING_MAX = 131072;
/** First size of the buffer of a head that comes in pieces. */
const FIRST_BUFFER = 1024;

const enum State {
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
  /** In a body that ends with the connection. */
  UNTIL_CLOSE = 5,
  /** Behind a hole: a start line at the start of a piece is waited for. */
  ASTRAY = 6,
  /** No HTTP: not listened to any more. */
  LOST = 7,
}

class Direction {
  state: State = State.HEAD;
  /** The head, where it comes in pieces. */
  head = new Uint8Array(FIRST_BUFFER);
  filled = 0;
  /** Bytes of the current line so far, a CR at its end not counted. */
  line = 0;
  /** Bytes still to come; a double, for bodies may be long. */
  left = -0;
  /** The body comes in chunks. */
  chunked = false;
  /** Of a chunk's size: digits are over. */
  sized = false;

  reset(): void {
    this.state = State.HEAD;
    if (this.head.length > FIRST_BUFFER) this.head = new Uint8Array(FIRST_BUFFER);
    this.filled = 0;
    this.line = 0;
    this.left = -0;
    this.chunked = false;
    this.sized = false;
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

class HttpParser implements SessionParser {
  private readonly orig = new Direction();
  private readonly resp = new Direction();
  /** Who sends requests. */
  private client: Direction | undefined = undefined;
  /** Heads of requests without a response yet, oldest first, and their bytes together. */
  private readonly waiting: Uint8Array[] = [];
  private waitingBytes = 0;
  /** Requests that were delivered before their response came: those are delivered alone. */
  private given = 0;
  /** A response that came before its request, as captures of several queues have it. */
  private early: Uint8Array | undefined = undefined;
  /** Requests were lost in a hole: a response without one is not waiting for one. */
  private holed = false;
  private ready: HttpTransaction[] = [];
  private done = false;
  /** Another protocol follows. */
  private switched = false;
  /** Bytes of the last piece that were not read. */
  private unread = 0;

  probe(_fromOrig: boolean, bytes: Uint8Array, offset: number, length: number): Probe {
    const said = probeHttp(bytes, offset, length);
    return said === Probe.YES && hasMethod(bytes, offset, offset + length, 'CONNECT') ? Probe.TUNNEL : said;
  }

  parse(fromOrig: boolean, bytes: Uint8Array, offset: number, length: number): Parse {
    const direction = fromOrig ? this.orig : this.resp;
    const end = offset + length;
    if (direction.state === State.ASTRAY && probeHttp(bytes, offset, length) === Probe.YES)
      direction.state = State.HEAD;
    let at = offset;
    while (at < end && !this.done) {
      switch (direction.state) {
        case State.HEAD:
          at = this.readHead(direction, bytes, at, end);
          break;
        case State.BODY:
          at = skipBody(direction, at, end);
          break;
        case State.CHUNK_SIZE:
          at = readSize(direction, bytes, at, end);
          break;
        case State.CHUNK_END:
          at = skipLine(direction, bytes, at, end, State.CHUNK_SIZE);
          break;
        case State.TRAILER:
          at = skipTrailer(direction, bytes, at, end);
          break;
        default:
          at = end;
      }
    }
    this.unread = end - at;
    return this.said();
  }

  rest(): number {
    return this.unread;
  }

  gap(fromOrig: boolean, missed: number): Parse {
    const direction = fromOrig ? this.orig : this.resp;
    if (direction.state === State.BODY && direction.left >= missed) skipBody(direction, 0, missed);
    else if (direction.state < State.UNTIL_CLOSE) {
      // Which response belongs to which request cannot be told any more.
      while (this.waiting.length > 0) this.deliver(undefined);
      this.deliverEarly();
      this.given = 0;
      this.holed = true;
      direction.reset();
      direction.state = State.ASTRAY;
    }
    return this.said();
  }

  end(): void {
    this.deliverEarly();
    while (this.waiting.length > 0) this.deliver(undefined);
  }
  take(): HttpTransaction | null {
    return this.ready.shift() ?? null;
  }

  reset(): void {
    this.orig.reset();
    this.resp.reset();
    this.client = undefined;
    this.waiting.length = 0;
    this.waitingBytes = 0;
    this.given = 0;
    this.early = undefined;
    this.holed = false;
    this.ready = [];
    this.done = false;
    this.switched = false;
    this.unread = 0;
  }

  private said(): Parse {
    if (!this.done && this.orig.state === State.LOST && this.resp.state === State.LOST) this.done = true;
    if (!this.done) return this.ready.length > 0 ? Parse.READY : Parse.MORE;
    this.end();
    return this.switched ? Parse.SWITCH : Parse.STOP;
  }

  /** Takes bytes up to the end of the head; returns where it got to. */
  private readHead(direction: Direction, bytes: Uint8Array, from: number, end: number): number {
    let at = from;
    // Empty lines before a head are nothing (RFC 9112 section 2.2).
    if (direction.filled === 0) {
      while (at < end && (bytes[at] === 10 || bytes[at] === 13)) at++;
      direction.line = 0;
    }
    const start = at;
    while (at < end) {
      const lf = lineEnd(bytes, at, end);
      const cr = lf > at ? bytes[lf - 1] === 13 : direction.filled > 0 && direction.head[direction.filled - 1] === 13;
      direction.line += lf - at;
      at = Math.min(lf + 1, end);
      if (lf === end) break;
      const empty = direction.line === 0 || (direction.line === 1 && cr);
      direction.line = 0;
      if (!empty) continue;
      if (direction.filled === 0) this.onHead(direction, bytes, start, at);
      else {
        direction.append(bytes, start, at);
        const length = direction.filled;
        direction.filled = 0;
        this.onHead(direction, direction.head, 0, length);
      }
      return at;
    }
    if (direction.filled + at - start > HEAD_MAX) direction.state = State.LOST;
    else direction.append(bytes, start, at);
    return at;
  }

  private onHead(direction: Direction, bytes: Uint8Array, start: number, end: number): void {
    const kind = headKind(bytes, start, end);
    const sender = kind === HeadKind.REQUEST ? direction : direction === this.orig ? this.resp : this.orig;
    if (kind === HeadKind.NONE || (this.client !== undefined && this.client !== sender)) {
      direction.state = State.LOST;
      return;
    }
    this.client = sender;
    if (kind === HeadKind.REQUEST) this.onRequest(direction, bytes, start, end);
    else this.onResponse(direction, bytes, start, end);
  }

  private onRequest(direction: Direction, bytes: Uint8Array, start: number, end: number): void {
    enterBody(direction, bodyOf(bytes, start, end, false));
    const head = keep(bytes, start, end - start);
    if (this.early !== undefined) {
      this.ready.push(new HttpTransaction(head, this.early));
      this.early = undefined;
      return;
    }
    this.waiting.push(head);
    this.waitingBytes += head.length;
    while (this.waitingBytes > WAITING_MAX) {
      this.deliver(undefined);
      this.given++;
    }
  }

  private onResponse(direction: Direction, bytes: Uint8Array, start: number, end: number): void {
    const status = statusOf(bytes, start);
    // An interim response: the final one follows (RFC 9110 section 15.2).
    if (status < 200 && status !== 101) {
      enterBody(direction, NO_BODY);
      return;
    }
    const request = this.given > 0 ? undefined : this.waiting[0];
    const to = (method: string) => request !== undefined && hasMethod(request, 0, request.length, method);
    const head = keep(bytes, start, end - start);
    if (request !== undefined) this.deliver(head);
    else if (this.given > 0 || this.holed) {
      this.given = Math.max(0, this.given - 1);
      this.ready.push(new HttpTransaction(undefined, head));
    } else {
      this.deliverEarly();
      this.early = head;
    }
    if (status === 101 || (status < 300 && to('CONNECT'))) {
      this.done = true;
      this.switched = true;
    } else if (status === 204 || status === 304 || to('HEAD')) enterBody(direction, NO_BODY);
    else enterBody(direction, bodyOf(bytes, start, end, true));
  }

  /** Delivers the oldest request. */
  private deliver(response: Uint8Array | undefined): void {
    const request = this.waiting.shift();
    this.waitingBytes -= request?.length ?? 0;
    this.ready.push(new HttpTransaction(request, response));
  }

  private deliverEarly(): void {
    if (this.early !== undefined) this.ready.push(new HttpTransaction(undefined, this.early));
    this.early = undefined;
  }
}

const NO_BODY: BodyKind = { kind: Body.NONE, length: 0 };

function enterBody(direction: Direction, body: BodyKind): void {
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

function skipBody(direction: Direction, at: number, end: number): number {
  const next = Math.min(end, at + direction.left);
  direction.left -= next - at;
  if (direction.left === 0) direction.state = direction.chunked ? State.CHUNK_END : State.HEAD;
  return next;
}

/** Takes the line before a chunk: its size in hex, and extensions that nobody needs (RFC 9112 section 7.1). */
function readSize(direction: Direction, bytes: Uint8Array, from: number, end: number): number {
  for (let at = from; at < end; at++) {
    const byte = bytes[at];
    if (byte === 10) {
      // `line` counts the digits: there has to be one.
      if (direction.line === 0) direction.state = State.LOST;
      else direction.state = direction.left > 0 ? State.BODY : State.TRAILER;
      direction.line = 0;
      direction.sized = false;
      return at + 1;
    }
    const digit = direction.sized ? -1 : hexDigit(byte);
    if (digit < 0) direction.sized = true;
    else if (++direction.line > 12) {
      direction.state = State.LOST;
      return end;
    } else direction.left = direction.left * 16 + digit;
  }
  return end;
}

function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}

function skipLine(direction: Direction, bytes: Uint8Array, at: number, end: number, then: State): number {
  const lf = lineEnd(bytes, at, end);
  if (lf < end) direction.state = then;
  return Math.min(lf + 1, end);
}

/** Skips lines up to and including an empty one. */
function skipTrailer(direction: Direction, bytes: Uint8Array, from: number, end: number): number {
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

export const HTTP_PARSER: ParserFactory = {
  name: 'http',
  proto: ProtocolNumber.HTTP,
  over: ['tcp'],
  create: () => new HttpParser(),
};
