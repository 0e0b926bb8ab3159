/** The stages of this project's packet path that a benchmark can run on a capture, each including those before it. */
import { createDecoder } from '../../runtime/packet/decode.ts';
import { Burst, Pkt } from '../../runtime/packet/layout.ts';
import { openCapture } from '../../runtime/source/capture.ts';
import { END_OF_INPUT, type PacketSource } from '../../runtime/source/contract.ts';
import type { Sample } from './floor.ts';

export type Counts = Omit<Sample, 'cpuNs' | 'processNs'>;

/** Gets everything ready and returns the work to be measured. `onPoll` is called before every poll of the source. */
export type Prepare = (capture: string, max: number, onPoll?: () => void) => Promise<() => Counts>;

export const STAGES = {
  /** Records of the file walked, nothing read of the packets. */
  read: async (capture, _max, onPoll) => {
    const { source, pkt } = open(capture, onPoll);
    return () => {
      while (source.poll(pkt, Burst.MAX) !== END_OF_INPUT);
      return seen(source);
    };
  },
  /** L2 to L4 read, the five-tuple hashed. */
  decode: async (capture, _max, onPoll) => {
    const { source, pkt, pktF } = open(capture, onPoll);
    const decode = createDecoder(source.memory, pkt, pktF, { seed: 1 });
    return () => {
      for (;;) {
        const n = source.poll(pkt, Burst.MAX);
        if (n === END_OF_INPUT) return seen(source);
        decode(n);
      }
    };
  },
} as const satisfies Record<string, Prepare>;

export type Stage = keyof typeof STAGES;

function open(capture: string, onPoll: (() => void) | undefined) {
  const rows = (Burst.MAX + Burst.SPARE_ROWS) * Pkt.STRIDE;
  const buffer = new ArrayBuffer(rows * 4);
  return { source: watched(openCapture(capture), onPoll), pkt: new Int32Array(buffer), pktF: new Float64Array(buffer) };
}

function watched(source: PacketSource, onPoll: (() => void) | undefined): PacketSource {
  if (onPoll === undefined) return source;
  return {
    ...source,
    get stats() {
      return source.stats;
    },
    poll(pkt, most) {
      onPoll();
      return source.poll(pkt, most);
    },
  };
}

function seen(source: PacketSource): Counts {
  const { packets, bytes } = source.stats;
  source.close();
  return { packets, bytes, delivered: 0, connPackets: 0, connBytes: 0 };
}
