/**
 * Simplifies conjunctions: what follows from the other literals is dropped, tests of one field are merged, what contradicts
 * itself is reported. Also the two questions that the passes ask: does this follow, does this absorb that.
 */

import type { FieldDef } from '../../runtime/protocols/field.ts';
import type { FieldPredicate, Test } from '../language/typed.ts';
import { addressText, prefixLength } from './address-text.ts';
import {
  type Atom,
  applicationOf,
  compareLiterals,
  fieldAtom,
  fieldKey,
  type Literal,
  literalKey,
  negate,
  negative,
  type Pattern,
  positive,
  protocolAtom,
  testKey,
} from './atom.ts';
import { type Presence, presenceOf, type World } from './presence.ts';
import {
  complementRanges,
  intersectRanges,
  isSubset,
  maximumOf,
  mergeRanges,
  type Range,
  type Ranges,
  subtractRanges,
} from './ranges.ts';

/** Why a conjunction can never hold, as a clause for a message. */
export interface Conflict {
  readonly conflict: string;
}

export function isConflict(result: Pattern | Conflict): result is Conflict {
  return 'conflict' in result;
}

const isList = (field: FieldDef): boolean => field.type.endsWith('[]');

/**
 * Whether a field has a value wherever its protocol is: a header's has, but for those of a tag; a session's may be missing.
 * A single frame may be of TCP or UDP and have no such header: a later fragment, one that was cut.
 */
function alwaysThere({ protocol, field }: FieldPredicate, { connections }: World): boolean {
  const { access } = field;
  if (!connections && protocol.layer === 'transport') return false;
  return access.kind === 'header' && access.needs === undefined && access.from === undefined;
}

/** Whether a constant text passes a text test; undefined for tests that are not decided here. */
function textPasses(test: Test, value: string): boolean | undefined {
  switch (test.kind) {
    case 'text-in':
      return test.values.includes(value);
    case 'text-contains':
      return test.values.some((v) => value.includes(v));
    case 'text-starts':
      return test.values.some((v) => value.startsWith(v));
    case 'text-ends':
      return test.values.some((v) => value.endsWith(v));
    default:
      return undefined;
  }
}

/** A test in source form, for merged tests. */
export function describeTest(predicate: FieldPredicate, test: Test): string {
  const name = fieldKey(predicate);
  const { field } = predicate;
  const named = (n: bigint): string => {
    const entry = Object.entries(field.names ?? {}).find(([, value]) => BigInt(value) === n);
    if (entry !== undefined) return entry[0];
    return addressText(field.type, n) ?? `${n}`;
  };
  const range = ({ low, high }: Range): string => {
    if (low === high) return named(low);
    const bits = field.type === 'ipv4' ? 32 : field.type === 'ipv6' ? 128 : undefined;
    const length = bits === undefined ? undefined : prefixLength({ low, high }, bits);
    return length === undefined ? `${named(low)}..${named(high)}` : `${named(low)}/${length}`;
  };
  if (test.kind === 'ranges') {
    const max = maximumOf(field);
    const [first] = test.ranges;
    if (test.ranges.length === 1 && first !== undefined) {
      if (first.low !== first.high && !range(first).includes('..')) return `${name} in ${range(first)}`;
      if (first.low === first.high) return `${name} = ${named(first.low)}`;
      if (first.high === max) return `${name} >= ${named(first.low)}`;
      if (first.low === 0n) return `${name} <= ${named(first.high)}`;
    }
    const parts = test.ranges.map(range);
    return `${name} in {${parts.join(', ')}}`;
  }
  if (test.kind === 'text-in') {
    const [value] = test.values;
    if (test.values.length === 1) return `${name} = ${JSON.stringify(value)}`;
    return `${name} in {${test.values.map((v) => JSON.stringify(v)).join(', ')}}`;
  }
  return predicate.text;
}

function withTest(predicate: FieldPredicate, test: Test): Atom {
  const same = testKey(test) === testKey(predicate.test);
  return fieldAtom({ ...predicate, test, text: same ? predicate.text : describeTest(predicate, test) });
}

