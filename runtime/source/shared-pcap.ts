/**
 * A pcap file read by several cores, each chunk by one of them. Who has nothing to do claims the next chunk, reads it to a
 * place of its own and decodes its packets (shared-pcap-chunks.ts); of each it passes on a row of one cache line to the core
 * that the connection belongs to (packet/passed-rows.ts). Cores then take their own packets' rows, chunk by chunk, in the
 * order of the file, and read no packet that another core has read, but for what they need of its payload.
 *
 *     core 0: [room][chunk] [room][chunk] ...  core 1: [room][chunk] ...  [slab of core 0][slab of core 1] ...
 *
 * A chunk's place is used again, by the core that it belongs to, when all cores are past the chunk.
 *
 * Frames that the decoder does not take the short way (fragments, tunnels, rare link types) are passed on to all cores, which
 * decode them themselves: only the decoder can tell whose they are.
 */
import { closeSync, readSync } from 'node:fs';
import { Burst, type PacketMemory } from '../packet/layout.ts';
import { createTakePassed, Passed, type TakePassed } from '../packet/passed-rows.ts';
import { type CaptureSource, END_OF_INPUT } from './contract.ts';
import { captureStats, corruptRecord, cutRecord, type RecordPlace } from './pcap.ts';
import { inputError, openFile } from './read-window.ts';
import { createAwaitChunk, type SharedPcapOptions } from './shared-pcap-chunks.ts';
import {
  announce,
  End,
  leaveSharedPcap,
  Ring,
  type SharedPcap,
  Slot,
  SlotF,
  sharedPlaces,
} from './shared-pcap-memory.ts';

/** The packets of one core. Throws InputError when the file cannot be opened. */
export function sharedPcapSource(shared: SharedPcap, options: SharedPcapOptions): CaptureSource {
  const { file, format, buffer, ring, walk, rows, slabBytes, chunkBytes } = shared;
  const { noFrame, slabAt, rowsAt, slotOf, slotFOf } = sharedPlaces(shared);
  const { core } = options;
  const { headerBytes, littleEndian: le, mayBeSwapped, link } = format;
  const fd = openFile(file);
  const view = new DataView(buffer);
  const memory: PacketMemory = {
    bytes: new Uint8Array(buffer),
    view,
    slabOffset: slabAt(core),
    slabLength: slabBytes,
  };
  const awaitChunk = createAwaitChunk(shared, memory, fd, options);
  const numbers = new Int32Array(Burst.MAX + Burst.SPARE_ROWS);
  const counts = new Float64Array(2);
  let closed = false;
  /** The chunk whose packets are taken, where its words are, and how far they are taken. */
  let chunk = -1;
  let slot = 0;
  let slotF = 0;
  let row = 0;
  let rowsEnd = 0;
  let tick = 0;
  let first = 0;
  let latest = 0;

  /** Goes on to the next chunk; false at the end of the file. Throws InputError for a fault. */
  function advance(): boolean {
    if (chunk >= 0) {
      finishChunk();
      if (!goesOn()) return false;
    }
    awaitChunk(chunk + 1);
    chunk++;
    // What began in the chunk before has been copied by now.
    Atomics.store(ring, Ring.CORES + core, chunk);
    announce(ring);
    slot = slotOf(chunk);
    slotF = slotFOf(chunk);
    row = rowsAt(ring[slot + Slot.PLACE], core);
    rowsEnd = row + ring[slot + Slot.COUNTS + core];
    tick = 0;
    return true;
  }

  /** All packets of the chunk were taken. */
  function finishChunk(): void {
    if (row < 0) return;
    row = -1;
    rowsEnd = -1;
    first += ring[slot + Slot.FRAMES];
    counts[0] += ring[slot + Slot.FRAMES];
    counts[1] += walk[slotF + SlotF.BYTES];
    latest = walk[slotF + SlotF.LATEST];
  }

  /** Whether a chunk follows; throws InputError where a fault does. */
  function goesOn(): boolean {
    switch (ring[slot + Slot.END] as End) {
      case End.NONE:
        return true;
      case End.OF_FILE:
        return false;
      case End.UNREADABLE:
        try {
          readSync(fd, new Uint8Array(chunkBytes), 0, chunkBytes, chunk * chunkBytes);
        } catch (error) {
          throw inputError(file, chunk * chunkBytes, error);
        }
        throw inputError(file, chunk * chunkBytes, new Error('a chunk could not be read'));
      case End.RECORD: {
        const at = ring[slot + Slot.AT];
        const record: RecordPlace = { file, at, left: ring[slot + Slot.LEFT], offset: walk[slotF + SlotF.OFFSET] };
        const fault = corruptRecord(view, format, record);
        if (fault !== undefined) throw fault;
        const has = record.left >= headerBytes ? view.getUint32(at + 8, le) : 0;
        const caplen = mayBeSwapped && has > 0 ? Math.min(has, view.getUint32(at + 12, le)) : has;
        throw cutRecord(format, record, caplen);
      }
    }
  }

  /** The frame, counted from the chunk's first, that begins the next tick. */
  function tickFrame(): number {
    return tick < ring[slot + Slot.TICKS] ? walk[slotF + SlotF.TICKS + tick * 2] : noFrame;
  }

  const burst: { pkt?: Int32Array; take: TakePassed } = { take: () => 0 };

  return {
    file,
    format: 'pcap',
    memory,
    live: false,
    stats: captureStats(counts),
    offset: () => (chunk < 0 ? 0 : walk[slotF + SlotF.OFFSET]),
    poll(pkt, max) {
      if (burst.pkt !== pkt) {
        burst.pkt = pkt;
        burst.take = createTakePassed(rows, pkt, numbers, link);
      }
      while (chunk < 0 || (row >= rowsEnd && tickFrame() === noFrame)) if (!advance()) return END_OF_INPUT;
      const n = burst.take(row, rowsEnd, max, tickFrame());
      row += n * Passed.WORDS;
      return n;
    },
    part: {
      numbers,
      first: () => first,
      tick() {
        const frame = tickFrame();
        if (frame === noFrame || (row < rowsEnd && rows[row + Passed.NUMBER] < frame)) return Number.NaN;
        numbers[Burst.MAX] = frame;
        return walk[slotF + SlotF.TICKS + tick++ * 2 + 1];
      },
      latest: () => latest,
    },
    close() {
      if (closed) return;
      closed = true;
      leaveSharedPcap(shared, core);
      closeSync(fd);
    },
  };
}
