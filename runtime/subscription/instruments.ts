/**
 * What a module compiled with `--explain` counts while it runs: how often each predicate passed, and what every stage let
 * go of. Modules compiled without it hold none of this. Hot.
 *
 * Such a module counts where it decides: a number of one array goes up at a constant place. Of a packet that passes, the
 * packet filter and each predicate on its way count once; what a connection was let go of for is told when its later
 * packets meet its tombstone, which costs the others nothing. Together that is 0 to 5 % of a run's CPU time
 * (`node dist/test/bench/compiler.js --explain`).
 */
import type { Actions, Core } from './contract.ts';

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

export type InstrumentStage = (typeof INSTRUMENT_STAGES)[number];

/** Number of a stage: its place among {@link INSTRUMENT_STAGES}. */
export const stageNumber = (stage: InstrumentStage): number => INSTRUMENT_STAGES.indexOf(stage);

/** The stage that is asked first about every connection, by number. */
const OPENS = stageNumber('onL4FirstPacket');

/** Words of a stage's figures. */
export const enum Figure {
  /** Times the stage was asked: packets for the packet filter, connections, pieces or sessions for the others. */
  ASKED = 0,
  /** Connections (for the packet filter: packets) it let go of. */
  LET_GO = 1,
  /** Packets of those connections behind the one at which they were let go of. Not used for the packet filter. */
  PACKETS = 2,
  /** Bytes on the wire of those packets; for the packet filter, of the packets it kept out. */
  BYTES = 3,
  WORDS = 4,
}

/** Numbers of application protocols, 0 for none of those asked for. */
export const PROTOCOL_FIGURES = 16;

/** Word of a stage's figure. Word 0: bytes on the wire of all packets that the packet filter was asked about. */
export const figureOf = (stage: number, figure: Figure): number => 1 + stage * Figure.WORDS + figure;

/** Word of the number of connections found to speak protocol `proto`. */
export const protocolFigure = (proto: number): number =>
  1 + INSTRUMENT_STAGES.length * Figure.WORDS + (proto & (PROTOCOL_FIGURES - 1));

/** Word of the first predicate's hits: behind all packets' bytes, the stages and the protocols found. */
export const FIRST_HIT = 1 + INSTRUMENT_STAGES.length * Figure.WORDS + PROTOCOL_FIGURES;

/** Every core says here where it counts; whoever prints the figures listens. */
export const INSTRUMENT_CHANNEL = 'iris-explain';

export interface Instruments {
  /** Float64 counters, in memory that other threads can read. */
  readonly hits: Float64Array;
  /** Counts the answer of a stage about connection `c`, and returns it. */
  answered(stage: number, c: number, actions: Actions): Actions;
  /** Counts the protocol of a connection. */
  foundProtocol(proto: number): void;
  /** A packet of a connection that was let go of, or that ended. */
  onLate(c: number, p: number): void;
}

/** Called once per worker by a generated module with so many predicates and records of so many words. */
export function createInstruments(core: Core, recordWords: number, predicates: number): Instruments {
  const shared = new SharedArrayBuffer((FIRST_HIT + predicates) * 8);
  const hits = new Float64Array(shared);
  const channel = new BroadcastChannel(INSTRUMENT_CHANNEL);
  channel.postMessage(shared);
  channel.close();

  const { pktWirelen } = core.row;
  /** The stage that let go of a connection, 0 for none. Records have a multiple of 16 words. */
  const gone = new Uint8Array(((core.maxConnections + 2) * recordWords) >> 4);

  return {
    hits,
    answered(stage, c, actions) {
      const base = figureOf(stage, Figure.ASKED);
      hits[base]++;
      if (actions === 0) {
        hits[base + Figure.LET_GO]++;
        gone[c >> 4] = stage;
      } else if (stage === OPENS) gone[c >> 4] = 0;
      return actions;
    },
    foundProtocol(proto) {
      hits[protocolFigure(proto)]++;
    },
    onLate(c, p) {
      const stage = gone[c >> 4];
      if (stage === 0) return;
      const base = figureOf(stage, Figure.ASKED);
      hits[base + Figure.PACKETS]++;
      hits[base + Figure.BYTES] += pktWirelen[p];
    },
  };
}
