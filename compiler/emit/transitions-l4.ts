import type { Level } from '../analysis/info.ts';
import { ACTION_NAMES } from '../plan/actions.ts';
import { type Literal, patternText } from '../plan/atom.ts';
import { subscriptionOfMark } from '../plan/plan.ts';
import type { Thread } from '../plan/threads.ts';
import { isEmptyNode, marksBelow } from '../plan/tree.ts';
import { askNodes, userCondition } from './asks.ts';
import type { Context, Subscriber } from './context.ts';
import { deliverCall, deliverLines, patternLiteral, silence } from './deliver.ts';
import { firstPacketNodes } from './instances.ts';
import { type Condition, Locals } from './tests.ts';
import { commentText } from './text.ts';
import { conclude, loadLive, NOTHING, release, returnActions, signed, storeLive } from './transition.ts';
import { treeNodes } from './trees.ts';
import { startObjects } from './updates.ts';
import { type FunctionView, lines, type NodeView, when } from './view.ts';

/** `packetFilter`: may the packet belong to a wanted connection, whichever way it goes? */
export function packetFilter(context: Context): FunctionView {
  const { plan, scope, counting } = context;
  const locals = new Locals('row', scope);
  const yes: NodeView[] = [lines('return true')];
  const nodes = treeNodes(plan.packetFilter, { locals, world: plan.world, counting, marks: () => yes }, NOTHING);
  const always = plan.packetFilter.marks.length > 0;
  const patterns = plan.filterPatterns.map(patternText);
  const text = patterns.length === 0 ? 'nothing' : always ? 'every TCP and UDP packet' : patterns.join(' or ');
  return {
    doc: [commentText(`Either way: ${text}`)],
    ...signed('packetFilter', ['p'], 'boolean', [
      ...(counting === undefined ? [] : [lines(...counting.offered)]),
      ...declare(locals),
      ...nodes,
      ...(always ? [] : [lines(...(counting?.keptOut ?? []), 'return false')]),
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
    return threads.length === 0 ? [] : [`${live.any('live', threads)} ? ${scope.number(action)} : 0`];
  });
  const [only = '0'] = terms;
  const returned =
    terms.length > 1 ? [`return ${terms.map((term) => `(${term})`).join(' |\n  ')}`] : [`return ${only}`];
  const parameters = live.locals('live').map((name) => `${terms.length === 0 ? '_' : ''}${name}: number`);
  return {
    doc: ['What the tracker has to do for the threads that are alive.'],
    head: `function actionsOf(${parameters.join(', ')}): Actions {`,
    nodes: [lines(...returned)],
  };
}

/** `onL4FirstPacket`: which threads start; what is delivered at once. */
export function onL4FirstPacket(context: Context, updates: readonly NodeView[]): FunctionView {
  const { plan, scope, live } = context;
  const locals = new Locals('first', scope);
  const now = new Map<Subscriber, Flag>();
  const marks = (all: readonly number[]): readonly NodeView[] => {
    const threads = plan.threads.filter((t) => all.includes(t.id));
    const flags = all.flatMap((mark) => flagLines(mark, 'L4FirstPacket', now, context));
    return [lines(...live.set('live', threads), ...flags)];
  };
  const user = (literal: Literal): Condition => {
    return userCondition(literal, literal.atom.when === 'packet' ? 'Packet' : 'L4FirstPacket', ['c', 'p'], context);
  };
  const tree = treeNodes(plan.first, { locals, world: plan.world, counting: context.counting, marks, user }, NOTHING);
  const flags = [...now].sort(([a], [b]) => a.index - b.index);
  const deliveries = flags.flatMap(([subscriber, { name, told }]) => {
    const call = deliverCall(subscriber, 'L4FirstPacket', context, { text: name });
    return deliverLines(subscriber, 'L4FirstPacket', told ? `${name} !== ''` : name, call, context);
  });
  const head = [
    ...live.locals('live').map((name) => `let ${name} = 0`),
    ...flags.map(([, { name, told }]) => `let ${name} = ${told ? "''" : 'false'}`),
    ...locals.lines(),
  ];
  const conditions = new Map(flags.map(([subscriber, { name, told }]) => [subscriber, told ? `${name} !== ''` : name]));
  return {
    doc: ['The first packet: which threads start.'],
    ...signed('onL4FirstPacket', ['c', 'p'], 'Actions', [
      ...updates,
      lines(...head),
      ...tree,
      ...startObjects(context),
      ...firstPacketNodes(context, conditions),
      ...askNodes('L4FirstPacket', context),
      lines(...deliveries, ...conclude('onL4FirstPacket', context)),
    ]),
  };
}

/** A local that says that a subscription is delivered now; `told`: by the text of the pattern that holds, '' for no. */
interface Flag {
  readonly name: string;
  readonly told: boolean;
}

/** Statements that follow from the mark of a delivery. */
function flagLines(mark: number, level: Level, flags: Map<Subscriber, Flag>, context: Context): readonly string[] {
  const subscriber = context.subscribers[subscriptionOfMark(mark) ?? -1];
  if (subscriber === undefined) return [];
  const text = patternLiteral(subscriber, level, mark, context);
  const flag = flags.get(subscriber) ?? {
    name: context.scope.names.take(`now${subscriber.suffix}`),
    told: text !== undefined,
  };
  flags.set(subscriber, flag);
  return [text === undefined ? `${flag.name} = true` : `${flag.name} ||= ${text}`];
}

/** `onPacket`: frames outside any connection. */
export function onPacket(context: Context): FunctionView | undefined {
  const { plan, scope, subscribers } = context;
  if (plan.packet === undefined) return undefined;
  const locals = new Locals('frame', scope);
  const flags = new Map<Subscriber, Flag>();
  const single = new Set(marksBelow(plan.packet).map(subscriptionOfMark)).size === 1;
  const marks = (all: readonly number[]): readonly NodeView[] => [
    lines(...new Set(all.flatMap((mark) => flagLines(mark, 'Packet', flags, context)))),
  ];
  const always = plan.packet.chains.length === 0;
  if (always && single) {
    const [mark = 0] = plan.packet.marks;
    const subscriber = subscribers[subscriptionOfMark(mark) ?? -1];
    const text = subscriber === undefined ? undefined : patternLiteral(subscriber, 'Packet', mark, context);
    const call = subscriber === undefined ? '' : deliverCall(subscriber, 'Packet', context, { text: text ?? "''" });
    return { doc: ['Every frame.'], ...signed('onPacket', ['p'], 'void', [lines(call)]) };
  }
  const user = (literal: Literal): Condition => userCondition(literal, 'Packet', ['p'], context);
  const tree = treeNodes(
    plan.packet,
    { locals, world: { ...plan.world, connections: false }, counting: context.counting, marks, user },
    NOTHING,
  );
  const inOrder = [...flags].sort(([a], [b]) => a.index - b.index);
  const deliveries = inOrder.map(([subscriber, { name, told }]) => {
    const call = deliverCall(subscriber, 'Packet', context, { text: name });
    return `if (${told ? `${name} !== ''` : name}) ${call}`;
  });
  return {
    doc: ['Every frame, connection or not.'],
    ...signed('onPacket', ['p'], 'void', [
      lines(...inOrder.map(([, { name, told }]) => `let ${name} = ${told ? "''" : 'false'}`), ...locals.lines()),
      ...tree,
      lines(...deliveries),
    ]),
  };
}

/** `onL4EndHshk`: the three-way handshake is complete. */
export function onL4EndHshk(context: Context, updates: readonly NodeView[]): FunctionView | undefined {
  const { plan, live, subscribers } = context;
  const { threads, delivered } = plan.handshake;
  const asks = askNodes('L4EndHshk', context);
  if (threads.length === 0 && updates.length === 0 && asks.length === 0) return undefined;
  const deliveries = subscribers.flatMap((subscriber) => {
    const mine = delivered.filter((t) => t.subscription === subscriber.index);
    if (mine.length === 0) return [];
    const call = deliverCall(subscriber, 'L4EndHshk', context, { base: 'live', threads: mine });
    return deliverLines(subscriber, 'L4EndHshk', live.any('live', mine), call, context);
  });
  return {
    doc: ['TCP: SYN, SYN-ACK and the ACK of it were seen in order.'],
    ...signed('onL4EndHshk', ['c', 'p'], 'Actions', [
      lines(...loadLive(context, 'let')),
      ...updates,
      ...asks,
      lines(...deliveries, ...live.clear('live', threads), ...conclude('onL4EndHshk', context)),
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
  const asks = askNodes(level, context);
  if (stream === undefined && updates.length === 0 && asks.length === 0) return undefined;
  const name = level === 'InL4Conn' ? 'update' : 'onL4Stream';
  const doc = level === 'InL4Conn' ? 'Each packet, as it arrives.' : 'Each piece of new payload, in sequence order.';
  const needsLive = JSON.stringify(updates).includes('live');
  if ((stream === undefined || isEmptyNode(stream.tree)) && asks.length === 0) {
    const keep = `return ${scope.column('recActions')}[c]`;
    const asked = context.counting === undefined ? [] : [lines(context.counting.asked(name))];
    const load = needsLive ? [lines(...loadLive(context, 'const'))] : [];
    return { doc: [doc], ...signed(name, ['c', 'p'], 'Actions', [...asked, ...load, ...updates, lines(keep)]) };
  }
  if (stream === undefined || isEmptyNode(stream.tree)) {
    const nodes = [lines(...loadLive(context, 'let')), ...updates, ...asks, lines(...conclude(name, context))];
    return { doc: [doc], ...signed(name, ['c', 'p'], 'Actions', nodes) };
  }
  const locals = new Locals('row', scope);
  const threadsOf = (marks: readonly number[]): readonly Thread[] => stream.threads.filter((t) => marks.includes(t.id));
  const tree = treeNodes(
    stream.tree,
    {
      locals,
      world: plan.world,
      counting: context.counting,
      marks: (marks) => [lines(...live.set('hit', threadsOf(marks)))],
      guard: (marks) => live.any('live', threadsOf(marks)),
      user: (literal) => userCondition(literal, 'Packet', ['c', 'p'], context),
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
    const call = deliverCall(subscriber, level, context, { base, threads: mine });
    const hit = subscribers.filter((s) => s.source.part !== undefined && s.threads[0] === subscriber.threads[0]);
    const bases = !plain && hit.length > 1 ? ['hit'] : [];
    body.push(when(`${live.any(base, mine)} && !${call}`, [lines(...silence(subscriber, context, ...bases))]));
  }
  return {
    doc: [doc],
    ...signed(name, ['c', 'p'], 'Actions', [
      lines(...loadLive(context, 'let')),
      ...updates,
      ...asks,
      ...body,
      lines(
        ...(asks.length > 0
          ? conclude(name, context)
          : [...release(context), ...storeLive(context), returnActions(name, context)]),
      ),
    ]),
  };
}
