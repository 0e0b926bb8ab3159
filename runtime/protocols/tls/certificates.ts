/**
 * Names in certificates, read from the DER of a Certificate message's body (RFC 5246 section 7.4.2, RFC 5280). Only
 * what a filter can ask for is read: subject, issuer and DNS names. Bytes that are no certificate give no names; nothing
 * here throws, and each length is held against what encloses it.
 */
import { hexOf, textOf, u16 } from '../bytes.ts';

/** Short names of attribute types, by the hex of their object identifier. */
const ATTRIBUTES: Readonly<Record<string, string>> = {
  '550403': 'CN',
  '550404': 'SN',
  '550405': 'serialNumber',
  '550406': 'C',
  '550407': 'L',
  '550408': 'ST',
  '550409': 'street',
  '55040a': 'O',
  '55040b': 'OU',
  '55040c': 'title',
  '55040d': 'description',
  '55040f': 'businessCategory',
  '550411': 'postalCode',
  '550429': 'name',
  '55042a': 'GN',
  '55042b': 'initials',
  '55042e': 'dnQualifier',
  '550461': 'organizationIdentifier',
  '2a864886f70d010901': 'emailAddress',
  '0992268993f22c640101': 'UID',
  '0992268993f22c640119': 'DC',
  '2b0601040182373c020101': 'jurisdictionL',
  '2b0601040182373c020102': 'jurisdictionST',
  '2b0601040182373c020103': 'jurisdictionC',
};

const enum Tag {
  OID = 0x06,
  UTF8_STRING = 0x0c,
  T61_STRING = 0x14,
  UNIVERSAL_STRING = 0x1c,
  BMP_STRING = 0x1e,
  SEQUENCE = 0x30,
  SET = 0x31,
  /** [0] of a TBSCertificate: its version. */
  VERSION = 0xa0,
  /** [3] of a TBSCertificate: its extensions. */
  EXTENSIONS = 0xa3,
  /** [2] of a GeneralName: a DNS name. */
  DNS_NAME = 0x82,
}

/** Id-ce-subjectAltName, 2.5.29.17. */
const SUBJECT_ALT_NAME = '551d11';

/** One element after the other of a stretch of DER. */
class Der {
  tag = 0;
  /** Where the current element's content lies. */
  start = 0;
  stop = 0;
  constructor(
    readonly bytes: Uint8Array,
    private at: number,
    private readonly end: number,
  ) {}

  /** Steps to the next element; false at the end, or where the bytes are no DER. */
  next(): boolean {
    const { bytes, end } = this;
    if (this.at + 2 > end) return false;
    this.tag = bytes[this.at];
    let length = bytes[this.at + 1];
    let start = this.at + 2;
    if (length > 0x7f) {
      const size = length & 0x7f;
      if (size === 0 || size > 3 || start + size > end) return false;
      length = 0;
      for (let i = 0; i < size; i++) length = (length << 8) | bytes[start++];
    }
    if (start + length > end) return false;
    this.start = start;
    this.stop = start + length;
    this.at = this.stop;
    return true;
  }
  is(tag: Tag): boolean {
    return this.tag === tag;
  }
  /** The elements within the current one. */
  inside(): Der {
    return new Der(this.bytes, this.start, this.stop);
  }
  get content(): Uint8Array {
    return this.bytes.subarray(this.start, this.stop);
  }
}

const utf16 = new TextDecoder('utf-16be');

function utf32(bytes: Uint8Array): string {
  let text = '';
  for (let i = 0; i + 4 <= bytes.length; i += 4) {
    const code = u16(bytes, i) * 0x10000 + u16(bytes, i + 2);
    text += code <= 0x10ffff ? String.fromCodePoint(code) : '\ufffd';
  }
  return text;
}

function stringOf(der: Der): string {
  switch (der.tag) {
    case Tag.BMP_STRING:
      return utf16.decode(der.content);
    case Tag.UNIVERSAL_STRING:
      return utf32(der.content);
    case Tag.T61_STRING:
      return Array.from(der.content, (byte) => String.fromCharCode(byte)).join('');
    default:
      return textOf(der.bytes, der.start, der.stop);
  }
}

/** Object identifiers in dotted form (X.690 section 8.19). */
function dotted(oid: Uint8Array): string {
  const arcs: number[] = [];
  let arc = 0;
  for (const byte of oid) {
    arc = arc * 128 + (byte & 0x7f);
    if (byte & 0x80) continue;
    if (arcs.length === 0) {
      const first = Math.min(Math.trunc(arc / 40), 2);
      arcs.push(first, arc - first * 40);
    } else arcs.push(arc);
    arc = 0;
  }
  return arcs.join('.');
}

/** RFC 4514 section 2.4; control characters as backslash and two hex digits. */
function escaped(text: string): string {
  return (
    text
      .replace(/[",+<>;\\]/g, '\\$&')
      // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is escaped
      .replace(/[\x00-\x1f\x7f]/g, (c) => `\\${c.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`)
      .replace(/^[ #]/, '\\$&')
      .replace(/ $/, '\\ ')
  );
}

/** A Name as text, its most particular part first: `CN=example.org,O=Example,C=NL`. */
function nameOf(name: Der): string {
  const parts: string[] = [];
  for (const sets = name.inside(); sets.next(); ) {
    const attributes: string[] = [];
    for (const pairs = sets.inside(); pairs.next(); ) {
      const pair = pairs.inside();
      if (!pair.next() || !pair.is(Tag.OID)) continue;
      const type = ATTRIBUTES[hexOf(pair.content)] ?? dotted(pair.content);
      if (pair.next()) attributes.push(`${type}=${escaped(stringOf(pair))}`);
    }
    parts.push(attributes.join('+'));
  }
  return parts.reverse().join(',');
}

function dnsNames(extensions: Der): string[] {
  const names: string[] = [];
  const list = extensions.inside();
  if (!list.next()) return names;
  for (const each = list.inside(); each.next(); ) {
    const extension = each.inside();
    if (!extension.next() || hexOf(extension.content) !== SUBJECT_ALT_NAME) continue;
    // The value is the last element; a `critical` flag may stand before it.
    while (extension.next());
    const value = extension.inside();
    if (!value.next()) continue;
    for (const general = value.inside(); general.next(); ) {
      if (general.is(Tag.DNS_NAME)) names.push(stringOf(general));
    }
  }
  return names;
}

export interface CertificateNames {
  readonly subject: string;
  readonly issuer: string;
  readonly dnsNames: readonly string[];
}

/** The names of one certificate in DER, or undefined where it cannot be read. */
export function certificateNames(der: Uint8Array): CertificateNames | undefined {
  const certificate = new Der(der, 0, der.length);
  if (!certificate.next() || !certificate.is(Tag.SEQUENCE)) return undefined;
  const signed = certificate.inside();
  if (!signed.next() || !signed.is(Tag.SEQUENCE)) return undefined;
  // TBSCertificate: [0] version, serialNumber, signature, issuer, validity, subject, key, …, [3] extensions.
  const fields = signed.inside();
  if (!fields.next()) return undefined;
  if (fields.is(Tag.VERSION) && !fields.next()) return undefined;
  if (!fields.next() || !fields.next() || !fields.is(Tag.SEQUENCE)) return undefined;
  const issuer = nameOf(fields);
  if (!fields.next() || !fields.next() || !fields.is(Tag.SEQUENCE)) return undefined;
  const subject = nameOf(fields);
  let names: string[] = [];
  while (fields.next()) if (fields.is(Tag.EXTENSIONS)) names = dnsNames(fields);
  return { subject, issuer, dnsNames: names };
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
