/**
 * Several captures as one, in the order of time: each keeps its own order, and the earliest packet of all is next. A file
 * is opened when its first packet is due and closed at its end, so that of a thousand that follow each other only one
 * is open at a time.
 */
import { InputError } from '../errors.ts';
import type { PacketMemory } from '../packet/layout.ts';
import { Burst, Pkt } from '../packet/layout.ts';
import { END_OF_INPUT, type PacketSource } from './contract.ts';

/** One capture of several. */
export interface MergeInput {
  /** Time of its first packet. */
  readonly sec: number;
  readonly nsec: number;
  open(): PacketSource;
}

interface Lane {
  readonly input: MergeInput;
  source: PacketSource | undefined;
  ended: boolean;
  readonly rows: Int32Array;
  /** Word index of the next row, and behind the last. */
  next: number;
  end: number;
  /** Time of the next packet. */
  sec: number;
  nsec: number;
}

/** The packets of `inputs`. A fault of one ends that one, and is thrown when all the others are at their end. */
export function mergedSource(memory: PacketMemory, inputs: readonly MergeInput[]): PacketSource {
  const waiting: Lane[] = inputs.map((input) => ({
    input,
    source: undefined,
    ended: false,
    rows: new Int32Array(0),
    next: 0,
    end: 0,
    sec: input.sec,
    nsec: input.nsec,
  }));
  waiting.sort((a, b) => (before(a, b) ? -1 : before(b, a) ? 1 : 0));
  /** Those opened and not at their end. */
  const lanes: Lane[] = [];
  const counts = new Float64Array(2);
  let fault: unknown;
  /** Bytes of the files that are at their end. */
  let finished = 0;

  function begin(lane: Lane): void {
    const opened: Lane = { ...lane, rows: new Int32Array(Burst.MAX << Pkt.SHIFT) };
    lanes.push(opened);
    try {
      opened.source = opened.input.open();
    } catch (error) {
      fail(opened, error);
    }
  }

  function fail(lane: Lane, error: unknown): void {
    if (!(error instanceof InputError)) throw error;
    fault ??= error;
    lane.ended = true;
  }

  /** Reads on where all rows were handed over. The bytes of those are overwritten. */
  function refill(): void {
    for (const lane of lanes) {
      if (lane.next < lane.end || lane.ended) continue;
      try {
        const n = lane.source?.poll(lane.rows, Burst.MAX) ?? END_OF_INPUT;
        lane.ended = n === END_OF_INPUT;
        lane.next = 0;
        lane.end = Math.max(0, n) << Pkt.SHIFT;
        if (n > 0) readTime(lane);
      } catch (error) {
        fail(lane, error);
      }
    }
    for (let i = lanes.length - 1; i >= 0; i--) {
      if (!lanes[i].ended) continue;
      finished += lanes[i].source?.offset?.() ?? 0;
      lanes[i].source?.close();
      lanes.splice(i, 1);
    }
  }

  /** The lane whose packet is next; of those at one time the one opened first. */
  function earliest(): Lane | undefined {
    let best: Lane | undefined;
    for (const lane of lanes) if (best === undefined || before(lane, best)) best = lane;
    return best;
  }

  return {
    memory,
    live: false,
    stats: {
      get packets() {
        return counts[0];
      },
      get bytes() {
        return counts[1];
      },
      lost: {},
    },
    offset: () => lanes.reduce((sum, { source }) => sum + (source?.offset?.() ?? 0), finished),
    poll(pkt, max) {
      let n = 0;
      do {
        refill();
        // One that is due now, or is all there is, is opened before the first packet is taken.
        let lane = earliest();
        while (waiting.length > 0 && (lane === undefined || !before(lane, waiting[0]))) {
          begin(waiting.shift() as Lane);
          refill();
          lane = earliest();
        }
        if (lane === undefined) {
          if (fault !== undefined) throw fault;
          return END_OF_INPUT;
        }
        const opens = waiting[0];
        while (n < max && lane !== undefined && (opens === undefined || before(lane, opens))) {
          const p = n << Pkt.SHIFT;
          for (let word = 0; word <= Pkt.HOLD; word++) pkt[p + word] = lane.rows[lane.next + word];
          counts[1] += pkt[p + Pkt.WIRELEN];
          lane.next += Pkt.STRIDE;
          n++;
          // What comes next of this one is not known before it is read, and that overwrites the rows handed over.
          if (lane.next === lane.end) break;
          readTime(lane);
          lane = lanes.length === 1 ? lane : earliest();
        }
      } while (n === 0);
      counts[0] += n;
      return n;
    },
    close() {
      for (const lane of lanes) lane.source?.close();
      lanes.length = 0;
      waiting.length = 0;
    },
  };
}

function readTime(lane: Lane): void {
  lane.sec = lane.rows[lane.next + Pkt.SEC] >>> 0;
  lane.nsec = lane.rows[lane.next + Pkt.NSEC];
}

function before(a: Lane, b: Lane): boolean {
  return a.sec < b.sec || (a.sec === b.sec && a.nsec < b.nsec);
}
