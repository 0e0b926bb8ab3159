/**
 * Parses the clear part of SSH connections into one `SshHandshake` each: the identification lines (RFC 4253 section 4.2) and
 * the first SSH_MSG_KEXINIT of both sides (sections 6 and 7.1), delivered when both are there. The originator is taken for
 * the client, unless its offer has a name that only servers send.
 */
import { textOf, u16 } from '../bytes.ts';
import { Parse, type ParserFactory, Probe, ProtocolNumber, type SessionParser } from '../contract.ts';
import { Side, SshHandshake } from './handshake.ts';

/** Longest identification line; the RFC allows 255 bytes. */
const BANNER_MAX = 1024;
/** Longest packet: what every implementation must take (RFC 4253 section 6.1). */
const PACKET_MAX = 35000;
/** Bytes of a packet before its payload: its length and that of its padding. */
const PACKET_HEADER = 5;

const enum Message {
  IGNORE = 2,
  DEBUG = 4,
  KEXINIT = 20,
}

/** Names among key exchange algorithms that only servers send (RFC 8308 section 2.1, OpenSSH's PROTOCOL section 1.10). */
const SERVER_ONLY = ['ext-info-s', 'kex-strict-s-v00@openssh.com'];

const enum State {
  BANNER = 0,
  PACKETS = 1,
  /** All that is wanted has come. */
  DONE = 2,
  /** It cannot be followed: a hole, or no SSH. */
  LOST = 3,
}

class Direction {
  state: State = State.BANNER;
  /** The line or packet that has begun. */
  buffer = new Uint8Array(256);
  filled = 0;
  banner: Uint8Array | undefined = undefined;
  offer: Uint8Array | undefined = undefined;

  reset(): void {
    this.state = State.BANNER;
    if (this.buffer.length > 4096) this.buffer = new Uint8Array(256);
    this.filled = 0;
    this.banner = undefined;
    this.offer = undefined;
  }

  get over(): boolean {
    return this.state >= State.DONE;
  }

  parse(bytes: Uint8Array, from: number, end: number): void {
    let at = from;
    while (at < end && !this.over) {
      at = this.state === State.BANNER ? this.readBanner(bytes, at, end) : this.readPacket(bytes, at, end);
    }
  }

  private append(bytes: Uint8Array, at: number, next: number): void {
    const filled = this.filled + next - at;
    if (filled > this.buffer.length) {
      const larger = new Uint8Array(Math.max(filled, 2 * this.buffer.length));
      larger.set(this.buffer.subarray(0, this.filled));
      this.buffer = larger;
    }
    this.buffer.set(bytes.subarray(at, next), this.filled);
    this.filled = filled;
  }

  private readBanner(bytes: Uint8Array, at: number, end: number): number {
    let next = at;
    while (next < end && bytes[next] !== 10) next++;
    if (this.filled + next - at > BANNER_MAX) {
      this.state = State.LOST;
      return end;
    }
    this.append(bytes, at, next);
    if (next === end) return end;
    const length = this.filled > 0 && this.buffer[this.filled - 1] === 13 ? this.filled - 1 : this.filled;
    // A server may send other lines first.
    if (isBanner(this.buffer, 0, length)) {
      this.banner = this.buffer.slice(0, length);
      // SSH 1 exchanges no offers; 1.99 is 2.0 that can do both.
      const older = length > 6 && this.buffer[4] === 0x31 && textOf(this.buffer, 4, Math.min(length, 9)) !== '1.99-';
      this.state = older ? State.DONE : State.PACKETS;
    }
    this.filled = 0;
    return next + 1;
  }

  private readPacket(bytes: Uint8Array, at: number, end: number): number {
    const { filled } = this;
    if (filled < PACKET_HEADER + 1) {
      this.append(bytes, at, at + 1);
      if (this.filled === PACKET_HEADER + 1) this.openPacket();
      return at + 1;
    }
    const size = 4 + u16(this.buffer, 0) * 0x10000 + u16(this.buffer, 2);
    const next = Math.min(end, at + size - filled);
    this.append(bytes, at, next);
    if (this.filled === size) this.closePacket(size);
    return next;
  }

