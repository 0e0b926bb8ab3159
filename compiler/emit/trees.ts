/** Predicate trees as nested branches of generated code. */
import type { FieldPredicate } from '../language/typed.ts';
import { fieldKey, type Literal, negate, type Pattern, patternText } from '../plan/atom.ts';
import { exclude } from '../plan/pattern.ts';
import { presenceOf, type World } from '../plan/presence.ts';
import { type Arm, type Chain, isEmptyNode, marksBelow, type TreeNode } from '../plan/tree.ts';
import type { Counting } from './counting.ts';
import { type Condition, conditionOf, type Locals, rangeNumber } from './tests.ts';
import { commentText } from './text.ts';
import { textNumber } from './text-tables.ts';
import { type ArmView, type CaseView, lines, type NodeView, when } from './view.ts';

export interface TreeCode {
  readonly locals: Locals;
  readonly world: World;
  /** Statements for the marks of a node. */
  readonly marks: (marks: readonly number[]) => readonly NodeView[];
  /** A condition to test before an arm below which these marks are; undefined when it is known to hold. */
  readonly guard?: (marks: readonly number[]) => string | undefined;
  /** Counts the arms taken, in modules that explain their run. */
  readonly counting: Counting | undefined;
  /** The call of a user's filter. */
  readonly user?: (literal: Literal) => Condition;
}

/** From this many arms on, constants of one field are a `switch`. */
const SWITCH_FROM = 3;
/** From this many arms on ranges of one field are looked up in a table. */
const RANGES_FROM = 8;

export function treeNodes(node: TreeNode, code: TreeCode, path: Pattern): readonly NodeView[] {
  const own = node.marks.length === 0 ? [] : code.marks(node.marks);
  return [...own, ...node.chains.flatMap((chain) => chainNodes(chain, code, path))];
}

function chainNodes(chain: Chain, code: TreeCode, path: Pattern): readonly NodeView[] {
  const choice = switchNode(chain, code, path);
  if (choice !== undefined) return [choice];
  const arms: ArmView[] = [];
  addArms(chain, code, path, arms);
  const branch: NodeView = { template: 'branch', arms };
  if (!isLinked(chain, code)) return [branch];
  const guard = code.guard?.(marksBelow({ marks: [], chains: [chain] }));
  return [guard === undefined ? branch : when(guard, [branch])];
}

/** An `else` means that no test before it held, so that these must be made whoever is alive. */
const hasElse = ({ otherwise }: Chain): boolean => otherwise !== undefined && !isEmptyNode(otherwise);

/**
 * Whether what comes later in the chain counts on the tests before it having failed, rather than on its own test: then
 * none of them may be passed over for want of a living thread.
 */
function isLinked(chain: Chain, { guard, world }: TreeCode): boolean {
  if (hasElse(chain)) return true;
  if (guard === undefined) return false;
  return chain.arms.some(({ test }, i) =>
    chain.arms.slice(0, i).some((earlier) => !exclude(earlier.test, test, world)),
  );
}

/** Tests made one inside the other with nothing between them: one condition. */
function straight(chain: Chain): { readonly tests: readonly Literal[]; readonly node: TreeNode } | undefined {
  const [arm] = chain.arms;
  if (arm === undefined || chain.arms.length > 1 || hasElse(chain)) return undefined;
  const tests = [arm.test];
  let { node } = arm;
  for (;;) {
    const [inner] = node.chains;
    const [next] = inner?.arms ?? [];
    if (node.marks.length > 0 || node.chains.length !== 1 || inner === undefined || next === undefined) break;
    if (inner.arms.length > 1 || hasElse(inner) || tests.length >= STRAIGHT) break;
    tests.push(next.test);
    ({ node } = next);
  }
  return { tests, node };
}

/** More tests than this in one condition are hard to read. */
const STRAIGHT = 3;

function probed(arm: Arm, { counting }: TreeCode): readonly NodeView[] {
  return counting === undefined ? [] : [lines(counting.arm(arm))];
}

function addArms(chain: Chain, code: TreeCode, path: Pattern, arms: ArmView[]): void {
  const single = code.counting === undefined ? straight(chain) : undefined;
  const branches =
    single === undefined
      ? chain.arms.map((arm) => ({ tests: [arm.test], node: arm.node, counted: probed(arm, code) }))
      : [{ ...single, counted: [] }];
  const linked = isLinked(chain, code);
  for (const { tests, node, counted } of branches) {
    const below = marksBelow(node);
    const guard = linked ? undefined : code.guard?.(below);
    const conditions = guard === undefined ? [] : [guard];
    let inside = path;
    for (const test of tests) {
      conditions.push(testCode(test, code, inside));
      inside = [...inside, test];
    }
    const head = `${arms.length === 0 ? '' : '} else '}if (${conditions.join(' && ')}) {${remark(tests)}`;
    const inner = guard === undefined ? code : { ...code, guard: narrower(code.guard, below) };
    arms.push({ head, nodes: [...counted, ...treeNodes(node, inner, inside)] });
  }
  const { otherwise } = chain;
  if (otherwise === undefined || isEmptyNode(otherwise)) return;
  const below = [...path, ...chain.arms.map((arm) => negate(arm.test))];
  const [only] = otherwise.chains;
  if (otherwise.marks.length === 0 && otherwise.chains.length === 1 && only !== undefined) {
    if (switchNode(only, code, below) === undefined) {
      addArms(only, code, below, arms);
      return;
    }
  }
  arms.push({ head: '} else {', nodes: treeNodes(otherwise, code, below) });
}

function testCode(test: Literal, code: TreeCode, path: Pattern): string {
  const condition =
    test.atom.predicate.kind === 'user' ? code.user?.(test) : conditionOf(test, code.locals, protocolsOn(path, code));
  if (condition === undefined) throw new TypeError(`no code for ${test.atom.text} here`);
  return condition.code;
}

