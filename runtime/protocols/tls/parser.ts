/**
 * Parses the clear part of TLS connections over TCP into one `TlsHandshake` each. Hot: whole messages are read where
 * they lie; only what is kept, or what is cut by a packet's or a record's end, is copied.
 *
 * A direction is a sequence of records (RFC 8446 section 5.1), and their handshake fragments are a sequence of messages
 * (section 4), each cut without regard for the other. Either end may be the client: the one that sends a ClientHello is. A
 * direction may begin in another protocol (upgrade.ts). The handshake is delivered as soon as the server's part in clear is
 * over: at its ServerHello for TLS 1.3, at ServerHelloDone, ChangeCipherSpec or encrypted data before; if it asked for a
 * client certificate, when that has come.
 */
import { keep, u16 } from '../bytes.ts';
import { Parse, type ParserFactory, type Probe, ProtocolNumber, type SessionParser } from '../contract.ts';
import { AlertState, Before, Direction } from './direction.ts';
import { TlsHandshake } from './handshake.ts';
import { ClientHello, fromSsl2Hello, isClientHello, isRetry, isServerHello, ServerHello } from './hello.ts';
import { Content, isKnownMessage, Message, probeTls, RECORD_MAX, SSL2_MAX } from './records.ts';
import { HELLO_START, probeUpgrade } from './upgrade.ts';

/** Most bytes of handshake messages that are kept of one connection, both directions together. */
const KEPT_MAX = 65536;
/** A handshake that has not come to its end by this many bytes of one direction is delivered as it is. */
const READ_MAX = 131072;
const TLS_1_2 = 0x0303;

const FATAL = 2;
const CLOSE_NOTIFY = 0;

class TlsParser implements SessionParser {
  private readonly orig = new Direction();
  private readonly resp = new Direction();
  /** Who sent a ClientHello, or did not send a ServerHello. */
  private client: Direction | undefined = undefined;
  private clientHello: Uint8Array | undefined = undefined;
  private serverHello: Uint8Array | undefined = undefined;
  private clientCertificate: Uint8Array | undefined = undefined;
  private serverCertificate: Uint8Array | undefined = undefined;
  /** A HelloRetryRequest came: another ClientHello and ServerHello follow in clear. */
  private retried = false;
  private helloAfterRetry = false;
  /** Version of the final ServerHello; 0 before it. */
  private version = 0;
  /** The server asked for a certificate, and the client has not yet shown one or gone on without. */
  private certificateDue = false;
  /** Nothing more of the server will be in clear. */
  private serverDone = false;
  /** Bytes of handshake messages kept or being gathered. */
  private kept = 0;
  private done = false;
  private session: TlsHandshake | null = null;

  probe(_fromOrig: boolean, bytes: Uint8Array, offset: number, length: number): Probe {
    return probeTls(bytes, offset, length) || probeUpgrade(bytes, offset, length);
  }

  parse(fromOrig: boolean, bytes: Uint8Array, offset: number, length: number): Parse {
    const direction = fromOrig ? this.orig : this.resp;
    const end = offset + length;
    const over = length <= 0 || direction.before === Before.OVER;
    this.readRecords(direction, bytes, over ? offset : this.readBefore(fromOrig, bytes, offset, end), end);
    return this.settle();
  }

  private readRecords(direction: Direction, bytes: Uint8Array, from: number, end: number): void {
    let at = from;
    while (at < end && !this.done && !direction.lost) {
      if (direction.left === 0) at = this.readHeader(direction, bytes, at, end);
      else {
        const next = Math.min(end, at + direction.left);
        direction.left -= next - at;
        this.readContent(direction, bytes, at, next);
        at = next;
      }
    }
  }

  /** Takes bytes of another protocol up to the start of a hello; returns where the rest of that begins. */
  private readBefore(fromOrig: boolean, bytes: Uint8Array, from: number, end: number): number {
    const direction = fromOrig ? this.orig : this.resp;
    if (!direction.startsInOther(bytes[from], fromOrig ? this.resp : this.orig)) return from;
    const at = direction.seekHello(bytes, from, end);
    if (direction.before === Before.OVER) this.readRecords(direction, direction.start, 0, HELLO_START);
    else if (direction.skipped > READ_MAX) direction.lost = true;
    return at;
  }

