/**
 * From a literal to the expression that tests it: where the value is read depends on the place (a packet row, the first
 * packet's connection, a session); how it is compared depends on the test.
 */

import type { FieldDef, ProtocolDef } from '../../runtime/protocols/field.ts';
import { mirrorField } from '../catalog/catalog.ts';
import type { FieldPredicate, Test } from '../language/typed.ts';
import { fieldKey, type Literal, testKey } from '../plan/atom.ts';
import { mergeRanges, type Range, type Ranges } from '../plan/ranges.ts';
import { ipv6Test } from './ipv6.ts';
import { inTable, rangeTable } from './range-tables.ts';
import { type ColumnName, RUNTIME, type Scope } from './scope.ts';
import { camelCase, constantCase, stringLiteral } from './text.ts';

/**
 * - `row`: packet row `p` of a TCP or UDP packet;
 * - `frame`: packet row `p` of any frame;
 * - `first`: connection `c` at its first packet `p`;
 * - `session`: the session in the local named after its protocol.
 */
export type Place = 'row' | 'frame' | 'first' | 'session';

/** A condition and its negation, both fit to stand between `&&`s. */
export interface Condition {
  readonly code: string;
  readonly negated: string;
}

const equals = (a: string, b: string): Condition => ({ code: `${a} === ${b}`, negated: `${a} !== ${b}` });
const call = (code: string): Condition => ({ code, negated: `!${code}` });
const all = (conditions: readonly Condition[]): Condition => {
  const [only] = conditions;
  if (conditions.length === 1 && only !== undefined) return only;
  const code = conditions.map((c) => c.code).join(' && ');
  return { code, negated: `!(${code})` };
};

/** Locals of one generated function that hold what several tests read. */
export class Locals {
  readonly #lines = new Map<string, string>();
  constructor(
    readonly place: Place,
    readonly scope: Scope,
  ) {}

  use(name: 'meta' | 'proto' | 'ports'): string {
    if (this.#lines.has(name)) return name;
    const { scope, place } = this;
    const record = place === 'first';
    if (name === 'proto') this.#lines.set(name, `const proto = ${this.use('meta')} & 0xff`);
    else if (name === 'meta') {
      this.#lines.set(
        name,
        `const meta = ${record ? `${scope.column('recMeta')}[c]` : `${scope.column('pktMeta')}[p]`}`,
      );
    } else
      this.#lines.set(
        name,
        `const ports = ${record ? `${scope.column('recPorts')}[c]` : `${scope.column('pktPorts')}[p]`}`,
      );
    return name;
  }

  lines(): readonly string[] {
    return [...this.#lines].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, line]) => line);
  }
}

/** The condition of a literal. `known`: protocols that are there for sure at this point. */
export function conditionOf(literal: Literal, locals: Locals, known: ReadonlySet<string>): Condition {
  const condition = atomCondition(literal, locals, known);
  return literal.positive ? condition : { code: condition.negated, negated: condition.code };
}

function atomCondition(literal: Literal, locals: Locals, known: ReadonlySet<string>): Condition {
  const { predicate } = literal.atom;
  switch (predicate.kind) {
    case 'protocol':
      return protocolCondition(predicate.protocol, locals);
    case 'session':
      return protocolCondition(predicate.protocol, locals);
    case 'field': {
      const test = fieldCondition(predicate, locals);
      return all([...presenceGuards(predicate, locals, known), test]);
    }
    case 'user':
      throw new TypeError('filters of the user are called by name');
  }
}

/** What must hold for the field to be there. */
function presenceGuards(
  { protocol, field }: FieldPredicate,
  locals: Locals,
  known: ReadonlySet<string>,
): readonly Condition[] {
  const absent = known.has(protocol.name) ? [] : [protocolCondition(protocol, locals)];
  const headerless = locals.place === 'frame' && protocol.layer === 'transport';
  return [...absent, ...(headerless ? [flag(locals, 'META_L4')] : []), ...accessGuards(field, locals)];
}

