/**
 * Parses HTTP into one `HttpTransaction` per request: with its response when the head of that has come, without when
 * the connection ends. A connection that begins with the preface of HTTP/2, or is upgraded to it, goes on in http2.ts. Heads
 * are kept, bodies are skipped by length or by chunk; requests may be pipelined. Lines where a head is due that are none of
 * one, as those of a body that is longer than it says, are passed over. After CONNECT and Upgrade the connection is another
 * protocol's.
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
  startLineIn,
  statusOf,
} from './head.ts';
import { Http2, PREFACE } from './http2.ts';
import { HttpTransaction } from './transaction.ts';

/** Longest head, in bytes. */
const HEAD_MAX = 65536;
/** Of a line longer than that, at whose end a head may begin, as much is kept. */
const START_MAX = 4096;
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
          if (bytes[at] === 0 && direction.filled === 0 && this.beginsFrames(direction)) {
            this.client ??= direction === this.orig ? this.resp : this.orig;
            direction.state = direction === this.client ? State.LOST : State.FRAMES;
            break;
          }
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
        case State.STRAY_LINE:
          at = skipLine(direction, bytes, at, end, State.HEAD);
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

  /** A line of a direction is none of HTTP. */
  private passOver(direction: Direction): void {
    // A response may have been meant; but requests that it stands behind are still answered in turn.
    if (direction === this.client) this.exchanges.missRequests();
    else this.exchanges.unpair();
    direction.dropHead();
  }

  /** Whether a 0 where a head is due begins frames of HTTP/2: not where HTTP/1 is spoken, and nobody asked to change. */
  private beginsFrames(direction: Direction): boolean {
    return !direction.heard || this.upgraded || this.client?.state === State.FRAMES;
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
      if (at < end && bytes[at] === 0 && this.beginsFrames(direction)) return at;
    }
    let start = at;
    while (at < end) {
      const lf = lineEnd(bytes, at, end);
      const cr = lf > at ? bytes[lf - 1] === 13 : direction.filled > 0 && direction.head[direction.filled - 1] === 13;
      direction.line += lf - at;
      at = Math.min(lf + 1, end);
      if (lf === end) break;
      const empty = direction.line === 0 || (direction.line === 1 && cr);
      direction.line = 0;
      let over = empty;
      if (direction.firstLine) {
        if (direction.filled > 0) {
          direction.append(bytes, start, at);
          start = at;
        }
        const kept = direction.filled > 0;
        const line = kept ? direction.head : bytes;
        const begin = empty ? -1 : this.headStart(direction, line, kept ? 0 : start, kept ? direction.filled : at);
        if (begin < 0) {
          if (empty) direction.dropHead();
          else this.passOver(direction);
          return at;
        }
        if (kept) direction.cutHead(begin);
        else start = begin;
        over = isSimpleRequest(line, kept ? 0 : begin, kept ? direction.filled - 1 : lf);
        direction.firstLine = false;
      }
      if (!over) continue;
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
    direction.append(bytes, start, at);
    if (direction.filled > HEAD_MAX) this.onTooLong(direction);
    return at;
  }

  private onTooLong(direction: Direction): void {
    if (!direction.heard) direction.state = State.LOST;
    else if (direction.firstLine) direction.cutHead(direction.filled - START_MAX);
    else {
      this.passOver(direction);
      direction.state = State.STRAY_LINE;
    }
  }

  /** Where a head begins in the line from `start` to `end` that would be its first; -1 if nowhere. */
  private headStart(direction: Direction, line: Uint8Array, start: number, end: number): number {
    // What the first head of a direction is, is said when it is whole; a client's preface of HTTP/2 has more lines than one.
    if (!direction.heard) return start;
    if (direction === this.client && hasMethod(line, start, end, 'PRI')) return start;
    return startLineIn(line, start, end - 1, direction === this.client);
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
      if (direction.heard) this.passOver(direction);
      else direction.state = State.LOST;
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
