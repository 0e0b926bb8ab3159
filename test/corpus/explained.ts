/**
 * Where Iris differs from tshark's truth on the corpus, and why. A difference that is not here fails the corpus test, and
 * so does an entry here that no longer occurs.
 */
import type { Difference, View } from './compare.ts';

export interface Explained {
  readonly capture: string;
  readonly views: readonly View[];
  /** As in {@link Difference}. */
  readonly conns: readonly (number | string)[];
  /** Names of facts, or their first words. */
  readonly facts: readonly string[];
  readonly why: string;
  /** Only where each of our numbers is at most that of the truth. */
  readonly fewer?: true;
}

export const EXPLAINED: readonly Explained[] = [];

/** What an entry covers, a name each. */
export function cases(entry: Explained): string[] {
  return entry.views.flatMap((view) =>
    entry.conns.flatMap((conn) => entry.facts.map((fact) => [entry.capture, view, conn, fact].join(' '))),
  );
}

function isFewer({ ours, truth }: Difference): boolean {
  const [a, b] = [ours, truth].map((text) => text.match(/\d+/g)?.map(Number) ?? []);
  return a.length === b.length && a.every((n, i) => n <= (b[i] ?? -1));
}

/** The entry that explains a difference, and the name of the case of it. */
export function explanationOf(
  capture: string,
  view: View,
  difference: Difference,
): { readonly entry: Explained; readonly name: string } | undefined {
  for (const entry of EXPLAINED) {
    if (entry.capture !== capture || !entry.views.includes(view) || !entry.conns.includes(difference.conn)) continue;
    if (entry.fewer && !isFewer(difference)) continue;
    const fact = entry.facts.find((start) => difference.fact === start || difference.fact.startsWith(`${start} `));
    if (fact !== undefined) return { entry, name: [capture, view, difference.conn, fact].join(' ') };
  }
  return undefined;
}
