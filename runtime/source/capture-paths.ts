/** The captures that words of a command line or configuration name: files, `-`, and patterns of file names. */
import { existsSync, readdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { InputError } from '../errors.ts';

/**
 * The paths that `words` name. `*` and `?` in the last part of a path stand for file names, as in a shell, unless a file
 * has that very name. Throws InputError for a pattern that fits none, and for a path that is named twice.
 */
export function capturePaths(words: readonly string[]): string[] {
  const paths = words.flatMap((word) => (/[*?]/.test(basename(word)) && !existsSync(word) ? expand(word) : [word]));
  const twice = paths.find((path, i) => paths.indexOf(path) !== i);
  if (twice !== undefined) throw new InputError(twice === '-' ? 'standard input' : twice, undefined, 'is named twice');
  return paths;
}

function expand(pattern: string): string[] {
  const folder = dirname(pattern);
  const source = basename(pattern)
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  const fits = new RegExp(`^${source}$`, 's');
  let names: string[] = [];
  try {
    names = readdirSync(folder, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? [] : [entry.name]));
  } catch {
    // A folder that is not there, or may not be read, holds no file that fits.
  }
  const hidden = basename(pattern).startsWith('.');
  const found = names.filter((name) => fits.test(name) && (hidden || !name.startsWith('.'))).sort();
  if (found.length === 0) throw new InputError(pattern, undefined, 'no file has a name like this');
  return found.map((name) => join(folder, name));
}
