import type { Counters } from '../stats/counters.ts';
import type { Core } from '../subscription/contract.ts';

/** A core with its counters: what the engine's own parts work on. */
export interface EngineCore extends Core {
  readonly counters: Counters;
}
