/**
 * Parses DNS over UDP, a message a datagram, and over TCP, each message with its length in front (RFC 1035 section
 * 4.2), into one `DnsTransaction` per query: with its answer when that comes, without when the connection ends. Hot.
 */
import { keep, u16 } from '../bytes.ts';
import { Parse, type ParserFactory, Probe, ProtocolNumber, type SessionParser } from '../contract.ts';
import { Count, HEADER, isResponse, skipQuestions, skipRecords } from './message.ts';
import { skipName } from './name.ts';
import { DnsTransaction } from './transaction.ts';

/** Queries of one connection that wait for an answer; the oldest of more is delivered without. */
const WAITING_MAX = 64;
/** First size of the buffer of a message that comes in pieces. */
const FIRST_BUFFER = 512;

const enum QueryType {
  NETBIOS_NAME = 32,
  NETBIOS_STATUS = 33,
}

/** Matches answers to queries. */
class Transactions {
  /** Queries without an answer yet, oldest first: each message up to its first question's end. */
  private readonly waiting: Uint8Array[] = [];
  /** Who sent each of them. */
  private readonly askers: boolean[] = [];
  private ready: DnsTransaction[] = [];

  /** Takes a whole message; false if it is none. */
  message(fromOrig: boolean, bytes: Uint8Array, start: number, end: number): boolean {
    const questionEnd = end - start < HEADER ? -1 : skipFirstQuestion(bytes, start, end);
    if (questionEnd < 0) return false;
    const length = questionEnd - start;
    if (!isResponse(bytes, start)) {
      this.waiting.push(keep(bytes, start, length));
      this.askers.push(fromOrig);
      if (this.waiting.length > WAITING_MAX) this.deliver(0, undefined);
      return true;
    }
    const response = keep(bytes, start, end - start);
    for (let i = 0; i < this.waiting.length; i++) {
      if (this.askers[i] === fromOrig || !answers(this.waiting[i], response, length)) continue;
      this.deliver(i, response);
      return true;
    }
    this.ready.push(new DnsTransaction(response.subarray(0, length), response));
    return true;
  }

  private deliver(i: number, response: Uint8Array | undefined): void {
    const [query] = this.waiting.splice(i, 1);
    this.askers.splice(i, 1);
    this.ready.push(new DnsTransaction(query, response));
  }
  end(): void {
    while (this.waiting.length > 0) this.deliver(0, undefined);
  }
  get any(): boolean {
    return this.ready.length > 0;
  }
  take(): DnsTransaction | null {
    return this.ready.shift() ?? null;
  }
  reset(): void {
    this.waiting.length = 0;
    this.askers.length = 0;
    this.ready = [];
  }
}

/** Where a message's first question ends; its header, if it has none; -1 if it is not whole. */
function skipFirstQuestion(bytes: Uint8Array, start: number, end: number): number {
  if (u16(bytes, start + Count.QUESTIONS) === 0) return start + HEADER;
  const at = skipName(bytes, start + HEADER, end);
  return at < 0 || at + 4 > end ? -1 : at + 4;
}

/**
 * Whether a response whose first question ends at `length` is the answer to a query: it has the same identifier, and the
 * same question if it has one.
 */
function answers(query: Uint8Array, response: Uint8Array, length: number): boolean {
  if (u16(query, 0) !== u16(response, 0)) return false;
  if (u16(response, Count.QUESTIONS) === 0) return true;
  if (query.length !== length) return false;
  // The name may come back in another case; type and class are the last four bytes.
  for (let i = HEADER; i < length - 4; i++) if (lower(query[i]) !== lower(response[i])) return false;
  for (let i = length - 4; i < length; i++) if (query[i] !== response[i]) return false;
  return true;
}

function lower(byte: number): number {
  return byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte;
}

const INVERSE = 1;
/** The bit of the flags that is always zero, what is left of Z (RFC 1035 section 4.1.1, RFC 4035). */
const RESERVED = 0x40;

