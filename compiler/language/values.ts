/**
 * Values to tests: every literal becomes a value of its field's type, every operator one of the few tests of typed.ts.
 * Negated operators are turned into their positive test here and negated by the caller.
 */
import type { FieldDef, FieldType } from '../../runtime/protocols/field.ts';
import { didYouMean } from '../catalog/suggest.ts';
import type { Operator, Span, Value } from './ast.ts';
import { mergeRanges, type Range } from './ranges.ts';
import { regexProblem } from './regex.ts';
import type { Details, Report } from './report.ts';
import type { Element } from './sets.ts';
import type { Test } from './typed.ts';

/** One comparison, as far as it is the same for every field that its name stands for. */
export interface Comparison {
  /** The field as written, for messages. */
  readonly path: string;
  /** The operator without its negation. */
  readonly op: Operator;
  readonly opSpan: Span;
  /** The single value, or those of the set. */
  readonly elements: readonly Element[];
  /** The value was a set: literal, named or from a file. */
  readonly isSet: boolean;
  readonly valueSpan: Span;
}

type Family = 'number' | 'bool' | 'address' | 'text' | 'bytes';

const FAMILIES: Readonly<Record<FieldType, Family>> = {
  bool: 'bool',
  u8: 'number',
  u16: 'number',
  u32: 'number',
  u64: 'number',
  'u16[]': 'number',
  ipv4: 'address',
  ipv6: 'address',
  mac: 'address',
  text: 'text',
  'text[]': 'text',
  bytes: 'bytes',
};

const NOUNS: Readonly<Record<FieldType, string>> = {
  bool: 'a flag: `true` or `false`',
  u8: 'a number',
  u16: 'a number',
  u32: 'a number',
  u64: 'a number',
  'u16[]': 'a list of numbers',
  ipv4: 'an IPv4 address',
  ipv6: 'an IPv6 address',
  mac: 'a MAC address',
  text: 'text',
  'text[]': 'a list of texts',
  bytes: 'bytes',
};

const OPERATORS: Readonly<Record<Family, readonly Operator[]>> = {
  bool: ['='],
  number: ['=', '>', '>=', '<', '<=', 'in'],
  address: ['=', 'in'],
  text: ['=', 'in', 'contains', 'contains any', 'matches', 'starts_with', 'ends_with'],
  bytes: ['=', 'in', 'contains', 'contains any', 'matches bytes', 'starts_with', 'ends_with'],
};

/** What an operator does not say of this type and the user may have meant. */
function operatorHint(field: FieldDef, op: Operator): string | undefined {
  const family = FAMILIES[field.type];
  if (op === 'matches' && family === 'bytes') return 'use `~b`, which matches bytes';
  if (op === 'matches bytes' && family === 'text') return 'use `~`, which matches text';
  if (family === 'address' && ['>', '>=', '<', '<='].includes(op)) return 'use a range: `in 10.0.0.1..10.0.0.9`';
  if (family === 'number' && op.startsWith('contains')) return 'use `=` or `in`';
  return undefined;
}

/** Largest value a field can hold. */
export function fieldMax(field: FieldDef): bigint {
  if (field.max !== undefined) return BigInt(field.max);
  const bits = { bool: 1, u8: 8, u16: 16, 'u16[]': 16, u32: 32, u64: 64, ipv4: 32, ipv6: 128, mac: 48 };
  return (1n << BigInt(bits[field.type as keyof typeof bits] ?? 0)) - 1n;
}

/** What a field's values are, in words. */
export function fieldNoun(field: FieldDef): string {
  return NOUNS[field.type];
}

/** The test of one plain field; undefined after reporting what is wrong. */
export function toTest(field: FieldDef, comparison: Comparison, report: Report): Test | undefined {
  const { path, op, opSpan, elements, isSet, valueSpan } = comparison;
  const family = FAMILIES[field.type];
  const isList = field.type.endsWith('[]');
  const allowed = [
    ...OPERATORS[family],
    ...(isList && family === 'number' ? (['contains', 'contains any'] as const) : []),
  ];
  if (!allowed.includes(op)) {
    const shown = allowed.map((one) => (one === 'matches bytes' ? '`~b`' : `\`${one}\``)).join(', ');
    report.error(
      'operator-type',
      opSpan,
      `\`${op}\` does not apply to \`${path}\`, which is ${NOUNS[field.type]}; it takes ${shown}`,
      {
        suggestion: operatorHint(field, op),
      },
    );
    return undefined;
  }
  const wantsSet = op === 'in' || op === 'contains any';
  const setIsFine = wantsSet || op === 'starts_with' || op === 'ends_with';
  if (isSet && !setIsFine) {
    const instead = op === 'contains' ? 'contains any' : 'in';
    report.error('operator-value', valueSpan, `\`${op}\` takes one value, not a set`, {
      suggestion: op === '=' || op === 'contains' ? `use \`${instead}\`` : undefined,
    });
    return undefined;
  }
  const single = elements[0]?.value;
  if (op === 'in' && !isSet && single !== undefined && single.kind !== 'range' && single.kind !== 'prefix') {
    report.error('operator-value', valueSpan, '`in` takes a set, a range or a prefix', {
      suggestion: 'use `=` for a single value',
    });
    return undefined;
  }
  if (family === 'text') return textTest(isList, op, comparison, report);
  if (family === 'bytes') return bytesTest(op, comparison, report);
  const ranges = all(elements, (element) => toRange(field, op, element, comparison, report));
  return ranges === undefined ? undefined : { kind: 'ranges', ranges: mergeRanges(ranges) };
}

