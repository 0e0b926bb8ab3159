/**
 * Reading the head of an HTTP/1.x message: its start line and header lines up to the empty line (RFC 9112 sections 2 to 5).
 * A bare line feed ends a line as well as CR LF (section 2.2).
 */
import { Probe } from '../contract.ts';

const LF = 10;
const CR = 13;
const SPACE = 32;
const TAB = 9;
const COLON = 58;
const POINT = 46;

/** Longest method that is believed. */
const METHOD_MAX = 24;
/** With a target that looks like one, a request line this long needs no version to be believed. */
const LINE_MAX = 1024;

/** End of the line at `at`: the offset of its LF, or `end`. */
export function lineEnd(bytes: Uint8Array, at: number, end: number): number {
  let i = at;
  while (i < end && bytes[i] !== LF) i++;
  return i;
}

/** Where the line's content ends, given the offset of its LF. */
function contentEnd(bytes: Uint8Array, at: number, lf: number): number {
  return lf > at && bytes[lf - 1] === CR ? lf - 1 : lf;
}

/** Whether lower-case ASCII `text` stands at `at`, in any case. */
function standsAt(bytes: Uint8Array, at: number, end: number, text: string): boolean {
  if (at + text.length > end) return false;
  for (let i = 0; i < text.length; i++) {
    const byte = bytes[at + i];
    const code = text.charCodeAt(i);
    if (byte !== code && !(code > 96 && byte === code - 32)) return false;
  }
  return true;
}

/** `HTTP/` and two digits with a point between them, as sent (RFC 9112 section 2.3). */
function isVersion(bytes: Uint8Array, at: number, end: number): boolean {
  if (at + VERSION_LENGTH > end) return false;
  for (let i = 0; i < VERSION.length; i++) if (bytes[at + i] !== VERSION.charCodeAt(i)) return false;
  const major = at + VERSION.length;
  return isDigit(bytes[major]) && bytes[major + 1] === POINT && isDigit(bytes[major + 2]);
}
const VERSION = 'HTTP/';
const VERSION_LENGTH = VERSION.length + 3;

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}

/** Whether the bytes start with a request line or a status line; MAYBE if there are too few to tell. */
export function probeHttp(bytes: Uint8Array, offset: number, length: number): Probe {
  const end = offset + length;
  const status = probeStatusLine(bytes, offset, end);
  return status === Probe.NO ? probeRequestLine(bytes, offset, end) : status;
}

function probeStatusLine(bytes: Uint8Array, offset: number, end: number): Probe {
  for (let i = 0; i < VERSION.length; i++) {
    if (offset + i >= end) return Probe.MAYBE;
    if (bytes[offset + i] !== VERSION.charCodeAt(i)) return Probe.NO;
  }
  if (end - offset < 12) return Probe.MAYBE;
  return isStatusLine(bytes, offset, end) ? Probe.YES : Probe.NO;
}

function isStatusLine(bytes: Uint8Array, at: number, end: number): boolean {
  const code = codeAt(bytes, at);
  if (end < code + 3 || bytes[code - 1] !== SPACE || !(isVersion(bytes, at, end) || isIcy(bytes, at, end)))
    return false;
  return isDigit(bytes[code]) && isDigit(bytes[code + 1]) && isDigit(bytes[code + 2]);
}

/** SHOUTcast servers answer HTTP with a status line of their own: `ICY 200 OK`. */
function isIcy(bytes: Uint8Array, at: number, end: number): boolean {
  return at + 4 <= end && bytes[at] === 0x49 && bytes[at + 1] === 0x43 && bytes[at + 2] === 0x59;
}

/** Where the status code of a status line stands. */
function codeAt(bytes: Uint8Array, at: number): number {
  return bytes[at] === 0x49 ? at + 4 : at + VERSION_LENGTH + 1;
}

function probeRequestLine(bytes: Uint8Array, offset: number, end: number): Probe {
  const target = methodEnd(bytes, offset, end) + 1;
  if (target === 0) return Probe.NO;
  if (target > end) return Probe.MAYBE;
  const lf = lineEnd(bytes, target, end);
  if (lf < end) {
    return isRequestLine(bytes, offset, lf) || isSimpleRequest(bytes, offset, lf) ? Probe.YES : Probe.NO;
  }
  const slash = target < end && bytes[target] === 0x2f;
  return slash && end - offset > LINE_MAX ? Probe.YES : Probe.MAYBE;
}

/** Offset of the space behind the method; `end` if it may be further on, -1 if there is no method. */
function methodEnd(bytes: Uint8Array, offset: number, end: number): number {
  const most = Math.min(end, offset + METHOD_MAX);
  for (let i = offset; i < most; i++) {
    const byte = bytes[i];
    if (byte === SPACE) return i > offset ? i : -1;
    const letter = (byte >= 0x41 && byte <= 0x5a) || (byte >= 0x61 && byte <= 0x7a);
    if (!letter && byte !== 0x2d && byte !== 0x5f) return -1;
  }
  return most === end ? end : -1;
}