/** Fields that not every header of their protocol has. */
function accessGuards(field: FieldDef, locals: Locals): readonly Condition[] {
  const { access } = field;
  const { scope } = locals;
  if (access.kind !== 'header') return [];
  const row = (name: ColumnName): string => `${scope.column(name)}[p]`;
  if (access.needs === 'vlan') {
    const bits = `(${row('pktMeta')} & ${scope.number('META_VLAN')})`;
    return [{ code: `${bits} !== 0`, negated: `${bits} === 0` }];
  }
  if (access.from !== 'ethertype') return [];
  const at = row('pktEthertype');
  return [{ code: `${at} !== 0`, negated: `${at} === 0` }];
}

function flag(locals: Locals, name: 'META_L4' | 'META_IPV6' | 'CONN_IPV6'): Condition {
  const bits = `(${locals.use('meta')} & ${locals.scope.number(name)})`;
  return { code: `${bits} !== 0`, negated: `${bits} === 0` };
}

function protocolCondition(protocol: ProtocolDef, locals: Locals): Condition {
  const { scope, place } = locals;
  if (protocol.layer === 'application') return equals('session.proto', protocolNumber(protocol, scope));
  if (protocol.layer === 'link') {
    return equals(`(${scope.column('pktLink')}[p] & 0xffff)`, scope.number('LINK_ETHERNET'));
  }
  if (protocol.layer === 'network') {
    const isV6 = flag(locals, place === 'first' ? 'CONN_IPV6' : 'META_IPV6');
    if (protocol.name === 'ipv6') return isV6;
    if (place !== 'frame') return { code: isV6.negated, negated: isV6.code };
    const { number } = scope;
    const mask = `(${number.call(scope, 'META_IP')} | ${number.call(scope, 'META_IPV6')})`;
    return equals(`(${locals.use('meta')} & ${mask})`, scope.number('META_IP'));
  }
  const proto = equals(locals.use('proto'), `${protocol.number}`);
  if (place !== 'frame') return proto;
  const ip = `(${locals.use('meta')} & ${scope.number('META_IP')}) !== 0`;
  return all([proto, { code: ip, negated: `!(${ip})` }]);
}

/** The constant of an application protocol's number. */
export function protocolNumber(protocol: ProtocolDef, scope: Scope): string {
  const comment = `Number of the protocol ${protocol.name}.`;
  const base = constantCase(protocol.name);
  return scope.helper(`protocol ${protocol.name}`, base, comment, false, (name) => [
    `const ${name} = ${protocol.number}`,
  ]);
}

function fieldCondition(predicate: FieldPredicate, locals: Locals): Condition {
  const { field, test, protocol } = predicate;
  const { scope } = locals;
  if (field.type === 'ipv6' && test.kind === 'ranges') return ipv6Condition(predicate, test.ranges, locals);
  const value = readValue(protocol, field, locals);
  if (field.type.endsWith('[]')) {
    const element = elementTest(predicate, scope);
    const name = scope.helper(
      `any ${fieldKey(predicate)} ${testKey(test)}`,
      camelCase(protocol.name, field.name, 'any'),
      predicate.text,
      true,
      (own) => [`const ${own} = ${scope.value(RUNTIME, 'anyElement')}(${element})`],
    );
    return call(`${name}(${value})`);
  }
  if (test.kind === 'ranges') return numberCondition(predicate, test.ranges, value, scope);
  if (test.kind === 'text-in' && test.values.length === 1) return equals(value, stringLiteral(test.values[0] ?? ''));
  return call(`${matcher(predicate, scope)}(${value})`);
}

/** The function that tests one element of a list. */
function elementTest(predicate: FieldPredicate, scope: Scope): string {
  const { test } = predicate;
  if (test.kind === 'ranges') return rangesFunction(predicate, test.ranges, 'number', scope);
  return matcher(predicate, scope);
}

