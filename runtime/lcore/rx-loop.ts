/**
 * The story of one core, top to bottom: poll a burst, decode it, filter it, track its connections, look after the timers;
 * at the end of the input, or when told to stop, end every connection.
 */
import type { ConnTrackConfig } from '../conntrack/config.ts';
import { createConnTracker, type EngineCore } from '../conntrack/tracker.ts';
import { InputError } from '../errors.ts';
import { createDecoder } from '../packet/decode.ts';
import { createBurstFilter } from '../packet/filter.ts';
import { createFragmentTable, fragmentSlab } from '../packet/fragments.ts';
import { Burst, Pkt } from '../packet/layout.ts';
import type { ParserFactory } from '../protocols/contract.ts';
import { END_OF_INPUT, type PacketSource } from '../source/contract.ts';
import type { Subscription } from '../subscription/contract.ts';

export interface RxLoopOptions {
  readonly core: EngineCore;
  /** Its memory is the core's. */
  readonly source: PacketSource;
  readonly sub: Subscription;
  /** Parsers of `sub.plan.parsers`, in that order. */
  readonly parsers: readonly ParserFactory[];
  readonly config?: Partial<ConnTrackConfig>;
  /** Secret of the run for the hash of five-tuples. Workers of a run share it. */
  readonly seed: number;
  /** Asked between rounds: true ends the run as the end of the input would. */
  readonly stopped?: () => boolean;
}

/** Bursts between two turns of the event loop, where signals and messages come in: about 16,000 packets. */
const ROUND = 256;

/**
 * Runs a core until its input ends or it is told to stop; its connections have all ended then. If the source fails
 * (`InputError`), what came before was processed and ended the same way, and the error is thrown.
 */
export async function rxLoop(options: RxLoopOptions): Promise<void> {
  const { core, source, sub, seed, stopped } = options;
  const { pkt, pktF, counters } = core;
  const fragments = createFragmentTable(core.memory, pkt, pktF, counters, fragmentSlab(core.memory));
  const decode = createDecoder(core.memory, pkt, pktF, { seed, counters, fragments });
  const tracker = createConnTracker(core, sub, options.parsers, options.config);
  const filter = createBurstFilter(core, sub, tracker.rows, counters);
  let now = 0;

  /** Some bursts; false at the end of the input. */
  function round(): boolean {
    for (let burst = 0; burst < ROUND; burst++) {
      const n = source.poll(pkt, Burst.MAX);
      if (n === END_OF_INPUT) return false;
      if (n > 0) {
        decode(n);
        const wanted = filter(n);
        if (wanted > 0) tracker.process(wanted);
        now = pktF[(((n - 1) << Pkt.SHIFT) + Pkt.TS) >> 1];
      } else if (source.live) {
        // Connections of a silent port end, too.
        now = Date.now() / 1000;
      }
      tracker.checkInactive(now);
      // A capture that comes through a pipe may let us wait: a signal must not have to wait as long.
      if (n < Burst.MAX && !source.live) break;
    }
    return true;
  }

  try {
    while (round()) {
      await nextTurn();
      if (stopped?.() === true) break;
    }
  } catch (error) {
    if (error instanceof InputError) tracker.drain(now);
    throw error;
  }
  tracker.drain(now);
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
