/**
 * The one place that prints what is wrong with a user's file:
 *
 *     video.iris:3:8: error: tls has no field `sin` [unknown-field]
 *       3 |   when tls.sin contains 'video'
 *         |            ^^^
 *         = did you mean `tls.sni`?
 */
import type { SourceFile, Span } from '../language/ast.ts';
import type { Diagnostic } from '../language/diagnostic.ts';

export interface PrintOptions {
  /** Colours for a terminal; see {@link wantsColor}. */
  readonly color: boolean;
}

/** What of a process decides about colours; `process` itself, and `process.stderr` for the stream. */
export function wantsColor(
  stream: { readonly isTTY?: boolean },
  env: Readonly<Record<string, string | undefined>>,
): boolean {
  return stream.isTTY === true && !env.NO_COLOR && env.TERM !== 'dumb';
}

/** All diagnostics, one after the other, each with its source line, and how many there were. Ends with a line feed. */
export function formatDiagnostics(diagnostics: readonly Diagnostic[], options: PrintOptions): string {
  if (diagnostics.length === 0) return '';
  const shown = diagnostics.map((diagnostic) => formatDiagnostic(diagnostic, options)).join('\n\n');
  return `${shown}\n\n${summary(diagnostics)}\n`;
}

/** One diagnostic, without a line feed at its end. */
export function formatDiagnostic(diagnostic: Diagnostic, options: PrintOptions): string {
  const { severity, code, message, suggestion, notes } = diagnostic;
  const paint = painter(options.color);
  const accent = severity === 'error' ? paint.red : paint.yellow;
  const place = placeOf(diagnostic.file, diagnostic.span);
  const width = String(place.line).length;
  const gutter = ' '.repeat(width + 2);
  const lines = [
    `${paint.bold(`${diagnostic.file.path}:${place.line}:${place.column}:`)} ${accent(`${severity}:`)} ${message} ${paint.dim(`[${code}]`)}`,
    ...sourceLines(place, width, accent, paint),
  ];
  if (suggestion !== undefined) lines.push(`${gutter}${paint.dim('=')} ${paint.cyan(suggestion)}`);
  for (const note of notes ?? []) {
    const at = placeOf(note.file, note.span);
    lines.push(`${gutter}${paint.dim('=')} ${note.file.path}:${at.line}:${at.column}: ${note.message}`);
    lines.push(...sourceLines(at, Math.max(width, String(at.line).length), paint.cyan, paint));
  }
  return lines.join('\n');
}

/** `2 errors, 1 warning`. */
function summary(diagnostics: readonly Diagnostic[]): string {
  const errors = diagnostics.filter(({ severity }) => severity === 'error').length;
  const count = (n: number, what: string) => (n === 0 ? [] : [`${n} ${what}${n === 1 ? '' : 's'}`]);
  return [...count(errors, 'error'), ...count(diagnostics.length - errors, 'warning')].join(', ');
}

/** Where a span is, for people: lines and columns count from 1, columns in characters. */
export interface Place {
  readonly line: number;
  readonly column: number;
  /** The whole source line, without its end. */
  readonly text: string;
  /** The part of the line before the span, and the part that the span covers. */
  readonly before: string;
  readonly marked: string;
}

/** Finds a span's first line; a span beyond the text is put at its end. */
export function placeOf(file: SourceFile, span: Span): Place {
  const { text } = file;
  const start = Math.min(Math.max(span.start, 0), text.length);
  const lineStart = start === 0 ? 0 : text.lastIndexOf('\n', start - 1) + 1;
  const newline = text.indexOf('\n', lineStart);
  const rawEnd = newline < 0 ? text.length : newline;
  const lineEnd = rawEnd > lineStart && text[rawEnd - 1] === '\r' ? rawEnd - 1 : rawEnd;
  const before = text.slice(lineStart, start);
  return {
    line: text.slice(0, lineStart).split('\n').length,
    column: [...before].length + 1,
    text: text.slice(lineStart, lineEnd),
    before,
    marked: text.slice(start, Math.max(start, Math.min(span.end, lineEnd))),
  };
}

/** Longest line that is shown whole; of longer ones a window around the span. */
const MAX_WIDTH = 160;

function sourceLines(place: Place, width: number, accent: Paint, paint: Painter): string[] {
  let { text, before, marked } = place;
  if (text.length > MAX_WIDTH) {
    const from = Math.max(0, before.length - MAX_WIDTH / 4);
    text = `${from > 0 ? '…' : ''}${text.slice(from, from + MAX_WIDTH)}${from + MAX_WIDTH < text.length ? '…' : ''}`;
    before = `${from > 0 ? '…' : ''}${before.slice(from)}`;
    marked = marked.slice(0, MAX_WIDTH - (before.length - 1));
  }
  const number = String(place.line).padStart(width);
  const blank = ' '.repeat(width);
  const indent = ' '.repeat(displayWidth(expandTabs(before)));
  const length = displayWidth(expandTabs(before + marked)) - indent.length;
  return [
    `${paint.dim(` ${number} |`)} ${printable(expandTabs(text))}`,
    `${paint.dim(` ${blank} |`)} ${indent}${accent('^'.repeat(Math.max(1, length)))}`,
  ];
}

const TAB_STOP = 8;

/** Tabs as blanks up to the next stop, so that the caret stands where the eye expects it. */
function expandTabs(line: string): string {
  if (!line.includes('\t')) return line;
  let out = '';
  let column = 0;
  for (const char of line) {
    const piece = char === '\t' ? ' '.repeat(TAB_STOP - (column % TAB_STOP)) : char;
    out += piece;
    column += displayWidth(piece);
  }
  return out;
}

/** Control characters would move the cursor or change colours: shown as a replacement character. */
function printable(line: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters to hide
  return line.replace(/[\u0000-\u001f\u007f-\u009f]/g, '\ufffd');
}

/** Columns that a text takes on a terminal: two for wide East Asian characters and emoji, none for combining marks. */
export function displayWidth(text: string): number {
  let width = 0;
  for (const char of text) width += /\p{Mark}|\u200b|\u200d|\ufeff/u.test(char) ? 0 : isWide(char) ? 2 : 1;
  return width;
}

/** Wide and full-width ranges of Unicode Standard Annex 11, as coarse blocks. */
function isWide(char: string): boolean {
  if (char < '\u1100') return false;
  return /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|[\u{1f300}-\u{1f64f}\u{1f900}-\u{1f9ff}\u{20000}-\u{3fffd}]/u.test(
    char,
  );
}

type Paint = (text: string) => string;
type Painter = Readonly<Record<'bold' | 'dim' | 'red' | 'yellow' | 'cyan', Paint>>;

function painter(color: boolean): Painter {
  const style = (open: number, close: number): Paint =>
    color ? (text) => `\u001b[${open}m${text}\u001b[${close}m` : (text) => text;
  return { bold: style(1, 22), dim: style(2, 22), red: style(31, 39), yellow: style(33, 39), cyan: style(36, 39) };
}
