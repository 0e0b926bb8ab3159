/** The parsers of all application protocols. A new protocol is a folder beside this file and a line in this list. */
import type { ParserFactory } from './contract.ts';
import { TLS_PARSER } from './tls/parser.ts';

export const PARSERS: readonly ParserFactory[] = [TLS_PARSER];

/** The parsers of the protocols with these catalog names, in their order. Throws a RangeError for a name without one. */
export function parsersFor(names: readonly string[]): ParserFactory[] {
  return names.map((name) => {
    const factory = PARSERS.find((each) => each.name === name);
    if (factory === undefined) throw new RangeError(`no parser for the protocol '${name}'`);
    return factory;
  });
}
