/** The `subscribe` statements: who handles them, with which data, at which levels, under which condition. */
import { type CallbackInfo, type DataTypeInfo, LEVELS, type Level } from '../analysis/info.ts';
import { findProtocol } from '../catalog/catalog.ts';
import { didYouMean } from '../catalog/suggest.ts';
import type { FilterFile, Ident, SourceFile, Span, SubscribeStatement } from './ast.ts';
import { checkClass } from './callback-class.ts';
import { type CheckEnvironment, kindOfName } from './environment.ts';
import type { Expressions } from './expressions.ts';
import {
  conjunctionProblem,
  dataProblem,
  inferLevel,
  type LevelQuestion,
  levelProblem,
  suitableLevels,
} from './levels.ts';
import { type Details, listNames, type Report } from './report.ts';
import { isReservedWord } from './reserved-words.ts';
import { alternatives, type Conjunction, findConflict, type Literal } from './satisfiable.ts';
import type { Scope } from './scope.ts';
import { oneLine } from './source-text.ts';
import type { TypedExpr, TypedParam, TypedSubscription } from './typed.ts';

export interface Subscriptions {
  /** The typed subscriptions; those with an error are left out. */
  check(ast: FilterFile): readonly TypedSubscription[];
}

/** What a subscription asks for: its parameters, and for a class where its methods are called. */
interface Handler {
  readonly params: readonly TypedParam[];
  readonly callback: CallbackInfo | undefined;
}

