/**
 * The receive core's end of dispatch: in the place of a handler stands a function that packs what it is given into a ring.
 * The connection and the level come from the tracker's calls, which pass through here.
 */
import type { Handler, LoadedApp } from '../cli/load-app.ts';
import { Rec } from '../conntrack/layout.ts';
import type { EngineCore } from '../conntrack/tracker.ts';
import { FiveTuple } from '../datatypes/five-tuple.ts';
import type { Subscription } from '../subscription/contract.ts';
import { Count, openRing, type RingMemory } from './ring.ts';
import { packValues } from './transfer.ts';

/** A ring from one receive core, as it crosses threads. */
export interface DispatchLink {
  readonly ring: RingMemory;
  /** Subscriptions that use it; records name them by their place here. */
  readonly subscriptions: readonly { readonly name: string; readonly waits: boolean }[];
}

/** How the deliveries of a connection go on, which its level decides. */
export const enum Again {
  /** Whatever the handler does. */
  ALWAYS = 0,
  /** Unless the handler throws: sessions. */
  UNLESS_THROWN = 1,
  /** Unless the handler throws or returns false: streaming levels. */
  UNLESS_FALSE = 2,
}

/** What a record holds, in this order. */
export type DispatchRecord = readonly [
  subscription: number,
  /** First word of the connection's record on its core; 0: none. */
  c: number,
  /** The connection's start, which tells it from others in the same place. */
  startSec: number,
  startNsec: number,
  again: Again,
  ends: FiveTuple | undefined,
  ...values: unknown[],
];

/** The program of a receive core, with its dispatched handlers on other threads. */
export function createDispatched(app: LoadedApp, core: EngineCore, links: readonly DispatchLink[]): Subscription {
  if (links.length === 0) return app.create(core);
  const { rec } = core;
  const ends = new FiveTuple(core, app.plan.recordWords);
  let c = 0;
  let again: Again = Again.ALWAYS;

  const replaced = new Map<string, Handler>();
  for (const { ring: memory, subscriptions } of links) {
    const ring = openRing(memory);
    subscriptions.forEach(({ name, waits }, index) => {
      replaced.set(name, (...values) => {
        const conn = c === 0 ? [0, 0, 0] : [c, rec[c + Rec.START_SEC], rec[c + Rec.START_NSEC]];
        const record = packValues([index, ...conn, again, c === 0 ? undefined : ends.at(c), ...values]);
        ring.add(Count.DISPATCHED, index);
        if (ring.push(record)) return;
        if (!waits || !ring.waitForRoom(record) || !ring.push(record)) ring.add(Count.DROPPED, index);
      });
    });
  }

  const sub = app.create(core, replaced);
  /** A function of the subscription, with its connection and level noted. */
  function noted<R, A extends readonly unknown[]>(call: (c: number, ...rest: A) => R, level = Again.ALWAYS) {
    return (conn: number, ...rest: A): R => {
      c = conn;
      again = level;
      return call(conn, ...rest);
    };
  }
  const { onL4FirstPacket, update, onL4EndHshk, onL4Stream, onL7OnDisc, onL7EndHdrs, onL4Terminated, onPacket } = sub;
  return {
    ...sub,
    onL4FirstPacket: noted(onL4FirstPacket),
    ...(update && { update: noted(update, Again.UNLESS_FALSE) }),
    ...(onL4EndHshk && { onL4EndHshk: noted(onL4EndHshk) }),
    ...(onL4Stream && { onL4Stream: noted(onL4Stream, Again.UNLESS_FALSE) }),
    ...(onL7OnDisc && { onL7OnDisc: noted(onL7OnDisc) }),
    ...(onL7EndHdrs && { onL7EndHdrs: noted(onL7EndHdrs, Again.UNLESS_THROWN) }),
    ...(onL4Terminated && { onL4Terminated: noted(onL4Terminated) }),
    ...(onPacket && {
      onPacket: (p: number) => {
        c = 0;
        again = Again.ALWAYS;
        onPacket(p);
      },
    }),
  };
}
