/**
 * Reading ClientHello and ServerHello bodies (RFC 8446 sections 4.1.2 and 4.1.3): the bytes after the four of the
 * handshake header. A body is kept as it came and read when asked, so that a subscription that only wants the SNI pays
 * for nothing else. Every reader stays within the body whatever its length fields say.
 */
import { keep, textOf, u16 } from '../bytes.ts';

/** Numbers of extensions that are read. */
export const enum Extension {
  SERVER_NAME = 0,
  SUPPORTED_GROUPS = 10,
  EC_POINT_FORMATS = 11,
  SIGNATURE_ALGORITHMS = 13,
  ALPN = 16,
  SUPPORTED_VERSIONS = 43,
  KEY_SHARE = 51,
}

/** Versions of the drafts of TLS 1.3 are 0x7f00 and their number. Before this one a ServerHello had neither session nor compression. */
const DRAFT = 0x7f;
const FIRST_LIKE_1_2 = 22;
const RANDOM = 2;
const SESSION_ID = 34;
const NONE = new Uint16Array(0);

/** Is this number one that RFC 8701 reserves to be ignored? */
export function isGrease(value: number): boolean {
  return (value & 0x0f0f) === 0x0a0a && value >> 8 === (value & 0xff);
}

/** Whether the fixed part of a ClientHello is whole: up to and including the compression methods. */
export function isClientHello(bytes: Uint8Array, offset: number, length: number, major = 3): boolean {
  if (length < 38 || bytes[offset] !== major || bytes[offset + SESSION_ID] > 32) return false;
  const end = offset + length;
  let at = offset + SESSION_ID + 1 + bytes[offset + SESSION_ID];
  if (at + 2 > end) return false;
  at += 2 + u16(bytes, at);
  return at < end && at + 1 + bytes[at] <= end;
}

/** Whether the fixed part of a ServerHello is whole. `major`: the first byte of its version, 3 for TLS. */
export function isServerHello(bytes: Uint8Array, offset: number, length: number, major = 3): boolean {
  const sent = bytes[offset];
  if (length < 38 || (sent !== major && sent !== DRAFT)) return false;
  if (isShortHello(bytes, offset)) return true;
  if (bytes[offset + SESSION_ID] > 32) return false;
  return SESSION_ID + 1 + bytes[offset + SESSION_ID] + 3 <= length;
}

/** Whether a ServerHello has no session identifier and no compression method. */
function isShortHello(bytes: Uint8Array, offset: number): boolean {
  return bytes[offset] === DRAFT && bytes[offset + 1] < FIRST_LIKE_1_2;
}

/** SHA-256 of "HelloRetryRequest": the random that makes a ServerHello one (RFC 8446 section 4.1.3). */
const RETRY = Uint8Array.from([
  0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2, 0xa2, 0x11,
  0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
]);

export function isRetry(bytes: Uint8Array, offset: number): boolean {
  for (let i = 0; i < RETRY.length; i++) if (bytes[offset + RANDOM + i] !== RETRY[i]) return false;
  return true;
}

/**
 * The body of a ClientHello that says what an SSLv2-compatible one says (RFC 5246 appendix E.2), or undefined. `offset`
 * is that of its type byte, after the two bytes of its length. Cipher kinds that only SSLv2 had are left out.
 */
