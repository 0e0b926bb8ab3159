/**
 * TypeScript files as the analysis sees them: what each declares, imports and exports, by syntax alone. Imports are
 * followed to where a name is declared; nothing is type-checked (the user's editor and `tsc` do that).
 */
import { Project, ts } from 'ts-morph';
import type { SourceFile, Span } from '../language/ast.ts';
import { type AnalysisHost, folderOf, joinPath } from './host.ts';
import type { Report } from './report.ts';

/** The package's public entry, as users and generated modules import it. */
export const RUNTIME_MODULE = 'iris-ts/runtime';

export interface Module {
  readonly source: SourceFile;
  readonly node: ts.SourceFile;
  /** One of the package's own sources. */
  readonly builtIn: boolean;
  readonly locals: ReadonlyMap<string, Local>;
  /** Exported name -> local name, or a name of another module. */
  readonly exports: ReadonlyMap<string, Export>;
  /** Specifiers of `export * from`. */
  readonly stars: readonly string[];
  /** Local name of the default export, `''` when it has none. */
  readonly defaultExport: string | undefined;
}

export type Declaration =
  | ts.ClassDeclaration
  | ts.FunctionDeclaration
  | ts.VariableDeclaration
  | ts.EnumDeclaration
  | ts.InterfaceDeclaration
  | ts.TypeAliasDeclaration;

type Local =
  | { readonly kind: 'declared'; readonly node: Declaration }
  | { readonly kind: 'import'; readonly from: string; readonly name: string };
type Export = { readonly local: string } | { readonly from: string; readonly name: string };

/** A name followed to its declaration. */
export interface Resolved {
  readonly module: Module;
  readonly name: string;
  readonly node: Declaration;
}

/** Everything of a module's top level that declares a value of this name; overloads of a function count once. */
export function declarationsOf(file: ts.SourceFile, name: string): readonly Declaration[] {
  return file.statements.flatMap((statement): readonly Declaration[] => {
    if (ts.isVariableStatement(statement)) {
      return statement.declarationList.declarations.filter((one) => one.name.getText() === name);
    }
    const isValue =
      ts.isClassDeclaration(statement) || (ts.isFunctionDeclaration(statement) && statement.body !== undefined);
    return isValue && statement.name?.text === name ? [statement] : [];
  });
}

export interface Modules {
  /** The module at `path`, read and parsed once; syntax errors are reported. Undefined when there is no such file. */
  load(path: string): Module | undefined;
  /** The module that `specifier` names from `module`; undefined for packages and missing files. */
  follow(module: Module, specifier: string): Module | undefined;
  /** What `name` means inside a module. */
  resolve(module: Module, name: string): Resolved | undefined;
  /** What a module exports under `name`. */
  resolveExport(module: Module, name: string): Resolved | undefined;
  /** All names a module exports. */
  exportNames(module: Module): readonly string[];
}

export function createModules(host: AnalysisHost, report: Report): Modules {
  const project = new Project({
    useInMemoryFileSystem: true,
    skipAddingFilesFromTsConfig: true,
    skipLoadingLibFiles: true,
    skipFileDependencyResolution: true,
    compilerOptions: { noLib: true, noResolve: true, target: ts.ScriptTarget.ESNext },
  });
  const runtimeFolder = joinPath(host.packageRoot, 'runtime');
  const loaded = new Map<string, Module | undefined>();

  function load(path: string): Module | undefined {
    if (loaded.has(path)) return loaded.get(path);
    const text = host.readFile(path);
    const module = text === undefined ? undefined : parse({ path, text });
    loaded.set(path, module);
    return module;
  }

  function parse(source: SourceFile): Module {
    const wrapped = project.createSourceFile(source.path, source.text, { overwrite: true });
    const builtIn = source.path.startsWith(`${runtimeFolder}/`);
    if (!builtIn) {
      for (const fault of project.getProgram().getSyntacticDiagnostics(wrapped)) {
        const start = fault.getStart();
        const text = ts.flattenDiagnosticMessageText(fault.compilerObject.messageText, ' ');
        const span = { start, end: start + Math.max(1, fault.getLength()) };
        report.error('typescript-syntax', { file: source, span }, text.replace(/\.$/, ''));
      }
    }
    return { source, builtIn, ...declarations(wrapped.compilerNode) };
  }

  function follow(module: Module, to: string): Module | undefined {
    if (to === RUNTIME_MODULE) return load(joinPath(runtimeFolder, 'runtime.ts'));
    if (!to.startsWith('.') && !to.startsWith('/')) return undefined;
    const path = joinPath(folderOf(module.source.path), to);
    // TypeScript may name a source by its output.
    return load(path) ?? (path.endsWith('.js') ? load(`${path.slice(0, -3)}.ts`) : load(`${path}.ts`));
  }

  function resolve(module: Module, name: string): Resolved | undefined {
    const local = module.locals.get(name);
    if (local === undefined) return undefined;
    if (local.kind === 'declared') return { module, name, node: local.node };
    const target = follow(module, local.from);
    return target === undefined ? undefined : resolveExport(target, local.name);
  }

  function resolveExport(module: Module, name: string, visited = new Set<Module>()): Resolved | undefined {
    if (visited.has(module)) return undefined;
    visited.add(module);
    if (name === 'default') return module.defaultExport ? resolve(module, module.defaultExport) : undefined;
    const found = module.exports.get(name);
    if (found !== undefined) {
      if ('local' in found) return resolve(module, found.local);
      const target = follow(module, found.from);
      return target === undefined ? undefined : resolveExport(target, found.name, new Set(visited));
    }
    for (const star of module.stars) {
      const target = follow(module, star);
      const inside = target === undefined ? undefined : resolveExport(target, name, visited);
      if (inside !== undefined) return inside;
    }
    return undefined;
  }

  function exportNames(module: Module, visited = new Set<Module>()): readonly string[] {
    if (visited.has(module)) return [];
    visited.add(module);
    const through = module.stars.flatMap((star) => {
      const target = follow(module, star);
      return target === undefined ? [] : exportNames(target, visited);
    });
    return [...module.exports.keys(), ...through];
  }

  return { load, follow, resolve, resolveExport, exportNames };
}

