/**
 * The planner: from the checked program to what each state transition has to do. Passes in order: deliveries (normal form,
 * layers, exclusions), packet filter, threads, trees, actions. Everything in the result is plain data.
 */

import type { ProtocolDef } from '../../runtime/protocols/field.ts';
import type { FlowRule } from '../../runtime/subscription/contract.ts';
import type { Level } from '../analysis/info.ts';
import type { Diagnostic } from '../language/diagnostic.ts';
import type { TypedProgram, TypedSubscription } from '../language/typed.ts';
import { type ActionName, actionsOf } from './actions.ts';
import { type AskPlan, asksOf } from './asks.ts';
import { type Atom, applicationOf, type Pattern, pendingFilter, positive, protocolAtom, sessionAtom } from './atom.ts';
import { type DataPlan, dataOf, pendingFilters } from './data.ts';
import { type Delivery, deliveriesOf } from './deliveries.ts';
import { type Family, groupFamilies } from './families.ts';
import { filterProtocol, protocolOfSession, runsOf, wantsParsing } from './filters.ts';
import { flowRules } from './flow-rules.ts';
import { packetFilterPatterns } from './packet-filter.ts';
import { splitClasses } from './parts.ts';
import { isConflict, simplifyPattern } from './pattern.ts';
import { presenceOf, type World } from './presence.ts';
import {
  couldHoldUnseen,
  endsUnknown,
  holdsUnder,
  isPending,
  type Start,
  type Step,
  streams,
  type Thread,
  ThreadTable,
} from './threads.ts';
import { buildTree, type Rule, type TreeNode } from './tree.ts';

/** What one event (a protocol found, a session parsed) does to the threads that it concerns. */
export interface DiscoveryPlan {
  /** Undefined: none of the parsers recognised the connection. */
  readonly protocol: ProtocolDef | undefined;
  readonly steps: readonly Step[];
}

export interface SessionPlan {
  readonly protocol: ProtocolDef;
  /** Marks are threads: those whose rest the session satisfies. */
  readonly tree: TreeNode;
  readonly matches: readonly Step[];
  readonly mismatches: readonly Step[];
}

/** A thread that is delivered at the end of its connection. */
export interface EndPlan {
  readonly thread: Thread;
  /** Only if the application protocol is one of these (undefined: none); absent: whatever it is. */
  readonly under: readonly (ProtocolDef | undefined)[] | undefined;
}

export interface StreamPlan {
  readonly level: Level;
  /** Marks are threads. */
  readonly tree: TreeNode;
  readonly threads: readonly Thread[];
}

export interface ProgramPlan {
  readonly program: TypedProgram;
  /** What is planned for: the program's subscriptions, and behind them one for each family. */
  readonly units: readonly TypedSubscription[];
  readonly families: readonly Family[];
  readonly world: World;
  /** Of the units; subscriptions of a family have none of their own. */
  readonly deliveries: readonly Delivery[];
  readonly parsers: readonly ProtocolDef[];
  readonly starts: readonly Start[];
  readonly threads: readonly Thread[];
  readonly filterPatterns: readonly Pattern[];
  /** Mark 0: let the packet in. */
  readonly packetFilter: TreeNode;
  /** Marks: threads by number; {@link firstMark} of subscriptions delivered at once. */
  readonly first: TreeNode;
  /** Marks: subscriptions. Absent without subscriptions at Packet. */
  readonly packet: TreeNode | undefined;
  /** Threads that end with the handshake, and those that are delivered at it. */
  readonly handshake: { readonly threads: readonly Thread[]; readonly delivered: readonly Thread[] };
  readonly discovery: readonly DiscoveryPlan[];
  readonly sessions: readonly SessionPlan[];
  readonly streams: readonly StreamPlan[];
  readonly ends: readonly EndPlan[];
  /** Users' filters that are asked until they decide, by level, in the order of asking. */
  readonly asks: readonly AskPlan[];
  readonly actions: ReadonlyMap<Thread, readonly ActionName[]>;
  /** Tracked data types, one instance per connection however many subscriptions ask. */
  readonly data: readonly DataPlan[];
  /** Protocols whose session is kept with the connection, for deliveries after it. */
  readonly keptSessions: readonly ProtocolDef[];
  /** Once the winner is alive the losers can add nothing. */
  readonly settled: readonly { readonly winner: Thread; readonly losers: readonly Thread[] }[];
  readonly flowRules: readonly FlowRule[];
}

