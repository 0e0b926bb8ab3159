/** What a delivery itself knows: parameters that no class holds, given as plain values. */
import type { Level } from '../subscription/decorators.ts';

/** Number of the core that delivers, from 0. Output that names it depends on how many cores ran. */
export type CoreId = number & { readonly __coreId?: never };

/** The `when` clause of the subscription that is delivered, on one line. */
export type FilterStr = string & { readonly __filterStr?: never };

/** The state transition at which the delivery happens. */
export type StateTransition = Level;
