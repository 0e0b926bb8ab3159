/** The one place that prints what ended a command, and decides its exit code. */
import { ExitCode, IrisError } from '../errors.ts';

/** What to print of an error, its newline included. `debug` adds the stack of a fault of ours. */
export function errorMessage(error: unknown, debug = process.env.IRIS_DEBUG !== undefined): string {
  if (error instanceof IrisError) {
    const hint = error.hint === undefined ? '' : `  ${error.hint}\n`;
    return `error: ${error.message}\n${hint}`;
  }
  const message = error instanceof Error ? error.message : String(error);
  if (debug) return `internal error: ${error instanceof Error ? (error.stack ?? message) : message}\n`;
  return `internal error: ${message}\n  this is a fault of Iris; IRIS_DEBUG=1 shows where it happened\n`;
}

/** The same for machines. */
export function errorJson(error: unknown): string {
  const hint = error instanceof IrisError ? error.hint : undefined;
  const text = error instanceof Error ? error.message : String(error);
  return jsonLine({ kind: 'error', text, ...(hint === undefined ? {} : { hint }), exit_code: exitCodeOf(error) });
}

/** An object as a line of JSON. */
export function jsonLine(record: Readonly<Record<string, unknown>>): string {
  return `${JSON.stringify(record)}\n`;
}

export function exitCodeOf(error: unknown): number {
  return error instanceof IrisError ? error.exitCode : ExitCode.INTERNAL;
}

/** Prints `error` on the standard error and returns the exit code it asks for. */
export function printError(error: unknown, json = false): number {
  process.stderr.write(json ? errorJson(error) : errorMessage(error));
  return exitCodeOf(error);
}
