/** Collects what a pass finds wrong. The same message at the same place is kept once. */
import type { SourceFile, Span } from './ast.ts';
import type { Diagnostic } from './diagnostic.ts';

/** What may go with a message: a suggestion, notes, another file than the one being checked. */
export interface Details {
  readonly file?: SourceFile;
  readonly suggestion?: string | undefined;
  readonly notes?: Diagnostic['notes'];
}

export interface Report {
  readonly diagnostics: readonly Diagnostic[];
  error(code: string, span: Span, message: string, details?: Details): void;
  warning(code: string, span: Span, message: string, details?: Details): void;
  /** Takes over what another pass found. */
  add(diagnostic: Diagnostic): void;
}

export function createReport(file: SourceFile): Report {
  const diagnostics: Diagnostic[] = [];
  const seen = new Set<string>();

  function add(diagnostic: Diagnostic): void {
    const { code, message, span } = diagnostic;
    const key = [diagnostic.file.path, span.start, span.end, code, message].join('\n');
    if (seen.has(key)) return;
    seen.add(key);
    diagnostics.push(diagnostic);
  }

  function put(
    severity: Diagnostic['severity'],
    code: string,
    span: Span,
    message: string,
    details: Details = {},
  ): void {
    const { suggestion, notes } = details;
    const extra = { ...(suggestion !== undefined && { suggestion }), ...(notes !== undefined && { notes }) };
    add({ severity, code, message, file: details.file ?? file, span, ...extra });
  }

  return {
    diagnostics,
    add,
    error: (code, span, message, details) => put('error', code, span, message, details),
    warning: (code, span, message, details) => put('warning', code, span, message, details),
  };
}

/** `a`, `b` and `c`: names in a sentence, each between backquotes. */
export function listNames(names: readonly string[], last: 'and' | 'or'): string {
  const quoted = names.map((name) => `\`${name}\``);
  if (quoted.length < 2) return quoted.join('');
  return `${quoted.slice(0, -1).join(', ')} ${last} ${quoted[quoted.length - 1]}`;
}

/** By place: the filter file's own first, then those of other files. */
export function inOrder(diagnostics: readonly Diagnostic[], file: SourceFile): readonly Diagnostic[] {
  const rank = (one: Diagnostic) => (one.file === file ? 0 : 1);
  return [...diagnostics].sort((a, b) => rank(a) - rank(b) || a.span.start - b.span.start);
}
