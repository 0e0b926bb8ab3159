/**
 * What a module compiled with `--explain` counts while it runs: how often each predicate passed, and what every stage let
 * go of. Modules compiled without it hold none of this. Hot.
 */
import { Rec } from '../conntrack/layout.ts';
import { Pkt } from '../packet/layout.ts';
import type { Actions, Core, Subscription } from './contract.ts';

/** Stages that can let go of packets or connections, in the order of a connection's life. */
export const INSTRUMENT_STAGES = [
  'packetFilter',
  'onL4FirstPacket',
  'onL4EndHshk',
  'update',
  'onL4Stream',
  'onL7OnDisc',
  'onL7EndHdrs',
] as const;

/** Words of a stage's figures. */
export const enum Figure {
  /** Times the stage was asked: packets for the packet filter, connections, pieces or sessions for the others. */
  ASKED = 0,
  /** Connections (for the packet filter: packets) it let go of. */
  LET_GO = 1,
  /**
   * Packets that nobody had to look at for that. Those of the burst in which a connection was let go of are not among
   * them: the packet filter has seen them by then.
   */
  PACKETS = 2,
  /** Their bytes on the wire. */
  BYTES = 3,
  WORDS = 4,
}

/** Numbers of application protocols, 0 for none of those asked for. */
export const PROTOCOL_FIGURES = 16;

/** Word of the first predicate's hits: behind all packets' bytes, the stages and the protocols found. */
export const FIRST_HIT = 1 + INSTRUMENT_STAGES.length * Figure.WORDS + PROTOCOL_FIGURES;

/** Every core says here where it counts; whoever prints the figures listens. */
export const INSTRUMENT_CHANNEL = 'iris-explain';

export interface Instruments {
  /** Float64 counters, in memory that other threads can read. */
  readonly hits: Float64Array;
  /** The same subscription, with its stages counted. */
  watch(sub: Subscription): Subscription;
}

/** Connections that were let go of lately, by hash: as many as fit a small table. */
const GONE_SLOTS = 1 << 16;

/** Called once per worker by a generated module with so many predicates. */
export function createInstruments(core: Core, predicates: number): Instruments {
  const shared = new SharedArrayBuffer((FIRST_HIT + predicates) * 8);
  const figures = new Float64Array(shared);
  const channel = new BroadcastChannel(INSTRUMENT_CHANNEL);
  channel.postMessage(shared);
  channel.close();

  const { pkt, rec } = core;
  /** Pairs of a connection's hash and the stage, from 1, that let go of it. */
  const gone = new Int32Array(GONE_SLOTS * 2);
  const add = (at: number, amount: number): void => {
    figures[at] = (figures[at] as number) + amount;
  };

  function packetFilter(sub: Subscription, p: number): boolean {
    const bytes = pkt[p + Pkt.WIRELEN] as number;
    add(0, bytes);
    add(1 + Figure.ASKED, 1);
    if (!sub.packetFilter(p)) {
      add(1 + Figure.LET_GO, 1);
      add(1 + Figure.PACKETS, 1);
      add(1 + Figure.BYTES, bytes);
      return false;
    }
    const hash = pkt[p + Pkt.HASH] as number;
    const slot = (hash & (GONE_SLOTS - 1)) << 1;
    const stage = gone[slot + 1] as number;
    if (stage !== 0 && gone[slot] === hash) {
      const base = 1 + (stage - 1) * Figure.WORDS;
      add(base + Figure.PACKETS, 1);
      add(base + Figure.BYTES, bytes);
    }
    return true;
  }

  /** Counts one answer of a stage about a connection. */
  function answered(stage: number, c: number, actions: Actions): Actions {
    const base = 1 + stage * Figure.WORDS;
    add(base + Figure.ASKED, 1);
    const hash = rec[c + Rec.HASH] as number;
    const slot = (hash & (GONE_SLOTS - 1)) << 1;
    if (actions === 0) {
      add(base + Figure.LET_GO, 1);
      gone[slot] = hash;
      gone[slot + 1] = stage + 1;
    } else if (stage === 1 && gone[slot] === hash) gone[slot + 1] = 0;
    return actions;
  }

  return {
    hits: figures,
    watch(sub) {
      const { update, onL4EndHshk, onL4Stream, onL7OnDisc, onL7EndHdrs } = sub;
      return {
        ...sub,
        packetFilter: (p) => packetFilter(sub, p),
        onL4FirstPacket: (c, p) => answered(1, c, sub.onL4FirstPacket(c, p)),
        ...(onL4EndHshk && { onL4EndHshk: (c: number, p: number) => answered(2, c, onL4EndHshk(c, p)) }),
        ...(update && { update: (c: number, p: number) => answered(3, c, update(c, p)) }),
        ...(onL4Stream && { onL4Stream: (c: number, p: number) => answered(4, c, onL4Stream(c, p)) }),
        ...(onL7OnDisc && {
          onL7OnDisc: (c: number, proto: number) => {
            add(FIRST_HIT - PROTOCOL_FIGURES + (proto & (PROTOCOL_FIGURES - 1)), 1);
            return answered(5, c, onL7OnDisc(c, proto));
          },
        }),
        ...(onL7EndHdrs && {
          onL7EndHdrs: (c: number, session: Parameters<typeof onL7EndHdrs>[1]) =>
            answered(6, c, onL7EndHdrs(c, session)),
        }),
      };
    },
  };
}
