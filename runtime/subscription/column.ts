/** Where the fields of a data type lie that is kept in columns. */

export type ColumnType = 'u8' | 'u16' | 'u32' | 'i32' | 'f64' | 'bool';

/** One field of the class: `length` values from word `word` of the record on (f64: two words each, from an even word). */
export interface Column {
  readonly name: string;
  readonly type: ColumnType;
  readonly word: number;
  /** Elements of a typed-array field; absent for a plain number or boolean. */
  readonly length?: number;
  /** The word is one of `rare` instead. */
  readonly rare?: boolean;
}

/** A flyweight that follows a connection, such as FiveTuple: the class holds it as a field without an initial value. */
export interface Follower {
  at(c: number): object;
  copy?(): object;
}

/** The records that the columns lie in. */
export interface Records {
  readonly rec: Int32Array;
  readonly recF: Float64Array;
  /** Beside the records, as long as they, for fields marked `@rare`. Its first row is no record's and stays 0. */
  readonly rare?: Int32Array;
}

/** The first word of a field. Throws TypeError when there is no such column. */
export function wordOf(columns: readonly Column[], name: string): number {
  const found = columns.find((column) => column.name === name);
  if (found === undefined) throw new TypeError(`no column ${name}`);
  return found.word;
}
