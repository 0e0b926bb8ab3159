import { ACTION_NAMES } from '../plan/actions.ts';
import { type Literal, patternText } from '../plan/atom.ts';
import { subscriptionOfMark } from '../plan/plan.ts';
import type { Thread } from '../plan/threads.ts';
import { isEmptyNode, marksBelow } from '../plan/tree.ts';
import type { Context, Subscriber } from './context.ts';
import { deliverCall, viewLocal } from './deliver.ts';
import { type Condition, Locals } from './tests.ts';
import { commentText, pascalCase, stringLiteral } from './text.ts';
import { callActionsOf, conclude, loadLive, NOTHING, signed, storeLive } from './transition.ts';
import { treeNodes } from './trees.ts';
import { type FunctionView, lines, type NodeView, when } from './view.ts';

/** `packetFilter`: may the packet belong to a wanted connection, whichever way it goes? */
export function packetFilter(context: Context): FunctionView {
  const { plan, scope } = context;
  const locals = new Locals('row', scope);
  const yes: NodeView[] = [lines('return true')];
  const nodes = treeNodes(plan.packetFilter, { locals, world: plan.world, marks: () => yes }, NOTHING);
  const always = plan.packetFilter.marks.length > 0;
  const patterns = plan.filterPatterns.map(patternText);
  const text = patterns.length === 0 ? 'nothing' : always ? 'every TCP and UDP packet' : patterns.join(' or ');
  return {
    doc: [commentText(`Either way: ${text}`)],
    ...signed('packetFilter', ['p'], 'boolean', [
      ...declare(locals),
      ...nodes,
      ...(always ? [] : [lines('return false')]),
    ]),
  };
}

const declare = (locals: Locals): readonly NodeView[] =>
  locals.lines().length === 0 ? [] : [lines(...locals.lines())];

/** `actionsOf`: what the tracker does while these threads are alive. */
export function actionsOf(context: Context): FunctionView {
  const { plan, live, scope } = context;
  const terms = ACTION_NAMES.flatMap((action) => {
    const threads = plan.threads.filter((t) => plan.actions.get(t)?.includes(action));
    return threads.length === 0 ? [] : [`(${live.any('live', threads)} ? ${scope.number(action)} : 0)`];
  });
  const parameters = live.locals('live').map((name) => `${terms.length === 0 ? '_' : ''}${name}: number`);
  return {
    doc: ['What the tracker has to do for the threads that are alive.'],
    head: `function actionsOf(${parameters.join(', ')}): Actions {`,
    nodes: [lines(`return ${terms.length === 0 ? '0' : terms.join(' |\n  ')}`)],
  };
}

/** `onL4FirstPacket`: which threads start; what is delivered at once. */
export function onL4FirstPacket(context: Context, updates: readonly NodeView[]): FunctionView {
  const { plan, scope, live, subscribers } = context;
  const locals = new Locals('first', scope);
  const now = new Map<Subscriber, string>();
  const marks = (all: readonly number[]): readonly NodeView[] => {
    const threads = plan.threads.filter((t) => all.includes(t.id));
    const flags = all.flatMap((mark) => {
      const subscriber = subscribers[subscriptionOfMark(mark) ?? -1];
      if (subscriber === undefined) return [];
      const flag = now.get(subscriber) ?? scope.names.take(`now${subscriber.suffix}`);
      now.set(subscriber, flag);
      return [`${flag} = true`];
    });
    return [lines(...live.set('live', threads), ...flags)];
  };
  const user = (literal: Literal): Condition => userCondition(literal, context);
  const tree = treeNodes(plan.first, { locals, world: plan.world, marks, user }, NOTHING);
  const flags = [...now].sort(([a], [b]) => a.index - b.index);
  const deliveries = flags.map(([subscriber, flag]) => `if (${flag}) ${deliverCall(subscriber, 'L4FirstPacket')}`);
  const head = [
    ...live.locals('live').map((name) => `let ${name} = 0`),
    ...flags.map(([, flag]) => `let ${flag} = false`),
    ...locals.lines(),
  ];
  return {
    doc: ['The first packet: which threads start.'],
    ...signed('onL4FirstPacket', ['c', 'p'], 'Actions', [
      lines(...head),
      ...tree,
      ...updates,
      lines(...deliveries, ...conclude(context)),
    ]),
  };
}

/** A user's filter over the first packet, called through a guard: an exception counts as a no. */
function userCondition(literal: Literal, context: Context): Condition {
  const { predicate } = literal.atom;
  if (predicate.kind !== 'user') throw new TypeError('not a filter of the user');
  const { filter } = predicate;
  const { scope } = context;
  const name = scope.helper(
    `filter ${filter.module}#${filter.name}`,
    `ask${pascalCase(filter.name)}`,
    `The filter ${filter.name}.`,
    true,
    (own) => {
      const called = scope.value(filter.module, filter.name);
      const args = filter.params.map((param) => filterArgument(param.type, context));
      const packet = args.some((arg) => arg.includes('(p)')) ? 'p' : '_p';
      return [
        `function ${own}(c: number, ${packet}: number): boolean {`,
        '  try {',
        `    return ${called}(${args.join(', ')}) === true`,
        '  } catch (error) {',
        `    core.userError(${stringLiteral(filter.name)}, c, error)`,
        '    return false',
        '  }',
        '}',
      ];
    },
  );
  const code = `${name}(c, p)`;
  return literal.positive ? { code, negated: `!${code}` } : { code: `!${code}`, negated: code };
}

