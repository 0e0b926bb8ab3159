/**
 * Disjunctive normal form: the patterns of an expression. Every product is simplified as it is made, so that
 * contradictions and repeats never pile up; patterns that another one absorbs go, patterns that differ in one test merge.
 */
import type { FieldPredicate, Test } from '../language/typed.ts';
import {
  compareLiterals,
  fieldAtom,
  fieldKey,
  type Literal,
  literalKey,
  type Pattern,
  patternKey,
  testKey,
} from './atom.ts';
import type { Formula } from './formula.ts';
import { absorbs, describeTest, isConflict, simplifyPattern } from './pattern.ts';
import type { World } from './presence.ts';
import { mergeRanges } from './ranges.ts';

/** Most patterns of one expression, at any point of its expansion. */
export const MAX_PATTERNS = 512;

export interface Dnf {
  /** The expression is the disjunction of these; none: it is never true. */
  readonly patterns: readonly Pattern[];
  /** Why patterns were pruned, without repeats, in order of discovery. */
  readonly conflicts: readonly string[];
}

/** Thrown inside the pass only; {@link toDnf} turns it into `undefined`. */
class TooManyPatterns extends Error {}

/** The patterns of a formula, or undefined when there would be more than {@link MAX_PATTERNS}. */
export function toDnf(formula: Formula, world: World): Dnf | undefined {
  const conflicts = new Set<string>();
  try {
    const patterns = expand(formula, world, conflicts);
    return { patterns: mergePatterns(patterns, world), conflicts: [...conflicts] };
  } catch (error) {
    if (error instanceof TooManyPatterns) return undefined;
    throw error;
  }
}

function expand(formula: Formula, world: World, conflicts: Set<string>): readonly Pattern[] {
  switch (formula.kind) {
    case 'true':
      return [[]];
    case 'false':
      return [];
    case 'literal':
      return collect([[formula.literal]], world, conflicts);
    case 'or':
      return limited(absorbAll(formula.terms.flatMap((term) => expand(term, world, conflicts))));
    case 'and': {
      let product: readonly Pattern[] = [[]];
      for (const term of formula.terms) {
        const factors = expand(term, world, conflicts);
        if (product.length * factors.length > MAX_PATTERNS * 16) throw new TooManyPatterns();
        const products = product.flatMap((a) => factors.map((b) => [...a, ...b]));
        product = limited(absorbAll(collect(products, world, conflicts)));
      }
      return product;
    }
  }
}

function collect(candidates: readonly Literal[][], world: World, conflicts: Set<string>): Pattern[] {
  const out: Pattern[] = [];
  for (const candidate of candidates) {
    const result = simplifyPattern(candidate, world);
    if (isConflict(result)) conflicts.add(result.conflict);
    else out.push(result);
  }
  return out;
}

function limited(patterns: readonly Pattern[]): readonly Pattern[] {
  if (patterns.length > MAX_PATTERNS) throw new TooManyPatterns();
  return patterns;
}

/** Drops patterns that another pattern of the list absorbs. Keeps the order. */
export function absorbAll(patterns: readonly Pattern[]): readonly Pattern[] {
  const unique = [...new Map(patterns.map((p) => [patternKey(p), p])).values()];
  const kept: Pattern[] = [];
  for (const pattern of unique) {
    if (kept.some((k) => absorbs(k, pattern))) continue;
    for (let i = kept.length - 1; i >= 0; i--) {
      const other = kept[i];
      if (other !== undefined && absorbs(pattern, other)) kept.splice(i, 1);
    }
    kept.push(pattern);
  }
  return kept;
}

/** From this many patterns on those that differ in the values of one field are found by what they share. */
const JOIN_FROM = 16;

/**
 * Joins patterns that differ in one test of one field, all at a time: hundreds of subnets become one test. The result may
 * be joined further.
 */
function joinFields(patterns: readonly Pattern[]): readonly Pattern[] {
  let list: readonly Pattern[] = [...new Map(patterns.map((p) => [patternKey(p), p])).values()];
  for (;;) {
    const groups = new Map<string, { readonly pattern: Pattern; readonly literal: Literal }[]>();
    for (const pattern of list) {
      for (const literal of pattern) {
        const { predicate } = literal.atom;
        if (!literal.positive || predicate.kind !== 'field') continue;
        const others = pattern.filter((l) => l !== literal);
        const key = `${fieldKey(predicate)} ${predicate.test.kind} ${patternKey(others)}`;
        const group = groups.get(key);
        if (group === undefined) groups.set(key, [{ pattern, literal }]);
        else group.push({ pattern, literal });
      }
    }
    const joined = new Map<Pattern, Pattern | undefined>();
    for (const group of groups.values()) {
      const open = group.filter(({ pattern }) => !joined.has(pattern));
      const [first, ...rest] = open;
      if (first === undefined || rest.length === 0) continue;
      const literal = joinMany(open.map((one) => one.literal));
      if (literal === undefined) continue;
      const others = first.pattern.filter((l) => l !== first.literal);
      joined.set(first.pattern, [...others, literal].sort(compareLiterals));
      for (const { pattern } of rest) joined.set(pattern, undefined);
    }
    if (joined.size === 0) return list;
    list = list.flatMap((pattern) => {
      const now = joined.has(pattern) ? joined.get(pattern) : pattern;
      return now === undefined ? [] : [now];
    });
  }
}

