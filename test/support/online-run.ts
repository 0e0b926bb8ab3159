/** Runs over ports that last until something is said, and their configurations. */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { packageRoot } from './corpus.ts';

/** A run that is still there after this time hangs. */
export const LONGEST_MS = 60_000;

export interface OnlineRun {
  readonly child: ChildProcess;
  /** What came on the standard error so far. */
  err(): string;
  /** Resolves when the standard error has a match, or the run has ended. */
  said(what: RegExp): Promise<void>;
  readonly ended: Promise<{ readonly code: number | null; readonly err: string }>;
}

/** Starts `iris-run APP ARGS`. Its standard output goes nowhere, or is there to be read. */
export function startRun(
  app: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  stdout: 'ignore' | 'pipe' = 'ignore',
): OnlineRun {
  const child = spawn(process.execPath, [join(packageRoot(), 'dist/runtime/cli/iris-run.js'), app, ...args], {
    stdio: ['ignore', stdout, 'pipe'],
    env: { ...process.env, ...env },
    timeout: LONGEST_MS,
    killSignal: 'SIGKILL',
  });
  let err = '';
  let over = false;
  const waiting: { what: RegExp; done: () => void }[] = [];
  const look = () => {
    for (const { what, done } of waiting) if (over || what.test(err)) done();
  };
  child.stderr?.on('data', (chunk) => {
    err += chunk;
    look();
  });
  const ended = new Promise<{ code: number | null; err: string }>((resolve) =>
    child.on('close', (code) => {
      over = true;
      look();
      resolve({ code, err });
    }),
  );
  const said = (what: RegExp) =>
    new Promise<void>((done) => {
      waiting.push({ what, done });
      look();
    });
  return { child, err: () => err, said, ended };
}

/** A configuration file with one port on `cores`; `online` are more lines of its section. */
export function onePort(device: string, cores: readonly number[], mainCore: number, online = ''): Buffer {
  return Buffer.from(`main_core = ${mainCore}
mempool.capacity = 8191
[online]
nb_rxd = 512
${online}
[[online.ports]]
device = "${device}"
cores = [${cores.join(', ')}]
`);
}
