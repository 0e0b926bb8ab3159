/**
 * Families: many subscriptions that ask the same, but for the ends of the connection (`ipv4.addr in` one of 256 subnets
 * `and tls`). A family is planned as one subscription whose ends are the union; only when it is delivered are the members
 * looked up that the connection's ends satisfy. So its members cost no tests, no threads and no live bits of their own.
 */
import type { Level } from '../analysis/info.ts';
import type { FieldPredicate, TypedSubscription } from '../language/typed.ts';
import { fieldAtom, fieldKey, type Literal, type Pattern, patternKey, patternText, positive } from './atom.ts';
import { type Delivery, repeats } from './deliveries.ts';
import { mergePatterns } from './dnf.ts';
import { describeTest, isConflict, simplifyPattern } from './pattern.ts';
import type { World } from './presence.ts';
import { mergeRanges, type Ranges } from './ranges.ts';

/** One way to be a member: what it asks of each field; undefined: anything. */
export interface MemberRule {
  /** Number of the subscription. */
  readonly member: number;
  readonly ranges: readonly (Ranges | undefined)[];
  readonly text: string;
}

export interface Family {
  /** Its number among the units of the plan: behind the subscriptions of the program. */
  readonly unit: number;
  readonly level: Level;
  /** Numbers of its subscriptions, ascending. */
  readonly members: readonly number[];
  /** What tells them apart: at most {@link MAX_FIELDS} fields. */
  readonly fields: readonly FieldPredicate[];
  readonly rules: readonly MemberRule[];
}

export interface Families {
  /** The program's subscriptions, and behind them one for each family. */
  readonly units: readonly TypedSubscription[];
  /** Those of the units: members have none of their own. */
  readonly deliveries: readonly Delivery[];
  readonly families: readonly Family[];
}

/** Fewer subscriptions than this are planned one by one. */
const FAMILY_FROM = 8;
/** What the runtime's classifier takes. */
const MAX_FIELDS = 4;
/** The union of the members' ends may be this many patterns; beyond that it would cost more than it saves. */
const MAX_UNION = 24;

/** A delivery, or its part over one version of IP, as a product: one of the ends, and one of the others. */
interface Factors {
  /** The delivery that it is part of. */
  readonly delivery: Delivery;
  readonly patterns: readonly Pattern[];
  readonly ends: readonly Pattern[];
  readonly others: readonly Pattern[];
}

export function groupFamilies(
  subscriptions: readonly TypedSubscription[],
  deliveries: readonly Delivery[],
  world: World,
): Families {
  const units = [...subscriptions];
  const families: Family[] = [];
  const gone = new Set<Pattern>();
  const added: Delivery[] = [];
  for (const group of candidates(subscriptions, deliveries)) {
    const [first] = group;
    const source = subscriptions[first?.delivery.subscription ?? -1];
    if (first === undefined || source === undefined) continue;
    const family = familyOf(group, units.length);
    const patterns = family === undefined ? undefined : unionOf(group, world);
    if (family === undefined || patterns === undefined) continue;
    for (const pattern of group.flatMap((one) => one.patterns)) gone.add(pattern);
    const text = first.others.map(patternText).join(' or ');
    units.push({ ...source, name: `${source.name}Family`, levels: [family.level], callback: undefined, text });
    families.push(family);
    added.push({ subscription: family.unit, level: family.level, patterns });
  }
  const rest = deliveries.flatMap((delivery): Delivery[] => {
    const patterns = delivery.patterns.filter((pattern) => !gone.has(pattern));
    if (patterns.length === delivery.patterns.length) return [delivery];
    return patterns.length === 0 ? [] : [{ ...delivery, patterns }];
  });
  return { units, deliveries: [...rest, ...added], families };
}

/** Deliveries that differ in their ends only, in order of declaration. */
function candidates(
  subscriptions: readonly TypedSubscription[],
  deliveries: readonly Delivery[],
): readonly (readonly Factors[])[] {
  const groups = new Map<string, Factors[]>();
  for (const delivery of deliveries) {
    const subscription = subscriptions[delivery.subscription];
    if (subscription === undefined || !canShare(subscription, delivery.level)) continue;
    const params = subscription.params.map(({ type }) => `${type.module}#${type.name}`).join(' ');
    for (const patterns of byVersion(delivery.patterns)) {
      const factors = factorsOf(delivery, patterns);
      if (factors === undefined) continue;
      const key = [delivery.level, params, ...factors.others.map(patternKey).sort()].join('\n');
      const group = groups.get(key);
      if (group === undefined) groups.set(key, [factors]);
      else group.push(factors);
    }
  }
  return [...groups.values()].filter((group) => group.length >= FAMILY_FROM);
}

/** Patterns over IPv4 and over IPv6 apart, if all are of one of them: a connection has either. */
function byVersion(patterns: readonly Pattern[]): readonly (readonly Pattern[])[] {
  const of = (name: string): readonly Pattern[] =>
    patterns.filter((pattern) => pattern.some(({ atom, positive }) => positive && atom.key === name));
  const [v4, v6] = [of('ipv4'), of('ipv6')];
  return v4.length > 0 && v6.length > 0 && v4.length + v6.length === patterns.length ? [v4, v6] : [patterns];
}

