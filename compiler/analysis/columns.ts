/**
 * Column compilation: gives the fields of a data type their words in a connection's record, and turns its `@on` methods
 * into functions over those words. The result is plain data for the emitter.
 */
import { ts } from 'ts-morph';
import type { Span } from '../language/ast.ts';
import { type Code, type MethodParam, type NamedColumn, primary, Refusal, type Surroundings } from './code.ts';
import { type ColumnClass, scalarType } from './column-class.ts';
import { compileBody, localName } from './column-code.ts';
import type { ColumnField, Level } from './info.ts';
import { type Interval, join } from './interval.ts';
import { hasModifier, spanOf } from './modules.ts';
import { ROW_COLUMNS, TOUCH_RARE } from './pdu-members.ts';

/** A field with its place. */
export interface ColumnLayout extends ColumnField {
  /** Name of the file-local constant that stands for `word`. */
  readonly constant: string;
  /** Name of the array through which code reads it. */
  readonly local: string;
  /** First word, counted from the record's first, of the record or beside it (`rare`); even for f64, whose elements take two words each. */
  readonly word: number;
}

/** A function of the generated module, as text: `function pktCountUpdate(c: number, p: number): void { … }`. */
export interface ColumnFunction {
  readonly name: string;
  readonly lines: readonly string[];
}

/** An `@on` method as the generated module calls it. */
export interface ColumnUpdate {
  /** Name of the method in the class. */
  readonly method: string;
  /** Name of the generated function; its parameters are `c`, and `p` where it looks at the packet. */
  readonly call: string;
  readonly levels: readonly Level[];
  readonly usesPacket: boolean;
}

export interface CompiledColumns {
  readonly typeName: string;
  readonly columns: readonly ColumnLayout[];
  /** First words after the columns, of the record and beside it. */
  readonly end: number;
  readonly rareEnd: number;
  /** Statements that set the initial values, over `c`. What lies beside the record is 0 already. */
  readonly open: readonly string[];
  readonly updates: readonly ColumnUpdate[];
  readonly functions: readonly ColumnFunction[];
  /** Columns of packet rows and records that `functions` name. */
  readonly reads: readonly string[];
  /** Fields that are other data types, which the columnView points at the same connection. */
  readonly followers: readonly { readonly name: string; readonly type: string }[];
}

/** Why a class cannot be compiled, and where. */
export interface ColumnsRefused {
  readonly reason: string;
  readonly span: Span;
}

export interface ColumnOptions {
  /** First words free in the record, and beside it. */
  readonly base: number;
  readonly rareBase: number;
  /** Gives a file-local name that is still free, like the wanted one. */
  claim(wanted: string): string;
}

/** Names that generated functions have as parameters or close over. */
const CLOSED_OVER = ['c', 'p', 'core', 'handlers', 'Math', 'Number', 'Boolean', TOUCH_RARE];

export function compileColumns(source: ColumnClass, options: ColumnOptions): CompiledColumns | ColumnsRefused {
  const { columns, end, rareEnd } = layOut(source, options);
  try {
    const { updates, functions, reads } = compileMethods(source, columns, options);
    const { name: typeName, followers } = source;
    const open = columns.flatMap(initialise);
    return { typeName, columns, end, rareEnd, open, updates, functions, reads, followers };
  } catch (error) {
    if (error instanceof Refusal) return { reason: error.reason, span: spanOf(error.node) };
    throw error;
  }
}

function layOut(
  source: ColumnClass,
  { base, rareBase, claim }: ColumnOptions,
): { columns: ColumnLayout[]; end: number; rareEnd: number } {
  const next = { near: base, rare: rareBase };
  const prefix = source.name.charAt(0).toLowerCase() + source.name.slice(1);
  const columns = source.fields.map((field): ColumnLayout => {
    const where = field.rare === true ? 'rare' : 'near';
    if (field.type === 'f64' && next[where] % 2 !== 0) next[where]++;
    const word = next[where];
    next[where] += field.length * (field.type === 'f64' ? 2 : 1);
    const constant = claim(`${constantCase(source.name)}_${constantCase(field.name)}`);
    return { ...field, constant, local: claim(prefix + pascalCase(field.name)), word };
  });
  return { columns, end: next.near, rareEnd: next.rare };
}

