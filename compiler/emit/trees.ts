/** Predicate trees as nested branches of generated code. */
import { fieldKey, type Literal } from '../plan/atom.ts';
import { type Chain, isEmptyNode, marksBelow, type TreeNode } from '../plan/tree.ts';
import { type Condition, conditionOf, type Locals } from './tests.ts';
import { commentText } from './text.ts';
import { type ArmView, type CaseView, type NodeView, when } from './view.ts';

export interface TreeCode {
  readonly locals: Locals;
  /** Statements for the marks of a node. */
  readonly marks: (marks: readonly number[]) => readonly NodeView[];
  /** A condition to test before an arm below which these marks are; undefined when it is known to hold. */
  readonly guard?: (marks: readonly number[]) => string | undefined;
  /** The call of a user's filter. */
  readonly user?: (literal: Literal) => Condition;
}

/** From this many arms on, constants of one field are a `switch`. */
const SWITCH_FROM = 3;

export function treeNodes(node: TreeNode, code: TreeCode, known: ReadonlySet<string>): readonly NodeView[] {
  const own = node.marks.length === 0 ? [] : code.marks(node.marks);
  return [...own, ...node.chains.flatMap((chain) => chainNodes(chain, code, known))];
}

function chainNodes(chain: Chain, code: TreeCode, known: ReadonlySet<string>): readonly NodeView[] {
  const choice = switchNode(chain, code, known);
  if (choice !== undefined) return [choice];
  const arms: ArmView[] = [];
  addArms(chain, code, known, arms);
  const branch: NodeView = { template: 'branch', arms };
  if (!hasElse(chain)) return [branch];
  const guard = code.guard?.(marksBelow({ marks: [], chains: [chain] }));
  return [guard === undefined ? branch : when(guard, [branch])];
}

/** An `else` means that no test before it held, so that these must be made whoever is alive. */
const hasElse = ({ otherwise }: Chain): boolean => otherwise !== undefined && !isEmptyNode(otherwise);

function addArms(chain: Chain, code: TreeCode, known: ReadonlySet<string>, arms: ArmView[]): void {
  for (const { test, node } of chain.arms) {
    const below = marksBelow(node);
    const guard = hasElse(chain) ? undefined : code.guard?.(below);
    const condition = test.atom.predicate.kind === 'user' ? code.user?.(test) : conditionOf(test, code.locals, known);
    if (condition === undefined) throw new TypeError(`no code for ${test.atom.text} here`);
    const whole = guard === undefined ? condition.code : `${guard} && ${condition.code}`;
    const head = `${arms.length === 0 ? '' : '} else '}if (${whole}) {${remark(test)}`;
    const inner = guard === undefined ? code : { ...code, guard: narrower(code.guard, below) };
    arms.push({ head, nodes: treeNodes(node, inner, withProtocol(known, test)) });
  }
  const { otherwise } = chain;
  if (otherwise === undefined || isEmptyNode(otherwise)) return;
  const [only] = otherwise.chains;
  if (otherwise.marks.length === 0 && otherwise.chains.length === 1 && only !== undefined) {
    if (switchNode(only, code, known) === undefined) {
      addArms(only, code, known, arms);
      return;
    }
  }
  arms.push({ head: '} else {', nodes: treeNodes(otherwise, code, known) });
}

/** Below a guard the same marks need not be guarded again. */
function narrower(guard: TreeCode['guard'], outer: readonly number[]): TreeCode['guard'] {
  return (marks) => (marks.join() === outer.join() ? undefined : guard?.(marks));
}

function remark(test: Literal): string {
  return ` // ${test.positive ? '' : 'not '}${commentText(test.atom.text)}`;
}

function withProtocol(known: ReadonlySet<string>, test: Literal): ReadonlySet<string> {
  const { predicate } = test.atom;
  if (!test.positive || predicate.kind === 'user') return known;
  return new Set([...known, predicate.protocol.name]);
}

/** Arms that all compare one field of a known protocol with few constants. */
function switchNode(chain: Chain, code: TreeCode, known: ReadonlySet<string>): NodeView | undefined {
  if (chain.arms.length < SWITCH_FROM || code.guard !== undefined) return undefined;
  const [first] = chain.arms;
  const field = first?.test.atom.predicate;
  if (field?.kind !== 'field' || !known.has(field.protocol.name)) return undefined;
  const cases: CaseView[] = [];
  let value = '';
  for (const { test, node } of chain.arms) {
    const { predicate } = test.atom;
    if (predicate.kind !== 'field' || !test.positive || fieldKey(predicate) !== fieldKey(field)) return undefined;
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
      labels: [...labels, `${last}${remark(test)}`],
      nodes: treeNodes(node, code, withProtocol(known, test)),
    });
  }
  const otherwise = chain.otherwise === undefined ? [] : treeNodes(chain.otherwise, code, known);
  const bare = /^\((.*)\)$/.exec(value)?.[1];
  return { template: 'choice', value: bare !== undefined && !/[()]/.test(bare) ? bare : value, cases, otherwise };
}
