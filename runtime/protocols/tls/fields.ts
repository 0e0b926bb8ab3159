/** The catalog's entry of TLS: what a filter can ask of a handshake, and what a delivered handshake prints. */
import { ProtocolNumber } from '../contract.ts';
import type { FieldDef, ProtocolDef } from '../field.ts';
import { sessionField } from '../session-field.ts';
import { CIPHER_SUITES } from './cipher-suites.ts';
import { COMPRESSION_METHODS, EC_POINT_FORMATS, EXTENSIONS, GROUPS, SIGNATURE_SCHEMES, VERSIONS } from './names.ts';

const JA3 = 'github.com/salesforce/ja3';
const CERTIFICATE = 'RFC 5246 section 7.4.2, RFC 5280 section 4.1.2';

/**
 * Fields of one handshake, in the order in which they are printed. After a HelloRetryRequest they are those of the second
 * ClientHello and ServerHello (RFC 8446 section 4.1.4).
 */
export const TLS_FIELDS: readonly FieldDef[] = [
  sessionField('sni', 'text', 'Host name the client asks for, as sent.', 'RFC 6066 section 3'),
  sessionField(
    'version',
    'u16',
    'Version the server chose: its supported_versions extension, else its legacy version. Absent before a ServerHello.',
    'RFC 8446 section 4.2.1',
    { names: VERSIONS },
  ),
  sessionField(
    'client_version',
    'u16',
    'Legacy version field of the ClientHello; at most TLSv1.2 even where the client offers more.',
    'RFC 8446 section 4.1.2',
    { names: VERSIONS },
  ),
  sessionField(
    'client_supported_versions',
    'u16[]',
    "Versions of the client's supported_versions extension, in its order of preference.",
    'RFC 8446 section 4.2.1',
    { names: VERSIONS },
  ),
  sessionField('server_version', 'u16', 'Legacy version field of the ServerHello.', 'RFC 8446 section 4.1.3', {
    names: VERSIONS,
  }),
  sessionField(
    'client_random',
    'bytes',
    'The 32 random bytes of the ClientHello; the challenge of an SSLv2 one.',
    'RFC 8446 section 4.1.2',
  ),
  sessionField('server_random', 'bytes', 'The 32 random bytes of the ServerHello.', 'RFC 8446 section 4.1.3'),
  sessionField(
    'client_ciphers',
    'u16[]',
    'Cipher suites the client offers, in its order of preference, GREASE included.',
    'RFC 8446 section 4.1.2',
    { names: CIPHER_SUITES },
  ),
  sessionField('cipher', 'u16', 'Cipher suite the server chose.', 'RFC 8446 section 4.1.3', { names: CIPHER_SUITES }),
  sessionField(
    'client_compression_algs',
    'u16[]',
    'Compression methods the client offers.',
    'RFC 5246 section 7.4.1.2, RFC 3749',
    { names: COMPRESSION_METHODS, max: 255 },
  ),
  sessionField('compression_alg', 'u8', 'Compression method the server chose.', 'RFC 5246 section 7.4.1.3, RFC 3749', {
    names: COMPRESSION_METHODS,
  }),
  sessionField(
    'client_alpn_protocols',
    'text[]',
    'Application protocols the client offers, in its order of preference.',
    'RFC 7301 section 3.1',
  ),
  sessionField(
    'alpn',
    'text',
    'Application protocol the server chose, where that is in clear (up to TLSv1.2).',
    'RFC 7301 section 3.1',
  ),
  sessionField('client_signature_algs', 'u16[]', 'Signature algorithms the client accepts.', 'RFC 8446 section 4.2.3', {
    names: SIGNATURE_SCHEMES,
  }),
  sessionField(
    'client_groups',
    'u16[]',
    'Key exchange groups (curves) the client supports, GREASE included.',
    'RFC 8446 section 4.2.7',
    { names: GROUPS },
  ),
  sessionField(
    'client_ec_point_formats',
    'u16[]',
    'Elliptic curve point formats the client supports.',
    'RFC 8422 section 5.1.2',
    { names: EC_POINT_FORMATS, max: 255 },
  ),
  sessionField(
    'client_key_shares',
    'u16[]',
    'Groups for which the client sent a key share, GREASE included.',
    'RFC 8446 section 4.2.8',
    { names: GROUPS },
  ),
  sessionField(
    'server_key_share',
    'u16',
    'Group of the key share of the ServerHello, or the one a HelloRetryRequest asks for when nothing followed.',
    'RFC 8446 section 4.2.8',
    { names: GROUPS },
  ),
  sessionField(
    'client_extensions',
    'u16[]',
    'Types of the extensions of the ClientHello, in order, GREASE included.',
    'RFC 8446 section 4.2',
    { names: EXTENSIONS },
  ),
  sessionField(
    'server_extensions',
    'u16[]',
    'Types of the extensions of the ServerHello, in order.',
    'RFC 8446 section 4.2',
    { names: EXTENSIONS },
  ),
  sessionField(
    'server_cert_subject',
    'text',
    "Subject of the server's own certificate, as CN=…,O=…,C=… (RFC 4514). In clear up to TLSv1.2.",
    CERTIFICATE,
  ),
  sessionField('server_cert_issuer', 'text', "Issuer of the server's own certificate.", CERTIFICATE),
  sessionField(
    'server_cert_names',
    'text[]',
    "DNS names the server's own certificate is valid for (subjectAltName).",
    'RFC 5280 section 4.2.1.6',
  ),
  sessionField(
    'server_cert_chain',
    'text[]',
    'Subjects of the certificates the server sent, its own first.',
    CERTIFICATE,
  ),
  sessionField(
    'client_cert_subject',
    'text',
    "Subject of the client's own certificate, where it was asked for one.",
    CERTIFICATE,
  ),
  sessionField('client_cert_issuer', 'text', "Issuer of the client's own certificate.", CERTIFICATE),
  sessionField(
    'client_cert_chain',
    'text[]',
    'Subjects of the certificates the client sent, its own first.',
    CERTIFICATE,
  ),
  sessionField(
    'ja3_str',
    'text',
    'JA3 before hashing: version, ciphers, extensions, groups and point formats of the ClientHello, without GREASE.',
    JA3,
  ),
  sessionField('ja3_hash', 'text', 'MD5 of ja3_str, in hex.', JA3),
  sessionField('ja3s_str', 'text', 'JA3S before hashing: version, cipher and extensions of the ServerHello.', JA3),
  sessionField('ja3s_hash', 'text', 'MD5 of ja3s_str, in hex.', JA3),
  sessionField(
    'ja4',
    'text',
    'JA4 fingerprint of the client: t13d1516h2_8daaf6152771_e5627efa2ab1.',
    'github.com/FoxIO-LLC/ja4 (JA4 itself is BSD-3-Clause)',
  ),
];

export const TLS: ProtocolDef = {
  name: 'tls',
  doc: 'Transport Layer Security, SSL 3.0 to TLS 1.3, read from the part of its handshake that is in clear.',
  source: 'RFC 8446, RFC 5246, RFC 6101',
  over: ['tcp'],
  layer: 'application',
  number: ProtocolNumber.TLS,
  fields: TLS_FIELDS,
  sessions: 'one',
  sessionType: { name: 'TlsHandshake', doc: 'One TLS handshake: what client and server said of themselves in clear.' },
};
