/**
 * Record data as in a zone file, names without the final dot. Types without a text of their own here are written as
 * RFC 3597 section 5 has it, `\# LENGTH HEX`, and so is data that does not fit its type.
 */
import { hexOf, ipv4Text, ipv6Text, latin1Of, textOf, u16 } from '../bytes.ts';
import { DNS_TYPES } from './fields.ts';
import { nameAt, skipName } from './name.ts';
import { serviceText } from './service-text.ts';

const enum Type {
  A = 1,
  NS = 2,
  CNAME = 5,
  SOA = 6,
  MB = 7,
  MG = 8,
  MR = 9,
  PTR = 12,
  HINFO = 13,
  MX = 15,
  TXT = 16,
  RP = 17,
  AFSDB = 18,
  RT = 21,
  SIG = 24,
  KEY = 25,
  AAAA = 28,
  LOC = 29,
  SRV = 33,
  NAPTR = 35,
  KX = 36,
  CERT = 37,
  DNAME = 39,
  DS = 43,
  SSHFP = 44,
  RRSIG = 46,
  NSEC = 47,
  DNSKEY = 48,
  DHCID = 49,
  NSEC3 = 50,
  NSEC3PARAM = 51,
  TLSA = 52,
  SMIMEA = 53,
  CDS = 59,
  CDNSKEY = 60,
  OPENPGPKEY = 61,
  CSYNC = 62,
  ZONEMD = 63,
  SVCB = 64,
  HTTPS = 65,
  SPF = 99,
  EUI48 = 108,
  EUI64 = 109,
  URI = 256,
  CAA = 257,
}

const TYPE_NAMES = new Map(Object.entries(DNS_TYPES).map(([name, number]) => [number, name]));

function typeName(type: number): string {
  return TYPE_NAMES.get(type) ?? `TYPE${type}`;
}

function u32(bytes: Uint8Array, at: number): number {
  return u16(bytes, at) * 0x10000 + u16(bytes, at + 2);
}

function base64(bytes: Uint8Array, start: number, end: number): string {
  return btoa(latin1Of(bytes, start, end));
}

const BASE32_HEX = '0123456789abcdefghijklmnopqrstuv';

/** Five bits a character, without padding (RFC 4648 section 7), in lower case. */
function base32Hex(bytes: Uint8Array): string {
  let text = '';
  let bits = 0;
  let held = 0;
  for (const byte of bytes) {
    held = ((held << 8) | byte) & 0xfff;
    for (bits += 8; bits >= 5; bits -= 5) text += BASE32_HEX[(held >> (bits - 5)) & 31];
  }
  return bits > 0 ? text + BASE32_HEX[(held << (5 - bits)) & 31] : text;
}

/** The strings from `at` to `end`, each with its length in front (RFC 1035 section 3.3). */
function strings(bytes: Uint8Array, from: number, end: number): string[] {
  const list: string[] = [];
  for (let at = from; at < end; at += 1 + bytes[at]) {
    list.push(textOf(bytes, at + 1, Math.min(at + 1 + bytes[at], end)));
  }
  return list;
}

/** The types of a bit map (RFC 4034 section 4.1.2). */
function typeBits(bytes: Uint8Array, from: number, end: number): string {
  const names: string[] = [];
  for (let at = from; at + 2 <= end; at += 2 + bytes[at + 1]) {
    const stop = Math.min(end, at + 2 + bytes[at + 1]);
    for (let i = at + 2; i < stop; i++) {
      for (let bit = 0; bit < 8; bit++) {
        if ((bytes[i] & (128 >> bit)) !== 0) names.push(typeName(bytes[at] * 256 + (i - at - 2) * 8 + bit));
      }
    }
  }
  return names.join(' ');
}

/** A second since 1970 as the fourteen digits of RFC 4034 section 3.2. */
function timeText(seconds: number): string {
  return new Date(seconds * 1000).toISOString().replace(/[-:T]|\..*/g, '');
}

/** RFC 1876 section 3: degrees, minutes and seconds, and metres. */
function locationText(bytes: Uint8Array, at: number): string {
  const angle = (value: number, [positive, negative]: string) => {
    const thousandths = Math.abs(value - 2 ** 31);
    const [degrees, minutes] = [Math.floor(thousandths / 3_600_000), Math.floor(thousandths / 60_000) % 60];
    return `${degrees} ${minutes} ${((thousandths % 60_000) / 1000).toFixed(3)} ${value < 2 ** 31 ? negative : positive}`;
  };
  const size = (byte: number) => `${(((byte >> 4) * 10 ** (byte & 15)) / 100).toFixed(2)}m`;
  const altitude = (u32(bytes, at + 12) - 10_000_000) / 100;
  const precision = [1, 2, 3].map((i) => size(bytes[at + i]));
  return `${angle(u32(bytes, at + 4), 'NS')} ${angle(u32(bytes, at + 8), 'EW')} ${altitude.toFixed(2)}m ${precision.join(' ')}`;
}

const quoted = (text: string) => `"${text.replace(/["\\]/g, '\\$&')}"`;

