/**
 * Conditions that nothing can satisfy: `tls and udp`, `tcp.dst_port = 80 and tcp.dst_port = 443`. The condition is
 * written as alternatives of conjunctions; it is refused when every one of them contradicts itself. What this pass cannot
 * see (user filters, unrelated regular expressions) counts as satisfiable.
 */
import { RE2JS } from 're2js';
import type { ProtocolDef } from '../../runtime/protocols/field.ts';
import { PROTOCOLS } from '../catalog/catalog.ts';
import { intersectRanges, type Range, subtractRanges } from './ranges.ts';
import { listNames } from './report.ts';
import type { FieldPredicate, Predicate, Test, TypedExpr } from './typed.ts';

/** A predicate or its negation. */
export interface Literal {
  readonly predicate: Predicate;
  readonly positive: boolean;
}

/** Literals that must all hold. */
export type Conjunction = readonly Literal[];

/** More alternatives than this are not looked at: the condition counts as satisfiable. */
const MAX_ALTERNATIVES = 2048;

/** Why a conjunction cannot hold, and the literals that say so. */
export interface Conflict {
  readonly reason: string;
  readonly literals: Conjunction;
}

/** The alternatives of a condition (disjunctive normal form), or undefined when there are too many. */
export function alternatives(expr: TypedExpr, positive = true): readonly Conjunction[] | undefined {
  if (expr.kind === 'true') return positive ? [[]] : [];
  if (expr.kind === 'not') return alternatives(expr.expr, !positive);
  if (expr.kind !== 'and' && expr.kind !== 'or') return [[{ predicate: expr, positive }]];
  const parts: (readonly Conjunction[])[] = [];
  for (const term of expr.terms) {
    const part = alternatives(term, positive);
    if (part === undefined) return undefined;
    parts.push(part);
  }
  // Under a negation `and` becomes `or` and the other way round.
  if ((expr.kind === 'or') === positive) {
    const all = parts.flat();
    return all.length > MAX_ALTERNATIVES ? undefined : all;
  }
  let product: readonly Conjunction[] = [[]];
  for (const part of parts) {
    if (product.length * part.length > MAX_ALTERNATIVES) return undefined;
    product = product.flatMap((left) => part.map((right) => [...left, ...right]));
  }
  return product;
}

/** The first contradiction of a condition that nothing can satisfy; undefined when something may. */
export function findConflict(conjunctions: readonly Conjunction[]): Conflict | undefined {
  let first: Conflict | undefined;
  for (const conjunction of conjunctions) {
    const conflict = layerConflict(conjunction) ?? valueConflict(conjunction);
    if (conflict === undefined) return undefined;
    first ??= conflict;
  }
  return first;
}

/** How a literal reads in a sentence. */
export function literalText({ predicate, positive }: Literal): string {
  const text =
    predicate.kind === 'protocol'
      ? predicate.protocol.name
      : predicate.kind === 'field'
        ? predicate.text
        : predicate.filter.name;
  return positive ? text : `not ${text}`;
}

// Layers

/** One way to fill the layers above the link: network, transport, application; absent ones left out. */
type Stack = readonly ProtocolDef[];

const STACKS: readonly Stack[] = stacks();

function stacks(): Stack[] {
  const layer = (name: ProtocolDef['layer']) => PROTOCOLS.filter((protocol) => protocol.layer === name);
  const grow = (below: readonly Stack[], name: ProtocolDef['layer']): Stack[] =>
    below.flatMap((stack) => {
      const top = stack.at(-1);
      const fits = top === undefined ? layer(name) : layer(name).filter((protocol) => protocol.over.includes(top.name));
      return [...(name === 'network' ? [[]] : []), ...fits.map((protocol) => [...stack, protocol])];
    });
  const network = grow([[]], 'network');
  const transport = grow(
    network.filter((stack) => stack.length === 1),
    'transport',
  );
  const application = grow(transport, 'application');
  return [...network, ...transport, ...application];
}

function fits(stack: Stack, { predicate, positive }: Literal): boolean {
  if (predicate.kind === 'user' || predicate.protocol.layer === 'link') return true;
  if (predicate.kind === 'field' && !positive) return true;
  return stack.includes(predicate.protocol) === positive;
}

function layerConflict(literals: Conjunction): Conflict | undefined {
  const possible = (some: Conjunction) => STACKS.some((stack) => some.every((literal) => fits(stack, literal)));
  if (possible(literals)) return linkConflict(literals);
  for (const [i, a] of literals.entries()) {
    for (const b of literals.slice(i + 1)) {
      if (!possible([a, b])) return { reason: layerReason(a, b), literals: [a, b] };
    }
  }
  const named = literals.filter((literal) => literal.predicate.kind !== 'user');
  return { reason: `${listNames(named.map(literalText), 'and')} exclude each other`, literals: named };
}

/** The link layer is not part of the stacks, because captures can begin with IP: only `x and not x` contradicts itself. */
function linkConflict(literals: Conjunction): Conflict | undefined {
  const links = literals.filter(({ predicate }) => predicate.kind !== 'user' && predicate.protocol.layer === 'link');
  const absent = links.find(({ predicate, positive }) => predicate.kind === 'protocol' && !positive);
  const present = links.find(({ positive }) => positive);
  if (absent === undefined || present === undefined) return undefined;
  return { reason: layerReason(present, absent), literals: [present, absent] };
}

