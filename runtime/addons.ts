/** Where the compiled addons are: beside the compiled tree or beside the sources. */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

/** Path of the addon `name` (a target of native/binding.gyp); undefined when it is not built. */
export function addonPath(name: 'iris_native' | 'iris_memory'): string | undefined {
  return ['../../native', '../native']
    .map((folder) => fileURLToPath(new URL(`${folder}/build/Release/${name}.node`, import.meta.url)))
    .find((path) => existsSync(path));
}

/** The addon `iris_memory` (native/src/tables.cc); one that was built before may lack something. */
interface MemoryAddon {
  /** Puts bytes `from` to `to` - 1 on huge pages as they are first touched; false where the system has none. */
  adviseHuge?(buffer: ArrayBuffer, from: number, to: number): boolean;
  /** A function that begins to load `lines` cache lines of `words` from each of the first n of `places` on. */
  prefetcher?(words: Int32Array, places: Int32Array, lines: number): (n: number) => void;
}

/** Undefined where it is not built, or not for this Node. */
export function memoryAddon(): MemoryAddon | undefined {
  const path = addonPath('iris_memory');
  if (path === undefined) return undefined;
  try {
    return createRequire(import.meta.url)(path);
  } catch {
    return undefined;
  }
}
