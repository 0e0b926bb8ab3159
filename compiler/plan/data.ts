/** The tracked data of a plan: one instance per connection however many subscriptions, filters and other data ask for it. */
import type { DataTypeInfo, FilterInfo } from '../analysis/info.ts';
import type { TypedProgram, TypedSubscription } from '../language/typed.ts';
import { type Atom, pendingFilter } from './atom.ts';
import type { Delivery } from './deliveries.ts';
import type { Thread } from './threads.ts';

export interface DataPlan {
  readonly type: DataTypeInfo;
  /** Threads whose delivery needs it. */
  readonly threads: readonly Thread[];
  /** Wanted at the first packet, before it is known which threads start. */
  readonly first: boolean;
}

const keyOf = (type: DataTypeInfo): string => `${type.module}#${type.name}`;

export function dataOf(
  dataTypes: TypedProgram['dataTypes'],
  units: readonly TypedSubscription[],
  threads: readonly Thread[],
  deliveries: readonly Delivery[],
): readonly DataPlan[] {
  const named = (params: readonly { readonly type: string }[]): readonly DataTypeInfo[] =>
    params.flatMap(({ type }) => dataTypes?.get(type) ?? []);

  /** Types with those that they are made from and updated with; what others need comes first. */
  function closed(types: readonly DataTypeInfo[]): ReadonlyMap<string, DataTypeInfo> {
    const found = new Map<string, DataTypeInfo>();
    const add = (type: DataTypeInfo): void => {
      if (found.has(keyOf(type))) return;
      for (const part of named([...(type.params ?? []), ...type.updates.flatMap((u) => u.params)])) add(part);
      if (type.kind === 'columns' || type.kind === 'object') found.set(keyOf(type), type);
    };
    types.forEach(add);
    return found;
  }
  const ofSubscription = ({ params, part }: TypedSubscription): readonly DataTypeInfo[] =>
    [...params, ...(part?.made ?? [])].map(({ type }) => type);
  const ofFilter = ({ params, methods }: FilterInfo): readonly DataTypeInfo[] =>
    named([...params, ...methods.flatMap((method) => method.params)]);
  const ofAtom = ({ predicate }: Atom): readonly DataTypeInfo[] =>
    predicate.kind === 'user' ? ofFilter(predicate.filter) : [];

  const bySubscription = units.map((s) => closed(ofSubscription(s)));
  const atoms = new Map(deliveries.flatMap((d) => d.patterns.flat()).map(({ atom }) => [atom.key, atom]));
  const byAtom = new Map([...atoms].map(([key, atom]) => [key, closed(ofAtom(atom))]));
  const all = new Map([...bySubscription, ...byAtom.values()].flatMap((types) => [...types]));

  return [...all].map(([key, type]) => {
    const wanted = (thread: Thread): boolean =>
      (bySubscription[thread.subscription]?.has(key) ?? false) ||
      thread.rest.some(({ atom }) => byAtom.get(atom.key)?.has(key) ?? false);
    const first =
      deliveries.some((d) => d.level === 'L4FirstPacket' && (bySubscription[d.subscription]?.has(key) ?? false)) ||
      [...atoms.values()].some((atom) => atom.when === 'first' && (byAtom.get(atom.key)?.has(key) ?? false));
    return { type, threads: threads.filter(wanted), first };
  });
}

/** The filters that the threads of a plan wait for. */
export function pendingFilters(threads: readonly Thread[]): readonly FilterInfo[] {
  const found = new Map<string, FilterInfo>();
  for (const filter of threads.flatMap((t) => t.rest.flatMap((l) => pendingFilter(l) ?? []))) {
    found.set(`${filter.module}#${filter.name}`, filter);
  }
  return [...found.values()];
}
