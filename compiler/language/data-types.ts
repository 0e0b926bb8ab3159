/** The data types that a program asks for other than by the parameters of its subscriptions. */
import type { DataTypeInfo, Declared } from '../analysis/info.ts';
import type { CheckEnvironment } from './environment.ts';
import type { TypedExpr, TypedSubscription } from './typed.ts';

type Params = readonly { readonly type: string }[];

/** Types of filters' parameters, and of what tracked data is made from and updated with, by name. */
export function collectDataTypes(
  subscriptions: readonly TypedSubscription[],
  env: CheckEnvironment,
): ReadonlyMap<string, DataTypeInfo> {
  const found = new Map<string, DataTypeInfo>();

  function add(params: Params, from: Declared): void {
    for (const { type } of params) {
      if (found.has(type)) continue;
      const info = env.dataType(type, from);
      if (info === undefined) continue;
      found.set(type, info);
      addParts(info);
    }
  }
  function addParts(info: DataTypeInfo): void {
    add(info.params ?? [], info);
    for (const update of info.updates) add(update.params, info);
  }
  function addFilters(expr: TypedExpr): void {
    if (expr.kind === 'and' || expr.kind === 'or') expr.terms.forEach(addFilters);
    else if (expr.kind === 'not') addFilters(expr.expr);
    else if (expr.kind === 'user') {
      const { filter } = expr;
      add(filter.params, filter);
      for (const method of filter.methods) add(method.params, filter);
    }
  }

  for (const { params, methods, when } of subscriptions) {
    for (const { type } of [...params, ...(methods ?? []).flatMap((method) => method.params)]) addParts(type);
    addFilters(when);
  }
  return found;
}