const FACTORIES: Readonly<Record<Exclude<Test['kind'], 'ranges'>, string>> = {
  'text-in': 'textIn',
  'text-contains': 'textContains',
  'text-starts': 'textStarts',
  'text-ends': 'textEnds',
  'text-matches': 'textMatcher',
  'bytes-in': 'bytesIn',
  'bytes-contains': 'bytesContains',
  'bytes-matches': 'bytesMatcher',
};

/** A test of text or bytes, made once per worker. */
function matcher(predicate: FieldPredicate, scope: Scope): string {
  const { protocol, field, test } = predicate;
  if (test.kind === 'ranges') throw new TypeError('numbers are compared in place');
  const factory = scope.value(RUNTIME, FACTORIES[test.kind]);
  const key = `${test.kind} ${testKey(test)}`;
  const verb = test.kind.replace(/^(text|bytes)-/, '');
  return scope.helper(key, camelCase(protocol.name, field.name, verb), predicate.text, true, (name) => [
    `const ${name} = ${factory}(${matcherArgument(test)})`,
  ]);
}

function matcherArgument(test: Exclude<Test, { kind: 'ranges' }>): string {
  if ('pattern' in test) return stringLiteral(test.pattern);
  const items: readonly (string | readonly number[])[] = test.values;
  return `[${items.map((v) => (typeof v === 'string' ? stringLiteral(v) : `[${v.join(', ')}]`)).join(', ')}]`;
}

/** Where a value is read. */
export function readValue(protocol: ProtocolDef, field: FieldDef, locals: Locals): string {
  const { access } = field;
  const { scope, place } = locals;
  if (access.kind === 'session') return `${camelCase(protocol.name)}.${access.property}`;
  if (access.kind === 'either') throw new TypeError(`${protocol.name}.${field.name} was not expanded`);
  if (protocol.layer === 'transport' && field.name === 'src_port') return `${locals.use('ports')} >>> 16`;
  if (protocol.layer === 'transport' && field.name === 'dst_port') return `${locals.use('ports')} & 0xffff`;
  if (protocol.name === 'ipv4' && field.type === 'ipv4') {
    const source = field.name.startsWith('src');
    if (place === 'first') return `${scope.column(source ? 'recSrc' : 'recDst')}[c]`;
    return `${scope.column(source ? 'pktSrc' : 'pktDst')}[p]`;
  }
  const own = headerValue(protocol, field, scope);
  const mirrored = mirrorField({ protocol, field }).field;
  if (place !== 'first' || mirrored === field || field.scope !== 'connection') return own;
  const forward = `${scope.column('pktDir')}[p] === 0`;
  return `(${forward} ? ${own} : ${headerValue(protocol, mirrored, scope)})`;
}

/** Reads a header field through the view. */
function headerValue(protocol: ProtocolDef, field: FieldDef, scope: Scope): string {
  const { access } = field;
  if (access.kind !== 'header') throw new TypeError(`${protocol.name}.${field.name} is not in a header`);
  const view = scope.view();
  const at = (extra: number): string => {
    const offset = access.offset + extra;
    const base = `${scope.column(baseOf(protocol, access.from))}[p]`;
    return offset === 0 ? base : `${base} ${offset < 0 ? '-' : '+'} ${Math.abs(offset)}`;
  };
  const shifted = (code: string): string => {
    const moved = access.shift === undefined ? code : `(${code} >>> ${access.shift})`;
    return access.mask === undefined ? moved : `${moved} & 0x${access.mask.toString(16)}`;
  };
  switch (access.size) {
    case 1:
      return shifted(`${view}.getUint8(${at(0)})`);
    case 2:
      return shifted(`${view}.getUint16(${at(0)})`);
    case 4:
      return shifted(`${view}.getUint32(${at(0)})`);
    case 6:
      return `${view}.getUint16(${at(0)}) * 0x100000000 + ${view}.getUint32(${at(2)})`;
    default:
      throw new TypeError(`${protocol.name}.${field.name}: no number of ${access.size} bytes`);
  }
}

