/**
 * Parses HTTP into one `HttpTransaction` per request: with its response when the head of that has come, without when
 * the connection ends. A connection that begins with the preface of HTTP/2, or is upgraded to it, goes on in http2.ts. Heads
 * are kept, bodies are skipped by length or by chunk; requests may be pipelined. What stands where a head is due and is none,
 * as the rest of a body that is longer than it says, is passed over up to a piece that begins with one. After CONNECT and
 * Upgrade the connection is another protocol's.
 * Hot.
 */
import { keep } from '../bytes.ts';
import { Parse, type ParserFactory, Probe, ProtocolNumber, type SessionParser } from '../contract.ts';
import { Direction, enterBody, NO_BODY, readSize, State, skipBody, skipLine, skipTrailer } from './direction.ts';
import { Exchanges } from './exchanges.ts';
import {
  bodyOf,
  HeadKind,
  hasMethod,
  headerIs,
  headKind,
  isSimpleRequest,
  lineEnd,
  probeHttp,
  statusOf,
} from './head.ts';
import { Http2, PREFACE } from './http2.ts';
import { HttpTransaction } from './transaction.ts';

/** Longest head, in bytes. */
const HEAD_MAX = 65536;
/** Most bytes of empty lines before the first head. */
const EMPTY_MAX = 8;

const NOTHING = new Uint8Array();

class HttpParser implements SessionParser {
  private readonly orig = new Direction();
  private readonly resp = new Direction();
  /** Undefined until it is needed first. */
  private http2: Http2 | undefined = undefined;
  /** Who sends requests. */
  private client: Direction | undefined = undefined;
  private readonly exchanges = new Exchanges();
  private done = false;
  /** Frames of HTTP/2 follow a response that said so. */
  private upgraded = false;
  /** Another protocol follows. */
  private switched = false;
  /** Bytes of the last piece that were not read. */
  private unread = 0;

  probe(_fromOrig: boolean, bytes: Uint8Array, offset: number, length: number): Probe {
    const end = offset + length;
    let at = offset;
    // Empty lines before a head are nothing (RFC 9112 section 2.2).
    while (at < end && at - offset < EMPTY_MAX && (bytes[at] === 10 || bytes[at] === 13)) at++;
    const said = probeHttp(bytes, at, end - at);
    if (said === Probe.NO) return probeHttp2(bytes, offset, length);
    return said === Probe.YES && hasMethod(bytes, at, end, 'CONNECT') ? Probe.TUNNEL : said;
  }

  parse(fromOrig: boolean, bytes: Uint8Array, offset: number, length: number): Parse {
    const direction = fromOrig ? this.orig : this.resp;
    const end = offset + length;
    direction.piece = offset;
    if (direction.state === State.ASTRAY && probeHttp(bytes, offset, length) === Probe.YES)
      direction.state = State.HEAD;
    else if (direction.filled > 0 && beginsAnew(direction, bytes, offset, end)) direction.dropHead();
    const at = this.read(direction, bytes, offset, end);
    direction.seen += length;
    this.unread = end - at;
    return this.said();
  }

  /** Takes bytes as far as they are HTTP; returns where it got to. */
  private read(direction: Direction, bytes: Uint8Array, from: number, end: number): number {
    let at = from;
    while (at < end && !this.done) {
      switch (direction.state) {
        case State.FRAMES:
          this.framesOf().parse(direction === this.client, bytes, at, end);
          at = end;
          break;
        case State.HEAD:
          // No head begins with a 0, but every server's frames.
          if (bytes[at] === 0 && direction.filled === 0) {
            this.onZero(direction);
            break;
          }
          at = this.readHead(direction, bytes, at, end);
          break;
        case State.BODY:
          at = skipBody(direction, at, end);
          break;
        case State.CHUNK_SIZE:
          at = readSize(direction, bytes, at, end);
          if ((direction.state as State) === State.ASTRAY) this.goAstray(direction);
          break;
        case State.CHUNK_END:
          at = skipLine(direction, bytes, at, end, State.CHUNK_SIZE);
          break;
        case State.TRAILER:
          at = skipTrailer(direction, bytes, at, end);
          break;
        case State.HELD:
          if (direction.filled + end - at > HEAD_MAX) direction.state = State.LOST;
          else direction.append(bytes, at, end);
          at = end;
          break;
        default:
          at = end;
      }
    }
    return at;
  }

  rest(): number {
    return this.unread;
  }
  early(): Uint8Array {
    return this.client?.state === State.HELD ? this.client.head.slice(0, this.client.filled) : NOTHING;
  }

