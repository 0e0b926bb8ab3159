import type { Verdict } from './decorators.ts';

/** What a filter said, for generated code: 1 it accepts, 0 it drops, -1 it does not know yet. */
export function verdict(said: Verdict | undefined): number {
  return said === true ? 1 : said === false ? 0 : -1;
}
