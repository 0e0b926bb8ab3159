/** Expressions of column methods: reads and writes of columns, of the packet, of locals, and arithmetic over them. */
import { ts } from 'ts-morph';
import {
  type Code,
  type Local,
  logicalOperand,
  type NamedColumn,
  newOperand,
  operand,
  primary,
  Refusal,
  type Surroundings,
} from './code.ts';
import { mathCall } from './column-math.ts';
import { constantValue } from './constants.ts';
import { combine, exactly, INT32, type Interval, join, UINT32, within } from './interval.ts';
import { PDU_MEMBERS, TOUCH_RARE } from './pdu-members.ts';

export interface Expressions {
  /** An expression whose value is used. */
  expression(node: ts.Expression): Code;
  /** An expression for its effect alone. */
  effect(node: ts.Expression): string;
}

type Target =
  | { readonly local: Local }
  | {
      readonly column: NamedColumn;
      /** The element as it is read, */
      readonly element: string;
      /** and as it is written. */
      readonly place: string;
      readonly index: ts.Expression | undefined;
    };

export function createExpressions(around: Surroundings, lookUp: (name: string) => Local | undefined): Expressions {
  const { modules, module } = around;

  function effect(node: ts.Expression): string {
    return compile(node, false).text;
  }
  function expression(node: ts.Expression): Code {
    return compile(node, true);
  }

  function compile(node: ts.Expression, used: boolean): Code {
    if (ts.isNumericLiteral(node)) {
      const value = Number(node.text);
      return primary(node.getText(), Number.isInteger(value) ? 'int' : 'number', exactly(value));
    }
    if (node.kind === ts.SyntaxKind.TrueKeyword || node.kind === ts.SyntaxKind.FalseKeyword) {
      return primary(node.getText(), 'bool');
    }
    if (ts.isParenthesizedExpression(node)) {
      const inner = compile(node.expression, used);
      return inner.form === 'primary' ? inner : { ...inner, text: `(${inner.text})`, form: 'primary' };
    }
    if (ts.isAsExpression(node) || ts.isSatisfiesExpression(node) || ts.isNonNullExpression(node)) {
      return compile(node.expression, used);
    }
    if (ts.isIdentifier(node)) return name(node);
    if (ts.isPropertyAccessExpression(node)) return member(node);
    if (ts.isElementAccessExpression(node)) return readTarget(target(node));
    if (ts.isPrefixUnaryExpression(node)) return prefix(node, used);
    if (ts.isPostfixUnaryExpression(node)) return step(node, node.operand, node.operator, used, false);
    if (ts.isConditionalExpression(node)) return conditional(node, used);
    if (ts.isBinaryExpression(node)) return binary(node, used);
    if (ts.isCallExpression(node)) return call(node);
    throw new Refusal(node, `\`${shorten(node)}\` is not compiled`);
  }

  function name(node: ts.Identifier): Code {
    const local = lookUp(node.text);
    if (local?.pdu === true) throw new Refusal(node, `\`${node.text}\` itself cannot be kept or handed on`);
    if (local !== undefined) return primary(local.name, local.kind, local.interval);
    return constant(node);
  }

  function constant(node: ts.Expression): Code {
    const value = constantValue(modules, module, node);
    if (value === undefined) throw new Refusal(node, `\`${shorten(node)}\` is not known when the filter is compiled`);
    if (typeof value === 'boolean') return primary(String(value), 'bool');
    const text = Object.is(value, -0) ? '-0' : String(value);
    const kind = Number.isInteger(value) ? 'int' : 'number';
    return { text, form: text.startsWith('-') ? 'new' : 'primary', kind, interval: exactly(value) };
  }

  function member(node: ts.PropertyAccessExpression): Code {
    if (node.questionDotToken !== undefined) throw new Refusal(node, '`?.` is not compiled');
    const { expression: object } = node;
    const property = node.name.text;
    if (object.kind === ts.SyntaxKind.ThisKeyword) {
      return around.columns.has(property) ? readTarget(target(node)) : around.call(node, property, [], true);
    }
    if (ts.isIdentifier(object)) {
      if (lookUp(object.text)?.pdu === true) return pduMember(node, property);
      if (object.text === 'Math' && !module.locals.has('Math')) return primary(`Math.${property}`, 'number');
      if (lookUp(object.text) === undefined) return constant(node);
    }
    if (property === 'length' && ts.isPropertyAccessExpression(object)) {
      const column = columnOf(object);
      if (column?.array === true) return primary(String(column.length), 'int', exactly(column.length));
    }
    throw new Refusal(node, `\`${shorten(node)}\` is not compiled`);
  }

  function pduMember(node: ts.Node, property: string): Code {
    const known = PDU_MEMBERS.get(property);
    if (known === undefined) throw new Refusal(node, `\`${property}\` of a packet is not compiled`);
    for (const [word] of known.code.matchAll(/\b(?:pkt|rec)[A-Z]\w*/g)) around.use(word);
    return {
      text: known.code,
      form: known.tight === true ? 'primary' : 'new',
      kind: known.kind,
      interval: known.interval,
    };
  }

  function columnOf(node: ts.Expression): NamedColumn | undefined {
    if (!ts.isPropertyAccessExpression(node) || node.expression.kind !== ts.SyntaxKind.ThisKeyword) return undefined;
    return around.columns.get(node.name.text);
  }

  /** What an assignment can write: a local, a plain column, an element of an array column. */
  function target(node: ts.Expression): Target {
    if (ts.isParenthesizedExpression(node) || ts.isNonNullExpression(node)) return target(node.expression);
    if (ts.isIdentifier(node)) {
      const local = lookUp(node.text);
      if (local === undefined || local.pdu) throw new Refusal(node, `\`${node.text}\` cannot be assigned here`);
      return { local };
    }
    if (ts.isElementAccessExpression(node) && node.questionDotToken === undefined) {
      const column = columnOf(node.expression);
      if (column?.array === true) return elementOf(column, node.argumentExpression);
    }
    const column = columnOf(node);
    if (column === undefined) throw new Refusal(node, `\`${shorten(node)}\` is not a column`);
    if (column.array) throw new Refusal(node, `\`${shorten(node)}\` can only be indexed`);
    return elementOf(column, undefined);
  }

  /** The element of a column at an index, which must lie inside; without one the only element. */
  function elementOf(column: NamedColumn, index: ts.Expression | undefined): Target {
    let plus = '';
    if (index !== undefined) {
      const code = expression(index);
      if (!within(code.interval, { low: 0, high: column.length - 1 })) {
        throw new Refusal(index, `\`${shorten(index)}\` may lie outside 0..${column.length - 1}`);
      }
      if (code.text !== '0') plus = ` + ${newOperand(code)}`;
    }
    around.use(column.local);
    const at = (c: string): string => {
      if (column.type !== 'f64') return `${column.local}[${c}${plus}]`;
      return plus === '' ? `${column.local}[${c} >> 1]` : `${column.local}[(${c} >> 1)${plus}]`;
    };
    return { column, element: at('c'), place: column.rare === true ? at(`${TOUCH_RARE}(c)`) : at('c'), index };
  }

  function readTarget(from: Target): Code {
    if ('local' in from) return primary(from.local.name, from.local.kind, from.local.interval);
    const { column, element } = from;
    switch (column.type) {
      case 'bool':
        return { text: `${element} !== 0`, form: 'new', kind: 'bool' };
      case 'u32':
        return { text: `${element} >>> 0`, form: 'new', kind: 'int', interval: UINT32, raw: element };
      case 'f64':
        return primary(element, 'number');
      case 'i32':
        return primary(element, 'int', INT32);
      default:
        return primary(element, 'int', { low: 0, high: MASKS[column.type] });
    }
  }

  function prefix(node: ts.PrefixUnaryExpression, used: boolean): Code {
    const sign = ts.tokenToString(node.operator) ?? '';
    if (sign === '++' || sign === '--') return step(node, node.operand, node.operator, used, true);
    const inner = expression(node.operand);
    // `- -x` would otherwise run together.
    const text = `${sign}${inner.form === 'primary' ? inner.text : `(${inner.text})`}`;
    if (sign === '!') return { text, form: 'source', kind: 'bool' };
    if (sign === '~') return { text, form: 'source', kind: 'int', interval: INT32 };
    const { interval } = inner;
    const flag = inner.kind === 'bool' ? { low: 0, high: 1 } : interval;
    const signed = sign === '-' && flag !== undefined ? { low: -flag.high, high: -flag.low } : flag;
    return { text, form: 'source', kind: inner.kind === 'number' ? 'number' : 'int', interval: signed };
  }

  /** `++` and `--`, before or after. */
  function step(node: ts.Node, at: ts.Expression, operator: ts.SyntaxKind, used: boolean, before: boolean): Code {
    const sign = operator === ts.SyntaxKind.PlusPlusToken ? '++' : '--';
    const to = target(at);
    const around = (text: string): string => (before ? sign + text : text + sign);
    if ('local' in to) {
      assignable(to, node);
      return { text: around(to.local.name), form: 'source', kind: 'number' };
    }
    const { column, element, place } = to;
    switch (column.type) {
      case 'f64':
      case 'i32':
        return { text: around(place), form: 'source', kind: 'number' };
      case 'u32': {
        if (!used) return { text: around(place), form: 'source', kind: 'int' };
        if (!before) return { text: `${around(place)} >>> 0`, form: 'new', kind: 'int', interval: UINT32 };
        // The value is that before it is cut to 32 bits.
        pure(to, node);
        return { text: `${place} = (${element} >>> 0) ${sign[0]} 1`, form: 'assign', kind: 'int' };
      }
      case 'bool':
        throw new Refusal(node, 'a flag cannot be counted');
      default: {
        if (used) throw new Refusal(node, `the value of \`${shorten(node)}\` is not compiled`);
        pure(to, node);
        const mask = `0x${MASKS[column.type].toString(16)}`;
        return { text: `${place} = (${element} ${sign[0]} 1) & ${mask}`, form: 'assign', kind: 'int' };
      }
    }
  }

  function conditional(node: ts.ConditionalExpression, used: boolean): Code {
    const test = expression(node.condition);
    const yes = compile(node.whenTrue, used);
    const no = compile(node.whenFalse, used);
    const text = `${logicalOperand(test)} ? ${yes.text} : ${no.text}`;
    const kind = yes.kind === no.kind ? yes.kind : 'number';
    return { text, form: 'source', kind, interval: join(yes.interval, no.interval) };
  }

  function binary(node: ts.BinaryExpression, used: boolean): Code {
    const sign = ts.tokenToString(node.operatorToken.kind) ?? '';
    if (ASSIGNMENTS.has(sign)) return assignment(node, sign, used);
    if (sign === ',') {
      const text = `${effect(node.left)}, ${operand(compile(node.right, used))}`;
      return { text, form: 'source', kind: 'number' };
    }
    const left = expression(node.left);
    const logical = sign === '&&' || sign === '||';
    const right = logical ? compile(node.right, used) : expression(node.right);
    const text = logical
      ? `${logicalOperand(left)} ${sign} ${logicalOperand(right)}`
      : numericOperands(sign, left, right).join(` ${sign} `);
    if (COMPARISONS.has(sign)) return { text, form: 'source', kind: 'bool' };
    if (logical) {
      return { text, form: 'source', kind: left.kind === right.kind ? left.kind : 'number' };
    }
    if (!ARITHMETIC.has(sign)) throw new Refusal(node.operatorToken, `\`${sign}\` is not compiled`);
    return {
      text,
      form: 'source',
      kind: resultKind(sign, left, right),
      interval: combine(sign, left.interval, right.interval),
    };
  }

  function assignment(node: ts.BinaryExpression, sign: string, used: boolean): Code {
    const to = target(node.left);
    const value = expression(node.right);
    if ('local' in to) {
      assignable(to, node);
      return { text: `${to.local.name} ${sign} ${value.text}`, form: 'source', kind: value.kind };
    }
    return sign === '='
      ? store(node, to.column, to.place, value, used)
      : compound(node, to, sign.slice(0, -1), value, used);
  }

  function store(node: ts.Node, { type }: NamedColumn, place: string, value: Code, used: boolean): Code {
    if (type === 'f64' || type === 'i32' || type === 'u32') {
      const text = type === 'f64' || used ? value.text : (value.raw ?? value.text);
      return { text: `${place} = ${text}`, form: 'source', kind: value.kind, interval: value.interval };
    }
    if (used) throw new Refusal(node, `the value of \`${shorten(node)}\` is not compiled`);
    if (type === 'bool') {
      const flag = value.text === 'true' ? '1' : value.text === 'false' ? '0' : `${newOperand(value)} ? 1 : 0`;
      return { text: `${place} = ${flag}`, form: 'source', kind: 'int' };
    }
    return { text: `${place} = ${masked(value, MASKS[type])}`, form: 'source', kind: 'int' };
  }

  /** `OP=` */
  function compound(
    node: ts.Node,
    to: Extract<Target, { readonly column: NamedColumn }>,
    operator: string,
    value: Code,
    used: boolean,
  ): Code {
    const { type } = to.column;
    if (type === 'bool') throw new Refusal(node, `\`${operator}=\` on a flag is not compiled`);
    // On an unsigned word it has to do the same as on its signed reading.
    const modular = BITWISE.has(operator)
      ? !operator.startsWith('>>')
      : '+-'.includes(operator) && value.interval !== undefined;
    if (type === 'f64' || type === 'i32' || (type === 'u32' && modular && !used)) {
      return { text: `${to.place} ${operator}= ${value.text}`, form: 'source', kind: 'number' };
    }
    if (used && type !== 'u32') throw new Refusal(node, `the value of \`${shorten(node)}\` is not compiled`);
    pure(to, node);
    const before = readTarget(to);
    const text = `${operand(before)} ${operator} ${newOperand(value)}`;
    const after: Code = {
      text,
      form: 'new',
      kind: 'number',
      interval: combine(operator, before.interval, value.interval),
    };
    const stored = type === 'u32' ? text : masked(after, MASKS[type]);
    return { text: `${to.place} = ${stored}`, form: 'source', kind: 'number' };
  }

  function call(node: ts.CallExpression): Code {
    const callee = node.expression;
    if (node.questionDotToken !== undefined) throw new Refusal(node, '`?.` is not compiled');
    if (ts.isPropertyAccessExpression(callee)) {
      if (callee.expression.kind === ts.SyntaxKind.ThisKeyword) {
        return around.call(node, callee.name.text, node.arguments.map(argument), false);
      }
      const isMath =
        ts.isIdentifier(callee.expression) && callee.expression.text === 'Math' && !module.locals.has('Math');
      if (isMath && lookUp('Math') === undefined) return mathCall(callee.name.text, node.arguments.map(expression));
    }
    if (ts.isIdentifier(callee) && !module.locals.has(callee.text) && lookUp(callee.text) === undefined) {
      const [value, ...more] = node.arguments.map(expression);
      if (value !== undefined && more.length === 0) {
        const flag: Interval = { low: 0, high: 1 };
        if (callee.text === 'Boolean') return primary(`Boolean(${value.text})`, 'bool');
        if (callee.text === 'Number') {
          const kind = value.kind === 'number' ? 'number' : 'int';
          return primary(`Number(${value.text})`, kind, value.kind === 'bool' ? flag : value.interval);
        }
      }
    }
    throw new Refusal(node, `the call of \`${shorten(callee)}\` is not compiled`);
  }

  function argument(node: ts.Expression): Code | 'pdu' {
    return ts.isIdentifier(node) && lookUp(node.text)?.pdu === true ? 'pdu' : expression(node);
  }

  return { expression, effect };
}

