/**
 * Recognises the regular expressions that people write most (a host name, its subdomains, a few alternatives) so that
 * they run as plain string code. A pattern means exactly what it means to RE2; whatever is not surely simple is left alone.
 */

/** Literal values and where they must stand; `domain`: the whole text or, at its end, after a dot. */
export interface Shape {
  readonly kind: 'contains' | 'starts' | 'ends' | 'equals' | 'domain';
  readonly values: readonly string[];
}

/** More expansions of alternatives than this are the engine's work. */
const MOST_VALUES = 256;

/** The simple shape of an RE2 pattern, or undefined. */
export function simpleShape(pattern: string): Shape | undefined {
  let rest = pattern;
  let start: 'open' | 'anchored' | 'dotted' = 'open';
  const dotted = /^\((?:\?:)?\^\|(?:\\\.|\[\.\])\)/.exec(rest);
  if (dotted !== null) {
    start = 'dotted';
    rest = rest.slice(dotted[0].length);
  } else if (rest.startsWith('^')) {
    start = 'anchored';
    rest = rest.slice(1);
  } else if (rest.startsWith('.*')) {
    rest = rest.slice(2);
  }
  const anchoredEnd = rest.endsWith('$') && !rest.endsWith('\\$');
  if (anchoredEnd) rest = rest.slice(0, -1);

  const values = literals(rest, start !== 'open' || anchoredEnd);
  if (values === undefined) return undefined;
  if (start === 'dotted') return anchoredEnd ? { kind: 'domain', values } : undefined;
  if (start === 'anchored') return { kind: anchoredEnd ? 'equals' : 'starts', values };
  return { kind: anchoredEnd ? 'ends' : 'contains', values };
}

/**
 * All texts that a concatenation of literals and groups of alternatives stands for. `anchored`: an alternation outside a
 * group would bind weaker than the anchor beside it, so it is not simple.
 */
function literals(source: string, anchored: boolean): readonly string[] | undefined {
  let at = 0;
  const all = alternatives(0);
  return all === undefined || at < source.length || all.length > MOST_VALUES ? undefined : [...new Set(all)];

  function alternatives(depth: number): string[] | undefined {
    const found: string[] = [];
    let current: string[] = [''];
    for (; at < source.length; at++) {
      const ch = source[at];
      if (ch === ')' && depth > 0) break;
      if (ch === '|') {
        if (depth === 0 && anchored) return undefined;
        found.push(...current);
        current = [''];
        continue;
      }
      const next = ch === '(' ? group(depth) : literal(ch);
      if (next === undefined || current.length * next.length > MOST_VALUES || isQuantifier(source[at + 1]))
        return undefined;
      current = current.flatMap((head) => next.map((tail) => head + tail));
    }
    found.push(...current);
    return found;
  }

  /** Reads a group; leaves `at` on its closing parenthesis. */
  function group(depth: number): string[] | undefined {
    at++;
    if (source[at] === '?') {
      if (source[at + 1] !== ':') return undefined;
      at += 2;
    }
    const inside = alternatives(depth + 1);
    return source[at] === ')' ? inside : undefined;
  }

  /** Reads one literal character; leaves `at` on its last character. */
  function literal(ch: string): string[] | undefined {
    if (ch === '\\') {
      at++;
      const escaped = source[at];
      // Escaped punctuation stands for itself; escaped letters and digits are classes and codes.
      return escaped !== undefined && /[!-/:-@[-`{-~]/.test(escaped) ? [escaped] : undefined;
    }
    if (ch === '[') {
      const one = /^\[([^\\\]^[])\]/.exec(source.slice(at));
      if (one === null) return undefined;
      at += 2;
      return [one[1]];
    }
    return /[\^$.*+?{})\]|]/.test(ch) ? undefined : [ch];
  }
}

function isQuantifier(ch: string | undefined): boolean {
  return ch === '*' || ch === '+' || ch === '?' || ch === '{';
}
