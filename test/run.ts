/**
 * The test runner: `npm test [-- PART …]`. Runs every test/…/*.test.ts (built to dist/) whose path contains one of the
 * PARTs in a process of its own, because DPDK can start only once per process and workers must not outlive their test,
 * and prints the sum as its last line: `N passed, N failed, N skipped`.
 */
import { spawn } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
/** A test file that takes longer hangs. */
const TIMEOUT_MS = 600_000;

interface Outcome {
  passed: number;
  failed: number;
  skipped: number;
  output: string;
  seconds: number;
}

/** Source paths of all test files, relative to the root; what was built from a file that is gone is not run. */
function testFiles(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.test.ts'))
    .map((file) => join(folder, file))
    .sort();
}

/** Adds up the totals that uvu prints, one block a suite. */
function readTotals(output: string): { total: number; passed: number; skipped: number } | undefined {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: uvu colours its totals
  const plain = output.replace(/\x1b\[\d+m/g, '');
  const sum = (label: string) =>
    [...plain.matchAll(new RegExp(`^\\s*${label}:\\s+(\\d+)`, 'gm'))].reduce((all, match) => all + Number(match[1]), 0);
  return /^\s*Total:/m.test(plain)
    ? { total: sum('Total'), passed: sum('Passed'), skipped: sum('Skipped') }
    : undefined;
}

function run(file: string): Promise<Outcome> {
  const built = join(ROOT, 'dist', file.replace(/\.ts$/, '.js'));
  if (!existsSync(built)) {
    return Promise.resolve({ passed: 0, failed: 1, skipped: 0, output: `${built} was not built`, seconds: 0 });
  }
  const start = performance.now();
  return new Promise((resolve) => {
    const child = spawn(process.execPath, ['--enable-source-maps', built], {
      cwd: ROOT,
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: TIMEOUT_MS,
    });
    let output = '';
    child.stdout.on('data', (chunk) => {
      output += chunk;
    });
    child.stderr.on('data', (chunk) => {
      output += chunk;
    });
    child.on('close', (code, signal) => {
      const totals = readTotals(output);
      const passed = totals?.passed ?? 0;
      const skipped = totals?.skipped ?? 0;
      let failed = (totals?.total ?? 0) - passed;
      if (code !== 0 && failed === 0) {
        failed = 1;
        output += `\n${file}: ended with ${signal ?? `exit code ${code}`}\n`;
      } else if (totals === undefined) {
        failed = 1;
        output += `\n${file}: ran no test\n`;
      }
      resolve({ passed, failed, skipped, output, seconds: (performance.now() - start) / 1000 });
    });
  });
}

/** Runs alone, at the end: a guest's emulated processors leave nothing to others. */
const alone = (file: string) => file.startsWith('test/guest/');

const parts = process.argv.slice(2);
const files = testFiles('test').filter((file) => parts.length === 0 || parts.some((part) => file.includes(part)));
const sum = { passed: 0, failed: 0, skipped: 0 };

async function work(): Promise<void> {
  for (let file = queue.shift(); file !== undefined; file = queue.shift()) {
    const outcome = await run(file);
    sum.passed += outcome.passed;
    sum.failed += outcome.failed;
    sum.skipped += outcome.skipped;
    const counts = `${outcome.passed} passed${outcome.failed > 0 ? `, ${outcome.failed} FAILED` : ''}${
      outcome.skipped > 0 ? `, ${outcome.skipped} skipped` : ''
    }`;
    console.log(`${relative('test', file)}: ${counts} (${outcome.seconds.toFixed(1)} s)`);
    if (outcome.failed > 0) console.log(outcome.output);
  }
}

const queue = files.filter((file) => !alone(file));
await Promise.all(Array.from({ length: Math.min(2, availableParallelism()) }, work));
queue.push(...files.filter(alone));
await work();
console.log(`${sum.passed} passed, ${sum.failed} failed, ${sum.skipped} skipped`);
process.exitCode = sum.failed > 0 ? 1 : 0;
