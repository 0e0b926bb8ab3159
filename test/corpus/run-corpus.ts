/** Runs corpus.iris over every capture of the corpus, as a user would, and compares what comes out with the truth. */
import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { CIPHER_SUITES } from '../../runtime/protocols/tls/cipher-suites.ts';
import { type CorpusEntry, packageRoot, readTruth } from '../support/corpus.ts';
import { type Comparison, compareConnections, compareTls, type Difference, type Line, type View } from './compare.ts';

const FOLDER = join(packageRoot(), 'test/corpus');

export interface CaptureResult {
  readonly name: string;
  readonly view: View;
  readonly exitCode: number | null;
  readonly stderr: string;
  readonly compared: ReadonlyMap<string, number>;
  readonly differences: readonly Difference[];
}

function bin(path: string): string {
  return join(packageRoot(), 'dist', path);
}

function cipherNumber(name: string): number {
  return name.startsWith('0x') ? Number(name) : (CIPHER_SUITES[name] ?? -1);
}

/** Compiles corpus.iris into a folder of its own; returns the module's path. The caller removes the folder. */
export function compileCorpusFilter(): { folder: string; module: string } {
  // Beside the checkout's own node_modules, so that the module finds `iris-ts/runtime` by the package's self-reference.
  const folder = mkdtempSync(join(packageRoot(), 'dist', 'corpus-'));
  copyFileSync(join(FOLDER, 'corpus.iris'), join(folder, 'corpus.iris'));
  execFileSync(process.execPath, [bin('compiler/cli/iris-compile.js'), join(folder, 'corpus.iris')], { stdio: 'pipe' });
  return { folder, module: join(folder, 'corpus.iris.js') };
}

/** Runs `module` on one capture and compares. `view` says which connections the tracker was told to open. */
export function runCapture(module: string, entry: CorpusEntry, view: View): CaptureResult {
  const config = view === 'all' ? ['--config', join(FOLDER, 'all.toml')] : [];
  const run = spawnSync(process.execPath, [bin('runtime/cli/iris-run.js'), module, '--pcap', entry.pcap, ...config], {
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  const lines = run.stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Line);
  const truth = readTruth(entry);
  const parts: Comparison[] = [compareConnections(truth, lines, view), compareTls(truth, lines, view, cipherNumber)];
  const compared = new Map<string, number>();
  for (const part of parts) {
    for (const [cls, n] of part.compared) compared.set(cls, (compared.get(cls) ?? 0) + n);
  }
  return {
    name: entry.name,
    view,
    exitCode: run.status,
    stderr: run.stderr,
    compared,
    differences: parts.flatMap((part) => part.differences),
  };
}

/** Runs `use` with the compiled corpus filter and cleans up behind it. */
export function withCorpusFilter<T>(use: (module: string) => T): T {
  const { folder, module } = compileCorpusFilter();
  try {
    return use(module);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
