/** The emitter's templates, read from the checkout. */
import { readFileSync } from 'node:fs';
import { TEMPLATES, type Templates } from '../../../compiler/emit/render.ts';

export function templates(): Templates {
  const read = (name: string): string =>
    readFileSync(new URL(`../../../../templates/${name}.hbs`, import.meta.url), 'utf8');
  return Object.fromEntries(TEMPLATES.map((name) => [name, read(name)])) as Templates;
}
