/** The syntax tree of a filter file: immutable data, each node with its span. Made by grammar/filter.peggy alone. */

/** A stretch of a source file, in UTF-16 code units; `end` is exclusive. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

export interface SourceFile {
  /** As the user named it; diagnostics print it. */
  readonly path: string;
  readonly text: string;
}

export interface Ident {
  readonly kind: 'ident';
  readonly name: string;
  readonly span: Span;
}

export interface FilterFile {
  readonly kind: 'file';
  readonly statements: readonly Statement[];
  /** Names that statements with a syntax error were about to declare, so that their uses are not reported as well. */
  readonly broken: readonly string[];
}

export type Statement = UseStatement | SetStatement | LetStatement | SubscribeStatement;

/** `use { a, b } from "./x.ts"` */
export interface UseStatement {
  readonly kind: 'use';
  readonly names: readonly Ident[];
  readonly from: StringLiteral;
  readonly span: Span;
}

/** `set NAME = { … }` or `set NAME = lines("file")` */
export interface SetStatement {
  readonly kind: 'set';
  readonly name: Ident;
  readonly value: SetLiteral | LinesCall;
  readonly span: Span;
}

/** `let name = EXPR` */
export interface LetStatement {
  readonly kind: 'let';
  readonly name: Ident;
  readonly value: Expr;
  readonly span: Span;
}

/** `subscribe NAME(params) [at LEVEL, …] [when EXPR]`; without parentheses `params` is undefined: an imported handler. */
export interface SubscribeStatement {
  readonly kind: 'subscribe';
  readonly name: Ident;
  readonly params: readonly Param[] | undefined;
  readonly levels: readonly Ident[];
  /** Absent `when` means everything. */
  readonly when: Expr | undefined;
  readonly span: Span;
}

export interface Param {
  readonly kind: 'param';
  readonly name: Ident;
  readonly type: Ident;
  readonly span: Span;
}

export type Expr = AndExpr | OrExpr | NotExpr | NameExpr | CompareExpr;

export interface AndExpr {
  readonly kind: 'and';
  readonly terms: readonly Expr[];
  readonly span: Span;
}
export interface OrExpr {
  readonly kind: 'or';
  readonly terms: readonly Expr[];
  readonly span: Span;
}
export interface NotExpr {
  readonly kind: 'not';
  readonly expr: Expr;
  readonly span: Span;
}

/** A bare name: a protocol, a `let`, a user filter, or a `use`d name. */
export interface NameExpr {
  readonly kind: 'name';
  readonly name: string;
  readonly span: Span;
}

/** `proto.field OP value`, or with `op` undefined a bare `tcp.syn`: the boolean field is true. */
export interface CompareExpr {
  readonly kind: 'compare';
  readonly field: FieldPath;
  readonly op: Operator | undefined;
  readonly opSpan: Span | undefined;
  readonly value: Value | undefined;
  readonly span: Span;
}

/** `tls.sni`, `port`, `ip.addr`; `proto` is undefined for a neutral field such as `port`. */
export interface FieldPath {
  readonly kind: 'field';
  readonly proto: Ident | undefined;
  readonly field: Ident;
  readonly span: Span;
}

/** Canonical operators; aliases (`==`, `eq`, `~`, …) are folded by the grammar, `!contains` to `not contains` likewise. */
export type Operator =
  | '='
  | '!='
  | '>'
  | '>='
  | '<'
  | '<='
  | 'in'
  | 'not in'
  | 'contains'
  | 'not contains'
  | 'contains any'
  | 'not contains any'
  | 'matches'
  | 'not matches'
  | 'matches bytes'
  | 'not matches bytes'
  | 'starts_with'
  | 'not starts_with'
  | 'ends_with'
  | 'not ends_with';

export type Value =
  | IntLiteral
  | StringLiteral
  | BytesLiteral
  | AddrLiteral
  | PrefixLiteral
  | MacLiteral
  | RangeLiteral
  | SetLiteral
  | NameValue;

/** Decimal or hex. Kept as text too, for messages. */
export interface IntLiteral {
  readonly kind: 'int';
  readonly value: bigint;
  readonly text: string;
  readonly span: Span;
}
export interface StringLiteral {
  readonly kind: 'string';
  readonly value: string;
  readonly span: Span;
}
/** `|15 A1|` */
export interface BytesLiteral {
  readonly kind: 'bytes';
  readonly value: readonly number[];
  readonly span: Span;
}
/** An IPv4 or IPv6 address; `bytes` has 4 or 16 elements. */
export interface AddrLiteral {
  readonly kind: 'addr';
  readonly bytes: readonly number[];
  readonly text: string;
  readonly span: Span;
}
export interface PrefixLiteral {
  readonly kind: 'prefix';
  readonly bytes: readonly number[];
  readonly length: number;
  readonly text: string;
  readonly span: Span;
}
export interface MacLiteral {
  readonly kind: 'mac';
  readonly bytes: readonly number[];
  readonly text: string;
  readonly span: Span;
}
/** `8000..8100`, both ends included; ends are ints or addresses. */
export interface RangeLiteral {
  readonly kind: 'range';
  readonly low: IntLiteral | AddrLiteral;
  readonly high: IntLiteral | AddrLiteral;
  readonly span: Span;
}
export interface SetLiteral {
  readonly kind: 'set';
  readonly values: readonly Value[];
  readonly span: Span;
}
/** A name where a value is expected: a `set`, or a named number (`TLSv1.3`, `true`). */
export interface NameValue {
  readonly kind: 'name';
  readonly name: string;
  readonly span: Span;
}
/** `lines("file")` */
export interface LinesCall {
  readonly kind: 'lines';
  readonly path: StringLiteral;
  readonly span: Span;
}