/** Below a guard the same marks need not be guarded again. */
function narrower(guard: TreeCode['guard'], outer: readonly number[]): TreeCode['guard'] {
  return (marks) => (marks.join() === outer.join() ? undefined : guard?.(marks));
}

function remark(tests: readonly Literal[]): string {
  return ` // ${commentText(patternText(tests))}`;
}

/** Protocols that are there for sure where these tests have passed. */
function protocolsOn(path: Pattern, { world }: TreeCode): ReadonlySet<string> {
  return presenceOf(path, world).present;
}

/** Arms that all compare one field of a known protocol with few constants. */
function switchNode(chain: Chain, code: TreeCode, path: Pattern): NodeView | undefined {
  if (chain.arms.length < (code.guard === undefined ? SWITCH_FROM : RANGES_FROM)) return undefined;
  const choice =
    constantsSwitch(chain, code, path) ?? rangesSwitch(chain, code, path) ?? textsSwitch(chain, code, path);
  const guard = choice === undefined ? undefined : code.guard?.(marksBelow({ marks: [], chains: [chain] }));
  return choice === undefined || guard === undefined ? choice : when(guard, [choice]);
}

/** The field that all arms test. */
function fieldOfArms(chain: Chain): FieldPredicate | undefined {
  const field = chain.arms[0]?.test.atom.predicate;
  if (field?.kind !== 'field') return undefined;
  const alike = chain.arms.every(({ test }) => {
    const { predicate } = test.atom;
    return test.positive && predicate.kind === 'field' && fieldKey(predicate) === fieldKey(field);
  });
  return alike ? field : undefined;
}

function otherwiseNodes(chain: Chain, code: TreeCode, path: Pattern): readonly NodeView[] {
  if (chain.otherwise === undefined) return [];
  return treeNodes(chain.otherwise, code, [...path, ...chain.arms.map((arm) => negate(arm.test))]);
}

/** Many ranges of one field: looked up in a table, then a switch over the number of the range. */
function rangesSwitch(chain: Chain, code: TreeCode, path: Pattern): NodeView | undefined {
  if (chain.arms.length < RANGES_FROM) return undefined;
  const field = fieldOfArms(chain);
  if (field === undefined) return undefined;
  const tests = chain.arms.flatMap(({ test }) => (test.atom.predicate.kind === 'field' ? [test.atom.predicate] : []));
  const value = rangeNumber(field, tests, code.locals, protocolsOn(path, code));
  return value === undefined ? undefined : numberedChoice(value, chain, code, path);
}

/** Many texts of one field: looked up in a map, then a switch over the number of the arm. */
function textsSwitch(chain: Chain, code: TreeCode, path: Pattern): NodeView | undefined {
  if (chain.arms.length < RANGES_FROM) return undefined;
  const field = fieldOfArms(chain);
  if (field === undefined || !protocolsOn(path, code).has(field.protocol.name)) return undefined;
  const lists = chain.arms.flatMap(({ test }) => {
    const { predicate } = test.atom;
    return predicate.kind === 'field' && predicate.test.kind === 'text-in' ? [predicate.test.values] : [];
  });
  if (lists.length < chain.arms.length) return undefined;
  const value = textNumber(field, lists, code.locals);
  return value === undefined ? undefined : numberedChoice(value, chain, code, path);
}

/** A choice between arms by their numbers, from 1. */
function numberedChoice(value: string, chain: Chain, code: TreeCode, path: Pattern): NodeView {
  const cases = chain.arms.map((arm, i): CaseView => {
    const nodes = [...probed(arm, code), ...treeNodes(arm.node, code, [...path, arm.test])];
    return { labels: [`case ${i + 1}:${remark([arm.test])}`], nodes };
  });
  return { template: 'choice', value, cases, otherwise: otherwiseNodes(chain, code, path) };
}

/** Few constants each: a plain switch. */
function constantsSwitch(chain: Chain, code: TreeCode, path: Pattern): NodeView | undefined {
  const known = protocolsOn(path, code);
  const field = fieldOfArms(chain);
  if (field === undefined || !known.has(field.protocol.name)) return undefined;
  const cases: CaseView[] = [];
  let value = '';
  for (const arm of chain.arms) {
    const { test, node } = arm;
    const { predicate } = test.atom;
    if (predicate.kind !== 'field') return undefined;
    if (predicate.test.kind !== 'ranges' || predicate.field.type === 'ipv6') return undefined;
    const labels: string[] = [];
    for (const { low, high } of predicate.test.ranges) {
      if (high - low > 8n) return undefined;
      for (let n = low; n <= high; n++) {
        const one = { ...predicate, test: { kind: 'ranges', ranges: [{ low: n, high: n }] } as const };
        const { code: text } = conditionOf(
          { atom: { ...test.atom, predicate: one }, positive: true },
          code.locals,
          known,
        );
        const parts = /^(.+) === (\S+|\(.+\))$/.exec(text);
        if (parts?.[1] === undefined || text.includes('&&')) return undefined;
        value = parts[1];
        labels.push(`case ${parts[2]}:`);
      }
    }
    const last = labels.pop() ?? '';
    cases.push({
      labels: [...labels, `${last}${remark([test])}`],
      nodes: [...probed(arm, code), ...treeNodes(node, code, [...path, test])],
    });
  }
  const otherwise = otherwiseNodes(chain, code, path);
  const bare = /^\((.*)\)$/.exec(value)?.[1];
  return { template: 'choice', value: bare !== undefined && !/[()]/.test(bare) ? bare : value, cases, otherwise };
}