  gap(fromOrig: boolean, missed: number): Parse {
    const direction = fromOrig ? this.orig : this.resp;
    if (missed <= 0 || this.done || direction.lost) return this.settle();
    if (direction.before !== Before.OVER) {
      direction.seekBehindHole(missed);
      return this.settle();
    }
    // A hole within one record leaves the records behind it readable, and one within a message the messages behind it.
    const inMessages = direction.content === Content.HANDSHAKE && !direction.opaque;
    if (direction.left < missed || (inMessages && direction.messageLeft < missed)) direction.lost = true;
    else if (direction.content === Content.SSL2 || direction.alert !== AlertState.NONE) direction.lost = true;
    else {
      direction.left -= missed;
      if (inMessages) {
        direction.wanted = false;
        direction.body = undefined;
        direction.messageLeft -= missed;
        if (direction.messageLeft === 0) this.onMessage(direction, undefined, 0, false);
      }
    }
    return this.settle();
  }

  end(): void {
    if (!this.done) this.finish();
  }

  take(): TlsHandshake | null {
    const session = this.session;
    this.session = null;
    return session;
  }

  reset(): void {
    this.orig.reset();
    this.resp.reset();
    this.client = undefined;
    this.clientHello = undefined;
    this.serverHello = undefined;
    this.clientCertificate = undefined;
    this.serverCertificate = undefined;
    this.retried = false;
    this.helloAfterRetry = false;
    this.version = 0;
    this.certificateDue = false;
    this.serverDone = false;
    this.kept = 0;
    this.done = false;
    this.session = null;
  }

  /** Ends the handshake if nothing more can come of it. */
  private settle(): Parse {
    if (!this.done) {
      const { orig, resp, client } = this;
      if (client === undefined) {
        if (orig.lost && resp.lost) this.finish();
      } else {
        const server = client === orig ? resp : orig;
        const heard = this.clientHello !== undefined && this.retried === this.helloAfterRetry && !this.certificateDue;
        if (server.lost || (this.serverDone && (heard || client.lost))) this.finish();
      }
    }
    return this.done ? Parse.STOP : Parse.MORE;
  }

  private finish(): void {
    this.done = true;
    this.orig.body = undefined;
    this.resp.body = undefined;
    if (this.clientHello === undefined && this.serverHello === undefined) return;
    this.session = new TlsHandshake({
      clientHello: this.clientHello,
      serverHello: this.serverHello,
      serverCertificate: this.serverCertificate,
      clientCertificate: this.clientCertificate,
    });
  }

  /** Takes bytes of a record's header, all of them if they are there; returns where it got to. */
  private readHeader(direction: Direction, bytes: Uint8Array, at: number, end: number): number {
    if (direction.headerFilled === 0 && end - at >= 5 && bytes[at] < 128) {
      this.openRecord(direction, bytes, at);
      return at + 5;
    }
    const header = direction.header;
    header[direction.headerFilled++] = bytes[at];
    if (header[0] > 127) {
      // SSLv2 records have no type, but a bit that says their header has two bytes.
      if (direction.headerFilled === 2) this.openSsl2(direction, ((header[0] & 127) << 8) | header[1]);
    } else if (direction.headerFilled === 5) {
      this.openRecord(direction, header, 0);
    }
    return at + 1;
  }

