/**
 * TLS records as clients and servers send them: ClientHello in three styles, ServerHello, certificates and what follows up
 * to the encrypted data, for TLS 1.2 (RFC 5246) and 1.3 (RFC 8446). Encrypted parts are random bytes of real lengths.
 */
import { block, concat, type Part, text, u8, u16, u16s, u32 } from './bytes.ts';
import { EC_CERTIFICATE, RSA_CERTIFICATE } from './certificate.ts';
import type { Random } from './random.ts';
import type { Message } from './script.ts';

/** What a TLS connection says in clear: the truth a parser is compared with. */
export interface TlsFacts {
  readonly app: 'tls';
  readonly sni: string;
  /** Negotiated: 0x0303 or 0x0304. */
  readonly version: number;
  readonly cipher: number;
  readonly ciphers: readonly number[];
  readonly alpn: readonly string[];
  /** Certificates sent in clear (TLS 1.2). */
  readonly certificates: number;
}

const GREASE = [0x0a0a, 0x1a1a, 0x2a2a, 0x5a5a, 0x8a8a, 0xdada];
const X25519 = 0x001d;
const P256 = 0x0017;
const X25519_MLKEM768 = 0x11ec;

const CIPHERS_13 = [0x1301, 0x1302, 0x1303];
const CIPHERS_12 = [0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc013, 0xc014, 0x009c, 0x009d, 0x002f, 0x0035];

/** Look of the client: which suites and extensions, in which order. */
type Style = 'browser' | 'library' | 'plain';

const extension = (type: number, ...body: readonly Part[]): Uint8Array => concat(u16(type), block(2, ...body));

const record = (type: number, version: number, ...body: readonly Part[]): Uint8Array =>
  concat(u8(type), u16(version), block(2, ...body));

const handshake = (type: number, ...body: readonly Part[]): Uint8Array => concat(u8(type), block(3, ...body));

export interface TlsOptions {
  readonly sni: string;
  readonly tls13: boolean;
  /** Application data: bytes asked with, bytes answered with. */
  readonly request: number;
  readonly response: number;
}

/** The messages of one TLS connection, handshake and one request with its response, and what they reveal. */
export function tlsMessages(random: Random, options: TlsOptions): { messages: Message[]; facts: TlsFacts } {
  const style = random.pick<Style>(['browser', 'browser', 'library', 'plain']);
  const ciphers = clientCiphers(random, style, options.tls13);
  const alpn = style === 'browser' ? ['h2', 'http/1.1'] : style === 'library' ? ['http/1.1'] : [];
  const sessionId = options.tls13 || random.chance(0.3) ? random.fill(new Uint8Array(32)) : new Uint8Array(0);
  const cipher = options.tls13 ? random.pick(CIPHERS_13) : random.pick([0xc02b, 0xc02f, 0xc02c, 0xc030]);
  const hello = clientHello(random, options, style, ciphers, alpn, sessionId);
  // Some clients' first segment ends within the hello, by a small congestion window or a middlebox.
  const split = random.chance(0.1) ? [5 + random.below(hello.length - 10)] : [];
  const facts: TlsFacts = {
    app: 'tls',
    sni: options.sni,
    version: options.tls13 ? 0x0304 : 0x0303,
    cipher,
    ciphers,
    alpn,
    certificates: options.tls13 ? 0 : 1,
  };
  const rest = options.tls13
    ? rest13(random, options, cipher, sessionId)
    : rest12(random, options, cipher, sessionId, alpn);
  return { messages: [{ dir: 0, bytes: hello, split }, ...rest], facts };
}

function clientCiphers(random: Random, style: Style, tls13: boolean): number[] {
  const ciphers: number[] = [];
  if (style === 'browser') ciphers.push(random.pick(GREASE));
  if (tls13) ciphers.push(...CIPHERS_13);
  ciphers.push(...(style === 'plain' ? CIPHERS_12.slice(0, 6) : CIPHERS_12));
  if (style === 'plain') ciphers.push(0x00ff);
  return ciphers;
}