export function fromSsl2Hello(bytes: Uint8Array, offset: number, length: number): Uint8Array | undefined {
  if (length < 9 || bytes[offset] !== 1) return undefined;
  const kinds = u16(bytes, offset + 3);
  const id = u16(bytes, offset + 5);
  const challenge = u16(bytes, offset + 7);
  if (kinds % 3 !== 0 || id > 32 || challenge < 16 || challenge > 32) return undefined;
  if (9 + kinds + id + challenge !== length) return undefined;
  const body = new Uint8Array(SESSION_ID + 1 + id + 2 + (kinds / 3) * 2 + 1);
  const first = offset + 9;
  body[0] = bytes[offset + 1];
  body[1] = bytes[offset + 2];
  body.set(bytes.subarray(first + kinds + id, offset + length), RANDOM + 32 - challenge);
  body[SESSION_ID] = id;
  body.set(bytes.subarray(first + kinds, first + kinds + id), SESSION_ID + 1);
  const count = SESSION_ID + 1 + id;
  let at = count + 2;
  for (let i = first; i < first + kinds; i += 3) {
    if (bytes[i] !== 0) continue;
    body[at++] = bytes[i + 1];
    body[at++] = bytes[i + 2];
  }
  body[count] = (at - count - 2) >> 8;
  body[count + 1] = (at - count - 2) & 0xff;
  return keep(body, 0, at + 1);
}

/** A list of 16-bit numbers from `start` to `end`; an odd last byte is left out. */
function numbers(bytes: Uint8Array, start: number, end: number): Uint16Array {
  const count = (end - start) >> 1;
  if (count <= 0) return NONE;
  const list = new Uint16Array(count);
  for (let i = 0; i < count; i++) list[i] = u16(bytes, start + 2 * i);
  return list;
}

/** What both hellos have: a version, a random, extensions. */
class Hello {
  /** Where the data of the extension that `find` found ends. */
  protected found = 0;
  /** Where the extensions end. */
  private readonly end: number;
  /** @param firstExtension offset of the two bytes that say how long the extensions are. */
  constructor(
    protected readonly body: Uint8Array,
    protected readonly firstExtension: number,
  ) {
    const first = firstExtension + 2;
    this.end = first <= body.length ? Math.min(body.length, first + u16(body, firstExtension)) : body.length;
  }

  get version(): number {
    return u16(this.body, 0);
  }
  get random(): Uint8Array {
    return this.body.subarray(RANDOM, RANDOM + 32);
  }

  /** Types of the extensions, in order. */
  get extensions(): Uint16Array {
    const body = this.body;
    let count = 0;
    for (let at = this.firstExtension + 2; at + 4 <= this.end; at += 4 + u16(body, at + 2)) count++;
    if (count === 0) return NONE;
    const types = new Uint16Array(count);
    let i = 0;
    for (let at = this.firstExtension + 2; at + 4 <= this.end; at += 4 + u16(body, at + 2)) {
      types[i++] = u16(body, at);
    }
    return types;
  }

  /** Offset of the data of the first extension of a type, or -1. Sets `found`. */
  protected find(type: Extension): number {
    const body = this.body;
    for (let at = this.firstExtension + 2; at + 4 <= this.end; ) {
      const data = at + 4;
      const next = data + u16(body, at + 2);
      if (u16(body, at) === type) {
        this.found = Math.min(next, this.end);
        return data;
      }
      at = next;
    }
    return -1;
  }

  /** End of a vector that starts with its length in `size` bytes at `at`, within the extension found. */
  protected vectorEnd(at: number, size: 1 | 2): number {
    if (at + size > this.found) return at;
    const length = size === 1 ? this.body[at] : u16(this.body, at);
    return Math.min(at + size + length, this.found);
  }

  /** A vector of 16-bit numbers that is all of an extension. */
  protected list(type: Extension, size: 1 | 2): Uint16Array {
    const at = this.find(type);
    return at < 0 ? NONE : numbers(this.body, at + size, this.vectorEnd(at, size));
  }

  /** Names of the ALPN extension (RFC 7301 section 3.1). */
  get alpn(): string[] {
    const names: string[] = [];
    const at = this.find(Extension.ALPN);
    if (at < 0) return names;
    const end = this.vectorEnd(at, 2);
    for (let i = at + 2; i < end; i += 1 + this.body[i]) {
      names.push(textOf(this.body, i + 1, Math.min(i + 1 + this.body[i], end)));
    }
    return names;
  }
}

export class ClientHello extends Hello {
  private readonly ciphersAt: number;

