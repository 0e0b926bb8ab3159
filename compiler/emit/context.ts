/** What all parts of the emitter share while one module is written. */
import type { DataTypeInfo, Level } from '../analysis/info.ts';
import type { TypedSubscription } from '../language/typed.ts';
import type { Family } from '../plan/families.ts';
import { ownerOf } from '../plan/parts.ts';
import type { ProgramPlan } from '../plan/plan.ts';
import type { Thread } from '../plan/threads.ts';
import type { Counting } from './counting.ts';
import type { Layout } from './layout.ts';
import type { LiveBits } from './live-bits.ts';
import type { Scope } from './scope.ts';
import { camelCase, pascalCase } from './text.ts';

/** One subscription with the names it has in the module. */
export interface Subscriber {
  readonly index: number;
  readonly source: TypedSubscription;
  /** Local function that hands a delivery to the user; of a method its class. */
  readonly handler: string;
  /** It stands for these subscriptions and has no handler of its own; {@link handler} names its classifier. */
  readonly family: Family | undefined;
  /** `handshakes` -> `Handshakes`, unique among subscriptions. */
  readonly suffix: string;
  /** Threads that end when it is unsubscribed: of a class those of all its methods. */
  readonly threads: readonly Thread[];
  /** Names of its delivery functions. */
  readonly deliver: ReadonlyMap<Level, string>;
  /** The `when` clause for comments. */
  readonly text: string;
}

/** A class of which connections have instances. */
export interface Instances {
  readonly key: string;
  readonly name: string;
  readonly module: string;
  /** The local that is constructed: of callbacks what stands for the class on this core. */
  readonly made?: string;
  readonly params: readonly DataTypeInfo[];
  /** The array of instances, and the function that gives a connection's. */
  readonly array: string;
  readonly accessor: string;
  /** Threads that may come to call it. */
  readonly threads: readonly Thread[];
  /** Of these, threads that call it from the first packet on. */
  readonly atOnce: readonly Thread[];
}

export interface Context {
  readonly plan: ProgramPlan;
  readonly scope: Scope;
  readonly live: LiveBits;
  readonly subscribers: readonly Subscriber[];
  readonly layout: Layout;
  /** Arrays of sessions kept with their connections, by protocol. */
  readonly kept: ReadonlyMap<string, string>;
  /** Classes of users of which connections have instances. */
  readonly instances: ReadonlyMap<string, Instances>;
  /** Only in modules that explain themselves. */
  readonly counting: Counting | undefined;
  /** A name of the module, taken at the first call and the same at later ones with that key. */
  claimed(wanted: string, key?: string): string;
}

/** The local name of an imported function or class of a subscription: itself, or what stands for it on this core. */
export function callbackLocal(source: TypedSubscription, claimed: Context['claimed']): string {
  const owner = ownerOf(source);
  const wanted = source.part === undefined ? camelCase('call', owner) : `${pascalCase(owner)}Here`;
  return claimed(wanted, `callback ${owner}`);
}
