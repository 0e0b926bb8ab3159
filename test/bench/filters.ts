/** The filters that are measured, compiled by this project's own compiler where their modules find the runtime. */
import { copyFileSync, mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const NAMES = ['counts', 'records', 'sni', 'video', 'videos'] as const;
/** What they use. */
const USED = ['tally.ts'] as const;
const FOLDER = fileURLToPath(new URL('filters/', import.meta.url));

/** Compiles all of them, once per benchmark and not in the processes that are measured. */
export async function compileFilters(): Promise<void> {
  const { compileFile } = await import('../../compiler/cli/compile.ts');
  mkdirSync(FOLDER, { recursive: true });
  const files = [...NAMES.map((name) => `${name}.iris`), ...USED];
  for (const file of files) {
    copyFileSync(fileURLToPath(new URL(`../../../test/bench/filters/${file}`, import.meta.url)), `${FOLDER}${file}`);
  }
  for (const name of NAMES) {
    await compileFile(`${FOLDER}${name}.iris`);
  }
}

/** The module that `compileFilters` wrote. */
export function moduleOf(name: string): string {
  return `${FOLDER}${name}.iris.js`;
}
