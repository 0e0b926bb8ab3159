/** The names that a filter file declares: lets, sets and what `use` takes from TypeScript. */
import { resolveField, resolveProtocol } from '../catalog/catalog.ts';
import { didYouMean } from '../catalog/suggest.ts';
import type { FilterFile, Ident, LetStatement, SetStatement, SourceFile, UseStatement } from './ast.ts';
import type { CheckEnvironment, UsedName } from './environment.ts';
import type { Report } from './report.ts';

export interface UsedIdent {
  readonly ident: Ident;
  readonly from: string;
  readonly named: UsedName;
}

export interface Scope {
  readonly lets: ReadonlyMap<string, LetStatement>;
  readonly sets: ReadonlyMap<string, SetStatement>;
  readonly used: ReadonlyMap<string, UsedIdent>;
  /** Names that were declared, but wrongly: reported once, not at each use. */
  readonly broken: ReadonlySet<string>;
  readonly uses: readonly { readonly from: string; readonly names: readonly string[] }[];
  /** Takes note that a declared name is used. */
  touch(name: string): void;
  /** Warns of declarations that nothing uses. */
  reportUnused(): void;
}

/** Declares everything, in order; later duplicates are reported and left out. */
export function createScope(ast: FilterFile, file: SourceFile, env: CheckEnvironment, report: Report): Scope {
  const lets = new Map<string, LetStatement>();
  const sets = new Map<string, SetStatement>();
  const used = new Map<string, UsedIdent>();
  const broken = new Set<string>(ast.broken);
  const declared = new Map<string, Ident>();
  const touched = new Set<string>();
  const uses = new Map<string, string[]>();

  /** False, with an error, when the name is taken. */
  function declare(ident: Ident): boolean {
    const { name, span } = ident;
    const before = declared.get(name);
    if (before !== undefined) {
      const notes = [{ message: 'first declared here', file, span: before.span }];
      report.error('duplicate-name', span, `\`${name}\` is declared twice`, { notes });
      return false;
    }
    const taken =
      resolveProtocol(name) !== undefined
        ? 'a protocol'
        : resolveField(undefined, name) !== undefined
          ? 'a field'
          : undefined;
    if (taken !== undefined) {
      report.error('reserved-name', span, `\`${name}\` is the name of ${taken}; choose another`);
      return false;
    }
    declared.set(name, ident);
    return true;
  }

  function use(statement: UseStatement): void {
    const names = statement.names.filter(declare);
    const from = statement.from.value;
    const answer = env.resolveUse(
      from,
      names.map((ident) => ident.name),
    );
    if ('error' in answer) {
      report.error('unresolved-use', statement.from.span, answer.error, { suggestion: answer.suggestion });
      for (const { name } of names) broken.add(name);
      return;
    }
    for (const diagnostic of answer.diagnostics) report.add(diagnostic);
    const failed = answer.diagnostics.some((diagnostic) => diagnostic.severity === 'error');
    for (const ident of names) {
      const named = answer.names.get(ident.name);
      if (named !== undefined) {
        used.set(ident.name, { ident, from, named });
        continue;
      }
      broken.add(ident.name);
      if (failed && answer.exported.includes(ident.name)) continue;
      const suggestion = didYouMean(ident.name, answer.exported);
      report.error('unresolved-use', ident.span, `"${from}" exports no \`${ident.name}\` that a filter can use`, {
        suggestion,
      });
    }
    uses.set(from, [...(uses.get(from) ?? []), ...names.map((ident) => ident.name)]);
  }

  for (const statement of ast.statements) {
    if (statement.kind === 'use') use(statement);
    else if (statement.kind === 'let' && declare(statement.name)) lets.set(statement.name.name, statement);
    else if (statement.kind === 'set' && declare(statement.name)) sets.set(statement.name.name, statement);
  }

  return {
    lets,
    sets,
    used,
    broken,
    uses: [...uses].map(([from, names]) => ({ from, names })),
    touch: (name) => touched.add(name),
    reportUnused() {
      for (const { name, span } of declared.values()) {
        if (!touched.has(name) && !broken.has(name)) report.warning('unused', span, `\`${name}\` is never used`);
      }
    },
  };
}
