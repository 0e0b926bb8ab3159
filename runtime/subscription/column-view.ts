/**
 * Data types kept in columns, given back as their class: one flyweight per worker whose prototype chain includes the
 * class, so that its methods, getters and `toJSON` run on a connection's columns as they would on an instance.
 */
import { ConnMeta, Rec } from '../conntrack/layout.ts';
import type { Column, ColumnType, Follower, Records } from './column.ts';
import { columnWriterOf, writtenBy } from './json-writers.ts';

/** The one flyweight of a class of columns. */
export interface ColumnView<T extends object> {
  /** Points the flyweight at the record that starts at word `c`. Valid until it is pointed elsewhere. */
  at(c: number): T;
  /** A detached instance with the values it shows now. */
  copy(): T;
}

type ColumnClass<T extends object> = (new () => T) & { readonly prototype: T };

/**
 * Makes the flyweight of `type` over `columns`; call it once per worker. A typed-array field appears as a typed array of
 * its kind that is filled anew at each read. Unless the class has its own, the flyweight gets `copy()` and, with the
 * fields in order of declaration, `toJSON()`.
 */
export function columnView<T extends object>(
  { rec: near, recF: nearF, rare = new Int32Array(0) }: Records,
  type: ColumnClass<T>,
  columns: readonly Column[],
  followers: Readonly<Record<string, Follower>> = {},
): ColumnView<T> {
  let c = 0;
  const rareF = new Float64Array(rare.buffer, rare.byteOffset, rare.length >> 1);
  noteType(type, columns);
  const proto: T = Object.create(type.prototype);
  const names = columns.map((column) => column.name);

  for (const column of columns) {
    const { name, length } = column;
    const accessors = length === undefined ? scalar(column) : { get: array(column, length) };
    Object.defineProperty(proto, name, accessors);
  }
  for (const [name, follower] of Object.entries(followers)) {
    Object.defineProperty(proto, name, { get: () => follower.at(c) });
  }
  if (!('toJSON' in proto)) hide(proto, 'toJSON', () => plainFields(view, names));
  if (!('copy' in proto)) hide(proto, 'copy', copy);

  const view: T = Object.create(proto);
  writeByColumns();

  /** Lines get the columns straight, if what the class says as JSON can be written so. */
  function writeByColumns(): void {
    const { toJSON } = proto as { readonly toJSON: () => unknown };
    const writer = columnWriterOf(toJSON)?.({ records: { rec: near, recF: nearF, rare }, columns, followers });
    if (writer === undefined) return;
    const own = () => toJSON.call(view);
    hide(proto, 'toJSON', own);
    writtenBy(own, (_, out) => writer(c, out));
  }
  /** Where the record's rare columns are: with the zeros of the first row until one of them is written. */
  function rareRow(): number {
    return (near[c + Rec.META] & ConnMeta.RARE) !== 0 ? c : 0;
  }
  function rareRowToWrite(): number {
    near[c + Rec.META] |= ConnMeta.RARE;
    return c;
  }
  function row(): number {
    return c;
  }
  function scalar({ type, word, rare: aside = false }: Column): PropertyDescriptor {
    const [rec, recF] = aside ? [rare, rareF] : [near, nearF];
    const [from, to] = aside ? [rareRow, rareRowToWrite] : [row, row];
    function setDouble(value: number): void {
      recF[(to() + word) >> 1] = value;
    }
    if (type === 'f64') return { get: () => recF[(from() + word) >> 1], set: setDouble };
    const mask = type === 'u8' ? 0xff : type === 'u16' ? 0xffff : -1;
    function set(value: number | boolean): void {
      rec[to() + word] = Number(value) & mask;
    }
    if (type === 'bool') return { get: () => rec[from() + word] !== 0, set };
    return { get: type === 'u32' ? () => rec[from() + word] >>> 0 : () => rec[from() + word], set };
  }
  function array({ type, word, rare: aside = false }: Column, length: number): () => ColumnArray {
    const [rec, recF] = aside ? [rare, rareF] : [near, nearF];
    const from = aside ? rareRow : row;
    const values = arrayOf(type, length);
    const source = type === 'f64' ? recF : rec;
    const shift = type === 'f64' ? 1 : 0;
    return () => {
      const first = (from() + word) >> shift;
      for (let i = 0; i < length; i++) values[i] = source[first + i];
      return values;
    };
  }
  function at(record: number): T {
    c = record;
    return view;
  }
  function copy(): T {
    const kept = new type();
    for (const { name, length } of columns) {
      const value: unknown = Reflect.get(view, name);
      define(kept, name, length === undefined ? value : (value as ColumnArray).slice());
    }
    for (const name of Object.keys(followers)) {
      const follower = followers[name].at(c) as Follower;
      define(kept, name, follower.copy === undefined ? follower : follower.copy());
    }
    if (!('toJSON' in type.prototype)) hide(kept, 'toJSON', () => plainFields(kept, names));
    if (!('copy' in type.prototype)) hide(kept, 'copy', () => kept);
    return kept;
  }
  return { at, copy };
}

