/** A host for the analysis whose user files are given as text; the package's own sources are the real ones. */
import type { AnalysisHost } from '../../compiler/analysis/host.ts';
import { nodeHost } from '../../compiler/cli/node-host.ts';

export function memoryHost(files: Readonly<Record<string, string>>): AnalysisHost {
  const { packageRoot, readFile } = nodeHost();
  return {
    packageRoot,
    readFile: (path) => files[path] ?? (path.startsWith(packageRoot) ? readFile(path) : undefined),
  };
}