/**
 * Whether a header is that of a DNS message at a connection's start: an operation that exists, and either a question or
 * an answer.
 */
function isHeader(bytes: Uint8Array, start: number): boolean {
  const operation = (bytes[start + 2] >> 3) & 15;
  if (operation > 6 || operation === 3 || (bytes[start + 3] & RESERVED) !== 0) return false;
  const questions = u16(bytes, start + Count.QUESTIONS);
  const records = u16(bytes, start + Count.ANSWERS);
  if (isResponse(bytes, start)) return questions <= 1 && questions + records > 0;
  // An inverse query asks with an answer (RFC 1035 section 6.4).
  const asked = operation === INVERSE ? questions + records : questions;
  return asked > 0 && asked <= 64 && (bytes[start + 3] & 15) === 0;
}

/** Least bytes of a question (name, type, class) and of a record (a time to live and a length as well). */
const QUESTION_MIN = 5;
const RECORD_MIN = 11;

/** Whether a message of `size` bytes can hold all that its counts promise. */
function hasRoom(bytes: Uint8Array, start: number, size: number): boolean {
  const records =
    u16(bytes, start + Count.ANSWERS) + u16(bytes, start + Count.NAMESERVERS) + u16(bytes, start + Count.ADDITIONALS);
  return HEADER + u16(bytes, start + Count.QUESTIONS) * QUESTION_MIN + records * RECORD_MIN <= size;
}

/** NetBIOS names are one label of 32 letters from A to P (RFC 1001 section 14.1). */
function isNetbios(bytes: Uint8Array, start: number, end: number): boolean {
  const at = start + HEADER;
  const type = skipName(bytes, at, end);
  if (type < 0 || type + 2 > end || bytes[at] !== 32) return false;
  for (let i = at + 1; i <= at + 32; i++) if (bytes[i] < 0x41 || bytes[i] > 0x50) return false;
  const number = u16(bytes, type);
  return number === QueryType.NETBIOS_NAME || number === QueryType.NETBIOS_STATUS;
}

/** A whole message: all that its counts promise is there, and nothing else. A truncated answer may end anywhere. */
function isMessage(bytes: Uint8Array, start: number, end: number): boolean {
  if (end - start < HEADER || !isHeader(bytes, start) || isNetbios(bytes, start, end)) return false;
  const at = skipQuestions(bytes, start, end);
  if (at < 0) return false;
  const records =
    u16(bytes, start + Count.ANSWERS) + u16(bytes, start + Count.NAMESERVERS) + u16(bytes, start + Count.ADDITIONALS);
  const truncated = (bytes[start + 2] & 2) !== 0;
  return truncated || skipRecords(bytes, at, end, records) === end;
}

class DnsUdpParser implements SessionParser {
  private readonly transactions = new Transactions();

  probe(_fromOrig: boolean, bytes: Uint8Array, offset: number, length: number): Probe {
    return isMessage(bytes, offset, offset + length) ? Probe.YES : Probe.NO;
  }
  parse(fromOrig: boolean, bytes: Uint8Array, offset: number, length: number): Parse {
    // A datagram that is no message is somebody else's: nothing depends on it.
    this.transactions.message(fromOrig, bytes, offset, offset + length);
    return this.transactions.any ? Parse.READY : Parse.MORE;
  }
  gap(): Parse {
    return Parse.MORE;
  }
  end(): void {
    this.transactions.end();
  }
  take(): DnsTransaction | null {
    return this.transactions.take();
  }
  reset(): void {
    this.transactions.reset();
  }
}

/** One direction of a TCP connection. */
class Direction {
  /** Bytes of the current message that have come, the two of its length included. */
  filled = 0;
  /** Its length, once known. */
  length = 0;
  buffer = new Uint8Array(FIRST_BUFFER);
  lost = false;
  /** The last message was none. */
  wrong = false;

  /** Notes whether a message was one: the next may be, unless that is none either. */
  note(isMessage: boolean): void {
    this.lost = !isMessage && this.wrong;
    this.wrong = !isMessage;
  }

