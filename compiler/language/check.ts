/**
 * Syntax tree to typed program: the page that tells the order of the checks. All errors of a file are reported; a program
 * comes out only when there are none.
 */
import type { FilterFile, SourceFile } from './ast.ts';
import { collectDataTypes } from './data-types.ts';
import type { Diagnostic } from './diagnostic.ts';
import type { CheckEnvironment } from './environment.ts';
import { createExpressions } from './expressions.ts';
import { createReport, inOrder } from './report.ts';
import { createScope } from './scope.ts';
import { createSets } from './sets.ts';
import { createSubscriptions } from './subscriptions.ts';
import type { TypedProgram } from './typed.ts';

export interface Checked {
  /** Undefined when any diagnostic is an error. */
  readonly program: TypedProgram | undefined;
  readonly diagnostics: readonly Diagnostic[];
}

/** Checks the statements that could be parsed; errors of the parser are the caller's to add. */
export function check(ast: FilterFile, file: SourceFile, env: CheckEnvironment): Checked {
  const report = createReport(file);
  const scope = createScope(ast, file, env, report);
  const sets = createSets(scope.sets, env, report);
  const expressions = createExpressions(file, scope, sets, report);
  for (const statement of ast.statements) if (statement.kind === 'let') expressions.letValue(statement);
  const subscriptions = createSubscriptions(file, scope, expressions, env, report).check(ast);
  // What looks unused next to an error may be what the error is about.
  if (!report.diagnostics.some(isError)) scope.reportUnused();

  const diagnostics = inOrder(report.diagnostics, file);
  if (diagnostics.some(isError)) return { program: undefined, diagnostics };
  const dataTypes = collectDataTypes(subscriptions, env);
  const program: TypedProgram = { file, subscriptions, uses: scope.uses, dataTypes };
  return { program, diagnostics };
}

function isError({ severity }: Diagnostic): boolean {
  return severity === 'error';
}
