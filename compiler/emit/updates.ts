/** Tracked data: set at the opening of a connection, updated at its levels, let go of at its end. */
import type { Level } from '../analysis/info.ts';
import type { Context } from './context.ts';
import { type FunctionView, lines, type NodeView } from './view.ts';

/** `open` and `clear` of the plan's Trackable. */
export function trackedFunctions(context: Context): readonly FunctionView[] {
  const cleared = [...context.kept.values()].map((name) => `${name}[c / RECORD_WORDS] = undefined`);
  return [
    { doc: ['A connection opens.'], head: 'function open(_c: number, _p: number): void {', nodes: [lines()] },
    {
      doc: ['A connection ends.'],
      head: `function clear(${cleared.length > 0 ? 'c' : '_c'}: number): void {`,
      nodes: [lines(...cleared)],
    },
  ];
}

/** Statements that update tracked data at a level. */
export function updateNodes(_level: Level, _context: Context): readonly NodeView[] {
  return [];
}
