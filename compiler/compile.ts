/**
 * The compiler on one page: source -> parse -> check -> plan -> emit. Nothing happens behind it; the result of every stage
 * stays in the {@link Compilation}, and `iris explain --stage` prints it.
 */
import { createAnalysis } from './analysis/analysis.ts';
import type { AnalysisHost } from './analysis/host.ts';
import { PROTOCOLS } from './catalog/catalog.ts';
import { emitModule } from './emit/module.ts';
import type { Templates } from './emit/render.ts';
import type { ModuleView } from './emit/view.ts';
import type { FilterFile, SourceFile } from './language/ast.ts';
import { check } from './language/check.ts';
import type { Diagnostic } from './language/diagnostic.ts';
import { parseFilterFile } from './language/parse.ts';
import { inOrder } from './language/report.ts';
import type { TypedProgram } from './language/typed.ts';
import { type ProgramPlan, planProgram } from './plan/plan.ts';

/** What the compiler needs of the world; the command line gives it over node:fs. */
export interface CompileHost {
  readonly files: AnalysisHost;
  readonly templates: Templates;
  /** Of the compiler, for the stamp of the module. */
  readonly version: string;
  /** Catalog names of the protocols that the runtime can parse. */
  readonly parsers: readonly string[];
  /** The module counts what it does, for `iris run --explain`. */
  readonly instrument?: boolean;
}

/** Every stage's result, as far as the source got. */
export interface Compilation {
  readonly file: SourceFile;
  readonly ast: FilterFile;
  readonly typed?: TypedProgram;
  readonly plan?: ProgramPlan;
  readonly view?: ModuleView;
  /** The generated module, TypeScript. */
  readonly text?: string;
  /** Errors and warnings in order of place; without errors there is a text. */
  readonly diagnostics: readonly Diagnostic[];
}

/** Compiles a filter file. Whatever is wrong with it is in the diagnostics. */
export function compile(file: SourceFile, host: CompileHost): Compilation {
  const parsed = parseFilterFile(file);
  const { ast } = parsed;

  const analysis = createAnalysis(host.files, file.path);
  const checked = check(ast, file, analysis);
  const found = inOrder([...parsed.diagnostics, ...checked.diagnostics], file);
  const typed = checked.program;
  if (typed === undefined || failed(found)) return { file, ast, diagnostics: found };

  const planned = planProgram(typed, PROTOCOLS, host.parsers);
  const diagnostics = [...found, ...planned.diagnostics];
  const { plan } = planned;
  if (plan === undefined || failed(diagnostics)) return { file, ast, typed, diagnostics };

  const { text, view } = emitModule(plan, {
    templates: host.templates,
    version: host.version,
    sourceName: baseName(file.path),
    instrument: host.instrument === true,
    compileColumns: (type, options) => {
      const columns = analysis.columns(type, options);
      if (columns === undefined) throw new TypeError(`${type.name} has no columns`);
      return columns;
    },
  });
  return { file, ast, typed, plan, view, text, diagnostics };
}

const failed = (diagnostics: readonly Diagnostic[]): boolean => diagnostics.some((d) => d.severity === 'error');

function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}
