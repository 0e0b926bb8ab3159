/** Calls of users' filters: those asked once, where their test stands, and those asked at their levels until they decide. */
import type { FilterInfo, Level } from '../analysis/info.ts';
import type { AskPlan } from '../plan/asks.ts';
import { type Literal, pendingFilter } from '../plan/atom.ts';
import { canBeHad, type FilterRun, protocolOfSession, runsOf } from '../plan/filters.ts';
import type { Step } from '../plan/threads.ts';
import type { Context } from './context.ts';
import { filterKey } from './instances.ts';
import { RUNTIME } from './scope.ts';
import { type Condition, protocolNumber } from './tests.ts';
import { pascalCase, stringLiteral } from './text.ts';
import { argumentsOf, type Input, inputs, parameterList, typeByName } from './values.ts';
import { lines, type NodeView } from './view.ts';

/** A filter that is asked where its test stands: over the first packet, the packet at hand, or a session. */
export function userCondition(literal: Literal, level: Level, given: readonly Input[], context: Context): Condition {
  const { predicate } = literal.atom;
  if (predicate.kind !== 'user') throw new TypeError('not a filter of the user');
  const { filter } = predicate;
  const { scope } = context;
  const name = scope.helper(
    `ask ${filterKey(filter)} ${given.join()}`,
    `ask${pascalCase(filter.name)}`,
    `The filter ${filter.name}.`,
    true,
    (own) => {
      const own_ = askedLines(filter, level, context);
      return [
        `function ${own}(${unused(given, own_)}): boolean {`,
        '  try {',
        ...own_.map((line) => `    ${line}`),
        '  } catch (error) {',
        `    core.userError(${stringLiteral(filter.name)}, ${given.includes('c') ? 'c' : '0'}, error)`,
        '    return false',
        '  }',
        '}',
      ];
    },
  );
  const code = `${name}(${given.join(', ')})`;
  return literal.positive ? { code, negated: `!${code}` } : { code: `!${code}`, negated: code };
}

/** Statements that ask once: a class is made for it, and thrown away. */
function askedLines(filter: FilterInfo, level: Level, context: Context): readonly string[] {
  const said = context.scope.value(RUNTIME, 'verdict');
  const called = calledName(filter, context);
  const out: string[] = [];
  const own =
    filter.kind === 'class' ? argumentsOf(typesOf(filter.params, context), level, context, 'return false') : undefined;
  if (own !== undefined) out.push(...own.before, `const own = new ${called}(${own.list})`);
  const runs = runsOf(filter).filter((run) => run.level === level);
  const calls = runs.map((run) => {
    const given = argumentsOf(typesOf(run.params, context), level, context, 'return false');
    out.push(...given.before);
    return `${said}(${run.method === undefined ? called : `own.${run.method}`}(${given.list})) === 1`;
  });
  const session = runs.flatMap(({ params }) => params.flatMap(({ type }) => protocolOfSession(type) ?? []))[0];
  if (session !== undefined && context.plan.parsers.length > 1) {
    out.unshift(`if (session.proto !== ${protocolNumber(session, context.scope)}) return false`);
  }
  return [...out, `return ${calls.join(' || ')}`];
}

/** The function or class of a filter, as generated code names it. */
function calledName({ module, name, staticOf }: FilterInfo, { scope }: Context): string {
  return staticOf === undefined
    ? scope.value(module, name)
    : scope.value(module, staticOf) + name.slice(staticOf.length);
}

const typesOf = (params: FilterRun['params'], context: Context) => params.map(({ type }) => typeByName(type, context));

/** Parameters of a function; those that its body does not read get an underscore. */
function unused(given: readonly Input[], body: readonly string[]): string {
  const read = body.join('\n');
  const names = parameterList(given).split(', ');
  return names
    .map((text, i) => (given[i] === 'c' || new RegExp(`\\b${given[i]}\\b`).test(read) ? text : `_${text}`))
    .join(', ');
}

/** Filters that have not decided are asked; threads that wait for them go on or end. Over the local `live`. */
export function askNodes(level: Level, context: Context): readonly NodeView[] {
  const { live } = context;
  return context.plan.asks
    .filter((ask) => ask.level === level)
    .map((ask) => {
      const ends = (steps: readonly Step[]): readonly string[] => {
        const moved = steps.flatMap(({ thread, next }) => {
          if (next === undefined) return [];
          const [set = ''] = live.set('live', [next]);
          return steps.length === 1 ? [set] : [`if (${live.any('live', [thread])}) ${set}`];
        });
        return [...moved, ...live.clear('live', ask.threads)];
      };
      const name = askFunction(ask, context);
      const said = context.scope.names.take(`said${pascalCase(ask.filter.name)}`);
      return {
        template: 'branch',
        arms: [
          {
            head: `if (${live.any('live', ask.threads)}) {`,
            nodes: [
              lines(`const ${said} = ${name}`),
              {
                template: 'branch',
                arms: [
                  { head: `if (${said} === 1) {`, nodes: [lines(...ends(ask.accepted))] },
                  { head: `} else if (${said} === 0) {`, nodes: [lines(...ends(ask.dropped))] },
                ],
              },
            ],
          },
        ],
      };
    });
}

