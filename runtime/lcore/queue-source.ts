/**
 * A worker's ports as the rx loop polls them: ends when the main thread says stop, sends lines that have waited, and lets
 * the core rest while nothing comes. Hot: once per burst.
 */
import { END_OF_INPUT, type PacketSource } from '../source/contract.ts';
import type { DpdkPort } from '../source/dpdk-port.ts';
import { Control, Phase } from './messages.ts';
import type { Team } from './team.ts';

/** Empty polls in a row before the core rests between polls; some tens of microseconds. */
const BUSY_POLLS = 1024;
/** A rest in ms. Device queues of 1,000 descriptors hold what arrives meanwhile at ten million packets a second. */
const REST_MS = 0.1;
/** Time after which a core does not wait any more, at the end, for the core that hands it packets. */
const PATIENCE_MS = 1000;
/** Polls between two calls of `ticker`. */
const TICK_POLLS = 64;

/** `ticker` is called now and then: lines that wait are sent, figures are published. */
export function createQueueSource(
  port: DpdkPort,
  control: Int32Array,
  ticker: { readonly tick: () => void },
  team?: Team,
): PacketSource {
  let empty = 0;
  let polls = 0;
  let stopSeen = 0;
  const getter = team?.taker === false;

  function stopping(): boolean {
    return Atomics.load(control, Control.PHASE) === Phase.STOP;
  }

  /** A core that gets its packets from another one ends behind it; and a while after the others if that one is gone. */
  function takersGone(): boolean {
    if (team === undefined || Atomics.load(team.takers, 0) === 0) return true;
    if (!stopping()) return false;
    if (stopSeen === 0) stopSeen = performance.now();
    return performance.now() - stopSeen > PATIENCE_MS;
  }

  function poll(pkt: Int32Array, max: number): number {
    if (!getter && stopping()) {
      // What the latest burst had for other cores goes to them.
      port.poll(pkt, 0);
      return END_OF_INPUT;
    }
    const over = getter && takersGone();
    const n = port.poll(pkt, max);
    if (over && n === 0) return END_OF_INPUT;
    if (++polls >= TICK_POLLS || n === 0) {
      polls = 0;
      ticker.tick();
    }
    if (n !== 0) empty = 0;
    else if ((port.live || getter) && ++empty > BUSY_POLLS) {
      Atomics.wait(control, Control.PHASE, Phase.RUN, REST_MS);
    }
    return n;
  }

  return {
    memory: port.memory,
    live: port.live,
    poll,
    get stats() {
      return port.stats;
    },
    close: () => port.close(),
  };
}
