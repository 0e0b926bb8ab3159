/** Runs corpus.iris over every capture of the corpus, as a user would, and compares what comes out with the truth. */
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { runOffline } from '../../runtime/cli/offline.ts';
import { defaultConfig, parseConfig } from '../../runtime/config/config.ts';
import { CIPHER_SUITES } from '../../runtime/protocols/tls/cipher-suites.ts';
import { type CorpusEntry, packageRoot, readTruth } from '../support/corpus.ts';
import type { SessionTruth } from '../support/truth-sessions.ts';
import { type Comparison, compareConnections, compareTls, type Difference, type Line, type View } from './compare.ts';
import { compareSessions } from './compare-sessions.ts';

const FOLDER = join(packageRoot(), 'test/corpus');

export interface CaptureResult {
  readonly name: string;
  readonly view: View;
  readonly exitCode: number;
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

/**
 * Runs `module` on one capture in this process, as `iris-run` does, and compares. `view` says which connections the tracker
 * was told to open.
 */
export async function runCapture(module: string, entry: CorpusEntry, view: View): Promise<CaptureResult> {
  const config =
    view === 'all' ? parseConfig(readFileSync(join(FOLDER, 'all.toml'), 'utf8'), 'all.toml') : defaultConfig();
  const out = join(dirname(module), 'lines.json');
  const exitCode = await runOffline(module, entry.pcap, config, {
    out,
    strict: false,
    quiet: true,
    json: false,
    cores: 1,
  });
  const lines = readFileSync(out, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Line);
  const truth = readTruth(entry) as SessionTruth;
  const parts: Comparison[] = [
    compareConnections(truth, lines, view),
    compareTls(truth, lines, view, cipherNumber),
    compareSessions(truth, lines, view, cipherNumber),
  ];
  const compared = new Map<string, number>();
  for (const part of parts) {
    for (const [cls, n] of part.compared) compared.set(cls, (compared.get(cls) ?? 0) + n);
  }
  return { name: entry.name, view, exitCode, compared, differences: parts.flatMap((part) => part.differences) };
}

/** Runs `use` with the compiled corpus filter and cleans up behind it. */
export async function withCorpusFilter<T>(use: (module: string) => Promise<T>): Promise<T> {
  const { folder, module } = compileCorpusFilter();
  try {
    return await use(module);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
