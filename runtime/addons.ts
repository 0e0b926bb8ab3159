/** Where the compiled addons are: beside the compiled tree or beside the sources. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** Path of the addon `name` (a target of native/binding.gyp); undefined when it is not built. */
export function addonPath(name: 'iris_native' | 'iris_memory'): string | undefined {
  return ['../../native', '../native']
    .map((folder) => fileURLToPath(new URL(`${folder}/build/Release/${name}.node`, import.meta.url)))
    .find((path) => existsSync(path));
}
