/** How sessions print themselves: the fields of the catalog that have a value, by their names there. */
import type { JsonWriter } from '../subscription/json-writers.ts';
import type { LineBuffer } from '../subscription/line-buffer.ts';
import { type Literal, literal } from '../subscription/prepared-text.ts';
import { hexOf } from './bytes.ts';
import type { FieldDef } from './field.ts';

/** Names of the numbers of a table. */
const namesByTable = new Map<Readonly<Record<string, number>>, Map<number, string>>();

function namesOf(table: Readonly<Record<string, number>>): ReadonlyMap<number, string> {
  let names = namesByTable.get(table);
  if (names === undefined) {
    names = new Map(Object.entries(table).map(([name, number]) => [number, name]));
    namesByTable.set(table, names);
  }
  return names;
}

/** The name a number has in a table, else `0x` and at least four hex digits. */
function nameOf(table: Readonly<Record<string, number>>, value: number): string {
  return namesOf(table).get(value) ?? unnamed(value);
}

function unnamed(value: number): string {
  return `0x${value.toString(16).padStart(4, '0')}`;
}

/** A field's value as it stands in JSON; undefined where there is none, or an empty list. */
function printed(field: FieldDef, value: unknown): unknown {
  const named = (n: number) => (field.names ? nameOf(field.names, n) : n);
  if (typeof value === 'number') return named(value);
  if (value instanceof Uint16Array) return value.length > 0 ? Array.from(value, named) : undefined;
  if (value instanceof Uint8Array) return hexOf(value);
  if (Array.isArray(value)) return value.length > 0 ? value : undefined;
  return value;
}

/** Numbers that have names are printed by name, bytes in hex, combined fields by their parts. */
export function sessionJson(session: object, fields: readonly FieldDef[]): Record<string, unknown> {
  const values = session as Readonly<Record<string, unknown>>;
  const record: Record<string, unknown> = {};
  for (const field of fields) {
    if (field.access.kind !== 'session') continue;
    const value = printed(field, values[field.access.property]);
    if (value !== undefined) record[field.name] = value;
  }
  return record;
}

const OPEN = literal('{');
const CLOSE = literal('}');
const OPEN_LIST = literal('[');
const CLOSE_LIST = literal(']');
const COMMA = literal(',');

/** Writes a field's value, which is not undefined and no empty list. */
type ValueWriter = (value: unknown, out: LineBuffer) => void;

/** A field as it is written: its key, without a comma and with one, and its value. */
interface WrittenField {
  readonly property: string;
  readonly first: Literal;
  readonly next: Literal;
  readonly write: ValueWriter;
}

/** Writes sessions with `fields` straight to lines: what JSON.stringify makes of their {@link sessionJson}. */
export function sessionWriter(fields: readonly FieldDef[]): JsonWriter<object> {
  const written: readonly WrittenField[] = fields.flatMap((field) => {
    if (field.access.kind !== 'session') return [];
    const key = `${JSON.stringify(field.name)}:`;
    return {
      property: field.access.property,
      first: literal(key),
      next: literal(`,${key}`),
      write: valueWriter(field),
    };
  });
  return (session, out) => {
    const values = session as Readonly<Record<string, unknown>>;
    let any = false;
    out.literal(OPEN);
    for (const { property, first, next, write } of written) {
      const value = values[property];
      if (value === undefined || isEmptyList(value)) continue;
      out.literal(any ? next : first);
      write(value, out);
      any = true;
    }
    out.literal(CLOSE);
  };
}

function isEmptyList(value: unknown): boolean {
  return (value instanceof Uint16Array || Array.isArray(value)) && value.length === 0;
}

function valueWriter(field: FieldDef): ValueWriter {
  const writeNumber = numberWriter(field);
  return (value, out) => {
    if (typeof value === 'string') out.string(value);
    else if (typeof value === 'number') writeNumber(value, out);
    else if (value instanceof Uint16Array) writeList(value, writeNumber, out);
    else if (value instanceof Uint8Array) out.hex(value);
    else if (Array.isArray(value)) writeList(value, writeElement, out);
    else out.text(JSON.stringify(value));
  };
}

/**
 * Numbers as they are, or by name. Names are made ready the first time they are written, and only those of the table: of
 * other numbers there may be very many.
 */
function numberWriter({ names }: FieldDef): (value: number, out: LineBuffer) => void {
  if (names === undefined) return (value, out) => out.number(value);
  const ready = new Map<number, Literal>();
  return (value, out) => {
    const literalName = ready.get(value);
    if (literalName !== undefined) {
      out.literal(literalName);
      return;
    }
    const name = namesOf(names).get(value);
    if (name !== undefined) ready.set(value, literal(JSON.stringify(name)));
    out.string(name ?? unnamed(value));
  };
}

function writeList<T>(list: ArrayLike<T>, write: (element: T, out: LineBuffer) => void, out: LineBuffer): void {
  out.literal(OPEN_LIST);
  for (let i = 0; i < list.length; i++) {
    if (i > 0) out.literal(COMMA);
    write(list[i], out);
  }
  out.literal(CLOSE_LIST);
}

function writeElement(element: unknown, out: LineBuffer): void {
  if (typeof element === 'string') out.string(element);
  else out.text(JSON.stringify(element) ?? 'null');
}
