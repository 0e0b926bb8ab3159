/** Sets of numbers as sorted, disjoint lists of ranges; ends included. */
import type { FieldDef, FieldType } from '../../runtime/protocols/field.ts';

export interface Range {
  readonly low: bigint;
  readonly high: bigint;
}
export type Ranges = readonly Range[];

const MAXIMA: Partial<Record<FieldType, bigint>> = {
  bool: 1n,
  u8: 0xffn,
  u16: 0xffffn,
  u32: 0xffff_ffffn,
  ipv4: 0xffff_ffffn,
  mac: 0xffff_ffff_ffffn,
  u64: (1n << 64n) - 1n,
  ipv6: (1n << 128n) - 1n,
};

/** Largest value of a numeric field; undefined for texts, bytes and lists. */
export function maximumOf(field: FieldDef): bigint | undefined {
  const byType = MAXIMA[field.type];
  return byType !== undefined && field.max !== undefined ? BigInt(field.max) : byType;
}

export function mergeRanges(ranges: Ranges): Ranges {
  const sorted = [...ranges].sort((a, b) => (a.low < b.low ? -1 : a.low > b.low ? 1 : 0));
  const out: { low: bigint; high: bigint }[] = [];
  for (const range of sorted) {
    const last = out.at(-1);
    if (last !== undefined && range.low <= last.high + 1n) {
      if (range.high > last.high) last.high = range.high;
    } else out.push({ low: range.low, high: range.high });
  }
  return out;
}

function larger(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}
function smaller(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}

export function intersectRanges(a: Ranges, b: Ranges): Ranges {
  const out: Range[] = [];
  for (const x of a) {
    for (const y of b) {
      const low = larger(x.low, y.low);
      const high = smaller(x.high, y.high);
      if (low <= high) out.push({ low, high });
    }
  }
  return mergeRanges(out);
}

export function complementRanges(ranges: Ranges, max: bigint): Ranges {
  const out: Range[] = [];
  let next = 0n;
  for (const range of mergeRanges(ranges)) {
    if (range.low > next) out.push({ low: next, high: range.low - 1n });
    next = range.high + 1n;
  }
  if (next <= max) out.push({ low: next, high: max });
  return out;
}

export function subtractRanges(a: Ranges, b: Ranges, max: bigint): Ranges {
  return intersectRanges(a, complementRanges(b, max));
}

export function isSubset(a: Ranges, b: Ranges): boolean {
  return a.every((x) => b.some((y) => y.low <= x.low && x.high <= y.high));
}

/** A range as prefixes, in order: blocks of 2^n values that begin at a multiple of their size. */
export function splitPrefixes({ low, high }: Range): Ranges {
  const out: Range[] = [];
  for (let at = low; at <= high; ) {
    let size = 1n;
    while (at % (size * 2n) === 0n && at + size * 2n - 1n <= high) size *= 2n;
    out.push({ low: at, high: at + size - 1n });
    at += size;
  }
  return out;
}
