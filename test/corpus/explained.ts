/**
 * Where Iris differs from tshark's truth on the corpus, and why. A difference that is not here fails the corpus test, and
 * so does an entry here that no longer occurs.
 */
import type { View } from './compare.ts';

export interface Explained {
  readonly capture: string;
  readonly view: View;
  readonly conn: number | string;
  readonly fact: string;
  readonly ours: string;
  readonly truth: string;
  readonly why: string;
}

export const EXPLAINED: readonly Explained[] = [];
