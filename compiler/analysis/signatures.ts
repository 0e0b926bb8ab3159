/** Reads parameters and return types of user functions and methods: types by name, followed through imports. */
import { ts } from 'ts-morph';
import { didYouMean } from '../catalog/suggest.ts';
import type { Span } from '../language/ast.ts';
import { dataProblem } from '../language/levels.ts';
import type { DataTypeInfo, Level } from './info.ts';
import { isTypeOnly, type Module, type Modules, type Resolved, RUNTIME_MODULE, spanOf } from './modules.ts';
import type { Report } from './report.ts';

export type FunctionNode =
  | ts.FunctionDeclaration
  | ts.MethodDeclaration
  | ts.ConstructorDeclaration
  | ts.ArrowFunction
  | ts.FunctionExpression;

export interface ParamInfo {
  readonly name: string;
  /** Name of the data type as the analysis knows it, whatever the file calls it. */
  readonly type: string;
  readonly span: Span;
}

/** What the readers of classes and functions need of each other. */
export interface TypeSource {
  /** The data type that a declaration stands for; undefined (and nothing reported) when it is not one. */
  dataTypeOf(resolved: Resolved): DataTypeInfo | undefined;
  /** Names that a type could have meant, for suggestions. */
  typeNames(): readonly string[];
}

export interface SignatureReader {
  /** All parameters that could be read; those that could not are reported. */
  params(module: Module, node: FunctionNode): readonly ParamInfo[];
}

export function createSignatureReader(modules: Modules, types: TypeSource, report: Report): SignatureReader {
  function params(module: Module, node: FunctionNode): readonly ParamInfo[] {
    const found: ParamInfo[] = [];
    for (const param of node.parameters) {
      if (ts.isIdentifier(param.name) && param.name.text === 'this') continue;
      const place = { file: module.source, span: spanOf(param) };
      if (param.dotDotDotToken !== undefined) {
        report.error('rest-parameter', place, 'a rest parameter does not say which data it wants');
        continue;
      }
      const shown = ts.isIdentifier(param.name) ? `\`${param.name.text}\`` : 'this parameter';
      if (param.type === undefined) {
        const hint = `write its type: ${param.name.getText()}: ${likelyType(param.name.getText(), types.typeNames())}`;
        report.error('untyped-parameter', place, `${shown} has no type, which would say what data it wants`, hint);
        continue;
      }
      const type = typeName(module, param.type);
      if (type === undefined) continue;
      const name = ts.isIdentifier(param.name) ? param.name.text : type.charAt(0).toLowerCase() + type.slice(1);
      found.push({ name, type, span: spanOf(param) });
    }
    return found;
  }

  /** The data type that a type annotation names; reports what is none. */
  function typeName(module: Module, node: ts.TypeNode): string | undefined {
    const place = { file: module.source, span: spanOf(node) };
    if (!ts.isTypeReferenceNode(node) || !ts.isIdentifier(node.typeName)) {
      report.error('unknown-type', place, `\`${node.getText()}\` is not a data type`);
      return undefined;
    }
    const name = node.typeName.text;
    const resolved = modules.resolve(module, name);
    if (resolved !== undefined) {
      const info = types.dataTypeOf(resolved);
      if (info !== undefined) return info.name;
      const why = isTypeOnly(resolved.node)
        ? `\`${name}\` is a type, not a class marked \`@datatype\``
        : `\`${name}\` is not a data type: its class is not marked \`@datatype\``;
      report.error('unknown-type', place, why, didYouMean(name, types.typeNames()));
      return undefined;
    }
    const local = module.locals.get(name);
    if (local?.kind === 'import') {
      const message = `\`${name}\` is not found in '${local.from}'`;
      report.error('unknown-type', place, message, didYouMean(local.name, types.typeNames()));
    } else if (types.typeNames().includes(name)) {
      const hint = `import type { ${name} } from '${RUNTIME_MODULE}'`;
      report.error('not-imported', place, `\`${name}\` is not imported`, hint);
    } else {
      const hint = didYouMean(name, types.typeNames());
      report.error('unknown-type', place, `there is no data type \`${name}\``, hint);
    }
    return undefined;
  }

  return { params };
}

