/**
 * The naive reading of a condition, against which compiled filters are compared. It looks up facts and does what the
 * operators say, one node at a time; nothing is clever here, so that it can be seen to be right.
 *
 * Three values: a condition is true, false, or not yet known (`undefined`).
 */
import { RE2JS } from 're2js';
import type { Predicate, Test, TypedExpr } from '../../compiler/language/typed.ts';

export type Truth = boolean | undefined;

/** Numbers (bool, integers, addresses) are bigint; a list stands for its elements; `null` is a field the protocol lacks here. */
export type FieldValue = bigint | string | Uint8Array | readonly bigint[] | readonly string[] | null;

/** What is known of one connection, session or packet. What is missing is not known yet. */
export interface Facts {
  /** By name of the protocol: whether it is there. */
  readonly protocols: ReadonlyMap<string, boolean>;
  /** By `protocol.field`. */
  readonly fields: ReadonlyMap<string, FieldValue>;
  /** By name of the user's filter: its verdict. */
  readonly filters: ReadonlyMap<string, boolean>;
}

export function evaluate(expr: TypedExpr, facts: Facts): Truth {
  switch (expr.kind) {
    case 'true':
      return true;
    case 'not': {
      const inner = evaluate(expr.expr, facts);
      return inner === undefined ? undefined : !inner;
    }
    case 'and': {
      const terms = expr.terms.map((term) => evaluate(term, facts));
      if (terms.includes(false)) return false;
      return terms.includes(undefined) ? undefined : true;
    }
    case 'or': {
      const terms = expr.terms.map((term) => evaluate(term, facts));
      if (terms.includes(true)) return true;
      return terms.includes(undefined) ? undefined : false;
    }
    default:
      return evaluatePredicate(expr, facts);
  }
}

/** At the end of a connection: what it never revealed is false. */
export function evaluateAtEnd(expr: TypedExpr, facts: Facts): boolean {
  switch (expr.kind) {
    case 'true':
      return true;
    case 'not':
      return !evaluateAtEnd(expr.expr, facts);
    case 'and':
      return expr.terms.every((term) => evaluateAtEnd(term, facts));
    case 'or':
      return expr.terms.some((term) => evaluateAtEnd(term, facts));
    default:
      return evaluatePredicate(expr, facts) ?? false;
  }
}

function evaluatePredicate(predicate: Predicate, facts: Facts): Truth {
  if (predicate.kind === 'user') return facts.filters.get(predicate.filter.name);
  const present = facts.protocols.get(predicate.protocol.name);
  if (predicate.kind === 'protocol') return present;
  if (present === false) return false;
  const value = facts.fields.get(`${predicate.protocol.name}.${predicate.field.name}`);
  if (present === undefined || value === undefined) return undefined;
  if (value === null) return false;
  const elements: readonly (bigint | string | Uint8Array)[] =
    typeof value === 'object' && !(value instanceof Uint8Array) ? value : [value];
  return elements.some((element) => holds(predicate.test, element));
}

/** Whether one value passes a test; a value of another type than the test's does not. */
export function holds(test: Test, value: bigint | string | Uint8Array): boolean {
  if (typeof value === 'bigint') {
    return test.kind === 'ranges' && test.ranges.some(({ low, high }) => low <= value && value <= high);
  }
  if (typeof value === 'string') return textHolds(test, value);
  return bytesHold(test, value);
}

function textHolds(test: Test, value: string): boolean {
  switch (test.kind) {
    case 'text-in':
      return test.values.includes(value);
    case 'text-contains':
      return test.values.some((part) => value.includes(part));
    case 'text-starts':
      return test.values.some((part) => value.startsWith(part));
    case 'text-ends':
      return test.values.some((part) => value.endsWith(part));
    case 'text-matches':
      return RE2JS.compile(test.pattern).matcher(value).find();
    default:
      return false;
  }
}

/** Bytes are compared as texts of one character per byte, which have the same order and the same parts. */
function bytesHold(test: Test, value: Uint8Array): boolean {
  const text = latin1(value);
  switch (test.kind) {
    case 'bytes-in':
      return test.values.some((one) => latin1(one) === text);
    case 'bytes-contains':
      return test.values.some((part) => text.includes(latin1(part)));
    case 'bytes-matches':
      return RE2JS.compile(test.pattern).matcher(text).find();
    default:
      return false;
  }
}

function latin1(bytes: Iterable<number>): string {
  return Array.from(bytes, (byte) => String.fromCharCode(byte)).join('');
}
