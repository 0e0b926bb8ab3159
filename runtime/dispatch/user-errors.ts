/**
 * Exceptions of user code: reported with subscription, connection and stack, counted, and the run goes on; under
 * `--strict` the first one ends it.
 */
import { ExitCode, IrisError } from '../errors.ts';

/** User code threw, and the run was asked to stop at that. */
export class UserCodeError extends IrisError {
  constructor(message: string) {
    super(ExitCode.USAGE, message, 'without --strict the run counts such errors and goes on');
  }
}

export interface UserErrorOptions {
  readonly strict: boolean;
  /** Takes one report: several lines, the last one ended. */
  readonly report: (text: string) => void;
  /** Names a connection for people, from the first word of its record (0: none). */
  readonly describe: (c: number) => string;
}

export interface UserErrors {
  /** As `core.userError`. */
  readonly userError: (subscription: string, c: number, error: unknown) => void;
  /** Errors by subscription. */
  readonly counts: ReadonlyMap<string, number>;
}

/** Stands for a subscription in reports on what nobody awaited: a timer, a promise. */
export const LATER = '(outside a delivery)';

export interface LateErrors {
  /** The first one that ends the run: under `--strict`, or a fault of the runtime. */
  readonly fault: unknown;
  /** Takes no more of them. */
  dispose(): void;
}

/** Takes what user code throws outside a delivery on this thread, or rejects and nobody catches, as an error of user code. */
export function takeLateErrors({ userError }: Pick<UserErrors, 'userError'>): LateErrors {
  let fault: unknown;
  const take = (error: unknown) => {
    try {
      userError(LATER, 0, error);
    } catch (cause) {
      fault ??= cause;
    }
  };
  process.on('uncaughtException', take);
  process.on('unhandledRejection', take);
  return {
    get fault() {
      return fault;
    },
    dispose() {
      process.off('uncaughtException', take);
      process.off('unhandledRejection', take);
    },
  };
}

/** Full reports of one worker; later errors are only counted. */
const FULL_REPORTS = 10;
/** Lines of a stack that people read. */
const STACK_LINES = 4;

export function createUserErrors({ strict, report, describe }: UserErrorOptions): UserErrors {
  const counts = new Map<string, number>();
  let total = 0;
  return {
    counts,
    userError(subscription, c, error) {
      // An IrisError is the runtime's own (the output cannot be written, say) and passes through the user's code.
      if (error instanceof IrisError) throw error;
      counts.set(subscription, (counts.get(subscription) ?? 0) + 1);
      total++;
      if (!strict && total > FULL_REPORTS) return;
      const where = c === 0 ? '' : `, connection ${safely(() => describe(c))}`;
      const text = `subscription ${subscription}${where}: ${errorText(error)}`;
      if (strict) throw new UserCodeError(text);
      report(`iris: error in user code: ${text}\n`);
      if (total === FULL_REPORTS) report('iris: more errors in user code are counted, not shown\n');
    },
  };
}

/** Name and message of whatever was thrown, with the first lines of its stack. */
export function errorText(error: unknown): string {
  if (!(error instanceof Error)) return `threw ${safely(() => String(error))}`;
  const head = `${error.name}: ${error.message}`;
  const frames = (error.stack ?? '')
    .split('\n')
    .filter((line) => /^\s+at /.test(line) && !line.includes('node:internal'))
    .slice(0, STACK_LINES)
    .map((line) => `    ${line.trim()}`);
  return [head, ...frames].join('\n');
}

function safely(text: () => string): string {
  try {
    return text();
  } catch {
    return '(unprintable)';
  }
}