const FIRST = 1 << 20;
/** Numbers of patterns are below this. */
const PATTERNS = 1 << 10;
/** The mark of a subscription that is delivered at the first packet, or as a single frame, and of the pattern that holds. */
export const firstMark = (subscription: number, pattern = 0): number => FIRST + subscription * PATTERNS + pattern;
/** The subscription of such a mark; undefined for the mark of a thread. */
export const subscriptionOfMark = (mark: number): number | undefined =>
  mark >= FIRST ? Math.floor((mark - FIRST) / PATTERNS) : undefined;
/** The pattern of such a mark. */
export const patternOfMark = (mark: number): number => (mark - FIRST) % PATTERNS;

export interface PlanResult {
  readonly plan: ProgramPlan | undefined;
  readonly diagnostics: readonly Diagnostic[];
}

/** Plans a program over the protocols of the catalog, outermost first; `parsers` names those that can be parsed. */
export function planProgram(
  source: TypedProgram,
  protocols: readonly ProtocolDef[],
  parsers: readonly string[],
): PlanResult {
  const world: World = { protocols, connections: true };
  const program = splitClasses(source);
  const single: Delivery[] = [];
  const diagnostics: Diagnostic[] = [];
  for (const [index, subscription] of program.subscriptions.entries()) {
    const result = deliveriesOf(subscription, index, protocols);
    single.push(...result.deliveries);
    diagnostics.push(...result.problems.map((problem) => ({ ...problem, file: program.file })));
  }
  const probed = parsersOf(single, world, parsers);
  diagnostics.push(...missingParsers(program, single, parsers));
  if (diagnostics.some((d) => d.severity === 'error')) return { plan: undefined, diagnostics };

  const { units, deliveries, families } = groupFamilies(program.subscriptions, single, world);
  const table = new ThreadTable();
  const starts = deliveries
    .filter((d) => d.level !== 'Packet')
    .flatMap((d) => {
      const asked = asksForPattern(units[d.subscription]) && d.patterns.length > 1;
      return d.patterns.map((pattern, i) => table.start(d, pattern, asked ? i : undefined));
    });
  const threads = table.close(probed);
  const filterPatterns = packetFilterPatterns(deliveries, world);
  const data = dataOf(program.dataTypes, units, threads, deliveries);
  const plan: ProgramPlan = {
    program,
    units,
    families,
    world,
    deliveries,
    parsers: probed,
    starts,
    threads,
    filterPatterns,
    packetFilter: buildTree(rulesFor(filterPatterns, 0), { world, anyMark: true }),
    first: buildTree(starts.map(startRule), { world }),
    packet: packetTree(program, deliveries, protocols),
    handshake: handshakeOf(threads),
    discovery: discoveryOf(table, threads, probed),
    sessions: sessionsOf(table, threads, probed, world),
    streams: streamsOf(threads, world),
    ends: endsOf(table, threads, probed),
    asks: asksOf(table, threads),
    actions: new Map(threads.map((thread) => [thread, actionsOf(thread, data)])),
    data,
    keptSessions: keptSessionsOf(units, deliveries, threads, world),
    settled: settledOf(threads, deliveries),
    flowRules: flowRules(
      filterPatterns,
      deliveries.some((d) => d.level === 'Packet'),
    ),
  };
  return { plan, diagnostics };
}

const rulesFor = (patterns: readonly Pattern[], mark: number): Rule[] =>
  patterns.map((literals) => ({ literals, mark }));

function startRule(start: Start): Rule {
  return { literals: start.early, mark: start.thread?.id ?? firstMark(start.subscription, start.pattern) };
}

