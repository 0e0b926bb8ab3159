/** The verb `compile`, alone known as `iris-compile`: a filter file becomes a typed module, and JavaScript beside it. */
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { Command } from 'commander';
import { printError } from '../../runtime/cli/print-error.ts';
import { packageVersion } from '../../runtime/cli/version.ts';
import { ExitCode, IrisError } from '../../runtime/errors.ts';
import { PARSERS } from '../../runtime/protocols/registry.ts';
import type { AnalysisHost } from '../analysis/host.ts';
import { type Compilation, compile } from '../compile.ts';
import { TEMPLATES, type Templates } from '../emit/render.ts';
import type { SourceFile } from '../language/ast.ts';
import type { ProgramPlan } from '../plan/plan.ts';
import { nodeHost, recordingHost } from './node-host.ts';
import { formatDiagnostics, wantsColor } from './print-diagnostics.ts';

export interface CompiledFiles {
  /** Path of the generated TypeScript. */
  readonly ts: string;
  /** Path of the JavaScript bundled from it. */
  readonly js: string;
  /** Those of the two whose content changed, or would change. */
  readonly changed: readonly string[];
}

export interface CompileFileOptions {
  /** Write nothing, only say what would change. */
  readonly check?: boolean;
  /** Reads the files that the filter uses; node:fs by default. */
  readonly files?: AnalysisHost;
}

/**
 * Compiles a filter file; writes `x.iris.ts` and `x.iris.js` beside it where their content changes. Prints diagnostics on
 * stderr; throws IrisError when there are errors among them, or the file cannot be read.
 */
export async function compileFile(path: string, options: CompileFileOptions = {}): Promise<CompiledFiles> {
  const { text } = compiled(path, { ...(options.files && { files: options.files }) });
  const ts = `${path}.ts`;
  const js = `${path}.js`;
  const bundled = await bundle(ts, text);
  const outputs = [
    { file: ts, content: text },
    { file: js, content: bundled },
  ];
  const changed = outputs.filter(({ file, content }) => readIfThere(file) !== content);
  if (options.check !== true) for (const { file, content } of changed) write(file, content);
  return { ts, js, changed: changed.map(({ file }) => file) };
}

/** A filter that counts what it does, as JavaScript to run from anywhere, and its plan. Prints and throws as above. */
export async function compileInstrumented(path: string): Promise<{ readonly js: string; readonly plan: ProgramPlan }> {
  const { text, plan } = compiled(path, { instrument: true });
  return { js: await bundle(`${path}.ts`, text), plan };
}

function compiled(path: string, how: CompileHow): { readonly text: string; readonly plan: ProgramPlan } {
  const { text, plan, diagnostics } = compilePath(path, how);
  if (diagnostics.length > 0) {
    process.stderr.write(formatDiagnostics(diagnostics, { color: wantsColor(process.stderr, process.env) }));
  }
  if (text === undefined || plan === undefined) throw new CompileFailed(path);
  return { text, plan };
}

/** The errors were printed with their places already. */
export class CompileFailed extends IrisError {
  constructor(path: string) {
    super(ExitCode.USAGE, `${path}: not compiled`);
  }
}

interface CompileHow {
  readonly instrument?: boolean;
  readonly files?: AnalysisHost;
}

/** All stages of a filter file, without writing anything. Throws IrisError when the file cannot be read. */
export function compilePath(path: string, how: CompileHow = {}): Compilation {
  return compile(readSource(path), {
    instrument: how.instrument === true,
    files: how.files ?? nodeHost(),
    templates: readTemplates(),
    version: packageVersion(),
    parsers: PARSERS.map((parser) => parser.name),
  });
}

function readSource(path: string): SourceFile {
  if (!existsSync(path)) throw new IrisError(ExitCode.USAGE, `${path}: no such file`, nearbyFilter(path));
  if (statSync(path).isDirectory()) {
    throw new IrisError(ExitCode.USAGE, `${path}: is a folder`, 'give the filter file itself, such as video.iris');
  }
  if (!path.endsWith('.iris')) {
    throw new IrisError(
      ExitCode.USAGE,
      `${path}: is not called .iris`,
      'filter files end in .iris, and modules are named after them',
    );
  }
  try {
    return { path, text: new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(path)) };
  } catch (error) {
    const what = error instanceof TypeError ? 'is not UTF-8 text' : systemError(error);
    throw new IrisError(ExitCode.USAGE, `${path}: ${what}`);
  }
}

function nearbyFilter(path: string): string | undefined {
  return existsSync(`${path}.iris`) ? `did you mean ${path}.iris?` : undefined;
}

