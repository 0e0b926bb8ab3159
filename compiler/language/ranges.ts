/** Sets of whole numbers as sorted, disjoint, merged ranges; both ends belong to a range. */

export interface Range {
  readonly low: bigint;
  readonly high: bigint;
}

/** Sorts and joins ranges that overlap or touch. */
export function mergeRanges(ranges: readonly Range[]): readonly Range[] {
  const sorted = [...ranges].sort((a, b) => (a.low < b.low ? -1 : a.low > b.low ? 1 : 0));
  const merged: { low: bigint; high: bigint }[] = [];
  for (const { low, high } of sorted) {
    const last = merged.at(-1);
    if (last !== undefined && low <= last.high + 1n) {
      if (high > last.high) last.high = high;
    } else merged.push({ low, high });
  }
  return merged;
}

/** The numbers in both; each list is sorted and disjoint. */
export function intersectRanges(a: readonly Range[], b: readonly Range[]): readonly Range[] {
  const out: Range[] = [];
  for (const x of a) {
    for (const y of b) {
      let { low, high } = x;
      if (y.low > low) low = y.low;
      if (y.high < high) high = y.high;
      if (low <= high) out.push({ low, high });
    }
  }
  return out;
}

/** The numbers of `a` that are not in `b`; each list is sorted and disjoint. */
export function subtractRanges(a: readonly Range[], b: readonly Range[]): readonly Range[] {
  let left: readonly Range[] = a;
  for (const cut of b) {
    left = left.flatMap(({ low, high }) => {
      if (cut.high < low || cut.low > high) return [{ low, high }];
      const parts: Range[] = [];
      if (low < cut.low) parts.push({ low, high: cut.low - 1n });
      if (cut.high < high) parts.push({ low: cut.high + 1n, high });
      return parts;
    });
  }
  return left;
}
