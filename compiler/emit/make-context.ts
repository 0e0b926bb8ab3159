/** Names everything that a module will hold, before the first line of it is written. */
import type { Level } from '../analysis/info.ts';
import { patternText } from '../plan/atom.ts';
import { ownerOf } from '../plan/parts.ts';
import type { ProgramPlan } from '../plan/plan.ts';
import type { Thread } from '../plan/threads.ts';
import { type Context, callbackLocal, type Subscriber } from './context.ts';
import { countingOf } from './counting.ts';
import { findInstances } from './instances.ts';
import { type ColumnCompiler, layOut } from './layout.ts';
import { LiveBits } from './live-bits.ts';
import { Scope } from './scope.ts';
import { camelCase, commentText, constantCase, pascalCase } from './text.ts';

/** Names that the templates and the functions of this folder use themselves. */
const RESERVED =
  'Actions Core EndReason Handlers Plan Session Subscription actionsOf address addr6 answered c clear core create error foundProtocol handlers hit hits live meta now onL4EndHshk onL4FirstPacket onL4Stream onL4Terminated onL7EndHdrs onL7OnDisc onLate onPacket open p packetFilter plan ports proto reason session tracked update value view known made matched own RECORD_WORDS'.split(
    ' ',
  );

export function makeContext(plan: ProgramPlan, compileColumns: ColumnCompiler, instrument = false): Context {
  const extraWords = Math.max(0, Math.ceil(plan.threads.length / 32) - 1);
  const locals = [...plan.parsers.map((p) => p.name), ...['live', 'hit'].flatMap((n) => numbered(n, extraWords))];
  const scope = new Scope([...RESERVED, ...locals]);
  const { units } = plan;
  const suffixes = uniqueSuffixes(units.map((s) => s.name));
  const live = new LiveBits(plan.threads, nameThreads(plan, suffixes, scope), (t) => threadComment(t, plan));
  const claims = new Map<string, string>();
  const claimed = (wanted: string, key = wanted): string => {
    const name = claims.get(key) ?? scope.names.take(wanted);
    claims.set(key, name);
    return name;
  };
  const subscribers = units.map((source, index): Subscriber => {
    const imported = source.callback;
    const family = plan.families.find((f) => f.unit === index);
    return {
      index,
      source,
      handler: imported === undefined ? scope.names.take(source.name) : callbackLocal(source, claimed),
      family,
      suffix: suffixes[index] ?? '',
      threads: plan.threads.filter((t) => ownerOf(plan.units[t.subscription] ?? source) === ownerOf(source)),
      deliver: deliverNames(source.levels, suffixes[index] ?? '', scope),
      text: commentText(source.text === '' ? 'everything' : source.text),
    };
  });
  const kept = plan.keptSessions.map((p) => [p.name, scope.names.take(camelCase('kept', p.name))] as const);
  const draft = {
    plan,
    scope,
    live,
    subscribers,
    layout: layOut(plan, extraWords, scope, compileColumns),
    kept: new Map(kept),
    claimed,
    counting: instrument ? countingOf(plan, scope) : undefined,
  };
  return { ...draft, instances: findInstances(draft) };
}

function deliverNames(levels: readonly Level[], suffix: string, scope: Scope): ReadonlyMap<Level, string> {
  const name = (level: Level): string => scope.names.take(`deliver${suffix}${levels.length > 1 ? level : ''}`);
  return new Map(levels.map((level) => [level, name(level)]));
}

const numbered = (name: string, count: number): string[] => Array.from({ length: count }, (_, i) => `${name}${i + 1}`);

function uniqueSuffixes(names: readonly string[]): readonly string[] {
  const seen = new Map<string, number>();
  return names.map((name) => {
    const suffix = pascalCase(name);
    const count = (seen.get(suffix) ?? 0) + 1;
    seen.set(suffix, count);
    return count === 1 ? suffix : `${suffix}_${count}`;
  });
}

/** `T_VIDEO`, with a number where a subscription has several threads. */
function nameThreads(plan: ProgramPlan, suffixes: readonly string[], scope: Scope): (thread: Thread) => string {
  const names = new Map<Thread, string>();
  for (const thread of plan.threads) {
    const mine = plan.threads.filter((t) => t.subscription === thread.subscription);
    const levels = new Set(mine.map((t) => t.level));
    const parts = [`T_${constantCase(suffixes[thread.subscription] ?? '')}`];
    if (levels.size > 1) parts.push(constantCase(thread.level));
    const holds = thread.rest.length === 0 && !thread.waits;
    if (holds && mine.some((t) => t !== thread && t.level === thread.level)) parts.push('HOLDS');
    names.set(thread, scope.names.take(parts.join('_')));
  }
  return (thread) => names.get(thread) ?? '';
}

function threadComment(thread: Thread, plan: ProgramPlan): string {
  const name = plan.units[thread.subscription]?.name ?? '';
  const rest = patternText(thread.rest);
  const open = thread.rest.length > 0 ? `open: ${rest}` : thread.waits ? 'waits for the application protocol' : 'holds';
  return commentText(`${name} at ${thread.level}: ${open}${thread.disappointed ? ', not by a session so far' : ''}`);
}