function isRequestLine(bytes: Uint8Array, at: number, lf: number): boolean {
  const stop = contentEnd(bytes, at, lf);
  const version = stop - VERSION_LENGTH;
  const method = methodEnd(bytes, at, lf);
  // PRI is no request but the preface of HTTP/2 (RFC 9113 section 11.6).
  if (hasMethod(bytes, at, lf, 'PRI')) return false;
  return method > 0 && version > method + 2 && bytes[version - 1] === SPACE && isVersion(bytes, version, stop);
}

/** Whether the line is a request of HTTP/0.9: `GET /path`, without a version and without header lines behind it. */
export function isSimpleRequest(bytes: Uint8Array, at: number, lf: number): boolean {
  const stop = contentEnd(bytes, at, lf);
  if (stop < at + 5 || isVersion(bytes, stop - VERSION_LENGTH, stop)) return false;
  if (!hasMethod(bytes, at, stop, 'GET')) return false;
  if (bytes[at + 4] !== 0x2f && !standsAt(bytes, at + 4, stop, 'http://')) return false;
  for (let i = at + 4; i < stop; i++) if (bytes[i] <= SPACE || bytes[i] > 0x7e) return false;
  return true;
}

/** Methods that are believed in the middle of a line (RFC 9110 section 9.3, RFC 5789). */
const METHODS = ['GET', 'POST', 'HEAD', 'PUT', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE', 'PATCH'];

/**
 * Where in a line that ends with the LF at `lf` a start line begins: a request's or a response's. In front of it may be what
 * is left of something else, without a line end of its own. -1 if nowhere.
 */
export function startLineIn(bytes: Uint8Array, at: number, lf: number, request: boolean): number {
  const stop = contentEnd(bytes, at, lf);
  if (!request) {
    for (let i = at; i < stop; i++) if (isStatusLine(bytes, i, stop)) return i;
    return -1;
  }
  if (isRequestLine(bytes, at, lf) || isSimpleRequest(bytes, at, lf)) return at;
  if (stop - at < VERSION_LENGTH || !isVersion(bytes, stop - VERSION_LENGTH, stop)) return -1;
  for (let i = at + 1; i < stop; i++) {
    if (METHODS.some((method) => hasMethod(bytes, i, stop, method)) && isRequestLine(bytes, i, lf)) return i;
  }
  return -1;
}

/** What a head is. */
export const enum HeadKind {
  NONE = 0,
  REQUEST = 1,
  RESPONSE = 2,
  /** The start of a client's preface of HTTP/2 (RFC 9113 section 3.4). */
  HTTP2 = 3,
}

export function headKind(bytes: Uint8Array, at: number, end: number): HeadKind {
  const lf = lineEnd(bytes, at, end);
  if (isStatusLine(bytes, at, contentEnd(bytes, at, lf))) return HeadKind.RESPONSE;
  if (standsAt(bytes, at, end, 'pri * http/2.0\r\n\r\n')) return HeadKind.HTTP2;
  return isRequestLine(bytes, at, lf) || isSimpleRequest(bytes, at, lf) ? HeadKind.REQUEST : HeadKind.NONE;
}

/** Status code of a response's head. */
export function statusOf(bytes: Uint8Array, at: number): number {
  const code = codeAt(bytes, at);
  return (bytes[code] - 0x30) * 100 + (bytes[code + 1] - 0x30) * 10 + (bytes[code + 2] - 0x30);
}

/** Whether a request's head has this method. */
export function hasMethod(bytes: Uint8Array, at: number, end: number, method: string): boolean {
  for (let i = 0; i < method.length; i++) if (at + i >= end || bytes[at + i] !== method.charCodeAt(i)) return false;
  return bytes[at + method.length] === SPACE;
}

/** The parts of a start line, by the spaces: all but the last have none in them. */
export function startLineParts(head: Uint8Array): readonly [start: number, end: number][] {
  const stop = contentEnd(head, 0, lineEnd(head, 0, head.length));
  const first = head.indexOf(SPACE);
  // No method is eight characters long with a slash in it, as `HTTP/1.1` and `HTTP/2.0` are.
  if ((head[4] === 0x2f && first === 8) || (first === 3 && isIcy(head, 0, stop))) {
    const second = first + 4;
    return [
      [0, first],
      [first + 1, second],
      [Math.min(second + 1, stop), stop],
    ];
  }
  const version = stop - VERSION_LENGTH;
  if (isSimpleRequest(head, 0, stop)) {
    return [
      [0, first],
      [first + 1, stop],
      [stop, stop],
    ];
  }
  return [[0, first], trimmed(head, first + 1, version), [version, stop]];
}

/** Value of a header line: from behind the name's colon to the line's LF, without the white space at either end. */
function valueIn(bytes: Uint8Array, from: number, lf: number): readonly [start: number, end: number] {
  return trimmed(bytes, from, contentEnd(bytes, from, lf));
}

/** What lies from `from` to `to`, without the white space at either end. */
function trimmed(bytes: Uint8Array, from: number, to: number): [start: number, end: number] {
  let [start, stop] = [from, to];
  while (start < stop && isBlank(bytes[start])) start++;
  while (stop > start && isBlank(bytes[stop - 1])) stop--;
  return [start, stop];
}

/** White space; a value that goes on in other lines may begin or end with a line's end. */
function isBlank(byte: number): boolean {
  return byte === SPACE || byte === TAB || byte === CR || byte === LF;
}

/** Whether the line from `at` to `lf` is a header of this name, in lower case. */
function isHeader(bytes: Uint8Array, at: number, lf: number, name: string): boolean {
  return at + name.length < lf && bytes[at + name.length] === COLON && standsAt(bytes, at, lf, name);
}

/** The LF that ends a header whose first line ends at `lf`: lines that begin with white space go on with it. */
function headerEnd(bytes: Uint8Array, lf: number, end: number): number {
  let last = lf;
  while (last + 1 < end && (bytes[last + 1] === SPACE || bytes[last + 1] === TAB)) last = lineEnd(bytes, last + 1, end);
  return last;
}

/**
 * Where the first header of a name (in lower case) has its value; undefined if there is none. A folded value (RFC 9112
 * section 5.2) has line ends in it.
 */
export function headerAt(head: Uint8Array, name: string): readonly [start: number, end: number] | undefined {
  const end = head.length;
  for (let at = lineEnd(head, 0, end) + 1; at < end; ) {
    const lf = lineEnd(head, at, end);
    if (isHeader(head, at, lf, name)) return valueIn(head, at + name.length + 1, headerEnd(head, lf, end));
    at = lf + 1;
  }
  return undefined;
}

/** Whether the first header of a name (in lower case) within a head has this value (in lower case), in any case. */
export function headerIs(bytes: Uint8Array, start: number, end: number, name: string, value: string): boolean {
  const head = bytes.subarray(start, end);
  const place = headerAt(head, name);
  return place !== undefined && place[1] - place[0] === value.length && standsAt(head, place[0], place[1], value);
}

/** The digits from `start` to `end` as a number; -1 if there is anything else, or more than a double can hold. */
export function decimal(bytes: Uint8Array, start: number, end: number): number {
  if (start === end || end - start > 15) return -1;
  let value = 0;
  for (let i = start; i < end; i++) {
    if (!isDigit(bytes[i])) return -1;
    value = value * 10 + bytes[i] - 0x30;
  }
  return value;
}

/** How the body of a message is told from what follows (RFC 9112 section 6.3). */
export const enum Body {
  NONE = 0,
  LENGTH = 1,
  CHUNKED = 2,
  UNTIL_CLOSE = 3,
}

/** Whether the last transfer coding is `chunked`. */
function endsChunked(bytes: Uint8Array, start: number, end: number): boolean {
  return end - 7 >= start && standsAt(bytes, end - 7, end, 'chunked');
}

const TRANSFER_ENCODING = 'transfer-encoding';
const CONTENT_LENGTH = 'content-length';
const IDENTITY = 'identity';

/** What a head says of the body behind it: a `Body`, and how long it is where that is told. */
export interface BodyKind {
  readonly kind: Body;
  readonly length: number;
}

/** The body of a message by the headers of its head, which lies from `start` to `end`. */
export function bodyOf(bytes: Uint8Array, start: number, end: number, response: boolean): BodyKind {
  const unknown = response ? Body.UNTIL_CLOSE : Body.NONE;
  let length = -1;
  for (let at = lineEnd(bytes, start, end) + 1; at < end; ) {
    const lf = lineEnd(bytes, at, end);
    const initial = bytes[at] | 0x20;
    if (initial === 0x74 && isHeader(bytes, at, lf, TRANSFER_ENCODING)) {
      const [from, to] = valueIn(bytes, at + TRANSFER_ENCODING.length + 1, headerEnd(bytes, lf, end));
      // It overrides a length, but for the coding of RFC 2616 that means none.
      if (to - from !== IDENTITY.length || !standsAt(bytes, from, to, IDENTITY)) {
        return { kind: endsChunked(bytes, from, to) ? Body.CHUNKED : unknown, length: 0 };
      }
    }
    if (initial === 0x63 && length < 0 && isHeader(bytes, at, lf, CONTENT_LENGTH)) {
      const [from, to] = valueIn(bytes, at + CONTENT_LENGTH.length + 1, headerEnd(bytes, lf, end));
      length = decimal(bytes, from, to);
    }
    at = lf + 1;
  }
  if (length > 0) return { kind: Body.LENGTH, length };
  return { kind: length === 0 ? Body.NONE : unknown, length: 0 };
}
