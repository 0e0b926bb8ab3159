/**
 * SOCKS 4, 4a and 5 (RFC 1928, RFC 1929) as a preamble: what is sent behind a request to connect that was granted is probed
 * as if the connection began there. The originator is the client.
 */
import { Parse, type ParserFactory, Probe, ProtocolNumber, type SessionParser } from '../contract.ts';

/** Most bytes of either side's part; the longest is a greeting, a name with a password, and a request. */
const SIDE_MAX = 1536;
/** Most bytes kept of one side: clients may not wait for the answer with what they send through the proxy. */
const KEPT_MAX = 16384;

const enum Method {
  NONE = 0,
  PASSWORD = 2,
}
const CONNECT = 1;
const enum Address {
  IPV4 = 1,
  NAME = 3,
  IPV6 = 4,
}
/** SOCKS 4: the first of the codes of an answer, and the last; the first grants the request. */
const GRANTED = 90;
const REFUSED = 93;

/** What a message's reader says instead of where it ends. */
const SHORT = -1;
const WRONG = -2;

/** End of a text with a zero behind it. */
function textEnd(bytes: Uint8Array, at: number, end: number): number {
  const zero = bytes.subarray(0, end).indexOf(0, at);
  return zero < 0 ? SHORT : zero + 1;
}

/** End of the SOCKS 4 request: version, command, port, address, user, and behind an address 0.0.0.x a name. */
function request4End(bytes: Uint8Array, end: number): number {
  if (end > 1 && bytes[1] !== CONNECT) return WRONG;
  if (end < 9) return SHORT;
  const user = textEnd(bytes, 8, end);
  const named = bytes[4] === 0 && bytes[5] === 0 && bytes[6] === 0 && bytes[7] !== 0;
  return user > 0 && named ? textEnd(bytes, user, end) : user;
}

/** End of a SOCKS 5 request or answer at `at` (RFC 1928 sections 4 and 6), whose second byte must be `code`. */
function message5End(bytes: Uint8Array, at: number, end: number, code: number): number {
  if (end > at && bytes[at] !== 5) return WRONG;
  if (end > at + 1 && bytes[at + 1] !== code) return WRONG;
  if (end < at + 5) return SHORT;
  let size: number;
  switch (bytes[at + 3]) {
    case Address.IPV4:
      size = 4;
      break;
    case Address.NAME:
      size = 1 + bytes[at + 4];
      break;
    case Address.IPV6:
      size = 16;
      break;
    default:
      return WRONG;
  }
  return at + 4 + size + 2 <= end ? at + 4 + size + 2 : SHORT;
}

/** End of the name and password at `at` (RFC 1929 section 2). */
function passwordEnd(bytes: Uint8Array, at: number, end: number): number {
  if (end < at + 2) return SHORT;
  if (bytes[at] !== 1) return WRONG;
  const password = at + 2 + bytes[at + 1];
  if (end < password + 1) return SHORT;
  const next = password + 1 + bytes[password];
  return next <= end ? next : SHORT;
}

class Side {
  bytes = new Uint8Array(SIDE_MAX);
  filled = 0;

  /** How many of the bytes had room. */
  append(bytes: Uint8Array, offset: number, length: number): number {
    const count = Math.min(length, KEPT_MAX - this.filled);
    if (this.filled + count > this.bytes.length) {
      const larger = new Uint8Array(Math.max(this.filled + count, 2 * this.bytes.length));
      larger.set(this.bytes.subarray(0, this.filled));
      this.bytes = larger;
    }
    this.bytes.set(bytes.subarray(offset, offset + count), this.filled);
    this.filled += count;
    return count;
  }

  reset(): void {
    if (this.bytes.length > SIDE_MAX) this.bytes = new Uint8Array(SIDE_MAX);
    this.filled = 0;
  }
}

class SocksParser implements SessionParser {
  private readonly client = new Side();
  private readonly server = new Side();
  /** Where the client's part ends, once it is whole. */
  private asked = 0;
  private unread = 0;

