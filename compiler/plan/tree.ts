/**
 * Predicate trees: many rules (a conjunction and what follows from it) as one nest of tests in which a shared test is made
 * once, tests that exclude each other become else-if, and what follows from the tests above is not asked again.
 */
import { compareLiterals, type Literal, literalKey, negate, type Pattern } from './atom.ts';
import { decide } from './pattern.ts';
import type { World } from './presence.ts';

export interface Rule {
  readonly literals: Pattern;
  /** What follows: a number that the caller knows (a thread, a delivery, acceptance). */
  readonly mark: number;
}

export interface TreeNode {
  /** Marks that follow here, sorted. */
  readonly marks: readonly number[];
  /** Tests made one after the other. */
  readonly chains: readonly Chain[];
}

/** if / else if / else: the arms exclude each other. */
export interface Chain {
  readonly arms: readonly Arm[];
  readonly otherwise: TreeNode | undefined;
}

export interface Arm {
  readonly test: Literal;
  readonly node: TreeNode;
}

const EMPTY: TreeNode = { marks: [], chains: [] };

export interface TreeOptions {
  readonly world: World;
  /** One mark is all that is asked: what lies beside or below a mark is moot. */
  readonly anyMark?: boolean;
}

export function buildTree(rules: readonly Rule[], options: TreeOptions, known: Pattern = []): TreeNode {
  const open: Rule[] = [];
  const marks = new Set<number>();
  for (const rule of rules) {
    const left = undecided(rule, known, options.world);
    if (left === undefined) continue;
    if (left.length === 0) marks.add(rule.mark);
    else open.push({ literals: left, mark: rule.mark });
  }
  if (options.anyMark && marks.size > 0) return { marks: [...marks], chains: [] };
  let pending: readonly Rule[] = open.filter((rule) => !marks.has(rule.mark));
  const chains: Chain[] = [];
  while (pending.length > 0) {
    const { chain, rest } = buildChain(pending, options, known);
    const common = commonNode(chain);
    if (common === undefined) {
      if (!isEmptyChain(chain)) chains.push(chain);
    } else {
      for (const mark of common.marks) marks.add(mark);
      chains.push(...common.chains);
    }
    pending = rest.filter((rule) => !marks.has(rule.mark));
  }
  if (options.anyMark && marks.size > 0) return { marks: [...marks], chains: [] };
  return { marks: [...marks].sort((a, b) => a - b), chains };
}

/** Literals of a rule that what is known leaves open; undefined when the rule cannot apply any more. */
function undecided(rule: Rule, known: Pattern, world: World): Pattern | undefined {
  if (known.length === 0) return rule.literals;
  const left: Literal[] = [];
  for (const literal of rule.literals) {
    const verdict = decide(literal, known, world);
    if (verdict === false) return undefined;
    if (verdict === undefined) left.push(literal);
  }
  return left;
}

/** One chain over the rules that its first test or its alternatives concern, and the rules left for the next chain. */
function buildChain(
  rules: readonly Rule[],
  options: TreeOptions,
  known: Pattern,
): { chain: Chain; rest: readonly Rule[] } {
  const arms: Arm[] = [];
  let candidates = rules;
  let rest: readonly Rule[] = [];
  let path = known;
  let otherwise: TreeNode | undefined;
  while (candidates.length > 0) {
    const test = chooseTest(candidates);
    if (arms.length > 0 && decide(test, path, options.world) === true) {
      otherwise = buildTree(candidates, options, path);
      break;
    }
    const passed = [...known, test];
    const key = literalKey(test);
    const mine: Rule[] = [];
    const excluded: Rule[] = [];
    const free: Rule[] = [];
    for (const rule of candidates) {
      if (rule.literals.some((l) => literalKey(l) === key)) mine.push(rule);
      else if (rule.literals.some((l) => decide(l, passed, options.world) === false)) excluded.push(rule);
      else free.push(rule);
    }
    if (arms.length === 0) rest = free;
    else if (free.length > 0) {
      // Not exclusive with this test: no further arm, but a branch of their own below the tests so far.
      otherwise = buildTree(candidates, options, path);
      break;
    }
    arms.push({ test, node: buildTree(mine, options, [...path, test].sort(compareLiterals)) });
    path = [...path, negate(test)].sort(compareLiterals);
    candidates = excluded;
  }
  return { chain: { arms, otherwise }, rest };
}

/** The test that most rules share, whichever way it turns out; among equals the outermost and cheapest. */
function chooseTest(rules: readonly Rule[]): Literal {
  const counts = new Map<string, { literal: Literal; count: number }>();
  for (const literal of rules.flatMap((rule) => rule.literals)) {
    const entry = counts.get(literal.atom.key);
    if (entry === undefined) counts.set(literal.atom.key, { literal, count: 1 });
    else counts.set(literal.atom.key, { literal: literal.positive ? literal : entry.literal, count: entry.count + 1 });
  }
  let best: { literal: Literal; count: number } | undefined;
  for (const one of counts.values()) {
    const better = best === undefined ? -1 : best.count - one.count || compareLiterals(one.literal, best.literal);
    if (better < 0) best = one;
  }
  if (best === undefined) throw new RangeError('no rules to choose a test from');
  return best.literal;
}

/** The node that every branch of a chain leads to, if they all do: the test decides nothing. */
function commonNode(chain: Chain): TreeNode | undefined {
  if (chain.otherwise === undefined) return undefined;
  const key = nodeKey(chain.otherwise);
  return chain.arms.every((arm) => nodeKey(arm.node) === key) ? chain.otherwise : undefined;
}

function isEmptyChain(chain: Chain): boolean {
  return [...chain.arms.map((a) => a.node), chain.otherwise ?? EMPTY].every(isEmptyNode);
}

export function isEmptyNode(node: TreeNode): boolean {
  return node.marks.length === 0 && node.chains.length === 0;
}

function nodeKey(node: TreeNode): string {
  const chains = node.chains.map((chain) => {
    const arms = chain.arms.map((arm) => `${literalKey(arm.test)}?${nodeKey(arm.node)}`).join(';');
    return `${arms}:${chain.otherwise === undefined ? '' : nodeKey(chain.otherwise)}`;
  });
  return `${node.marks.join(',')}[${chains.join('|')}]`;
}

/** Marks at or below a node, sorted. */
export function marksBelow(node: TreeNode): readonly number[] {
  const all = new Set(node.marks);
  for (const chain of node.chains) {
    for (const arm of chain.arms) for (const mark of marksBelow(arm.node)) all.add(mark);
    if (chain.otherwise !== undefined) for (const mark of marksBelow(chain.otherwise)) all.add(mark);
  }
  return [...all].sort((a, b) => a - b);
}
