/** Runs a built command-line tool as a process of its own. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { packageRoot } from './corpus.ts';

export interface CliResult {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CliOptions {
  readonly cwd?: string;
  readonly input?: Uint8Array;
  readonly env?: Readonly<Record<string, string>>;
}

/** Runs `dist/NAME` with `args`; `input` goes to its standard input. */
export function runCli(name: string, args: readonly string[], options: CliOptions = {}): Promise<CliResult> {
  return run(process.execPath, [join(packageRoot(), 'dist', name), ...args], options);
}

/** Runs `script` with sh; `$IRIS_RUN` and `$IRIS_COMPILE` are the commands of this checkout. */
export function runShell(script: string, options: CliOptions = {}): Promise<CliResult> {
  const command = (file: string) => `${process.execPath} ${join(packageRoot(), 'dist', file)}`;
  return run('bash', ['-c', script], {
    ...options,
    env: {
      IRIS_RUN: command('runtime/cli/iris-run.js'),
      IRIS_COMPILE: command('compiler/cli/iris-compile.js'),
      ...options.env,
    },
  });
}

function run(command: string, args: readonly string[], options: CliOptions): Promise<CliResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd: options.cwd,
      env: { ...process.env, ...options.env },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ code, signal, stdout, stderr }));
    child.stdin.on('error', () => {});
    child.stdin.end(options.input);
  });
}
