/** Opens capture files: tells pcap from pcapng, packed from plain, and from what is no capture at all. */
import { statSync } from 'node:fs';
import { EmptyInputError, InputError } from '../errors.ts';
import { Pkt } from '../packet/layout.ts';
import { type CaptureSource, END_OF_INPUT, type PacketSource } from './contract.ts';
import { mergedSource } from './merge.ts';
import { isPcap, MAX_CAPLEN, PCAP_HEADER_BYTES, type PcapFormat, pcapSource, readFormat } from './pcap.ts';
import { isPcapng, pcapngSource } from './pcapng.ts';
import {
  createCaptureMemory,
  DEFAULT_SLAB_BYTES,
  DEFAULT_WINDOW_BYTES,
  openWindow,
  type ReadWindow,
} from './read-window.ts';
import { packingOf } from './unpack.ts';

export interface CaptureOptions {
  /** Bytes of the tracker's slab behind the packets; default 32 MiB. */
  readonly slabBytes?: number;
  /** Bytes of the window, the largest record that can be read; default 512 KiB, at least 1 KiB. */
  readonly windowBytes?: number;
  /** Where to read, instead of a window of its own over `path`. */
  readonly window?: ReadWindow;
}

/**
 * Opens the capture at `path`, or the standard input for `-`; unpacks it on the way when it is gzip or zstd data. Throws
 * InputError when the file cannot be opened, is empty, or is neither pcap nor pcapng.
 */
export function openCapture(path: string, options: CaptureOptions = {}): CaptureSource {
  if (options.window !== undefined) return sourceOf(options.window);
  const windowBytes = Math.max(1024, options.windowBytes ?? DEFAULT_WINDOW_BYTES);
  const space = createCaptureMemory(1, windowBytes, options.slabBytes ?? DEFAULT_SLAB_BYTES);
  return sourceOf(openWindow(path, space, 0));
}

/** Bytes of all windows of captures read together, and of each of them at least: a record of the largest legal size. */
const WINDOWS_BYTES = 1 << 30;
const LEAST_WINDOW_BYTES = MAX_CAPLEN + 4096;

/**
 * Opens the captures at `paths` as one, in the order of time. Throws InputError for each that {@link openCapture} would
 * refuse, but for those that are empty or cut within their header. Those, and a fault further on, end their own capture, and
 * are thrown behind the others' last packet.
 */
export function openCaptures(paths: readonly string[], options: CaptureOptions = {}): PacketSource {
  const [first] = paths;
  if (first !== undefined && paths.length === 1) return openCapture(first, options);
  const pipe = paths.find((path) => path === '-' || statSync(path, { throwIfNoEntry: false })?.isFIFO() === true);
  if (pipe !== undefined) {
    const name = pipe === '-' ? 'standard input' : pipe;
    throw new InputError(name, undefined, 'a pipe cannot be read together with files', 'write it to a file first');
  }
  const windowBytes = Math.min(options.windowBytes ?? DEFAULT_WINDOW_BYTES, Math.floor(WINDOWS_BYTES / paths.length));
  if (windowBytes < Math.min(LEAST_WINDOW_BYTES, options.windowBytes ?? LEAST_WINDOW_BYTES)) {
    throw new InputError(`${paths.length} captures`, undefined, 'are too many to be read together');
  }
  const space = createCaptureMemory(paths.length, windowBytes, options.slabBytes ?? DEFAULT_SLAB_BYTES);
  const free = [...space.windows].reverse();
  const inputs = paths.flatMap((path) => {
    const time = firstTime(path, windowBytes);
    return time === undefined ? [] : [{ ...time, open: () => borrow(path) }];
  });

  function borrow(path: string): PacketSource {
    const start = free.pop() as number;
    const source = sourceOf(openWindow(path, space, start));
    return {
      ...source,
      close() {
        source.close();
        free.push(start);
      },
    };
  }

  return mergedSource(space.memory, inputs);
}

/** Time of a capture's first packet; undefined when it has none. The beginning of time when the first is a fault. */
function firstTime(path: string, windowBytes: number): { sec: number; nsec: number } | undefined {
  let source: CaptureSource | undefined;
  try {
    source = openCapture(path, { windowBytes, slabBytes: 0 });
    const row = new Int32Array(Pkt.STRIDE);
    if (source.poll(row, 1) === END_OF_INPUT) return undefined;
    return { sec: row[Pkt.SEC] >>> 0, nsec: row[Pkt.NSEC] };
  } catch (error) {
    // What could not be opened, though it may be a capture, fails again when it is its turn.
    if (!(error instanceof InputError) || (source === undefined && !(error instanceof EmptyInputError))) throw error;
    return { sec: 0, nsec: 0 };
  } finally {
    source?.close();
  }
}