  gap(fromOrig: boolean, missed: number): Parse {
    const direction = fromOrig ? this.orig : this.resp;
    if (direction.state === State.HELD) direction.state = State.LOST;
    else if (direction.state === State.FRAMES) this.framesOf().gap(direction === this.client, missed);
    else if (direction.state === State.BODY && direction.left >= missed) skipBody(direction, 0, missed);
    else if (direction.state < State.UNTIL_CLOSE) {
      this.exchanges.unpair();
      direction.goAstray();
    }
    direction.seen += missed;
    return this.said();
  }

  /** Passes over what is no HTTP, up to the start of a head. */
  private goAstray(direction: Direction): void {
    // A response may be among it; but requests that it stands behind are still answered in turn.
    if (direction === this.client) this.exchanges.missRequests();
    else this.exchanges.unpair();
    direction.goAstray();
  }

  /** What a direction sends is no HTTP: it may be in the way of what is, if there was any. */
  private lose(direction: Direction): void {
    if (direction.heard) this.goAstray(direction);
    else direction.state = State.LOST;
  }

  /** Frames of HTTP/2 from a server, unless it has spoken HTTP/1 before and was not asked to change. */
  private onZero(direction: Direction): void {
    this.client ??= direction === this.orig ? this.resp : this.orig;
    const asked = !direction.heard || this.upgraded || this.client.state === State.FRAMES;
    if (direction !== this.client && asked) direction.state = State.FRAMES;
    else this.lose(direction);
  }

  end(): void {
    this.exchanges.end();
    this.http2?.end();
  }
  take(): HttpTransaction | null {
    return this.exchanges.take();
  }

  reset(): void {
    this.orig.reset();
    this.resp.reset();
    this.http2?.reset();
    this.client = undefined;
    this.exchanges.reset();
    this.done = false;
    this.upgraded = false;
    this.switched = false;
    this.unread = 0;
  }

  private said(): Parse {
    const { orig, resp, http2 } = this;
    if (orig.state === State.LOST && resp.state === State.LOST) this.done = true;
    if (http2?.lost) this.done = true;
    if (!this.done) return this.exchanges.any ? Parse.READY : Parse.MORE;
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
      if (at < end && bytes[at] === 0) return at;
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
      const first = !empty && direction.firstLine ? firstLineKind(direction, bytes, start, at) : FirstLine.OTHER;
      if (first === FirstLine.NONE) {
        this.goAstray(direction);
        return end;
      }
      if (!empty && first !== FirstLine.WHOLE) {
        direction.firstLine = false;
        continue;
      }
      direction.firstLine = true;
      direction.bodyAt = direction.seen + at - direction.piece;
      if (direction.filled === 0) this.onHead(direction, bytes, start, at);
      else {
        direction.append(bytes, start, at);
        const length = direction.filled;
        direction.filled = 0;
        this.onHead(direction, direction.head, 0, length);
      }
      return at;
    }
    if (direction.filled + at - start > HEAD_MAX) this.lose(direction);
    else direction.append(bytes, start, at);
    return at;
  }

  private onHead(direction: Direction, bytes: Uint8Array, start: number, end: number): void {
    const kind = headKind(bytes, start, end);
    if (kind === HeadKind.HTTP2 && (this.client ?? direction) === direction) {
      this.client = direction;
      direction.state = State.FRAMES;
      this.framesOf().begin();
      return;
    }
    const sender = kind === HeadKind.REQUEST ? direction : direction === this.orig ? this.resp : this.orig;
    if (kind === HeadKind.NONE || kind === HeadKind.HTTP2 || (this.client !== undefined && this.client !== sender)) {
      this.lose(direction);
      return;
    }
    this.client = sender;
    direction.heard = true;
    if (kind === HeadKind.REQUEST) this.onRequest(direction, bytes, start, end);
    else this.onResponse(direction, bytes, start, end);
  }

  private onRequest(direction: Direction, bytes: Uint8Array, start: number, end: number): void {
    enterBody(direction, bodyOf(bytes, start, end, false));
    const head = keep(bytes, start, end - start);
    const waits = this.exchanges.request(head, direction.bodyAt);
    if (waits && hasMethod(head, 0, head.length, 'CONNECT')) direction.state = State.HELD;
  }

  private onResponse(direction: Direction, bytes: Uint8Array, start: number, end: number): void {
    const status = statusOf(bytes, start);
    // An interim response: the final one follows (RFC 9110 section 15.2).
    if (status < 200 && status !== 101) {
      enterBody(direction, NO_BODY);
      return;
    }
    const request = this.exchanges.next;
    if (status === 101 && request !== undefined && headerIs(bytes, start, end, 'upgrade', 'h2c')) {
      this.exchanges.drop();
      this.framesOf().upgraded(request);
      this.upgraded = true;
      enterBody(direction, NO_BODY);
      return;
    }
    if (this.exchanges.only !== undefined) this.heedRefusal(this.exchanges.only);
    const to = (method: string) => request !== undefined && hasMethod(request, 0, request.length, method);
    this.exchanges.response(keep(bytes, start, end - start), direction.bodyAt);
    if (status === 101 || (status < 300 && to('CONNECT'))) {
      this.done = true;
      this.switched = true;
    } else if (status === 204 || status === 304 || to('HEAD')) enterBody(direction, NO_BODY);
    else enterBody(direction, bodyOf(bytes, start, end, true));
    if (!this.done && to('CONNECT')) this.readHeld();
  }

  /** No tunnel: what was held is HTTP. */
  private readHeld(): void {
    const { client } = this;
    if (client?.state !== State.HELD) return;
    const held = client.head.slice(0, client.filled);
    client.filled = 0;
    client.state = State.HEAD;
    // It ends where the stream does so far.
    client.piece = held.length;
    this.read(client, held, 0, held.length);
  }

  /** A final answer came: a client that waits with the body of `request` (RFC 9110 section 10.1.1) does not send it then. */
  private heedRefusal(request: Uint8Array): void {
    const { client } = this;
    if (client === undefined || client.seen !== client.bodyAt) return;
    if (client.state !== State.BODY && client.state !== State.CHUNK_SIZE) return;
    if (headerIs(request, 0, request.length, 'expect', '100-continue')) enterBody(client, NO_BODY);
  }

  private framesOf(): Http2 {
    this.http2 ??= new Http2((transaction) => this.exchanges.add(transaction));
    return this.http2;
  }
}

