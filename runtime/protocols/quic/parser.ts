/**
 * Parses the start of QUIC connections into one `QuicStream` each. Initial packets of both sides are opened until
 * ClientHello and ServerHello in their CRYPTO frames are whole; each may be spread over several, in any order. After a
 * HelloRetryRequest there are two of each, and the second ones count. After a Retry, or version negotiation, the client
 * starts again with other keys. Each piece is one datagram.
 */
import { keep, u16 } from '../bytes.ts';
import { Parse, type ParserFactory, type Probe, ProtocolNumber, type SessionParser } from '../contract.ts';
import { readChlo } from '../gquic/chlo.ts';
import { isClientHello, isRetry, isServerHello } from '../tls/hello.ts';
import { Message } from '../tls/records.ts';
import { CryptoStream } from './crypto-stream.ts';
import { type InitialKeys, initialKeys, keyVersions, openInitial } from './keys.ts';
import { isKnownVersion, isReserved, type LongHeader, longHeader, PacketType, probeQuic } from './packet.ts';
import { type FirstPacket, QuicStream } from './stream.ts';

/** Most Initial packets that are tried of one side; a ClientHello needs two or three. */
const INITIALS_MAX = 16;
/** Bytes of a handshake message's header: type and length. */
const MESSAGE_HEADER = 4;

class QuicParser implements SessionParser {
  private readonly crypto = new CryptoStream();
  private readonly serverCrypto = new CryptoStream();
  private first: FirstPacket | undefined = undefined;
  /** Who sent the first Initial packet. */
  private clientIsOrig = true;
  private keys: InitialKeys | undefined = undefined;
  /** The identifier that the keys are made of. */
  private keyId: Uint8Array | undefined = undefined;
  private serverKeys: InitialKeys | undefined = undefined;
  private initials = 0;
  private serverInitials = 0;
  private done = false;
  private session: QuicStream | null = null;

  probe(_fromOrig: boolean, bytes: Uint8Array, offset: number, length: number): Probe {
    return probeQuic(bytes, offset, length);
  }

  parse(fromOrig: boolean, bytes: Uint8Array, offset: number, length: number): Parse {
    const end = offset + length;
    let at = offset;
    // Several packets may share a datagram (RFC 9000 section 12.2).
    while (at < end && !this.done) {
      const header = longHeader(bytes, at, end);
      if (header === undefined) {
        if (this.first !== undefined && isShort(bytes, at, at === offset)) this.finish();
        break;
      }
      this.onPacket(fromOrig, bytes, at, header);
      at = header.end;
    }
    return this.done ? Parse.STOP : Parse.MORE;
  }

  gap(): Parse {
    return this.done ? Parse.STOP : Parse.MORE;
  }
  end(): void {
    if (!this.done) this.finish();
  }
  take(): QuicStream | null {
    const { session } = this;
    this.session = null;
    return session;
  }

  reset(): void {
    this.crypto.reset();
    this.first = undefined;
    this.clientIsOrig = true;
    this.serverCrypto.reset();
    this.keys = undefined;
    this.keyId = undefined;
    this.serverKeys = undefined;
    this.initials = 0;
    this.serverInitials = 0;
    this.done = false;
    this.session = null;
  }

  private onPacket(fromOrig: boolean, bytes: Uint8Array, start: number, header: LongHeader): void {
    if (this.first === undefined) {
      const { version, type, length } = header;
      const dcid = keep(header.dcid, 0, header.dcid.length);
      const scid = keep(header.scid, 0, header.scid.length);
      this.first = { version, dcid, scid, packetType: type, payloadBytesCount: length };
      this.clientIsOrig = fromOrig;
    }
    if (!isKnownVersion(header.version) && !isReserved(header.version)) return;
    // It is sent by one who has read the other's hello: that of a server may have been overtaken by it, so it is no end.
    if (header.type === PacketType.HANDSHAKE && fromOrig === this.clientIsOrig) this.finish();
    else if (header.type === PacketType.INITIAL) {
      if (fromOrig === this.clientIsOrig) this.onInitial(bytes, start, header);
      else this.onServerInitial(bytes, start, header);
    }
  }

  private onInitial(bytes: Uint8Array, start: number, header: LongHeader): void {
    let frames = this.keys && openInitial(this.keys, bytes, start, header);
    // The first, or the first after a Retry or version negotiation: its own identifier makes the keys.
    for (const version of frames === undefined ? keyVersions(header.version) : []) {
      const keys = initialKeys(version, header.dcid, 'client');
      frames = openInitial(keys, bytes, start, header);
      if (frames !== undefined) {
        this.beginWith(keys, header.dcid);
        break;
      }
    }
    if (frames !== undefined) this.crypto.frames(frames);
    if (++this.initials === INITIALS_MAX) this.finish();
  }

  private beginWith(keys: InitialKeys, dcid: Uint8Array): void {
    if (this.keys !== undefined) this.crypto.reset();
    this.keys = keys;
    this.keyId = keep(dcid, 0, dcid.length);
    this.serverKeys = undefined;
    this.serverCrypto.reset();
  }

  private onServerInitial(bytes: Uint8Array, start: number, header: LongHeader): void {
    if (this.keyId === undefined) return;
    // The server may have chosen another version than the client began with (RFC 9368).
    this.serverKeys ??= initialKeys(header.version, this.keyId, 'server');
    const frames = openInitial(this.serverKeys, bytes, start, header);
    if (frames !== undefined) this.serverCrypto.frames(frames);
    const hello = this.serverHello();
    if ((hello !== undefined && !isRetry(hello, 0)) || ++this.serverInitials === INITIALS_MAX) this.finish();
  }

  private clientHello(): Uint8Array | undefined {
    return lastHello(this.crypto.prefix, Message.CLIENT_HELLO);
  }
  private serverHello(): Uint8Array | undefined {
    return lastHello(this.serverCrypto.prefix, Message.SERVER_HELLO);
  }

  private finish(): void {
    this.done = true;
    if (this.first === undefined) return;
    const name = readChlo(this.crypto.prefix)?.sni;
    this.session = new QuicStream(this.first, this.clientHello(), this.serverHello(), name);
  }
}

/**
 * Whether a short header stands at `at`, so that the handshake is over. Behind another packet, zeros are padding; at the start of
 * a datagram the fixed bit may be cleared (RFC 9287).
 */
function isShort(bytes: Uint8Array, at: number, starts: boolean): boolean {
  return bytes[at] < 128 && (starts || bytes[at] >= 64);
}

/** The body of the last of one or two hellos at the start of a stream, once it is whole. */
function lastHello(prefix: Uint8Array, type: Message): Uint8Array | undefined {
  let found: Uint8Array | undefined;
  for (let at = 0; at + MESSAGE_HEADER <= prefix.length && prefix[at] === type; ) {
    const body = at + MESSAGE_HEADER;
    const length = (prefix[at + 1] << 16) | u16(prefix, at + 2);
    const isHello = type === Message.CLIENT_HELLO ? isClientHello : isServerHello;
    if (prefix.length < body + length || !isHello(prefix, body, length)) break;
    found = prefix.subarray(body, body + length);
    at = body + length;
  }
  return found && keep(found, 0, found.length);
}

export const QUIC_PARSER: ParserFactory = {
  name: 'quic',
  proto: ProtocolNumber.QUIC,
  classes: [QuicStream],
  over: ['udp'],
  create: () => new QuicParser(),
};
