/**
 * What the checker has to ask the outside world: the analysed TypeScript files and the files of values. The analysis
 * implements it over ts-morph and the file system; tests implement it with plain objects.
 */
import type { CallbackInfo, DataTypeInfo, Declared, FilterInfo } from '../analysis/info.ts';
import type { SourceFile } from './ast.ts';
import type { Diagnostic } from './diagnostic.ts';

export interface CheckEnvironment {
  /**
   * The names that a `use` statement takes from a TypeScript file, `from` as written (relative to the filter file). A
   * name that is missing from the answer without a diagnostic is reported by the checker as not exported.
   */
  resolveUse(from: string, names: readonly string[]): UseResolution;
  /**
   * A data type of the library, by the name of its class. For a parameter of an imported callback, filter or data type
   * `seenFrom` is that: the type may also be one that its file declares or imports.
   */
  dataType(name: string, seenFrom?: Declared): DataTypeInfo | undefined;
  /** Names of all data types of the library, for suggestions. */
  dataTypeNames(): readonly string[];
  /** The text of a `lines("file")` file, `path` as written (relative to the filter file); else one sentence why not. */
  readText(path: string): SourceFile | { readonly error: string };
}

/** One sentence when the file as a whole cannot be used: it does not exist, it has syntax errors. */
export type UseResolution =
  | { readonly error: string; readonly suggestion?: string }
  | {
      readonly names: ReadonlyMap<string, UsedName>;
      /** What the TypeScript exports, for suggestions. */
      readonly exported: readonly string[];
      /** Problems found inside the TypeScript, at their own place; names they concern need not be in `names`. */
      readonly diagnostics: readonly Diagnostic[];
    };

/** What a used name is. `filters`: of any class its static methods that are filters, conditions call them `Class.method`. */
export type UsedName = (
  | { readonly is: 'callback'; readonly info: CallbackInfo }
  | { readonly is: 'filter'; readonly info: FilterInfo }
  | { readonly is: 'dataType'; readonly info: DataTypeInfo }
  /** A class that is nothing else. */
  | { readonly is: 'filters' }
) & { readonly filters?: readonly FilterInfo[] };

/** What a name is that is not what it should be. */
export function kindOfName({ is }: UsedName): string {
  switch (is) {
    case 'callback':
      return 'a callback';
    case 'filter':
      return 'a filter';
    case 'dataType':
      return 'a data type';
    case 'filters':
      return 'a class of filters';
  }
}