const enum FirstLine {
  /** There is more to a head than this. */
  OTHER = 0,
  /** A request of HTTP/0.9: all of the head. */
  WHOLE = 1,
  /** No start line, where there was one before. */
  NONE = 2,
}

/** What the first line is that ends before `at`, and began in the direction's head if there is anything in that. */
function firstLineKind(direction: Direction, bytes: Uint8Array, start: number, at: number): FirstLine {
  if (direction.filled > 0) {
    const line = joined(direction, bytes, start, at);
    return lineKind(line, 0, line.length, direction.heard);
  }
  return lineKind(bytes, start, at, direction.heard);
}

function lineKind(line: Uint8Array, start: number, end: number, heard: boolean): FirstLine {
  if (isSimpleRequest(line, start, end - 1)) return FirstLine.WHOLE;
  // The preface of HTTP/2 is told by more than its first line.
  if (!heard || hasMethod(line, start, end, 'PRI')) return FirstLine.OTHER;
  return headKind(line, start, end) === HeadKind.NONE ? FirstLine.NONE : FirstLine.OTHER;
}

/** Whether a piece begins with a start line, and the part of one before it does not become one with it: no head is missed. */
function beginsAnew(direction: Direction, bytes: Uint8Array, offset: number, end: number): boolean {
  if (direction.state !== State.HEAD || !direction.firstLine || !direction.heard) return false;
  if (probeHttp(bytes, offset, end - offset) !== Probe.YES) return false;
  const line = joined(direction, bytes, offset, lineEnd(bytes, offset, end));
  return headKind(line, 0, line.length) === HeadKind.NONE;
}

/** The direction's head so far, and the bytes behind it. */
function joined(direction: Direction, bytes: Uint8Array, start: number, end: number): Uint8Array {
  const all = new Uint8Array(direction.filled + end - start);
  all.set(direction.head.subarray(0, direction.filled));
  all.set(bytes.subarray(start, end), direction.filled);
  return all;
}

/** Whether a client starts with the preface of HTTP/2; a server that starts with SETTINGS may be one of it. */
function probeHttp2(bytes: Uint8Array, offset: number, length: number): Probe {
  let same = 0;
  while (same < length && same < PREFACE.length && bytes[offset + same] === PREFACE.charCodeAt(same)) same++;
  if (same === PREFACE.length) return Probe.YES;
  if (same === length) return Probe.MAYBE;
  for (let i = 0; i < Math.min(length, 9); i++) {
    // Less than 256 bytes long, of type 4, without flags, of stream 0.
    if (i !== 2 && bytes[offset + i] !== (i === 3 ? 4 : 0)) return Probe.NO;
  }
  return Probe.MAYBE;
}

export const HTTP_PARSER: ParserFactory = {
  name: 'http',
  proto: ProtocolNumber.HTTP,
  classes: [HttpTransaction],
  over: ['tcp'],
  create: () => new HttpParser(),
};