  /** @param body one that `isClientHello` accepted, or that `fromSsl2Hello` made; kept. */
  constructor(body: Uint8Array) {
    const ciphers = SESSION_ID + 1 + body[SESSION_ID];
    const compression = ciphers + 2 + u16(body, ciphers);
    super(body, compression + 1 + body[compression]);
    this.ciphersAt = ciphers;
  }

  get ciphers(): Uint16Array {
    const at = this.ciphersAt + 2;
    return numbers(this.body, at, at + u16(this.body, this.ciphersAt));
  }
  get compressions(): Uint16Array {
    const at = this.ciphersAt + 2 + u16(this.body, this.ciphersAt);
    return Uint16Array.from(this.body.subarray(at + 1, at + 1 + this.body[at]));
  }

  /** The first name of type host_name (RFC 6066 section 3). */
  get sni(): string | undefined {
    const at = this.find(Extension.SERVER_NAME);
    if (at < 0) return undefined;
    const body = this.body;
    const end = this.vectorEnd(at, 2);
    for (let i = at + 2; i + 3 <= end; i += 3 + u16(body, i + 1)) {
      if (body[i] === 0) return textOf(body, i + 3, Math.min(i + 3 + u16(body, i + 1), end));
    }
    return undefined;
  }
  get asksForName(): boolean {
    return this.find(Extension.SERVER_NAME) >= 0;
  }
  /** First and last byte of the first ALPN name, as `first << 8 | last`; -1 when there is none. */
  get alpnEnds(): number {
    const at = this.find(Extension.ALPN);
    if (at < 0) return -1;
    const end = this.vectorEnd(at, 2);
    const last = at + 2 < end ? at + 2 + this.body[at + 2] : 0;
    return last <= at + 2 || last >= end ? -1 : (this.body[at + 3] << 8) | this.body[last];
  }

  get versions(): Uint16Array {
    return this.list(Extension.SUPPORTED_VERSIONS, 1);
  }
  get groups(): Uint16Array {
    return this.list(Extension.SUPPORTED_GROUPS, 2);
  }
  get signatureAlgorithms(): Uint16Array {
    return this.list(Extension.SIGNATURE_ALGORITHMS, 2);
  }
  get pointFormats(): Uint16Array {
    const at = this.find(Extension.EC_POINT_FORMATS);
    return at < 0 ? NONE : Uint16Array.from(this.body.subarray(at + 1, this.vectorEnd(at, 1)));
  }
  /** Groups of the key shares (RFC 8446 section 4.2.8). */
  get keyShares(): Uint16Array {
    const at = this.find(Extension.KEY_SHARE);
    if (at < 0) return NONE;
    const end = this.vectorEnd(at, 2);
    const groups: number[] = [];
    for (let i = at + 2; i + 4 <= end; i += 4 + u16(this.body, i + 2)) groups.push(u16(this.body, i));
    return Uint16Array.from(groups);
  }
}

export class ServerHello extends Hello {
  private readonly cipherAt: number;
  private readonly short: boolean;

  /** @param body one that `isServerHello` accepted; kept. */
  constructor(body: Uint8Array) {
    const short = isShortHello(body, 0);
    const cipher = short ? SESSION_ID : SESSION_ID + 1 + body[SESSION_ID];
    super(body, cipher + (short ? 2 : 3));
    this.cipherAt = cipher;
    this.short = short;
  }

  get cipher(): number {
    return u16(this.body, this.cipherAt);
  }
  get compression(): number | undefined {
    return this.short ? undefined : this.body[this.cipherAt + 2];
  }
  /** The version of the supported_versions extension, else the legacy one. */
  get chosenVersion(): number {
    const at = this.find(Extension.SUPPORTED_VERSIONS);
    return at >= 0 && at + 2 <= this.found ? u16(this.body, at) : this.version;
  }
  /** Group of the key share; in a HelloRetryRequest the one that is asked for. */
  get keyShare(): number | undefined {
    const at = this.find(Extension.KEY_SHARE);
    return at >= 0 && at + 2 <= this.found ? u16(this.body, at) : undefined;
  }
}
