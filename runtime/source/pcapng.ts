/**
 * Reader of pcapng (draft-ietf-opsawg-pcapng): sections of either byte order, any number of interfaces with their own
 * clocks, enhanced, simple and obsolete packet blocks; all other blocks are passed over. Hot: `walkPackets`.
 */
import { InputError } from '../errors.ts';
import { Pkt, Wire } from '../packet/layout.ts';
import { type CaptureSource, END_OF_INPUT } from './contract.ts';
import { captureLimit, captureStats, linkType } from './pcap.ts';
import { createClock, type InterfaceClock } from './pcapng-clock.ts';
import type { ReadWindow } from './read-window.ts';

const enum Block {
  INTERFACE = 1,
  /** Obsolete packet block. */
  PACKET = 2,
  SIMPLE = 3,
  ENHANCED = 6,
  SECTION = 0x0a0d0d0a,
}

const enum Option {
  END = 0,
  TSRESOL = 9,
  TSOFFSET = 14,
}

const BYTE_ORDER_MAGIC = 0x1a2b3c4d;
/** Type, length and length again: the least block. */
const MIN_BLOCK_BYTES = 12;
/** Bytes of the least block of a type, fixed fields included. */
const MIN_BYTES: Readonly<Record<number, number>> = {
  [Block.SECTION]: 28,
  [Block.INTERFACE]: 20,
  [Block.PACKET]: 32,
  [Block.SIMPLE]: 16,
  [Block.ENHANCED]: 32,
};

const enum BlockState {
  /** Wholly in the window. */
  HERE,
  /** Has to wait until the rows already filled were handed over. */
  WAITS,
  /** Was passed over. */
  PASSED,
}

interface Interface {
  readonly link: number;
  /** Most bytes of one packet; Infinity where the file sets no bound. */
  readonly snaplen: number;
  readonly maxCaplen: number;
  readonly clock: InterfaceClock;
}

/** Whether the window, filled from the file's start, begins like a pcapng file. */
export function isPcapng(window: ReadWindow): boolean {
  const { view } = window.memory;
  const length = window.end - window.pos;
  if (length < 4 || view.getUint32(window.pos) !== Block.SECTION) return false;
  return length < MIN_BLOCK_BYTES || byteOrderAt(view, window.pos + 8) !== undefined;
}

/** True for little-endian, false for big-endian, undefined when there is no byte-order magic. */
function byteOrderAt(view: DataView, at: number): boolean | undefined {
  if (view.getUint32(at, true) === BYTE_ORDER_MAGIC) return true;
  if (view.getUint32(at, false) === BYTE_ORDER_MAGIC) return false;
  return undefined;
}

