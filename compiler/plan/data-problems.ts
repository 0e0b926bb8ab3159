/** Handlers and data that this version cannot plan for, each with a sentence that says so. */
import type { DataTypeInfo, Level } from '../analysis/info.ts';
import type { Span } from '../language/ast.ts';
import type { TypedExpr, TypedSubscription } from '../language/typed.ts';

/** What the planner finds wrong with one subscription. */
export interface PlanProblem {
  readonly severity: 'error' | 'warning';
  readonly code: string;
  readonly message: string;
  readonly span: Span;
  readonly suggestion?: string;
}

/** What a user's filter, or a method of tracked data, can be handed: all of it is known at the first packet. */
const FIRST_PACKET_DATA: ReadonlySet<string> = new Set(['L4Pdu', 'FiveTuple', 'StartTime', 'Lifespan', 'CoreId']);

/** What the delivery itself knows, and from which levels on. */
function isKnownContext(name: string, level: Level): boolean {
  return ['CoreId', 'FilterStr', 'StateTransition'].includes(name) || (name === 'Session' && level === 'L7EndHdrs');
}

const unsupported = (code: string, message: string, span: Span, suggestion?: string): PlanProblem => ({
  severity: 'error',
  code,
  message: `${message}: not supported by this version`,
  span,
  ...(suggestion !== undefined && { suggestion }),
});

export function dataProblems(subscription: TypedSubscription, level: Level): readonly PlanProblem[] {
  const { callback, name, params, span, when } = subscription;
  if (callback?.kind === 'class') {
    return [unsupported('unsupported-class', `\`${name}\` is a class as a handler`, span, 'use a function')];
  }
  const problems: PlanProblem[] = [];
  for (const { type } of params) {
    if (type.kind === 'context' && !isKnownContext(type.name, level)) {
      problems.push(unsupported('unsupported-data', `\`${type.name}\` at ${level}`, span));
    }
    problems.push(...trackedProblems(type, span));
  }
  return [...problems, ...filterProblems(when)];
}

/** Methods and constructors of tracked data that want more than the packet and the connection. */
function trackedProblems(type: DataTypeInfo, span: Span): readonly PlanProblem[] {
  if (type.kind !== 'object') return [];
  const wanted = [...(type.params ?? []), ...type.updates.flatMap((update) => update.params)].map((p) => p.type);
  return [...new Set(wanted)]
    .filter((name) => !FIRST_PACKET_DATA.has(name))
    .map((name) => unsupported('unsupported-data', `\`${type.name}\` asks for \`${name}\``, span));
}

function filterProblems(expr: TypedExpr): readonly PlanProblem[] {
  switch (expr.kind) {
    case 'and':
    case 'or':
      return expr.terms.flatMap(filterProblems);
    case 'not':
      return filterProblems(expr.expr);
    case 'user':
      return expr.filter.params
        .filter((param) => !FIRST_PACKET_DATA.has(param.type))
        .map((param) =>
          unsupported('unsupported-filter', `the filter \`${expr.filter.name}\` asks for \`${param.type}\``, expr.span),
        );
    default:
      return [];
  }
}