/** `tls` is most likely a TlsHandshake. */
function likelyType(name: string, types: readonly string[]): string {
  const [lower, all] = [name.toLowerCase(), types.map((type) => type.toLowerCase())];
  const starts = all.findIndex((type) => type.startsWith(lower));
  return types[starts >= 0 ? starts : all.findIndex((type) => type.includes(lower))] ?? 'FiveTuple';
}

/** Reports parameters whose data is not there at a level where the function is asked. */
export function checkLevels(
  report: Report,
  module: Module,
  params: readonly ParamInfo[],
  levels: readonly Level[],
  known: (name: string) => DataTypeInfo | undefined,
): void {
  for (const { type, span } of params) {
    const info = known(type);
    if (info === undefined) continue;
    for (const level of levels) {
      const problem = dataProblem(info, level);
      if (problem !== undefined) report.error('level', { file: module.source, span }, problem);
    }
  }
}

/** Whether calls yield something: as annotated, else by what its `return`s look like. A promise is nothing. */
export function returnsValue(node: FunctionNode): boolean {
  if (hasAsync(node)) return false;
  if (node.type !== undefined) return isValueType(node.type);
  if (node.body === undefined) return false;
  if (!ts.isBlock(node.body)) return looksBoolean(node.body);
  return returnedExpressions(node.body).some(looksBoolean);
}

/** Whether the body could return something at all: of an unannotated function, any `return` with an expression. */
export function mayReturn(node: FunctionNode): boolean {
  if (node.type !== undefined) return isValueType(node.type);
  if (node.body === undefined || !ts.isBlock(node.body)) return true;
  return returnedExpressions(node.body).length > 0;
}

function hasAsync(node: FunctionNode): boolean {
  return node.modifiers?.some((modifier) => modifier.kind === ts.SyntaxKind.AsyncKeyword) ?? false;
}

function isValueType(type: ts.TypeNode): boolean {
  if (ts.isUnionTypeNode(type)) return type.types.some(isValueType);
  if (ts.isLiteralTypeNode(type)) return type.literal.kind !== ts.SyntaxKind.NullKeyword;
  if (ts.isTypeReferenceNode(type)) return type.typeName.getText() !== 'Promise';
  return ![ts.SyntaxKind.VoidKeyword, ts.SyntaxKind.UndefinedKeyword, ts.SyntaxKind.NeverKeyword].includes(type.kind);
}

function returnedExpressions(body: ts.Block): readonly ts.Expression[] {
  const found: ts.Expression[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isFunctionLike(node)) return;
    if (ts.isReturnStatement(node) && node.expression !== undefined) found.push(node.expression);
    ts.forEachChild(node, visit);
  };
  ts.forEachChild(body, visit);
  return found;
}

const COMPARISONS = new Set([
  ts.SyntaxKind.LessThanToken,
  ts.SyntaxKind.LessThanEqualsToken,
  ts.SyntaxKind.GreaterThanToken,
  ts.SyntaxKind.GreaterThanEqualsToken,
  ts.SyntaxKind.EqualsEqualsToken,
  ts.SyntaxKind.EqualsEqualsEqualsToken,
  ts.SyntaxKind.ExclamationEqualsToken,
  ts.SyntaxKind.ExclamationEqualsEqualsToken,
  ts.SyntaxKind.InKeyword,
  ts.SyntaxKind.InstanceOfKeyword,
]);

function looksBoolean(node: ts.Expression): boolean {
  if (node.kind === ts.SyntaxKind.TrueKeyword || node.kind === ts.SyntaxKind.FalseKeyword) return true;
  if (ts.isParenthesizedExpression(node)) return looksBoolean(node.expression);
  if (ts.isPrefixUnaryExpression(node)) return node.operator === ts.SyntaxKind.ExclamationToken;
  if (ts.isConditionalExpression(node)) return looksBoolean(node.whenTrue) || looksBoolean(node.whenFalse);
  if (ts.isBinaryExpression(node)) {
    const operator = node.operatorToken.kind;
    if (COMPARISONS.has(operator)) return true;
    const logical = operator === ts.SyntaxKind.AmpersandAmpersandToken || operator === ts.SyntaxKind.BarBarToken;
    return logical && looksBoolean(node.left) && looksBoolean(node.right);
  }
  return false;
}