/** A text, or undefined where the data does not fit the type. */
function textFor(message: Uint8Array, type: Type, at: number, end: number): string | undefined {
  const name = (from: number) => nameAt(message, 0, message.length, from);
  const hex = (from: number) => hexOf(message.subarray(from, end));
  const length = end - at;
  switch (type) {
    case Type.A:
      return length === 4 ? ipv4Text(message, at) : undefined;
    case Type.AAAA:
      return length === 16 ? ipv6Text(message, at) : undefined;
    case Type.NS:
    case Type.CNAME:
    case Type.MB:
    case Type.MG:
    case Type.MR:
    case Type.PTR:
    case Type.DNAME:
      return name(at);
    case Type.MX:
    case Type.AFSDB:
    case Type.RT:
    case Type.KX:
      return length > 2 ? `${u16(message, at)} ${name(at + 2)}` : undefined;
    case Type.SRV:
      if (length <= 6) return undefined;
      return `${u16(message, at)} ${u16(message, at + 2)} ${u16(message, at + 4)} ${name(at + 6)}`;
    case Type.SOA: {
      const second = skipName(message, at, end);
      const numbers = second < 0 ? -1 : skipName(message, second, end);
      if (numbers < 0 || numbers + 20 > end) return undefined;
      const five = [0, 4, 8, 12, 16].map((i) => u32(message, numbers + i));
      return `${name(at)} ${name(second)} ${five.join(' ')}`;
    }
    case Type.RP: {
      const second = skipName(message, at, end);
      return second > 0 && second < end ? `${name(at)} ${name(second)}` : undefined;
    }
    case Type.TXT:
    case Type.SPF:
    case Type.HINFO:
      return strings(message, at, end).join(' ');
    case Type.NAPTR: {
      let next = at + 4;
      for (let i = 0; i < 3 && next < end; i++) next += 1 + message[next];
      if (length < 8 || next >= end) return undefined;
      const texts = strings(message, at + 4, next).map(quoted);
      return `${u16(message, at)} ${u16(message, at + 2)} ${texts.join(' ')} ${name(next)}`;
    }
    case Type.CAA: {
      const value = at + 2 + (length > 1 ? message[at + 1] : 0);
      if (length <= 2 || value > end) return undefined;
      return `${message[at]} ${textOf(message, at + 2, value)} "${textOf(message, value, end)}"`;
    }
    case Type.URI:
      return length > 4 ? `${u16(message, at)} ${u16(message, at + 2)} "${textOf(message, at + 4, end)}"` : undefined;
    case Type.DS:
    case Type.CDS:
      return length > 4 ? `${u16(message, at)} ${message[at + 2]} ${message[at + 3]} ${hex(at + 4)}` : undefined;
    case Type.SSHFP:
      return length > 2 ? `${message[at]} ${message[at + 1]} ${hex(at + 2)}` : undefined;
    case Type.TLSA:
    case Type.SMIMEA:
      return length > 3 ? `${message[at]} ${message[at + 1]} ${message[at + 2]} ${hex(at + 3)}` : undefined;
    case Type.ZONEMD:
      return length > 6 ? `${u32(message, at)} ${message[at + 4]} ${message[at + 5]} ${hex(at + 6)}` : undefined;
    case Type.DNSKEY:
    case Type.CDNSKEY:
    case Type.KEY:
      if (length < 4) return undefined;
      return `${u16(message, at)} ${message[at + 2]} ${message[at + 3]} ${base64(message, at + 4, end)}`;
    case Type.CERT:
      if (length < 5) return undefined;
      return `${u16(message, at)} ${u16(message, at + 2)} ${message[at + 4]} ${base64(message, at + 5, end)}`;
    case Type.OPENPGPKEY:
    case Type.DHCID:
      return base64(message, at, end);
    case Type.RRSIG:
    case Type.SIG: {
      const signature = length > 18 ? skipName(message, at + 18, end) : -1;
      if (signature < 0) return undefined;
      const [algorithm, labels] = [message[at + 2], message[at + 3]];
      const times = `${timeText(u32(message, at + 8))} ${timeText(u32(message, at + 12))}`;
      const key = `${u16(message, at + 16)} ${name(at + 18)} ${base64(message, signature, end)}`;
      return `${typeName(u16(message, at))} ${algorithm} ${labels} ${u32(message, at + 4)} ${times} ${key}`;
    }
    case Type.NSEC: {
      const bits = skipName(message, at, end);
      return bits < 0 ? undefined : `${name(at)} ${typeBits(message, bits, end)}`;
    }
    case Type.NSEC3:
    case Type.NSEC3PARAM: {
      const hash = length > 4 ? at + 5 + message[at + 4] : end + 1;
      if (hash > end) return undefined;
      const salt = hexOf(message.subarray(at + 5, hash)) || '-';
      const fixed = `${message[at]} ${message[at + 1]} ${u16(message, at + 2)} ${salt}`;
      if (type === Type.NSEC3PARAM) return fixed;
      const bits = hash < end ? hash + 1 + message[hash] : end + 1;
      if (bits > end) return undefined;
      return `${fixed} ${base32Hex(message.subarray(hash + 1, bits))} ${typeBits(message, bits, end)}`.trimEnd();
    }
    case Type.CSYNC:
      if (length < 6) return undefined;
      return `${u32(message, at)} ${u16(message, at + 4)} ${typeBits(message, at + 6, end)}`.trimEnd();
    case Type.SVCB:
    case Type.HTTPS:
      return serviceText(message, at, end);
    case Type.LOC:
      return length === 16 && message[at] === 0 ? locationText(message, at) : undefined;
    case Type.EUI48:
    case Type.EUI64:
      return length === (type === Type.EUI48 ? 6 : 8) ? hex(at).replace(/..(?=.)/g, '$&-') : undefined;
    default:
      return undefined;
  }
}

/** The data from `at` to `end` of a record of this type. */
export function recordText(message: Uint8Array, type: number, at: number, end: number): string {
  const text = textFor(message, type, at, end);
  if (text !== undefined) return text;
  return `\\# ${end - at}${end > at ? ` ${hexOf(message.subarray(at, end))}` : ''}`;
}