function baseOf(protocol: ProtocolDef, from: 'ethertype' | undefined): ColumnName {
  if (from === 'ethertype') return 'pktEthertype';
  return protocol.layer === 'link' ? 'pktOffset' : protocol.layer === 'network' ? 'pktL3' : 'pktL4';
}

/** Numbers as they stand in code: IPv4 addresses as the int32 that packet rows hold. */
function numberLiteral(value: bigint, field: FieldDef): string {
  if (field.type === 'ipv4') return value < 0x8000_0000n ? `0x${hex8(value)}` : `(0x${hex8(value)} | 0)`;
  return value > BigInt(Number.MAX_SAFE_INTEGER) ? `${Number(value)}` : `${value}`;
}
const hex8 = (value: bigint): string => value.toString(16).padStart(8, '0');

function numberCondition(predicate: FieldPredicate, ranges: Ranges, value: string, scope: Scope): Condition {
  const { field } = predicate;
  const [only] = ranges;
  if (field.type === 'bool' && field.access.kind === 'header') {
    const set = equals(`(${value})`, `0x${(field.access.mask ?? 1).toString(16)}`);
    return only?.low === 0n ? { code: set.negated, negated: set.code } : set;
  }
  if (field.type === 'bool') {
    const both = ranges.some((r) => r.low === 0n) && ranges.some((r) => r.high >= 1n);
    if (both) return { code: `${value} !== undefined`, negated: `${value} === undefined` };
    return equals(value, only?.low === 0n ? 'false' : 'true');
  }
  const operand = /^[\w.]+(\[[^\]]*\]|\([^()]*\))?$/.test(value) ? value : `(${value})`;
  if (only !== undefined && ranges.length === 1) {
    if (only.low === only.high) return equals(operand, numberLiteral(only.low, field));
    const prefix = field.type === 'ipv4' ? prefixMask(only) : undefined;
    if (prefix !== undefined)
      return equals(`(${operand} & ${numberLiteral(prefix, field)})`, numberLiteral(only.low, field));
  }
  if (
    ranges.length >= TABLE_FROM &&
    inTable(predicate) &&
    ranges.filter((r) => r.low !== r.high).length > TABLE_FROM / 2
  ) {
    const base = camelCase(predicate.protocol.name, withoutSide(field), 'number');
    const name = rangeTable(base, predicate.text, [ranges], field.type, scope);
    return { code: `${name}(${value}) !== 0`, negated: `${name}(${value}) === 0` };
  }
  const type = field.access.kind === 'session' ? 'number | undefined' : 'number';
  return call(`${rangesFunction(predicate, ranges, type, scope)}(${value})`);
}

/** The mask of a range that is a prefix. */
function prefixMask(range: Range): bigint | undefined {
  const size = range.high - range.low + 1n;
  if ((size & (size - 1n)) !== 0n || range.low % size !== 0n) return undefined;
  return 0x1_0000_0000n - size;
}

/** Both ends of a connection are tested by the same function. */
const withoutSide = (field: FieldDef): string => field.name.replace(/^(src|dst)_?/, '');

/** From this many single values on a Set is asked. */
const SET_FROM = 64;
/** From this many ranges on they are looked up in a table. */
const TABLE_FROM = 12;