export function createSubscriptions(
  file: SourceFile,
  scope: Scope,
  expressions: Expressions,
  env: CheckEnvironment,
  report: Report,
): Subscriptions {
  function check(ast: FilterFile): readonly TypedSubscription[] {
    const statements = ast.statements.filter((statement) => statement.kind === 'subscribe');
    if (statements.length === 0 && ast.broken.length === 0) {
      report.error(
        'no-subscription',
        { start: 0, end: 0 },
        'this file subscribes to nothing: it has no `subscribe` statement',
      );
    }
    const names = new Map<string, Ident>();
    return statements.flatMap((statement) => {
      checkName(statement, names);
      return subscription(statement) ?? [];
    });
  }

  function checkName({ name, params }: SubscribeStatement, names: Map<string, Ident>): void {
    const before = names.get(name.name);
    if (before !== undefined) {
      const notes = [{ message: 'the first one is here', file, span: before.span }];
      const suggestion = params === undefined ? 'join their conditions with `or`' : undefined;
      report.error('duplicate-name', name.span, `there are two subscriptions named \`${name.name}\``, {
        notes,
        suggestion,
      });
      return;
    }
    names.set(name.name, name);
    if (params === undefined) return;
    const used = scope.used.get(name.name);
    if (used !== undefined) {
      scope.touch(name.name);
      const suggestion =
        used.named.is === 'callback' ? `leave out the parameters: \`subscribe ${name.name} when ...\`` : undefined;
      report.error('duplicate-name', name.span, `\`${name.name}\` is imported from "${used.from}"`, { suggestion });
    } else if (isReservedWord(name.name)) {
      report.error(
        'reserved-name',
        name.span,
        `\`${name.name}\` is a reserved word of TypeScript; choose another name`,
      );
    }
  }

  function subscription(statement: SubscribeStatement): TypedSubscription | undefined {
    const { name, when, span } = statement;
    const handler = statement.params === undefined ? importedHandler(statement) : declaredHandler(statement);
    const levels = explicitLevels(statement, handler);
    const typed: TypedExpr | undefined = when === undefined ? { kind: 'true' } : expressions.convert(when);
    const all = typed && alternatives(typed);
    const contradictory = isContradiction(all, handler?.params ?? [], levels ?? [], when?.span ?? name.span);
    if (handler === undefined || levels === undefined || typed === undefined || contradictory) return undefined;
    const methods = isClass(handler.callback)
      ? checkClass(name, handler.callback, handler.params, all, { typed: callbackParams, report })
      : undefined;
    if (isClass(handler.callback) && methods === undefined) return undefined;
    const chosen =
      methods === undefined
        ? pickLevels(statement, handler, levels, all)
        : LEVELS.filter((level) => methods.some((method) => method.levels.includes(level)));
    if (chosen === undefined) return undefined;
    return {
      name: name.name,
      span,
      params: handler.params,
      levels: chosen,
      when: typed,
      callback: handler.callback,
      text: when === undefined ? '' : oneLine(file.text, when.span),
      ...(methods !== undefined && { methods }),
    };
  }

  // Who handles it

  function declaredHandler(statement: SubscribeStatement): Handler | undefined {
    const params: TypedParam[] = [];
    const seen = new Map<string, Span>();
    let failed = false;
    for (const { name, type } of statement.params ?? []) {
      const before = seen.get(name.name);
      if (before !== undefined) {
        const notes = [{ message: 'the first one is here', file, span: before }];
        report.error('duplicate-name', name.span, `there are two parameters named \`${name.name}\``, { notes });
        failed = true;
      } else if (isReservedWord(name.name)) {
        report.error(
          'reserved-name',
          name.span,
          `\`${name.name}\` is a reserved word of TypeScript; choose another name`,
        );
        failed = true;
      }
      seen.set(name.name, name.span);
      scope.touch(type.name);
      const info = dataType(type.name, type.span, {});
      if (info === undefined) failed = true;
      else params.push({ name: name.name, type: info });
    }
    return failed ? undefined : { params, callback: undefined };
  }

  function importedHandler({ name }: SubscribeStatement): Handler | undefined {
    scope.touch(name.name);
    const named = scope.used.get(name.name)?.named;
    if (named?.is === 'callback') {
      const params = callbackParams(named.info, named.info.params);
      return params && { params, callback: named.info };
    }
    if (scope.broken.has(name.name)) return undefined;
    if (named !== undefined) {
      const use = named.is === 'dataType' ? 'use it as the type of a parameter' : 'use it behind `when`';
      report.error('not-a-callback', name.span, `\`${name.name}\` is ${kindOfName(named)}: ${use}`);
      return undefined;
    }
    const callbacks = [...scope.used].filter(([, used]) => used.named.is === 'callback').map(([one]) => one);
    const message = `\`${name.name}\` has no parameters and is not imported, so there is nothing to deliver to it`;
    const help = `import it: \`use { ${name.name} } from "./file.ts"\`, or say what it takes: \`subscribe ${name.name}(conn: ConnRecord) when ...\``;
    report.error('not-a-callback', name.span, message, { suggestion: didYouMean(name.name, callbacks) ?? help });
    return undefined;
  }

  function callbackParams(
    callback: CallbackInfo,
    params: readonly { name: string; type: string; span?: Span }[],
  ): TypedParam[] | undefined {
    const types = params.map(({ type, span }) =>
      dataType(type, span ?? callback.span, { file: callback.file }, callback),
    );
    const known = types.filter((type) => type !== undefined);
    if (known.length < params.length) return undefined;
    return params.flatMap(({ name }, i) => {
      const type = types[i];
      return type === undefined ? [] : [{ name, type }];
    });
  }

  function dataType(name: string, span: Span, details: Details, seenFrom?: CallbackInfo): DataTypeInfo | undefined {
    const used = scope.used.get(name)?.named;
    if (used?.is === 'dataType') return used.info;
    const info = env.dataType(name, seenFrom);
    if (info !== undefined || scope.broken.has(name)) return info;
    if (used !== undefined) {
      report.error('unknown-type', span, `\`${name}\` is ${kindOfName(used)}, not a data type`, details);
      return undefined;
    }
    const own = [...scope.used].filter(([, one]) => one.named.is === 'dataType').map(([one]) => one);
    const suggestion = didYouMean(name, [...own, ...env.dataTypeNames()]);
    report.error('unknown-type', span, `there is no data type \`${name}\``, { ...details, suggestion });
    return undefined;
  }

  // Where it is delivered

  /** The levels as written; undefined after reporting what is wrong with them. */
  function explicitLevels({ levels }: SubscribeStatement, handler: Handler | undefined): readonly Level[] | undefined {
    const found: Level[] = [];
    let failed = false;
    for (const { name, span } of levels) {
      const level = LEVELS.find((one) => one === name);
      if (level === undefined) {
        const suggestion = didYouMean(name, LEVELS) ?? `there are ${listNames(LEVELS, 'and')}`;
        report.error('unknown-level', span, `there is no level \`${name}\``, { suggestion });
        failed = true;
      } else if (found.includes(level)) report.warning('duplicate-level', span, `\`${name}\` is named twice`);
      else found.push(level);
    }
    const [first] = levels;
    if (first !== undefined && isClass(handler?.callback)) {
      const message = `\`${handler?.callback?.name}\` is a class: its methods say with \`@on\` where they are called`;
      report.error('level', first.span, message, { suggestion: 'leave out `at`' });
      failed = true;
    }
    return failed ? undefined : found;
  }

  function pickLevels(
    statement: SubscribeStatement,
    { params, callback }: Handler,
    levels: readonly Level[],
    all: readonly Conjunction[] | undefined,
  ): readonly Level[] | undefined {
    const question: LevelQuestion = { params, alternatives: all };
    if (levels.length === 0) return inferredLevel(statement, question);
    let failed = false;
    for (const [i, level] of levels.entries()) {
      const span = statement.levels[i]?.span ?? statement.name.span;
      const problem = levelProblem(question, level);
      if (problem !== undefined) {
        const suggestion = wouldDo(suitableLevels(question));
        const notes = askedFor(callback, params, level, problem);
        report.error('level', span, problem, { suggestion, ...(notes.length > 0 && { notes }) });
        failed = true;
      } else warnOfLateParts(all ?? [], level, span);
    }
    return failed ? undefined : levels;
  }

  /** Where an imported function asks for the data that makes the problem. */
  function askedFor(
    callback: CallbackInfo | undefined,
    params: readonly TypedParam[],
    level: Level,
    problem: string,
  ): NonNullable<Details['notes']> {
    const own = params.findIndex(({ type }) => dataProblem(type, level) === problem);
    const param = callback?.params[own];
    return callback === undefined || param === undefined
      ? []
      : [{ message: 'asked for here', file: callback.file, span: param.span }];
  }

  function inferredLevel({ name, params }: SubscribeStatement, question: LevelQuestion): readonly Level[] | undefined {
    const inferred = inferLevel(question);
    if ('level' in inferred) return [inferred.level];
    const span = name.span;
    const where = params === undefined ? name.name : `${name.name}(...)`;
    if ('choices' in inferred) {
      const because = inferred.because === undefined ? '' : `; ${inferred.because}`;
      const message = `where \`${name.name}\` is delivered cannot be told from its data: ${listNames(inferred.choices, 'or')} would do${because}`;
      report.error('level', span, message, {
        suggestion: `say which: \`subscribe ${where} at ${inferred.choices[0]} when ...\``,
      });
    } else {
      report.error(
        'level',
        span,
        `there is no level at which \`${name.name}\` could be delivered: ${inferred.reasons.join('; ')}`,
      );
    }
    return undefined;
  }

  function warnOfLateParts(all: readonly Conjunction[], level: Level, span: Span): void {
    for (const literals of all) {
      const problem = conjunctionProblem(literals, level);
      if (problem !== undefined)
        report.warning('level', span, `part of the condition never holds at ${level}: ${problem}`);
    }
  }

  function wouldDo(levels: readonly Level[]): string | undefined {
    return levels.length === 0 ? undefined : `${listNames(levels, 'or')} would do`;
  }

  // What can hold at all

  /** Reports a condition that nothing satisfies, alone or together with what data and level imply. */
  function isContradiction(
    all: readonly Conjunction[] | undefined,
    params: readonly TypedParam[],
    levels: readonly Level[],
    span: Span,
  ): boolean {
    if (all === undefined) return false;
    const conflict = findConflict(all);
    if (conflict !== undefined) {
      const outside = conflict.literals.filter(
        ({ predicate }) => predicate.span.start < span.start || predicate.span.end > span.end,
      );
      const notes = outside.map(({ predicate }) => ({ message: 'from here', file, span: predicate.span }));
      report.error(
        'unsatisfiable',
        span,
        `nothing can satisfy this: ${conflict.reason}`,
        notes.length > 0 ? { notes } : {},
      );
      return true;
    }
    const implied = impliedLiterals(params, levels, span);
    if (implied.length === 0) return false;
    const own = findConflict([implied.map(({ literal }) => literal)]);
    const withOwn = own ?? findConflict(all.map((literals) => [...literals, ...implied.map(({ literal }) => literal)]));
    if (withOwn === undefined) return false;
    const why = implied.map(({ because }) => because).join('; ');
    report.error('unsatisfiable', span, `nothing can satisfy this: ${withOwn.reason}; ${why}`);
    return true;
  }

  return { check };
}

function isClass(callback: CallbackInfo | undefined): callback is CallbackInfo {
  return callback?.kind === 'class';
}

/** Protocols that a subscription asks for by its data and its levels rather than by its condition. */
function impliedLiterals(
  params: readonly TypedParam[],
  levels: readonly Level[],
  span: Span,
): { literal: Literal; because: string }[] {
  const implied: { literal: Literal; because: string }[] = [];
  const add = (name: string | undefined, because: string) => {
    const protocol = name === undefined ? undefined : findProtocol(name);
    if (protocol !== undefined)
      implied.push({ literal: { predicate: { kind: 'protocol', protocol, span }, positive: true }, because });
  };
  for (const { type } of params) {
    if (type.kind === 'session') add(type.protocol, `\`${type.name}\` comes from ${type.protocol}`);
  }
  if (levels.length === 1 && levels[0] === 'L4EndHshk') add('tcp', '`L4EndHshk` is the end of the handshake of tcp');
  return implied;
}
