/** The session of QUIC: how a connection starts, and the ClientHello in it. */
import { datatype } from '../../subscription/decorators.ts';
import { writtenBy } from '../../subscription/json-writers.ts';
import { ProtocolNumber, type Session } from '../contract.ts';
import { sessionJson, sessionWriter } from '../session-json.ts';
import { TlsHandshake } from '../tls/handshake.ts';
import { QUIC } from './fields.ts';
import type { PacketType } from './packet.ts';

/** What the first packet tells in clear. Its bytes are the session's own. */
export interface FirstPacket {
  readonly version: number;
  readonly dcid: Uint8Array;
  readonly scid: Uint8Array;
  readonly packetType: PacketType;
  readonly payloadBytesCount: number;
}

/**
 * The start of one QUIC connection. Its properties are the fields of the catalog in camelCase; those of TLS are of
 * ClientHello and ServerHello, and undefined or empty where that could not be read.
 */
@datatype({ kind: 'session', protocol: 'quic' })
export class QuicStream implements Session {
  readonly proto = ProtocolNumber.QUIC;
  readonly version: number;
  readonly dcid: Uint8Array;
  readonly scid: Uint8Array;
  readonly packetType: number;
  /** Only long headers start a connection. */
  readonly headerType = 1;
  readonly payloadBytesCount: number;
  /** The handshake as far as it can be read: ClientHello and ServerHello. */
  readonly tls: TlsHandshake;
  private readonly name: string | undefined;

  /**
   * @param clientHello the message's body, kept; undefined where it could not be read
   * @param serverHello the same of the server's, of a HelloRetryRequest where nothing followed
   * @param name host name of a hello that is none of TLS
   */
  constructor(first: FirstPacket, clientHello: Uint8Array | undefined, serverHello?: Uint8Array, name?: string) {
    this.version = first.version;
    this.dcid = first.dcid;
    this.scid = first.scid;
    this.packetType = first.packetType;
    this.payloadBytesCount = first.payloadBytesCount;
    this.tls = new TlsHandshake({ clientHello, serverHello }, 'q');
    this.name = name;
  }

  get sni(): string | undefined {
    return this.tls.sni ?? this.name;
  }
  get clientVersion(): number | undefined {
    return this.tls.clientVersion;
  }
  get clientSupportedVersions(): Uint16Array {
    return this.tls.clientSupportedVersions;
  }
  get clientRandom(): Uint8Array | undefined {
    return this.tls.clientRandom;
  }
  get clientCiphers(): Uint16Array {
    return this.tls.clientCiphers;
  }
  get clientCompressionAlgs(): Uint16Array {
    return this.tls.clientCompressionAlgs;
  }
  get clientAlpnProtocols(): readonly string[] {
    return this.tls.clientAlpnProtocols;
  }
  get clientSignatureAlgs(): Uint16Array {
    return this.tls.clientSignatureAlgs;
  }
  get clientGroups(): Uint16Array {
    return this.tls.clientGroups;
  }
  get clientEcPointFormats(): Uint16Array {
    return this.tls.clientEcPointFormats;
  }
  get clientKeyShares(): Uint16Array {
    return this.tls.clientKeyShares;
  }
  get clientExtensions(): Uint16Array {
    return this.tls.clientExtensions;
  }
  /** Version of TLS the server chose. */
  get tlsVersion(): number | undefined {
    return this.tls.version;
  }
  get cipher(): number | undefined {
    return this.tls.cipher;
  }
  get serverRandom(): Uint8Array | undefined {
    return this.tls.serverRandom;
  }
  get serverKeyShare(): number | undefined {
    return this.tls.serverKeyShare;
  }
  get serverExtensions(): Uint16Array {
    return this.tls.serverExtensions;
  }
  get ja3sStr(): string | undefined {
    return this.tls.ja3sStr;
  }
  get ja3sHash(): string | undefined {
    return this.tls.ja3sHash;
  }
  get ja3Str(): string | undefined {
    return this.tls.ja3Str;
  }
  get ja3Hash(): string | undefined {
    return this.tls.ja3Hash;
  }
  /** JA4 (BSD 3-Clause); see tls/fingerprints.ts. */
  get ja4(): string | undefined {
    return this.tls.ja4;
  }

  /** The fields of the catalog that have a value, by their names there. */
  toJSON(): Record<string, unknown> {
    return sessionJson(this, QUIC.fields);
  }
}

writtenBy(QuicStream.prototype.toJSON, sessionWriter(QUIC.fields));
