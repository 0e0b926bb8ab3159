/** A delivered line: one JSON object, subscription and time first, then one key per parameter in order. */

import type { LineBuffer } from '../subscription/line-buffer.ts';
import { type Literal, literal } from '../subscription/prepared-text.ts';
import { writeValue } from './json-value.ts';

const END = literal('}\n');

/** Writes the lines of one worker to `out`. Keeps the fixed parts of every subscription's line. */
export function createLineWriter(
  out: LineBuffer,
): (subscription: string, sec: number, nsec: number, values: Readonly<Record<string, unknown>>) => void {
  const heads = new Map<string, Literal>();
  const keys = new Map<string, Literal>();

  function headOf(subscription: string): Literal {
    const head = literal(`{"subscription":${JSON.stringify(subscription)},"ts":`);
    heads.set(subscription, head);
    return head;
  }
  function keyOf(name: string): Literal {
    const key = literal(`,${JSON.stringify(name)}:`);
    keys.set(name, key);
    return key;
  }

  return (subscription, sec, nsec, values) => {
    // What an exception left of the line before is forgotten.
    out.restart();
    out.literal(heads.get(subscription) ?? headOf(subscription));
    out.time(sec, nsec);
    for (const name in values) {
      out.literal(keys.get(name) ?? keyOf(name));
      writeValue(out, values[name]);
    }
    out.literal(END);
  };
}
