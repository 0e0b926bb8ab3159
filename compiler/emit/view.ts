/** View models: what the templates print. Every text in them is finished code; templates only place it. */
import type { HelperView } from './scope.ts';

/** One piece of a function's body. `template` names the partial that prints it. */
export type NodeView =
  | { readonly template: 'lines'; readonly lines: readonly string[] }
  | { readonly template: 'branch'; readonly arms: readonly ArmView[] }
  | {
      readonly template: 'choice';
      readonly value: string;
      readonly cases: readonly CaseView[];
      readonly otherwise: readonly NodeView[];
    };

/** `head` is `if (…) {`, `} else if (…) {` or `} else {`, with the condition in source form behind it. */
export interface ArmView {
  readonly head: string;
  readonly nodes: readonly NodeView[];
}

export interface CaseView {
  readonly labels: readonly string[];
  readonly nodes: readonly NodeView[];
}

export interface FunctionView {
  readonly doc: readonly string[];
  readonly head: string;
  readonly nodes: readonly NodeView[];
}

/** A named number with the comment behind it. */
export interface ConstantView {
  readonly name: string;
  readonly value: string;
  readonly comment: string;
}

export interface HandlerView {
  readonly doc: string;
  readonly signature: string;
}

export interface ModuleView {
  readonly header: readonly string[];
  readonly imports: readonly string[];
  readonly handlers: readonly HandlerView[];
  readonly plan: readonly string[];
  /** Groups of constants, none of them empty. */
  readonly constants: readonly { readonly title: string; readonly lines: readonly string[] }[];
  readonly helpers: readonly HelperView[];
  /** Parameters of `create`. */
  readonly parameters: string;
  readonly setUp: readonly string[];
  readonly made: readonly HelperView[];
  /** Flyweights, arrays and handlers. */
  readonly instances: readonly string[];
  readonly functions: readonly FunctionView[];
  /** What `create` returns. */
  readonly result: string;
}

export const lines = (...text: readonly string[]): NodeView => ({ template: 'lines', lines: text });

/** `if (condition) { nodes }` with a comment behind the brace. */
export function when(condition: string, nodes: readonly NodeView[], comment = ''): NodeView {
  return { template: 'branch', arms: [{ head: `if (${condition}) {${comment}`, nodes }] };
}
