/** Values as JSON: by the writer of their data type, or as JSON.stringify has them. */
import { writerOf } from '../subscription/json-writers.ts';
import type { LineBuffer } from '../subscription/line-buffer.ts';
import { literal } from '../subscription/prepared-text.ts';

const NULL = literal('null');

/**
 * Writes any value. What JSON has no word for (undefined, a function) is null, so that every line of a subscription has the
 * same keys.
 */
export function writeValue(out: LineBuffer, value: unknown): void {
  if (typeof value === 'object' && value !== null) {
    const write = writerOf(value);
    if (write === undefined) writeText(out, JSON.stringify(value));
    else write(value, out);
  } else if (typeof value === 'number') out.number(value);
  else if (typeof value === 'string') out.string(value);
  else if (typeof value === 'bigint') out.text(String(value));
  else writeText(out, JSON.stringify(value));
}

function writeText(out: LineBuffer, text: string | undefined): void {
  if (text === undefined) out.literal(NULL);
  else out.text(text);
}
