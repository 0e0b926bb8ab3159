/** Makes TLS records and handshake messages, well-formed or as a test wants them. */

export type Bytes = readonly number[] | Uint8Array;

export function concat(...parts: readonly Bytes[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => Array.from(part)));
}

export function u16be(...values: readonly number[]): number[] {
  return values.flatMap((value) => [value >> 8, value & 0xff]);
}

/** A vector with its length in `size` bytes in front. */
export function vector(size: 1 | 2 | 3, ...parts: readonly Bytes[]): Uint8Array {
  const body = concat(...parts);
  const length = [body.length >> 16, (body.length >> 8) & 0xff, body.length & 0xff];
  return concat(length.slice(3 - size), body);
}

export function text(value: string): Uint8Array {
  return new TextEncoder().encode(value);
}

export function extension(type: number, ...data: readonly Bytes[]): Uint8Array {
  return concat(u16be(type), vector(2, ...data));
}

export const sniExtension = (name: string): Uint8Array => extension(0, vector(2, [0], vector(2, text(name))));
export const groupsExtension = (...groups: readonly number[]): Uint8Array => extension(10, vector(2, u16be(...groups)));
export const pointFormatsExtension = (...formats: readonly number[]): Uint8Array => extension(11, vector(1, formats));
export const signaturesExtension = (...algs: readonly number[]): Uint8Array => extension(13, vector(2, u16be(...algs)));
export const alpnExtension = (...names: readonly string[]): Uint8Array =>
  extension(16, vector(2, ...names.map((name) => vector(1, text(name)))));
export const versionsExtension = (...versions: readonly number[]): Uint8Array =>
  extension(43, vector(1, u16be(...versions)));
export const keySharesExtension = (...shares: readonly (readonly [group: number, bytes: number])[]): Uint8Array =>
  extension(
    51,
    vector(2, ...shares.map(([group, bytes]) => concat(u16be(group), vector(2, new Uint8Array(bytes).fill(0x5a))))),
  );

/** 32 bytes that count up from `first`. */
export function random(first: number): Uint8Array {
  return Uint8Array.from({ length: 32 }, (_, i) => (first + i) & 0xff);
}

/** The random of a HelloRetryRequest, RFC 8446 section 4.1.3. */
export const RETRY_RANDOM = Buffer.from('cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c', 'hex');

export interface ClientHelloParts {
  readonly version?: number;
  readonly random?: Bytes;
  readonly sessionId?: Bytes;
  readonly ciphers?: readonly number[];
  readonly compressions?: readonly number[];
  /** Undefined: no extensions block at all. */
  readonly extensions?: readonly Bytes[];
}

export function clientHelloBody(parts: ClientHelloParts = {}): Uint8Array {
  return concat(
    u16be(parts.version ?? 0x0303),
    parts.random ?? random(1),
    vector(1, parts.sessionId ?? []),
    vector(2, u16be(...(parts.ciphers ?? [0x1301, 0xc02f]))),
    vector(1, parts.compressions ?? [0]),
    parts.extensions === undefined ? [] : vector(2, ...parts.extensions),
  );
}

export interface ServerHelloParts {
  readonly version?: number;
  readonly random?: Bytes;
  readonly sessionId?: Bytes;
  readonly cipher?: number;
  readonly compression?: number;
  readonly extensions?: readonly Bytes[];
}

export function serverHelloBody(parts: ServerHelloParts = {}): Uint8Array {
  return concat(
    u16be(parts.version ?? 0x0303),
    parts.random ?? random(101),
    vector(1, parts.sessionId ?? []),
    u16be(parts.cipher ?? 0xc02f),
    [parts.compression ?? 0],
    parts.extensions === undefined ? [] : vector(2, ...parts.extensions),
  );
}

/** A handshake message: type, length, body. */
export function message(type: number, ...body: readonly Bytes[]): Uint8Array {
  return concat([type], vector(3, ...body));
}

export const clientHello = (parts?: ClientHelloParts): Uint8Array => message(1, clientHelloBody(parts));
export const serverHello = (parts?: ServerHelloParts): Uint8Array => message(2, serverHelloBody(parts));
export const certificate = (...chain: readonly Bytes[]): Uint8Array =>
  message(11, vector(3, ...chain.map((der) => vector(3, der))));
export const certificateRequest = (): Uint8Array => message(13, [1, 1, 0, 2, 4, 1, 0, 0]);
export const serverHelloDone = (): Uint8Array => message(14);
export const clientKeyExchange = (): Uint8Array => message(16, new Uint8Array(66));

export const enum RecordType {
  CHANGE_CIPHER_SPEC = 20,
  ALERT = 21,
  HANDSHAKE = 22,
  APPLICATION_DATA = 23,
}

export function record(type: RecordType, ...content: readonly Bytes[]): Uint8Array {
  return concat([type, 3, 3], vector(2, ...content));
}

/** Handshake messages in records of at most `size` bytes of content. */
export function records(size: number, ...messages: readonly Bytes[]): Uint8Array {
  const content = concat(...messages);
  const parts: Uint8Array[] = [];
  for (let at = 0; at < content.length; at += size) {
    parts.push(record(RecordType.HANDSHAKE, content.subarray(at, at + size)));
  }
  return concat(...parts);
}

export const changeCipherSpec = (): Uint8Array => record(RecordType.CHANGE_CIPHER_SPEC, [1]);
export const alert = (level: number, description: number): Uint8Array => record(RecordType.ALERT, [level, description]);
/** Bytes that look encrypted. */
export const encrypted = (type: RecordType, length: number): Uint8Array =>
  record(
    type,
    Uint8Array.from({ length }, (_, i) => (i * 167 + 59) & 0xff),
  );

/** An SSLv2-compatible ClientHello, RFC 5246 appendix E.2. `kinds` are three-byte cipher kinds. */
export function ssl2Hello(version: number, kinds: readonly number[], challenge: Bytes): Uint8Array {
  const specs = kinds.flatMap((kind) => [kind >> 16, (kind >> 8) & 0xff, kind & 0xff]);
  const body = concat([1], u16be(version, specs.length, 0, challenge.length), specs, challenge);
  return concat([0x80 | (body.length >> 8), body.length & 0xff], body);
}