/** Converts every element, so that all their errors are reported; undefined if any failed. */
function all<T>(elements: readonly Element[], convert: (element: Element) => T | undefined): T[] | undefined {
  const out: T[] = [];
  let failed = false;
  for (const element of elements) {
    const one = convert(element);
    if (one === undefined) failed = true;
    else out.push(one);
  }
  return failed ? undefined : out;
}

function at(element: Element, suggestion?: string): Details {
  return { suggestion, ...(element.file !== undefined && { file: element.file }) };
}

// Numbers and addresses

function toRange(
  field: FieldDef,
  op: Operator,
  element: Element,
  { path }: Comparison,
  report: Report,
): Range | undefined {
  const { value } = element;
  const noun = NOUNS[field.type];
  if (value.kind === 'range') {
    if (op !== 'in' && op !== 'contains any') {
      report.error(
        'operator-value',
        value.span,
        `\`${op}\` takes one value, not a range`,
        at(element, op === '=' ? 'use `in`' : undefined),
      );
      return undefined;
    }
    const low = toNumber(field, { ...element, value: value.low }, path, report);
    const high = toNumber(field, { ...element, value: value.high }, path, report);
    if (low === undefined || high === undefined) return undefined;
    if (low <= high) return { low, high };
    report.error(
      'empty-range',
      value.span,
      'this range is empty: its first value is larger than its last',
      at(element, 'swap its ends'),
    );
    return undefined;
  }
  if (value.kind === 'prefix') return prefixRange(field, element, path, report);
  const number = toNumber(field, element, path, report);
  if (number === undefined) return undefined;
  const max = fieldMax(field);
  switch (op) {
    case '>':
    case '<': {
      const range = op === '>' ? { low: number + 1n, high: max } : { low: 0n, high: number - 1n };
      if (range.low <= range.high) return range;
      report.error(
        'out-of-range',
        value.span,
        `no value of \`${path}\` is ${op} ${number}: ${noun} from 0 to ${max}`,
        at(element),
      );
      return undefined;
    }
    case '>=':
      return { low: number, high: max };
    case '<=':
      return { low: 0n, high: number };
    default:
      return { low: number, high: number };
  }
}

function prefixRange(field: FieldDef, { value, file }: Element, path: string, report: Report): Range | undefined {
  if (value.kind !== 'prefix') return undefined;
  const bits = value.bytes.length * 8;
  const element = { value, file };
  if (field.type !== (bits === 32 ? 'ipv4' : 'ipv6')) return mismatch(field, element, path, report);
  const number = bytesToNumber(value.bytes);
  const hosts = (1n << BigInt(bits - value.length)) - 1n;
  if ((number & hosts) !== 0n) {
    report.warning(
      'host-bits',
      value.span,
      `\`${value.text}\` has bits set behind its prefix; they are ignored`,
      at(element),
    );
  }
  const low = number & ~hosts;
  return { low, high: low | hosts };
}

function toNumber(field: FieldDef, element: Element, path: string, report: Report): bigint | undefined {
  const { value } = element;
  const family = FAMILIES[field.type];
  if (family === 'address') {
    const size = { ipv4: 4, ipv6: 16, mac: 6 }[field.type as 'ipv4' | 'ipv6' | 'mac'];
    const fits =
      value.kind === 'addr'
        ? field.type !== 'mac' && value.bytes.length === size
        : value.kind === 'mac' && field.type === 'mac';
    return fits && 'bytes' in value ? bytesToNumber(value.bytes) : mismatch(field, element, path, report);
  }
  if (value.kind === 'int') {
    const max = fieldMax(field);
    if (value.value <= max) return value.value;
    report.error('out-of-range', value.span, `\`${path}\` holds at most ${max}, not ${value.text}`, at(element));
    return undefined;
  }
  if (family === 'bool' && value.kind === 'name' && (value.name === 'true' || value.name === 'false')) {
    return value.name === 'true' ? 1n : 0n;
  }
  if (field.names !== undefined && (value.kind === 'name' || value.kind === 'string')) {
    const name = value.kind === 'name' ? value.name : value.value;
    const known = Object.entries(field.names).find(([one]) => one.toLowerCase() === name.toLowerCase());
    if (known !== undefined) return BigInt(known[1]);
    report.error(
      'unknown-name',
      value.span,
      `\`${name}\` is no value of \`${path}\``,
      at(element, didYouMean(name, Object.keys(field.names))),
    );
    return undefined;
  }
  return mismatch(field, element, path, report);
}

