/** The filters that are measured, compiled by this project's own compiler where their modules find the runtime. */
import { copyFileSync, mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const NAMES = ['records', 'sni'] as const;
const FOLDER = fileURLToPath(new URL('filters/', import.meta.url));

/** Compiles all of them, once per benchmark and not in the processes that are measured. */
export async function compileFilters(): Promise<void> {
  const { compileFile } = await import('../../compiler/cli/compile.ts');
  mkdirSync(FOLDER, { recursive: true });
  for (const name of NAMES) {
    copyFileSync(
      fileURLToPath(new URL(`../../../test/bench/filters/${name}.iris`, import.meta.url)),
      `${FOLDER}${name}.iris`,
    );
    await compileFile(`${FOLDER}${name}.iris`);
  }
}

/** The module that `compileFilters` wrote. */
export function moduleOf(name: string): string {
  return `${FOLDER}${name}.iris.js`;
}
