/**
 * Prepares the chunks of a pcap file that several cores read (shared-pcap.ts): claims the next one, reads it, walks its
 * records, and passes each packet on to its owner.
 *
 * Chunks are read, and their packets passed on, at the same time. Only the walk, a few ns a record, goes from one chunk to
 * the next: it tells where the first record begins, and which packets begin ticks. A record belongs to the chunk it ends in,
 * and lies in one piece: its beginning is copied in front of that chunk.
 */
import { readSync } from 'node:fs';
import { beginsTick, beginTick } from '../conntrack/ticks.ts';
import { InputError } from '../errors.ts';
import { type PacketMemory, Wire } from '../packet/layout.ts';
import { createPassOn } from '../packet/passed-rows.ts';
import { announce, End, PLACES, Ring, type SharedPcap, Slot, SlotF, sharedPlaces, Walk } from './shared-pcap-memory.ts';

/** How the run tells packets apart. */
export interface SharedPcapOptions {
  /** Number of the core. */
  readonly core: number;
  /** Secret of the run for the hash of five-tuples. */
  readonly seed: number;
  /** Whether tunnels are opened. */
  readonly tunnels: boolean;
  /** Seconds of a tick. */
  readonly resolution: number;
}

/** Looks at words before a thread sleeps: more of them would only take time from other programs on a busy machine. */
const SPINS = 2000;

/** Has chunk `number` prepared, by this core or another; prepares others while it has to wait for it. */
export type AwaitChunk = (number: number) => void;

