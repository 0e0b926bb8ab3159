/** The decision functions of a generated module: one per state transition that the plan needs. */
import { ConnMeta } from '../../runtime/conntrack/layout.ts';
import type { Level } from '../analysis/info.ts';
import { ACTION_NAMES } from '../plan/actions.ts';
import { type Literal, type Pattern, patternText, positive, protocolAtom } from '../plan/atom.ts';
import { subscriptionOfMark } from '../plan/plan.ts';
import type { Step, Thread } from '../plan/threads.ts';
import { isEmptyNode, marksBelow } from '../plan/tree.ts';
import type { Context, Subscriber } from './context.ts';
import { deliverCall, repeats, viewLocal } from './deliver.ts';
import { type Condition, Locals, protocolNumber } from './tests.ts';
import { commentText, pascalCase, stringLiteral } from './text.ts';
import { treeNodes } from './trees.ts';
import { type FunctionView, lines, type NodeView, when } from './view.ts';

const NOTHING: Pattern = [];

/** `let live = rec[c + REC_LIVE]` for all words. */
export function loadLive(context: Context, keyword: 'let' | 'const'): readonly string[] {
  const rec = context.scope.member('rec');
  return context.layout.liveWords.map(
    ({ name }, i) => `${keyword} ${context.live.local('live', i)} = ${rec}[c + ${name}]`,
  );
}

export function storeLive(context: Context): readonly string[] {
  const rec = context.scope.member('rec');
  return context.layout.liveWords.map(({ name }, i) => `${rec}[c + ${name}] = ${context.live.local('live', i)}`);
}

export const callActionsOf = (context: Context): string => `actionsOf(${context.live.locals('live').join(', ')})`;

/** Stores the live bits and says what follows from them. */
function conclude(context: Context): readonly string[] {
  return [...settle(context), ...storeLive(context), `return ${callActionsOf(context)}`];
}

function settle(context: Context): readonly string[] {
  return context.plan.settled.flatMap(({ winner, losers }) => {
    const clear = context.live.clear('live', losers);
    if (clear.length === 0) return [];
    return [`if (${context.live.any('live', [winner])}) {`, ...clear.map((l) => `  ${l}`), '}'];
  });
}

