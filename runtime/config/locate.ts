/** Finds the lines of keys in TOML text, for error messages: the parser gives values without their places. */

/** Lines (1-based) by full path, as in `mempool.capacity`, `online.ports[0].device`, and of section headers. */
export function keyLines(text: string): Map<string, number> {
  const lines = new Map<string, number>();
  const counts = new Map<string, number>();
  let section = '';
  /** The elements of arrays of tables that are open, so that [online.ports.sink] belongs to the latest port. */
  const resolve = (path: readonly string[]): string => {
    let full = '';
    for (const part of path) {
      full = full === '' ? part : `${full}.${part}`;
      const count = counts.get(full);
      if (count !== undefined) full = `${full}[${count - 1}]`;
    }
    return full;
  };
  text.split('\n').forEach((raw, index) => {
    const line = raw.trim();
    const header = /^(\[\[?)\s*([^\]]+?)\s*\]\]?/.exec(line);
    if (header !== null && !line.includes('=', header[0].length)) {
      const path = splitKey(header[2] ?? '');
      if (header[1] === '[[') {
        const parent = resolve(path.slice(0, -1));
        const full = [parent, path[path.length - 1]].filter((part) => part !== '').join('.');
        counts.set(full, (counts.get(full) ?? 0) + 1);
      }
      section = resolve(path);
      if (!lines.has(section)) lines.set(section, index + 1);
      return;
    }
    const key = /^((?:[\w-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[\w-]+|"[^"]*"|'[^']*'))*)\s*=/.exec(line);
    if (key === null) return;
    const full = [section, ...splitKey(key[1] ?? '')].filter((part) => part !== '').join('.');
    if (!lines.has(full)) lines.set(full, index + 1);
  });
  return lines;
}

function splitKey(key: string): string[] {
  return (key.match(/"[^"]*"|'[^']*'|[^.\s]+/g) ?? []).map((part) => part.replace(/^["']|["']$/g, ''));
}

/** The line of a path, or of the nearest section around it. */
export function lineOf(lines: ReadonlyMap<string, number>, path: string): number | undefined {
  for (let at = path; at !== ''; at = at.slice(0, Math.max(0, at.lastIndexOf('.')))) {
    const line = lines.get(at) ?? lines.get(at.replace(/\[\d+\]$/, ''));
    if (line !== undefined) return line;
  }
  return undefined;
}
