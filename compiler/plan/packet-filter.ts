/**
 * The packet filter and its superset for the port: every packet that may belong to a wanted connection, in either direction.
 * Only what is the same for all packets of a connection takes part.
 */

import type { FieldDef } from '../../runtime/protocols/field.ts';
import type { FlowItem, FlowRule } from '../../runtime/subscription/contract.ts';
import { mirrorField } from '../catalog/catalog.ts';
import { fieldAtom, type Literal, type Pattern } from './atom.ts';
import type { Delivery } from './deliveries.ts';
import { mergePatterns } from './dnf.ts';
import { describeTest, isConflict, simplifyPattern } from './pattern.ts';
import type { World } from './presence.ts';
import type { Range } from './ranges.ts';

function mirror(literal: Literal): Literal {
  const { predicate } = literal.atom;
  if (predicate.kind !== 'field') return literal;
  const { field } = mirrorField(predicate);
  if (field === predicate.field) return literal;
  const mirrored = { ...predicate, field };
  return { atom: fieldAtom({ ...mirrored, text: describeTest(mirrored, mirrored.test) }), positive: literal.positive };
}

/** Patterns of the packet filter over all deliveries of connections. */
export function packetFilterPatterns(deliveries: readonly Delivery[], world: World): readonly Pattern[] {
  const patterns: Pattern[] = [];
  for (const delivery of deliveries) {
    if (delivery.level === 'Packet') continue;
    for (const pattern of delivery.patterns) {
      const literals = pattern.filter((l) => l.atom.when === 'connection');
      for (const way of [literals, literals.map(mirror)]) {
        const simple = simplifyPattern(way, world);
        if (!isConflict(simple)) patterns.push(simple);
      }
    }
  }
  return mergePatterns(patterns, world);
}

const LAYERS = ['ethernet', 'ipv4', 'ipv6', 'tcp', 'udp'] as const;
/** More rules than this per pattern are not worth a device's table: the layer's presence stands for them. */
const MAX_VALUES = 16;

function ipv4Text(value: bigint): string {
  return [24n, 16n, 8n, 0n].map((shift) => (value >> shift) & 0xffn).join('.');
}

function flowField(field: FieldDef, range: Range): FlowItem['fields'][number] {
  const text = (value: bigint): string => (field.type === 'ipv4' ? ipv4Text(value) : `${value}`);
  if (range.low === range.high) return { field: field.name, value: text(range.low) };
  const span = range.high - range.low + 1n;
  const isPrefix = (span & (span - 1n)) === 0n && range.low % span === 0n;
  if (field.type === 'ipv4' && isPrefix) {
    return { field: field.name, value: text(range.low), mask: text(0xffff_ffffn - (span - 1n)) };
  }
  return { field: field.name, value: text(range.low), last: text(range.high) };
}

/** One rule per combination of values of a pattern; what a device cannot say is left out, which only lets more in. */
function rulesOf(pattern: Pattern): FlowRule[] {
  let rules: FlowItem[][] = [[]];
  for (const layer of LAYERS) {
    const mine = pattern.filter(
      (l) => l.positive && l.atom.predicate.kind !== 'user' && l.atom.predicate.protocol.name === layer,
    );
    if (mine.length === 0) continue;
    let variants: FlowItem[] = [{ layer, fields: [] }];
    for (const { atom } of mine) {
      const { predicate } = atom;
      if (predicate.kind !== 'field' || predicate.test.kind !== 'ranges' || predicate.test.ranges.length > MAX_VALUES)
        continue;
      if (!['ipv4', 'u8', 'u16', 'u32'].includes(predicate.field.type)) continue;
      const { ranges } = predicate.test;
      variants = variants.flatMap((item) =>
        ranges.map((range) => ({ layer, fields: [...item.fields, flowField(predicate.field, range)] })),
      );
    }
    rules = rules.flatMap((rule) => variants.map((item) => [...rule, item]));
  }
  return rules.map((items) => ({ items }));
}

/**
 * What a port may be told to let in: a superset of the packet filter, and everything where a subscription takes single
 * frames. Empty means everything.
 */
export function flowRules(patterns: readonly Pattern[], takesFrames: boolean): readonly FlowRule[] {
  if (takesFrames) return [];
  const rules = patterns.flatMap(rulesOf);
  if (rules.some((rule) => rule.items.length === 0)) return [];
  return [...new Map(rules.map((rule) => [JSON.stringify(rule), rule])).values()];
}
