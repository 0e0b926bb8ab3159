/**
 * Room for one more connection in a full table: what is due anyway goes first, then the oldest tombstone, then whom `on_full`
 * names (eviction.ts).
 */
import { Clock } from '../clock.ts';
import { Counter } from '../stats/counters.ts';
import type { EngineCore } from './engine-core.ts';
import type { Eviction } from './eviction.ts';
import { ConnMeta, EndReason } from './layout.ts';
import type { ConnTable } from './table.ts';

/** What the tracker does for it. */
export interface RoomParts {
  /** Whether records are due that timers have not come to. */
  isBehind(): boolean;
  /** Ends some `most` of those; false when none are left. */
  fireDue(most: number): boolean;
  /** Gives up the holes of record `c` that are due, before row `p`; or ends it, if it is due itself. */
  expireHoles(c: number, p: number): void;
  finish(c: number, reason: EndReason): void;
  /** It is row `p` that brings about what comes next. */
  setClockTo(p: number): void;
}

/** Records that make room at a time, of those that are due. */
const DUE_AT_ONCE = 64;

/** Makes room for the connection that row `p` opens; false when nobody gives way. */
export type MakeRoom = (p: number) => boolean;

export function createRoom(
  { clock, counters }: Pick<EngineCore, 'clock' | 'counters'>,
  recMeta: Int32Array,
  { used, remove }: Pick<ConnTable, 'used' | 'remove'>,
  eviction: Eviction,
  { isBehind, fireDue, expireHoles, finish, setClockTo }: RoomParts,
): MakeRoom {
  function endDue(p: number): boolean {
    const before = used();
    let more = isBehind();
    while (more && used() === before) more = fireDue(DUE_AT_ONCE);
    clock[Clock.GROUP] = 0;
    setClockTo(p);
    return used() < before;
  }

  function evict(p: number): boolean {
    const victim = eviction.victim();
    if (victim === 0) return false;
    expireHoles(victim, p);
    if ((recMeta[victim] & (ConnMeta.USED | ConnMeta.ENDED)) === ConnMeta.USED) {
      finish(victim, EndReason.EVICTED);
      setClockTo(p);
    }
    if ((recMeta[victim] & ConnMeta.USED) !== 0) remove(victim);
    return true;
  }

  return (p) => {
    if (endDue(p)) return true;
    const tombstone = eviction.takeTombstone();
    if (tombstone === 0) return evict(p);
    counters[Counter.TOMBSTONES_EVICTED]++;
    remove(tombstone);
    return true;
  };
}
