/** Pieces of source text as they are shown again: on one line, without comments. */
import type { Span } from './ast.ts';

/** The text of a span with space and comments between tokens folded to one blank; strings stay as they are. */
export function oneLine(text: string, { start, end }: Span): string {
  const tokens = /"(?:\\.|[^"\\\r\n])*"|'(?:\\.|[^'\\\r\n])*'|(?:\s|#[^\r\n]*|\/\/[^\r\n]*)+|[^\s"'#]/g;
  const folded = text.slice(start, end).replace(tokens, (token) => (/^(?:\s|#|\/\/)/.test(token) ? ' ' : token));
  return folded.trim();
}
