/** Numbers and flags that are known from the source: literals, `const`s, enum members, static fields, and sums of them. */
import { ts } from 'ts-morph';
import { hasModifier, type Module, type Modules, type Resolved } from './modules.ts';

/** Deeper chains of constants than this are taken as unknown (they could be circular). */
const DEEPEST = 32;

/** The value of a constant expression as seen from `module`; undefined when it is not constant. */
export function constantValue(
  modules: Modules,
  module: Module,
  node: ts.Expression,
  depth = 0,
): number | boolean | undefined {
  if (depth > DEEPEST) return undefined;
  const value = (inner: ts.Expression): number | boolean | undefined =>
    constantValue(modules, module, inner, depth + 1);
  if (ts.isNumericLiteral(node)) return Number(node.text);
  if (node.kind === ts.SyntaxKind.TrueKeyword) return true;
  if (node.kind === ts.SyntaxKind.FalseKeyword) return false;
  if (ts.isParenthesizedExpression(node) || ts.isAsExpression(node) || ts.isSatisfiesExpression(node)) {
    return value(node.expression);
  }
  if (ts.isIdentifier(node)) {
    const resolved = modules.resolve(module, node.text);
    if (resolved !== undefined) return variableValue(modules, resolved, depth);
    if (module.locals.has(node.text)) return undefined;
    return node.text === 'Infinity' ? Number.POSITIVE_INFINITY : node.text === 'NaN' ? Number.NaN : undefined;
  }
  if (ts.isPropertyAccessExpression(node) && ts.isIdentifier(node.expression)) {
    const resolved = modules.resolve(module, node.expression.text);
    if (resolved !== undefined) return memberValue(modules, resolved, node.name.text, depth);
    return node.expression.text === 'Number' ? NUMBER_MEMBERS[node.name.text] : undefined;
  }
  if (ts.isPrefixUnaryExpression(node)) {
    const operand = value(node.operand);
    if (typeof operand !== 'number') return undefined;
    if (node.operator === ts.SyntaxKind.MinusToken) return -operand;
    if (node.operator === ts.SyntaxKind.PlusToken) return operand;
    return node.operator === ts.SyntaxKind.TildeToken ? ~operand : undefined;
  }
  if (ts.isBinaryExpression(node)) {
    const left = value(node.left);
    const right = value(node.right);
    return typeof left === 'number' && typeof right === 'number'
      ? fold(node.operatorToken.kind, left, right)
      : undefined;
  }
  return undefined;
}

const NUMBER_MEMBERS: Readonly<Record<string, number>> = {
  MAX_SAFE_INTEGER: Number.MAX_SAFE_INTEGER,
  MIN_SAFE_INTEGER: Number.MIN_SAFE_INTEGER,
  POSITIVE_INFINITY: Number.POSITIVE_INFINITY,
  NEGATIVE_INFINITY: Number.NEGATIVE_INFINITY,
  MAX_VALUE: Number.MAX_VALUE,
  EPSILON: Number.EPSILON,
};

function variableValue(modules: Modules, { module, node }: Resolved, depth: number): number | boolean | undefined {
  if (!ts.isVariableDeclaration(node) || node.initializer === undefined) return undefined;
  if ((ts.getCombinedNodeFlags(node) & ts.NodeFlags.Const) === 0) return undefined;
  return constantValue(modules, module, node.initializer, depth + 1);
}

function memberValue(
  modules: Modules,
  { module, node }: Resolved,
  name: string,
  depth: number,
): number | boolean | undefined {
  if (ts.isClassDeclaration(node)) {
    for (const member of node.members) {
      if (!ts.isPropertyDeclaration(member) || member.name.getText() !== name || member.initializer === undefined)
        continue;
      const fixed = [ts.SyntaxKind.StaticKeyword, ts.SyntaxKind.ReadonlyKeyword].every((kind) =>
        hasModifier(member, kind),
      );
      return fixed ? constantValue(modules, module, member.initializer, depth + 1) : undefined;
    }
    return undefined;
  }
  if (!ts.isEnumDeclaration(node)) return undefined;
  let next: number | undefined = 0;
  const before = new Map<string, number | undefined>();
  for (const member of node.members) {
    const { initializer } = member;
    // A member may be made of members before it, by their bare names.
    const own: number | boolean | undefined =
      initializer === undefined
        ? next
        : ts.isIdentifier(initializer) && before.has(initializer.text)
          ? before.get(initializer.text)
          : constantValue(modules, module, initializer, depth + 1);
    const known: number | undefined = typeof own === 'number' ? own : undefined;
    if (member.name.getText() === name) return known;
    before.set(member.name.getText(), known);
    next = known === undefined ? undefined : known + 1;
  }
  return undefined;
}

function fold(operator: ts.SyntaxKind, a: number, b: number): number | undefined {
  switch (operator) {
    case ts.SyntaxKind.PlusToken:
      return a + b;
    case ts.SyntaxKind.MinusToken:
      return a - b;
    case ts.SyntaxKind.AsteriskToken:
      return a * b;
    case ts.SyntaxKind.SlashToken:
      return a / b;
    case ts.SyntaxKind.PercentToken:
      return a % b;
    case ts.SyntaxKind.AsteriskAsteriskToken:
      return a ** b;
    case ts.SyntaxKind.AmpersandToken:
      return a & b;
    case ts.SyntaxKind.BarToken:
      return a | b;
    case ts.SyntaxKind.CaretToken:
      return a ^ b;
    case ts.SyntaxKind.LessThanLessThanToken:
      return a << b;
    case ts.SyntaxKind.GreaterThanGreaterThanToken:
      return a >> b;
    case ts.SyntaxKind.GreaterThanGreaterThanGreaterThanToken:
      return a >>> b;
    default:
      return undefined;
  }
}