/** Head and body of a function over numbers; parameters that the body does not read get an underscore. */
function signed(
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
  const deliveries = [...now].flatMap(
    ([subscriber, flag]) => `if (${flag}) ${deliverCall(subscriber, 'L4FirstPacket')}`,
  );
  const head = [
    ...live.locals('live').map((name) => `let ${name} = 0`),
    ...[...now.values()].map((flag) => `let ${flag} = false`),
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
  const deliveries = [...flags].flatMap(([mark, flag]) => {
    const subscriber = subscribers[mark];
    return subscriber === undefined ? [] : [`if (${flag}) ${deliverCall(subscriber, 'Packet')}`];
  });
  return {
    doc: ['Every frame, connection or not.'],
    ...signed('onPacket', ['p'], 'void', [
      lines(...[...flags.values()].map((f) => `let ${f} = false`), ...locals.lines()),
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

/** Statements for a list of steps that all happen at once. */
function stepLines(steps: readonly Step[], level: Level, context: Context): readonly string[] {
  const { live, subscribers } = context;
  const out: string[] = [];
  for (const subscriber of subscribers) {
    const mine = steps.filter((s) => s.delivers && s.thread.subscription === subscriber.index).map((s) => s.thread);
    if (mine.length > 0) out.push(`if (${live.any('live', mine)}) ${deliverCall(subscriber, level)}`);
  }
  for (const { thread, next } of steps) {
    if (next === undefined || next === thread) continue;
    const [set = ''] = live.set('live', [next]);
    out.push(`if (${live.any('live', [thread])}) ${set}`);
  }
  const gone = steps.filter((s) => s.next !== s.thread).map((s) => s.thread);
  return [...out, ...live.clear('live', gone)];
}

/** `onL7OnDisc`: the application protocol is known. */
export function onL7OnDisc(context: Context, updates: readonly NodeView[]): FunctionView | undefined {
  const { plan, scope } = context;
  if (plan.discovery.every((d) => d.steps.length === 0) && updates.length === 0) return undefined;
  const named = plan.discovery.map((d) => ({ protocol: d.protocol, code: stepLines(d.steps, 'L7OnDisc', context) }));
  const none = named.find((n) => n.protocol === undefined)?.code ?? [];
  const arms: { head: string; nodes: readonly NodeView[] }[] = [];
  for (const { protocol, code } of named) {
    if (protocol === undefined || code.join('\n') === none.join('\n')) continue;
    const head = `${arms.length === 0 ? '' : '} else '}if (proto === ${protocolNumber(protocol, scope)}) {`;
    arms.push({ head, nodes: [lines(...(code.length === 0 ? ['// Nothing is decided yet.'] : code))] });
  }
  if (arms.length > 0 && none.length > 0) arms.push({ head: '} else {', nodes: [lines(...none)] });
  const decision: readonly NodeView[] = arms.length > 0 ? [{ template: 'branch', arms: tidy(arms) }] : [lines(...none)];
  return {
    doc: ['The application protocol is known; 0: none of those asked for.'],
    ...signed('onL7OnDisc', ['c', 'proto'], 'Actions', [
      lines(...loadLive(context, 'let')),
      ...updates,
      ...decision,
      lines(...conclude(context)),
    ]),
  };
}

/** `if (a) { // nothing } else { b }` is `if (not a) { b }`. */
function tidy(
  arms: readonly { head: string; nodes: readonly NodeView[] }[],
): readonly { head: string; nodes: readonly NodeView[] }[] {
  const [first, second] = arms;
  if (arms.length !== 2 || first === undefined || second === undefined || second.head !== '} else {') return arms;
  const idle = first.nodes.every((n) => n.template === 'lines' && n.lines.every((l) => l.startsWith('//')));
  return idle ? [{ head: first.head.replace('===', '!=='), nodes: second.nodes }] : arms;
}

/** `onL7EndHdrs`: one session is parsed. */
export function onL7EndHdrs(context: Context, updates: readonly NodeView[]): FunctionView | undefined {
  const { plan, scope } = context;
  if (plan.sessions.length === 0 && updates.length === 0) return undefined;
  const bodies = plan.sessions.map((s) => ({ protocol: s.protocol, nodes: sessionNodes(s, context) }));
  const [only] = bodies;
  let decision: readonly NodeView[];
  if (bodies.length === 1 && plan.parsers.length === 1 && only !== undefined) decision = only.nodes;
  else {
    const arms = bodies.map(({ protocol, nodes }, i) => ({
      head: `${i === 0 ? '' : '} else '}if (session.proto === ${protocolNumber(protocol, scope)}) {`,
      nodes,
    }));
    decision = [{ template: 'branch', arms }];
  }
  const hits = context.live.locals('hit').map((name) => `let ${name} = 0`);
  return {
    doc: ['One session is parsed.'],
    ...signed('onL7EndHdrs', ['c', 'session'], 'Actions', [
      lines(...loadLive(context, 'let'), ...hits),
      ...updates,
      ...decision,
      lines(...conclude(context)),
    ]),
  };
}

function sessionNodes(plan: Context['plan']['sessions'][number], context: Context): readonly NodeView[] {
  const { live, scope, subscribers } = context;
  const { protocol, tree, matches, mismatches } = plan;
  const threadsOf = (marks: readonly number[]): readonly Thread[] =>
    context.plan.threads.filter((t) => marks.includes(t.id));
  const locals = new Locals('session', scope);
  const nodes = treeNodes(
    tree,
    {
      locals,
      world: context.plan.world,
      marks: (marks) => [lines(...live.set('hit', threadsOf(marks)))],
      guard: (marks) => live.any('live', threadsOf(marks)),
    },
    [positive(protocolAtom(protocol, { start: 0, end: 0 }))],
  );
  const out: NodeView[] = [];
  if (JSON.stringify(nodes).includes(`${protocol.name}.`) && protocol.sessionType !== undefined) {
    const type = scope.type('iris-ts/runtime', protocol.sessionType.name);
    out.push(lines(`const ${protocol.name} = session as ${type}`));
  }
  const body: string[] = live.locals('hit').map((hit, i) => `${hit} &= ${live.local('live', i)}`);
  const kept = context.kept.get(protocol.name);
  const keepers = matches.filter((m) => m.next !== undefined && m.next !== m.thread).map((m) => m.thread);
  if (kept !== undefined && keepers.length > 0 && protocol.sessionType !== undefined) {
    const type = scope.type('iris-ts/runtime', protocol.sessionType.name);
    body.push(`if (${live.any('hit', keepers)}) ${kept}[c / RECORD_WORDS] = session as ${type}`);
  }
  for (const subscriber of subscribers) {
    const mine = matches.filter((m) => m.delivers && m.thread.subscription === subscriber.index).map((m) => m.thread);
    if (mine.length === 0) continue;
    const call = deliverCall(subscriber, 'L7EndHdrs');
    const gone = live.clear('live', subscriber.threads);
    // Where nothing outlives the session its "no more" changes nothing.
    const matters = subscriber.threads.some((t) => !mismatches.some((m) => m.thread === t && m.next === undefined));
    if (matters) body.push(`if (${live.any('hit', mine)} && !${call}) {`, ...gone.map((g) => `  ${g}`), '}');
    else body.push(`if (${live.any('hit', mine)}) ${call}`);
  }
  return [...out, ...nodes, lines(...body, ...afterSession(plan, context))];
}

/** What a session leaves of the threads that waited for it. */
function afterSession(
  { matches, mismatches }: Context['plan']['sessions'][number],
  context: Context,
): readonly string[] {
  const { live } = context;
  const out: string[] = [];
  for (const { thread, next } of matches) {
    if (next === undefined || next === thread) continue;
    const [set = ''] = live.set('live', [next]);
    out.push(`if (${live.any('hit', [thread])}${alive(thread, context)}) ${set}`);
  }
  const over = mismatches.filter((m) => m.next === undefined).map((m) => m.thread);
  out.push(...live.clear('live', over));
  for (const { thread, next } of mismatches) {
    if (next === undefined || next === thread) continue;
    const [set = ''] = live.set('live', [next]);
    const [clear = ''] = live.clear('live', [thread]);
    const missed = live.any('hit', [thread]).replace('!== 0', '=== 0');
    out.push(`if (${live.any('live', [thread])} && ${missed}) {`, `  ${set}`, `  ${clear}`, '}');
  }
  for (const { thread, next } of matches) {
    if (next === undefined || next === thread || over.includes(thread)) continue;
    const [clear = ''] = live.clear('live', [thread]);
    out.push(`if (${live.any('hit', [thread])}) ${clear}`);
  }
  return out;
}

/** A subscription that delivered this very session may have said "no more". */
function alive(thread: Thread, context: Context): string {
  const { levels } = context.subscribers[thread.subscription]?.source ?? { levels: [] };
  return levels.includes('L7EndHdrs') ? ` && ${context.live.any('live', [thread])}` : '';
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

/** `onL4Terminated`: what was never revealed is false now. */
export function onL4Terminated(context: Context, updates: readonly NodeView[]): FunctionView | undefined {
  const { plan, live, scope, subscribers } = context;
  if (plan.ends.length === 0) return undefined;
  let needsProto = false;
  const conclusions = subscribers.flatMap((subscriber) =>
    (['L7OnDisc', 'L4Terminated'] as const).map((level) => ({ subscriber, level })),
  );
  const deliveries = conclusions.flatMap(({ subscriber, level }) => {
    const mine = plan.ends.filter((e) => e.thread.subscription === subscriber.index && e.thread.level === level);
    if (mine.length === 0) return [];
    const sure = mine.filter((e) => e.under === undefined).map((e) => e.thread);
    const conditions = sure.length === 0 ? [] : [live.any('live', sure)];
    for (const { thread, under } of mine) {
      if (under === undefined) continue;
      needsProto = true;
      const numbers = under.map((p) => `proto === ${p === undefined ? '0' : protocolNumber(p, scope)}`);
      const tests = numbers.length === 1 ? (numbers[0] ?? '') : `(${numbers.join(' || ')})`;
      conditions.push(`(${live.any('live', [thread])} && ${tests})`);
    }
    return [`if (${conditions.join(' || ')}) ${deliverCall(subscriber, level)}`];
  });
  const proto: string[] = [];
  if (needsProto) {
    const meta = `${scope.member('rec')}[c + ${scope.number('REC_META')}]`;
    proto.push(
      `const meta = ${meta}`,
      `const proto = (meta & ${scope.number('CONN_L7_KNOWN')}) !== 0 ? (meta >>> ${ConnMeta.L7_PROTO_SHIFT}) & ${ConnMeta.L7_PROTO_MASK} : 0`,
    );
  }
  return {
    doc: ['The connection ends: what it never revealed is false now.'],
    ...signed('onL4Terminated', ['c'], 'void', [
      lines(...loadLive(context, 'const'), ...proto),
      ...updates,
      lines(...deliveries),
    ]),
  };
}

export { repeats };