function systemError(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (code === 'EACCES' || code === 'EPERM') return 'no permission';
  return error instanceof Error ? error.message : String(error);
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

function write(path: string, content: string): void {
  try {
    writeFileSync(path, content);
  } catch (error) {
    throw new IrisError(ExitCode.USAGE, `${path}: cannot be written: ${systemError(error)}`);
  }
}

function readTemplates(): Templates {
  const folder = join(nodeHost().packageRoot, 'templates');
  const entries = TEMPLATES.map((name) => [name, readFileSync(join(folder, `${name}.hbs`), 'utf8')]);
  return Object.fromEntries(entries) as Templates;
}

/** The module and the user's own files as one JavaScript file; packages stay imports. */
async function bundle(path: string, text: string): Promise<string> {
  const { build } = await import('esbuild');
  const folder = resolve(dirname(path));
  try {
    const result = await build({
      stdin: { contents: text, sourcefile: basename(path), resolveDir: folder, loader: 'ts' },
      absWorkingDir: folder,
      bundle: true,
      format: 'esm',
      platform: 'node',
      target: 'node20',
      packages: 'external',
      external: ['iris-ts/*'],
      tsconfigRaw: {},
      write: false,
      logLevel: 'silent',
      legalComments: 'none',
    });
    return result.outputFiles[0]?.text ?? '';
  } catch (error) {
    throw bundleError(path, error);
  }
}

interface BuildMessage {
  readonly text: string;
  readonly location: { readonly file: string; readonly line: number; readonly column: number } | null;
}

/** What esbuild finds wrong is in the user's own files. */
function bundleError(path: string, error: unknown): unknown {
  if (!(error instanceof Error) || !('errors' in error)) return error;
  const [first] = error.errors as readonly BuildMessage[];
  if (first === undefined) return error;
  const { location, text } = first;
  const place =
    location === null
      ? path
      : `${relative('.', join(dirname(path), location.file))}:${location.line}:${location.column + 1}`;
  return new IrisError(ExitCode.USAGE, `${place}: ${text}`);
}

interface Flags {
  readonly check: boolean;
  readonly quiet: boolean;
  readonly watch: boolean;
}

const EXAMPLES = `
Examples:
  $ iris-compile sni.iris                   writes sni.iris.ts and sni.iris.js
  $ iris-compile --watch sni.iris           and again at every change of it, its sets and its TypeScript
  $ iris-compile --check filters/*.iris     exits with 1 if any of them would change (for CI)

Exit codes: 0 done, 1 the filter or the code it uses is wrong, or --check found a difference.`;

/** The command, under the name it has for its user. Its action sets `process.exitCode`. */
export function compileCommand(name: 'compile' | 'iris-compile' = 'compile'): Command {
  return new Command(name)
    .description('Compile filter files to typed TypeScript modules and JavaScript.')
    .argument('<files...>', 'filter files (.iris)')
    .option('--check', 'write nothing; fail if a file would change', false)
    .option('--watch', 'go on: compile again whenever a filter, or a file that it uses, changes', false)
    .option('--quiet', 'print nothing but errors', false)
    .showHelpAfterError('(--help shows what there is)')
    .addHelpText('after', EXAMPLES)
    .action(async (files: readonly string[], flags: Flags) => {
      if (flags.watch) {
        process.exitCode = await watch(files, flags);
        return;
      }
      let code: number = ExitCode.OK;
      for (const file of files) code = Math.max(code, await compileOne(file, flags));
      process.exitCode = code;
    });
}

/** Compiles every file, and again those that a change concerns, until a signal ends it. */
async function watch(files: readonly string[], flags: Flags): Promise<number> {
  if (flags.check) return printError(new IrisError(ExitCode.USAGE, '--watch writes files, and --check does not'));
  const { watchFiles } = await import('./watch.ts');
  await Promise.all(
    files.map((file) =>
      watchFiles(async () => {
        const { host, asked } = recordingHost();
        await compileOne(file, flags, host);
        return new Set([resolve(file), ...asked]);
      }),
    ),
  );
  return ExitCode.OK;
}

async function compileOne(file: string, flags: Flags, host?: AnalysisHost): Promise<number> {
  try {
    const { ts, js, changed } = await compileFile(file, { check: flags.check, ...(host && { files: host }) });
    if (flags.check) {
      for (const path of changed) process.stderr.write(`${path}: not up to date\n`);
      return changed.length === 0 ? ExitCode.OK : ExitCode.USAGE;
    }
    if (!flags.quiet)
      process.stdout.write(changed.length === 0 ? `${ts}, ${js}: unchanged\n` : `wrote ${changed.join(', ')}\n`);
    return ExitCode.OK;
  } catch (error) {
    return error instanceof CompileFailed ? error.exitCode : printError(error);
  }
}
