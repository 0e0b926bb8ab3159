/**
 * Many constants on one field, or on a few, looked up instead of tried one after the other: what generated modules use where
 * a filter holds hundreds of subnets or ports. Hot: tables are built once per worker, a lookup allocates nothing.
 *
 * Values are unsigned 32-bit numbers, given as int32 or not: both mean the same.
 */

/** First values of ranges that follow each other without gaps, and an index of them by the value's upper bits. */
interface Steps {
  /** Sorted; the sign bit is flipped, so that signed comparison gives the unsigned order. The first is 0. */
  readonly starts: Int32Array;
  /** `index[top]`: number of the range that holds the first value with these upper bits. */
  readonly index: Int32Array;
  readonly shift: number;
}

const SIGN = 0x80000000 | 0;

/** `starts`: sorted, distinct, beginning with 0. */
function makeSteps(starts: readonly number[]): Steps {
  const shift = (starts.at(-1) ?? 0) > 0xffff ? 24 : 8;
  const tops = 2 ** (32 - shift);
  const index = new Int32Array(Math.min(tops, 1 << 8) + 2);
  let range = 0;
  for (let top = 0; top < index.length; top++) {
    while (range + 1 < starts.length && (starts[range + 1] ?? 0) <= top * 2 ** shift) range++;
    index[top] = range;
  }
  return { starts: Int32Array.from(starts, (value) => value ^ SIGN), index, shift };
}

/** The function that finds the range of a value: one step where few ranges share the value's upper bits. */
function finder({ starts, index, shift }: Steps): (value: number) => number {
  const last = index.length - 2;
  return (value) => {
    const wanted = value ^ SIGN;
    let top = value >>> shift;
    if (top > last) top = last;
    let low = index[top] as number;
    // Beyond what the index tells apart lies the last range only.
    let high = top === last ? starts.length - 1 : (index[top + 1] as number);
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((starts[middle] as number) <= wanted) low = middle;
      else high = middle - 1;
    }
    return low;
  };
}

/** Where anything changes along a field. */
function startsOf(ranges: Iterable<readonly [low: number, high: number]>): readonly number[] {
  const starts = new Set([0]);
  for (const [low, high] of ranges) {
    starts.add(low);
    if (high < 0xffffffff) starts.add(high + 1);
  }
  return [...starts].sort((a, b) => a - b);
}

/**
 * Which of many ranges a value lies in. `ranges`: low, high (included) and a number above 0 of each, one after the other; where
 * they overlap the first counts. The function returns the number, 0 outside all of them.
 */
export function rangeMap(ranges: readonly number[]): (value: number) => number {
  const list: [low: number, high: number, mark: number][] = [];
  for (let i = 0; i + 2 < ranges.length; i += 3) {
    list.push([ranges[i] ?? 0, ranges[i + 1] ?? 0, ranges[i + 2] ?? 0]);
  }
  const starts = startsOf(list.map(([low, high]) => [low, high]));
  const marks = new Int32Array(starts.length);
  const place = new Map(starts.map((start, i) => [start, i]));
  for (const [low, high, mark] of list) {
    for (let i = place.get(low) ?? 0; i < starts.length && (starts[i] ?? 0) <= high; i++) marks[i] ||= mark;
  }
  const find = finder(makeSteps(starts));
  return (value) => marks[find(value)] as number;
}

/**
 * Where an IPv6 address lies among many. `starts`: addresses as four big-endian words each, sorted, distinct. The function
 * takes an address likewise, words as int32 or not, and returns the number of the last that is not above it, from 0; -1
 * if all are.
 */
export function addressSteps(starts: readonly number[]): (a: number, b: number, c: number, d: number) => number {
  const words = Int32Array.from(starts, (word) => word ^ SIGN);
  const last = (words.length >> 2) - 1;
  return (a, b, c, d) => {
    const [e, f, g, h] = [a ^ SIGN, b ^ SIGN, c ^ SIGN, d ^ SIGN];
    let low = -1;
    let high = last;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      const at = middle << 2;
      const one = words[at] as number;
      const two = words[at + 1] as number;
      const three = words[at + 2] as number;
      const below =
        one !== e ? one < e : two !== f ? two < f : three !== g ? three < g : (words[at + 3] as number) <= h;
      if (below) low = middle;
      else high = middle - 1;
    }
    return low;
  };
}

