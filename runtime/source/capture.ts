/** Opens a capture file: tells pcap from pcapng and from what is no capture at all. */
import { InputError } from '../errors.ts';
import type { PacketSource } from './contract.ts';
import { isPcap, PCAP_HEADER_BYTES, pcapSource } from './pcap.ts';
import { isPcapng, pcapngSource } from './pcapng.ts';
import { DEFAULT_SLAB_BYTES, DEFAULT_WINDOW_BYTES, openWindow, type ReadWindow } from './read-window.ts';

export interface CaptureOptions {
  /** Bytes of the tracker's slab behind the packets; default 32 MiB. */
  readonly slabBytes?: number;
  /** Bytes read at a time, also the largest record that can be read; default 512 KiB, at least 1 KiB. */
  readonly windowBytes?: number;
  /** Where to read, instead of a window of its own over `path`. */
  readonly window?: ReadWindow;
}

/** A packet source over a file, with the file offset reached so far. */
export interface CaptureSource extends PacketSource {
  readonly file: string;
  readonly format: 'pcap' | 'pcapng';
  /** Bytes of the file parsed so far. */
  offset(): number;
}

/**
 * Opens the capture at `path`, or the standard input for `-`. Throws InputError when the file cannot be opened, is empty,
 * or is neither pcap nor pcapng.
 */
export function openCapture(path: string, options: CaptureOptions = {}): CaptureSource {
  const windowBytes = Math.max(1024, options.windowBytes ?? DEFAULT_WINDOW_BYTES);
  const window = options.window ?? openWindow(path, windowBytes, options.slabBytes ?? DEFAULT_SLAB_BYTES);
  try {
    window.fill(PCAP_HEADER_BYTES);
    if (window.end === window.pos) throw new InputError(window.file, undefined, 'is empty');
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
  { magic: [0x1f, 0x8b], name: 'gzip data', hint: 'decompress it first: gunzip --keep' },
  { magic: [0x28, 0xb5, 0x2f, 0xfd], name: 'zstd data', hint: 'decompress it first: unzstd' },
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
