/**
 * Regular expressions that a filter may use. They run on text that an attacker chose, so they are those of RE2, whose
 * time is linear in the text; what needs backtracking is refused here, in words.
 */
import { RE2JS } from 're2js';

/** One sentence about what is wrong with a pattern, or undefined when RE2 can run it. */
export function regexProblem(pattern: string): string | undefined {
  const backtracking = backtrackingPart(pattern);
  if (backtracking !== undefined) return backtracking;
  try {
    RE2JS.compile(pattern);
    return undefined;
  } catch (error) {
    const detail = error instanceof Error ? error.message.replace(/^error parsing regexp: /, '') : 'unknown';
    return `this is not a regular expression of RE2: ${detail}`;
  }
}

const LOOK_AROUND: Readonly<Record<string, string>> = {
  '(?=': 'look-ahead',
  '(?!': 'negative look-ahead',
  '(?<=': 'look-behind',
  '(?<!': 'negative look-behind',
  '(?>': 'an atomic group',
};

/** Walks the pattern outside character classes and escapes. */
function backtrackingPart(pattern: string): string | undefined {
  const why = 'would need backtracking, which hostile text can make arbitrarily slow; RE2 has none';
  let inClass = false;
  for (let i = 0; i < pattern.length; i++) {
    const char = pattern[i];
    if (char === '\\') {
      const next = pattern[i + 1] ?? '';
      if (next === 'Q') return undefined;
      if (!inClass && (/[1-9]/.test(next) || (next === 'k' && /[<{']/.test(pattern[i + 2] ?? '')))) {
        return `the back-reference \`\\${next}\` ${why}`;
      }
      i++;
    } else if (inClass) {
      if (char === ']') inClass = false;
    } else if (char === '[') {
      inClass = true;
      // A bracket right after the opening one stands for itself.
      if (pattern[i + 1] === '^') i++;
      if (pattern[i + 1] === ']') i++;
    } else if (char === '(') {
      const found = Object.keys(LOOK_AROUND).find((start) => pattern.startsWith(start, i));
      if (found !== undefined) return `\`${found}…)\` (${LOOK_AROUND[found]}) ${why}`;
    }
  }
  return undefined;
}
