/**
 * Families: many subscriptions that ask the same, but for the ends of the connection (`ipv4.addr in` one of 256 subnets
 * `and tls`). A family is planned as one subscription whose ends are the union; only when it is delivered are the members
 * looked up that the connection's ends satisfy. So its members cost no tests, no threads and no live bits of their own.
 */
import type { Level } from '../analysis/info.ts';
import type { FieldPredicate, TypedSubscription } from '../language/typed.ts';
import { fieldAtom, fieldKey, type Literal, type Pattern, patternKey, patternText, positive } from './atom.ts';
import { type Delivery, isStreaming } from './deliveries.ts';
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

/** A delivery as a product: one of the ends, and one of the others. */
interface Factors {
  readonly delivery: Delivery;
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
  const gone = new Set<Delivery>();
  const added: Delivery[] = [];
  for (const group of candidates(subscriptions, deliveries)) {
    const [first] = group;
    const source = subscriptions[first?.delivery.subscription ?? -1];
    if (first === undefined || source === undefined) continue;
    const family = familyOf(group, units.length);
    const patterns = family === undefined ? undefined : unionOf(group, world);
    if (family === undefined || patterns === undefined) continue;
    for (const { delivery } of group) gone.add(delivery);
    const text = first.others.map(patternText).join(' or ');
    units.push({ ...source, name: `${source.name}Family`, callback: undefined, text });
    families.push(family);
    added.push({ subscription: family.unit, level: family.level, patterns });
  }
  return { units, deliveries: [...deliveries.filter((d) => !gone.has(d)), ...added], families };
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
    const factors = factorsOf(delivery);
    if (factors === undefined) continue;
    const params = subscription.params.map(({ type }) => `${type.module}#${type.name}`).join(' ');
    const key = [delivery.level, params, ...factors.others.map(patternKey).sort()].join('\n');
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [factors]);
    else group.push(factors);
  }
  return [...groups.values()].filter((group) => group.length >= FAMILY_FROM);
}

/**
 * Members have no state of their own but "no more of this connection", so that what streams or keeps an object per
 * connection stays by itself.
 */
function canShare({ callback, levels, params }: TypedSubscription, level: Level): boolean {
  if (levels.length !== 1 || level === 'Packet' || isStreaming(level)) return false;
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

/** The delivery's patterns as every combination of some ends with some others; undefined if they are none. */
function factorsOf(delivery: Delivery): Factors | undefined {
  const ends = new Map<string, Pattern>();
  const others = new Map<string, Pattern>();
  const pairs = new Set<string>();
  for (const pattern of delivery.patterns) {
    const own = pattern.filter(isEnd);
    const other = pattern.filter((l) => !isEnd(l));
    if (own.length === 0) return undefined;
    ends.set(patternKey(own), own);
    others.set(patternKey(other), other);
    pairs.add(`${patternKey(own)}\n${patternKey(other)}`);
  }
  if (pairs.size !== ends.size * others.size) return undefined;
  return { delivery, ends: [...ends.values()], others: [...others.values()] };
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