  reset(): void {
    this.filled = 0;
    this.length = 0;
    this.lost = false;
    this.wrong = false;
    if (this.buffer.length > FIRST_BUFFER) this.buffer = new Uint8Array(FIRST_BUFFER);
  }
}

class DnsTcpParser implements SessionParser {
  private readonly transactions = new Transactions();
  private readonly orig = new Direction();
  private readonly resp = new Direction();

  probe(_fromOrig: boolean, bytes: Uint8Array, offset: number, length: number): Probe {
    if (length < 2) return Probe.MAYBE;
    const size = u16(bytes, offset);
    if (size < HEADER) return Probe.NO;
    const start = offset + 2;
    if (length - 2 < HEADER) return Probe.MAYBE;
    if (length - 2 >= size) return isMessage(bytes, start, start + size) ? Probe.YES : Probe.NO;
    if (!isHeader(bytes, start) || !hasRoom(bytes, start, size)) return Probe.NO;
    return skipQuestions(bytes, start, offset + length) < 0 ? Probe.MAYBE : Probe.YES;
  }

  parse(fromOrig: boolean, bytes: Uint8Array, offset: number, length: number): Parse {
    const direction = fromOrig ? this.orig : this.resp;
    const end = offset + length;
    let at = offset;
    while (at < end && !direction.lost) {
      const size = direction.filled === 0 && end - at >= 2 ? u16(bytes, at) : -1;
      if (size >= 0 && end - at >= 2 + size) {
        direction.note(this.transactions.message(fromOrig, bytes, at + 2, at + 2 + size));
        at += 2 + size;
      } else at = this.gather(direction, fromOrig, bytes, at, end);
    }
    return this.said();
  }

  /** Takes the next bytes of a message that comes in pieces; returns where it got to. */
  private gather(direction: Direction, fromOrig: boolean, bytes: Uint8Array, at: number, end: number): number {
    if (direction.filled < 2) {
      direction.length = (direction.length << 8) | bytes[at];
      direction.filled++;
      return at + 1;
    }
    const have = direction.filled - 2;
    const next = Math.min(end, at + direction.length - have);
    const filled = have + next - at;
    if (filled > direction.buffer.length) {
      const larger = new Uint8Array(Math.min(direction.length, Math.max(filled, 2 * direction.buffer.length)));
      larger.set(direction.buffer.subarray(0, have));
      direction.buffer = larger;
    }
    direction.buffer.set(bytes.subarray(at, next), have);
    direction.filled = 2 + filled;
    if (filled === direction.length) {
      direction.note(this.transactions.message(fromOrig, direction.buffer, 0, filled));
      direction.filled = 0;
      direction.length = 0;
    }
    return next;
  }

  gap(fromOrig: boolean): Parse {
    (fromOrig ? this.orig : this.resp).lost = true;
    return this.said();
  }

  /** Queries that can have no answer any more are delivered at the end. */
  private said(): Parse {
    if (this.orig.lost && this.resp.lost) {
      this.transactions.end();
      return Parse.STOP;
    }
    return this.transactions.any ? Parse.READY : Parse.MORE;
  }
  end(): void {
    this.transactions.end();
  }
  take(): DnsTransaction | null {
    return this.transactions.take();
  }
  reset(): void {
    this.transactions.reset();
    this.orig.reset();
    this.resp.reset();
  }
}

/** The two ways DNS is carried, each with a parser of its own: they share a catalog name. */
export const DNS_UDP_PARSER: ParserFactory = {
  name: 'dns',
  proto: ProtocolNumber.DNS,
  classes: [DnsTransaction],
  over: ['udp'],
  create: () => new DnsUdpParser(),
};
export const DNS_TCP_PARSER: ParserFactory = {
  name: 'dns',
  proto: ProtocolNumber.DNS,
  classes: [DnsTransaction],
  over: ['tcp'],
  create: () => new DnsTcpParser(),
};
