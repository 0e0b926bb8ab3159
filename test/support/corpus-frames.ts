/** Captures of the corpus as frames for the test engine, and keys by which connections of both sides are found. */
import { Burst, Pkt } from '../../runtime/packet/layout.ts';
import { openCapture } from '../../runtime/source/capture.ts';
import { END_OF_INPUT } from '../../runtime/source/contract.ts';
import type { TruthConnection } from './corpus.ts';
import type { Frame, Told } from './engine.ts';
import { address } from './frames.ts';

/** All packets of a capture. */
export function framesOf(path: string): Frame[] {
  const frames: Frame[] = [];
  const source = openCapture(path, { slabBytes: 64 });
  const pkt = new Int32Array(Burst.MAX << Pkt.SHIFT);
  for (;;) {
    const n = source.poll(pkt, Burst.MAX);
    if (n === END_OF_INPUT) break;
    for (let p = 0; p < n << Pkt.SHIFT; p += Pkt.STRIDE) {
      const at = pkt[p + Pkt.OFFSET];
      frames.push({
        ts: (pkt[p + Pkt.SEC] >>> 0) + pkt[p + Pkt.NSEC] * 1e-9,
        bytes: source.memory.bytes.slice(at, at + pkt[p + Pkt.CAPLEN]),
        wirelen: pkt[p + Pkt.WIRELEN],
        link: pkt[p + Pkt.LINK],
      });
    }
  }
  source.close();
  return frames;
}

/** Ends as `proto addressbytes|port addressbytes|port`, the same for both notations. */
export function endsKey(proto: string, orig: string, resp: string): string {
  const end = (text: string) => {
    const at = text.lastIndexOf('|');
    return `${Buffer.from(address(text.slice(0, at))).toString('hex')}|${text.slice(at + 1)}`;
  };
  return `${proto} ${end(orig)} ${end(resp)}`;
}

/** The key of a connection that the engine ended. */
export function keyOfRecord(record: NonNullable<Told['record']>): string {
  const { proto, orig_addr, orig_port, resp_addr, resp_port } = record;
  return endsKey(proto, plain(`${orig_addr}|${orig_port}`), plain(`${resp_addr}|${resp_port}`));
}

/** IPv4-mapped addresses written with decimals, as groups. */
function plain(text: string): string {
  return text.replace(/^::ffff:(\d+)\.(\d+)\.(\d+)\.(\d+)/, (_, a, b, c, d) => {
    const hex = (x: string, y: string) => (Number(x) * 256 + Number(y)).toString(16);
    return `::ffff:${hex(a, b)}:${hex(c, d)}`;
  });
}

/** The key of a connection of the truth. */
export function keyOfTruth({ proto, orig, resp }: TruthConnection): string {
  return endsKey(proto, orig, resp);
}
