/** SIGINT and SIGTERM: the first ends the run cleanly, the second SIGINT at once. */

export interface Stop {
  /** The signal that asked for the end, once one did. */
  readonly signal: 'SIGINT' | 'SIGTERM' | undefined;
  /** Called when a signal first asks for the end. */
  onStop: (() => void) | undefined;
  /** Takes the handlers away again. */
  dispose(): void;
}

/** Exit code of a process that a signal ended: 128 and the signal's number. */
export const SIGNAL_EXIT_CODES = { SIGINT: 130, SIGTERM: 143 } as const;

/** Starts to listen. Handlers run only when the event loop does: a loop over packets has to let it, every few ms. */
export function listenForStop(): Stop {
  let signal: Stop['signal'];
  const stop: { -readonly [K in keyof Stop]: Stop[K] } = {
    get signal() {
      return signal;
    },
    onStop: undefined,
    dispose() {
      process.off('SIGINT', interrupt);
      process.off('SIGTERM', terminate);
    },
  };
  const interrupt = () => take('SIGINT');
  const terminate = () => take('SIGTERM');
  function take(which: 'SIGINT' | 'SIGTERM'): void {
    if (signal !== undefined) {
      if (which === 'SIGINT') process.exit(SIGNAL_EXIT_CODES.SIGINT);
      return;
    }
    signal = which;
    stop.onStop?.();
  }
  process.on('SIGINT', interrupt);
  process.on('SIGTERM', terminate);
  return stop;
}