function layerReason(a: Literal, b: Literal): string {
  const both = `${listNames([literalText(a), literalText(b)], 'and')}`;
  if (a.predicate.kind === 'user' || b.predicate.kind === 'user') return `${both} exclude each other`;
  const [p, q] = [a.predicate.protocol, b.predicate.protocol];
  if (!a.positive || !b.positive) {
    const [yes, no] = a.positive ? [p, q] : [q, p];
    return yes === no
      ? `${both} exclude each other`
      : `${both} exclude each other: ${yes.name} runs over ${overText(yes)}`;
  }
  if (p.layer === q.layer) {
    const what =
      p.layer === 'application'
        ? 'a connection carries one application protocol'
        : `a packet has one ${p.layer} protocol`;
    return `${both} exclude each other: ${what}`;
  }
  const [upper, lower] = PROTOCOLS.indexOf(p) > PROTOCOLS.indexOf(q) ? [p, q] : [q, p];
  return `${both} exclude each other: ${upper.name} runs over ${overText(upper)}, not over ${lower.name}`;
}

function overText(protocol: ProtocolDef): string {
  return protocol.over.join(' and ');
}

// Values

type FieldLiteral = Literal & { readonly predicate: FieldPredicate };

function valueConflict(literals: Conjunction): Conflict | undefined {
  const byField = new Map<FieldPredicate['field'], FieldLiteral[]>();
  for (const literal of literals) {
    const { predicate, positive } = literal;
    // Any element of a list may be the one that a test asks for; two tests need not mean the same.
    if (predicate.kind !== 'field' || predicate.field.type.endsWith('[]')) continue;
    const same = byField.get(predicate.field);
    const entry = { predicate, positive };
    if (same === undefined) byField.set(predicate.field, [entry]);
    else same.push(entry);
  }
  for (const group of byField.values()) {
    // Without a positive test the field need not be there at all, and then every negated one holds.
    if (group.length < 2 || !group.some((literal) => literal.positive)) continue;
    const conflict = rangeConflict(group) ?? textConflict(group);
    if (conflict !== undefined) return conflict;
  }
  return undefined;
}

function isRanges(test: Test): test is Extract<Test, { kind: 'ranges' }> {
  return test.kind === 'ranges';
}

function rangeConflict(group: readonly FieldLiteral[]): Conflict | undefined {
  let left: readonly Range[] | undefined;
  const used: FieldLiteral[] = [];
  // Positive tests first: negated ones only cut from what those leave.
  for (const literal of [...group].sort((a, b) => Number(b.positive) - Number(a.positive))) {
    const { test } = literal.predicate;
    if (!isRanges(test)) return undefined;
    used.push(literal);
    if (left === undefined) left = test.ranges;
    else left = literal.positive ? intersectRanges(left, test.ranges) : subtractRanges(left, test.ranges);
    if (left.length > 0) continue;
    return contradiction(used, (some) => rangesLeft(some).length === 0);
  }
  return undefined;
}

function rangesLeft(group: readonly FieldLiteral[]): readonly Range[] {
  let left: readonly Range[] = [{ low: 0n, high: 1n << 128n }];
  for (const { predicate, positive } of group) {
    if (isRanges(predicate.test)) {
      left = positive ? intersectRanges(left, predicate.test.ranges) : subtractRanges(left, predicate.test.ranges);
    }
  }
  return left;
}

/** Where the text must be one of a list, each value is tried on the other tests. */
function textConflict(group: readonly FieldLiteral[]): Conflict | undefined {
  const list = group.find(({ predicate, positive }) => positive && predicate.test.kind === 'text-in');
  if (list === undefined || list.predicate.test.kind !== 'text-in') return undefined;
  const { values } = list.predicate.test;
  const checks = new Map(group.map((literal) => [literal, textCheck(literal.predicate.test)]));
  const possible = (some: readonly FieldLiteral[]) =>
    values.some((value) => some.every((literal) => checks.get(literal)?.(value) !== !literal.positive));
  if (possible(group)) return undefined;
  return contradiction(group, (some) => !possible(some));
}

/** How a test of text looks at a value; undefined when the test is of another kind. */
function textCheck(test: Test): ((value: string) => boolean) | undefined {
  switch (test.kind) {
    case 'text-in': {
      const values = new Set(test.values);
      return (value) => values.has(value);
    }
    case 'text-contains':
      return (value) => test.values.some((part) => value.includes(part));
    case 'text-starts':
      return (value) => test.values.some((part) => value.startsWith(part));
    case 'text-ends':
      return (value) => test.values.some((part) => value.endsWith(part));
    case 'text-matches': {
      const regex = RE2JS.compile(test.pattern);
      return (value) => regex.matcher(value).find();
    }
    default:
      return undefined;
  }
}

/** Names the two literals that contradict each other where two suffice. */
function contradiction(group: readonly FieldLiteral[], fails: (some: readonly FieldLiteral[]) => boolean): Conflict {
  for (const [i, a] of group.entries()) {
    for (const b of group.slice(i + 1)) {
      if ((a.positive || b.positive) && fails([a, b])) {
        return { reason: `${listNames([literalText(a), literalText(b)], 'and')} cannot both hold`, literals: [a, b] };
      }
    }
  }
  return { reason: `${listNames(group.map(literalText), 'and')} cannot all hold`, literals: group };
}