function initialise(column: ColumnLayout): string[] {
  const { type, local, length } = column;
  if (column.rare === true) return [];
  const wrapped = type === 'u8' ? column.initial & 0xff : type === 'u16' ? column.initial & 0xffff : column.initial;
  const value = Object.is(wrapped, -0) ? '-0' : String(wrapped);
  const at = (i: number): string => {
    if (type !== 'f64') return i === 0 ? `${local}[c]` : `${local}[c + ${i}]`;
    return i === 0 ? `${local}[c >> 1]` : `${local}[(c >> 1) + ${i}]`;
  };
  if (length <= 4) return Array.from({ length }, (_, i) => `${at(i)} = ${value}`);
  const body = type === 'f64' ? `${local}[(c >> 1) + i]` : `${local}[c + i]`;
  return [`for (let i = 0; i < ${length}; i++) ${body} = ${value}`];
}

type Method = ts.MethodDeclaration | ts.GetAccessorDeclaration;

/** Which bases a function has to be told. */
interface Uses {
  readonly usesPacket: boolean;
  readonly usesRecord: boolean;
}

interface Helper {
  readonly function: string;
  readonly method: Method;
  /** Bounds of what is passed, over all calls; undefined: not known. */
  bounds: (Interval | undefined)[] | undefined;
}

/** Rounds after which bounds of a helper's parameters that still grow are given up. */
const MOST_ROUNDS = 6;

function compileMethods(
  source: ColumnClass,
  columns: readonly ColumnLayout[],
  { claim }: ColumnOptions,
): Pick<CompiledColumns, 'updates' | 'functions' | 'reads'> {
  const prefix = source.name.charAt(0).toLowerCase() + source.name.slice(1);
  const calls = source.updates.map((update) => claim(prefix + pascalCase(update.name)));
  const helpers = new Map<string, Helper>();
  const byName = new Map<string, NamedColumn>(columns.map((column) => [column.name, column]));

  for (let round = 0; ; round++) {
    // Compiled anew until no call widens the bounds of a helper's parameters.
    const pass = compilePass(round);
    if (!pass.widened) return pass.result;
  }

  function compilePass(round: number): {
    widened: boolean;
    result: Pick<CompiledColumns, 'updates' | 'functions' | 'reads'>;
  } {
    const reads = new Set<string>();
    const functions = new Map<string, ColumnFunction & Uses>();
    const open: string[] = [];
    let widened = false;

    const updates = source.updates.map((update, i): ColumnUpdate => {
      const method = source.methods.get(update.name);
      if (method === undefined) throw new Refusal(source.node, `\`${update.name}\` has no plain name`);
      const { usesPacket } = emit(calls[i], method, undefined);
      return { method: update.name, call: calls[i], levels: update.levels, usesPacket };
    });
    const result = {
      updates,
      functions: [...functions.values()].map(({ name, lines }) => ({ name, lines })),
      reads: [...reads].sort(),
    };
    return { widened, result };

    /** Compiles one method under a name, once per pass; helpers it calls come before it. */
    function emit(name: string, method: Method, helper: Helper | undefined): Uses {
      const done = functions.get(name);
      if (done !== undefined) return done;
      if (open.includes(name)) throw new Refusal(method, `\`${method.name.getText()}\` calls itself`);
      if (method.body === undefined) throw new Refusal(method, 'a method without a body is not compiled');
      if (isSpecial(method)) throw new Refusal(method, 'async methods and generators are not compiled');
      open.push(name);
      let usesPacket = false;
      let usesRecord = false;
      const around: Surroundings = {
        modules: source.modules,
        module: source.module,
        columns: byName,
        reserved: new Set([
          ...CLOSED_OVER,
          ...ROW_COLUMNS,
          ...columns.map((column) => column.local),
          ...calls,
          ...[...helpers.values()].map((one) => one.function),
        ]),
        use(column) {
          const ofRow = (ROW_COLUMNS as readonly string[]).includes(column);
          if (ofRow) reads.add(column);
          if (ofRow && column.startsWith('pkt')) usesPacket = true;
          else usesRecord = true;
        },
        call(node, member, args, getter) {
          const called = helperFor(node, member, getter);
          const passed = args.filter((arg) => arg !== 'pdu');
          widen(called, passed);
          const inner = emit(called.function, called.method, called);
          if (inner.usesPacket) usesPacket = true;
          if (inner.usesRecord) usesRecord = true;
          const texts = [
            ...(inner.usesRecord ? ['c'] : []),
            ...(inner.usesPacket ? ['p'] : []),
            ...passed.map((arg) => arg.text),
          ];
          const flag = called.method.type?.kind === ts.SyntaxKind.BooleanKeyword;
          return primary(`${called.function}(${texts.join(', ')})`, flag ? 'bool' : 'number');
        },
      };
      const params = methodParams(source, method, helper);
      const lines = compileBody(around, params, method.body, helper !== undefined);
      const values = params.filter((param) => !param.pdu);
      const list = [
        // An update is always told the connection; a helper only what it uses.
        ...(usesRecord ? ['c: number'] : helper === undefined ? ['_c: number'] : []),
        ...(usesPacket ? ['p: number'] : []),
        ...values.map(
          (param) => `${localName(param.name, around.reserved)}: ${param.kind === 'bool' ? 'boolean' : 'number'}`,
        ),
      ];
      const returned = helper === undefined ? ': void' : '';
      functions.set(name, {
        name,
        usesPacket,
        usesRecord,
        lines: [`function ${name}(${list.join(', ')})${returned} {`, ...lines.map((line) => `  ${line}`), '}'],
      });
      open.pop();
      return { usesPacket, usesRecord };
    }

    function widen(helper: Helper, passed: readonly Code[]): void {
      const before = helper.bounds;
      const after = passed.map((arg, i) => {
        if (before === undefined) return arg.interval;
        const wider = join(before[i], arg.interval);
        return round < MOST_ROUNDS ? wider : before[i] === wider ? wider : undefined;
      });
      const same = before?.every((one, i) => one?.low === after[i]?.low && one?.high === after[i]?.high) ?? false;
      if (same) return;
      helper.bounds = after;
      widened = true;
    }
  }

  function helperFor(node: ts.Node, name: string, getter: boolean): Helper {
    const known = helpers.get(name);
    if (known !== undefined) return known;
    const method: Method | undefined = getter ? source.getters.get(name) : source.methods.get(name);
    if (method === undefined) throw new Refusal(node, `\`this.${name}\` is not known to the compiler`);
    const helper: Helper = { function: claim(prefix + pascalCase(name)), method, bounds: undefined };
    helpers.set(name, helper);
    return helper;
  }
}

