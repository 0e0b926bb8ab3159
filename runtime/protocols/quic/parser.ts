/**
 * Parses the start of QUIC connections into one `QuicStream` each. The client's Initial packets are opened until the
 * ClientHello in their CRYPTO frames is whole; it may be spread over several, in any order. After a Retry, or version
 * negotiation, the client starts again with other keys. Each piece is one datagram.
 */
import { keep, u16 } from '../bytes.ts';
import { Parse, type ParserFactory, type Probe, ProtocolNumber, type SessionParser } from '../contract.ts';
import { isClientHello } from '../tls/hello.ts';
import { Message } from '../tls/records.ts';
import { CryptoStream } from './crypto-stream.ts';
import { type InitialKeys, initialKeys, openInitial } from './keys.ts';
import { isKnownVersion, type LongHeader, longHeader, PacketType, probeQuic } from './packet.ts';
import { type FirstPacket, QuicStream } from './stream.ts';

/** Most Initial packets that are tried; a ClientHello needs two or three. */
const INITIALS_MAX = 16;
/** Bytes of a handshake message's header: type and length. */
const MESSAGE_HEADER = 4;

class QuicParser implements SessionParser {
  private readonly crypto = new CryptoStream();
  private first: FirstPacket | undefined = undefined;
  /** Who sent the first Initial packet. */
  private clientIsOrig = true;
  private keys: InitialKeys | undefined = undefined;
  private initials = 0;
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
        // A short header: the client has the server's answer, so its ClientHello is over. Or it is padding.
        if (this.first !== undefined && fromOrig === this.clientIsOrig && (bytes[at] & 0xc0) === 0x40) this.finish();
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
    this.keys = undefined;
    this.initials = 0;
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
    if (fromOrig !== this.clientIsOrig || !isKnownVersion(header.version)) return;
    if (header.type === PacketType.HANDSHAKE) this.finish();
    else if (header.type === PacketType.INITIAL) this.onInitial(bytes, start, header);
  }

  private onInitial(bytes: Uint8Array, start: number, header: LongHeader): void {
    let frames = this.keys && openInitial(this.keys, bytes, start, header);
    if (frames === undefined) {
      // The first, or the first after a Retry or version negotiation: its own identifier makes the keys.
      const keys = initialKeys(header.version, header.dcid, 'client');
      frames = openInitial(keys, bytes, start, header);
      if (frames !== undefined) {
        if (this.keys !== undefined) this.crypto.reset();
        this.keys = keys;
      }
    }
    if (frames !== undefined) this.crypto.frames(frames);
    if (this.clientHello() !== undefined || ++this.initials === INITIALS_MAX) this.finish();
  }

  /** The body of the ClientHello, once it is whole. */
  private clientHello(): Uint8Array | undefined {
    const { prefix } = this.crypto;
    if (prefix.length < MESSAGE_HEADER || prefix[0] !== Message.CLIENT_HELLO) return undefined;
    const length = (prefix[1] << 16) | u16(prefix, 2);
    if (prefix.length < MESSAGE_HEADER + length || !isClientHello(prefix, MESSAGE_HEADER, length)) return undefined;
    return keep(prefix, MESSAGE_HEADER, length);
  }

  private finish(): void {
    this.done = true;
    if (this.first !== undefined) this.session = new QuicStream(this.first, this.clientHello());
  }
}

export const QUIC_PARSER: ParserFactory = {
  name: 'quic',
  proto: ProtocolNumber.QUIC,
  over: ['udp'],
  create: () => new QuicParser(),
};