/** How the plain pcap file at `path` is read; undefined for any other. Throws InputError when it cannot be opened. */
export function plainPcap(path: string): PcapFormat | undefined {
  const window = openWindow(path, createCaptureMemory(1, DEFAULT_WINDOW_BYTES, 0), 0);
  try {
    window.fill(PCAP_HEADER_BYTES);
    return isPcap(window) ? readFormat(window) : undefined;
  } finally {
    window.close();
  }
}

/** Whether the file at `path` has to be unpacked. Throws InputError when it cannot be opened. */
export function isPacked(path: string): boolean {
  const window = openWindow(path, createCaptureMemory(1, LEAST_WINDOW_BYTES, 0), 0);
  try {
    window.fill(PCAP_HEADER_BYTES);
    return packingOf(window.memory.bytes.subarray(window.pos, window.end)) !== undefined;
  } finally {
    window.close();
  }
}

/** The packets of a window at its file's start. */
function sourceOf(window: ReadWindow): CaptureSource {
  const { bytes } = window.memory;
  try {
    window.fill(PCAP_HEADER_BYTES);
    if (window.end === window.pos) throw new EmptyInputError(window.file, undefined, 'is empty');
    const packing = packingOf(bytes.subarray(window.pos, window.end));
    if (packing !== undefined && window.unpack !== undefined) {
      window.unpack(packing);
      window.fill(PCAP_HEADER_BYTES);
      if (window.end === window.pos) throw new EmptyInputError(window.file, undefined, 'is empty');
    }
    if (isPcap(window)) return pcapSource(window);
    if (isPcapng(window)) return pcapngSource(window);
    throw notACapture(window);
  } catch (error) {
    window.close();
    throw error;
  }
}

/** First bytes of formats that people take for captures, with the command that helps. */
const OTHERS: readonly { readonly magic: readonly number[]; readonly name: string; readonly hint: string }[] = [
  { magic: [0x1f, 0x8b], name: 'gzip data', hint: 'unpack it first: gunzip --keep' },
  { magic: [0x28, 0xb5, 0x2f, 0xfd], name: 'zstd data', hint: 'unpack it first: unzstd' },
  { magic: [0xfd, 0x37, 0x7a, 0x58, 0x5a], name: 'xz data', hint: 'decompress it first: unxz --keep' },
  { magic: [0x04, 0x22, 0x4d, 0x18], name: 'lz4 data', hint: 'decompress it first: unlz4' },
  { magic: [0x50, 0x4b, 0x03, 0x04], name: 'a zip archive', hint: 'unpack it first: unzip' },
  { magic: [0x73, 0x6e, 0x6f, 0x6f, 0x70, 0], name: 'a snoop capture', hint: 'convert it first: editcap -F pcapng' },
];

function notACapture(window: ReadWindow): InputError {
  const head = window.memory.bytes.subarray(window.pos, Math.min(window.end, window.pos + 512));
  const other = OTHERS.find(({ magic }) => magic.every((byte, i) => head[i] === byte));
  if (other !== undefined) {
    return new InputError(window.file, 0, `not a capture: this is ${other.name}`, `${other.hint} ${window.file}`);
  }
  const what = head.every(isText) ? `it is text, starting with ${firstWords(head)}` : `it starts with ${hex(head)}`;
  return new InputError(window.file, 0, `not a capture: ${what}; pcap and pcapng files are read`);
}

function isText(byte: number): boolean {
  return byte >= 0x20 ? byte !== 0x7f : byte === 0x09 || byte === 0x0a || byte === 0x0d || byte === 0x0c;
}

function firstWords(head: Uint8Array): string {
  const line =
    new TextDecoder()
      .decode(head)
      .trimStart()
      .split(/[\r\n]/, 1)[0] ?? '';
  return JSON.stringify(line.length > 32 ? `${line.slice(0, 32)}…` : line);
}

function hex(head: Uint8Array): string {
  return Array.from(head.subarray(0, 4), (byte) => byte.toString(16).padStart(2, '0')).join(' ');
}
