/**
 * Functions and classes that a filter file names itself, where they run on other threads: what a generated module calls,
 * and what stands for it on the receive core, told from each other by `core.callback`.
 */
import type { LoadedApp } from '../cli/load-app.ts';
import { createCore } from '../core.ts';
import type { Core } from '../subscription/contract.ts';

type Callable = (...values: unknown[]) => unknown;
type Constructor = new (...values: unknown[]) => object;

export interface Callback {
  readonly own: Callable & Constructor;
  /** A call that returns false ends the deliveries of its connection. */
  readonly streaming: boolean;
}

/** The record of a class instance that is made; records of methods have the method's name in its place. */
export const MADE = 'constructor';
/** The record of a class instance whose connection has ended. */
export const GONE = '';

/**
 * The functions and classes of a program, by subscription. The program is made once for it, and never sees a packet; that
 * also tells which of its classes are kept in columns.
 */
export function callbacksOf(app: LoadedApp, userError: Core['userError'] = () => {}): ReadonlyMap<string, Callback> {
  const found = new Map<string, Callback>();
  const bytes = new Uint8Array(8);
  const core = createCore({
    id: 0,
    memory: { bytes, view: new DataView(bytes.buffer), slabOffset: 0, slabLength: 0 },
    plan: app.plan,
    maxConnections: 1,
    emit() {},
    userError,
    callback(name, own, streaming = false) {
      found.set(name, { own: own as Callback['own'], streaming });
      return own;
    },
  });
  app.create(core);
  return found;
}

/** What happens to a stand-in: it is called, made, or one of its methods is. */
export interface StandInEvents {
  call(values: readonly unknown[]): void;
  /** False: it could not be told, and calls of its methods will not be either. */
  make(values: readonly unknown[]): boolean;
  method(name: string, values: readonly unknown[], made: boolean): void;
}

/** What takes the place of a function or class on the receive core. */
export function standInFor<T>(own: T, events: StandInEvents): T {
  const prototype = methodsOf(own as Callback['own'], events);
  function standIn(this: unknown, ...values: unknown[]): unknown {
    if (new.target === undefined) return events.call(values);
    return Object.create(prototype, { made: { value: events.make(values) } });
  }
  return standIn as T;
}

function methodsOf({ prototype }: Callback['own'], events: StandInEvents): object {
  const methods: Record<string, unknown> = {};
  for (let one: unknown = prototype; one && one !== Object.prototype; one = Object.getPrototypeOf(one)) {
    for (const name of Object.getOwnPropertyNames(one)) {
      if (name === 'constructor' || name in methods) continue;
      methods[name] = function method(this: { readonly made: boolean }, ...values: unknown[]): void {
        events.method(name, values, this.made);
      };
    }
  }
  return methods;
}
