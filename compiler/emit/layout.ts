/** Where a plan's own columns lie in a connection's record: further live bits, then the fields of tracked data types. */

import { Rec } from '../../runtime/conntrack/layout.ts';
import type { ColumnOptions, CompiledColumns } from '../analysis/columns.ts';
import type { DataTypeInfo } from '../analysis/info.ts';
import type { DataPlan } from '../plan/data.ts';
import type { ProgramPlan } from '../plan/plan.ts';
import type { Scope } from './scope.ts';
import { camelCase } from './text.ts';

/** Compiles the methods of a data type of kind `columns` (compiler/analysis/columns.ts). */
export type ColumnCompiler = (type: DataTypeInfo, options: ColumnOptions) => CompiledColumns;

export interface PlacedType {
  readonly data: DataPlan;
  readonly type: DataTypeInfo;
  /** Absent for objects. */
  readonly compiled: CompiledColumns | undefined;
  /** The local that holds the flyweight, or the array of instances. */
  readonly local: string;
}

export interface Layout {
  /** Words of a record, a multiple of 16. */
  readonly recordWords: number;
  /** Columns of live bits, the tracker's own first: the array, and for others its word and the constant of that. */
  readonly liveWords: readonly { readonly local: string; readonly name: string; readonly word: number }[];
  readonly types: readonly PlacedType[];
}

const LINE_WORDS = 16;

export function layOut(plan: ProgramPlan, extraLiveWords: number, scope: Scope, compile: ColumnCompiler): Layout {
  let next: number = Rec.PLAN;
  let rareNext = 0;
  const liveWords = [{ local: scope.column('recLive') as string, name: '', word: Rec.LIVE as number }];
  for (let i = 1; i <= extraLiveWords; i++) {
    const name = scope.names.take(`REC_LIVE_${i}`);
    liveWords.push({ local: scope.names.take(`recLive${i}`), name, word: next++ });
  }
  const types = plan.data.map((data): PlacedType => {
    const { type } = data;
    const local = scope.names.take(localName(type));
    if (type.kind === 'object') return { data, type, compiled: undefined, local };
    const compiled = compile(type, { base: next, rareBase: rareNext, claim: (wanted) => scope.names.take(wanted) });
    next = compiled.end;
    rareNext = compiled.rareEnd;
    return { data, type, compiled, local };
  });
  return { recordWords: Math.ceil(Math.max(next, rareNext) / LINE_WORDS) * LINE_WORDS, liveWords, types };
}

/** `ConnRecord` -> `connRecord`; the array of instances of an object type is `notesOf`. */
function localName(type: DataTypeInfo): string {
  const base = camelCase(type.name);
  const local = base.charAt(0).toLowerCase() + base.slice(1);
  return type.kind === 'object' ? `${local}Of` : local;
}
