/**
 * One delivery is a subscription at one of its levels. Here each gets its patterns, made ready for that level: what the
 * level itself implies (the end of a handshake means TCP), what its parameters need (a TlsHandshake means a TLS session).
 */

import type { ProtocolDef } from '../../runtime/protocols/field.ts';
import type { DataTypeInfo, Level } from '../analysis/info.ts';
import type { Span } from '../language/ast.ts';
import type { TypedSubscription } from '../language/typed.ts';
import {
  applicationOf,
  type Literal,
  type Pattern,
  patternText,
  pendingFilter,
  positive,
  protocolAtom,
  sessionAtom,
} from './atom.ts';
import { mergePatterns, toDnf } from './dnf.ts';
import { protocolOfSession } from './filters.ts';
import { toFormula } from './formula.ts';
import { isConflict, simplifyPattern } from './pattern.ts';
import { presenceOf, type World } from './presence.ts';

/** What the planner finds wrong with one subscription. */
export interface PlanProblem {
  readonly severity: 'error' | 'warning';
  readonly code: string;
  readonly message: string;
  readonly span: Span;
  readonly suggestion?: string;
}

export interface Delivery {
  /** Number of the subscription in order of declaration. */
  readonly subscription: number;
  readonly level: Level;
  readonly patterns: readonly Pattern[];
}

/** Levels in whose order a connection goes through its life, as far as it is known. */
const STREAMING: ReadonlySet<Level> = new Set<Level>(['InL4Conn', 'InL4Stream']);

export const isStreaming = (level: Level): boolean => STREAMING.has(level);

/** Whether a level can come again for one connection: deliveries say then whether they want more. */
export const repeats = (level: Level): boolean => isStreaming(level) || level === 'L7EndHdrs';

/** Application protocols whose sessions the parameters of a subscription hold. */
export function sessionProtocols(subscription: TypedSubscription, world: World): readonly ProtocolDef[] {
  const names = new Set(subscription.params.flatMap(({ type }) => sessionsOfType(type)));
  return world.protocols.filter((p) => names.has(p.name));
}

/** Protocols of the sessions that data is, or is built from. */
export function sessionsOfType(type: DataTypeInfo): readonly string[] {
  if (type.kind === 'session') return type.protocol === undefined ? [] : [type.protocol];
  if (type.kind !== 'object') return [];
  return (type.params ?? []).flatMap((param) => protocolOfSession(param.type)?.name ?? []);
}

export function deliveriesOf(
  subscription: TypedSubscription,
  index: number,
  protocols: readonly ProtocolDef[],
): { deliveries: readonly Delivery[]; problems: readonly PlanProblem[] } {
  const problems: PlanProblem[] = [];
  const deliveries: Delivery[] = [];
  const { span } = subscription;
  for (const level of subscription.levels) {
    const world: World = { protocols, connections: level !== 'Packet' };
    const dnf = toDnf(toFormula(subscription.when), world);
    if (dnf === undefined) {
      const message = `\`${subscription.name}\` has too many alternatives once its \`or\`s are multiplied out`;
      problems.push({
        severity: 'error',
        code: 'too-complex',
        message,
        span,
        suggestion: 'split it into several subscriptions',
      });
      break;
    }
    const implied = impliedBy(subscription, level, world);
    const conflicts = [...dnf.conflicts];
    const patterns: Pattern[] = [];
    for (const pattern of dnf.patterns) {
      const result = simplifyPattern([...pattern, ...implied], world);
      if (isConflict(result)) conflicts.push(result.conflict);
      else patterns.push(result);
    }
    if (patterns.length === 0) {
      const because = conflicts.length === 0 ? '' : `: ${[...new Set(conflicts)].slice(0, 3).join('; ')}`;
      const where = `${level === 'Packet' ? '' : ` at ${level}`}${subscription.part === undefined ? '' : ` for \`${subscription.name}\``}`;
      const message = `nothing can satisfy \`${subscription.text}\`${where}${because}`;
      problems.push({ severity: 'error', code: 'unsatisfiable', message, span: whenSpan(subscription) });
      continue;
    }
    const merged = mergePatterns(patterns, world)
      .map((pattern) => ofHandshake(pattern, world))
      .flatMap((pattern) => splitByTransport(pattern, world));
    // The checker has warned of methods that are never called.
    const known = subscription.part === undefined ? merged : merged.filter((pattern) => canBeKnown(pattern, level));
    if (known.length === 0) continue;
    problems.push(...known.flatMap((pattern) => problemsAt(pattern, level)));
    deliveries.push({ subscription: index, level, patterns: known });
  }
  return { deliveries, problems: uniqueProblems(problems) };
}

function whenSpan(subscription: TypedSubscription): Span {
  return subscription.when.kind === 'true' ? subscription.span : subscription.when.span;
}

