/**
 * The packet filter: every packet that may belong to a wanted connection, in either direction. Only what is the same for
 * all packets of a connection takes part.
 */

import { mirrorField } from '../catalog/catalog.ts';
import { fieldAtom, type Literal, type Pattern } from './atom.ts';
import type { Delivery } from './deliveries.ts';
import { mergePatterns } from './dnf.ts';
import { describeTest, isConflict, simplifyPattern } from './pattern.ts';
import type { World } from './presence.ts';

function mirror(literal: Literal): Literal {
  const { predicate } = literal.atom;
  if (predicate.kind !== 'field') return literal;
  const { field } = mirrorField(predicate);
  if (field === predicate.field) return literal;
  const mirrored = { ...predicate, field };
  return { atom: fieldAtom({ ...mirrored, text: describeTest(mirrored, mirrored.test) }), positive: literal.positive };
}

/** Most patterns of a packet filter. */
const MAX_FILTER = 128;

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
  const merged = mergePatterns(patterns, world);
  if (merged.length <= MAX_FILTER) return merged;
  // More tests than this per packet cost more than what they keep out: only the layers are asked.
  return mergePatterns(
    merged.map((pattern) => pattern.filter((l) => l.atom.predicate.kind === 'protocol')),
    world,
  );
}
