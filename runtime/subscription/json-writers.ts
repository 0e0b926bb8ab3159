/**
 * How a data type is written to a line without the objects that its `toJSON` makes, which cost ten times as much. A writer
 * belongs to one `toJSON` and writes what JSON.stringify makes of it; a class that brings its own `toJSON` has none.
 */

import type { Column, Follower, Records } from './column.ts';
import type { LineBuffer } from './line-buffer.ts';

/** Writes a value. */
export type JsonWriter<T> = (value: T, out: LineBuffer) => void;

/** Writes the record that starts at word `c`. */
export type RecordWriter = (c: number, out: LineBuffer) => void;

/** Where the fields of a class lie; called once per worker, so that its writer is code for just these columns. */
export interface ColumnPlaces {
  readonly records: Required<Records>;
  readonly columns: readonly Column[];
  readonly followers: Readonly<Record<string, Follower>>;
}
export type ColumnWriter = (places: ColumnPlaces) => RecordWriter;

type ToJson = (this: never) => unknown;

// Kept at the functions themselves: a module may be bundled or installed beside the runtime that runs it.
const WRITER = Symbol.for('iris-ts.json-writer');
const COLUMN_WRITER = Symbol.for('iris-ts.json-column-writer');

interface Written {
  [WRITER]?: JsonWriter<never>;
  [COLUMN_WRITER]?: ColumnWriter;
}

/** What `toJSON` gives is written by `write`. */
export function writtenBy<T>(toJSON: (this: T) => unknown, write: JsonWriter<T>): void {
  (toJSON as Written)[WRITER] = write;
}

/** The same of the flyweight of a class kept in columns. */
export function columnsWrittenBy(toJSON: ToJson, writer: ColumnWriter): void {
  (toJSON as Written)[COLUMN_WRITER] = writer;
}

/** The writer of `value`; undefined where it has none, or is no object. */
export function writerOf(value: object): JsonWriter<object> | undefined {
  const toJSON = (value as { readonly toJSON?: Written }).toJSON;
  return toJSON?.[WRITER] as JsonWriter<object> | undefined;
}

/** What writes the columns of a class with that `toJSON`; undefined where it is not known. */
export function columnWriterOf(toJSON: unknown): ColumnWriter | undefined {
  return (toJSON as Written | undefined)?.[COLUMN_WRITER];
}
