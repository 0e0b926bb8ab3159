/**
 * Names in certificates (RFC 5280), as OpenSSL reads them, and the certificates of a Certificate message's body (RFC 5246
 * section 7.4.2). Bytes that are no certificate have no names; nothing here throws.
 */
import { X509Certificate } from 'node:crypto';
import { u16 } from '../bytes.ts';

export interface CertificateNames {
  /** A Name as RFC 4514 writes it, its most particular part first: `CN=example.org,O=Example,C=NL`. */
  readonly subject: string;
  readonly issuer: string;
  /** DNS names of the subjectAltName, as sent. */
  readonly dnsNames: readonly string[];
}

/** Most certificates whose names are kept, and most bytes of such a certificate: 8 MB in all. */
const KNOWN_MAX = 1024;
const KNOWN_BYTES_MAX = 8192;

/** Names by DER: servers show the same certificates over and over, and OpenSSL takes 150 µs to read one. */
const known = new Map<string, CertificateNames | undefined>();

/** The names of one certificate in DER, or undefined where OpenSSL cannot read it. */
export function certificateNames(der: Uint8Array): CertificateNames | undefined {
  if (der.length > KNOWN_BYTES_MAX) return read(der);
  const key = Buffer.from(der.buffer, der.byteOffset, der.length).toString('latin1');
  let names = known.get(key);
  if (names === undefined && !known.has(key)) {
    names = read(der);
    if (known.size === KNOWN_MAX) known.clear();
    known.set(key, names);
  }
  return names;
}

function read(der: Uint8Array): CertificateNames | undefined {
  try {
    const certificate = new X509Certificate(der);
    const { subject, issuer, subjectAltName } = certificate;
    return { subject: inOneLine(subject), issuer: inOneLine(issuer), dnsNames: dnsNamesOf(subjectAltName) };
  } catch {
    return undefined;
  }
}

/** A Name that comes with a line for each of its parts, the most general first. Line feeds of its values are escaped. */
function inOneLine(name: string | undefined): string {
  return (name ?? '').split('\n').reverse().join(',').replaceAll(' + ', '+');
}

/** `DNS:example.org, IP Address:127.0.0.1, URI:"a, b"`: names that could be misread stand in quotes, as in JSON. */
const GENERAL_NAME = /([^:]+):("(?:[^"\\]|\\.)*"|[^,]*)(?:, |$)/gy;

function dnsNamesOf(generalNames: string | undefined): string[] {
  const names: string[] = [];
  for (const [, type, name = ''] of (generalNames ?? '').matchAll(GENERAL_NAME)) {
    if (type === 'DNS') names.push(name.startsWith('"') ? JSON.parse(name) : name);
  }
  return names;
}

/** The certificates of a Certificate message's body (TLS 1.2 and before), in DER, the sender's own first. */
export function certificatesOf(body: Uint8Array): Uint8Array[] {
  const list: Uint8Array[] = [];
  for (let at = 3; at + 3 <= body.length; ) {
    const start = at + 3;
    const stop = start + ((body[at] << 16) | u16(body, at + 1));
    if (stop > body.length) break;
    list.push(body.subarray(start, stop));
    at = stop;
  }
  return list;
}
