/**
 * The analysis of TypeScript files: what the names of `use` statements are, and what the built-in data types are. The
 * only room of the compiler that knows ts-morph; what leaves it is plain data.
 */
import { ts } from 'ts-morph';
import type { SourceFile } from '../language/ast.ts';
import type { Diagnostic } from '../language/diagnostic.ts';
import type { CheckEnvironment, UsedName, UseResolution } from '../language/environment.ts';
import { createClassReader } from './classes.ts';
import { type ColumnOptions, type ColumnsRefused, type CompiledColumns, compileColumns } from './columns.ts';
import { createFunctionReader } from './functions.ts';
import { type AnalysisHost, folderOf, joinPath } from './host.ts';
import type { DataTypeInfo, Declared } from './info.ts';
import { createMarkReader } from './marks.ts';
import {
  createModules,
  declarationsOf,
  isTypeOnly,
  type Module,
  type Resolved,
  RUNTIME_MODULE,
  spanOf,
} from './modules.ts';
import { createReport } from './report.ts';
import { createSignatureReader } from './signatures.ts';

export interface Analysis extends CheckEnvironment {
  /**
   * Places the fields of a data type of kind `columns` from word `base` of the record on, and compiles its `@on` methods.
   * Undefined for types of other kinds.
   */
  columns(info: DataTypeInfo, options: ColumnOptions): CompiledColumns | undefined;
}

