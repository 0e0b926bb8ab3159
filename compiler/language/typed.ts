/**
 * The checked program: every name resolved, every value converted to its field's type, `let`s and sets replaced by what
 * they stand for. Made by check.ts; read by the planner and by the naive interpreter that tests compare it with.
 */
import type { FieldDef, ProtocolDef } from '../../runtime/protocols/field.ts';
import type { CallbackInfo, DataTypeInfo, FilterInfo, Level } from '../analysis/info.ts';
import type { SourceFile, Span } from './ast.ts';

export interface TypedProgram {
  readonly file: SourceFile;
  readonly subscriptions: readonly TypedSubscription[];
  /** Modules named by `use`, as written, with the names taken from each. */
  readonly uses: readonly { readonly from: string; readonly names: readonly string[] }[];
  /** Data types that filters, constructors and methods ask for, and what those ask for in turn; by name. */
  readonly dataTypes?: ReadonlyMap<string, DataTypeInfo>;
}

export interface TypedSubscription {
  readonly name: string;
  readonly span: Span;
  /** Parameters of a declared subscription; for an imported callback those of its function. */
  readonly params: readonly TypedParam[];
  /** Where it is delivered, as written or inferred. Never empty. */
  readonly levels: readonly Level[];
  readonly when: TypedExpr;
  /** The imported function or class that handles it; undefined: `Handlers` method or a JSON line. */
  readonly callback: CallbackInfo | undefined;
  /** The `when` clause as the user wrote it, on one line. */
  readonly text: string;
  /** Of a callback class: its methods, each delivered to at its own levels with data of its own. */
  readonly methods?: readonly TypedMethod[];
  /** Set by the planner, to which each method of a class is a subscription: whose it is, and what its constructor takes. */
  readonly part?: { readonly owner: string; readonly method: TypedMethod; readonly made: readonly TypedParam[] };
}

/** A method of a callback class. */
export interface TypedMethod {
  readonly name: string;
  readonly levels: readonly Level[];
  readonly params: readonly TypedParam[];
  /** Returns a boolean; false silences the whole class. */
  readonly returns: boolean;
}

export interface TypedParam {
  readonly name: string;
  readonly type: DataTypeInfo;
}

export type TypedExpr =
  | { readonly kind: 'true' }
  | { readonly kind: 'and'; readonly terms: readonly TypedExpr[]; readonly span: Span }
  | { readonly kind: 'or'; readonly terms: readonly TypedExpr[]; readonly span: Span }
  | { readonly kind: 'not'; readonly expr: TypedExpr; readonly span: Span }
  | Predicate;

export type Predicate = ProtocolPredicate | FieldPredicate | UserPredicate;

/** The protocol is present. */
export interface ProtocolPredicate {
  readonly kind: 'protocol';
  readonly protocol: ProtocolDef;
  readonly span: Span;
}

/**
 * A comparison of one field. Combined and neutral fields (`tcp.port`, `port`, `ip.addr`) are already expanded to `or`s
 * of plain fields. `!=`, `not in`, `not contains` and the like are already `P and not (positive test)`, where P says
 * that the field's protocol is there: the operator negates the comparison, not the protocol (`not tcp.port = 80` does both).
 * Fields of access kind `either` never occur. On lists `contains` asks for an equal element and is a `…-in` test.
 */
export interface FieldPredicate {
  readonly kind: 'field';
  readonly protocol: ProtocolDef;
  readonly field: FieldDef;
  readonly test: Test;
  /** In source form, for comments: `tcp.dst_port >= 1024`. */
  readonly text: string;
  readonly span: Span;
}

/** Numbers (bool, u8..u64, ipv4 as u32, mac, ipv6) are bigint; lists of ranges are sorted, disjoint and merged. */
export type Test =
  /** Holds if the value lies in one of the ranges, ends included. `=`, `<`, `>=`, prefixes and sets all become this. */
  | { readonly kind: 'ranges'; readonly ranges: readonly { readonly low: bigint; readonly high: bigint }[] }
  /** Holds if the text equals one of the values. Sorted, without repeats. */
  | { readonly kind: 'text-in'; readonly values: readonly string[] }
  | { readonly kind: 'text-contains'; readonly values: readonly string[] }
  | { readonly kind: 'text-starts'; readonly values: readonly string[] }
  | { readonly kind: 'text-ends'; readonly values: readonly string[] }
  /** RE2 syntax; unanchored. */
  | { readonly kind: 'text-matches'; readonly pattern: string }
  | { readonly kind: 'bytes-in'; readonly values: readonly (readonly number[])[] }
  | { readonly kind: 'bytes-contains'; readonly values: readonly (readonly number[])[] }
  | { readonly kind: 'bytes-matches'; readonly pattern: string };

/** A user's filter function or class. */
export interface UserPredicate {
  readonly kind: 'user';
  readonly filter: FilterInfo;
  readonly span: Span;
}
