/**
 * The frames of HTTP/2 (RFC 9113) of one connection: header blocks of both directions are put together and decoded, all
 * else is skipped. A request and its response, which share a stream, become a transaction whose heads look as HTTP/1
 * would have them, with the version `HTTP/2.0`.
 */
import { u16 } from '../bytes.ts';
import { createHpackDecoder, type Header, type HpackDecoder } from './hpack.ts';
import { HttpTransaction } from './transaction.ts';

const enum Frame {
  DATA = 0,
  HEADERS = 1,
  PRIORITY = 2,
  RST_STREAM = 3,
  SETTINGS = 4,
  PUSH_PROMISE = 5,
  PING = 6,
  GOAWAY = 7,
  WINDOW_UPDATE = 8,
  CONTINUATION = 9,
}
const enum Flag {
  END_HEADERS = 4,
  PADDED = 8,
  PRIORITY = 32,
}

/** What a client sends before its frames (section 3.4); the first 18 bytes are a head of HTTP/1. */
export const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';
const FRAME_HEADER = 9;
/** Longest header block, and longest frame that is kept. */
const BLOCK_MAX = 65536;
/** Most requests that wait for a response, and most of their bytes; the oldest of more is delivered without. */
const WAITING_MAX = 1000;
const WAITING_BYTES_MAX = 262144;
const FIRST_BUFFER = 1024;

/** Lengths of frames that have one: type, length. */
const LENGTHS = new Map<number, number>([
  [Frame.PRIORITY, 5],
  [Frame.RST_STREAM, 4],
  [Frame.PING, 8],
  [Frame.WINDOW_UPDATE, 4],
]);

class Side {
  readonly hpack: HpackDecoder = createHpackDecoder();
  readonly header = new Uint8Array(FRAME_HEADER);
  headerFilled = 0;
  /** Bytes to come before the next frame that are none. */
  skip = 0;
  /** Of the frame at hand. */
  type = 0;
  flags = 0;
  stream = 0;
  left = 0;
  /** Its payload, where that is kept. */
  kept: Uint8Array = new Uint8Array(FIRST_BUFFER);
  filled = 0;
  keeping = false;
  /** A header block that goes on in CONTINUATION frames, and the stream it is of; 0 for none. */
  block: Uint8Array = new Uint8Array(FIRST_BUFFER);
  blockFilled = 0;
  blockStream = 0;
  lost = false;

  reset(): void {
    this.hpack.reset();
    this.headerFilled = 0;
    this.skip = 0;
    this.left = 0;
    this.filled = 0;
    this.keeping = false;
    this.blockFilled = 0;
    this.blockStream = 0;
    this.lost = false;
    if (this.kept.length > FIRST_BUFFER) this.kept = new Uint8Array(FIRST_BUFFER);
    if (this.block.length > FIRST_BUFFER) this.block = new Uint8Array(FIRST_BUFFER);
  }
}

function appended(to: Uint8Array, filled: number, bytes: Uint8Array, at: number, next: number): Uint8Array {
  let room = to;
  if (filled + next - at > to.length) {
    room = new Uint8Array(Math.max(filled + next - at, 2 * to.length));
    room.set(to.subarray(0, filled));
  }
  room.set(bytes.subarray(at, next), filled);
  return room;
}

export class Http2 {
  private readonly client = new Side();
  private readonly server = new Side();
  /** Requests without a response, by stream, in the order they came. */
  private readonly waiting = new Map<number, Uint8Array>();
  private waitingBytes = 0;

  /** @param deliver takes each transaction */
  constructor(private readonly deliver: (transaction: HttpTransaction) => void) {}

  /** Both directions can no longer be followed. */
  get lost(): boolean {
    return this.client.lost && this.server.lost;
  }

  /** The client's preface, whose first 18 bytes are over, begins its frames. */
  begin(): void {
    this.client.skip = PREFACE.length - 18;
  }

  /** The connection was upgraded by this request: the response comes on stream 1 (RFC 7540 section 3.2). */
  upgraded(request: Uint8Array): void {
    this.wait(1, request);
  }

  parse(fromClient: boolean, bytes: Uint8Array, from: number, end: number): void {
    const side = fromClient ? this.client : this.server;
    let at = from;
    while (at < end && !side.lost) {
      if (side.skip > 0) {
        const skipped = Math.min(side.skip, end - at);
        side.skip -= skipped;
        at += skipped;
      } else if (side.headerFilled < FRAME_HEADER) {
        side.header[side.headerFilled++] = bytes[at++];
        if (side.headerFilled === FRAME_HEADER) {
          openFrame(side);
          if (side.left === 0 && !side.lost) this.onFrame(fromClient, side);
        }
      } else {
        const next = Math.min(end, at + side.left);
        if (side.keeping) {
          side.kept = appended(side.kept, side.filled, bytes, at, next);
          side.filled += next - at;
        }
        side.left -= next - at;
        at = next;
        if (side.left === 0) this.onFrame(fromClient, side);
      }
    }
  }

  gap(fromClient: boolean, missed: number): void {
    const side = fromClient ? this.client : this.server;
    const within = side.headerFilled === FRAME_HEADER && !side.keeping && side.left >= missed;
    // Behind a hole that is not within a frame to be skipped neither frames nor the decoder's table can be followed.
    if (!within) side.lost = true;
    else {
      side.left -= missed;
      if (side.left === 0) this.onFrame(fromClient, side);
    }
  }

  /** Delivers what waits for a response. */
  end(): void {
    for (const stream of [...this.waiting.keys()]) this.tell(stream, undefined);
  }

  reset(): void {
    this.client.reset();
    this.server.reset();
    this.waiting.clear();
    this.waitingBytes = 0;
  }