/** Literals over one single-valued numeric field. */
function mergeNumeric(
  group: readonly Literal[],
  predicate: FieldPredicate,
  there: boolean,
  world: World,
): Literal[] | Conflict {
  const max = maximumOf(predicate.field);
  if (max === undefined || group.length === 0) return [...group];
  const rangesOf = (l: Literal) => {
    const { predicate: p } = l.atom;
    return p.kind === 'field' && p.test.kind === 'ranges' ? p.test.ranges : [];
  };
  const yes = group.filter((l) => l.positive).map(rangesOf);
  const no = mergeRanges(group.filter((l) => !l.positive).flatMap(rangesOf));
  const always = alwaysThere(predicate, world);
  const [first, ...rest] = yes;
  if (first === undefined) {
    if (!there || !always) {
      if (group.length === 1) return [...group];
      return [negative(withTest(predicate, { kind: 'ranges', ranges: no }))];
    }
    const left = complementRanges(no, max);
    if (left.length === 0) return { conflict: `no value of \`${fieldKey(predicate)}\` is left` };
    if (group.length === 1) return [...group];
    return [negative(withTest(predicate, { kind: 'ranges', ranges: no }))];
  }
  let ranges = rest.reduce(intersectRanges, mergeRanges(first));
  if (no.length > 0) ranges = subtractRanges(ranges, no, max);
  if (ranges.length === 0) {
    const texts = group.map((l) => `\`${l.positive ? '' : 'not '}${l.atom.text}\``);
    const joined = texts.length === 1 ? `${texts[0]} is never true` : `${texts.join(' and ')} exclude each other`;
    return { conflict: joined };
  }
  if (always && isSubset([{ low: 0n, high: max }], ranges)) return [];
  return [positive(withTest(predicate, { kind: 'ranges', ranges }))];
}

/** Literals over one single-valued text field. */
function mergeText(group: readonly Literal[], predicate: FieldPredicate): Literal[] | Conflict {
  const isIn = (l: Literal): boolean => l.atom.predicate.kind === 'field' && l.atom.predicate.test.kind === 'text-in';
  const valuesOf = (l: Literal): readonly string[] => {
    const { predicate: p } = l.atom;
    return p.kind === 'field' && p.test.kind === 'text-in' ? p.test.values : [];
  };
  const sets = group.filter((l) => l.positive && isIn(l));
  const [firstSet] = sets;
  if (firstSet === undefined) return [...group];
  let values = valuesOf(firstSet);
  const left: Literal[] = [];
  for (const literal of group) {
    const { predicate: p } = literal.atom;
    if (p.kind !== 'field') continue;
    const verdicts = values.map((v) => textPasses(p.test, v));
    if (verdicts.some((v) => v === undefined)) left.push(literal);
    else values = values.filter((_, i) => verdicts[i] === literal.positive);
  }
  if (values.length === 0) {
    return { conflict: `${group.map((l) => `\`${literalKeyText(l)}\``).join(' and ')} exclude each other` };
  }
  return [positive(withTest(predicate, { kind: 'text-in', values })), ...left];
}

const literalKeyText = (l: Literal): string => (l.positive ? l.atom.text : `not ${l.atom.text}`);

/**
 * The same conjunction, shorter: protocols that are implied are spelled out (`tls` gains `tcp`), literals that follow are
 * dropped, tests of one field are merged. A {@link Conflict} if nothing can satisfy it.
 */
export function simplifyPattern(literals: readonly Literal[], world: World): Pattern | Conflict {
  const byKey = new Map<string, Literal>();
  for (const literal of literals) {
    const known = byKey.get(literal.atom.key);
    if (known !== undefined && known.positive !== literal.positive) {
      return { conflict: `\`${literal.atom.text}\` and \`not ${literal.atom.text}\` exclude each other` };
    }
    byKey.set(literal.atom.key, literal);
  }
  const presence = presenceOf([...byKey.values()], world);
  if (presence.conflict !== undefined) return { conflict: presence.conflict };

  const out: Literal[] = [];
  const fields = new Map<string, Literal[]>();
  for (const literal of byKey.values()) {
    const { predicate } = literal.atom;
    if (predicate.kind === 'user') {
      const asked = applicationOf(literal);
      if (asked === undefined || !presence.absent.has(asked.name)) out.push(literal);
      continue;
    }
    const { name, layer } = predicate.protocol;
    if (predicate.kind === 'protocol') {
      if (layer === 'link') out.push(literal);
      else if (!literal.positive && isWorthSaying(literal, byKey.values(), world)) out.push(literal);
      continue;
    }
    if (presence.absent.has(name)) continue;
    if (predicate.kind === 'session') out.push(literal);
    else {
      const group = fields.get(fieldKey(predicate)) ?? [];
      group.push(literal);
      fields.set(fieldKey(predicate), group);
    }
  }
  for (const protocol of world.protocols) {
    if (protocol.layer === 'link' || !presence.present.has(protocol.name)) continue;
    const span = [...byKey.values()][0]?.atom.predicate.span ?? { start: 0, end: 0 };
    const own = byKey.get(protocol.name);
    out.push(own?.positive ? own : positive(protocolAtom(protocol, span)));
  }
  for (const group of fields.values()) {
    const predicate = group[0]?.atom.predicate;
    if (predicate?.kind !== 'field') continue;
    let merged: Pattern | Conflict = group;
    if (!isList(predicate.field)) {
      const there = presence.present.has(predicate.protocol.name);
      if (predicate.test.kind === 'ranges') merged = mergeNumeric(group, predicate, there, world);
      else if (predicate.field.type === 'text') merged = mergeText(group, predicate);
    }
    if (isConflict(merged)) return merged;
    out.push(...merged);
  }
  return out.sort(compareLiterals);
}