/** The call of the function that asks a filter at a level; the function is made with its first call. */
function askFunction({ filter, level }: AskPlan, context: Context): string {
  const runs = runsOf(filter).filter((run) => run.level === level);
  const suffix = filter.levels.length > 1 ? level : '';
  const bodies = runs.map((run) => runLines(filter, run, context));
  const given = inputs('c', ...bodies.flatMap((body) => body.uses));
  const name = context.scope.helper(
    `ask ${filterKey(filter)} at ${level}`,
    `ask${pascalCase(filter.name)}${suffix}`,
    `The filter ${filter.name} at ${level}: 1 it accepts, 0 it drops, -1 it does not know yet.`,
    true,
    (own) => {
      const head =
        filter.kind === 'function'
          ? []
          : [
              `  const own = ${context.instances.get(filterKey(filter))?.accessor ?? ''}(c)`,
              '  if (own === undefined) return 0',
            ];
      return [
        `function ${own}(${parameterList(given)}): number {`,
        ...head,
        '  try {',
        ...bodies.flatMap((body) => body.lines.map((line) => `    ${line}`)),
        ...(bodies.some((body) => body.sure) ? [] : ['    return -1']),
        '  } catch (error) {',
        `    core.userError(${stringLiteral(filter.name)}, c, error)`,
        '    return 0',
        '  }',
        '}',
      ];
    },
  );
  return `${name}(${given.join(', ')})`;
}

interface Body {
  readonly lines: readonly string[];
  readonly uses: readonly Input[];
  /** Returns in any case. */
  readonly sure: boolean;
}

/** One call of a filter: the last one's word is final, an earlier one's only if it decides. */
function runLines(filter: FilterInfo, run: FilterRun, context: Context): Body {
  const { scope, plan } = context;
  const verdict = scope.value(RUNTIME, 'verdict');
  const types = typesOf(run.params, context);
  const given = argumentsOf(types, run.level, context, 'return -1');
  const called = run.method === undefined ? calledName(filter, context) : `own.${run.method}`;
  const said = `${verdict}(${called}(${given.list}))`;
  const conditions: string[] = [];
  let { uses } = given;
  if (run.level === 'L7EndHdrs') {
    const fits = plan.parsers.filter((protocol) => canBeHad(run.params, protocol));
    if (fits.length < plan.parsers.length) {
      conditions.push(fits.map((protocol) => `session.proto === ${protocolNumber(protocol, scope)}`).join(' || '));
      uses = inputs(...uses, 'session');
    }
  }
  const missing = given.before.filter((line) => line.startsWith('if ('));
  const taken = given.before.filter((line) => !line.startsWith('if ('));
  conditions.push(...missing.map((line) => line.replace(/^if \((\w+) === undefined\).*$/, '$1 !== undefined')));
  const last = runsOf(filter)
    .filter((one) => one.level === run.level)
    .at(-1);
  const isLast = last?.method === run.method;
  if (conditions.length === 0 && isLast) return { lines: [...taken, `return ${said}`], uses, sure: true };
  const local = scope.names.take('said');
  const test = conditions.length === 0 ? [] : [`if (${conditions.join(' && ')}) {`];
  const inner = [`const ${local} = ${said}`, `if (${local} >= 0) return ${local}`];
  if (test.length === 0) return { lines: [...taken, ...inner], uses, sure: false };
  return { lines: [...taken, ...test, ...inner.map((line) => `  ${line}`), '}'], uses, sure: false };
}

/** Threads with a filter that, later than at L7EndHdrs, asks for a session: it is kept for them. */
export function keepsFor(protocol: string, context: Context) {
  return context.plan.threads.filter((thread) =>
    thread.rest.some((literal) => {
      const filter = pendingFilter(literal);
      if (filter === undefined) return false;
      return runsOf(filter).some(
        (run) => run.level !== 'L7EndHdrs' && run.params.some(({ type }) => protocolOfSession(type)?.name === protocol),
      );
    }),
  );
}