/** For a core that reads `fd` to `memory`. The result throws InputError when another core died that was to prepare a chunk. */
export function createAwaitChunk(
  shared: SharedPcap,
  memory: PacketMemory,
  fd: number,
  options: SharedPcapOptions,
): AwaitChunk {
  const { file, format, ring, walk, rows, cores, chunkBytes } = shared;
  const { chunkAt, rowsAt, slotOf, slotFOf } = sharedPlaces(shared);
  const { core, seed, tunnels, resolution } = options;
  const { littleEndian: le, headerBytes, unitsPerSecond, unit, mayBeSwapped, link, maxCaplen } = format;
  const { bytes, view } = memory;
  /** Where the next row of each core goes. */
  const nextRow = new Int32Array(cores);
  const passOn = createPassOn(memory, rows, nextRow, { seed, cores, tunnels, link });
  /** The chunks that were last read to this core's places; the place that comes next. */
  const chunks = new Int32Array(PLACES).fill(-1);
  let nextPlace = 0;

  function isReady(number: number): boolean {
    return Atomics.load(ring, slotOf(number) + Slot.READY) > number;
  }

  /** Whether the file goes on, and no core needs what is in this core's next place. */
  function hasRoom(): boolean {
    if (walk[Walk.ENDED] !== 0) return false;
    const before = chunks[nextPlace];
    for (let i = 0; i < cores; i++) if (Atomics.load(ring, Ring.CORES + i) <= before) return false;
    return true;
  }

  /** Waits until `done`. */
  function wait(done: () => boolean): void {
    for (let i = 0; i < SPINS; i++) if (done()) return;
    for (;;) {
      const seen = Atomics.load(ring, Ring.EVENTS);
      if (done()) return;
      if (Atomics.load(ring, Ring.BROKEN) !== 0) throw new InputError(file, undefined, 'a core that read it died');
      Atomics.add(ring, Ring.SLEEPERS, 1);
      Atomics.wait(ring, Ring.EVENTS, seen, 1000);
      Atomics.sub(ring, Ring.SLEEPERS, 1);
    }
  }

  /** Prepares the next chunk that nobody has claimed. */
  function prepareOne(): void {
    const number = Atomics.load(ring, Ring.CLAIMED);
    if (Atomics.compareExchange(ring, Ring.CLAIMED, number, number + 1) !== number) return;
    const place = core * PLACES + nextPlace;
    chunks[nextPlace] = number;
    nextPlace = (nextPlace + 1) % PLACES;
    const begin = chunkAt(place);
    const length = read(number, begin);
    wait(() => Atomics.load(ring, Ring.WALKED) >= number);
    const slot = slotOf(number);
    ring[slot + Slot.PLACE] = place;
    const start = walkChunk(number, begin, length);
    Atomics.store(ring, Ring.WALKED, number + 1);
    announce(ring);
    passChunk(number, place, start);
    Atomics.store(ring, slot + Slot.READY, number + 1);
    announce(ring);
  }

  /** Reads chunk `number` to `at`. Its length, or -1. */
  function read(number: number, at: number): number {
    let length = 0;
    try {
      while (length < chunkBytes) {
        const got = readSync(fd, bytes, at + length, chunkBytes - length, number * chunkBytes + length);
        if (got === 0) break;
        length += got;
      }
    } catch {
      // Each core finds out by itself.
      return -1;
    }
    return length;
  }

  function end(slot: number, how: End, at: number, left: number): void {
    ring[slot + Slot.END] = how;
    ring[slot + Slot.AT] = at;
    ring[slot + Slot.LEFT] = left;
  }

  /**
   * Finds the records that end in chunk `number`, `length` bytes at `begin`. The chunk before is walked. Returns where the
   * first is.
   */
  function walkChunk(number: number, begin: number, length: number): number {
    const slot = slotOf(number);
    const slotF = slotFOf(number);
    if (walk[Walk.ENDED] !== 0) {
      // Claimed before the end was known. Nobody comes here.
      ring[slot + Slot.FRAMES] = 0;
      return 0;
    }
    const from = walk[Walk.OFFSET];
    const before = number * chunkBytes - from;
    const at = begin - before;
    if (before > 0) bytes.copyWithin(at, walk[Walk.AT], walk[Walk.AT] + before);
    end(slot, End.NONE, 0, 0);
    const next = length < 0 ? at : walkRecords(at, begin + length, slot, slotF);
    walk[Walk.OFFSET] = from + next - at;
    walk[Walk.AT] = next;
    walk[slotF + SlotF.OFFSET] = walk[Walk.OFFSET];
    walk[slotF + SlotF.LATEST] = walk[Walk.LATEST];
    if (length < 0) {
      end(slot, End.UNREADABLE, 0, 0);
    } else if (ring[slot + Slot.END] === End.NONE && length < chunkBytes) {
      const left = begin + length - next;
      end(slot, left === 0 ? End.OF_FILE : End.RECORD, next, left);
    }
    if (ring[slot + Slot.END] !== End.NONE) walk[Walk.ENDED] = 1;
    return at;
  }

  /** Hot. Walks the records from `start` to `stop`; returns where the first stands that is not wholly there. */
  function walkRecords(start: number, stop: number, slot: number, slotF: number): number {
    const last = (stop - headerBytes) | 0;
    let pos = start | 0;
    let frame = 0;
    let ticks = 0;
    while (pos <= last) {
      let caplen = view.getInt32((pos + 8) | 0, le);
      let wirelen = view.getInt32((pos + 12) | 0, le);
      if (mayBeSwapped && caplen >>> 0 > wirelen >>> 0) {
        const given = caplen;
        caplen = wirelen;
        wirelen = given;
      }
      if (caplen >>> 0 > maxCaplen) {
        end(slot, End.RECORD, pos, stop - pos);
        break;
      }
      if (((last - pos) | 0) < caplen) break;
      let sec = view.getUint32(pos, le);
      let fraction = view.getUint32((pos + 4) | 0, le);
      if (fraction >= unitsPerSecond) {
        sec += Math.floor(fraction / unitsPerSecond);
        fraction %= unitsPerSecond;
      }
      // As the decoder has it: whole seconds, and nanoseconds of the second.
      const time = (sec >>> 0) + fraction * unit * 1e-9;
      if (beginsTick(walk, time)) {
        beginTick(walk, time, resolution);
        walk[slotF + SlotF.TICKS + ticks * 2] = frame;
        walk[slotF + SlotF.TICKS + ticks * 2 + 1] = time;
        ticks++;
      }
      walk[Walk.LATEST] = time;
      frame++;
      pos = (pos + headerBytes + caplen) | 0;
    }
    ring[slot + Slot.FRAMES] = frame;
    ring[slot + Slot.TICKS] = ticks;
    return pos;
  }

  /** Passes on the packets of chunk `number`, the first of whose records is at `start`. */
  function passChunk(number: number, place: number, start: number): void {
    const slot = slotOf(number);
    for (let i = 0; i < cores; i++) nextRow[i] = rowsAt(place, i);
    walk[slotFOf(number) + SlotF.BYTES] = passRecords(start, ring[slot + Slot.FRAMES]);
    for (let i = 0; i < cores; i++) ring[slot + Slot.COUNTS + i] = nextRow[i] - rowsAt(place, i);
  }

  /** Hot. Passes on `count` records from `start` on; returns the sum of their lengths on the wire. */
  function passRecords(start: number, count: number): number {
    let pos = start | 0;
    let wire = 0;
    for (let frame = 0; frame < count; frame++) {
      let caplen = view.getInt32((pos + 8) | 0, le);
      let wirelen = view.getInt32((pos + 12) | 0, le);
      if (mayBeSwapped && caplen >>> 0 > wirelen >>> 0) {
        const given = caplen;
        caplen = wirelen;
        wirelen = given;
      }
      if (wirelen >>> 0 > Wire.MOST) wirelen = Wire.MOST;
      let sec = view.getInt32(pos, le);
      let fraction = view.getInt32((pos + 4) | 0, le);
      if (fraction >>> 0 >= unitsPerSecond) {
        sec = (sec + Math.floor((fraction >>> 0) / unitsPerSecond)) | 0;
        fraction = (fraction >>> 0) % unitsPerSecond;
      }
      const offset = (pos + headerBytes) | 0;
      passOn(offset, caplen, wirelen, sec, Math.imul(fraction, unit), frame);
      wire += wirelen;
      pos = (offset + caplen) | 0;
    }
    return wire;
  }

  return (number) => {
    while (!isReady(number)) {
      if (hasRoom()) prepareOne();
      else wait(() => isReady(number) || hasRoom());
    }
  };
}