function filterArgument(type: string, context: Context): string {
  const { scope } = context;
  if (type === 'FiveTuple') return `${scope.member('fiveTuple')}.at(c)`;
  if (type === 'L4Pdu') return `${scope.member('pdu')}.at(p)`;
  if (type === 'CoreId') return 'core.id';
  const span = { start: 0, end: 0 };
  const file = context.plan.program.file;
  return `${viewLocal({ name: type, module: 'iris-ts/runtime', file, span, kind: 'view', availableAt: 'L4FirstPacket', updates: [], expensive: false }, context)}.at(c)`;
}

/** `onPacket`: frames outside any connection. */
export function onPacket(context: Context): FunctionView | undefined {
  const { plan, scope, subscribers } = context;
  if (plan.packet === undefined) return undefined;
  const locals = new Locals('frame', scope);
  const flags = new Map<number, string>();
  const single = marksBelow(plan.packet).length === 1;
  const flagOf = (mark: number): string => {
    const flag = flags.get(mark) ?? scope.names.take(`now${subscribers[mark]?.suffix ?? ''}`);
    flags.set(mark, flag);
    return flag;
  };
  const marks = (all: readonly number[]): readonly NodeView[] => [
    lines(...all.map((mark) => `${flagOf(mark)} = true`)),
  ];
  const always = plan.packet.chains.length === 0;
  if (always && single) {
    const subscriber = subscribers[plan.packet.marks[0] ?? -1];
    const call = subscriber === undefined ? '' : `${deliverCall(subscriber, 'Packet')}`;
    return { doc: ['Every frame.'], ...signed('onPacket', ['p'], 'void', [lines(call)]) };
  }
  const tree = treeNodes(plan.packet, { locals, world: { ...plan.world, connections: false }, marks }, NOTHING);
  const inOrder = [...flags].sort(([a], [b]) => a - b);
  const deliveries = inOrder.flatMap(([mark, flag]) => {
    const subscriber = subscribers[mark];
    return subscriber === undefined ? [] : [`if (${flag}) ${deliverCall(subscriber, 'Packet')}`];
  });
  return {
    doc: ['Every frame, connection or not.'],
    ...signed('onPacket', ['p'], 'void', [
      lines(...inOrder.map(([, f]) => `let ${f} = false`), ...locals.lines()),
      ...tree,
      lines(...deliveries),
    ]),
  };
}

/** `onL4EndHshk`: the three-way handshake is complete. */
export function onL4EndHshk(context: Context, updates: readonly NodeView[]): FunctionView | undefined {
  const { plan, live, subscribers } = context;
  if (plan.handshake.length === 0 && updates.length === 0) return undefined;
  const deliveries = subscribers.flatMap((subscriber) => {
    const mine = plan.handshake.filter((t) => t.subscription === subscriber.index);
    return mine.length === 0 ? [] : [`if (${live.any('live', mine)}) ${deliverCall(subscriber, 'L4EndHshk')}`];
  });
  return {
    doc: ['TCP: SYN, SYN-ACK and the ACK of it were seen in order.'],
    ...signed('onL4EndHshk', ['c', 'p'], 'Actions', [
      lines(...loadLive(context, 'let')),
      ...updates,
      lines(...deliveries, ...live.clear('live', plan.handshake), ...conclude(context)),
    ]),
  };
}

/** `update` (InL4Conn) or `onL4Stream` (InL4Stream): tracked data first, then the streaming subscriptions. */
export function streamFunction(
  level: 'InL4Conn' | 'InL4Stream',
  context: Context,
  updates: readonly NodeView[],
): FunctionView | undefined {
  const { plan, live, scope, subscribers } = context;
  const stream = plan.streams.find((s) => s.level === level);
  if (stream === undefined && updates.length === 0) return undefined;
  const name = level === 'InL4Conn' ? 'update' : 'onL4Stream';
  const doc = level === 'InL4Conn' ? 'Each packet, as it arrives.' : 'Each piece of new payload, in sequence order.';
  const needsLive = JSON.stringify(updates).includes('live');
  if (stream === undefined || isEmptyNode(stream.tree)) {
    const keep = `return ${scope.member('rec')}[c + ${scope.number('REC_ACTIONS')}]`;
    const load = needsLive ? [lines(...loadLive(context, 'const'))] : [];
    return { doc: [doc], ...signed(name, ['c', 'p'], 'Actions', [...load, ...updates, lines(keep)]) };
  }
  const locals = new Locals('row', scope);
  const threadsOf = (marks: readonly number[]): readonly Thread[] => stream.threads.filter((t) => marks.includes(t.id));
  const tree = treeNodes(
    stream.tree,
    {
      locals,
      world: plan.world,
      marks: (marks) => [lines(...live.set('hit', threadsOf(marks)))],
      guard: (marks) => live.any('live', threadsOf(marks)),
    },
    NOTHING,
  );
  const plain = stream.tree.chains.length === 0;
  const base = plain ? 'live' : 'hit';
  const body: NodeView[] = plain
    ? []
    : [
        lines(...live.locals('hit').map((hit) => `let ${hit} = 0`), ...locals.lines()),
        ...tree,
        lines(...live.locals('hit').map((hit, i) => `${hit} &= ${live.local('live', i)}`)),
      ];
  for (const subscriber of subscribers) {
    const mine = stream.threads.filter((t) => t.subscription === subscriber.index);
    if (mine.length === 0) continue;
    const condition = `${live.any(base, mine)} && !${deliverCall(subscriber, level)}`;
    body.push(when(condition, [lines(...live.clear('live', subscriber.threads))]));
  }
  return {
    doc: [doc],
    ...signed(name, ['c', 'p'], 'Actions', [
      lines(...loadLive(context, 'let')),
      ...updates,
      ...body,
      lines(...storeLive(context), `return ${callActionsOf(context)}`),
    ]),
  };
}