  /** The frame at hand is over. */
  private onFrame(fromClient: boolean, side: Side): void {
    side.headerFilled = 0;
    side.keeping = false;
    const { kept, filled, flags } = side;
    if (side.type === Frame.RST_STREAM) {
      if (this.waiting.has(side.stream)) this.tell(side.stream, undefined);
      return;
    }
    if (side.type === Frame.CONTINUATION) {
      this.onBlock(fromClient, side, kept, 0, filled);
      return;
    }
    if (side.type !== Frame.HEADERS && side.type !== Frame.PUSH_PROMISE) return;
    let at = 0;
    let end = filled;
    if ((flags & Flag.PADDED) !== 0) {
      at = 1;
      end -= filled > 0 ? kept[0] : 0;
    }
    side.blockStream = side.stream;
    if (side.type === Frame.PUSH_PROMISE) {
      // The stream is that of the response that will be sent unasked.
      if (at + 4 > end) side.lost = true;
      else side.blockStream = (u16(kept, at) & 0x7fff) * 0x10000 + u16(kept, at + 2);
      at += 4;
    } else if ((flags & Flag.PRIORITY) !== 0) at += 5;
    side.blockFilled = 0;
    if (at > end) side.lost = true;
    else if (!side.lost) this.onBlock(fromClient, side, kept, at, end);
  }

  /** The next part of a header block, or all of it. */
  private onBlock(fromClient: boolean, side: Side, bytes: Uint8Array, at: number, end: number): void {
    let [block, start, stop] = [bytes, at, end];
    const over = (side.flags & Flag.END_HEADERS) !== 0;
    if (!over || side.blockFilled > 0) {
      if (side.blockFilled + end - at > BLOCK_MAX) {
        side.lost = true;
        return;
      }
      side.block = appended(side.block, side.blockFilled, bytes, at, end);
      side.blockFilled += end - at;
      [block, start, stop] = [side.block, 0, side.blockFilled];
    }
    if (!over) return;
    const stream = side.blockStream;
    side.blockStream = 0;
    side.blockFilled = 0;
    const headers = side.hpack.decode(block, start, stop);
    if (headers === undefined) side.lost = true;
    else this.onHeaders(fromClient, stream, headers);
  }

  private onHeaders(fromClient: boolean, stream: number, headers: readonly Header[]): void {
    const method = headerOf(headers, ':method');
    if (method !== undefined) {
      const target = headerOf(headers, ':path') ?? headerOf(headers, ':authority') ?? '*';
      this.wait(stream, headOf(`${word(method)} ${word(target)} HTTP/2.0`, headers));
      return;
    }
    // Trailers have no status; behind an interim response the final one follows.
    const status = fromClient ? undefined : headerOf(headers, ':status');
    if (status === undefined || !/^[2-9]\d\d$/.test(status)) return;
    this.tell(stream, headOf(`HTTP/2.0 ${status} `, headers));
  }

  private wait(stream: number, request: Uint8Array): void {
    if (this.waiting.has(stream)) this.tell(stream, undefined);
    this.waiting.set(stream, request);
    this.waitingBytes += request.length;
    while (this.waiting.size > WAITING_MAX || this.waitingBytes > WAITING_BYTES_MAX) {
      const [oldest] = this.waiting.keys();
      if (oldest === undefined) return;
      this.tell(oldest, undefined);
    }
  }

  private tell(stream: number, response: Uint8Array | undefined): void {
    const request = this.waiting.get(stream);
    this.waiting.delete(stream);
    this.waitingBytes -= request?.length ?? 0;
    this.deliver(new HttpTransaction(request, response));
  }
}

/** A frame's header is whole. */
function openFrame(side: Side): void {
  const { header } = side;
  const length = (header[0] << 16) | u16(header, 1);
  side.type = header[3];
  side.flags = header[4];
  side.stream = (u16(header, 5) & 0x7fff) * 0x10000 + u16(header, 7);
  side.left = length;
  side.filled = 0;
  const { type } = side;
  side.keeping = type === Frame.HEADERS || type === Frame.PUSH_PROMISE || type === Frame.CONTINUATION;
  const wanted = LENGTHS.get(type);
  const wrong =
    (wanted !== undefined && length !== wanted) ||
    (type === Frame.SETTINGS && length % 6 !== 0) ||
    (type === Frame.GOAWAY && length < 8) ||
    (side.keeping && (length > BLOCK_MAX || side.stream === 0)) ||
    // A header block is not interrupted (section 6.10).
    (side.blockStream !== 0) !== (type === Frame.CONTINUATION);
  if (wrong) side.lost = true;
}

function headerOf(headers: readonly Header[], name: string): string | undefined {
  return headers.find((header) => header[0] === name)?.[1];
}

/** Bytes that would end a line, or a word of the start line, are not allowed there (section 8.2.1). */
function word(text: string): string {
  return text.replace(/[\0\r\n ]/g, (char) => `%${char.charCodeAt(0).toString(16).padStart(2, '0')}`);
}

/** A head as HTTP/1 has it. */
function headOf(startLine: string, headers: readonly Header[]): Uint8Array {
  const authority = headerOf(headers, ':authority');
  const cookies = headers.filter(([name]) => name === 'cookie').map(([, value]) => value);
  const lines = [startLine];
  if (authority !== undefined) lines.push(`host: ${authority}`);
  // Each cookie may have a field of its own (section 8.2.3).
  if (cookies.length > 0) lines.push(`cookie: ${cookies.join('; ')}`);
  for (const [name, value] of headers) {
    if (!name.startsWith(':') && name !== 'cookie') lines.push(`${name}: ${value}`);
  }
  const text = `${lines.map((line) => line.replace(/[\0\r\n]/g, ' ')).join('\r\n')}\r\n\r\n`;
  const head = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) head[i] = text.charCodeAt(i);
  return head;
}
