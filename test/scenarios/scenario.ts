/** Compiles the programs of this folder as a user would, and runs them over captures of the corpus in this process. */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { runOffline } from '../../runtime/cli/offline.ts';
import { defaultConfig } from '../../runtime/config/config.ts';
import { corpus, packageRoot } from '../support/corpus.ts';
import type { Told } from './programs/told.ts';

/** One call of user code. */
export interface Call {
  readonly name: string;
  /** The connection as text. */
  readonly conn: string;
  readonly value: number | string | undefined;
}

export interface Programs {
  /** What user code of a program was told over a capture, in order. */
  run(program: string, capture: string): Promise<readonly Call[]>;
  /** The lines that a program delivers over a capture, in order. */
  lines(program: string, capture: string): Promise<readonly Line[]>;
  remove(): void;
}

/** One line of output. */
export interface Line {
  readonly subscription: string;
  readonly ts: number;
  // biome-ignore lint/suspicious/noExplicitAny: what JSON holds
  readonly [param: string]: any;
}

export function compilePrograms(...names: readonly string[]): Programs {
  // Beside the checkout's own node_modules, so that modules find `iris-ts/runtime` by the package's self-reference.
  const folder = mkdtempSync(join(packageRoot(), 'dist', 'scenarios-'));
  cpSync(join(packageRoot(), 'test/scenarios/programs'), folder, { recursive: true });
  const command = join(packageRoot(), 'dist/compiler/cli/iris-compile.js');
  const files = names.map((name) => join(folder, `${name}.iris`));
  execFileSync(process.execPath, [command, ...files], { stdio: 'pipe' });

  async function run(program: string, capture: string): Promise<readonly Call[]> {
    const calls: Call[] = [];
    const hook = globalThis as { irisTold?: Told };
    hook.irisTold = (name, conn, value) => calls.push({ name, conn, value });
    await offline(program, capture);
    return calls;
  }

  async function lines(program: string, capture: string): Promise<readonly Line[]> {
    await offline(program, capture);
    const text = readFileSync(join(folder, 'lines.json'), 'utf8');
    return text.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as Line]));
  }

  async function offline(program: string, capture: string): Promise<void> {
    const settings = { out: join(folder, 'lines.json'), strict: false, quiet: true, json: false, cores: 1 };
    const path = join(corpus() ?? '', 'pcaps', capture);
    // Exceptions of user code are part of the scenarios, and are not to be seen among the results of the tests.
    const { write } = process.stderr;
    process.stderr.write = () => true;
    try {
      await runOffline(join(folder, `${program}.iris.js`), path, defaultConfig(), settings);
    } finally {
      process.stderr.write = write;
    }
  }
  return { run, lines, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

/** Calls of one name, by connection. */
export function byConnection(calls: readonly Call[], name: string): ReadonlyMap<string, readonly Call[]> {
  const found = new Map<string, Call[]>();
  for (const call of calls) {
    if (call.name !== name) continue;
    const known = found.get(call.conn);
    if (known === undefined) found.set(call.conn, [call]);
    else known.push(call);
  }
  return found;
}
