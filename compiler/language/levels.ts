/**
 * Where in a connection's life a subscription is delivered.
 *
 * A level suits a subscription when all its data is whole there and its condition can have been decided there. Where the
 * user names none, the earliest suitable one is taken, by the order that is known: L4FirstPacket before everything else,
 * L4Terminated after it, L7OnDisc before L7EndHdrs, L4EndHshk before L7EndHdrs. So a TlsHandshake is delivered at
 * L7EndHdrs, a ConnRecord at L4Terminated, and a FiveTuple as soon as its condition is decided. Streaming levels and
 * `Packet` are never guessed: they deliver many times per connection. Where two levels would do and neither is known to
 * come first, the user has to say which.
 */
import type { DataTypeInfo, FilterInfo, Level } from '../analysis/info.ts';
import { LEVELS } from '../analysis/info.ts';
import { listNames } from './report.ts';
import { type Conjunction, literalText } from './satisfiable.ts';
import type { Predicate, TypedParam } from './typed.ts';

/** What decides the level of one delivery. */
export interface LevelQuestion {
  readonly params: readonly TypedParam[];
  /** Alternatives of the condition; undefined when there are too many to look at. */
  readonly alternatives: readonly Conjunction[] | undefined;
}

const ONCE: readonly Level[] = ['L4FirstPacket', 'L4EndHshk', 'L7OnDisc', 'L7EndHdrs', 'L4Terminated'];

/** Levels that deliver a packet, and may therefore test its fields. */
export const PACKET_LEVELS: readonly Level[] = ['Packet', 'L4FirstPacket', 'InL4Conn', 'InL4Stream'];

export function isStreaming(level: Level): boolean {
  return level === 'InL4Conn' || level === 'InL4Stream';
}

/** Whether `a` is known to come before `b` in the life of a connection. */
export function comesBefore(a: Level, b: Level): boolean {
  if (a === b || a === 'Packet' || b === 'Packet') return false;
  if (a === 'L4FirstPacket' || b === 'L4Terminated') return true;
  if (b === 'L4FirstPacket' || a === 'L4Terminated') return false;
  return b === 'L7EndHdrs' && (a === 'L7OnDisc' || a === 'L4EndHshk');
}

/** Why data of a type cannot be delivered at a level; undefined when it can. */
export function dataProblem(type: DataTypeInfo, level: Level): string | undefined {
  const { name, kind, availableAt } = type;
  const available = availableAt === 'Packet' || level === availableAt || comesBefore(availableAt, level);
  switch (kind) {
    case 'pdu':
      if (PACKET_LEVELS.includes(level) || level === 'L4EndHshk') return undefined;
      return `\`${name}\` is the packet at hand, and there is none at ${level}`;
    case 'session':
      if (level === 'L7EndHdrs' || level === 'L4Terminated' || isStreaming(level)) return undefined;
      return `\`${name}\` is not known before L7EndHdrs`;
    case 'context':
      if (name === 'FilterStr' && isStreaming(level)) {
        return `\`${name}\` is the pattern that matched, which is told once: a streaming level such as ${level} has none`;
      }
      if (
        level === 'Packet'
          ? availableAt === 'Packet' || availableAt === 'L4FirstPacket'
          : available || isStreaming(level)
      )
        return undefined;
      return `\`${name}\` is not known before ${availableAt}`;
    default:
      if (level === 'Packet')
        return `\`${name}\` belongs to a connection, and Packet delivers single frames outside any`;
      // Streaming levels see tracked data grow.
      if (available || isStreaming(level)) return undefined;
      return `\`${name}\` is not whole before ${availableAt}`;
  }
}

/** First level at which a predicate is surely decided, and why a level cannot tell; undefined when it can. */
export function predicateProblem(predicate: Predicate, level: Level): string | undefined {
  if (predicate.kind === 'field' && predicate.field.scope === 'packet' && !PACKET_LEVELS.includes(level)) {
    return `\`${predicate.text}\` speaks of a single packet: it can be tested at ${listNames(PACKET_LEVELS, 'and')}, not at ${level}`;
  }
  const text = literalText({ predicate, positive: true });
  if (predicate.kind === 'user' && isOfPacket(predicate.filter) && !PACKET_LEVELS.includes(level)) {
    return `the filter \`${text}\` looks at a single packet: it can be asked at ${listNames(PACKET_LEVELS, 'and')}, not at ${level}`;
  }
  const decided = decidedAt(predicate);
  if (decided === 'L4FirstPacket') {
    const ok = level !== 'Packet' || predicate.kind !== 'user' || predicate.filter.levels.includes('Packet');
    return ok
      ? undefined
      : `the filter \`${text}\` looks at connections, and Packet delivers single frames outside any`;
  }
  if (decided === 'Packet' || level === decided || comesBefore(decided, level)) return undefined;
  if (level === 'Packet')
    return `\`${text}\` is found out over a connection, and Packet delivers single frames outside any`;
  // What is found out later holds for the packets that follow.
  if (isStreaming(level) && (decided !== 'L4Terminated' || decidesEarlier(predicate))) return undefined;
  return `\`${text}\` is not known before ${decided}`;
}

