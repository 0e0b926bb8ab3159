/** Reads the decorators of runtime/subscription/decorators.ts, and `filter(level, fn)`, off the syntax. */
import { ts } from 'ts-morph';
import { didYouMean } from '../catalog/suggest.ts';
import { LEVELS, type Level } from './info.ts';
import { hasModifier, type Module, type Modules, RUNTIME_MODULE, spanOf } from './modules.ts';
import type { Report } from './report.ts';

const MARKS = ['datatype', 'callback', 'filter', 'on'] as const;
export type MarkName = (typeof MARKS)[number];

/** One decorator of ours. */
export interface Mark {
  readonly name: MarkName;
  readonly node: ts.Decorator;
  /** Arguments of `@on(…)`, `@datatype({ … })`; none for a bare `@datatype`. */
  readonly args: readonly ts.Expression[];
}

export interface MarkReader {
  /** Our decorators on a class or method, each at most once; others are not ours to judge. */
  read(module: Module, node: ts.ClassDeclaration | ts.MethodDeclaration): readonly Mark[];
  /** The call `filter(…)` that a variable is initialised with. */
  filterCall(module: Module, node: ts.VariableDeclaration): ts.CallExpression | undefined;
  /** State transitions named by string literals. */
  levels(module: Module, args: readonly ts.Expression[]): readonly Level[];
  /** Properties of an options literal, `@datatype({ … })`, of which only `allowed` exist. */
  options(module: Module, mark: Mark, allowed: readonly string[]): ReadonlyMap<string, ts.Expression>;
}

const PLACES: Readonly<Record<MarkName, string>> = {
  datatype: 'a class',
  callback: 'a class',
  filter: 'a class or a static method',
  on: 'a method',
};

function isMisplaced(name: MarkName, node: ts.ClassDeclaration | ts.MethodDeclaration): boolean {
  if (!ts.isMethodDeclaration(node)) return name === 'on';
  return name === 'filter' ? !hasModifier(node, ts.SyntaxKind.StaticKeyword) : name !== 'on';
}

export function createMarkReader(modules: Modules, report: Report): MarkReader {
  /** Our name of a decorator or function, under whatever name the file imported it. */
  function ours(module: Module, name: ts.Expression): MarkName | undefined {
    if (!ts.isIdentifier(name)) return undefined;
    const local = module.locals.get(name.text);
    if (local === undefined) {
      const meant = MARKS.find((mark) => mark === name.text);
      if (meant === undefined) return undefined;
      report.error(
        'not-imported',
        { file: module.source, span: spanOf(name) },
        `\`${meant}\` is not imported`,
        `import { ${meant} } from '${RUNTIME_MODULE}'`,
      );
      return meant;
    }
    const resolved = modules.resolve(module, name.text);
    return resolved?.module.builtIn === true ? MARKS.find((mark) => mark === resolved.name) : undefined;
  }

  function read(module: Module, node: ts.ClassDeclaration | ts.MethodDeclaration): readonly Mark[] {
    const marks: Mark[] = [];
    for (const decorator of ts.getDecorators(node) ?? []) {
      const { expression } = decorator;
      const called = ts.isCallExpression(expression);
      const name = ours(module, called ? expression.expression : expression);
      if (name === undefined) continue;
      const place = { file: module.source, span: spanOf(decorator) };
      if (isMisplaced(name, node)) {
        report.error('misplaced-decorator', place, `\`@${name}\` belongs on ${PLACES[name]}`);
      } else if (marks.some((mark) => mark.name === name)) {
        report.error('duplicate-decorator', place, `\`@${name}\` stands here twice`);
      } else {
        marks.push({ name, node: decorator, args: called ? expression.arguments : [] });
      }
    }
    if (marks.length > 1) {
      const names = marks.map((mark) => `\`@${mark.name}\``).join(' and ');
      const place = { file: module.source, span: spanOf(marks[1].node) };
      const what = ts.isMethodDeclaration(node) ? 'method' : 'class';
      report.error('conflicting-decorators', place, `a ${what} is one of ${names}, not both`);
    }
    return marks;
  }

  function filterCall(module: Module, node: ts.VariableDeclaration): ts.CallExpression | undefined {
    const call = node.initializer;
    if (call === undefined || !ts.isCallExpression(call)) return undefined;
    return ours(module, call.expression) === 'filter' ? call : undefined;
  }

  function levels(module: Module, args: readonly ts.Expression[]): readonly Level[] {
    const found: Level[] = [];
    for (const arg of args.flatMap((arg) => (ts.isArrayLiteralExpression(arg) ? [...arg.elements] : [arg]))) {
      const place = { file: module.source, span: spanOf(arg) };
      if (!ts.isStringLiteralLike(arg)) {
        report.error('unknown-level', place, 'a level is written as a string literal', `one of ${LEVELS.join(', ')}`);
        continue;
      }
      const level = LEVELS.find((level) => level === arg.text);
      if (level === undefined) {
        const hint = didYouMean(arg.text, LEVELS) ?? `the levels are ${LEVELS.join(', ')}`;
        report.error('unknown-level', place, `there is no level \`${arg.text}\``, hint);
      } else if (found.includes(level)) {
        report.error('duplicate-level', place, `\`${level}\` stands here twice`);
      } else {
        found.push(level);
      }
    }
    return found;
  }

  function options(module: Module, mark: Mark, allowed: readonly string[]): ReadonlyMap<string, ts.Expression> {
    const found = new Map<string, ts.Expression>();
    if (mark.args.length === 0) return found;
    const [literal] = mark.args;
    if (!ts.isObjectLiteralExpression(literal)) {
      const place = { file: module.source, span: spanOf(literal) };
      report.error('bad-option', place, `\`@${mark.name}\` takes an object literal of options`);
      return found;
    }
    for (const property of literal.properties) {
      const name = property.name !== undefined && ts.isIdentifier(property.name) ? property.name.text : undefined;
      const place = { file: module.source, span: spanOf(property.name ?? property) };
      if (name === undefined || !ts.isPropertyAssignment(property)) {
        report.error('bad-option', place, 'an option is written as `name: literal`');
      } else if (!allowed.includes(name)) {
        const hint = didYouMean(name, allowed) ?? `it knows ${allowed.join(', ')}`;
        report.error('bad-option', place, `\`@${mark.name}\` has no option \`${name}\``, hint);
      } else {
        found.set(name, property.initializer);
      }
    }
    return found;
  }

  return { read, filterCall, levels, options };
}
