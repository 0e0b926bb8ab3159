/** The session of TLS: what client and server said of themselves before they went dark. */
import { datatype } from '../../subscription/decorators.ts';
import { writtenBy } from '../../subscription/json-writers.ts';
import { ProtocolNumber, type Session } from '../contract.ts';
import { sessionJson, sessionWriter } from '../session-json.ts';
import { type CertificateNames, certificateNames, certificatesOf } from './certificates.ts';
import { TLS_FIELDS } from './fields.ts';
import { ja3sText, ja3Text, ja4, md5 } from './fingerprints.ts';
import { ClientHello, ServerHello } from './hello.ts';

const NO_NUMBERS = new Uint16Array(0);

/** Bodies of handshake messages that belong to whoever makes a `TlsHandshake`; it keeps them. */
export interface HandshakeBodies {
  readonly clientHello?: Uint8Array | undefined;
  readonly serverHello?: Uint8Array | undefined;
  /** Bodies of Certificate messages of TLS 1.2 and before. */
  readonly serverCertificate?: Uint8Array | undefined;
  readonly clientCertificate?: Uint8Array | undefined;
}

/**
 * One TLS handshake. Its properties are the fields of the catalog in camelCase. What was not seen is undefined, or an empty
 * list. Values are read from the messages when asked for.
 */
@datatype({ kind: 'session', protocol: 'tls' })
export class TlsHandshake implements Session {
  readonly proto: ProtocolNumber = ProtocolNumber.TLS;
  private readonly client: ClientHello | undefined;
  private readonly server: ServerHello | undefined;
  private readonly serverCertificate: Uint8Array | undefined;
  private readonly clientCertificate: Uint8Array | undefined;
  private readonly transport: 't' | 'q' | 'd';
  private serverNames: readonly (CertificateNames | undefined)[] | undefined = undefined;
  private clientNames: readonly (CertificateNames | undefined)[] | undefined = undefined;
  private ja3: string | undefined = undefined;

  /** @param transport what carried it: `t` TCP, `q` QUIC, `d` DTLS; the first letter of its JA4. */
  constructor(bodies: HandshakeBodies, transport: 't' | 'q' | 'd' = 't') {
    this.client = bodies.clientHello && new ClientHello(bodies.clientHello);
    this.server = bodies.serverHello && new ServerHello(bodies.serverHello);
    this.serverCertificate = bodies.serverCertificate;
    this.clientCertificate = bodies.clientCertificate;
    this.transport = transport;
  }

  /** Host name the client asks for, as sent. */
  get sni(): string | undefined {
    return this.client?.sni;
  }
  /** Version the server chose; 0x0304 is TLS 1.3. */
  get version(): number | undefined {
    return this.server?.chosenVersion;
  }
  get clientVersion(): number | undefined {
    return this.client?.version;
  }
  get clientSupportedVersions(): Uint16Array {
    return this.client?.versions ?? NO_NUMBERS;
  }
  get serverVersion(): number | undefined {
    return this.server?.version;
  }
  get clientRandom(): Uint8Array | undefined {
    return this.client?.random;
  }
  get serverRandom(): Uint8Array | undefined {
    return this.server?.random;
  }
  get clientCiphers(): Uint16Array {
    return this.client?.ciphers ?? NO_NUMBERS;
  }
  get cipher(): number | undefined {
    return this.server?.cipher;
  }
  get clientCompressionAlgs(): Uint16Array {
    return this.client?.compressions ?? NO_NUMBERS;
  }
  get compressionAlg(): number | undefined {
    return this.server?.compression;
  }
  get clientAlpnProtocols(): readonly string[] {
    return this.client?.alpn ?? [];
  }
  get alpn(): string | undefined {
    return this.server?.alpn[0];
  }
  get clientSignatureAlgs(): Uint16Array {
    return this.client?.signatureAlgorithms ?? NO_NUMBERS;
  }
  get clientGroups(): Uint16Array {
    return this.client?.groups ?? NO_NUMBERS;
  }
  get clientEcPointFormats(): Uint16Array {
    return this.client?.pointFormats ?? NO_NUMBERS;
  }
  get clientKeyShares(): Uint16Array {
    return this.client?.keyShares ?? NO_NUMBERS;
  }
  get serverKeyShare(): number | undefined {
    return this.server?.keyShare;
  }
  get clientExtensions(): Uint16Array {
    return this.client?.extensions ?? NO_NUMBERS;
  }
  get serverExtensions(): Uint16Array {
    return this.server?.extensions ?? NO_NUMBERS;
  }

  /** The server's certificates in DER, its own first. */
  get serverCertificates(): readonly Uint8Array[] {
    return this.serverCertificate ? certificatesOf(this.serverCertificate) : [];
  }
  /** The client's certificates in DER, its own first. */
  get clientCertificates(): readonly Uint8Array[] {
    return this.clientCertificate ? certificatesOf(this.clientCertificate) : [];
  }
  get serverCertSubject(): string | undefined {
    return this.namesOfServer()[0]?.subject;
  }
  get serverCertIssuer(): string | undefined {
    return this.namesOfServer()[0]?.issuer;
  }
  get serverCertNames(): readonly string[] {
    return this.namesOfServer()[0]?.dnsNames ?? [];
  }
  get serverCertChain(): readonly string[] {
    return this.namesOfServer().map((names) => names?.subject ?? '');
  }
  get clientCertSubject(): string | undefined {
    return this.namesOfClient()[0]?.subject;
  }
  get clientCertIssuer(): string | undefined {
    return this.namesOfClient()[0]?.issuer;
  }
  get clientCertChain(): readonly string[] {
    return this.namesOfClient().map((names) => names?.subject ?? '');
  }
  private namesOfServer(): readonly (CertificateNames | undefined)[] {
    this.serverNames ??= this.serverCertificates.map(certificateNames);
    return this.serverNames;
  }
  private namesOfClient(): readonly (CertificateNames | undefined)[] {
    this.clientNames ??= this.clientCertificates.map(certificateNames);
    return this.clientNames;
  }

  get ja3Str(): string | undefined {
    if (this.client !== undefined) this.ja3 ??= ja3Text(this.client);
    return this.ja3;
  }
  get ja3Hash(): string | undefined {
    const text = this.ja3Str;
    return text === undefined ? undefined : md5(text);
  }
  get ja3sStr(): string | undefined {
    return this.server && ja3sText(this.server);
  }
  get ja3sHash(): string | undefined {
    return this.server && md5(ja3sText(this.server));
  }
  /** JA4 (BSD 3-Clause); see fingerprints.ts. */
  get ja4(): string | undefined {
    return this.client && ja4(this.client, this.transport);
  }

  /** The fields of the catalog that have a value, by their names there; numbers that have names by name. */
  toJSON(): Record<string, unknown> {
    return sessionJson(this, TLS_FIELDS);
  }
}

writtenBy(TlsHandshake.prototype.toJSON, sessionWriter(TLS_FIELDS));
