/** What the tracker has to do for a connection while a thread is alive. */
import type { Level } from '../analysis/info.ts';
import { pendingFilter } from './atom.ts';
import type { DataPlan } from './data.ts';
import { endsUnknown, isPending, type Thread } from './threads.ts';

/** Names of the tracker's actions; numbers are in runtime/conntrack/layout.ts. */
export const ACTION_NAMES = ['UPDATE', 'STREAM', 'PARSE', 'TRACK', 'HANDSHAKE'] as const;
export type ActionName = (typeof ACTION_NAMES)[number];

/** What an update of tracked data, or a question to a filter, at a level takes. */
const TAKES: Partial<Record<Level, ActionName>> = {
  InL4Conn: 'UPDATE',
  InL4Stream: 'STREAM',
  L4EndHshk: 'HANDSHAKE',
  L7OnDisc: 'PARSE',
  L7EndHdrs: 'PARSE',
  L4Terminated: 'TRACK',
};

export function actionsOf(thread: Thread, data: readonly DataPlan[]): readonly ActionName[] {
  const actions = new Set<ActionName>();
  if (thread.waits) actions.add('PARSE');
  const decided = !thread.waits && !isPending(thread.rest);
  if (decided && thread.level === 'InL4Conn') actions.add('UPDATE');
  if (decided && thread.level === 'InL4Stream') actions.add('STREAM');
  for (const level of thread.rest.flatMap((literal) => pendingFilter(literal)?.levels ?? [])) {
    const action = TAKES[level];
    // What nothing is parsed for any more is not asked of sessions either.
    if (action !== undefined && (action !== 'PARSE' || thread.waits)) actions.add(action);
  }
  if (thread.level === 'L4EndHshk') actions.add('HANDSHAKE');
  if (thread.level === 'L4Terminated' || endsUnknown(thread)) actions.add('TRACK');
  for (const { type, threads } of data) {
    if (!threads.includes(thread)) continue;
    for (const level of type.updates.flatMap((u) => u.levels)) {
      const action = level === 'L4Terminated' ? undefined : TAKES[level];
      if (action !== undefined) actions.add(action);
    }
  }
  return ACTION_NAMES.filter((name) => actions.has(name));
}
