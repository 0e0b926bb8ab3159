/**
 * Parses the clear part of DTLS connections into one `DtlsHandshake` each. Handshake messages come in fragments, in any
 * order and more than once; the few that are wanted are put together. A handshake is over at the ServerHello of DTLS 1.3,
 * at ServerHelloDone or the first encrypted record of older versions, and then waits for the certificate of a client that
 * was asked for one. Each piece is one datagram.
 */
import { keep, u16 } from '../bytes.ts';
import { Parse, type ParserFactory, type Probe, ProtocolNumber, type SessionParser } from '../contract.ts';
import { createStretches, type Stretches } from '../stretches.ts';
import { isClientHello, isRetry, isServerHello, ServerHello } from '../tls/hello.ts';
import { Content, Message } from '../tls/records.ts';
import { DtlsHandshake } from './handshake.ts';
import { FRAGMENT_HEADER, isRecord, probeDtls, RECORD_HEADER, u24, withoutCookie } from './records.ts';

/** Most datagrams that are looked at. */
const DATAGRAMS_MAX = 256;
/** Most messages of one side that are being put together. */
const MESSAGES_MAX = 8;
/** Longest message that is put together. */
const MESSAGE_MAX = 32768;
const DTLS_1_3 = 0xfefc;
/** First byte of the versions of DTLS; and that of the one which OpenSSL sent before there was a standard. */
const MAJOR = 0xfe;
const MAJOR_BEFORE = 0x01;

function majorOf(hello: Uint8Array): number {
  return hello[0] === MAJOR_BEFORE ? MAJOR_BEFORE : MAJOR;
}

interface Gathering {
  readonly type: number;
  readonly length: number;
  /** Undefined once the message was whole. */
  stretches: Stretches | undefined;
}

class DtlsParser implements SessionParser {
  /** Messages by sequence number, for the originator and the responder. */
  private readonly gathering = [new Map<number, Gathering>(), new Map<number, Gathering>()] as const;
  private clientHello: Uint8Array | undefined = undefined;
  private serverHello: Uint8Array | undefined = undefined;
  private clientCertificate: Uint8Array | undefined = undefined;
  private serverCertificate: Uint8Array | undefined = undefined;
  /** Who sent a ClientHello, or did not send a ServerHello: 0 is the originator. */
  private client = -1;
  private certificateDue = false;
  private serverDone = false;
  private datagrams = 0;
  private done = false;
  private session: DtlsHandshake | null = null;

  probe(_fromOrig: boolean, bytes: Uint8Array, offset: number, length: number): Probe {
    return probeDtls(bytes, offset, length);
  }

  parse(fromOrig: boolean, bytes: Uint8Array, offset: number, length: number): Parse {
    const side = fromOrig ? 0 : 1;
    const end = offset + length;
    let at = offset;
    while (at < end && !this.done) {
      // Records of DTLS 1.3 that are encrypted have a header of their own, with bits 001 in front (RFC 9147 section 4).
      if (bytes[at] >> 5 === 1) this.onEncrypted(side);
      if (!isRecord(bytes, at, end)) break;
      const next = at + RECORD_HEADER + u16(bytes, at + 11);
      if (u16(bytes, at + 3) > 0 || bytes[at] === Content.CHANGE_CIPHER_SPEC) this.onEncrypted(side);
      else if (bytes[at] === Content.HANDSHAKE) this.readFragments(side, bytes, at + RECORD_HEADER, next);
      else if (bytes[at] === Content.ALERT && next - at === RECORD_HEADER + 2 && bytes[next - 2] === 2) this.finish();
      at = next;
    }
    if (!this.done && this.serverDone && !this.certificateDue) this.finish();
    if (!this.done && ++this.datagrams === DATAGRAMS_MAX) this.finish();
    return this.done ? Parse.STOP : Parse.MORE;
  }

  gap(): Parse {
    return this.done ? Parse.STOP : Parse.MORE;
  }
  end(): void {
    if (!this.done) this.finish();
  }
  take(): DtlsHandshake | null {
    const { session } = this;
    this.session = null;
    return session;
  }

