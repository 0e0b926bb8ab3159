/**
 * The receive core's end of dispatch: in the place of a handler stands a function that packs what it is given into a ring.
 * The connection and the level come from the tracker's calls, which pass through here.
 */
import type { Handler, LoadedApp } from '../cli/load-app.ts';
import type { EngineCore } from '../conntrack/engine-core.ts';
import { Rec } from '../conntrack/layout.ts';
import { FiveTuple } from '../datatypes/five-tuple.ts';
import type { Subscription } from '../subscription/contract.ts';
import { GONE, MADE, type StandInEvents, standInFor } from './callbacks.ts';
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
  /** Of a class: the method, or {@link MADE} or {@link GONE}; undefined: a function. */
  method: string | undefined,
  ...values: unknown[],
];

/** The program of a receive core, with its dispatched handlers on other threads. */
export function createDispatched(app: LoadedApp, core: EngineCore, links: readonly DispatchLink[]): Subscription {
  if (links.length === 0) return app.create(core);
  const { rec } = core;
  const ends = new FiveTuple(core, app.plan.recordWords);
  let c = 0;
  let again: Again = Again.ALWAYS;

  /** Connections that have instances of dispatched classes, with what lets go of them. */
  const instances = new Map<number, (() => void)[]>();
  const replaced = new Map<string, Handler>();
  const standIns = new Map<string, StandInEvents>();
  for (const { ring: memory, subscriptions } of links) {
    const ring = openRing(memory);
    subscriptions.forEach(({ name, waits }, index) => {
      function headOf(): readonly unknown[] {
        return [index, c, rec[c + Rec.START_SEC], rec[c + Rec.START_NSEC], again, c === 0 ? undefined : ends.at(c)];
      }
      /** Whether it found room; counted either way. */
      function send(method: string | undefined, values: readonly unknown[]): boolean {
        const record = packValues([...headOf(), method, ...values]);
        ring.add(Count.DISPATCHED, index);
        if (ring.push(record)) return true;
        if (waits && ring.waitForRoom(record) && ring.push(record)) return true;
        ring.add(Count.DROPPED, index);
        return false;
      }
      replaced.set(name, (...values) => {
        send(undefined, values);
      });
      standIns.set(name, {
        call: (values) => {
          send(undefined, values);
        },
        make(values) {
          const made = send(MADE, values);
          // Told as far as there is room: the next connection in its place takes the instance's place, too.
          const gone = packValues([...headOf(), GONE]);
          if (made) instances.set(c, [...(instances.get(c) ?? []), () => ring.push(gone)]);
          return made;
        },
        method(method, values, made) {
          if (made) send(method, values);
          else {
            ring.add(Count.DISPATCHED, index);
            ring.add(Count.DROPPED, index);
          }
        },
      });
    });
  }
  const diverted: EngineCore = {
    ...core,
    callback(name, own, streaming) {
      const events = standIns.get(name);
      return events === undefined ? core.callback(name, own, streaming) : standInFor(own, events);
    },
  };

  const sub = app.create(diverted, replaced);
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
    tracked: {
      ...sub.tracked,
      clear(conn) {
        sub.tracked.clear(conn);
        if (instances.size === 0) return;
        for (const letGo of instances.get(conn) ?? []) letGo();
        instances.delete(conn);
      },
    },
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