/** A function of the module that tests one number. */
function rangesFunction(predicate: FieldPredicate, ranges: Ranges, type: string, scope: Scope): string {
  const { protocol, field } = predicate;
  const merged = mergeRanges(ranges);
  const key = `ranges ${field.type === 'ipv4'} ${type} ${testKey({ kind: 'ranges', ranges: merged })}`;
  const unsigned = field.type === 'ipv4' ? 'value >>> 0' : 'value';
  const lit = (n: bigint): string => numberLiteral(n, field.type === 'ipv4' ? { ...field, type: 'u32' } : field);
  const singles = merged
    .filter((r) => r.high - r.low <= 1n)
    .flatMap((r) => (r.low === r.high ? [r.low] : [r.low, r.high]));
  const spans = merged.filter((r) => r.high - r.low > 1n);
  const tests = spans.map((r) => `(value >= ${lit(r.low)} && value <= ${lit(r.high)})`);
  const base = camelCase(protocol.name, withoutSide(field), 'in');
  return scope.helper(key, base, predicate.text, false, (name) => {
    const guard = type === 'number' ? [] : ['  if (value === undefined) return false'];
    const head = unsigned === 'value' ? [] : ['  const value = address >>> 0'];
    const parameter = unsigned === 'value' ? 'value' : 'address';
    const open = [`function ${name}(${parameter}: ${type}): boolean {`, ...guard, ...head];
    if (singles.length >= SET_FROM) {
      const set = scope.names.take(`${constantCase(name)}_SET`);
      const values = singles.map(lit).join(', ');
      const expression = [`${set}.has(value)`, ...tests].join(' || ');
      return [`const ${set}: ReadonlySet<number> = new Set([${values}])`, ...open, `  return ${expression}`, '}'];
    }
    if (singles.length > 2) {
      const cases = singles.map((n) => `    case ${lit(n)}:`);
      const rest = tests.length === 0 ? 'false' : bare(tests);
      return [
        ...open,
        '  switch (value) {',
        ...cases,
        '      return true',
        '    default:',
        `      return ${rest}`,
        '  }',
        '}',
      ];
    }
    const expression = bare([...singles.map((n) => `value === ${lit(n)}`), ...tests]);
    return [...open, `  return ${expression === '' ? 'false' : expression}`, '}'];
  });
}

/** Code for the number of the first test that one value passes, 0 for none; undefined where a table cannot say it. */
export function rangeNumber(
  field: FieldPredicate,
  tests: readonly FieldPredicate[],
  locals: Locals,
  known: ReadonlySet<string>,
): string | undefined {
  if (!tests.every(inTable)) return undefined;
  const lists = tests.flatMap(({ test }) => (test.kind === 'ranges' ? [test.ranges] : []));
  const comment = `Numbers of ${lists.length} ranges: first and last value, number.`;
  const base = camelCase(field.protocol.name, withoutSide(field.field), 'number');
  const name = rangeTable(base, comment, lists, field.field.type, locals.scope);
  const number = `${name}(${readValue(field.protocol, field.field, locals)})`;
  const guards = presenceGuards(field, locals, known);
  return guards.length === 0 ? number : `${all(guards).code} ? ${number} : 0`;
}

/** Alternatives joined; one alone needs no parentheses. */
function bare(tests: readonly string[]): string {
  const [only] = tests;
  return tests.length === 1 && only !== undefined ? only.replace(/^\((.*)\)$/, '$1') : tests.join(' || ');
}

/** The four words of one end's IPv6 address, of the connection `c`. */
export function addressWords(field: FieldDef, scope: Scope): string {
  const addresses = scope.member('addr6');
  const first = field.name.startsWith('src') ? 0 : 4;
  const word = (i: number): string => `${addresses}[(c / RECORD_WORDS) * 8${i === 0 ? '' : ` + ${i}`}]`;
  return [0, 1, 2, 3].map((i) => word(first + i)).join(', ');
}

function ipv6Condition(predicate: FieldPredicate, ranges: Ranges, locals: Locals): Condition {
  const { scope, place } = locals;
  const { field, protocol } = predicate;
  const name = ipv6Test(camelCase(protocol.name, withoutSide(field), 'in'), predicate.text, ranges, scope);
  const source = field.name.startsWith('src');
  if (place === 'first') return call(`${name}(${addressWords(field, scope)})`);
  const view = scope.view();
  const base = `${scope.column('pktL3')}[p]`;
  const first = source ? 8 : 24;
  return call(`${name}(${[0, 4, 8, 12].map((i) => `${view}.getInt32(${base} + ${first + i})`).join(', ')})`);
}