/** Span of a node without the white space and comments before it. */
export function spanOf(node: ts.Node): Span {
  return { start: node.getStart(), end: node.getEnd() };
}

export function hasModifier(node: ts.Node, kind: ts.SyntaxKind): boolean {
  return ts.canHaveModifiers(node) && (ts.getModifiers(node)?.some((modifier) => modifier.kind === kind) ?? false);
}

function declarations(node: ts.SourceFile): Omit<Module, 'source' | 'builtIn'> {
  const locals = new Map<string, Local>();
  const exports = new Map<string, Export>();
  const stars: string[] = [];
  let defaultExport: string | undefined;

  function declare(name: string, declared: Declaration, statement: ts.Node): void {
    // A class and an interface may share a name; the value is what code can use.
    const before = locals.get(name);
    if (before === undefined || !isTypeOnly(declared)) locals.set(name, { kind: 'declared', node: declared });
    if (!hasModifier(statement, ts.SyntaxKind.ExportKeyword)) return;
    if (hasModifier(statement, ts.SyntaxKind.DefaultKeyword)) defaultExport = name;
    else exports.set(name, { local: name });
  }

  for (const statement of node.statements) {
    if (ts.isImportDeclaration(statement)) {
      readImport(statement, locals);
    } else if (ts.isVariableStatement(statement)) {
      for (const variable of statement.declarationList.declarations) {
        if (ts.isIdentifier(variable.name)) declare(variable.name.text, variable, statement);
      }
    } else if (ts.isClassDeclaration(statement) || ts.isFunctionDeclaration(statement)) {
      if (statement.name !== undefined) declare(statement.name.text, statement, statement);
      else if (hasModifier(statement, ts.SyntaxKind.DefaultKeyword)) defaultExport = '';
    } else if (
      ts.isEnumDeclaration(statement) ||
      ts.isInterfaceDeclaration(statement) ||
      ts.isTypeAliasDeclaration(statement)
    ) {
      declare(statement.name.text, statement, statement);
    } else if (ts.isExportAssignment(statement)) {
      defaultExport = ts.isIdentifier(statement.expression) ? statement.expression.text : '';
    } else if (ts.isExportDeclaration(statement)) {
      const from = statement.moduleSpecifier;
      const specifier = from !== undefined && ts.isStringLiteral(from) ? from.text : undefined;
      const clause = statement.exportClause;
      if (clause === undefined) {
        if (specifier !== undefined) stars.push(specifier);
      } else if (ts.isNamedExports(clause)) {
        for (const { name, propertyName } of clause.elements) {
          const original = (propertyName ?? name).text;
          if (name.text === 'default') defaultExport = original;
          else
            exports.set(name.text, specifier === undefined ? { local: original } : { from: specifier, name: original });
        }
      }
    }
  }
  return { node, locals, exports, stars, defaultExport };
}

function readImport(statement: ts.ImportDeclaration, locals: Map<string, Local>): void {
  const clause = statement.importClause;
  if (clause === undefined || !ts.isStringLiteral(statement.moduleSpecifier)) return;
  const from = statement.moduleSpecifier.text;
  if (clause.name !== undefined) locals.set(clause.name.text, { kind: 'import', from, name: 'default' });
  if (clause.namedBindings === undefined || !ts.isNamedImports(clause.namedBindings)) return;
  for (const { name, propertyName } of clause.namedBindings.elements) {
    locals.set(name.text, { kind: 'import', from, name: (propertyName ?? name).text });
  }
}

/** Whether a declaration exists for types alone. */
export function isTypeOnly(node: Declaration): boolean {
  return ts.isInterfaceDeclaration(node) || ts.isTypeAliasDeclaration(node);
}