/** What one member of a family asks of the fields that tell its members apart. Several rules of a member: any of them. */
export interface FamilyRule {
  readonly member: number;
  /** Per field: low, high, low, high, …, ends included; empty: any value. */
  readonly ranges: readonly (readonly number[])[];
}

export interface Classifier {
  /** Finds the members that the values of the fields satisfy; returns how many. */
  find(a: number, b: number, c: number, d: number): number;
  /** What was found last: numbers of members, ascending. Valid until the next `find`. */
  readonly found: Int32Array;
  /** The member wants no more of connection `c`. */
  leave(c: number, member: number): void;
  left(c: number, member: number): boolean;
  /** Connection `c` ends. */
  forget(c: number): void;
}

/** A field of a classifier: which rules each of its ranges satisfies, as rows of bits. */
interface RuleBits {
  readonly find: (value: number) => number;
  readonly bits: Int32Array;
}

/**
 * Finds out which of many rules over up to four fields hold: per field one lookup that yields the rules as bits, and the
 * bits of all fields and'ed (the bit vectors of Lakshman and Stiliadis, SIGCOMM 1998). 512 rules are 16 words.
 */
export function createClassifier(rules: readonly FamilyRule[]): Classifier {
  const sorted = [...rules].sort((a, b) => a.member - b.member);
  const words = Math.ceil(sorted.length / 32);
  const members = Int32Array.from(sorted, (rule) => rule.member);
  const found = new Int32Array(new Set(members).size);
  const fields = [0, 1, 2, 3].map((field) => ruleBits(sorted, field, words));
  const [first, second, third, fourth] = fields as [RuleBits, RuleBits, RuleBits, RuleBits];
  const { bits: bits0 } = first;
  const { bits: bits1 } = second;
  const { bits: bits2 } = third;
  const { bits: bits3 } = fourth;
  const gone = new Map<number, Set<number>>();
  return {
    found,
    leave(c, member) {
      const members = gone.get(c);
      if (members === undefined) gone.set(c, new Set([member]));
      else members.add(member);
    },
    left: (c, member) => gone.size > 0 && gone.get(c)?.has(member) === true,
    forget(c) {
      if (gone.size > 0) gone.delete(c);
    },
    find(a, b, c, d) {
      const row0 = first.find(a) * words;
      const row1 = second.find(b) * words;
      const row2 = third.find(c) * words;
      const row3 = fourth.find(d) * words;
      let count = 0;
      let previous = -1;
      for (let word = 0; word < words; word++) {
        let left =
          (bits0[row0 + word] as number) &
          (bits1[row1 + word] as number) &
          (bits2[row2 + word] as number) &
          (bits3[row3 + word] as number);
        while (left !== 0) {
          const lowest = left & -left;
          left ^= lowest;
          const member = members[(word << 5) + 31 - Math.clz32(lowest)] as number;
          if (member !== previous) found[count++] = member;
          previous = member;
        }
      }
      return count;
    },
  };
}

function ruleBits(rules: readonly FamilyRule[], field: number, words: number): RuleBits {
  const rangesOf = (rule: FamilyRule): [number, number][] => {
    const flat = rule.ranges[field] ?? [];
    if (flat.length === 0) return [[0, 0xffffffff]];
    return Array.from({ length: flat.length >> 1 }, (_, i) => [flat[2 * i] ?? 0, flat[2 * i + 1] ?? 0]);
  };
  const starts = startsOf(rules.flatMap(rangesOf));
  const place = new Map(starts.map((start, i) => [start, i]));
  const bits = new Int32Array(starts.length * words);
  for (const [number, rule] of rules.entries()) {
    for (const [low, high] of rangesOf(rule)) {
      for (let i = place.get(low) ?? 0; i < starts.length && (starts[i] ?? 0) <= high; i++) {
        const at = i * words + (number >> 5);
        bits[at] = (bits[at] ?? 0) | (1 << (number & 31));
      }
    }
  }
  return { find: finder(makeSteps(starts)), bits };
}
