/** Decision functions about the application protocol, its sessions, and the end of a connection. */
import { ConnMeta } from '../../runtime/conntrack/layout.ts';
import type { Level } from '../analysis/info.ts';
import { positive, protocolAtom } from '../plan/atom.ts';
import type { Step, Thread } from '../plan/threads.ts';
import { askNodes, keepsFor, userCondition } from './asks.ts';
import type { Context } from './context.ts';
import { answers, deliverCall, deliverLines } from './deliver.ts';
import { Locals, protocolNumber } from './tests.ts';
import { conclude, loadLive, signed } from './transition.ts';
import { treeNodes } from './trees.ts';
import { type FunctionView, lines, type NodeView } from './view.ts';

/** Statements for a list of steps that all happen at once. */
function stepLines(steps: readonly Step[], level: Level, context: Context): readonly string[] {
  const { live, subscribers } = context;
  const out: string[] = [];
  for (const subscriber of subscribers) {
    const mine = steps.filter((s) => s.delivers && s.thread.subscription === subscriber.index).map((s) => s.thread);
    if (mine.length === 0) continue;
    const call = deliverCall(subscriber, level, context, { base: 'live', threads: mine });
    out.push(...deliverLines(subscriber, level, live.any('live', mine), call, context));
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
  const asks = askNodes('L7OnDisc', context);
  if (plan.discovery.every((d) => d.steps.length === 0) && updates.length === 0 && asks.length === 0) return undefined;
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
  const found = context.counting === undefined ? [] : [context.counting.found];
  return {
    doc: ['The application protocol is known; 0: none of those asked for.'],
    ...signed('onL7OnDisc', ['c', 'proto'], 'Actions', [
      lines(...loadLive(context, 'let')),
      ...updates,
      ...asks,
      ...decision,
      lines(...found, ...conclude('onL7OnDisc', context)),
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
  const asks = askNodes('L7EndHdrs', context);
  if (plan.sessions.length === 0 && updates.length === 0 && asks.length === 0) return undefined;
  const bodies = plan.sessions.map((s) => ({ protocol: s.protocol, nodes: sessionNodes(s, context) }));
  const [only] = bodies;
  let decision: readonly NodeView[];
  if (only === undefined) decision = [];
  else if (bodies.length === 1 && plan.parsers.length === 1) decision = only.nodes;
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
      lines(...loadLive(context, 'let'), ...(bodies.length === 0 ? [] : hits)),
      ...updates,
      ...asks,
      ...decision,
      lines(...conclude('onL7EndHdrs', context)),
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
      counting: context.counting,
      marks: (marks) => [lines(...live.set('hit', threadsOf(marks)))],
      guard: (marks) => live.any('live', threadsOf(marks)),
      user: (literal) => userCondition(literal, 'L7EndHdrs', ['c', 'session'], context),
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
  const asked = keepsFor(protocol.name, context);
  if (kept !== undefined && keepers.length + asked.length > 0 && protocol.sessionType !== undefined) {
    const type = scope.type('iris-ts/runtime', protocol.sessionType.name);
    const conditions = keepers.length === 0 ? [] : [live.any('hit', keepers)];
    if (asked.length > 0) conditions.push(live.any('live', asked));
    body.push(`if (${conditions.join(' || ')}) ${kept}[c / RECORD_WORDS] = session as ${type}`);
  }
  for (const subscriber of subscribers) {
    const mine = matches.filter((m) => m.delivers && m.thread.subscription === subscriber.index).map((m) => m.thread);
    if (mine.length === 0) continue;
    const call = deliverCall(subscriber, 'L7EndHdrs', context, { base: 'hit', threads: mine });
    // Where nothing outlives the session its "no more" changes nothing.
    const matters = subscriber.threads.some((t) => !mismatches.some((m) => m.thread === t && m.next === undefined));
    const several = subscribers.some((s) => s !== subscriber && s.threads[0] === subscriber.threads[0]);
    const bases = several ? ['hit'] : [];
    if (matters || several) {
      body.push(...deliverLines(subscriber, 'L7EndHdrs', live.any('hit', mine), call, context, ...bases));
    } else body.push(`if (${live.any('hit', mine)}) ${call}`);
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
  // Before the matches, whose successors this session has not been tested with.
  for (const { thread, next } of mismatches) {
    if (next === undefined || next === thread) continue;
    const [set = ''] = live.set('live', [next]);
    const [clear = ''] = live.clear('live', [thread]);
    const missed = live.any('hit', [thread]).replace('!== 0', '=== 0');
    out.push(`if (${live.any('live', [thread])} && ${missed}) {`, `  ${set}`, `  ${clear}`, '}');
  }
  for (const { thread, next } of matches) {
    if (next === undefined || next === thread) continue;
    const [set = ''] = live.set('live', [next]);
    out.push(`if (${live.any('hit', [thread])}${alive(thread, context)}) ${set}`);
  }
  const over = mismatches.filter((m) => m.next === undefined).map((m) => m.thread);
  out.push(...live.clear('live', over));
  for (const { thread, next } of matches) {
    if (next === undefined || next === thread || over.includes(thread)) continue;
    const [clear = ''] = live.clear('live', [thread]);
    out.push(`if (${live.any('hit', [thread])}) ${clear}`);
  }
  return out;
}

/** A subscription that delivered this very session may have said "no more". */
function alive(thread: Thread, context: Context): string {
  const { threads = [] } = context.subscribers[thread.subscription] ?? {};
  return threads.some((t) => t.level === 'L7EndHdrs') ? ` && ${context.live.any('live', [thread])}` : '';
}

/** `onL4Terminated`: what was never revealed is false now. */
export function onL4Terminated(context: Context, updates: readonly NodeView[]): FunctionView | undefined {
  const { plan, live, scope, subscribers } = context;
  const asks = askNodes('L4Terminated', context);
  if (plan.ends.length === 0 && asks.length === 0) return undefined;
  let needsProto = false;
  let changes = asks.length > 0;
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
    const call = deliverCall(subscriber, level, context, { base: 'live', threads: mine.map((e) => e.thread) });
    // Whoever is told here that nothing was discovered may be told of the end as well.
    const again = plan.ends.some((e) => e.thread.level === 'L4Terminated' && subscriber.threads.includes(e.thread));
    if (level === 'L4Terminated' || !again) return [`if (${conditions.join(' || ')}) ${call}`];
    changes ||= answers(subscriber, level);
    return deliverLines(subscriber, level, conditions.join(' || '), call, context);
  });
  const proto: string[] = [];
  if (needsProto) {
    const meta = `${scope.column('recMeta')}[c]`;
    proto.push(
      `const meta = ${meta}`,
      `const proto = (meta & ${scope.number('CONN_L7_KNOWN')}) !== 0 ? (meta >>> ${ConnMeta.L7_PROTO_SHIFT}) & ${ConnMeta.L7_PROTO_MASK} : 0`,
    );
  }
  return {
    doc: ['The connection ends: what it never revealed is false now.'],
    ...signed('onL4Terminated', ['c'], 'void', [
      lines(...loadLive(context, changes ? 'let' : 'const'), ...proto),
      ...updates,
      ...asks,
      lines(...deliveries),
    ]),
  };
}