  private openRecord(direction: Direction, bytes: Uint8Array, at: number): void {
    const content = bytes[at];
    const length = u16(bytes, at + 3);
    direction.headerFilled = 0;
    if (content < 20 || content > Content.HEARTBEAT || bytes[at + 1] !== 3 || length > RECORD_MAX) {
      direction.lost = true;
      return;
    }
    if (direction.sent > READ_MAX) {
      this.finish();
      return;
    }
    direction.sent += 5 + length;
    direction.content = content;
    direction.left = length;
    direction.alert = AlertState.NONE;
    // After a HelloRetryRequest a ChangeCipherSpec changes nothing yet (RFC 8446 appendix D.4).
    direction.opaque = direction.changed && !this.retried;
    if (content === Content.ALERT && length === 2 && !direction.opaque) direction.alert = AlertState.EMPTY;
    else if (content === Content.CHANGE_CIPHER_SPEC) this.onChangeCipherSpec(direction);
    else if (content === Content.APPLICATION_DATA || direction.opaque) this.onEncrypted(direction);
  }

  private openSsl2(direction: Direction, length: number): void {
    direction.headerFilled = 0;
    if (direction.sent > 0 || length < 9 || length > SSL2_MAX) {
      direction.lost = true;
      return;
    }
    direction.sent = 2 + length;
    direction.content = Content.SSL2;
    direction.left = length;
    this.openMessage(direction, Message.SSL2_CLIENT_HELLO, length);
  }

  private readContent(direction: Direction, bytes: Uint8Array, at: number, next: number): void {
    if (direction.content === Content.HANDSHAKE) {
      if (!direction.opaque) this.readMessages(direction, bytes, at, next);
    } else if (direction.content === Content.SSL2) this.readBody(direction, bytes, at, next);
    else if (direction.alert !== AlertState.NONE) {
      for (let i = at; i < next; i++) {
        if (direction.alert === AlertState.EMPTY) direction.alert = bytes[i];
        else this.onAlert(direction, direction.alert, bytes[i]);
      }
    }
  }

  private readMessages(direction: Direction, bytes: Uint8Array, start: number, end: number): void {
    let at = start;
    while (at < end && !this.done && !direction.lost) {
      if (direction.messageLeft === 0) {
        let header = bytes;
        let from = at;
        if (direction.openingFilled === 0 && end - at >= 4) at += 4;
        else {
          direction.opening[direction.openingFilled++] = bytes[at++];
          if (direction.openingFilled < 4) continue;
          direction.openingFilled = 0;
          header = direction.opening;
          from = 0;
        }
        this.openMessage(direction, header[from], (header[from + 1] << 16) | u16(header, from + 2));
      } else at = this.readBody(direction, bytes, at, end);
    }
  }

  private openMessage(direction: Direction, type: number, length: number): void {
    if (!isKnownMessage(type) && type !== Message.SSL2_CLIENT_HELLO) {
      direction.lost = true;
      return;
    }
    direction.message = type;
    direction.messageLength = length;
    direction.messageLeft = length;
    direction.bodyFilled = 0;
    direction.wanted = this.wants(direction, type) && this.kept + length <= KEPT_MAX;
    if (direction.wanted) this.kept += length;
    if (length === 0) this.onMessage(direction, undefined, 0, false);
  }

  private wants(direction: Direction, type: number): boolean {
    switch (type) {
      case Message.CLIENT_HELLO:
      case Message.SSL2_CLIENT_HELLO:
        return this.clientHello === undefined || this.retried !== this.helloAfterRetry;
      case Message.SERVER_HELLO:
        return this.version === 0;
      case Message.CERTIFICATE:
        return (direction === this.client ? this.clientCertificate : this.serverCertificate) === undefined;
      default:
        return false;
    }
  }

  /** Takes bytes of a message's body; returns where it got to. */
  private readBody(direction: Direction, bytes: Uint8Array, at: number, end: number): number {
    const left = direction.messageLeft;
    const next = Math.min(end, at + left);
    direction.messageLeft = left - (next - at);
    if (next - at === direction.messageLength) this.onMessage(direction, bytes, at, false);
    else {
      if (direction.wanted) direction.append(bytes, at, next);
      if (direction.messageLeft === 0) {
        const body = direction.body;
        direction.body = undefined;
        this.onMessage(direction, body, 0, true);
      }
    }
    return next;
  }

