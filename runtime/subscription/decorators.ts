/**
 * What a user's TypeScript file says of its classes and functions. The decorators are the standard ones and do nothing at
 * run time: the compiler reads them from the source (compiler/analysis).
 */

/** State transitions of a connection: where code may hook in. */
export type Level =
  | 'Packet'
  | 'L4FirstPacket'
  | 'L4EndHshk'
  | 'InL4Conn'
  | 'InL4Stream'
  | 'L7OnDisc'
  | 'L7EndHdrs'
  | 'L4Terminated';

/** Counts modulo 2^8. A plain number to TypeScript; as a field of a data type it becomes a column of that width. */
export type u8 = number & { readonly __u8?: never };
/** Counts modulo 2^16. */
export type u16 = number & { readonly __u16?: never };
/** Counts modulo 2^32. */
export type u32 = number & { readonly __u32?: never };
/** Signed, modulo 2^32. */
export type i32 = number & { readonly __i32?: never };
/** A double, as `number` is. */
export type f64 = number & { readonly __f64?: never };
/** A flag of one word. */
export type bool = boolean;

type Class = abstract new (...args: never[]) => object;
type ClassDecorator = (target: Class, context: ClassDecoratorContext) => void;
type Method = (this: never, ...args: never[]) => unknown;

/** What `@datatype({ … })` may say. */
export interface DatatypeOptions {
  /** Dropped as soon as no live subscription of the connection needs it. */
  readonly expensive?: boolean;
  /** Built-in types only: a flyweight over the connection (`view`), the packet (`pdu`), the delivery (`context`), a `session`. */
  readonly kind?: 'view' | 'session' | 'pdu' | 'context';
  /** Sessions only: the catalog name of their protocol. */
  readonly protocol?: string;
  /** First level at which the value is whole, where it is not the one that its `@on` methods tell. */
  readonly at?: Level;
}

/**
 * Marks a class as data that subscriptions can ask for. Its `@on` methods update it; a class whose fields are all numeric
 * (`u32`, `f64`, `new Uint32Array(2)`, …) is kept in typed-array columns, any other as one instance per connection.
 */
export function datatype(target: Class, context: ClassDecoratorContext): void;
export function datatype(options: DatatypeOptions): ClassDecorator;
export function datatype(target: Class | DatatypeOptions): ClassDecorator | undefined {
  // What a bare decorator returns would replace the class.
  return typeof target === 'function' ? undefined : nothing;
}

/**
 * Marks a class as a stateful handler: one instance per connection, told of it by its `@on` methods, each with data of its
 * own. A method is called from the moment the condition is known to hold; nothing is kept for it from before. The
 * constructor runs right before the first call, so that a connection for which the condition never holds costs nothing; it
 * may ask for what is known at the first packet. An `L4Pdu` in it is the first packet: a copy of it is kept where the
 * condition cannot be decided at once. A method that returns false silences the whole class, and so does an exception.
 */
export function callback(_target: Class, _context: ClassDecoratorContext): void {}

/**
 * Marks a numeric field, which must begin with 0, as one that few connections ever write. In columns it lies beside the
 * records: where it stays 0 it costs neither time nor memory; where it is written it costs a cache miss of its own.
 */
export function rare(_value: undefined, _context: ClassFieldDecoratorContext): void {}

/** Marks a method as called at these levels. */
export function on(..._levels: [Level, ...Level[]]): (method: Method, context: ClassMethodDecoratorContext) => void {
  return nothing;
}

/** What a filter says of a connection. `true` and `false` do as well. */
export type Verdict = boolean | typeof Continue;
/** The filter holds: it is not asked again. */
export const Accept = true;
/** The filter does not hold, and never will. */
export const Drop = false;
/** Not yet known: ask again at the next packet of its level. */
export const Continue = 'continue';

/** What `@filter({ … })` may say. */
export interface FilterOptions {
  /** Where its only method is asked, or the static method that is marked. */
  readonly at: Level | readonly Level[];
}
type FilterFunction = (...args: never[]) => Verdict;
interface FilterDecorator extends ClassDecorator {
  (method: FilterFunction, context: ClassMethodDecoratorContext & { readonly static: true }): void;
}

/**
 * Marks a class as a stateful filter: its `@on` methods return `Accept`, `Drop` or `Continue`, and are asked until one of
 * them decides, for as long as a subscription can still come to hold. The verdict is the connection's, and counts from
 * the packet it was given at. Undecided is neither: what a filter has not said by the end of the connection is no.
 */
export function filter(target: Class, context: ClassDecoratorContext): void;
/**
 * The same, for a class with one method: where it is asked. On a static method of any class: that method is a filter by
 * itself, as a function is that the other form of `filter` marks; conditions call it `Class.method`.
 */
export function filter(options: FilterOptions): FilterDecorator;
/**
 * Makes a function a filter that is asked at `level`. Its parameters say which data it wants. At `Packet` it is a test of
 * the packet at hand, at `L7EndHdrs` alone of each session; else it is asked until it decides, as a class is.
 */
export function filter<F extends FilterFunction>(level: Level | readonly Level[], fn: F): F;
export function filter(what: Class | FilterOptions | Level | readonly Level[], fn?: object): unknown {
  if (typeof what === 'function') return undefined;
  return typeof fn === 'function' ? fn : nothing;
}

function nothing(): void {}
