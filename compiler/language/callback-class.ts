/**
 * Callback classes: every method gets data of its own at the levels it names, the constructor what is known at the first
 * packet. A method is called from the moment the condition holds; nothing is kept for it from before.
 */
import type { CallbackInfo, Level, UpdateMethod } from '../analysis/info.ts';
import type { Ident, Span } from './ast.ts';
import { conjunctionProblem, dataProblem, PACKET_LEVELS } from './levels.ts';
import type { Report } from './report.ts';
import type { Conjunction } from './satisfiable.ts';
import type { Predicate, TypedMethod, TypedParam } from './typed.ts';

interface Tools {
  /** Parameters with their types; undefined after reporting what is no data type. */
  typed(callback: CallbackInfo, params: Params): readonly TypedParam[] | undefined;
  readonly report: Report;
}
type Params = readonly { readonly name: string; readonly type: string; readonly span?: Span }[];

/** What belongs to one delivery, and cannot be asked for before there is any. */
const OF_A_DELIVERY: readonly string[] = ['FilterStr', 'StateTransition', 'StateTxData', 'SessionProto'];

/** The methods of a class that handles `name`; undefined after reporting what is wrong. */
export function checkClass(
  name: Ident,
  callback: CallbackInfo,
  made: readonly TypedParam[],
  all: readonly Conjunction[] | undefined,
  { typed, report }: Tools,
): readonly TypedMethod[] | undefined {
  const { file } = callback;
  let failed = false;
  const fail = (span: Span, message: string, suggestion?: string): void => {
    report.error('level', span, message, { file, suggestion });
    failed = true;
  };
  if (callback.methods.length === 0) {
    fail(callback.span, `\`${callback.name}\` has no method marked \`@on\`, so nothing would be delivered to it`);
  }
  for (const [i, { type }] of made.entries()) {
    const span = callback.params[i]?.span ?? callback.span;
    const problem = OF_A_DELIVERY.includes(type.name)
      ? `\`${type.name}\` belongs to a delivery`
      : dataProblem(type, 'L4FirstPacket');
    if (problem === undefined) continue;
    const what = 'a constructor is handed what is known at the first packet';
    fail(span, `${what}; ${problem}`, 'ask for it in a method');
  }
  const methods = callback.methods.map((method): TypedMethod => {
    const params = typed(callback, method.params);
    if (params === undefined) failed = true;
    checkMethod(method, params ?? []);
    return { name: method.name, levels: method.levels, params: params ?? [], returns: method.returns };
  });

  function checkMethod(method: UpdateMethod, params: readonly TypedParam[]): void {
    for (const level of method.levels) {
      if (level === 'Packet') {
        fail(method.span, 'Packet delivers single frames outside any connection, and a class is made for a connection');
        continue;
      }
      for (const [i, { type }] of params.entries()) {
        const problem = dataProblem(type, level);
        if (problem !== undefined) fail(method.params[i]?.span ?? method.span, problem);
      }
    }
  }

  if (failed) return undefined;
  const never = neverCalled(methods, all);
  const [first] = never;
  if (first !== undefined && never.length === methods.flatMap((method) => method.levels).length) {
    report.error('level', name.span, first.problem);
    return undefined;
  }
  for (const { method, problem } of never) {
    const span = callback.methods.find((one) => one.name === method)?.span ?? callback.span;
    const message = `\`${method}\` is never called for \`${name.name}\`: ${problem}`;
    report.warning('never-called', span, message, {
      file,
      suggestion: 'a method is called from when the condition holds',
    });
  }
  return methods;
}

/** Methods and levels that come too early for every alternative of the condition, or at which it cannot be tested. */
function neverCalled(
  methods: readonly TypedMethod[],
  all: readonly Conjunction[] | undefined,
): readonly { readonly method: string; readonly problem: string }[] {
  if (all === undefined || all.length === 0) return [];
  return methods.flatMap(({ name, levels }) =>
    levels.flatMap((level) => {
      const problems = all.map((literals) => conjunctionProblem(literals, level));
      const [problem] = problems;
      // The order of most levels is not fixed: what may be known in time is not warned of.
      const surely = problem !== undefined && !problems.includes(undefined) && isHopeless(all, level);
      return surely ? [{ method: name, problem }] : [];
    }),
  );
}

/** Nothing is known before the first packet, and a test of single packets cannot be made where there are none. */
function isHopeless(all: readonly Conjunction[], level: Level): boolean {
  return (
    level === 'L4FirstPacket' ||
    all.every((literals) => literals.some(({ predicate }) => !isOfConnection(predicate, level)))
  );
}

/** Whether a test can be made at a level at all, be it that its outcome is not known yet. */
function isOfConnection(predicate: Predicate, level: Level): boolean {
  const ofPacket = predicate.kind === 'field' && predicate.field.scope === 'packet';
  return !ofPacket || PACKET_LEVELS.includes(level);
}