/** The packets of a pcapng file whose first bytes are in `window`. */
export function pcapngSource(window: ReadWindow): CaptureSource {
  const { file, memory } = window;
  const { view } = memory;
  const counts = new Float64Array(2);
  /** Seconds and nanoseconds of the latest packet that had a time: simple packets take it over. */
  const latest = new Int32Array(2);
  let le = true;
  let interfaces: Interface[] = [];
  /** Rows filled by the poll under way. */
  let filled = 0;

  /** Hot. Fills rows from the whole, sane enhanced packet blocks at hand; stops at the first block that is not one. */
  function walkPackets(pkt: Int32Array, max: number): void {
    const end = window.end | 0;
    let pos = window.pos | 0;
    let n = filled | 0;
    while (n < max && end - pos >= 32) {
      if (view.getInt32(pos, le) !== Block.ENHANCED) break;
      // Signed reads keep the arithmetic in int32; what does not fit is negative, and left to the checks below.
      const total = view.getInt32(pos + 4, le);
      const id = view.getInt32(pos + 8, le);
      const caplen = view.getInt32(pos + 20, le);
      const wirelen = view.getInt32(pos + 24, le);
      if (total < 32 || total > end - pos || (total & 3) !== 0) break;
      if (id < 0 || id >= interfaces.length || caplen < 0 || caplen > total - 32) break;
      const from = interfaces[id];
      if (caplen > from.maxCaplen || view.getInt32(pos + total - 4, le) !== total) break;
      from.clock.read(view, pos + 12, le, latest);
      fillRow(pkt, n << Pkt.SHIFT, pos + 28, caplen, wirelen >>> 0 > Wire.MOST ? Wire.MOST : wirelen, from.link, id);
      pos = (pos + total) | 0;
      n++;
    }
    window.pos = pos;
    filled = n;
  }

  /** Fills rows from the blocks at hand until `max` are filled or the file ends. */
  function walk(pkt: Int32Array, max: number): void {
    for (;;) {
      walkPackets(pkt, max);
      if (filled >= max) return;
      if (window.end - window.pos < MIN_BLOCK_BYTES) {
        // A refill overwrites the bytes of the rows filled, so it waits until they were handed over.
        if (filled > 0 || !moreBlocks()) return;
        continue;
      }
      const state = wholeBlock(filled > 0);
      if (state === BlockState.WAITS) return;
      if (state === BlockState.HERE) filled += otherBlock(pkt, filled << Pkt.SHIFT);
    }
  }

  function fillRow(
    pkt: Int32Array,
    p: number,
    offset: number,
    caplen: number,
    wirelen: number,
    link: number,
    id: number,
  ): void {
    pkt[p + Pkt.OFFSET] = offset;
    pkt[p + Pkt.CAPLEN] = caplen;
    pkt[p + Pkt.WIRELEN] = wirelen;
    pkt[p + Pkt.SEC] = latest[0];
    pkt[p + Pkt.NSEC] = latest[1];
    pkt[p + Pkt.LINK] = link | (id << 16);
    pkt[p + Pkt.RSS] = 0;
    pkt[p + Pkt.HOLD] = 0;
  }

  /** Fewer bytes than a block are at hand: reads on. False at the end of the file. */
  function moreBlocks(): boolean {
    if (window.fill(MIN_BLOCK_BYTES)) return true;
    const left = window.end - window.pos;
    if (left === 0) return false;
    throw fault(`the file is cut short: ${left} of the 12 bytes that a block has at least are left`);
  }

  /**
   * Checks the block at `pos` and brings it in whole, which has to wait while rows point into the window (`busy`). A block
   * that the window cannot hold and that is no packet is passed over.
   */
  function wholeBlock(busy: boolean): BlockState {
    if (view.getUint32(window.pos) === Block.SECTION) {
      const order = byteOrderAt(view, window.pos + 8);
      if (order === undefined) throw fault('the file is corrupt: a section header without its byte-order magic');
      le = order;
      interfaces = [];
    }
    const type = view.getUint32(window.pos, le);
    const total = view.getUint32(window.pos + 4, le);
    const least = MIN_BYTES[type] ?? MIN_BLOCK_BYTES;
    if (total < least || (total & 3) !== 0) {
      throw fault(`the file is corrupt: a block of type ${typeName(type)} that is ${total} bytes long`);
    }
    if (total <= window.end - window.pos) return BlockState.HERE;
    if (busy) return BlockState.WAITS;
    if (total <= window.capacity) {
      if (!window.fill(total)) throw cutShort(type, total, window.end - window.pos);
      return BlockState.HERE;
    }
    if (MIN_BYTES[type] !== undefined) {
      throw fault(`the file is corrupt: a block of type ${typeName(type)} that claims ${total} bytes`);
    }
    const start = window.offset();
    if (!window.skip(total - 4) || !window.fill(4)) {
      throw new InputError(file, start, `the file is cut short in a block of ${total} bytes, type ${typeName(type)}`);
    }
    if (view.getUint32(window.pos, le) !== total) throw lengthsDiffer(start, type, total);
    window.pos += 4;
    return BlockState.PASSED;
  }

  /** Takes the whole block at `pos`; returns how many rows it filled at `p`. */
  function otherBlock(pkt: Int32Array, p: number): number {
    const pos = window.pos;
    const type = view.getUint32(pos, le);
    const total = view.getUint32(pos + 4, le);
    if (view.getUint32(pos + total - 4, le) !== total) throw lengthsDiffer(window.offset(), type, total);
    switch (type) {
      case Block.SECTION: {
        const major = view.getUint16(pos + 12, le);
        if (major !== 1) {
          const version = `${major}.${view.getUint16(pos + 14, le)}`;
          throw fault(`version ${version} of the pcapng format is not known`);
        }
        break;
      }
      case Block.INTERFACE:
        interfaces.push(readInterface(pos, total));
        break;
      case Block.ENHANCED: {
        const id = view.getUint32(pos + 8, le);
        packet(pkt, p, id, view.getUint32(pos + 20, le), view.getUint32(pos + 24, le), total - 32, pos + 28, pos + 12);
        window.pos = pos + total;
        return 1;
      }
      case Block.PACKET: {
        const id = view.getUint16(pos + 8, le);
        packet(pkt, p, id, view.getUint32(pos + 20, le), view.getUint32(pos + 24, le), total - 32, pos + 28, pos + 12);
        window.pos = pos + total;
        return 1;
      }
      case Block.SIMPLE: {
        const wirelen = view.getUint32(pos + 8, le);
        const snaplen = interfaces[0]?.snaplen ?? 0;
        packet(pkt, p, 0, Math.min(wirelen, snaplen), wirelen, total - 16, pos + 12, 0);
        window.pos = pos + total;
        return 1;
      }
    }
    window.pos = pos + total;
    return 0;
  }

  /** A packet of interface `id` at `offset`, of which `room` bytes fit its block; its time is at `time`, 0 for none. */
  function packet(
    pkt: Int32Array,
    p: number,
    id: number,
    caplen: number,
    wirelen: number,
    room: number,
    offset: number,
    time: number,
  ): void {
    if (id >= interfaces.length) {
      throw fault(
        `the file is corrupt: a packet of interface ${id}, but the section has ${interfaces.length} up to here`,
      );
    }
    const from = interfaces[id];
    if (caplen > room || caplen > from.maxCaplen) {
      const most = Math.min(room, from.maxCaplen);
      throw fault(
        `the file is corrupt: a packet of ${wirelen} bytes with ${caplen} captured, where at most ${most} can be`,
      );
    }
    if (time !== 0) from.clock.read(view, time, le, latest);
    fillRow(pkt, p, offset, caplen, Math.min(wirelen, Wire.MOST), from.link, id);
  }

  function readInterface(pos: number, total: number): Interface {
    let resolution = 6;
    let offset = 0n;
    const end = pos + total - 4;
    for (let at = pos + 16; at + 4 <= end; ) {
      const code = view.getUint16(at, le);
      const length = view.getUint16(at + 2, le);
      if (code === Option.END) break;
      if (at + 4 + length > end)
        throw fault(`the file is corrupt: an interface's option ${code} is longer than its block`);
      if (code === Option.TSRESOL && length === 1) resolution = view.getUint8(at + 4);
      if (code === Option.TSOFFSET && length === 8) offset = view.getBigInt64(at + 4, le);
      at += 4 + ((length + 3) & ~3);
    }
    const snaplen = view.getUint32(pos + 12, le);
    return {
      link: linkType(view.getUint16(pos + 8, le)),
      snaplen: snaplen === 0 ? Number.POSITIVE_INFINITY : snaplen,
      maxCaplen: captureLimit(snaplen, window),
      clock: createClock(resolution, offset),
    };
  }

  function fault(message: string): InputError {
    return new InputError(file, window.offset(), message);
  }
  function cutShort(type: number, total: number, left: number): InputError {
    return fault(`the file is cut short: ${left} of the ${total} bytes of a block of type ${typeName(type)} are left`);
  }
  function lengthsDiffer(start: number, type: number, total: number): InputError {
    return new InputError(
      file,
      start,
      `the file is corrupt: a block of type ${typeName(type)} says ${total} bytes at its start, but not at its end`,
    );
  }

  return {
    file,
    format: 'pcapng',
    memory,
    live: false,
    stats: captureStats(counts),
    offset: window.offset,
    poll(pkt, max) {
      filled = 0;
      try {
        walk(pkt, max);
      } catch (error) {
        // The window stays at the fault: it is found again, and thrown, when nothing comes before it.
        if (filled === 0) throw error;
      }
      if (filled === 0) return END_OF_INPUT;
      let bytes = 0;
      for (let p = 0; p < filled << Pkt.SHIFT; p += Pkt.STRIDE) bytes += pkt[p + Pkt.WIRELEN];
      counts[0] += filled;
      counts[1] += bytes;
      return filled;
    },
    close: window.close,
  };
}

const TYPE_NAMES: Readonly<Record<number, string>> = {
  [Block.SECTION]: 'section header',
  [Block.INTERFACE]: 'interface description',
  [Block.PACKET]: 'packet',
  [Block.SIMPLE]: 'simple packet',
  [Block.ENHANCED]: 'enhanced packet',
};

function typeName(type: number): string {
  return TYPE_NAMES[type] ?? `0x${type.toString(16)}`;
}
