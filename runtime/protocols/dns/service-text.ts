/** Data of SVCB and HTTPS records as in a zone file (RFC 9460 section 2). */
import { hexOf, ipv4Text, ipv6Text, latin1Of, textOf, u16 } from '../bytes.ts';
import { nameAt, skipName } from './name.ts';

const enum Key {
  MANDATORY = 0,
  ALPN = 1,
  PORT = 3,
  IPV4_HINT = 4,
  ECH = 5,
  IPV6_HINT = 6,
}
/** Names by number (IANA, Service Parameter Keys). */
const NAMES = ['mandatory', 'alpn', 'no-default-alpn', 'port', 'ipv4hint', 'ech', 'ipv6hint', 'dohpath', 'ohttp'];

function keyName(key: number): string {
  return NAMES[key] ?? `key${key}`;
}

/** Texts of the items of `size` bytes between the offsets. */
function items(from: number, to: number, size: number, text: (at: number) => string): string {
  const list: string[] = [];
  for (let at = from; at + size <= to; at += size) list.push(text(at));
  return list.join(',');
}

function parameterText(bytes: Uint8Array, key: number, at: number, end: number): string {
  const name = keyName(key);
  if (at === end) return name;
  switch (key) {
    case Key.MANDATORY:
      return `${name}=${items(at, end, 2, (i) => keyName(u16(bytes, i)))}`;
    case Key.ALPN: {
      const list: string[] = [];
      for (let i = at; i < end; i += 1 + bytes[i]) list.push(textOf(bytes, i + 1, Math.min(end, i + 1 + bytes[i])));
      return `${name}="${list.join(',')}"`;
    }
    case Key.PORT:
      return end - at === 2 ? `${name}=${u16(bytes, at)}` : `${name}="${hexOf(bytes.subarray(at, end))}"`;
    case Key.IPV4_HINT:
      return `${name}=${items(at, end, 4, (i) => ipv4Text(bytes, i))}`;
    case Key.IPV6_HINT:
      return `${name}=${items(at, end, 16, (i) => ipv6Text(bytes, i))}`;
    case Key.ECH:
      return `${name}="${btoa(latin1Of(bytes, at, end))}"`;
    default:
      return `${name}="${textOf(bytes, at, end)}"`;
  }
}

/** Priority, target and parameters of the record's data from `at` to `end`; undefined where it does not fit. */
export function serviceText(message: Uint8Array, at: number, end: number): string | undefined {
  const first = end - at > 2 ? skipName(message, at + 2, end) : -1;
  if (first < 0) return undefined;
  const parts = [`${u16(message, at)}`, nameAt(message, 0, message.length, at + 2)];
  for (let i = first; i < end; ) {
    const value = i + 4;
    const next = value <= end ? value + u16(message, i + 2) : end + 1;
    if (next > end) return undefined;
    parts.push(parameterText(message, u16(message, i), value, next));
    i = next;
  }
  return parts.join(' ');
}
