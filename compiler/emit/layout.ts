/** Where a plan's own columns lie in a connection's record: further live bits, then the fields of tracked data types. */
import { Rec } from '../../runtime/conntrack/layout.ts';
import type { ColumnField, DataTypeInfo } from '../analysis/info.ts';
import type { ProgramPlan } from '../plan/plan.ts';
import type { Scope } from './scope.ts';
import { camelCase, constantCase } from './text.ts';

export interface PlacedColumn {
  readonly field: ColumnField;
  /** First word in the record. */
  readonly word: number;
  /** The constant that holds it. */
  readonly constant: string;
}

export interface PlacedType {
  readonly type: DataTypeInfo;
  /** Empty for objects. */
  readonly columns: readonly PlacedColumn[];
  /** The local that holds the flyweight, or the array of instances. */
  readonly local: string;
}

export interface Layout {
  /** Words of a record, a multiple of 16. */
  readonly recordWords: number;
  /** Constants of the words of live bits, the tracker's own first. */
  readonly liveWords: readonly { readonly name: string; readonly word: number }[];
  readonly types: readonly PlacedType[];
}

const LINE_WORDS = 16;

export function layOut(plan: ProgramPlan, extraLiveWords: number, scope: Scope): Layout {
  let next: number = Rec.PLAN;
  const liveWords = [{ name: scope.number('REC_LIVE'), word: Rec.LIVE as number }];
  for (let i = 1; i <= extraLiveWords; i++) liveWords.push({ name: scope.names.take(`REC_LIVE_${i}`), word: next++ });
  const types = plan.data.map(({ type }): PlacedType => {
    const columns: PlacedColumn[] = [];
    for (const field of type.columns ?? []) {
      const double = field.type === 'f64';
      if (double) next += next & 1;
      const constant = scope.names.take(`${constantCase(type.name)}_${constantCase(field.name)}`);
      columns.push({ field, word: next, constant });
      next += field.length * (double ? 2 : 1);
    }
    const base = camelCase(type.name);
    const local = base.charAt(0).toLowerCase() + base.slice(1);
    return { type, columns, local: scope.names.take(type.kind === 'object' ? `${local}s` : local) };
  });
  return { recordWords: Math.ceil(next / LINE_WORDS) * LINE_WORDS, liveWords, types };
}
