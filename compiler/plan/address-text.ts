/** Addresses and prefixes as people write them. */
import type { FieldType } from '../../runtime/protocols/field.ts';
import type { Range } from './ranges.ts';

function parts(value: bigint, count: number, bits: bigint): readonly bigint[] {
  const mask = (1n << bits) - 1n;
  return Array.from({ length: count }, (_, i) => (value >> (bits * BigInt(count - 1 - i))) & mask);
}

/** RFC 5952: the longest run of two zero groups or more is `::`. */
function ipv6Text(value: bigint): string {
  const groups = parts(value, 8, 16n).map((group) => group.toString(16));
  const runs = [...groups.join(':').matchAll(/(?:^|:)(0(?::0)+)(?=:|$)/g)].map((m) => m[1] ?? '');
  const longest = runs.sort((a, b) => b.length - a.length)[0];
  const text = groups.join(':');
  if (longest === undefined) return text;
  const at = new RegExp(`(^|:)${longest}(:|$)`);
  return text.replace(at, '::');
}

/** Text of an address of that type; undefined for other types. */
export function addressText(type: FieldType, value: bigint): string | undefined {
  if (type === 'ipv4') return parts(value, 4, 8n).join('.');
  if (type === 'ipv6') return ipv6Text(value);
  if (type === 'mac')
    return parts(value, 6, 8n)
      .map((byte) => byte.toString(16).padStart(2, '0'))
      .join(':');
  return undefined;
}

/** Length of the prefix that a range is, of addresses of so many bits; undefined if it is none. */
export function prefixLength({ low, high }: Range, bits: number): number | undefined {
  const size = high - low + 1n;
  if ((size & (size - 1n)) !== 0n || low % size !== 0n) return undefined;
  return bits - (size.toString(2).length - 1);
}
