/** Tables of many ranges of one number, looked up by `rangeMap` of the runtime. */
import type { FieldDef } from '../../runtime/protocols/field.ts';
import type { FieldPredicate } from '../language/typed.ts';
import type { Ranges } from '../plan/ranges.ts';
import { RUNTIME, type Scope } from './scope.ts';
import { wrapList } from './text.ts';

/** Numbers that a table of ranges holds: up to 32 bits, in a header. */
export const inTable = ({ field, test }: FieldPredicate): boolean =>
  test.kind === 'ranges' && ['u8', 'u16', 'u32', 'ipv4'].includes(field.type) && field.access.kind === 'header';

/** A table of the module that gives each range a number above 0; the name of its function. */
export function rangeTable(
  base: string,
  comment: string,
  lists: readonly Ranges[],
  type: FieldDef['type'],
  scope: Scope,
): string {
  const rows = lists.flatMap((ranges, i) =>
    ranges.map((r) => `${unsignedLiteral(r.low, type)}, ${unsignedLiteral(r.high, type)}, ${i + 1}`),
  );
  return scope.helper(`range table ${rows.join(' ')}`, base, comment, true, (name) =>
    wrapList(`const ${name} = ${scope.value(RUNTIME, 'rangeMap')}([`, rows, '])'),
  );
}

/** A number of a table: addresses in hexadecimal. */
export function unsignedLiteral(value: bigint, type: FieldDef['type']): string {
  return type === 'ipv4' ? `0x${value.toString(16).padStart(8, '0')}` : `${value}`;
}
