/** What is wrong with a user's file, as data. compiler/cli/print-diagnostics.ts is the one place that prints it. */
import type { SourceFile, Span } from './ast.ts';

export interface Diagnostic {
  readonly severity: 'error' | 'warning';
  /** Stable, for tests and documentation: `unknown-field`, `unsatisfiable`, … */
  readonly code: string;
  /** One sentence, without file or line. */
  readonly message: string;
  readonly file: SourceFile;
  readonly span: Span;
  /** `did you mean \`tls.sni\`?` and the like. */
  readonly suggestion?: string;
  /** Other places that explain the message. */
  readonly notes?: readonly { readonly message: string; readonly file: SourceFile; readonly span: Span }[];
}
