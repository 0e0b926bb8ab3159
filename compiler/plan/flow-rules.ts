/**
 * The packet filter as a description that a port may install in hardware: a superset of it, small enough for a device's
 * table. What a rule cannot say is left out, and what is too much is covered by wider values; both only let more in.
 */
import type { FieldDef } from '../../runtime/protocols/field.ts';
import type { FlowItem, FlowRule } from '../../runtime/subscription/contract.ts';
import { addressText, prefixLength } from './address-text.ts';
import type { Pattern } from './atom.ts';
import { type Range, type Ranges, splitPrefixes } from './ranges.ts';

/** Frames are not told apart by their Ethernet header: behind VLAN tags a device may see another one than the filter. */
const LAYERS = ['ipv4', 'ipv6', 'tcp', 'udp'] as const;
/** More values of one field than this are covered by wider ones. */
const MAX_VALUES = 16;
/** Most rules of one pattern, and of a plan. */
const MAX_PER_PATTERN = 64;
const MAX_RULES = 256;
/** Types of fields that a rule can say. */
const ADDRESS_BITS: Readonly<Record<string, number>> = { ipv4: 32, ipv6: 128 };
const NUMBERS: readonly string[] = ['u8', 'u16', 'u32'];

/** At most `most` ranges that hold all of `ranges`: what lies nearest to each other becomes one. */
function coverRanges(ranges: Ranges, most: number): Ranges {
  const out = [...ranges];
  while (out.length > most) {
    let best = 1;
    const gap = (i: number): bigint => (out[i]?.low ?? 0n) - (out[i - 1]?.high ?? 0n);
    for (let i = 2; i < out.length; i++) if (gap(i) < gap(best)) best = i;
    const [low, high] = [out[best - 1], out[best]];
    if (low === undefined || high === undefined) break;
    out.splice(best - 1, 2, { low: low.low, high: high.high });
  }
  return out;
}

/** The smallest prefix that holds both ends. */
function enclosing(low: bigint, high: bigint): Range {
  let size = 1n;
  while (low / size !== high / size) size *= 2n;
  const start = (low / size) * size;
  return { low: start, high: start + size - 1n };
}

/** At most `most` prefixes that hold all of `ranges`: neighbours become the prefix around both, the smallest first. */
function coverPrefixes(ranges: Ranges, most: number): Ranges {
  const out = ranges.flatMap((range) => [...splitPrefixes(range)]);
  while (out.length > most) {
    let best = 1;
    const around = (i: number): Range => enclosing(out[i - 1]?.low ?? 0n, out[i]?.high ?? 0n);
    const size = (i: number): bigint => around(i).high - around(i).low;
    for (let i = 2; i < out.length; i++) if (size(i) < size(best)) best = i;
    const wide = around(best);
    const inside = out.filter((range) => wide.low <= range.low && range.high <= wide.high);
    out.splice(out.indexOf(inside[0] ?? wide), inside.length, wide);
  }
  return out;
}

/** One field of one pattern, and the values that it may have. */
interface Choice {
  readonly field: FieldDef;
  readonly ranges: Ranges;
}

function cover({ field, ranges }: Choice, most: number): Choice {
  const covered = field.type in ADDRESS_BITS ? coverPrefixes(ranges, most) : coverRanges(ranges, most);
  return { field, ranges: covered };
}

function flowField(field: FieldDef, range: Range): FlowItem['fields'][number] {
  const text = (value: bigint): string => addressText(field.type, value) ?? `${value}`;
  if (range.low === range.high) return { field: field.name, value: text(range.low) };
  const bits = ADDRESS_BITS[field.type];
  const length = bits === undefined ? undefined : prefixLength(range, bits);
  if (bits === undefined || length === undefined) {
    return { field: field.name, value: text(range.low), last: text(range.high) };
  }
  const mask = (1n << BigInt(bits)) - (1n << BigInt(bits - length));
  return { field: field.name, value: text(range.low), mask: text(mask) };
}

/** What a pattern says of one layer; undefined when it does not speak of it. */
function choicesOf(pattern: Pattern, layer: string): readonly Choice[] | undefined {
  const mine = pattern.filter(
    (l) => l.positive && l.atom.predicate.kind !== 'user' && l.atom.predicate.protocol.name === layer,
  );
  if (mine.length === 0) return undefined;
  return mine.flatMap(({ atom: { predicate } }) => {
    if (predicate.kind !== 'field' || predicate.test.kind !== 'ranges') return [];
    const { type, access } = predicate.field;
    // What is found by the frame's own layout (behind VLAN tags) has no fixed place for a device.
    if (access.kind !== 'header' || access.from !== undefined) return [];
    if (!(type in ADDRESS_BITS) && !NUMBERS.includes(type)) return [];
    return [cover({ field: predicate.field, ranges: predicate.test.ranges }, MAX_VALUES)];
  });
}

const combinations = (choices: readonly Choice[]): number =>
  choices.reduce((all, { ranges }) => all * ranges.length, 1);

/** One rule per combination of values of a pattern. */
function rulesOf(pattern: Pattern): FlowRule[] {
  const layers = LAYERS.flatMap((layer) => {
    const choices = choicesOf(pattern, layer);
    return choices === undefined ? [] : [{ layer, choices }];
  });
  let all = layers.flatMap(({ choices }) => choices);
  // The field of most values gives way, until the table is small enough.
  const narrowed = new Map<Choice, Choice>(all.map((choice) => [choice, choice]));
  while (combinations(all) > MAX_PER_PATTERN) {
    const [widest] = [...narrowed].sort(([, a], [, b]) => b.ranges.length - a.ranges.length);
    if (widest === undefined) break;
    narrowed.set(widest[0], cover(widest[1], widest[1].ranges.length >> 1));
    all = [...narrowed.values()];
  }
  let rules: FlowItem[][] = [[]];
  for (const { layer, choices } of layers) {
    let variants: FlowItem[] = [{ layer, fields: [] }];
    for (const choice of choices) {
      const { field, ranges } = narrowed.get(choice) ?? choice;
      variants = variants.flatMap((item) =>
        ranges.map((range) => ({ layer, fields: [...item.fields, flowField(field, range)] })),
      );
    }
    rules = rules.flatMap((rule) => variants.map((item) => [...rule, item]));
  }
  return rules.map((items) => ({ items }));
}

/** The same rule without its fields: what is left when a plan has too many. */
function presence({ items }: FlowRule): FlowRule {
  return { items: items.map(({ layer }) => ({ layer, fields: [] })) };
}

function distinct(rules: readonly FlowRule[]): readonly FlowRule[] {
  return [...new Map(rules.map((rule) => [JSON.stringify(rule), rule])).values()];
}

/** Whether `a` lets in everything that `b` does. */
function holds(a: FlowRule, b: FlowRule): boolean {
  return a.items.every((item) =>
    b.items.some(
      (other) =>
        other.layer === item.layer &&
        item.fields.every((field) => other.fields.some((o) => JSON.stringify(o) === JSON.stringify(field))),
    ),
  );
}

/**
 * What a port may be told to let in: a superset of the packet filter, and everything where a subscription takes single
 * frames. Empty means everything.
 */
export function flowRules(patterns: readonly Pattern[], takesFrames: boolean): readonly FlowRule[] {
  if (takesFrames) return [];
  let rules = distinct(patterns.flatMap(rulesOf));
  if (rules.length > MAX_RULES) rules = distinct(rules.map(presence));
  if (rules.some((rule) => rule.items.length === 0)) return [];
  return rules.filter((rule) => !rules.some((other) => other !== rule && holds(other, rule)));
}