  /** The header and the message's number have come. */
  private openPacket(): void {
    const { buffer } = this;
    const size = u16(buffer, 0) * 0x10000 + u16(buffer, 2);
    const message = buffer[PACKET_HEADER];
    const known = message === Message.KEXINIT || message === Message.IGNORE || message === Message.DEBUG;
    if (!known || size > PACKET_MAX || size < 2 + buffer[4]) this.state = State.LOST;
    else if (this.filled === 4 + size) this.closePacket(4 + size);
  }

  private closePacket(size: number): void {
    const { buffer } = this;
    this.filled = 0;
    if (buffer[PACKET_HEADER] !== Message.KEXINIT) return;
    this.offer = buffer.slice(PACKET_HEADER, size - buffer[4]);
    this.state = State.DONE;
  }
}

function isBanner(bytes: Uint8Array, at: number, end: number): boolean {
  return end - at > 6 && startsBanner(bytes, at, end);
}

function startsBanner(bytes: Uint8Array, at: number, end: number): boolean {
  if (end - at < 4) return false;
  return bytes[at] === 0x53 && bytes[at + 1] === 0x53 && bytes[at + 2] === 0x48 && bytes[at + 3] === 0x2d;
}

/** Most bytes of lines before a server's identification that are waited for. */
const LINES_MAX = 2048;
/** How lines of other servers begin that speak first: replies with numbers, POP3, IMAP, HTTP, XML. */
const OTHER_LINES = /^(?:[0-9+*<]|HTTP)/;

/** Whether a server sends other lines before its identification (RFC 4253 section 4.2). */
function probeLines(bytes: Uint8Array, offset: number, length: number): Probe {
  const end = offset + length;
  if (length > LINES_MAX || OTHER_LINES.test(textOf(bytes, offset, Math.min(end, offset + 4)))) return Probe.NO;
  for (let at = offset; at < end; at++) {
    const byte = bytes[at];
    if (byte < 32 && byte !== 9 && byte !== 10 && byte !== 13) return Probe.NO;
    if (byte === 10 && startsBanner(bytes, at + 1, end)) return Probe.YES;
  }
  return Probe.MAYBE;
}

class SshParser implements SessionParser {
  private readonly orig = new Direction();
  private readonly resp = new Direction();
  private done = false;
  private session: SshHandshake | null = null;

  probe(fromOrig: boolean, bytes: Uint8Array, offset: number, length: number): Probe {
    const start = textOf(bytes, offset, offset + Math.min(length, 4));
    if (!'SSH-'.startsWith(start)) return fromOrig ? Probe.NO : probeLines(bytes, offset, length);
    return length < 4 ? Probe.MAYBE : Probe.YES;
  }

  parse(fromOrig: boolean, bytes: Uint8Array, offset: number, length: number): Parse {
    (fromOrig ? this.orig : this.resp).parse(bytes, offset, offset + length);
    return this.settle();
  }

  gap(fromOrig: boolean): Parse {
    const direction = fromOrig ? this.orig : this.resp;
    if (!direction.over) direction.state = State.LOST;
    return this.settle();
  }

  end(): void {
    if (!this.done) this.finish();
  }

  take(): SshHandshake | null {
    const { session } = this;
    this.session = null;
    return session;
  }

  reset(): void {
    this.orig.reset();
    this.resp.reset();
    this.done = false;
    this.session = null;
  }

  private settle(): Parse {
    if (!this.done && this.orig.over && this.resp.over) this.finish();
    return this.done ? Parse.STOP : Parse.MORE;
  }

  private finish(): void {
    this.done = true;
    const { orig, resp } = this;
    if (orig.banner === undefined && resp.banner === undefined) return;
    const usual = new SshHandshake(orig, resp);
    const reversed = usual.kexAlgsCtos.some((name) => SERVER_ONLY.includes(name));
    this.session = reversed ? new SshHandshake(resp, orig) : usual;
  }
}

export const SSH_PARSER: ParserFactory = {
  name: 'ssh',
  proto: ProtocolNumber.SSH,
  classes: [SshHandshake, Side],
  over: ['tcp'],
  create: () => new SshParser(),
};
