/**
 * Loads what `iris-run` is given: a generated module (`plan` and `create`), or an app file whose default export comes
 * from `defineApp`. Every worker loads it for itself.
 */
import { existsSync, statSync } from 'node:fs';
import { createRequire, register } from 'node:module';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ExitCode, IrisError } from '../errors.ts';
import { ABI_VERSION } from '../packet/layout.ts';
import { PARSERS } from '../protocols/registry.ts';
import type { App } from '../subscription/app.ts';
import type { Core, Plan, Subscription } from '../subscription/contract.ts';

/** A program ready to run: its plan, and the factory that each worker calls once. */
export interface LoadedApp {
  /** Absolute path. */
  readonly path: string;
  readonly plan: Plan;
  /** `replaced`: takes the place of handlers of an app. */
  create(core: Core, replaced?: ReadonlyMap<string, Handler>): Subscription;
  /** The handlers of an app, bound, by subscription; a generated module alone has none. */
  readonly handlers: ReadonlyMap<string, Handler>;
}

/** What an app does with a delivery. */
export type Handler = (...values: unknown[]) => unknown;

/** Loads the module at `path`. Throws IrisError when it is missing, broken, no Iris module, or made for another runtime. */
export async function loadApp(path: string): Promise<LoadedApp> {
  const absolute = resolve(path);
  if (!existsSync(absolute)) throw new IrisError(ExitCode.USAGE, `${path}: no such file`, hintForMissing(path));
  if (statSync(absolute).isDirectory()) throw new IrisError(ExitCode.USAGE, `${path}: is a folder, not a module`);
  if (/\.[cm]?ts$/.test(path)) {
    throw new IrisError(
      ExitCode.USAGE,
      `${path}: this is TypeScript, and modules run as JavaScript`,
      path.endsWith('.iris.ts')
        ? `give the .js that iris-compile wrote beside it: ${path.replace(/ts$/, 'js')}`
        : `build it first: npx esbuild ${path} --bundle --platform=node --format=esm --packages=external --outfile=${path.replace(/ts$/, 'js')}`,
    );
  }
  offerRuntime(absolute);
  const module = await importModule(path, absolute);
  const { plan, create, handlers } = appOf(path, module);
  if (plan.abi !== ABI_VERSION) {
    throw new IrisError(
      ExitCode.USAGE,
      `${path}: compiled for version ${plan.abi} of the runtime's layout, but this runtime has version ${ABI_VERSION}`,
      `run iris-compile ${plan.source} again`,
    );
  }
  const unknown = plan.parsers.find((name) => !PARSERS.some((parser) => parser.name === name));
  if (unknown !== undefined) {
    throw new IrisError(
      ExitCode.USAGE,
      `${path}: needs a parser for ${unknown}, which this runtime does not have`,
      `run iris-compile ${plan.source} again`,
    );
  }
  return { path: absolute, plan, create, handlers };
}

type Exports = Readonly<Record<string, unknown>>;

function appOf(path: string, module: Exports): Omit<LoadedApp, 'path'> {
  for (const candidate of [module.default, module]) {
    if (typeof candidate !== 'object' || candidate === null) continue;
    const { plan, create, createWith, handlers } = candidate as Partial<App>;
    if (!isPlan(plan) || typeof create !== 'function') continue;
    const own = handlersOf(plan, handlers ?? {});
    return {
      plan,
      handlers: own,
      create: (core, replaced) =>
        replaced === undefined || createWith === undefined
          ? create(core)
          : createWith(core, Object.fromEntries([...own, ...replaced])),
    };
  }
  throw new IrisError(
    ExitCode.USAGE,
    `${path}: is no Iris program: it exports neither a plan with its create, nor a default app`,
    'give a .iris.js that iris-compile wrote, or a file with: export default defineApp(create, { … })',
  );
}

function handlersOf(plan: Plan, handlers: object): ReadonlyMap<string, Handler> {
  return new Map(
    plan.subscriptions.flatMap((name) => {
      const own: unknown = Reflect.get(handlers, name);
      return typeof own === 'function' ? [[name, own.bind(handlers) as Handler] as const] : [];
    }),
  );
}

function isPlan(value: unknown): value is Plan {
  if (typeof value !== 'object' || value === null) return false;
  const plan = value as Partial<Plan>;
  return typeof plan.abi === 'number' && typeof plan.recordWords === 'number' && Array.isArray(plan.subscriptions);
}

async function importModule(path: string, absolute: string): Promise<Exports> {
  try {
    return (await import(pathToFileURL(absolute).href)) as Exports;
  } catch (error) {
    if (error instanceof IrisError) throw error;
    throw new IrisError(ExitCode.USAGE, `${path}: cannot be loaded: ${loadFault(error)}`);
  }
}

/** Name and message of what a module threw, and where, if that is in a file of the user's. */
function loadFault(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const own = new URL('../..', import.meta.url).href;

  const places = (error.stack ?? '').matchAll(/file:\/\/[^\s)]+:\d+/g);
  const place = [...places].map(([text]) => text).find((text) => !text.startsWith(own));
  return `${error.name}: ${error.message}${place === undefined ? '' : `\n    at ${place.replace('file://', '')}`}`;
}

/**
 * A generated module imports `iris-ts/runtime`. Where its own folder has no such package (a filter compiled in /tmp, a
 * global install), the runtime that is running takes its place.
 */
function offerRuntime(absolute: string): void {
  try {
    createRequire(absolute).resolve('iris-ts/runtime');
    return;
  } catch {
    const runtime = new URL('../runtime.js', import.meta.url).href;
    const hooks = `export async function resolve(specifier, context, next) {
      return specifier === 'iris-ts/runtime' ? { url: ${JSON.stringify(runtime)}, shortCircuit: true } : next(specifier, context)
    }`;
    register(`data:text/javascript,${encodeURIComponent(hooks)}`);
  }
}

function hintForMissing(path: string): string | undefined {
  const source = path.replace(/\.[jt]s$/, '');
  return source !== path && source.endsWith('.iris') && existsSync(source) ? `run iris-compile ${source}` : undefined;
}