/** A negative protocol literal is dropped when the other literals exclude that protocol already. */
function isWorthSaying(literal: Literal, all: Iterable<Literal>, world: World): boolean {
  const others = [...all].filter((l) => l !== literal);
  const { predicate } = literal.atom;
  if (predicate.kind !== 'protocol') return true;
  if (presenceOf(others, world).absent.has(predicate.protocol.name)) return false;
  const { name, layer } = predicate.protocol;
  const exhaustive = world.connections && (layer === 'network' || layer === 'transport');
  return !(exhaustive && ['ipv4', 'ipv6', 'tcp', 'udp'].includes(name));
}

/** Whether `literal` follows from (`true`), contradicts (`false`) or is independent of (undefined) what is known. */
export function decide(literal: Literal, known: Pattern, world: World): boolean | undefined {
  const quick = decideField(literal, known, world);
  if (quick !== 'unsure') return quick;
  if (isConflict(simplifyPattern([...known, literal], world))) return false;
  if (isConflict(simplifyPattern([...known, negate(literal)], world))) return true;
  return undefined;
}

/** Whether two tests cannot both hold. */
export function exclude(a: Literal, b: Literal, world: World): boolean {
  const p = a.atom.predicate;
  const q = b.atom.predicate;
  const same = p.kind === 'field' && q.kind === 'field' && fieldKey(p) === fieldKey(q) && !isList(p.field);
  if (same && a.positive && b.positive && p.test.kind === 'text-in' && q.test.kind === 'text-in') {
    const { values } = q.test;
    return !p.test.values.some((value) => values.includes(value));
  }
  return decide(b, [a], world) === false;
}

/** What a conjunction says of protocols and of each field's values, worked out once. */
interface Knowledge {
  readonly presence: Presence;
  /** By field; `plain`: nothing but ranges of a single value. */
  readonly fields: ReadonlyMap<string, { readonly left: Ranges; readonly valued: boolean; readonly plain: boolean }>;
}

const knowledge = new WeakMap<World, WeakMap<Pattern, Knowledge>>();