/** Whether a subscription is told which of its patterns holds. */
const asksForPattern = (subscription: TypedSubscription | undefined): boolean =>
  subscription?.params.some(({ type }) => type.kind === 'context' && type.name === 'FilterStr') ?? false;

function handshakeOf(threads: readonly Thread[]): ProgramPlan['handshake'] {
  const mine = threads.filter((t) => t.level === 'L4EndHshk');
  return { threads: mine, delivered: mine.filter((t) => !isPending(t.rest)) };
}

function packetTree(
  program: TypedProgram,
  deliveries: readonly Delivery[],
  protocols: readonly ProtocolDef[],
): TreeNode | undefined {
  const mine = deliveries.filter((d) => d.level === 'Packet');
  if (mine.length === 0) return undefined;
  const rules = mine.flatMap(({ subscription, patterns }) => {
    const asked = asksForPattern(program.subscriptions[subscription]);
    return patterns.map((literals, i) => ({ literals, mark: firstMark(subscription, asked ? i : 0) }));
  });
  return buildTree(rules, { world: { protocols, connections: false } });
}

/** Protocols to probe: those that are named; for a delivery of any protocol's sessions all that are possible. */
function parsersOf(deliveries: readonly Delivery[], world: World, parsers: readonly string[]): readonly ProtocolDef[] {
  const names = new Set<string>();
  for (const { level, patterns } of deliveries) {
    for (const pattern of patterns) {
      const named = pattern.map(applicationOf);
      for (const protocol of named) if (protocol !== undefined) names.add(protocol.name);
      for (const filter of pattern.flatMap((l) => pendingFilter(l) ?? [])) {
        const protocol = filterProtocol(filter);
        if (protocol !== undefined) names.add(protocol.name);
      }
      if (!wantsAny(level, pattern, patterns)) continue;
      const { absent } = presenceOf(pattern, world);
      for (const name of parsers) if (!absent.has(name)) names.add(name);
    }
  }
  return world.protocols.filter((p) => names.has(p.name));
}

/** Whether a delivery takes any protocol: sessions where none is asked for, a discovery where none is even named. */
function wantsAny(level: Level, pattern: Pattern, patterns: readonly Pattern[]): boolean {
  if (pattern.some((l) => looksAtAny(l.atom))) return true;
  if (level === 'L7EndHdrs') return !pattern.some((l) => l.positive && applicationOf(l) !== undefined);
  return level === 'L7OnDisc' && !patterns.flat().some((l) => applicationOf(l) !== undefined);
}

/** Filters that look at the application protocol, or at sessions of any. */
function looksAtAny({ predicate, when }: Atom): boolean {
  if (predicate.kind !== 'user' || (when !== 'later' && when !== 'session')) return false;
  return wantsParsing(predicate.filter) && filterProtocol(predicate.filter) === undefined;
}

function missingParsers(
  program: TypedProgram,
  deliveries: readonly Delivery[],
  parsers: readonly string[],
): readonly Diagnostic[] {
  const found = new Map<string, Diagnostic>();
  for (const literal of deliveries.flatMap((d) => d.patterns.flat())) {
    const protocol = applicationOf(literal);
    if (protocol === undefined || parsers.includes(protocol.name) || found.has(protocol.name)) continue;
    const message = `connections of \`${protocol.name}\` cannot be parsed by this version`;
    const { span } = literal.atom.predicate;
    found.set(protocol.name, { severity: 'error', code: 'no-parser', message, file: program.file, span });
  }
  return [...found.values()];
}

function discoveryOf(table: ThreadTable, threads: readonly Thread[], probed: readonly ProtocolDef[]): DiscoveryPlan[] {
  if (!threads.some((t) => t.waits)) return [];
  return [...probed, undefined].map((protocol) => ({
    protocol,
    steps: threads
      .filter((t) => t.waits && !t.disappointed)
      .map((t) => table.atDiscovery(t, protocol))
      .filter((step) => step.next !== step.thread || step.delivers),
  }));
}