/** The test that one of many tests of one field and one kind holds. */
function joinMany(literals: readonly Literal[]): Literal | undefined {
  const predicates = literals.flatMap(({ atom }) => (atom.predicate.kind === 'field' ? [atom.predicate] : []));
  const [first] = predicates;
  if (first === undefined) return undefined;
  if (first.test.kind !== 'ranges') {
    let all: Literal | undefined = literals[0];
    for (const literal of literals.slice(1)) all = all === undefined ? undefined : joinTests(all, literal);
    return all;
  }
  const ranges = predicates.flatMap(({ test }) => (test.kind === 'ranges' ? test.ranges : []));
  const test: Test = { kind: 'ranges', ranges: mergeRanges(ranges) };
  const same = literals.find(
    ({ atom }) => atom.predicate.kind === 'field' && testKey(atom.predicate.test) === testKey(test),
  );
  if (same !== undefined) return same;
  return { atom: fieldAtom({ ...first, test, text: describeTest(first, test) }), positive: true };
}

/** Joins patterns that differ in one test of one field, or in the sign of one literal, until nothing changes. */
export function mergePatterns(patterns: readonly Pattern[], world: World): readonly Pattern[] {
  let list = [...absorbAll(patterns.length < JOIN_FROM ? patterns : joinFields(patterns))];
  for (let changed = true; changed; ) {
    changed = false;
    for (let i = 0; i < list.length; i++) {
      for (let j = i + 1; j < list.length; j++) {
        const a = list[i];
        const b = list[j];
        const joined = a !== undefined && b !== undefined ? joinPatterns(a, b, world) : undefined;
        if (joined === undefined) continue;
        list.splice(j, 1);
        list[i] = joined;
        j = i;
        changed = true;
      }
    }
    if (changed) list = [...absorbAll(list)];
  }
  return list;
}

function joinPatterns(a: Pattern, b: Pattern, world: World): Pattern | undefined {
  if (a.length !== b.length) return undefined;
  const inB = new Set(b.map(literalKey));
  const inA = new Set(a.map(literalKey));
  const onlyA = a.filter((l) => !inB.has(literalKey(l)));
  const onlyB = b.filter((l) => !inA.has(literalKey(l)));
  const [x] = onlyA;
  const [y] = onlyB;
  if (onlyA.length !== 1 || onlyB.length !== 1 || x === undefined || y === undefined) return undefined;
  const common = a.filter((l) => l !== x);
  if (x.atom.key === y.atom.key) return common;
  // In connections `ipv4` or `ipv6` is everything, and so is `tcp` or `udp`.
  if (x.positive && y.positive && isConflict(simplifyPattern([...common, not(x), not(y)], world))) return common;
  const joined = joinTests(x, y);
  return joined === undefined ? undefined : [...common, joined].sort(compareLiterals);
}

const not = (l: Literal): Literal => ({ atom: l.atom, positive: !l.positive });

function joinTests(x: Literal, y: Literal): Literal | undefined {
  const p = x.atom.predicate;
  const q = y.atom.predicate;
  if (!x.positive || !y.positive || p.kind !== 'field' || q.kind !== 'field' || fieldKey(p) !== fieldKey(q)) {
    return undefined;
  }
  const test = unionOfTests(p.test, q.test);
  if (test === undefined) return undefined;
  const merged: FieldPredicate = { ...p, test };
  const simple = test.kind === 'ranges' || test.kind === 'text-in';
  const text = simple ? describeTest(merged, test) : `(${p.text} or ${q.text})`;
  return { atom: fieldAtom({ ...merged, text }), positive: true };
}

function unionOfTests(a: Test, b: Test): Test | undefined {
  if (a.kind === 'ranges' && b.kind === 'ranges') {
    return { kind: 'ranges', ranges: mergeRanges([...a.ranges, ...b.ranges]) };
  }
  switch (a.kind) {
    case 'text-in':
    case 'text-contains':
    case 'text-starts':
    case 'text-ends':
      return a.kind === b.kind ? { kind: a.kind, values: [...new Set([...a.values, ...b.values])].sort() } : undefined;
    default:
      return undefined;
  }
}