function clientHello(
  random: Random,
  { sni, tls13 }: TlsOptions,
  style: Style,
  ciphers: readonly number[],
  alpn: readonly string[],
  sessionId: Uint8Array,
): Uint8Array {
  const grease = style === 'browser' ? [random.pick(GREASE)] : [];
  // The post-quantum share makes the hello longer than one segment.
  const hybrid = tls13 && style === 'browser' && random.chance(0.5);
  const groups = [...grease, ...(hybrid ? [X25519_MLKEM768] : []), X25519, P256, 0x0018];
  const extensions: Uint8Array[] = [];
  for (const value of grease) extensions.push(extension(value));
  extensions.push(extension(0x0000, block(2, u8(0), block(2, text(sni)))));
  extensions.push(extension(0x0017));
  if (style !== 'plain') extensions.push(extension(0xff01, u8(0)));
  extensions.push(extension(0x000a, block(2, u16s(groups))));
  extensions.push(extension(0x000b, block(1, u8(0))));
  if (style !== 'plain') extensions.push(extension(0x0023));
  if (alpn.length > 0) extensions.push(extension(0x0010, block(2, ...alpn.map((name) => block(1, text(name))))));
  if (style === 'browser') extensions.push(extension(0x0005, u8(1), u16(0), u16(0)));
  extensions.push(extension(0x000d, block(2, u16s([0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601]))));
  if (style === 'browser') extensions.push(extension(0x0012));
  if (tls13) {
    const shares: Part[] = [];
    for (const value of grease) shares.push(u16(value), block(2, u8(0)));
    if (hybrid) shares.push(u16(X25519_MLKEM768), block(2, random.fill(new Uint8Array(1216))));
    shares.push(u16(X25519), block(2, random.fill(new Uint8Array(32))));
    extensions.push(extension(0x0033, block(2, ...shares)));
    extensions.push(extension(0x002d, block(1, u8(1))));
    extensions.push(extension(0x002b, block(1, u16s([...grease, 0x0304, 0x0303]))));
  }
  if (style === 'browser') extensions.push(extension(0x001b, block(1, u16(2))));
  return record(
    22,
    0x0301,
    handshake(
      1,
      u16(0x0303),
      random.fill(new Uint8Array(32)),
      block(1, sessionId),
      block(2, u16s(ciphers)),
      block(1, u8(0)),
      block(2, ...extensions),
    ),
  );
}

function encrypted(random: Random, type: number, length: number): Uint8Array {
  const records: Uint8Array[] = [];
  for (let left = length; left > 0; left -= 16384) {
    records.push(record(type, 0x0303, random.fill(new Uint8Array(Math.min(left, 16384)))));
  }
  return concat(...records);
}

const CHANGE_CIPHER_SPEC = record(20, 0x0303, u8(1));

function rest13(random: Random, options: TlsOptions, cipher: number, sessionId: Uint8Array): Message[] {
  const serverHello = record(
    22,
    0x0303,
    handshake(
      2,
      u16(0x0303),
      random.fill(new Uint8Array(32)),
      block(1, sessionId),
      u16(cipher),
      u8(0),
      block(
        2,
        extension(0x002b, u16(0x0304)),
        extension(0x0033, u16(X25519), block(2, random.fill(new Uint8Array(32)))),
      ),
    ),
  );
  // EncryptedExtensions, Certificate, CertificateVerify and Finished together, as most servers send them.
  const flight = encrypted(random, 23, random.pick([790, 1180, 2350]));
  return [
    { dir: 1, bytes: concat(serverHello, CHANGE_CIPHER_SPEC, flight) },
    { dir: 0, bytes: concat(CHANGE_CIPHER_SPEC, encrypted(random, 23, 53), encrypted(random, 23, options.request)) },
    { dir: 1, bytes: concat(encrypted(random, 23, 234), encrypted(random, 23, options.response)) },
  ];
}

function rest12(
  random: Random,
  options: TlsOptions,
  cipher: number,
  sessionId: Uint8Array,
  alpn: readonly string[],
): Message[] {
  const ecdsa = cipher === 0xc02b || cipher === 0xc02c;
  const first = alpn[0];
  const serverHello = handshake(
    2,
    u16(0x0303),
    random.fill(new Uint8Array(32)),
    block(1, sessionId),
    u16(cipher),
    u8(0),
    block(
      2,
      extension(0xff01, u8(0)),
      extension(0x0017),
      ...(first === undefined ? [] : [extension(0x0010, block(2, block(1, text(first))))]),
    ),
  );
  const certificate = handshake(11, block(3, block(3, ecdsa ? EC_CERTIFICATE : RSA_CERTIFICATE)));
  const signature = random.fill(new Uint8Array(ecdsa ? 71 : 256));
  const keyExchange = handshake(
    12,
    u8(3),
    u16(X25519),
    block(1, random.fill(new Uint8Array(32))),
    u16(ecdsa ? 0x0403 : 0x0804),
    block(2, signature),
  );
  const done = handshake(14);
  // One record for the whole flight or one for each message: both are common.
  const flight = random.chance(0.5)
    ? record(22, 0x0303, serverHello, certificate, keyExchange, done)
    : concat(...[serverHello, certificate, keyExchange, done].map((message) => record(22, 0x0303, message)));
  const ticket = handshake(4, u32(7200), block(2, random.fill(new Uint8Array(176))));
  return [
    { dir: 1, bytes: flight },
    {
      dir: 0,
      bytes: concat(
        record(22, 0x0303, handshake(16, block(1, random.fill(new Uint8Array(32))))),
        CHANGE_CIPHER_SPEC,
        encrypted(random, 22, 40),
      ),
    },
    { dir: 1, bytes: concat(record(22, 0x0303, ticket), CHANGE_CIPHER_SPEC, encrypted(random, 22, 40)) },
    { dir: 0, bytes: encrypted(random, 23, options.request) },
    { dir: 1, bytes: encrypted(random, 23, options.response) },
  ];
}
