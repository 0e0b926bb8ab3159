/** How sessions print themselves: the fields of the catalog that have a value, by their names there. */
import { hexOf } from './bytes.ts';
import type { FieldDef } from './field.ts';

/** Names of the numbers of a table. */
const namesByTable = new Map<Readonly<Record<string, number>>, Map<number, string>>();

/** The name a number has in a table, else `0x` and at least four hex digits. */
function nameOf(table: Readonly<Record<string, number>>, value: number): string {
  let names = namesByTable.get(table);
  if (names === undefined) {
    names = new Map(Object.entries(table).map(([name, number]) => [number, name]));
    namesByTable.set(table, names);
  }
  return names.get(value) ?? `0x${value.toString(16).padStart(4, '0')}`;
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
