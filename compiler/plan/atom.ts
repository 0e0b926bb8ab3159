/**
 * Atoms, literals and patterns: the currency of the planner's passes. An atom is one predicate with an identity; it is
 * total: a field of a protocol that is absent is false, so its negation is true. A pattern is a conjunction.
 */

import type { ProtocolDef } from '../../runtime/protocols/field.ts';
import type { FilterInfo } from '../analysis/info.ts';
import type { Span } from '../language/ast.ts';
import type { FieldPredicate, Predicate, ProtocolPredicate, Test } from '../language/typed.ts';
import { filterKind, filterProtocol } from './filters.ts';

/** "A session of this protocol was parsed": what a subscription needs that is handed the session later on. */
export interface SessionPredicate {
  readonly kind: 'session';
  readonly protocol: ProtocolDef;
  readonly span: Span;
}

/**
 * When an atom's truth is known:
 * - `connection`: at the first packet, the same for every packet of the connection;
 * - `first`: a user's filter over the first packet;
 * - `packet`: of the packet at hand;
 * - `protocol`: once the application protocol is known;
 * - `session`: of one parsed session;
 * - `later`: once a user's filter has decided.
 */
export type When = 'connection' | 'first' | 'packet' | 'protocol' | 'session' | 'later';

export interface Atom {
  /** Equal keys, equal predicates. */
  readonly key: string;
  readonly predicate: Predicate | SessionPredicate;
  readonly when: When;
  /** In source form. */
  readonly text: string;
  /** Order of testing: outer layers and cheap tests first. */
  readonly rank: number;
}

export interface Literal {
  readonly atom: Atom;
  readonly positive: boolean;
}

/** A conjunction: sorted by rank, each atom at most once. The empty pattern is true. */
export type Pattern = readonly Literal[];

const LAYER_RANK = { link: 0, network: 1, transport: 2, application: 3 } as const;

/** Relative cost of a test: numbers, equality, prefix, search, regular expression. */
function testCost(test: Test): number {
  switch (test.kind) {
    case 'ranges':
      return 0;
    case 'text-in':
    case 'bytes-in':
      return 1;
    case 'text-starts':
    case 'text-ends':
      return 2;
    case 'text-contains':
    case 'bytes-contains':
      return 3;
    case 'text-matches':
    case 'bytes-matches':
      return 4;
  }
}

/** A test as text with a stable form, equal for equal tests. */
export function testKey(test: Test): string {
  switch (test.kind) {
    case 'ranges':
      return test.ranges.map((r) => (r.low === r.high ? `${r.low}` : `${r.low}..${r.high}`)).join(',');
    case 'text-matches':
    case 'bytes-matches':
      return `${test.kind} ${JSON.stringify(test.pattern)}`;
    default:
      return `${test.kind} ${JSON.stringify(test.values)}`;
  }
}

export function fieldKey(predicate: FieldPredicate): string {
  return `${predicate.protocol.name}.${predicate.field.name}`;
}

export function protocolAtom(protocol: ProtocolDef, span: Span): Atom {
  const predicate: ProtocolPredicate = { kind: 'protocol', protocol, span };
  const application = protocol.layer === 'application';
  return {
    key: protocol.name,
    predicate,
    when: application ? 'protocol' : 'connection',
    text: protocol.name,
    rank: (application ? 50 : 0) + LAYER_RANK[protocol.layer],
  };
}

export function sessionAtom(protocol: ProtocolDef, span: Span): Atom {
  return {
    key: `${protocol.name} session`,
    predicate: { kind: 'session', protocol, span },
    when: 'session',
    text: `a ${protocol.name} session`,
    rank: 60,
  };
}

export function fieldAtom(predicate: FieldPredicate): Atom {
  const { scope } = predicate.field;
  const base = scope === 'connection' ? 10 : scope === 'packet' ? 30 : 60;
  return {
    key: `${fieldKey(predicate)} ${testKey(predicate.test)}`,
    predicate,
    when: scope,
    text: predicate.text,
    rank: base + 4 - LAYER_RANK[predicate.protocol.layer] + testCost(predicate.test),
  };
}

export function makeAtom(predicate: Predicate): Atom {
  switch (predicate.kind) {
    case 'protocol':
      return protocolAtom(predicate.protocol, predicate.span);
    case 'field':
      return fieldAtom(predicate);
    case 'user': {
      const { filter } = predicate;
      const when = filterKind(filter);
      const key = `user ${filter.module}#${filter.name}`;
      const rank = when === 'session' ? 70 : when === 'later' ? 80 : 40;
      return { key, predicate, when, text: filter.name, rank };
    }
  }
}

export const positive = (atom: Atom): Literal => ({ atom, positive: true });
export const negative = (atom: Atom): Literal => ({ atom, positive: false });
export const negate = (literal: Literal): Literal => ({ atom: literal.atom, positive: !literal.positive });
export const literalKey = (literal: Literal): string =>
  literal.positive ? literal.atom.key : `not ${literal.atom.key}`;
export const patternKey = (pattern: Pattern): string => pattern.map(literalKey).join(' and ');

export function literalText(literal: Literal): string {
  return literal.positive ? literal.atom.text : `not ${literal.atom.text}`;
}

/** A pattern in source form, with everything that it implies. */
export function fullText(pattern: Pattern): string {
  return pattern.length === 0 ? 'true' : pattern.map(literalText).join(' and ');
}

/** A pattern in source form, without the protocols that its other tests speak of: `tls.sni = 'x'`, not `tcp and tls and …`. */
export function patternText(pattern: Pattern): string {
  const spoken = new Set<string>();
  for (const { atom, positive: holds } of pattern) {
    const { predicate } = atom;
    if (!holds || predicate.kind === 'user') continue;
    if (predicate.kind !== 'protocol') spoken.add(predicate.protocol.name);
    if (predicate.protocol.over.length === 1) for (const name of predicate.protocol.over) spoken.add(name);
  }
  const said = pattern.filter(
    ({ atom, positive: holds }) => !(holds && atom.predicate.kind === 'protocol' && spoken.has(atom.key)),
  );
  return fullText(said);
}

export function compareLiterals(a: Literal, b: Literal): number {
  if (a.atom.rank !== b.atom.rank) return a.atom.rank - b.atom.rank;
  const x = literalKey(a);
  const y = literalKey(b);
  return x < y ? -1 : x > y ? 1 : 0;
}

/** The application protocol that a literal speaks of, if any; of a filter the one whose sessions it looks at. */
export function applicationOf(literal: Literal): ProtocolDef | undefined {
  const { predicate } = literal.atom;
  if (predicate.kind === 'user') return literal.atom.when === 'session' ? filterProtocol(predicate.filter) : undefined;
  return predicate.protocol.layer === 'application' ? predicate.protocol : undefined;
}

/** The filter of an atom that waits for its verdict. */
export function pendingFilter({ atom }: Literal): FilterInfo | undefined {
  return atom.when === 'later' && atom.predicate.kind === 'user' ? atom.predicate.filter : undefined;
}