function sessionsOf(
  table: ThreadTable,
  threads: readonly Thread[],
  probed: readonly ProtocolDef[],
  world: World,
): SessionPlan[] {
  const plans: SessionPlan[] = [];
  for (const protocol of probed) {
    const waiting = threads.filter((t) => table.concerns(t, protocol));
    if (waiting.length === 0) continue;
    const span = { start: 0, end: 0 };
    const known = simplifyPattern(
      [positive(protocolAtom(protocol, span)), positive(sessionAtom(protocol, span))],
      world,
    );
    if (isConflict(known)) continue;
    const rules = waiting.map((t) => ({ literals: t.rest.filter((l) => isOfSession(l.atom)), mark: t.id }));
    plans.push({
      protocol,
      tree: buildTree(rules, { world }, known),
      matches: waiting.map((t) => table.atMatch(t, protocol)),
      mismatches: waiting.map((t) => table.atMismatch(t, protocol)),
    });
  }
  return plans;
}

/** Whether a session decides it: not the packet at hand, not a filter that has yet to speak. */
const isOfSession = ({ when }: Atom): boolean => when !== 'packet' && when !== 'later';

function streamsOf(threads: readonly Thread[], world: World): StreamPlan[] {
  const levels: readonly Level[] = ['InL4Conn', 'InL4Stream'];
  return levels
    .map((level) => ({ level, threads: threads.filter((t) => streams(t, level)) }))
    .filter((s) => s.threads.length > 0)
    .map((s) => ({
      ...s,
      tree: buildTree(
        s.threads.map((t) => ({ literals: t.rest, mark: t.id })),
        { world },
      ),
    }));
}

function endsOf(table: ThreadTable, threads: readonly Thread[], probed: readonly ProtocolDef[]): EndPlan[] {
  const ends: EndPlan[] = [];
  for (const thread of threads) {
    if (endsUnknown(thread)) ends.push({ thread, under: undefined });
    if (thread.level !== 'L4Terminated' || thread.disappointed) continue;
    if (!couldHoldUnseen(thread.rest)) continue;
    if (!thread.waits) ends.push({ thread, under: undefined });
    else {
      // Protocols under which the thread would still be waiting; undefined: nothing was recognised before the end.
      const all = [undefined, ...probed.filter((p) => table.concerns(thread, p))];
      const under = all.filter((protocol) => holdsUnder(thread.rest, protocol));
      if (under.length > 0) ends.push({ thread, under: under.length === all.length ? undefined : under });
    }
  }
  return ends;
}

function keptSessionsOf(
  units: readonly TypedSubscription[],
  deliveries: readonly Delivery[],
  threads: readonly Thread[],
  world: World,
): readonly ProtocolDef[] {
  const names = new Set<string>();
  for (const { subscription, level } of deliveries) {
    if (level === 'L7EndHdrs') continue;
    for (const { type } of units[subscription]?.params ?? []) {
      if (type.kind === 'session' && type.protocol !== undefined) names.add(type.protocol);
    }
  }
  for (const run of pendingFilters(threads).flatMap(runsOf)) {
    if (run.level === 'L7EndHdrs') continue;
    for (const { type } of run.params) names.add(protocolOfSession(type)?.name ?? '');
  }
  return world.protocols.filter((p) => names.has(p.name));
}

/** Of one delivery the thread with nothing left to decide makes the others superfluous. */
function settledOf(threads: readonly Thread[], deliveries: readonly Delivery[]): ProgramPlan['settled'] {
  const alternatives = (t: Thread): boolean =>
    deliveries.some((d) => d.subscription === t.subscription && d.level === t.level && d.patterns.length > 1);
  return threads
    .filter((t) => !t.waits && t.rest.length === 0 && alternatives(t))
    .map((winner) => ({
      winner,
      losers: threads.filter((t) => t !== winner && t.subscription === winner.subscription && t.level === winner.level),
    }))
    .filter((s) => s.losers.length > 0);
}
