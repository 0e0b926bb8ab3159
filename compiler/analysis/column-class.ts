/** Finds the classes that can live in columns: all their fields are numbers or flags of a known width. */
import { ts } from 'ts-morph';
import type { Span } from '../language/ast.ts';
import { constantValue } from './constants.ts';
import type { ColumnField, UpdateMethod } from './info.ts';
import { hasModifier, type Module, type Modules, spanOf } from './modules.ts';

/** A class whose fields are columns. Whether its methods can be compiled is for columns.ts to find out. */
export interface ColumnClass {
  readonly name: string;
  readonly modules: Modules;
  readonly module: Module;
  readonly node: ts.ClassDeclaration;
  readonly fields: readonly ColumnField[];
  readonly followers: readonly { readonly name: string; readonly type: string }[];
  readonly methods: ReadonlyMap<string, ts.MethodDeclaration>;
  readonly getters: ReadonlyMap<string, ts.GetAccessorDeclaration>;
  readonly updates: readonly UpdateMethod[];
}

/** Why a class is none; with a span when all its fields are numeric, so that the user may have meant it to be one. */
export interface NotColumns {
  readonly reason: string;
  readonly span?: Span;
}

export function columnClass(
  modules: Modules,
  module: Module,
  node: ts.ClassDeclaration,
  updates: readonly UpdateMethod[],
): ColumnClass | NotColumns {
  const fields: ColumnField[] = [];
  const followers: { name: string; type: string }[] = [];
  const methods = new Map<string, ts.MethodDeclaration>();
  const getters = new Map<string, ts.GetAccessorDeclaration>();
  let made: ts.ConstructorDeclaration | undefined;

  for (const member of node.members) {
    if (hasModifier(member, ts.SyntaxKind.StaticKeyword)) continue;
    if (ts.isPropertyDeclaration(member)) {
      if (hasModifier(member, ts.SyntaxKind.DeclareKeyword)) {
        const type = member.type === undefined ? undefined : typeReference(modules, module, member.type);
        if (type !== undefined) followers.push({ name: member.name.getText(), type });
        continue;
      }
      const field = ts.isIdentifier(member.name) ? columnField(modules, module, member, member.name.text) : undefined;
      if (field === undefined) return { reason: `the field \`${member.name.getText()}\` is not numeric` };
      fields.push(isRare(modules, module, member) && field.initial === 0 ? { ...field, rare: true } : field);
    } else if (ts.isMethodDeclaration(member) && ts.isIdentifier(member.name)) {
      methods.set(member.name.text, member);
    } else if (ts.isGetAccessorDeclaration(member) && ts.isIdentifier(member.name)) {
      getters.set(member.name.text, member);
    } else if (ts.isConstructorDeclaration(member)) {
      made = member;
    }
  }
  if (fields.length === 0) return { reason: 'it has no fields' };
  if (node.heritageClauses?.some((clause) => clause.token === ts.SyntaxKind.ExtendsKeyword)) {
    return { reason: 'it extends a class', span: spanOf(node.name ?? node) };
  }
  if (made !== undefined) return { reason: 'it has a constructor', span: spanOf(made) };
  if (updates.length === 0) return { reason: 'nothing updates it', span: spanOf(node.name ?? node) };
  // A private name is bound to instances made by the constructor, which a flyweight is not.
  const hidden = privateName(node);
  if (hidden !== undefined)
    return { reason: `\`${hidden.text}\` cannot be reached from a column`, span: spanOf(hidden) };
  const name = node.name?.text ?? '';
  return { name, modules, module, node, fields, followers, methods, getters, updates };
}

const SCALARS: Readonly<Record<string, ColumnField['type']>> = {
  u8: 'u8',
  u16: 'u16',
  u32: 'u32',
  i32: 'i32',
  f64: 'f64',
  bool: 'bool',
};
const ARRAYS: Readonly<Record<string, ColumnField['type']>> = {
  Uint8Array: 'u8',
  Uint16Array: 'u16',
  Uint32Array: 'u32',
  Int32Array: 'i32',
  Float64Array: 'f64',
};
/** More elements than this are a memory of their own, not columns. */
const LONGEST = 64;

function columnField(
  modules: Modules,
  module: Module,
  member: ts.PropertyDeclaration,
  name: string,
): ColumnField | undefined {
  if (member.initializer === undefined) return undefined;
  const array = arrayField(modules, module, member.initializer);
  if (array !== undefined) return { name, ...array };
  const initial = constantValue(modules, module, member.initializer);
  if (initial === undefined) return undefined;
  const type = scalarType(modules, module, member.type, typeof initial);
  if (type === undefined || (type === 'bool') !== (typeof initial === 'boolean')) return undefined;
  return { name, type, length: 1, array: false, initial: Number(initial) };
}

/** Whether the field is marked `@rare`. */
function isRare(modules: Modules, module: Module, member: ts.PropertyDeclaration): boolean {
  return (ts.getDecorators(member) ?? []).some(({ expression }) => {
    if (!ts.isIdentifier(expression)) return false;
    const resolved = modules.resolve(module, expression.text);
    return resolved?.module.builtIn === true && resolved.name === 'rare';
  });
}

/** The width that an annotation names; a plain `number` is a double. */
export function scalarType(
  modules: Modules,
  module: Module,
  node: ts.TypeNode | undefined,
  inferred: string,
): ColumnField['type'] | undefined {
  if (node === undefined) return inferred === 'boolean' ? 'bool' : 'f64';
  if (node.kind === ts.SyntaxKind.NumberKeyword) return 'f64';
  if (node.kind === ts.SyntaxKind.BooleanKeyword) return 'bool';
  const name = typeReference(modules, module, node);
  return name === undefined ? undefined : SCALARS[name];
}

/** Name of a type as its own module declares it, of our runtime only. */
function typeReference(modules: Modules, module: Module, node: ts.TypeNode): string | undefined {
  if (!ts.isTypeReferenceNode(node) || !ts.isIdentifier(node.typeName)) return undefined;
  const resolved = modules.resolve(module, node.typeName.text);
  return resolved?.module.builtIn === true ? resolved.name : undefined;
}

/** `new Uint32Array(2)`, `new Float64Array(2).fill(-1)` */
function arrayField(modules: Modules, module: Module, node: ts.Expression): Omit<ColumnField, 'name'> | undefined {
  if (ts.isCallExpression(node) && ts.isPropertyAccessExpression(node.expression)) {
    const filled =
      node.expression.name.text === 'fill' ? arrayField(modules, module, node.expression.expression) : undefined;
    const initial = node.arguments.length === 1 ? constantValue(modules, module, node.arguments[0]) : undefined;
    return filled === undefined || typeof initial !== 'number' ? undefined : { ...filled, initial };
  }
  if (!ts.isNewExpression(node) || !ts.isIdentifier(node.expression) || module.locals.has(node.expression.text)) {
    return undefined;
  }
  const type = ARRAYS[node.expression.text];
  const [first, ...more] = node.arguments ?? [];
  if (type === undefined || first === undefined || more.length > 0) return undefined;
  const length = constantValue(modules, module, first);
  if (typeof length !== 'number' || !Number.isInteger(length) || length < 1 || length > LONGEST) return undefined;
  return { type, length, array: true, initial: 0 };
}

function privateName(node: ts.Node): ts.PrivateIdentifier | undefined {
  if (ts.isPrivateIdentifier(node)) return node;
  return ts.forEachChild(node, privateName);
}
