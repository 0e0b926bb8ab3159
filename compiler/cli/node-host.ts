/** Files for the analysis, over node:fs. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { AnalysisHost } from '../analysis/host.ts';

/** Reads files as text; what cannot be read is as if it were not there. */
export function nodeHost(): AnalysisHost {
  return { packageRoot: packageRoot(), readFile };
}

/** The same, and the paths that were asked for, there or not: what a compilation depends on. */
export function recordingHost(): { readonly host: AnalysisHost; readonly asked: ReadonlySet<string> } {
  const asked = new Set<string>();
  const host = {
    packageRoot: packageRoot(),
    readFile: (path: string): string | undefined => {
      asked.add(resolve(path));
      return readFile(path);
    },
  };
  return { host, asked };
}

function readFile(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

/** The nearest folder above this file that holds the runtime's sources: compiled code runs from `dist/`. */
function packageRoot(): string {
  for (let folder = dirname(fileURLToPath(import.meta.url)); ; folder = dirname(folder)) {
    if (existsSync(join(folder, 'runtime', 'runtime.ts')) || folder === dirname(folder)) return folder;
  }
}