  probe(fromOrig: boolean, bytes: Uint8Array, offset: number, length: number): Probe {
    return fromOrig ? probeClient(bytes, offset, length) : probeServer(bytes, offset, length);
  }

  parse(fromOrig: boolean, bytes: Uint8Array, offset: number, length: number): Parse {
    const side = fromOrig ? this.client : this.server;
    const before = side.filled;
    const taken = side.append(bytes, offset, length);
    const end = this.exchangeEnd();
    if (end >= 0 && !fromOrig) {
      this.unread = before + length - end;
      return Parse.SWITCH;
    }
    return end === SHORT && taken === length ? Parse.MORE : Parse.STOP;
  }

  /** Where the server's part ends, once all is said. */
  private exchangeEnd(): number {
    const { client, server } = this;
    if (client.filled === 0) return server.filled === 0 ? SHORT : WRONG;
    if (client.bytes[0] === 4) {
      const asked = request4End(client.bytes, client.filled);
      if (asked < 0) return asked;
      this.asked = asked;
      if (server.filled > 1 && (server.bytes[0] !== 0 || server.bytes[1] !== GRANTED)) return WRONG;
      return server.filled < 8 ? SHORT : 8;
    }
    const greeted = 2 + client.bytes[1];
    if (client.filled < greeted || server.filled < 2) return SHORT;
    const method = server.bytes[1];
    if (method !== Method.NONE && method !== Method.PASSWORD) return WRONG;
    let asks = greeted;
    let answers = 2;
    if (method === Method.PASSWORD) {
      asks = passwordEnd(client.bytes, greeted, client.filled);
      if (asks < 0) return asks;
      if (server.filled < 4) return SHORT;
      if (server.bytes[3] !== 0) return WRONG;
      answers = 4;
    }
    const asked = message5End(client.bytes, asks, client.filled, CONNECT);
    if (asked < 0) return asked;
    this.asked = asked;
    return message5End(server.bytes, answers, server.filled, 0);
  }

  rest(): number {
    return this.unread;
  }
  early(): Uint8Array {
    return this.client.bytes.slice(this.asked, this.client.filled);
  }
  gap(): Parse {
    return Parse.STOP;
  }
  end(): void {}
  take(): null {
    return null;
  }
  reset(): void {
    this.client.reset();
    this.server.reset();
    this.asked = 0;
    this.unread = 0;
  }
}

/** A client's first words only may be SOCKS: what the server answers tells. */
function probeClient(bytes: Uint8Array, offset: number, length: number): Probe {
  if (length === 0) return Probe.MAYBE;
  const second = length > 1 ? bytes[offset + 1] : CONNECT;
  if (bytes[offset] === 5) {
    // Behind the greeting there may be a request or a password already.
    const behind = length > 2 + second ? bytes[offset + 2 + second] : 5;
    return second > 0 && (behind === 5 || behind === 1) ? Probe.MAYBE : Probe.NO;
  }
  if (bytes[offset] !== 4) return Probe.NO;
  const end = request4End(bytes.subarray(offset, offset + length), Math.min(length, SIDE_MAX));
  return end > 0 || (end === SHORT && length < SIDE_MAX) ? Probe.MAYBE : Probe.NO;
}

function probeServer(bytes: Uint8Array, offset: number, length: number): Probe {
  if (length === 0) return Probe.MAYBE;
  if (bytes[offset] === 5) return length === 1 ? Probe.MAYBE : length === 2 ? Probe.YES : Probe.NO;
  if (bytes[offset] !== 0) return Probe.NO;
  if (length > 1 && (bytes[offset + 1] < GRANTED || bytes[offset + 1] > REFUSED)) return Probe.NO;
  return length < 8 ? Probe.MAYBE : Probe.YES;
}

export const SOCKS_PREAMBLE: ParserFactory = {
  name: 'socks',
  proto: ProtocolNumber.NONE,
  over: ['tcp'],
  create: () => new SocksParser(),
};