  /**
   * A message has ended. Its body lies at `offset` of `bytes`, which are `own` if nobody else holds them; they are
   * undefined where the body was not gathered.
   */
  private onMessage(direction: Direction, bytes: Uint8Array | undefined, offset: number, own: boolean): void {
    const body = direction.wanted ? bytes : undefined;
    switch (direction.message) {
      case Message.CLIENT_HELLO:
      case Message.SSL2_CLIENT_HELLO:
        this.onClientHello(direction, body, offset, own);
        break;
      case Message.SERVER_HELLO:
        this.onServerHello(direction, body, offset, own);
        break;
      case Message.CERTIFICATE:
        this.onCertificate(direction, body, offset, own);
        break;
      case Message.CERTIFICATE_REQUEST:
        if (this.client !== undefined && direction !== this.client) this.certificateDue = true;
        break;
      case Message.SERVER_HELLO_DONE:
        if (direction !== this.client) this.serverDone = true;
        break;
      case Message.CLIENT_KEY_EXCHANGE:
        if (direction === this.client) this.certificateDue = false;
        break;
      default:
        break;
    }
    // At once, so that it does not matter what else the piece holds.
    this.settle();
  }

  private onClientHello(direction: Direction, bytes: Uint8Array | undefined, offset: number, own: boolean): void {
    const { client, clientHello } = this;
    const again = this.retried && !this.helloAfterRetry;
    if (clientHello !== undefined && !again && direction === client) return;
    const length = direction.messageLength;
    let hello: Uint8Array | undefined;
    if (bytes !== undefined && (client === undefined || client === direction)) {
      if (direction.message === Message.SSL2_CLIENT_HELLO) hello = fromSsl2Hello(bytes, offset, length);
      else if (isClientHello(bytes, offset, length)) hello = own ? bytes : keep(bytes, offset, length);
    }
    if (hello === undefined) {
      direction.lost = true;
      return;
    }
    this.client = direction;
    this.helloAfterRetry = clientHello !== undefined;
    this.clientHello = hello;
  }

  private onServerHello(direction: Direction, bytes: Uint8Array | undefined, offset: number, own: boolean): void {
    if (this.version !== 0) return;
    const length = direction.messageLength;
    if (bytes === undefined || direction === this.client || !isServerHello(bytes, offset, length)) {
      direction.lost = true;
      return;
    }
    const retry = isRetry(bytes, offset);
    if (retry && this.retried) return;
    this.client = direction === this.orig ? this.resp : this.orig;
    this.serverHello = own ? bytes : keep(bytes, offset, length);
    this.retried ||= retry;
    if (retry) return;
    this.version = new ServerHello(this.serverHello).chosenVersion;
    if (this.version > TLS_1_2) this.serverDone = true;
  }

  private onCertificate(direction: Direction, bytes: Uint8Array | undefined, offset: number, own: boolean): void {
    if (this.client === undefined) return;
    const body = bytes === undefined || own ? bytes : keep(bytes, offset, direction.messageLength);
    if (direction === this.client) {
      this.certificateDue = false;
      this.clientCertificate ??= body;
    } else this.serverCertificate ??= body;
  }

  private onChangeCipherSpec(direction: Direction): void {
    direction.changed = true;
    if (this.version !== 0) this.onEncrypted(direction);
  }

  /** What follows in this direction cannot be read. */
  private onEncrypted(direction: Direction): void {
    if (direction === this.client) {
      // Before the server's hello it is early data.
      if (this.version !== 0) this.certificateDue = false;
    } else if (this.version !== 0) this.serverDone = true;
    else direction.lost = true;
    this.settle();
  }

  private onAlert(direction: Direction, level: number, description: number): void {
    if (level === FATAL || description === CLOSE_NOTIFY) this.finish();
    else if (direction === this.client) this.certificateDue = false;
  }
}

export const TLS_PARSER: ParserFactory = {
  name: 'tls',
  proto: ProtocolNumber.TLS,
  classes: [TlsHandshake, ClientHello, ServerHello],
  over: ['tcp'],
  create: () => new TlsParser(),
};
