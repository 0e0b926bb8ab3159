/**
 * Fingerprints of hellos. JA3 and JA3S: github.com/salesforce/ja3. JA4: the TLS client fingerprint of
 * github.com/FoxIO-LLC/ja4, which is under the BSD 3-Clause licence; the other fingerprints of that family are under a
 * licence of their own and are not offered here.
 */
import { createHash } from 'node:crypto';
import { type ClientHello, Extension, isGrease, type ServerHello } from './hello.ts';

/** Numbers in decimal, joined by dashes, without GREASE. */
function dashed(values: Uint16Array): string {
  return values.filter((value) => !isGrease(value)).join('-');
}

export function ja3Text(hello: ClientHello): string {
  const lists = [hello.ciphers, hello.extensions, hello.groups, hello.pointFormats];
  return `${hello.version},${lists.map(dashed).join(',')}`;
}

export function ja3sText(hello: ServerHello): string {
  return `${hello.version},${hello.cipher},${dashed(hello.extensions)}`;
}

export function md5(text: string): string {
  return createHash('md5').update(text, 'latin1').digest('hex');
}

const VERSION_DIGITS: Readonly<Record<number, string>> = {
  2: 's2',
  768: 's3',
  769: '10',
  770: '11',
  771: '12',
  772: '13',
  65279: 'd1',
  65277: 'd2',
  65276: 'd3',
};

function hex4(value: number): string {
  return value.toString(16).padStart(4, '0');
}

function count(values: Uint16Array): string {
  return String(Math.min(values.length, 99)).padStart(2, '0');
}

function hash12(text: string): string {
  return createHash('sha256').update(text, 'latin1').digest('hex').slice(0, 12);
}

function isAlphanumeric(byte: number): boolean {
  return (byte >= 0x30 && byte <= 0x39) || (byte >= 0x41 && byte <= 0x5a) || (byte >= 0x61 && byte <= 0x7a);
}

/** First and last character of the first ALPN name, or of its hex form where either is no letter or digit. */
function alpnDigits(hello: ClientHello): string {
  const ends = hello.alpnEnds;
  if (ends < 0) return '00';
  const first = ends >> 8;
  const last = ends & 0xff;
  if (isAlphanumeric(first) && isAlphanumeric(last)) return String.fromCharCode(first, last);
  return (first >> 4).toString(16) + (last & 15).toString(16);
}

/** @param transport `t` over TCP, `q` over QUIC, `d` for DTLS */
export function ja4(hello: ClientHello, transport: 't' | 'q' | 'd'): string {
  const plain = (values: Uint16Array) => values.filter((value) => !isGrease(value));
  const ciphers = plain(hello.ciphers);
  const extensions = plain(hello.extensions);
  const versions = plain(hello.versions);
  // Numbers of DTLS count down.
  const newest = transport === 'd' ? Math.min(...versions) : Math.max(...versions);
  const version = VERSION_DIGITS[versions.length > 0 ? newest : hello.version] ?? '00';
  const named = hello.asksForName ? 'd' : 'i';
  const head = transport + version + named + count(ciphers) + count(extensions) + alpnDigits(hello);

  const cipherHash = ciphers.length === 0 ? '000000000000' : hash12(Array.from(ciphers.sort(), hex4).join(','));

  const sorted = extensions.filter((type) => type !== Extension.SERVER_NAME && type !== Extension.ALPN).sort();
  const signatures = plain(hello.signatureAlgorithms);
  let tail = Array.from(sorted, hex4).join(',');
  if (signatures.length > 0) tail += `_${Array.from(signatures, hex4).join(',')}`;
  return `${head}_${cipherHash}_${sorted.length === 0 ? '000000000000' : hash12(tail)}`;
}
