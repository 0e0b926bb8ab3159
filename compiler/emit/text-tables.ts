/** Tables of many texts of one field, looked up in a map. */
import type { FieldPredicate } from '../language/typed.ts';
import { type Locals, readValue } from './tests.ts';
import { camelCase, constantCase, stringLiteral, wrapList } from './text.ts';

/** The number, from 1, of the first of many lists of texts that a field's value is in; undefined if it is in none. */
export function textNumber(
  { protocol, field }: FieldPredicate,
  lists: readonly (readonly string[])[],
  locals: Locals,
): string | undefined {
  if (field.type !== 'text' || field.access.kind !== 'session') return undefined;
  const numbers = new Map<string, number>();
  for (const [i, values] of lists.entries()) {
    for (const value of values) if (!numbers.has(value)) numbers.set(value, i + 1);
  }
  const { scope } = locals;
  const rows = [...numbers].map(([text, number]) => `[${stringLiteral(text)}, ${number}]`);
  const base = constantCase(camelCase(protocol.name, field.name, 'numbers'));
  const comment = `Numbers of ${lists.length} alternatives, by the value of ${protocol.name}.${field.name}.`;
  const name = scope.helper(`text numbers ${rows.join(' ')}`, base, comment, false, (own) =>
    wrapList(`const ${own} = new Map<string | undefined, number>([`, rows, '])'),
  );
  return `${name}.get(${readValue(protocol, field, locals)})`;
}