function knowledgeOf(known: Pattern, world: World): Knowledge {
  const ofWorld = knowledge.get(world) ?? new WeakMap<Pattern, Knowledge>();
  knowledge.set(world, ofWorld);
  const found = ofWorld.get(known);
  if (found !== undefined) return found;
  const groups = new Map<string, Literal[]>();
  for (const literal of known) {
    const { predicate } = literal.atom;
    if (predicate.kind !== 'field') continue;
    const group = groups.get(fieldKey(predicate));
    if (group === undefined) groups.set(fieldKey(predicate), [literal]);
    else group.push(literal);
  }
  const fields = new Map([...groups].map(([key, group]) => [key, valuesOf(group)]));
  const made = { presence: presenceOf(known, world), fields };
  ofWorld.set(known, made);
  return made;
}

/** The values that literals over one field leave. */
function valuesOf(group: readonly Literal[]): { left: Ranges; valued: boolean; plain: boolean } {
  let left: Ranges | undefined;
  const not: Range[] = [];
  let max: bigint | undefined;
  for (const { atom, positive: holds } of group) {
    const { predicate } = atom;
    if (predicate.kind !== 'field') continue;
    max = maximumOf(predicate.field);
    if (predicate.test.kind !== 'ranges' || isList(predicate.field)) return { left: [], valued: false, plain: false };
    const { ranges } = predicate.test;
    if (!holds) not.push(...ranges);
    else left = left === undefined ? ranges : intersectRanges(left, ranges);
  }
  if (max === undefined) return { left: [], valued: false, plain: false };
  return { left: subtractRanges(left ?? [{ low: 0n, high: max }], not, max), valued: left !== undefined, plain: true };
}

/** The common case of {@link decide}: a number of a protocol that is there. */
function decideField({ atom, positive: holds }: Literal, known: Pattern, world: World): boolean | undefined | 'unsure' {
  const { predicate } = atom;
  if (predicate.kind !== 'field' || predicate.test.kind !== 'ranges' || isList(predicate.field)) return 'unsure';
  const max = maximumOf(predicate.field);
  if (max === undefined) return 'unsure';
  const { presence, fields } = knowledgeOf(known, world);
  if (presence.conflict !== undefined) return 'unsure';
  if (presence.absent.has(predicate.protocol.name)) return !holds;
  if (!presence.present.has(predicate.protocol.name)) return 'unsure';
  const own = fields.get(fieldKey(predicate)) ?? { left: [{ low: 0n, high: max }], valued: false, plain: true };
  if (!own.plain) return 'unsure';
  const { ranges } = predicate.test;
  if (intersectRanges(own.left, ranges).length === 0) return !holds;
  // A field that may be missing is not in any range.
  const valued = own.valued || alwaysThere(predicate, world);
  return valued && isSubset(own.left, ranges) ? holds : undefined;
}

/** Whether every literal of `a` follows from `b`, so that `a or b` is `a`. */
export function absorbs(a: Pattern, b: Pattern): boolean {
  return a.every((x) => b.some((y) => impliedBy(x, y)));
}

function impliedBy(x: Literal, y: Literal): boolean {
  if (literalKey(x) === literalKey(y)) return true;
  const p = x.atom.predicate;
  const q = y.atom.predicate;
  if (p.kind !== 'field' || q.kind !== 'field' || fieldKey(p) !== fieldKey(q)) return false;
  if (p.test.kind === 'ranges' && q.test.kind === 'ranges') {
    if (x.positive && y.positive) return isSubset(q.test.ranges, p.test.ranges);
    if (!x.positive && !y.positive) return isSubset(p.test.ranges, q.test.ranges);
    if (!x.positive && y.positive && !isList(p.field))
      return intersectRanges(p.test.ranges, q.test.ranges).length === 0;
    return false;
  }
  const texts = q.test.kind === 'text-in' ? q.test.values : undefined;
  if (texts === undefined || !y.positive || isList(p.field)) return false;
  return texts.every((value) => textPasses(p.test, value) === x.positive);
}
