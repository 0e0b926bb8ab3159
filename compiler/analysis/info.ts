/**
 * What the analysis of TypeScript files says of data types, filters and callbacks: plain data. Only compiler/analysis
 * knows ts-morph; everything else in the compiler reads these.
 */
import type { SourceFile, Span } from '../language/ast.ts';

/** State transitions of a connection, in the order of its life as far as there is one. */
export const LEVELS = [
  'Packet',
  'L4FirstPacket',
  'L4EndHshk',
  'InL4Conn',
  'InL4Stream',
  'L7OnDisc',
  'L7EndHdrs',
  'L4Terminated',
] as const;
export type Level = (typeof LEVELS)[number];

/** Where a name was declared. `module` is the import specifier that a generated module uses. */
export interface Declared {
  readonly name: string;
  readonly module: string;
  readonly file: SourceFile;
  readonly span: Span;
}

/**
 * A data type a subscription can ask for.
 * - `view`: a flyweight over the connection's record, known at the first packet (FiveTuple, StartTime);
 * - `columns`: tracked, all its fields numeric: kept in typed-array columns, delivered as a flyweight;
 * - `object`: tracked, one instance of the class per connection;
 * - `session`: built from a parsed session of `protocol`;
 * - `pdu`: the packet at hand (L4Pdu);
 * - `context`: CoreId, FilterStr, StateTransition, SessionProto, …: what the delivery itself knows.
 */
export interface DataTypeInfo extends Declared {
  readonly kind: 'view' | 'columns' | 'object' | 'session' | 'pdu' | 'context';
  /** First level at which the value is whole. */
  readonly availableAt: Level;
  /** `session`: catalog name of the protocol. */
  readonly protocol?: string;
  /** `columns`: its fields in order of declaration. */
  readonly columns?: readonly ColumnField[];
  /** `columns`: fields that are other data types and follow the same connection: `declare readonly ends: FiveTuple`. */
  readonly followers?: readonly { readonly name: string; readonly type: string }[];
  /** `object`: what its constructor takes. */
  readonly params?: readonly { readonly name: string; readonly type: string; readonly span: Span }[];
  /** `object` with numeric fields only: why its methods could not be compiled into columns, and where. */
  readonly notColumns?: { readonly reason: string; readonly span: Span };
  /** Methods that the tracker calls. */
  readonly updates: readonly UpdateMethod[];
  readonly expensive: boolean;
}

/** A numeric field. */
export interface ColumnField {
  readonly name: string;
  readonly type: 'u8' | 'u16' | 'u32' | 'i32' | 'f64' | 'bool';
  /** Elements of `new Uint32Array(2)` and the like, else 1. */
  readonly length: number;
  /** A typed array, even if of one element. */
  readonly array: boolean;
  /** Initial value of each element. */
  readonly initial: number;
  /** Marked `@rare`: lies beside the records. */
  readonly rare?: boolean;
}

/** A method marked `@on(level, …)`. */
export interface UpdateMethod {
  readonly name: string;
  readonly levels: readonly Level[];
  /** Parameter names and type names, in order. */
  readonly params: readonly { readonly name: string; readonly type: string; readonly span?: Span }[];
  /** Body as TypeScript text, without the braces, for columns that are compiled into the generated module. */
  readonly body: string;
  /** Returns something: of a callback a boolean (false unsubscribes), of a filter its verdict. */
  readonly returns: boolean;
  readonly span: Span;
}

/** A function or class named by `subscribe IMPORTED`. */
export interface CallbackInfo extends Declared {
  readonly kind: 'function' | 'class';
  /** Of a function: its parameters. Of a class: those of its constructor. */
  readonly params: readonly { readonly name: string; readonly type: string; readonly span: Span }[];
  readonly methods: readonly UpdateMethod[];
  /** Returns a boolean: false unsubscribes. */
  readonly streaming: boolean;
}

/** A user's filter. */
export interface FilterInfo extends Declared {
  readonly kind: 'function' | 'class';
  /** The class whose static method it is; its name is then `Class.method`, as conditions write it. */
  readonly staticOf?: string;
  readonly levels: readonly Level[];
  readonly params: readonly { readonly name: string; readonly type: string; readonly span: Span }[];
  readonly methods: readonly UpdateMethod[];
}