function decidedAt(predicate: Predicate): Level {
  switch (predicate.kind) {
    case 'protocol':
      return predicate.protocol.layer === 'application' ? 'L7OnDisc' : 'L4FirstPacket';
    case 'field':
      return predicate.field.scope === 'session' ? 'L7EndHdrs' : 'L4FirstPacket';
    case 'user':
      return filterLevel(predicate.filter);
  }
}

/** Whether a filter may decide before the end of the connection. */
function decidesEarlier(predicate: Predicate): boolean {
  return predicate.kind === 'user' && predicate.filter.levels.some((level) => level !== 'L4Terminated');
}

/** A filter at `Packet` is a test of the packet at hand, as a field of a header is. */
function isOfPacket({ levels }: FilterInfo): boolean {
  return levels.length === 1 && levels[0] === 'Packet';
}

/** A filter is decided at the last of its levels. */
function filterLevel(filter: FilterInfo): Level {
  return filter.levels.reduce<Level>(
    (last, level) => (LEVELS.indexOf(level) > LEVELS.indexOf(last) ? level : last),
    'Packet',
  );
}

/** Why nothing could be delivered at this level: data that is missing, or a condition that no alternative decides. */
export function levelProblem({ params, alternatives }: LevelQuestion, level: Level): string | undefined {
  for (const { type } of params) {
    const problem = dataProblem(type, level);
    if (problem !== undefined) return problem;
  }
  if (alternatives === undefined || alternatives.length === 0) return undefined;
  const problems = alternatives.map((literals) => conjunctionProblem(literals, level));
  return problems.includes(undefined) ? undefined : problems[0];
}

/** Why one alternative of a condition cannot be decided at a level. */
export function conjunctionProblem(literals: Conjunction, level: Level): string | undefined {
  for (const { predicate } of literals) {
    const problem = predicateProblem(predicate, level);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

/** The levels that would do, for a message. */
export function suitableLevels(question: LevelQuestion): readonly Level[] {
  return LEVELS.filter((level) => levelProblem(question, level) === undefined);
}

export type Inferred =
  | { readonly level: Level }
  /** Several would do and none is known to be first. */
  | { readonly choices: readonly Level[]; readonly because?: string | undefined }
  /** None would do; one reason per level that was looked at. */
  | { readonly reasons: readonly string[] };

/** The earliest level that suits, see the head of this file. */
export function inferLevel(question: LevelQuestion): Inferred {
  const { params, alternatives } = question;
  const everyAlternative = (level: Level) =>
    alternatives?.every((literals) => conjunctionProblem(literals, level) === undefined) ?? level === 'L4Terminated';
  const sessions = params.some(({ type }) => type.kind === 'session' || type.availableAt === 'L7EndHdrs');
  const suits = (level: Level) =>
    levelProblem(question, level) === undefined &&
    everyAlternative(level) &&
    // L7EndHdrs delivers per session: a condition that can hold without one would be missed there.
    (level !== 'L7EndHdrs' || sessions || (alternatives?.every(asksForSession) ?? false));
  const pdu = params.some(({ type }) => type.kind === 'pdu');
  const suitable = pdu ? [] : ONCE.filter(suits);
  const first = suitable.filter((level) => !suitable.some((other) => comesBefore(other, level)));
  const [only] = first;
  if (first.length === 1 && only !== undefined) return { level: only };
  const choices = first.length > 1 ? first : suitableLevels(question);
  if (choices.length > 0) {
    // Where only streaming is left, the reason is what keeps it from the end of the connection, when all data is there.
    const because =
      pdu || choices.some((level) => ONCE.includes(level)) ? undefined : levelProblem(question, 'L4Terminated');
    return { choices, because };
  }
  return {
    reasons: [...new Set(ONCE.map((level) => levelProblem(question, level)).filter((reason) => reason !== undefined))],
  };
}

function asksForSession(literals: Conjunction): boolean {
  return literals.some(({ predicate, positive }) => {
    if (!positive) return false;
    if (predicate.kind === 'user') return predicate.filter.levels.every((level) => level === 'L7EndHdrs');
    return predicate.protocol.layer === 'application';
  });
}