/** A class kept in columns. */
export interface ColumnClassInfo {
  readonly type: new () => object;
  /** Fields of its JSON, where it has no `toJSON` of its own. */
  readonly names: readonly string[];
}

const KEY = Symbol.for('iris-ts.column-classes');

/**
 * The calling thread's classes in columns, by name; null where two have the same. A module may be bundled or installed
 * beside the runtime that runs it: they belong to the thread, not to one copy of this file.
 */
export function columnClasses(): Map<string, ColumnClassInfo | null> {
  const home = globalThis as { [KEY]?: Map<string, ColumnClassInfo | null> };
  home[KEY] ??= new Map();
  return home[KEY];
}

function noteType(type: new () => object, columns: readonly Column[]): void {
  const known = columnClasses().get(type.name);
  const info = { type, names: columns.map(({ name }) => name) };
  columnClasses().set(type.name, known === undefined || known?.type === type ? info : null);
}

/** A detached instance of a class in columns, as `copy()` of its flyweight makes one, with these fields. */
export function detached({ type, names }: ColumnClassInfo, fields: Readonly<Record<string, unknown>>): object {
  const kept = new type();
  for (const [name, value] of Object.entries(fields)) define(kept, name, value);
  if (!('toJSON' in type.prototype)) hide(kept, 'toJSON', () => plainFields(kept, names));
  if (!('copy' in type.prototype)) hide(kept, 'copy', () => kept);
  return kept;
}

/**
 * Keeps a delivered value past the call it came with: a copy where it is a flyweight, else the value itself, which is the
 * receiver's own already.
 */
export function keep<T extends object>(value: T): T {
  const copy: unknown = Reflect.get(value, 'copy');
  return typeof copy === 'function' ? copy.call(value) : value;
}

type ColumnArray = Uint8Array | Uint16Array | Uint32Array | Int32Array | Float64Array;

function arrayOf(type: ColumnType, length: number): ColumnArray {
  switch (type) {
    case 'u8':
      return new Uint8Array(length);
    case 'u16':
      return new Uint16Array(length);
    case 'u32':
      return new Uint32Array(length);
    case 'f64':
      return new Float64Array(length);
    default:
      return new Int32Array(length);
  }
}

/** Fields as JSON shows them: typed arrays as plain arrays. */
function plainFields(from: object, names: readonly string[]): Record<string, unknown> {
  const out: Record<string, unknown> = {};
  for (const name of names) {
    const value: unknown = Reflect.get(from, name);
    out[name] = ArrayBuffer.isView(value) ? Array.from(value as ColumnArray) : value;
  }
  return out;
}

function define(target: object, name: string, value: unknown): void {
  Object.defineProperty(target, name, { value, writable: true, enumerable: true, configurable: true });
}
function hide(target: object, name: string, value: unknown): void {
  Object.defineProperty(target, name, { value, writable: true, configurable: true });
}