function impliedBy(subscription: TypedSubscription, level: Level, world: World): readonly Literal[] {
  const { span } = subscription;
  const sessions = sessionProtocols(subscription, world);
  const literals = sessions.map((protocol) => positive(protocolAtom(protocol, span)));
  if (level !== 'L7EndHdrs') literals.push(...sessions.map((protocol) => positive(sessionAtom(protocol, span))));
  const tcp = world.protocols.find((p) => p.name === 'tcp');
  if (level === 'L4EndHshk' && tcp !== undefined) literals.push(positive(protocolAtom(tcp, span)));
  return literals;
}

/**
 * Whether a method of a class can be told at this level of a connection that the pattern holds for. Where it cannot,
 * the method is passed over: it is called from the moment the pattern is known to hold.
 */
function canBeKnown(pattern: Pattern, level: Level): boolean {
  return pattern.every((literal) => {
    const { when } = literal.atom;
    const filter = pendingFilter(literal);
    if (filter !== undefined && level !== 'L4Terminated' && filter.levels.every((one) => one === 'L4Terminated')) {
      return false;
    }
    switch (level) {
      case 'L4FirstPacket':
        return when === 'connection' || when === 'first' || when === 'packet';
      case 'L4EndHshk':
        return when === 'connection' || when === 'first' || when === 'later';
      case 'L7OnDisc':
        return when !== 'packet' && !(when === 'session' && literal.positive);
      case 'L7EndHdrs':
      case 'L4Terminated':
        return when !== 'packet';
      default:
        return true;
    }
  });
}

/** A filter that is asked at the end of the handshake alone says yes of TCP only. */
function ofHandshake(pattern: Pattern, world: World): Pattern {
  const asked = pattern.some((l) => l.positive && pendingFilter(l)?.levels.every((level) => level === 'L4EndHshk'));
  const tcp = world.protocols.find((p) => p.name === 'tcp');
  if (!asked || tcp === undefined) return pattern;
  const result = simplifyPattern([...pattern, positive(protocolAtom(tcp, ORIGIN))], world);
  return isConflict(result) ? pattern : result;
}

const ORIGIN: Span = { start: 0, end: 0 };

/**
 * `not tls` is true of UDP at the first packet, and of TCP only later: one pattern for each, so that nothing waits, and
 * nothing is parsed, where the answer is known.
 */
function splitByTransport(pattern: Pattern, world: World): readonly Pattern[] {
  if (!world.connections || !pattern.some((l) => applicationOf(l)?.over.length === 1)) return [pattern];
  const transports = world.protocols.filter((p) => p.layer === 'transport');
  const { present } = presenceOf(pattern, world);
  if (transports.some((p) => present.has(p.name))) return [pattern];
  const span = pattern[0]?.atom.predicate.span ?? { start: 0, end: 0 };
  const parts = transports.map((p) => simplifyPattern([...pattern, positive(protocolAtom(p, span))], world));
  return parts.flatMap((part) => (isConflict(part) ? [] : [part]));
}

/** Tests that a level comes too early, or too late, for. */
function problemsAt(pattern: Pattern, level: Level): PlanProblem[] {
  const problems: PlanProblem[] = [];
  for (const { atom } of pattern) {
    const { span } = atom.predicate;
    const { when, text } = atom;
    const error = (code: string, message: string, suggestion?: string): void => {
      problems.push({ severity: 'error', code, message, span, ...(suggestion !== undefined && { suggestion }) });
    };
    if (when === 'packet' && level !== 'Packet' && level !== 'L4FirstPacket' && !isStreaming(level)) {
      const message = `\`${text}\` speaks of a single packet, and ${level} comes with none`;
      error('packet-field', message, 'deliver at L4FirstPacket, InL4Conn, InL4Stream or Packet');
    } else if (when === 'session' && ['Packet', 'L4FirstPacket', 'L4EndHshk', 'L7OnDisc'].includes(level)) {
      error('too-early', `\`${text}\` is not known yet at ${level}`, 'deliver at L7EndHdrs or L4Terminated');
    } else if (when === 'protocol' && ['Packet', 'L4FirstPacket', 'L4EndHshk'].includes(level)) {
      error('too-early', `\`${text}\` is not known yet at ${level}`, 'deliver at L7OnDisc, L7EndHdrs or L4Terminated');
    }
  }
  return problems;
}

function uniqueProblems(problems: readonly PlanProblem[]): readonly PlanProblem[] {
  const key = (p: PlanProblem): string => `${p.code} ${p.span.start} ${p.message}`;
  return [...new Map(problems.map((p) => [key(p), p])).values()];
}

/** For comments and `explain`: the patterns of one delivery. */
export function deliveryText(patterns: readonly Pattern[]): string {
  return patterns.map(patternText).join(' or ');
}
