/** Writes generated traffic as a pcap file (little-endian; micro- or nanosecond magic), in chunks of a mebibyte. */
import { closeSync, openSync, writeSync } from 'node:fs';
import type { TrafficOptions } from './options.ts';
import { createTraffic } from './traffic.ts';
import type { Truth } from './truth.ts';

const CHUNK = 1 << 20;
/** Room for one more record behind a full chunk. */
const SPARE = 65536 + 16 + 256;

export interface Written {
  readonly packets: number;
  /** Bytes of the file. */
  readonly bytes: number;
}

/** Writes all traffic of `options` through `sink`, which must take the bytes at once: they are reused. */
export function writePcap(
  options: TrafficOptions,
  sink: (bytes: Uint8Array) => void,
  onTruth?: (truth: Truth) => void,
): Written {
  const traffic = createTraffic(options, CHUNK + SPARE, onTruth);
  const { bytes } = traffic;
  const view = new DataView(bytes.buffer);
  const fraction = options.nanoseconds ? 1 : 1000;
  const words = [options.nanoseconds ? 0xa1b23c4d : 0xa1b2c3d4, 0x00040002, 0, 0, options.snaplen, 1];
  words.forEach((word, i) => {
    view.setUint32(i * 4, word, true);
  });
  let at = words.length * 4;
  let packets = 0;
  let written = 0;
  for (;;) {
    const length = traffic.next(at + 16);
    if (length < 0) break;
    view.setUint32(at, traffic.sec, true);
    view.setUint32(at + 4, traffic.nsec / fraction, true);
    view.setUint32(at + 8, length, true);
    view.setUint32(at + 12, traffic.wireLength, true);
    at += 16 + length;
    packets++;
    if (at >= CHUNK) {
      sink(bytes.subarray(0, at));
      written += at;
      at = 0;
    }
  }
  sink(bytes.subarray(0, at));
  return { packets, bytes: written + at };
}

/** Writes a capture file, and beside it, if asked for, the truth as one JSON line per connection. */
export function writeCapture(path: string, options: TrafficOptions, truthPath?: string): Written {
  const file = openSync(path, 'w');
  const truth = truthPath === undefined ? undefined : openSync(truthPath, 'w');
  let lines: string[] = [];
  const flush = () => {
    if (truth !== undefined && lines.length > 0) writeAll(truth, Buffer.from(`${lines.join('\n')}\n`));
    lines = [];
  };
  try {
    const onTruth = (connection: Truth) => {
      lines.push(JSON.stringify(connection));
      if (lines.length >= 4096) flush();
    };
    const result = writePcap(options, (bytes) => writeAll(file, bytes), truth === undefined ? undefined : onTruth);
    flush();
    return result;
  } finally {
    closeSync(file);
    if (truth !== undefined) closeSync(truth);
  }
}

/** writeSync until all is out: pipes take less than asked. */
function writeAll(file: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at);
}