function methodParams({ modules, module }: ColumnClass, method: Method, helper: Helper | undefined): MethodParam[] {
  let value = 0;
  return method.parameters.map((param): MethodParam => {
    if (!ts.isIdentifier(param.name) || param.initializer || param.questionToken || param.dotDotDotToken) {
      throw new Refusal(param, 'this kind of parameter is not compiled');
    }
    const name = param.name.text;
    if (isPdu(modules, module, param.type)) return { name, pdu: true };
    const type = param.type === undefined ? undefined : scalarType(modules, module, param.type, '');
    if (helper === undefined || type === undefined) {
      throw new Refusal(param, `\`${name}\` is not a packet${helper === undefined ? '' : ', a number or a flag'}`);
    }
    return { name, pdu: false, kind: type === 'bool' ? 'bool' : 'number', interval: helper.bounds?.[value++] };
  });
}

function isPdu(modules: ColumnClass['modules'], module: ColumnClass['module'], type: ts.TypeNode | undefined): boolean {
  if (type === undefined || !ts.isTypeReferenceNode(type) || !ts.isIdentifier(type.typeName)) return false;
  const resolved = modules.resolve(module, type.typeName.text);
  return resolved?.module.builtIn === true && resolved.name === 'L4Pdu';
}

function isSpecial(method: Method): boolean {
  const generator = ts.isMethodDeclaration(method) && method.asteriskToken !== undefined;
  return generator || hasModifier(method, ts.SyntaxKind.AsyncKeyword);
}

/** `maxGaps` -> `MAX_GAPS` */
function constantCase(name: string): string {
  return name
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .replace(/([A-Z]+)([A-Z][a-z])/g, '$1_$2')
    .toUpperCase();
}
function pascalCase(name: string): string {
  return name.charAt(0).toUpperCase() + name.slice(1);
}
