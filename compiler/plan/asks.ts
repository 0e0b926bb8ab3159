/** Users' filters that are asked until they decide: where, for which threads, and what becomes of these. */
import { type FilterInfo, LEVELS, type Level } from '../analysis/info.ts';
import type { Atom } from './atom.ts';
import type { Step, Thread, ThreadTable } from './threads.ts';

/** A filter at one of its levels. It is asked while any of the threads is alive. */
export interface AskPlan {
  readonly filter: FilterInfo;
  readonly level: Level;
  /** Threads that wait for its verdict. */
  readonly threads: readonly Thread[];
  readonly accepted: readonly Step[];
  readonly dropped: readonly Step[];
}

export function asksOf(table: ThreadTable, threads: readonly Thread[]): readonly AskPlan[] {
  const atoms = new Map<string, Atom>();
  for (const { atom } of threads.flatMap((thread) => thread.rest)) if (atom.when === 'later') atoms.set(atom.key, atom);
  return [...atoms.values()].flatMap((atom) => {
    if (atom.predicate.kind !== 'user') return [];
    const { filter } = atom.predicate;
    const waiting = threads.filter((thread) => thread.rest.some((literal) => literal.atom.key === atom.key));
    const accepted = waiting.map((thread) => table.atVerdict(thread, atom, true));
    const dropped = waiting.map((thread) => table.atVerdict(thread, atom, false));
    return LEVELS.filter((level) => filter.levels.includes(level)).map((level) => ({
      filter,
      level,
      threads: waiting,
      accepted,
      dropped,
    }));
  });
}