  reset(): void {
    for (const messages of this.gathering) messages.clear();
    this.clientHello = undefined;
    this.serverHello = undefined;
    this.clientCertificate = undefined;
    this.serverCertificate = undefined;
    this.client = -1;
    this.certificateDue = false;
    this.serverDone = false;
    this.datagrams = 0;
    this.done = false;
    this.session = null;
  }

  private readFragments(side: number, bytes: Uint8Array, from: number, end: number): void {
    let at = from;
    while (at + FRAGMENT_HEADER <= end && !this.done) {
      const length = u24(bytes, at + 9);
      const data = at + FRAGMENT_HEADER;
      if (length > end - data) return;
      this.onFragment(side, bytes, at, bytes.subarray(data, data + length));
      at = data + length;
    }
  }

  /** A fragment with its header at `at`. */
  private onFragment(side: number, bytes: Uint8Array, at: number, data: Uint8Array): void {
    const type = bytes[at];
    const length = u24(bytes, at + 1);
    const offset = u24(bytes, at + 6);
    if (offset + data.length > length) return;
    if (!this.wants(side, type) || length > MESSAGE_MAX) {
      if (offset === 0) this.onMessage(side, type, undefined);
      return;
    }
    if (data.length === length) {
      this.onMessage(side, type, keep(data, 0, length));
      return;
    }
    const messages = this.gathering[side];
    const number = u16(bytes, at + 4);
    let message = messages?.get(number);
    if (message === undefined) {
      if (messages === undefined || messages.size >= MESSAGES_MAX) return;
      message = { type, length, stretches: createStretches() };
      messages.set(number, message);
    }
    if (message.stretches === undefined || message.type !== type || message.length !== length) return;
    message.stretches.add(offset, data);
    const { prefix } = message.stretches;
    if (prefix.length < length) return;
    message.stretches = undefined;
    this.onMessage(side, type, keep(prefix, 0, length));
  }

  private wants(side: number, type: number): boolean {
    if (type === Message.CLIENT_HELLO) return this.client < 0 || side === this.client;
    return type === Message.SERVER_HELLO || type === Message.CERTIFICATE;
  }

  /** A whole message, or the beginning of one whose body is not wanted. The body is our own. */
  private onMessage(side: number, type: number, body: Uint8Array | undefined): void {
    switch (type) {
      case Message.CLIENT_HELLO: {
        const plain = body && withoutCookie(body);
        if (plain === undefined || !isClientHello(plain, 0, plain.length, majorOf(plain))) return;
        this.client = side;
        this.clientHello = plain;
        return;
      }
      case Message.SERVER_HELLO:
        if (body === undefined || side === this.client || !isServerHello(body, 0, body.length, majorOf(body))) return;
        this.client = 1 - side;
        this.serverHello = body;
        if (!isRetry(body, 0) && new ServerHello(body).chosenVersion === DTLS_1_3) this.serverDone = true;
        return;
      case Message.CERTIFICATE:
        if (side === this.client) {
          this.certificateDue = false;
          this.clientCertificate ??= body;
        } else this.serverCertificate ??= body;
        return;
      case Message.CERTIFICATE_REQUEST:
        if (side !== this.client) this.certificateDue = true;
        return;
      case Message.SERVER_HELLO_DONE:
        if (side !== this.client) this.serverDone = true;
        return;
      case Message.CLIENT_KEY_EXCHANGE:
        this.certificateDue = false;
        return;
      default:
        return;
    }
  }

  /** What follows of this side cannot be read. */
  private onEncrypted(side: number): void {
    if (this.serverHello === undefined) return;
    if (side === this.client) this.certificateDue = false;
    else this.serverDone = true;
  }

  private finish(): void {
    this.done = true;
    for (const messages of this.gathering) messages.clear();
    const { clientHello, serverHello, serverCertificate, clientCertificate } = this;
    if (clientHello === undefined && serverHello === undefined) return;
    this.session = new DtlsHandshake({ clientHello, serverHello, serverCertificate, clientCertificate });
  }
}

export const DTLS_PARSER: ParserFactory = {
  name: 'dtls',
  proto: ProtocolNumber.DTLS,
  classes: [DtlsHandshake],
  over: ['udp'],
  create: () => new DtlsParser(),
};
