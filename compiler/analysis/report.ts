/** Collects what is wrong with the files that the analysis reads. */
import type { SourceFile, Span } from '../language/ast.ts';
import type { Diagnostic } from '../language/diagnostic.ts';

/** A place in a file. */
export interface Place {
  readonly file: SourceFile;
  readonly span: Span;
}

export interface Report {
  readonly diagnostics: readonly Diagnostic[];
  /** Adds an error; the same error at the same place is kept once. */
  error(code: string, place: Place, message: string, suggestion?: string, notes?: Diagnostic['notes']): void;
}

export function createReport(): Report {
  const diagnostics: Diagnostic[] = [];
  const seen = new Set<string>();
  return {
    diagnostics,
    error(code, { file, span }, message, suggestion, notes) {
      const key = [file.path, span.start, span.end, code, message].join('\0');
      if (seen.has(key)) return;
      seen.add(key);
      diagnostics.push({
        severity: 'error',
        code,
        message,
        file,
        span,
        ...(suggestion === undefined ? {} : { suggestion }),
        ...(notes === undefined ? {} : { notes }),
      });
    },
  };
}
