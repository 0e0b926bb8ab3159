/**
 * Fingerprints of hellos. JA3 and JA3S: github.com/salesforce/ja3. JA4: the TLS client fingerprint of
 * github.com/FoxIO-LLC/ja4, which is under the BSD 3-Clause licence; the other fingerprints of that family are under a
 * licence of their own and are not offered here.
 */
import { createHash } from 'node:crypto';
import { HEX } from '../bytes.ts';
import { type ClientHello, Extension, isGrease, type ServerHello } from './hello.ts';

/** Digests that are remembered, of each kind. Clients are many, their kinds few. */
const MOST_REMEMBERED = 4096;

/** `compute`, done once for each text as long as there are not too many. */
function remembered(compute: (text: string) => string): (text: string) => string {
  const known = new Map<string, string>();
  return (text) => {
    const before = known.get(text);
    if (before !== undefined) return before;
    if (known.size === MOST_REMEMBERED) known.clear();
    const result = compute(text);
    known.set(text, result);
    return result;
  };
}

/** Numbers as `digits` has them, with `between` between them, without GREASE. */
function joined(values: Uint16Array, digits: (value: number) => string, between: string): string {
  let text = '';
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    if (isGrease(value)) continue;
    text += text === '' ? digits(value) : between + digits(value);
  }
  return text;
}

/** In decimal, joined by dashes. */
function dashed(values: Uint16Array): string {
  return joined(values, String, '-');
}

export function ja3Text(hello: ClientHello): string {
  const lists = [hello.ciphers, hello.extensions, hello.groups, hello.pointFormats];
  return `${hello.version},${lists.map(dashed).join(',')}`;
}

export function ja3sText(hello: ServerHello): string {
  return `${hello.version},${hello.cipher},${dashed(hello.extensions)}`;
}

export const md5 = remembered((text) => createHash('md5').update(text, 'latin1').digest('hex'));

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
  return HEX[value >> 8] + HEX[value & 0xff];
}

/** How many there are without GREASE, in two digits. */
function count(values: Uint16Array): string {
  let n = 0;
  for (let i = 0; i < values.length; i++) if (!isGrease(values[i])) n++;
  return String(Math.min(n, 99)).padStart(2, '0');
}

const NONE_HASH = '000000000000';

function hash12(text: string): string {
  return createHash('sha256').update(text, 'latin1').digest('hex').slice(0, 12);
}

/** In order of their numbers, which is that of their digits. */
function inOrder(list: string): string {
  return list.split(',').sort().join(',');
}

const cipherHash = remembered((ciphers) => (ciphers === '' ? NONE_HASH : hash12(inOrder(ciphers))));

/** Of extensions in order, but for those that differ from name to name, and signature algorithms as they were sent. */
const extensionHash = remembered((lists) => {
  const [extensions, signatures] = lists.split('_');
  const named = [hex4(Extension.SERVER_NAME), hex4(Extension.ALPN)];
  const kept = extensions.split(',').filter((type) => type !== '' && !named.includes(type));
  if (kept.length === 0) return NONE_HASH;
  const sorted = kept.sort().join(',');
  return hash12(signatures === '' ? sorted : `${sorted}_${signatures}`);
});

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

/** The number of the newest version that the client offers. Those of DTLS count down. */
function newestVersion(hello: ClientHello, transport: 't' | 'q' | 'd'): number {
  let newest = -1;
  for (const version of hello.versions) {
    if (isGrease(version)) continue;
    if (newest < 0 || (transport === 'd' ? version < newest : version > newest)) newest = version;
  }
  return newest < 0 ? hello.version : newest;
}

/** @param transport `t` over TCP, `q` over QUIC, `d` for DTLS */
export function ja4(hello: ClientHello, transport: 't' | 'q' | 'd'): string {
  const { ciphers, extensions } = hello;
  const version = VERSION_DIGITS[newestVersion(hello, transport)] ?? '00';
  const named = hello.asksForName ? 'd' : 'i';
  const head = transport + version + named + count(ciphers) + count(extensions) + alpnDigits(hello);
  const lists = `${joined(extensions, hex4, ',')}_${joined(hello.signatureAlgorithms, hex4, ',')}`;
  return `${head}_${cipherHash(joined(ciphers, hex4, ','))}_${extensionHash(lists)}`;
}
