/**
 * Filter text to syntax tree. The grammar is grammar/filter.peggy; this file goes on after a syntax error, so that every
 * broken statement of a file is reported, and turns what the grammar expected into one sentence.
 */
import type { FilterFile, SourceFile, Span, Statement, Value } from './ast.ts';
import type { Diagnostic } from './diagnostic.ts';
import { parse as parseGrammar } from './generated/filter-parser.js';

export interface ParsedFile {
  /** The statements that could be read. */
  readonly ast: FilterFile;
  readonly diagnostics: readonly Diagnostic[];
}

/** Conditions nested deeper than this are refused: later passes walk them recursively. */
const MAX_DEPTH = 200;

/** A statement's keyword at the start of a line; a syntax error ends there at the latest. */
const STATEMENT_START = /^[ \t]*(?=(?:use|set|let|subscribe)\b)/gm;

/** Reads a whole filter file. Never throws: whatever the text, what is wrong with it is in the diagnostics. */
export function parseFilterFile(file: SourceFile): ParsedFile {
  const whole = parseStretch(file, 0, file.text.length);
  if (whole.problem === undefined) {
    return { ast: { kind: 'file', statements: whole.statements, broken: [] }, diagnostics: [] };
  }
  const statements: Statement[] = [];
  const broken: string[] = [];
  const diagnostics: Diagnostic[] = [];
  const starts = [0, ...Array.from(file.text.matchAll(STATEMENT_START), (match) => match.index)];
  for (const [i, start] of starts.entries()) {
    const end = starts[i + 1] ?? file.text.length;
    const stretch = parseStretch(file, start, end);
    if (stretch.problem === undefined) {
      statements.push(...stretch.statements);
      continue;
    }
    diagnostics.push(stretch.problem);
    broken.push(...declaredNames(file.text.slice(start, end)));
  }
  // A stretch can be whole where the file is not: then the file's own error is the one to tell.
  return {
    ast: { kind: 'file', statements, broken },
    diagnostics: diagnostics.length > 0 ? diagnostics : [whole.problem],
  };
}

/** Reads one value, as on a line of a `lines("file")` file; `undefined` when the text is none. */
export function parseValue(text: string): Value | undefined {
  try {
    return parseGrammar(text, { startRule: 'Value' }) as Value;
  } catch {
    return undefined;
  }
}

interface Stretch {
  readonly statements: readonly Statement[];
  readonly problem: Diagnostic | undefined;
}

function parseStretch(file: SourceFile, start: number, end: number): Stretch {
  const text = file.text.slice(start, end);
  try {
    const { statements } = parseGrammar(text, { startRule: 'File', base: start }) as { statements: Statement[] };
    const deep = statements.find((statement) => isTooDeep(statement));
    return { statements, problem: deep === undefined ? undefined : tooDeep(file, deep.span) };
  } catch (error) {
    if (error instanceof RangeError) return { statements: [], problem: tooDeep(file, firstWord(text, start)) };
    if (!isSyntaxError(error)) throw error;
    return { statements: [], problem: syntaxProblem(file, error, start, end) };
  }
}

function tooDeep(file: SourceFile, span: Span): Diagnostic {
  return {
    severity: 'error',
    code: 'syntax',
    message: `this is nested more than ${MAX_DEPTH} levels deep; name parts of it with \`let\``,
    file,
    span,
  };
}

function isTooDeep(statement: Statement): boolean {
  const root = statement.kind === 'let' ? statement.value : statement.kind === 'subscribe' ? statement.when : undefined;
  const open = root === undefined ? [] : [{ expr: root, depth: 1 }];
  for (let item = open.pop(); item !== undefined; item = open.pop()) {
    const { expr, depth } = item;
    if (depth > MAX_DEPTH) return true;
    if (expr.kind === 'not') open.push({ expr: expr.expr, depth: depth + 1 });
    else if (expr.kind === 'and' || expr.kind === 'or') {
      for (const term of expr.terms) open.push({ expr: term, depth: depth + 1 });
    }
  }
  return false;
}

function firstWord(text: string, base: number): Span {
  const start = base + (/\S/.exec(text)?.index ?? 0);
  return { start, end: start + 1 };
}

/** What the generated parser throws; `expected` is null when the grammar itself worded the message. */
interface GrammarError {
  readonly message: string;
  readonly expected: readonly { readonly type: string; readonly description?: string }[] | null;
  readonly location: { readonly start: { readonly offset: number }; readonly end: { readonly offset: number } };
}

