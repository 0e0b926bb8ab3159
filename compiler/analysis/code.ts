/** What the compilation of column methods hands around: pieces of code, names, and the refusal. */
import type { ts } from 'ts-morph';
import type { ColumnField } from './info.ts';
import type { Interval } from './interval.ts';
import type { Module, Modules } from './modules.ts';

/** The class cannot be compiled, because of this node. */
export class Refusal extends Error {
  constructor(
    readonly node: ts.Node,
    readonly reason: string,
  ) {
    super(reason);
  }
}

/** A piece of generated code. */
export interface Code {
  readonly text: string;
  /**
   * - `primary`: an operand that needs no parentheses anywhere;
   * - `source`: its outermost operator is the one of the source, so that it needs none where the source had none;
   * - `new`: it needs parentheses as an operand of anything that binds tighter than `&&`;
   * - `assign`: it needs them as any operand.
   */
  readonly form: 'primary' | 'source' | 'new' | 'assign';
  readonly kind: 'int' | 'number' | 'bool';
  /** A word that is the same modulo 2^32, for those who look at 32 bits only. */
  readonly raw?: string;
  readonly interval?: Interval | undefined;
}

/** A column as the code names it. */
export interface NamedColumn extends ColumnField {
  /** Name of the array. */
  readonly local: string;
}

/** What the code of one method may refer to. */
export interface Surroundings {
  readonly modules: Modules;
  readonly module: Module;
  readonly columns: ReadonlyMap<string, NamedColumn>;
  /** Names that locals must not hide. */
  readonly reserved: ReadonlySet<string>;
  /** Notes that the code names a column (`pktDir`, or one of the class). */
  use(column: string): void;
  /** A call of another method of the class, or a getter; compiles it too. */
  call(node: ts.Node, name: string, args: readonly (Code | 'pdu')[], getter: boolean): Code;
}

/** Parameters of the method: the packet, or a value. */
export type MethodParam =
  | { readonly name: string; readonly pdu: true }
  | {
      readonly name: string;
      readonly pdu: false;
      readonly kind: 'number' | 'bool';
      readonly interval: Interval | undefined;
    };

/** A parameter or variable in scope. */
export interface Local {
  readonly name: string;
  readonly pdu: boolean;
  /** A parameter: code that assigns one is refused. */
  readonly fixed: boolean;
  readonly kind: Code['kind'];
  readonly interval: Interval | undefined;
}

/** An operand where the source had one. */
export function operand(code: Code): string {
  return code.form === 'new' || code.form === 'assign' ? `(${code.text})` : code.text;
}

/** An operand of `&&`, `||` or `?` where the source had one. */
export function logicalOperand(code: Code): string {
  return code.form === 'assign' ? `(${code.text})` : code.text;
}

/** An operand of an operator that the source does not have. */
export function newOperand(code: Code): string {
  return code.form === 'primary' ? code.text : `(${code.text})`;
}

export function primary(text: string, kind: Code['kind'], interval?: Interval): Code {
  return { text, form: 'primary', kind, interval };
}
