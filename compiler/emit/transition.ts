/** What the decision functions have in common: live bits in, live bits and actions out. */
import type { InstrumentStage } from '../../runtime/subscription/instruments.ts';
import type { Pattern } from '../plan/atom.ts';
import type { Context } from './context.ts';
import type { FunctionView, NodeView } from './view.ts';

/** Nothing is known yet. */
export const NOTHING: Pattern = [];

/** `let live = recLive[c]` for all words. */
export function loadLive(context: Context, keyword: 'let' | 'const'): readonly string[] {
  return context.layout.liveWords.map(({ local }, i) => `${keyword} ${context.live.local('live', i)} = ${local}[c]`);
}

/** `recLive[c] = live` for all words. */
export function storeLive(context: Context): readonly string[] {
  return context.layout.liveWords.map(({ local }, i) => `${local}[c] = ${context.live.local('live', i)}`);
}

/** The last statement of a stage: what is in force for the live bits at hand. */
export function returnActions(stage: InstrumentStage, { counting, live }: Context): string {
  const actions = `actionsOf(${live.locals('live').join(', ')})`;
  return `return ${counting === undefined ? actions : counting.answer(stage, actions)}`;
}

/** Stores the live bits and says what follows from them. At the first packet nothing can have ended yet. */
export function conclude(stage: InstrumentStage, context: Context): readonly string[] {
  const ended = stage === 'onL4FirstPacket' ? [] : release(context);
  return [...settle(context), ...ended, ...storeLive(context), returnActions(stage, context)];
}

/** Expensive data that nobody alive asks for is let go of. */
export function release(context: Context): readonly string[] {
  return context.layout.types.flatMap(({ type, local, data }) => {
    if (!type.expensive || type.kind !== 'object' || data.threads.length === 0) return [];
    const nobody = context.live.any('live', data.threads).replace(/!== 0$/, '=== 0');
    return [`if (${nobody}) ${local}[c / RECORD_WORDS] = undefined`];
  });
}

/** Where a delivery holds already its other alternatives are let go of. */
function settle(context: Context): readonly string[] {
  return context.plan.settled.flatMap(({ winner, losers }) => {
    const clear = context.live.clear('live', losers);
    if (clear.length === 0) return [];
    return [`if (${context.live.any('live', [winner])}) {`, ...clear.map((l) => `  ${l}`), '}'];
  });
}

/** Head and body of a function over numbers; parameters that the body does not read get an underscore. */
export function signed(
  name: string,
  parameters: readonly string[],
  result: string,
  nodes: readonly NodeView[],
): Omit<FunctionView, 'doc'> {
  const code = nodes.map(codeOf).join('\n');
  const list = parameters.map((parameter) => {
    const type = parameter === 'session' ? 'Session' : parameter === 'reason' ? 'EndReason' : 'number';
    return `${new RegExp(`\\b${parameter}\\b`).test(code) ? '' : '_'}${parameter}: ${type}`;
  });
  return { head: `function ${name}(${list.join(', ')}): ${result} {`, nodes };
}

/** The code of a node, without comments behind it. */
function codeOf(node: NodeView): string {
  const bare = (line: string): string => line.replace(/ \/\/.*$/, '');
  switch (node.template) {
    case 'lines':
      return node.lines.join('\n');
    case 'branch':
      return node.arms.map((arm) => [bare(arm.head), ...arm.nodes.map(codeOf)].join('\n')).join('\n');
    case 'choice': {
      const cases = node.cases.flatMap((one) => one.nodes.map(codeOf));
      return [node.value, ...cases, ...node.otherwise.map(codeOf)].join('\n');
    }
  }
}