function isSyntaxError(error: unknown): error is GrammarError {
  return error instanceof Error && 'location' in error && 'expected' in error;
}

function syntaxProblem(file: SourceFile, error: GrammarError, base: number, limit: number): Diagnostic {
  const start = base + error.location.start.offset;
  if (error.expected === null) {
    const end = Math.max(base + error.location.end.offset, Math.min(start + 1, limit));
    return { severity: 'error', code: 'syntax', message: error.message, file, span: { start, end } };
  }
  const found = tokenAt(file.text, start, limit);
  const labels = new Set(error.expected.map((one) => (one.type === 'end' ? 'the end' : (one.description ?? one.type))));
  // At the end of a stretch the caret stands right behind the last token, not after the blank lines that follow it.
  const at = found === '' ? lastTokenEnd(file.text, base, start) : start;
  const message = `expected ${expectation(labels)}${context(file.text, base, at)}${found === '' ? '' : `, found \`${found}\``}`;
  const span = { start: at, end: at + Math.max(found.length, 1) };
  const suggestion = found === 'at' ? 'levels stand before the condition: `at LEVEL when ...`' : undefined;
  return { severity: 'error', code: 'syntax', message, file, span, ...(suggestion && { suggestion }) };
}

/** What to say first when several things could have come; the parts that merely may follow are left out. */
const PREFERENCE = [
  'a value',
  'a condition',
  'a file name in quotes',
  'a field name',
  'a level',
  'a type name',
  'a parameter name',
];
const JOINED = [
  '`)`',
  '`}`',
  '`,`',
  '`(`',
  '`:`',
  '`=`',
  '`from`',
  'a name',
  'an operator',
  '`and`',
  '`or`',
  '`at`',
  '`when`',
];

function expectation(labels: ReadonlySet<string>): string {
  if (labels.has('`lines("file")`')) return 'a set such as `{1, 2}` or `lines("file")`';
  const first = PREFERENCE.find((label) => labels.has(label));
  if (first !== undefined) return first;
  const shown = JOINED.filter((label) => labels.has(label));
  if (shown.length === 0) return 'a statement (`use`, `set`, `let` or `subscribe`)';
  return shown.length === 1 ? `${shown[0]}` : `${shown.slice(0, -1).join(', ')} or ${shown[shown.length - 1]}`;
}

/** ` after \`…\``: the token before the fault, so that the sentence can be read without the source line. */
function context(text: string, base: number, at: number): string {
  const end = lastTokenEnd(text, base, at);
  const before = /(?:[\w.]+|"[^"\n]*"|'[^'\n]*'|[!<>=&|~]+|\S)$/.exec(text.slice(Math.max(base, end - 60), end))?.[0];
  return before === undefined ? '' : ` after \`${before}\``;
}

/** End of the last token before `at`, skipping space and comments. */
function lastTokenEnd(text: string, base: number, at: number): number {
  let end = base;
  const tokens = /(?:#|\/\/)[^\r\n]*|"(?:\\.|[^"\\\r\n])*"|'(?:\\.|[^'\\\r\n])*'|[^\s#"'/]+|["'/]/gy;
  tokens.lastIndex = base;
  while (tokens.lastIndex < at) {
    const from = tokens.lastIndex;
    const match = tokens.exec(text);
    if (match === null) {
      tokens.lastIndex = from + 1;
      continue;
    }
    if (!match[0].startsWith('#') && !match[0].startsWith('//')) end = Math.min(tokens.lastIndex, at);
  }
  return end;
}

/** The word or sign at an offset; empty at the end. */
function tokenAt(text: string, start: number, limit: number): string {
  return /^(?:[\w.]+|[!<>=&|~]+|\S)?/u.exec(text.slice(start, Math.min(limit, start + 40)))?.[0] ?? '';
}

/** Names that the text of a broken statement seems to declare. */
function declaredNames(text: string): string[] {
  const single = /^\s*(?:set|let)\s+([a-zA-Z_]\w*)/.exec(text)?.[1];
  if (single !== undefined) return [single];
  const names = /^\s*use\s*\{?([^}"']*)/.exec(text)?.[1];
  return names?.match(/[a-zA-Z_]\w*/g) ?? [];
}
