/** How the analysis reaches files. The command line gives a host over node:fs; tests give one over a Map. */
export interface AnalysisHost {
  /** Folder of the iris-ts package, whose `runtime/` holds the sources of the built-in data types. */
  readonly packageRoot: string;
  /** Text of a file, or undefined when there is none. Paths are made from those the user named, with `/`. */
  readFile(path: string): string | undefined;
}

/** `to` as named from a file in folder `dir`; absolute paths stay. `.` and `..` are folded. */
export function joinPath(dir: string, to: string): string {
  const whole = to.startsWith('/') || dir === '' ? to : `${dir}/${to}`;
  const out: string[] = [];
  for (const part of whole.split('/')) {
    if (part === '.' || (part === '' && out.length > 0)) continue;
    const last = out.at(-1);
    if (part === '..' && last !== undefined && last !== '..' && last !== '') out.pop();
    else out.push(part);
  }
  return out.join('/');
}

/** Folder of a path: what is before the last `/`, `''` when there is none. */
export function folderOf(path: string): string {
  const slash = path.lastIndexOf('/');
  return slash < 0 ? '' : slash === 0 ? '/' : path.slice(0, slash);
}

/** Import specifier that names `path` from a file in folder `dir`: `./x.ts`, `../y/z.ts`. */
export function specifier(dir: string, path: string): string {
  if (path.startsWith('/') !== dir.startsWith('/')) return path;
  const from = dir === '' ? [] : dir.split('/');
  const to = path.split('/');
  let common = 0;
  while (common < from.length && common < to.length - 1 && from[common] === to[common]) common++;
  const up = from.length - common;
  return (up === 0 ? './' : '../'.repeat(up)) + to.slice(common).join('/');
}