const MASKS: Readonly<Record<'u8' | 'u16', number>> = { u8: 0xff, u16: 0xffff };
const ASSIGNMENTS = new Set('= += -= *= /= %= **= &= |= ^= <<= >>= >>>='.split(' '));
const COMPARISONS = new Set('< <= > >= == != === !=='.split(' '));
const ARITHMETIC = new Set('+ - * / % ** & | ^ << >> >>>'.split(' '));
const BITWISE = new Set('& | ^ << >> >>>'.split(' '));

/** A value cut to the width of its column, if it could exceed it. */
function masked(value: Code, mask: number): string {
  if (within(value.interval, { low: 0, high: mask })) return value.text;
  return `${value.raw ?? newOperand(value)} & 0x${mask.toString(16)}`;
}

/** Both sides as text; unsigned words as they are where only their 32 bits count. */
function numericOperands(sign: string, left: Code, right: Code): readonly [string, string] {
  const same = sign === '===' || sign === '!==' || sign === '==' || sign === '!=';
  const bits = BITWISE.has(sign) || (same && left.raw !== undefined && right.raw !== undefined);
  return bits ? [left.raw ?? operand(left), right.raw ?? operand(right)] : [operand(left), operand(right)];
}

function resultKind(sign: string, left: Code, right: Code): Code['kind'] {
  if (BITWISE.has(sign)) return 'int';
  if (sign === '/' || sign === '**') return 'number';
  return left.kind === 'int' && right.kind === 'int' ? 'int' : 'number';
}

function assignable(to: { readonly local: Local }, node: ts.Node): void {
  if (to.local.fixed) throw new Refusal(node, `the parameter \`${to.local.name}\` is assigned`);
}

/** An index that is written twice in the code must do nothing by itself. */
function pure(to: { readonly index: ts.Expression | undefined }, node: ts.Node): void {
  const { index } = to;
  if (index !== undefined && hasEffects(index)) throw new Refusal(node, 'an index with effects is not compiled');
}

function hasEffects(node: ts.Node): boolean {
  if (ts.isCallExpression(node) || ts.isPostfixUnaryExpression(node)) return true;
  if (ts.isPrefixUnaryExpression(node) && ts.tokenToString(node.operator)?.length === 2) return true;
  if (ts.isBinaryExpression(node) && ASSIGNMENTS.has(ts.tokenToString(node.operatorToken.kind) ?? '')) return true;
  return ts.forEachChild(node, (child) => hasEffects(child) || undefined) ?? false;
}

function shorten(node: ts.Node): string {
  const text = node.getText().replace(/\s+/g, ' ');
  return text.length > 40 ? `${text.slice(0, 37)}…` : text;
}
