/** A generated module with its handlers: what a user's program gives to `iris-run`. */
import type { Core, Plan, Subscription } from './contract.ts';

/** The `create` of a generated module; it carries the module's plan, which a worker needs before it can call it. */
export interface Create<Handlers> {
  (core: Core, handlers: Handlers): Subscription;
  readonly plan: Plan;
}

/** An app: a generated module with its handlers bound, which `iris-run` loads in every core's worker. */
export interface App {
  readonly plan: Plan;
  readonly create: (core: Core) => Subscription;
  /** The same with other handlers: dispatch puts its own in the place of some. */
  readonly createWith?: (core: Core, handlers: Readonly<Record<string, unknown>>) => Subscription;
  readonly handlers?: object;
}

/** The handlers that a generated module takes. Told from `create` alone, so that a wrong one is an error where it stands. */
export type HandlersOf<C> = C extends Create<infer Handlers> ? Handlers : never;

/** Binds handlers to a generated module: `export default defineApp(create, { handshakes(tls, ft) { … } })`. */
export function defineApp<C extends Create<never>>(create: C, handlers: HandlersOf<C>): App;
export function defineApp<Handlers>(create: Create<Handlers>, handlers: Handlers): App {
  return {
    plan: create.plan,
    create: (core) => create(core, handlers),
    createWith: (core, others) => create(core, others as Handlers),
    handlers: handlers as object,
  };
}
