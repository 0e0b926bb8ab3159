/** Handlebars, kept to loops and inclusion: view models come in finished, nothing is escaped because nothing needs it. */
import Handlebars from 'handlebars';
import type { ModuleView } from './view.ts';
import { wrapText } from './wrap.ts';

/** Names of the templates, each a file `templates/NAME.hbs`. */
export const TEMPLATES = ['module', 'constants', 'helper', 'function', 'lines', 'branch', 'choice'] as const;

export type Templates = Readonly<Record<(typeof TEMPLATES)[number], string>>;

/** Makes the text of a module. */
export function createRenderer(templates: Templates): (view: ModuleView) => string {
  const handlebars = Handlebars.create();
  for (const name of TEMPLATES) handlebars.registerPartial(name, templates[name]);
  const render = handlebars.compile<ModuleView>(templates.module, { noEscape: true, strict: true });
  return (view) =>
    wrapText(
      render(view)
        .replace(/[ \t]+$/gm, '')
        .replace(/\n{3,}/g, '\n\n'),
    );
}