/** The analysis for the filter file at `path`; the generated module will lie beside it. */
export function createAnalysis(host: AnalysisHost, path: string): Analysis {
  const folder = folderOf(path);
  const report = createReport();
  const modules = createModules(host, report);
  const marks = createMarkReader(modules, report);
  const runtime = modules.load(joinPath(host.packageRoot, 'runtime/runtime.ts'));
  const dataTypes = new Map<string, DataTypeInfo>();
  const read = new Map<ts.Node, DataTypeInfo | undefined>();
  let told = 0;
  let libraryNames: readonly string[] | undefined;

  const signatures = createSignatureReader(
    modules,
    { dataTypeOf, typeNames: () => [...dataTypeNames(), ...dataTypes.keys()] },
    report,
  );
  const classes = createClassReader({
    modules,
    marks,
    signatures,
    report,
    folder,
    known: (name) => dataTypes.get(name),
  });
  const functions = createFunctionReader(modules, marks, signatures, report, (name) => dataTypes.get(name));

  function dataTypeOf(resolved: Resolved): DataTypeInfo | undefined {
    if (read.has(resolved.node)) return read.get(resolved.node);
    // A type whose constructor or method names itself is not known yet.
    read.set(resolved.node, undefined);
    const info = classes.dataType(resolved, classes.mark(resolved));
    read.set(resolved.node, info);
    if (info === undefined) return undefined;
    const other = dataTypes.get(info.name);
    if (other === undefined) {
      dataTypes.set(info.name, info);
    } else {
      const message = `there are two data types \`${info.name}\``;
      report.error('duplicate-type', info, message, 'give one of them another name', [
        { message: 'the other', ...other },
      ]);
    }
    return info;
  }

  function dataType(name: string, seenFrom?: Declared): DataTypeInfo | undefined {
    const known = dataTypes.get(name);
    // What a user's file declares is known to that file, and by `use` alone to others.
    if (known !== undefined) return seenFrom !== undefined || known.module === RUNTIME_MODULE ? known : undefined;
    const resolved = runtime === undefined ? undefined : modules.resolveExport(runtime, name);
    return resolved === undefined ? undefined : dataTypeOf(resolved);
  }

  function dataTypeNames(): readonly string[] {
    if (libraryNames === undefined && runtime !== undefined) {
      libraryNames = modules.exportNames(runtime).filter((name) => {
        const resolved = /^[A-Z]/.test(name) ? modules.resolveExport(runtime, name) : undefined;
        return resolved !== undefined && classes.isDataType(resolved);
      });
    }
    return libraryNames ?? [];
  }

  function resolveUse(from: string, names: readonly string[]): UseResolution {
    const target = from === RUNTIME_MODULE ? runtime : modules.load(joinPath(folder, from));
    if (target === undefined) return missingFile(from);
    const isBroken = (one: Diagnostic): boolean => one.code === 'typescript-syntax' && one.file === target.source;
    const broken = report.diagnostics.some(isBroken);
    if (broken && report.diagnostics.findIndex(isBroken) < told)
      return { error: `\`${target.source.path}\` has syntax errors` };
    const found = new Map<string, UsedName>();
    for (const name of broken ? [] : names) {
      const used = usedName(target, name, from);
      if (used !== undefined) found.set(name, used);
    }
    // Each problem is told once, with the first `use` that meets it.
    const diagnostics = report.diagnostics.slice(told);
    told = report.diagnostics.length;
    return { names: found, exported: modules.exportNames(target), diagnostics };
  }

  function missingFile(from: string): UseResolution {
    const nearby = /\.(js|mjs|ts)$/.test(from) ? from.replace(/\.(js|mjs)$/, '.ts') : `${from}.ts`;
    const exists = nearby !== from && host.readFile(joinPath(folder, nearby)) !== undefined;
    const error = `there is no file \`${joinPath(folder, from)}\``;
    return exists ? { error, suggestion: `did you mean \`${nearby}\`?` } : { error };
  }

  function usedName(module: Module, name: string, from: string): UsedName | undefined {
    const resolved = modules.resolveExport(module, name);
    if (resolved === undefined) return notExported(module, name);
    const { node } = resolved;
    const [twin] = declarationsOf(resolved.module.node, resolved.name).filter((other) => other !== node);
    if (twin !== undefined) {
      const { source: file } = resolved.module;
      report.error(
        'duplicate-name',
        { file, span: spanOf(node.name ?? node) },
        `\`${resolved.name}\` is declared twice`,
        undefined,
        [{ message: 'the other is here', file, span: spanOf(twin.name ?? twin) }],
      );
    }
    const declared: Declared = { name, module: from, file: resolved.module.source, span: spanOf(node.name ?? node) };
    if (ts.isVariableDeclaration(node)) {
      const call = marks.filterCall(resolved.module, node);
      if (call !== undefined) {
        const info = functions.filter(declared, resolved.module, call);
        return info === undefined ? undefined : { is: 'filter', info };
      }
    }
    const own = ts.isClassDeclaration(node) ? classes.staticFilters(declared, resolved) : [];
    const filters = own.length === 0 ? {} : { filters: own };
    if (ts.isClassDeclaration(node)) {
      const mark = classes.mark(resolved);
      if (mark?.name === 'callback') {
        const info = classes.callback(declared, resolved);
        return info === undefined ? undefined : { is: 'callback', info, ...filters };
      }
      if (mark?.name === 'filter') {
        const info = classes.filter(declared, resolved, mark);
        return info === undefined ? undefined : { is: 'filter', info, ...filters };
      }
    }
    const info = dataTypeOf(resolved);
    if (info !== undefined) return { is: 'dataType', info, ...filters };
    if (own.length > 0) return { is: 'filters', filters: own };
    const callback = functions.callback(declared, resolved);
    if (callback !== undefined) return { is: 'callback', info: callback };
    if (ts.isClassDeclaration(node)) {
      const hint =
        'mark the class `@callback`, `@datatype` or `@filter`, or static methods of it `@filter({ at: LEVEL })`';
      report.error('not-marked', declared, `the class \`${name}\` says nothing of what it is`, hint);
    } else if (isTypeOnly(node)) {
      report.error('type-only', declared, `\`${name}\` is only a type: there is nothing to call`);
    } else {
      report.error('not-callable', declared, `\`${name}\` is neither a function nor a class`);
    }
    return undefined;
  }

  /** Says why a name that the file knows cannot be used; the checker reports those it does not know at all. */
  function notExported(module: Module, name: string): undefined {
    const local = modules.resolve(module, name);
    if (local === undefined) return undefined;
    const place = { file: local.module.source, span: spanOf(local.node.name ?? local.node) };
    if (module.defaultExport === name) {
      report.error(
        'default-export',
        place,
        `\`${name}\` is the default export`,
        `export it by its name: export { ${name} }`,
      );
    } else {
      report.error('not-exported', place, `\`${name}\` is not exported`, 'write `export` before it');
    }
    return undefined;
  }

  function columns(info: DataTypeInfo, options: ColumnOptions): CompiledColumns | undefined {
    const source = classes.columnsOf(info);
    if (source === undefined) return undefined;
    const compiled: CompiledColumns | ColumnsRefused = compileColumns(source, options);
    if ('reason' in compiled) throw new Error(`columns of ${info.name} compiled before: ${compiled.reason}`);
    return compiled;
  }

  function readText(path: string): SourceFile | { readonly error: string } {
    const whole = joinPath(folder, path);
    const text = host.readFile(whole);
    return text === undefined ? { error: `there is no file \`${whole || path}\`` } : { path: whole, text };
  }

  return { resolveUse, dataType, dataTypeNames, readText, columns };
}