/**
 * Members have no state of their own but "no more of this connection" of one level, so that what keeps an object per
 * connection, or can be silenced at several levels, stays by itself.
 */
function canShare({ callback, levels, params }: TypedSubscription, level: Level): boolean {
  if (level === 'Packet') return false;
  if (levels.length > 1 && (callback?.streaming === true || levels.some(repeats))) return false;
  if (callback !== undefined && callback.kind !== 'function') return false;
  return params.every(({ type }) => type.kind !== 'object' && type.name !== 'FilterStr');
}

const ENDS: ReadonlySet<string> = new Set([
  'ipv4.src_addr',
  'ipv4.dst_addr',
  'ipv6.src_addr',
  'ipv6.dst_addr',
  'tcp.src_port',
  'tcp.dst_port',
  'udp.src_port',
  'udp.dst_port',
]);

/** A test of an address or a port that can be made again from the connection's record. */
function isEnd({ atom, positive }: Literal): boolean {
  const { predicate } = atom;
  return positive && predicate.kind === 'field' && predicate.test.kind === 'ranges' && ENDS.has(fieldKey(predicate));
}

/** Patterns as every combination of some ends with some others; undefined if they are none. */
function factorsOf(delivery: Delivery, patterns: readonly Pattern[]): Factors | undefined {
  const ends = new Map<string, Pattern>();
  const others = new Map<string, Pattern>();
  const pairs = new Set<string>();
  for (const pattern of patterns) {
    const own = pattern.filter(isEnd);
    const other = pattern.filter((l) => !isEnd(l));
    if (own.length === 0) return undefined;
    ends.set(patternKey(own), own);
    others.set(patternKey(other), other);
    pairs.add(`${patternKey(own)}\n${patternKey(other)}`);
  }
  if (pairs.size !== ends.size * others.size) return undefined;
  return { delivery, patterns, ends: [...ends.values()], others: [...others.values()] };
}

function familyOf(group: readonly Factors[], unit: number): Family | undefined {
  const fields = new Map<string, FieldPredicate>();
  for (const { atom } of group.flatMap(({ ends }) => ends.flat())) {
    if (atom.predicate.kind === 'field') fields.set(fieldKey(atom.predicate), atom.predicate);
  }
  const [first] = group;
  if (first === undefined || fields.size > MAX_FIELDS) return undefined;
  const keys = [...ENDS].filter((key) => fields.has(key));
  const rules = group.flatMap(({ delivery, ends }) =>
    ends.map((pattern): MemberRule => {
      const ranges = keys.map((key) => {
        const predicate = pattern.map((l) => l.atom.predicate).find((p) => p.kind === 'field' && fieldKey(p) === key);
        return predicate?.kind === 'field' && predicate.test.kind === 'ranges' ? predicate.test.ranges : undefined;
      });
      return { member: delivery.subscription, ranges, text: patternText(pattern) };
    }),
  );
  return {
    unit,
    level: first.delivery.level,
    members: group.map(({ delivery }) => delivery.subscription).sort((a, b) => a - b),
    fields: keys.flatMap((key) => fields.get(key) ?? []),
    rules,
  };
}

/** The patterns of all members together. */
function unionOf(group: readonly Factors[], world: World): readonly Pattern[] | undefined {
  const ends = unionOfEnds(group.flatMap((factors) => factors.ends));
  const [first] = group;
  if (first === undefined || ends.length > MAX_UNION) return undefined;
  const patterns = first.others.flatMap((other) =>
    ends.flatMap((own) => {
      const pattern = simplifyPattern([...other, ...own], world);
      return isConflict(pattern) ? [] : [pattern];
    }),
  );
  return mergePatterns(patterns, world);
}

/** Patterns that ask one field only, and the same, as one with the union of their ranges. */
function unionOfEnds(patterns: readonly Pattern[]): readonly Pattern[] {
  const single = new Map<string, { readonly literal: Literal; readonly ranges: Ranges[number][] }>();
  const out: Pattern[] = [];
  for (const pattern of patterns) {
    const [literal] = pattern;
    const predicate = literal?.atom.predicate;
    if (literal === undefined || pattern.length > 1 || predicate?.kind !== 'field') {
      out.push(pattern);
      continue;
    }
    const ranges = predicate.test.kind === 'ranges' ? predicate.test.ranges : [];
    const known = single.get(fieldKey(predicate));
    if (known === undefined) single.set(fieldKey(predicate), { literal, ranges: [...ranges] });
    else known.ranges.push(...ranges);
  }
  for (const { literal, ranges } of single.values()) {
    const { predicate } = literal.atom;
    if (predicate.kind !== 'field') continue;
    const test = { kind: 'ranges', ranges: mergeRanges(ranges) } as const;
    out.push([positive(fieldAtom({ ...predicate, test, text: describeTest(predicate, test) }))]);
  }
  return out;
}
