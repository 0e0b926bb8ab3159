/**
 * Reader of classic captures (draft-ietf-opsawg-pcap): microseconds and nanoseconds, both byte orders, and the variant
 * with 24-byte record headers that patched kernels of the 1990s wrote. Hot: `walk` runs for every packet.
 */
import { EmptyInputError, InputError } from '../errors.ts';
import { pktColumns } from '../packet/columns.ts';
import { LinkType, Pkt, Wire } from '../packet/layout.ts';
import { type CaptureSource, END_OF_INPUT } from './contract.ts';
import type { ReadWindow } from './read-window.ts';

export const PCAP_HEADER_BYTES = 24;
/** Most bytes of one packet unless the snap length says more: what libpcap takes too. */
export const MAX_CAPLEN = 262144;

const MAGIC_MICROSECONDS = 0xa1b2c3d4;
const MAGIC_NANOSECONDS = 0xa1b23c4d;
const MAGIC_LONG_HEADERS = 0xa1b2cd34;

/** Whether the window, filled from the file's start, begins like a pcap file. */
export function isPcap(window: ReadWindow): boolean {
  return byteOrder(window) !== undefined;
}

/** True for little-endian, false for big-endian, undefined when it is no pcap file. */
function byteOrder(window: ReadWindow): boolean | undefined {
  if (window.end - window.pos < 4) return undefined;
  for (const le of [true, false]) {
    const magic = window.memory.view.getUint32(window.pos, le);
    if (magic === MAGIC_MICROSECONDS || magic === MAGIC_NANOSECONDS || magic === MAGIC_LONG_HEADERS) return le;
  }
  return undefined;
}

/** What the file header says: how to read the records. */
export interface PcapFormat {
  /** File offset of the first record. */
  readonly dataOffset: number;
  readonly littleEndian: boolean;
  /** Bytes of a record's header. */
  readonly headerBytes: number;
  readonly unitsPerSecond: number;
  /** Nanoseconds of a unit. */
  readonly unit: number;
  /** Files before version 2.3 have the two lengths the other way round; those of 2.3 come in both ways. */
  readonly mayBeSwapped: boolean;
  readonly link: number;
  /** Most captured bytes that are no fault. */
  readonly maxCaplen: number;
}

/** Reads the file header at the window's start and passes over it. Throws InputError for a broken one. */
export function readFormat(window: ReadWindow): PcapFormat {
  const { file, memory } = window;
  const { view } = memory;
  const le = byteOrder(window) === true;
  if (!window.fill(PCAP_HEADER_BYTES)) {
    throw new EmptyInputError(
      file,
      0,
      `the file is cut short: ${window.end - window.pos} of the header's ${PCAP_HEADER_BYTES} bytes`,
    );
  }
  const start = window.pos;
  const magic = view.getUint32(start, le);
  const major = view.getUint16(start + 4, le);
  const minor = view.getUint16(start + 6, le);
  if (major !== 2) throw new InputError(file, 4, `version ${major}.${minor} of the pcap format is not known`);
  const nanoseconds = magic === MAGIC_NANOSECONDS;
  window.pos = start + PCAP_HEADER_BYTES;
  return {
    dataOffset: PCAP_HEADER_BYTES,
    littleEndian: le,
    headerBytes: magic === MAGIC_LONG_HEADERS ? 24 : 16,
    unitsPerSecond: nanoseconds ? 1_000_000_000 : 1_000_000,
    unit: nanoseconds ? 1 : 1000,
    mayBeSwapped: minor <= 3,
    link: linkType(view.getUint32(start + 20, le)),
    maxCaplen: captureLimit(view.getUint32(start + 16, le), window),
  };
}

/** A record of which `left` bytes are in memory at `at`, and why it cannot be read. */
export interface RecordPlace {
  readonly file: string;
  readonly at: number;
  readonly left: number;
  /** Where it begins in the file. */
  readonly offset: number;
}

/** What is wrong with a record's header, if that is there and something is. */
export function corruptRecord(view: DataView, format: PcapFormat, place: RecordPlace): InputError | undefined {
  const { littleEndian: le, headerBytes, mayBeSwapped, maxCaplen } = format;
  if (place.left < headerBytes) return undefined;
  let caplen = view.getUint32(place.at + 8, le);
  let wirelen = view.getUint32(place.at + 12, le);
  if (mayBeSwapped && caplen > wirelen) [caplen, wirelen] = [wirelen, caplen];
  if (caplen <= maxCaplen) return undefined;
  return new InputError(
    place.file,
    place.offset,
    `the file is corrupt: a packet of ${wirelen} bytes with ${caplen} captured, where at most ${maxCaplen} can be`,
  );
}

/** The fault of a file that ends within a record, `caplen` bytes of which should follow its header. */
export function cutRecord(format: PcapFormat, place: RecordPlace, caplen: number): InputError {
  const { headerBytes } = format;
  const message =
    place.left < headerBytes
      ? `${place.left} of the ${headerBytes} bytes of a packet's header are left`
      : `${place.left - headerBytes} of the ${caplen} bytes of a packet are left`;
  return new InputError(place.file, place.offset, `the file is cut short: ${message}`);
}

