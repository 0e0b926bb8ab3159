/** Words that cannot name a variable in a strict ECMAScript module; names of subscriptions and parameters become variables. */

const RESERVED: ReadonlySet<string> = new Set(
  (
    'await break case catch class const continue debugger default delete do else enum export extends false finally for function if ' +
    'implements import in instanceof interface let new null package private protected public return static super switch this throw ' +
    'true try typeof var void while with yield arguments eval undefined NaN Infinity'
  ).split(' '),
);

export function isReservedWord(name: string): boolean {
  return RESERVED.has(name);
}
