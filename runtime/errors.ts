/** Errors a user can mend. Printed in one place (runtime/cli/print-error.ts), without a stack. */

/** What a process exits with. */
export const enum ExitCode {
  OK = 0,
  /** The filter, the user's code, the configuration or the command line is wrong. */
  USAGE = 1,
  /** The input is corrupt or cannot be read; what came before the fault was processed. */
  INPUT = 2,
  /** The device, driver, permission or machine does not allow it. */
  DEVICE = 3,
  /** A fault of ours. */
  INTERNAL = 70,
}

/** Base of all errors whose message is meant for the user. `hint` is a second sentence: the command that mends it. */
export class IrisError extends Error {
  constructor(
    readonly exitCode: ExitCode,
    message: string,
    readonly hint?: string,
  ) {
    super(message);
    this.name = new.target.name;
  }
}

/** A capture that cannot be opened, is no capture, or is cut or corrupt at `offset`. */
export class InputError extends IrisError {
  constructor(
    readonly file: string,
    /** Byte offset of the fault in the file, or undefined when it could not be opened at all. */
    readonly offset: number | undefined,
    message: string,
    hint?: string,
  ) {
    super(ExitCode.INPUT, offset === undefined ? `${file}: ${message}` : `${file}: byte ${offset}: ${message}`, hint);
  }
}

/** A capture that ends before its first packet could begin: nothing says that it is none. */
export class EmptyInputError extends InputError {}

/** A configuration with an unknown key, a wrong type or an impossible value. */
export class ConfigError extends IrisError {
  constructor(
    readonly file: string,
    readonly key: string,
    readonly line: number | undefined,
    message: string,
    hint?: string,
  ) {
    super(ExitCode.USAGE, `${file}${line === undefined ? '' : `:${line}`}: ${key}: ${message}`, hint);
  }
}

/** Several faults of one configuration; the message holds them line by line. */
export class ConfigErrors extends IrisError {
  constructor(readonly errors: readonly ConfigError[]) {
    super(ExitCode.USAGE, errors.map((error) => error.message).join('\n'));
  }
}

/** DPDK, a device, a permission or the machine is missing or refuses. */
export class DeviceError extends IrisError {
  constructor(message: string, hint?: string) {
    super(ExitCode.DEVICE, message, hint);
  }
}