/** The packets of a pcap file whose first bytes are in `window`. Throws InputError for a broken file header. */
export function pcapSource(window: ReadWindow): CaptureSource {
  const { file, memory } = window;
  const { view } = memory;
  const format = readFormat(window);
  const { littleEndian: le, headerBytes, unitsPerSecond, unit, mayBeSwapped, link, maxCaplen } = format;
  /** Packets and bytes handed over; doubles, because a capture may hold more than 2^31 of either. */
  const counts = new Float64Array(2);

  /** Fills rows with the whole, sane records at hand; stops at the first that is not. */
  function createWalk(pkt: Int32Array): (max: number) => number {
    const { pktOffset, pktCaplen, pktWirelen, pktSec, pktNsec, pktLink, pktRss, pktHold } = pktColumns(pkt);

    return function walk(max) {
      const end = window.end | 0;
      const last = (end - headerBytes) | 0;
      const rows = max << Pkt.SHIFT;
      let pos = window.pos | 0;
      let bytes = 0;
      let p = 0;
      for (; p < rows && pos <= last; p += Pkt.STRIDE) {
        let caplen = view.getInt32((pos + 8) | 0, le);
        let wirelen = view.getInt32((pos + 12) | 0, le);
        if (mayBeSwapped && caplen >>> 0 > wirelen >>> 0) {
          const given = caplen;
          caplen = wirelen;
          wirelen = given;
        }
        if (caplen >>> 0 > maxCaplen || ((last - pos) | 0) < caplen) break;
        if (wirelen >>> 0 > Wire.MOST) wirelen = Wire.MOST;
        let sec = view.getInt32(pos, le);
        let fraction = view.getInt32((pos + 4) | 0, le);
        if (fraction >>> 0 >= unitsPerSecond) {
          sec = (sec + Math.floor((fraction >>> 0) / unitsPerSecond)) | 0;
          fraction = (fraction >>> 0) % unitsPerSecond;
        }
        pktOffset[p] = (pos + headerBytes) | 0;
        pktCaplen[p] = caplen;
        pktWirelen[p] = wirelen;
        pktSec[p] = sec;
        pktNsec[p] = Math.imul(fraction, unit);
        pktLink[p] = link;
        pktRss[p] = 0;
        pktHold[p] = 0;
        pos = (pos + headerBytes + caplen) | 0;
        bytes += wirelen;
      }
      window.pos = pos;
      counts[0] += p >> Pkt.SHIFT;
      counts[1] += bytes;
      return p >> Pkt.SHIFT;
    };
  }

  /** The walk over the rows that `poll` is given: they are the same in every call. */
  const rows: { pkt?: Int32Array; walk: (max: number) => number } = { walk: () => 0 };

  /** Nothing whole is at hand: reads on. False at the end of the file; throws InputError for a fault. */
  function readOn(): boolean {
    const place = (): RecordPlace => ({ file, at: window.pos, left: window.end - window.pos, offset: window.offset() });
    if (!window.fill(headerBytes)) {
      if (window.end === window.pos) return false;
      throw cutRecord(format, place(), 0);
    }
    const fault = corruptRecord(view, format, place());
    if (fault !== undefined) throw fault;
    const first = view.getUint32(window.pos + 8, le);
    const caplen = mayBeSwapped ? Math.min(first, view.getUint32(window.pos + 12, le)) : first;
    if (!window.fill(headerBytes + caplen)) throw cutRecord(format, place(), caplen);
    return true;
  }

  return {
    file,
    format: 'pcap',
    memory,
    live: false,
    stats: captureStats(counts),
    offset: window.offset,
    poll(pkt, max) {
      if (rows.pkt !== pkt) {
        rows.pkt = pkt;
        rows.walk = createWalk(pkt);
      }
      for (;;) {
        const n = rows.walk(max);
        if (n > 0) return n;
        if (!readOn()) return END_OF_INPUT;
      }
    },
    close: window.close,
  };
}

/** The largest capture length that is no fault: libpcap's bound, or the snap length, as far as the window goes. */
export function captureLimit(snaplen: number, window: ReadWindow): number {
  return Math.min(Math.max(MAX_CAPLEN, snaplen), window.capacity - 64);
}

/** The link type of a file's or interface's number, without the bits that tell of a frame check sequence. */
export function linkType(number: number): number {
  const type = number & 0xffff;
  // Captures of several BSDs carry the system's own number for raw IP instead of the registered one.
  return type === 12 || type === 14 ? LinkType.RAW : type;
}

/** Packets and bytes in `counts` as the source's statistics. A file loses nothing. */
export function captureStats(counts: Float64Array): CaptureSource['stats'] {
  return {
    get packets() {
      return counts[0];
    },
    get bytes() {
      return counts[1];
    },
    lost: {},
  };
}
