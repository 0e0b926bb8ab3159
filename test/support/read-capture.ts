/** Reads a whole capture into plain objects, for tests. */
import { Burst, Pkt } from '../../runtime/packet/layout.ts';
import { type CaptureOptions, openCapture } from '../../runtime/source/capture.ts';
import { END_OF_INPUT } from '../../runtime/source/contract.ts';

export interface ReadPacket {
  readonly sec: number;
  readonly nsec: number;
  readonly link: number;
  readonly interface: number;
  readonly wirelen: number;
  readonly bytes: Uint8Array;
}

export interface ReadResult {
  readonly packets: ReadPacket[];
  /** What `poll` or opening threw, if it did. */
  readonly error: unknown;
  readonly stats: { readonly packets: number; readonly bytes: number } | undefined;
}

/** Small slab: tests open many. */
const OPTIONS: CaptureOptions = { slabBytes: 64 };

export function readCapture(path: string, options: CaptureOptions = {}, burst: number = Burst.MAX): ReadResult {
  const packets: ReadPacket[] = [];
  const pkt = new Int32Array(burst << Pkt.SHIFT);
  let source: ReturnType<typeof openCapture>;
  try {
    source = openCapture(path, { ...OPTIONS, ...options });
  } catch (error) {
    return { packets, error, stats: undefined };
  }
  const { bytes } = source.memory;
  try {
    for (;;) {
      const n = source.poll(pkt, burst);
      if (n === END_OF_INPUT) return { packets, error: undefined, stats: source.stats };
      for (let p = 0; p < n << Pkt.SHIFT; p += Pkt.STRIDE) {
        const offset = pkt[p + Pkt.OFFSET];
        packets.push({
          sec: pkt[p + Pkt.SEC] >>> 0,
          nsec: pkt[p + Pkt.NSEC],
          link: pkt[p + Pkt.LINK] & 0xffff,
          interface: pkt[p + Pkt.LINK] >>> 16,
          wirelen: pkt[p + Pkt.WIRELEN],
          bytes: bytes.slice(offset, offset + pkt[p + Pkt.CAPLEN]),
        });
      }
    }
  } catch (error) {
    return { packets, error, stats: source.stats };
  } finally {
    source.close();
  }
}