function mismatch(field: FieldDef, element: Element, path: string, report: Report): undefined {
  const { value } = element;
  const names = FAMILIES[field.type] === 'number' && field.names !== undefined ? Object.keys(field.names) : [];
  const example = names.length > 0 ? `such as \`${names[0]}\`` : undefined;
  // A line of a file is whatever it can be: there no kind is written that could be the wrong one.
  const shown = value.kind === 'name' ? value.name : value.kind === 'string' && element.file && value.value;
  const found = shown ? `\`${shown}\` is not one` : `this is ${valueNoun(value)}`;
  const noun = path.startsWith('ip.') ? 'an IPv4 or IPv6 address' : NOUNS[field.type];
  report.error('value-type', value.span, `\`${path}\` is ${noun}; ${found}`, at(element, example));
  return undefined;
}

/** What a value is, in words. */
export function valueNoun(value: Value): string {
  const ip = (bytes: readonly number[]) => (bytes.length === 4 ? 'IPv4' : 'IPv6');
  switch (value.kind) {
    case 'int':
      return 'a number';
    case 'string':
      return 'text';
    case 'bytes':
      return 'bytes';
    case 'addr':
      return `an ${ip(value.bytes)} address`;
    case 'prefix':
      return `an ${ip(value.bytes)} prefix`;
    case 'mac':
      return 'a MAC address';
    case 'range':
      return 'a range';
    case 'set':
      return 'a set';
    case 'name':
      return 'a name';
  }
}

function bytesToNumber(bytes: readonly number[]): bigint {
  return bytes.reduce((number, byte) => (number << 8n) | BigInt(byte), 0n);
}

// Text and bytes

function textTest(isList: boolean, op: Operator, { path, elements }: Comparison, report: Report): Test | undefined {
  const found = all(elements, (element) => {
    const { value } = element;
    if (value.kind === 'string') return value.value;
    const quotes =
      value.kind === 'int' || value.kind === 'addr' || value.kind === 'name' ? 'text stands in quotes' : undefined;
    const what =
      value.kind === 'name' ? `\`${value.name}\` has no quotes and is no set` : `this is ${valueNoun(value)}`;
    report.error(
      'value-type',
      value.span,
      `\`${path}\` is ${isList ? 'a list of texts' : 'text'}; ${what}`,
      at(element, quotes),
    );
    return undefined;
  });
  if (found === undefined) return undefined;
  const values = [...new Set(found)].sort();
  const [first] = elements;
  if (op === 'matches') {
    const pattern = values[0] ?? '';
    const problem = regexProblem(pattern);
    if (problem === undefined) return { kind: 'text-matches', pattern };
    if (first !== undefined) report.error('regex', first.value.span, problem);
    return undefined;
  }
  // A list contains its elements, not parts of them.
  if (op === '=' || op === 'in' || (isList && op.startsWith('contains'))) return { kind: 'text-in', values };
  if (!refuseEmpty(values, op, elements, report)) return undefined;
  if (op === 'starts_with') return { kind: 'text-starts', values };
  return op === 'ends_with' ? { kind: 'text-ends', values } : { kind: 'text-contains', values };
}

function refuseEmpty(
  values: readonly { readonly length: number }[],
  op: Operator,
  elements: readonly Element[],
  report: Report,
): boolean {
  const index = values.findIndex((value) => value.length === 0);
  if (index < 0) return true;
  const element = elements.find(({ value }) => value.kind === 'string' && value.value === '');
  if (element !== undefined) {
    report.error('empty-text', element.value.span, `\`${op}\` an empty text is always true`, at(element));
  }
  return false;
}

function bytesTest(op: Operator, { path, elements }: Comparison, report: Report): Test | undefined {
  const [first] = elements;
  if (op === 'matches bytes') {
    if (first?.value.kind !== 'string') {
      if (first !== undefined)
        report.error('value-type', first.value.span, '`~b` takes a regular expression in quotes', at(first));
      return undefined;
    }
    const problem = regexProblem(first.value.value);
    if (problem === undefined) return { kind: 'bytes-matches', pattern: first.value.value };
    report.error('regex', first.value.span, problem);
    return undefined;
  }
  const values = all(elements, (element) => {
    const { value } = element;
    if (value.kind === 'bytes') return value.value;
    if (value.kind === 'string') return utf8(value.value);
    report.error(
      'value-type',
      value.span,
      `\`${path}\` is bytes; this is ${valueNoun(value)}`,
      at(element, 'write bytes as `|15 A1|`'),
    );
    return undefined;
  });
  if (values === undefined) return undefined;
  if (op === '=' || op === 'in') return { kind: 'bytes-in', values };
  if (!refuseEmpty(values, op, elements, report)) return undefined;
  if (op === 'contains' || op === 'contains any') return { kind: 'bytes-contains', values };
  const choices = values
    .map((value) => value.map((byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join(''))
    .join('|');
  return { kind: 'bytes-matches', pattern: op === 'starts_with' ? `^(?:${choices})` : `(?:${choices})$` };
}

function utf8(text: string): number[] {
  return [...new TextEncoder().encode(text)];
}
