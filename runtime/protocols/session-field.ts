/** Short hand for catalog entries of session fields. */
import type { FieldDef, FieldType } from './field.ts';

/** A field read from the session property of the same name in camelCase: `query_type` from `queryType`. */
export function sessionField(
  name: string,
  type: FieldType,
  doc: string,
  source: string,
  more: Pick<FieldDef, 'aliases' | 'names' | 'max'> = {},
): FieldDef {
  const property = name.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase());
  return { name, type, scope: 'session', access: { kind: 'session', property }, doc, source, ...more };
}
