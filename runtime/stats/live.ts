/**
 * What a worker shows of itself while it runs, beside its {@link Counter}s: a Float64Array in shared memory that the
 * worker writes every few milliseconds and the main thread reads whenever it likes. Values of one reading may be some
 * milliseconds apart from each other; the counts at the end of a run are exact.
 */

/** Words of the shared array; lines delivered follow, one word for each subscription of the plan, from `Live.COUNT`. */
export const enum Live {
  /** Packets and bytes on the wire that the worker took from its queues. */
  PACKETS,
  BYTES,
  /** Packets lost in the worker's own reader: too long for a buffer. */
  OVERSIZE,
  /** Packets dropped on purpose by flow sampling. */
  SAMPLED_OUT,
  /** Exceptions of user code. */
  USER_ERRORS,
  /** Lines of the output dropped because the reader of the output is slower than what it is sent. */
  LINES_DROPPED,
  COUNT,
}

/** Shared memory for a worker whose plan has so many subscriptions. */
export function liveBuffer(subscriptions: number): SharedArrayBuffer {
  return new SharedArrayBuffer((Live.COUNT + subscriptions) * 8);
}

/** What a worker publishes from. */
export interface LiveSources {
  /** Of its receive queues. */
  readonly stats: () => {
    readonly packets: number;
    readonly bytes: number;
    readonly lost: Readonly<Record<string, number>>;
  };
  readonly sampledOut: () => number;
  readonly linesDropped: () => number;
  /** By subscription, in the order of the plan. */
  readonly delivered: ReadonlyMap<string, number>;
  readonly userErrors: ReadonlyMap<string, number>;
}

/** Writes a worker's figures; call it every few milliseconds, and once at the end. */
export function createLivePublisher(
  live: Float64Array,
  subscriptions: readonly string[],
  sources: LiveSources,
): () => void {
  return () => {
    const { packets, bytes, lost } = sources.stats();
    live[Live.PACKETS] = packets;
    live[Live.BYTES] = bytes;
    live[Live.OVERSIZE] = lost.oversize ?? 0;
    live[Live.SAMPLED_OUT] = sources.sampledOut();
    live[Live.LINES_DROPPED] = sources.linesDropped();
    let errors = 0;
    for (const count of sources.userErrors.values()) errors += count;
    live[Live.USER_ERRORS] = errors;
    for (let i = 0; i < subscriptions.length; i++) {
      live[Live.COUNT + i] = sources.delivered.get(subscriptions[i] ?? '') ?? 0;
    }
  };
}
