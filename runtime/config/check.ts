/** Walks a parsed TOML tree along the schema: unknown keys, missing keys, wrong types, impossible values. */
import { accepts, allowed, shown } from './key.ts';
import { KEYS } from './schema.ts';

/** One value or section that was given. */
export interface Entry {
  /** Path in the schema, as in `online.ports[].device`. */
  readonly key: string;
  /** Path in the file, as in `online.ports[0].device`. */
  readonly path: string;
  readonly value: unknown;
}

/** Sections by schema path, each with its required keys. */
const SECTIONS = new Map<string, string[]>();
for (const [path, key] of KEYS) {
  for (let at = path.lastIndexOf('.'); at > 0; at = path.lastIndexOf('.', at - 1)) {
    const section = path.slice(0, at);
    if (!SECTIONS.has(section)) SECTIONS.set(section, []);
  }
  if (key.required === true) SECTIONS.get(path.slice(0, path.lastIndexOf('.')))?.push(path);
}
SECTIONS.set('', []);

/** Stands in the schema for a name that the user chooses. */
const ANY = '*';

type Report = (path: string, message: string, hint?: string) => void;

/** All allowed values and sections by their path in the file; faults go to `report`. */
export function check(tree: Readonly<Record<string, unknown>>, report: Report): Map<string, Entry> {
  const entries = new Map<string, Entry>();
  walk(tree, '', '', entries, report);
  return entries;
}

function walk(
  table: Readonly<Record<string, unknown>>,
  section: string,
  at: string,
  entries: Map<string, Entry>,
  report: Report,
): void {
  for (const [name, value] of Object.entries(table)) {
    const key = join(section, name);
    const path = join(at, name);
    const described = KEYS.get(key);
    if (described !== undefined) {
      if (accepts(described, value)) entries.set(path, { key, path, value });
      else report(path, `${shown(value)} is not allowed; it must be ${allowed(described)}`);
    } else if (SECTIONS.has(`${key}[]`)) {
      if (Array.isArray(value) && value.every(isTable)) {
        value.forEach((element, i) => {
          walk(element, `${key}[]`, `${path}[${i}]`, entries, report);
        });
      } else {
        report(path, `must be an array of tables: write [[${key}]]`);
      }
    } else if (SECTIONS.has(join(section, ANY))) {
      // Sections whose names are the user's.
      if (isTable(value)) {
        entries.set(path, { key: join(section, ANY), path, value });
        walk(value, join(section, ANY), path, entries, report);
      } else report(path, `must be a section: write [${section}.NAME]`);
    } else if (SECTIONS.has(key)) {
      if (isTable(value)) {
        entries.set(path, { key, path, value });
        walk(value, key, path, entries, report);
      } else report(path, `must be a section: write [${key}]`);
    } else {
      report(path, `unknown key${suggestion(section, name)}`);
    }
  }
  for (const required of SECTIONS.get(section) ?? []) {
    const name = required.slice(section.length + 1);
    if (!(name in table)) {
      const described = KEYS.get(required);
      report(join(at, name), `is missing${described === undefined ? '' : `; it must be ${allowed(described)}`}`);
    }
  }
}

function join(section: string, name: string): string {
  return section === '' ? name : `${section}.${name}`;
}

function isTable(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date);
}

/** What may have been meant: a sibling of nearly that name, the same name in another section, or the section's keys. */
function suggestion(section: string, name: string): string {
  const siblings = [...KEYS.keys(), ...SECTIONS.keys()]
    .filter((path) => path !== section && path.startsWith(section === '' ? '' : `${section}.`))
    .map((path) => (section === '' ? path : path.slice(section.length + 1)).replace(/\[\].*$|\..*$/, ''))
    .filter((sibling, i, all) => sibling !== '' && all.indexOf(sibling) === i);
  const near = siblings
    .map((sibling) => ({
      sibling,
      distance: distance(name.toLowerCase(), sibling) - (sibling.startsWith(name) ? name.length : 0),
    }))
    .filter((candidate) => candidate.distance <= Math.max(1, Math.floor(name.length / 3)))
    .sort((a, b) => a.distance - b.distance)[0];
  if (near !== undefined) return `; did you mean ${near.sibling}?`;
  const elsewhere = [...KEYS.keys()].find((path) => path.endsWith(`.${name}`) || path === name);
  if (elsewhere !== undefined) {
    const home = elsewhere.slice(0, Math.max(0, elsewhere.lastIndexOf('.')));
    if (home === '') return `; ${name} belongs at the top of the file, above all sections`;
    return `; ${name} belongs in ${home.endsWith('[]') ? `[[${home.slice(0, -2)}]]` : `[${home}]`}`;
  }
  return `; allowed here: ${siblings.join(', ')}`;
}

/** Edit distance, neighbours swapped counting once. */
function distance(a: string, b: string): number {
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, j) => j)];
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const above = rows[i - 1] ?? [];
      let best = Math.min(
        (above[j] ?? 0) + 1,
        (row[j - 1] ?? 0) + 1,
        (above[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1),
      );
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        best = Math.min(best, (rows[i - 2]?.[j - 2] ?? 0) + 1);
      }
      row.push(best);
    }
    rows.push(row);
  }
  return rows[a.length]?.[b.length] ?? 0;
}
