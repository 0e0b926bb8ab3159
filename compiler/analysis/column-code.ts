/**
 * Rewrites the methods of a class of columns into code over the record: `this.packets[pdu.dir]++` becomes
 * `rec[c + PACKETS + pkt[p + PKT_DIR]]++`. What it does not know it refuses, and the class is kept as instances instead.
 */
import { ts } from 'ts-morph';
import { type Code, type Local, type MethodParam, Refusal, type Surroundings } from './code.ts';
import { createExpressions } from './column-expressions.ts';
import { constantValue } from './constants.ts';
import type { Interval } from './interval.ts';

/** Compiles statements of a method body; lines are indented by two spaces for each level of nesting. */
export function compileBody(
  around: Surroundings,
  params: readonly MethodParam[],
  body: ts.Block,
  returns: boolean,
): string[] {
  const scopes: Map<string, Local>[] = [new Map()];
  const outer = scopes[0];
  for (const param of params) {
    const kind = param.pdu ? 'number' : param.kind;
    const interval = param.pdu ? undefined : param.interval;
    outer.set(param.name, {
      name: localName(param.name, around.reserved),
      pdu: param.pdu,
      fixed: true,
      kind,
      interval,
    });
  }
  const { expression, effect } = createExpressions(around, lookUp);
  return block(body.statements);

  function lookUp(name: string): Local | undefined {
    for (let i = scopes.length - 1; i >= 0; i--) {
      const found = scopes[i].get(name);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  function block(statements: readonly ts.Statement[]): string[] {
    scopes.push(new Map());
    const lines = statements.flatMap(statement);
    scopes.pop();
    return lines;
  }
  function nested(node: ts.Statement): string[] {
    return block(ts.isBlock(node) ? node.statements : [node]).map((line) => `  ${line}`);
  }

  function statement(node: ts.Statement): string[] {
    if (ts.isExpressionStatement(node)) return [unhinged(effect(node.expression))];
    if (ts.isVariableStatement(node)) return [declare(node.declarationList)];
    if (ts.isEmptyStatement(node)) return [];
    if (ts.isBlock(node)) return ['{', ...nested(node), '}'];
    if (ts.isIfStatement(node)) return branch(node);
    if (ts.isWhileStatement(node))
      return [`while (${expression(node.expression).text}) {`, ...nested(node.statement), '}'];
    if (ts.isDoStatement(node))
      return ['do {', ...nested(node.statement), `} while (${expression(node.expression).text})`];
    if (ts.isForStatement(node)) return loop(node);
    if (ts.isSwitchStatement(node)) return cases(node);
    if (ts.isBreakStatement(node) && node.label === undefined) return ['break'];
    if (ts.isContinueStatement(node) && node.label === undefined) return ['continue'];
    if (ts.isReturnStatement(node)) {
      if (node.expression === undefined) return ['return'];
      if (!returns) throw new Refusal(node, 'an update returns nothing');
      return [`return ${expression(node.expression).text}`];
    }
    throw new Refusal(node, 'this kind of statement is not compiled');
  }

  function branch(node: ts.IfStatement): string[] {
    const lines = [`if (${expression(node.expression).text}) {`, ...nested(node.thenStatement)];
    if (node.elseStatement === undefined) return [...lines, '}'];
    if (ts.isIfStatement(node.elseStatement)) {
      const [first, ...rest] = branch(node.elseStatement);
      return [...lines, `} else ${first}`, ...rest];
    }
    return [...lines, '} else {', ...nested(node.elseStatement), '}'];
  }

  function declare(list: ts.VariableDeclarationList, counter?: Interval): string {
    const constant = (list.flags & ts.NodeFlags.Const) !== 0;
    if (!constant && (list.flags & ts.NodeFlags.Let) === 0) throw new Refusal(list, '`var` is not compiled');
    const parts = list.declarations.map(({ name, initializer }) => {
      if (!ts.isIdentifier(name)) throw new Refusal(name, 'destructuring is not compiled');
      const value = initializer === undefined ? undefined : expression(initializer);
      // What a `let` holds later is not followed: only that a flag stays one.
      const kind =
        value === undefined ? 'number' : constant || counter !== undefined ? value.kind : loosened(value.kind);
      const interval = counter ?? (constant ? value?.interval : undefined);
      const local = { name: localName(name.text, around.reserved), pdu: false, fixed: false, kind, interval };
      scopes[scopes.length - 1].set(name.text, local);
      return value === undefined ? local.name : `${local.name} = ${value.text}`;
    });
    return `${constant ? 'const' : 'let'} ${parts.join(', ')}`;
  }

  function loop(node: ts.ForStatement): string[] {
    scopes.push(new Map());
    const { initializer } = node;
    const first =
      initializer === undefined
        ? ''
        : ts.isVariableDeclarationList(initializer)
          ? declare(initializer, counterInterval(around, node))
          : effect(initializer);
    const until = node.condition === undefined ? '' : ` ${expression(node.condition).text}`;
    const step = node.incrementor === undefined ? '' : ` ${effect(node.incrementor)}`;
    const body = nested(node.statement);
    scopes.pop();
    return [`for (${first};${until};${step}) {`, ...body, '}'];
  }

  function cases(node: ts.SwitchStatement): string[] {
    scopes.push(new Map());
    const lines = [`switch (${expression(node.expression).text}) {`];
    for (const clause of node.caseBlock.clauses) {
      lines.push(ts.isCaseClause(clause) ? `  case ${expression(clause.expression).text}:` : '  default:');
      lines.push(...clause.statements.flatMap(statement).map((line) => `    ${line}`));
    }
    scopes.pop();
    return [...lines, '}'];
  }
}

function loosened(kind: Code['kind']): Code['kind'] {
  return kind === 'bool' ? 'bool' : 'number';
}

/** Bounds of `i` in `for (let i = A; i < B; i++)`, where nothing else assigns it. */
function counterInterval({ modules, module }: Surroundings, node: ts.ForStatement): Interval | undefined {
  const { initializer, condition, incrementor } = node;
  if (initializer === undefined || !ts.isVariableDeclarationList(initializer)) return undefined;
  if (initializer.declarations.length !== 1 || condition === undefined || incrementor === undefined) return undefined;
  const [{ name, initializer: start }] = initializer.declarations;
  if (!ts.isIdentifier(name) || start === undefined || !ts.isBinaryExpression(condition)) return undefined;
  const operator = condition.operatorToken.kind;
  const low = constantValue(modules, module, start);
  const end = constantValue(modules, module, condition.right);
  const isName = (at: ts.Node): boolean => ts.isIdentifier(at) && at.text === name.text;
  const step =
    (ts.isPostfixUnaryExpression(incrementor) || ts.isPrefixUnaryExpression(incrementor)) &&
    incrementor.operator === ts.SyntaxKind.PlusPlusToken &&
    isName(incrementor.operand);
  const below = operator === ts.SyntaxKind.LessThanToken;
  if (!step || !isName(condition.left) || (!below && operator !== ts.SyntaxKind.LessThanEqualsToken)) return undefined;
  if (typeof low !== 'number' || typeof end !== 'number' || !Number.isInteger(low) || !Number.isInteger(end))
    return undefined;
  if (assigns(node.statement, isName)) return undefined;
  // After the loop the counter is out of reach; inside it the condition has just held.
  return { low, high: Math.max(low, below ? end - 1 : end) };
}

function assigns(node: ts.Node, isName: (at: ts.Node) => boolean): boolean {
  if (ts.isBinaryExpression(node) && isAssignment(node.operatorToken.kind) && isName(node.left)) return true;
  const unary = ts.isPostfixUnaryExpression(node) || ts.isPrefixUnaryExpression(node);
  if (unary && isName(node.operand) && isStep(node.operator)) return true;
  return ts.forEachChild(node, (child) => assigns(child, isName) || undefined) ?? false;
}

export function isStep(operator: ts.SyntaxKind): boolean {
  return operator === ts.SyntaxKind.PlusPlusToken || operator === ts.SyntaxKind.MinusMinusToken;
}
export function isAssignment(operator: ts.SyntaxKind): boolean {
  return operator >= ts.SyntaxKind.FirstAssignment && operator <= ts.SyntaxKind.LastAssignment;
}

/** The name of a local in generated code: its own, unless that would hide what the code refers to. */
export function localName(name: string, reserved: ReadonlySet<string>): string {
  // Names that differ only by what is added here must stay apart.
  return reserved.has(name.replace(/_+$/, '')) ? `${name}_` : name;
}

/** Lines stand without semicolons: one that the line before could swallow gets one in front. */
function unhinged(line: string): string {
  return /^[([/+\-`]/.test(line) ? `;${line}` : line;
}
