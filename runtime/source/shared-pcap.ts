/**
 * A pcap file read by several cores, each chunk by one of them: whoever needs a chunk that nobody has prepared yet, or finds
 * room to prepare one ahead, reads it, walks its records, and notes each packet down for the core that its connection
 * belongs to. Cores then take their own packets, chunk by chunk, in the order of the file, and never look at the others'.
 *
 *     [headroom][chunk 0][chunk 1] ... [chunk n-1][slack][slab of core 0][slab of core 1] ...
 *
 * Chunks are read, and their packets noted, at the same time. Only the walk, a few ns a record, goes from one chunk to the
 * next: it tells where the first record begins, and which packets begin ticks. A record belongs to the chunk it ends in. It
 * lies in one piece, but for the last place of the ring: there its beginning is copied into the headroom, in front of place
 * 0. A chunk's place is used again when all cores are past it.
 *
 * Frames whose owner only the decoder can tell (fragments, tunnels, rare link types) are noted for all cores.
 */
import { closeSync, readSync } from 'node:fs';
import { beginsTick, beginTick } from '../conntrack/ticks.ts';
import { InputError } from '../errors.ts';
import { pktColumns } from '../packet/columns.ts';
import { Burst, type PacketMemory, Pkt } from '../packet/layout.ts';
import { createOwnerTest } from '../packet/owner.ts';
import { type CaptureSource, END_OF_INPUT } from './contract.ts';
import { captureStats, corruptRecord, cutRecord, type RecordPlace } from './pcap.ts';
import { inputError, openFile } from './read-window.ts';
import {
  CAPACITY,
  CHUNK,
  End,
  leaveSharedPcap,
  MOST_NOTES,
  Note,
  PAST_ALL,
  PLACE_DOUBLES,
  Place,
  PlaceF,
  Ring,
  type SharedPcap,
  slabsAt,
  Walk,
} from './shared-pcap-memory.ts';

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

/** Looks at a word before its thread sleeps. */
const SPINS = 2000;

/** The packets of one core. Throws InputError when the file cannot be opened. */
export function sharedPcapSource(shared: SharedPcap, options: SharedPcapOptions): CaptureSource {
  const { file, format, buffer, ring, walk, notes, cores, places, slabBytes } = shared;
  const { core, resolution } = options;
  const { littleEndian: le, headerBytes, unitsPerSecond, unit, mayBeSwapped, link, maxCaplen } = format;
  const fd = openFile(file);
  const bytes = new Uint8Array(buffer);
  const view = new DataView(buffer);
  const memory: PacketMemory = { bytes, view, slabOffset: slabsAt(places) + core * slabBytes, slabLength: slabBytes };
  const owner = createOwnerTest(memory, { seed: options.seed, cores, tunnels: options.tunnels, link });
  /** Where the next note of each core goes. */
  const noteAt = new Int32Array(cores);
  const numbers = new Int32Array(Burst.MAX + Burst.SPARE_ROWS);
  const counts = new Float64Array(2);
  let closed = false;
  /** The chunk whose packets are taken, its place, and how far they are. */
  let chunk = -1;
  let place = 0;
  let note = 0;
  let notesEnd = 0;
  let tick = 0;
  let first = 0;
  let latest = 0;

  function placeOf(number: number): number {
    return number % places;
  }
  function offsetOf(number: number): number {
    return CAPACITY + placeOf(number) * CHUNK;
  }
  function wordsOf(number: number): number {
    return Ring.CORES + cores + placeOf(number) * (Place.COUNTS + cores);
  }
  function doublesOf(number: number): number {
    return Walk.WORDS + placeOf(number) * PLACE_DOUBLES;
  }
  function notesOf(number: number, of: number): number {
    return (placeOf(number) * cores + of) * MOST_NOTES * Note.WORDS;
  }

  /** Waits while `ring[word]` is at most `value`. */
  function waitPast(word: number, value: number): void {
    for (let i = 0; i < SPINS; i++) if (Atomics.load(ring, word) > value) return;
    for (let now = Atomics.load(ring, word); now <= value; now = Atomics.load(ring, word)) {
      if (Atomics.load(ring, Ring.BROKEN) !== 0) throw new InputError(file, undefined, 'a core that read it died');
      Atomics.wait(ring, word, now, 1000);
    }
  }

  /** Whether no core needs what was at the place of chunk `number` before. The cores that do are waited for, if asked. */
  function free(number: number, wait: boolean): boolean {
    for (let i = 0; i < cores; i++) {
      if (Atomics.load(ring, Ring.CORES + i) > number - places) continue;
      if (!wait) return false;
      waitPast(Ring.CORES + i, number - places);
    }
    return true;
  }

  /** Prepares the next chunk that nobody has claimed, if it is at most `most`; false when there is none. */
  function prepareOne(most: number, wait: boolean): boolean {
    const number = Atomics.load(ring, Ring.CLAIMED);
    if (number > most || walk[Walk.ENDED] !== 0 || !free(number, wait)) return false;
    if (Atomics.compareExchange(ring, Ring.CLAIMED, number, number + 1) !== number) return true;
    const length = read(number);
    waitPast(Ring.WALKED, number - 1);
    const start = walkChunk(number, length);
    Atomics.store(ring, Ring.WALKED, number + 1);
    Atomics.notify(ring, Ring.WALKED);
    noteChunk(number, start);
    const ready = wordsOf(number) + Place.READY;
    Atomics.store(ring, ready, number + 1);
    Atomics.notify(ring, ready);
    return true;
  }

  /** Reads chunk `number` to its place. Its length, or -1. */
  function read(number: number): number {
    let length = 0;
    try {
      while (length < CHUNK) {
        const got = readSync(fd, bytes, offsetOf(number) + length, CHUNK - length, number * CHUNK + length);
        if (got === 0) break;
        length += got;
      }
    } catch {
      // Each core finds out by itself.
      return -1;
    }
    return length;
  }

  function end(words: number, how: End, at: number, left: number): void {
    ring[words + Place.END] = how;
    ring[words + Place.AT] = at;
    ring[words + Place.LEFT] = left;
  }

  /** Finds the records that end in chunk `number`, `length` bytes. The chunk before is walked. Returns where the first is. */
  function walkChunk(number: number, length: number): number {
    const words = wordsOf(number);
    const doubles = doublesOf(number);
    if (walk[Walk.ENDED] !== 0) {
      // Claimed before the end was known. Nobody comes here.
      ring[words + Place.FRAMES] = 0;
      return 0;
    }
    const from = walk[Walk.OFFSET];
    const before = number * CHUNK - from;
    // Place 0 follows the last place: what is left there goes in front of it.
    if (placeOf(number) === 0 && before > 0) {
      const behind = CAPACITY + places * CHUNK;
      bytes.copyWithin(CAPACITY - before, behind - before, behind);
    }
    ring[words + Place.FIRST] = Math.floor(from / CHUNK);
    end(words, End.NONE, 0, 0);
    const at = offsetOf(number) - before;
    const next = length < 0 ? at : walkRecords(at, offsetOf(number) + length, words, doubles);
    walk[Walk.OFFSET] = from + next - at;
    walk[doubles + PlaceF.OFFSET] = walk[Walk.OFFSET];
    walk[doubles + PlaceF.LATEST] = walk[Walk.LATEST];
    if (length < 0) {
      end(words, End.UNREADABLE, 0, 0);
    } else if (ring[words + Place.END] === End.NONE && length < CHUNK) {
      const left = offsetOf(number) + length - next;
      end(words, left === 0 ? End.OF_FILE : End.RECORD, next, left);
    }
    if (ring[words + Place.END] !== End.NONE) walk[Walk.ENDED] = 1;
    return at;
  }

  /** Notes down the packets of chunk `number`, the first of whose records is at `start`. */
  function noteChunk(number: number, start: number): void {
    const words = wordsOf(number);
    for (let i = 0; i < cores; i++) noteAt[i] = notesOf(number, i);
    walk[doublesOf(number) + PlaceF.BYTES] = noteRecords(start, ring[words + Place.FRAMES]);
    for (let i = 0; i < cores; i++) {
      ring[words + Place.COUNTS + i] = (noteAt[i] - notesOf(number, i)) / Note.WORDS;
    }
  }

  function write(
    to: number,
    offset: number,
    caplen: number,
    wirelen: number,
    sec: number,
    nsec: number,
    frame: number,
  ) {
    notes[to] = offset;
    notes[to + 1] = caplen;
    notes[to + 2] = wirelen;
    notes[to + 3] = sec;
    notes[to + 4] = nsec;
    notes[to + 5] = frame;
  }

  /** Hot. Walks the records from `start` to `stop`; returns where the first stands that is not wholly there. */
  function walkRecords(start: number, stop: number, words: number, doubles: number): number {
    const last = (stop - headerBytes) | 0;
    let pos = start | 0;
    let frame = 0;
    let ticks = 0;
    while (pos <= last) {
      let caplen = view.getInt32((pos + 8) | 0, le);
      let wirelen = view.getInt32((pos + 12) | 0, le);
      if (mayBeSwapped && caplen > wirelen) {
        const given = caplen;
        caplen = wirelen;
        wirelen = given;
      }
      if (caplen >>> 0 > maxCaplen || wirelen < 0) {
        end(words, End.RECORD, pos, stop - pos);
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
        walk[doubles + PlaceF.TICKS + ticks * 2] = frame;
        walk[doubles + PlaceF.TICKS + ticks * 2 + 1] = time;
        ticks++;
      }
      walk[Walk.LATEST] = time;
      frame++;
      pos = (pos + headerBytes + caplen) | 0;
    }
    ring[words + Place.FRAMES] = frame;
    ring[words + Place.TICKS] = ticks;
    return pos;
  }

  /** Hot. Notes down `count` records from `pos` on for the cores they are for; returns the sum of their lengths on the wire. */
  function noteRecords(start: number, count: number): number {
    let pos = start | 0;
    let wire = 0;
    for (let frame = 0; frame < count; frame++) {
      let caplen = view.getInt32((pos + 8) | 0, le);
      let wirelen = view.getInt32((pos + 12) | 0, le);
      if (mayBeSwapped && caplen > wirelen) {
        const given = caplen;
        caplen = wirelen;
        wirelen = given;
      }
      let sec = view.getInt32(pos, le);
      let fraction = view.getInt32((pos + 4) | 0, le);
      if (fraction >>> 0 >= unitsPerSecond) {
        sec = (sec + Math.floor((fraction >>> 0) / unitsPerSecond)) | 0;
        fraction = (fraction >>> 0) % unitsPerSecond;
      }
      const nsec = Math.imul(fraction, unit);
      const offset = (pos + headerBytes) | 0;
      const whose = owner(offset, caplen, wirelen);
      if (whose >= 0) {
        const to = noteAt[whose];
        write(to, offset, caplen, wirelen, sec, nsec, frame);
        noteAt[whose] = to + Note.WORDS;
      } else {
        for (let i = 0; i < cores; i++) {
          write(noteAt[i], offset, caplen, wirelen, sec, nsec, frame);
          noteAt[i] += Note.WORDS;
        }
      }
      wire += wirelen;
      pos = (offset + caplen) | 0;
    }
    return wire;
  }

  /** Goes on to the next chunk; false at the end of the file. Throws InputError for a fault. */
  function advance(): boolean {
    if (chunk >= 0) {
      finishChunk();
      if (!goesOn()) return false;
    }
    const next = chunk + 1;
    // Claimed by somebody by now; who comes here first prepares one more.
    while (Atomics.load(ring, Ring.CLAIMED) <= next) prepareOne(next, true);
    prepareOne(PAST_ALL, false);
    const words = wordsOf(next);
    waitPast(words + Place.READY, next);
    chunk = next;
    Atomics.store(ring, Ring.CORES + core, ring[words + Place.FIRST]);
    Atomics.notify(ring, Ring.CORES + core);
    place = words;
    note = notesOf(chunk, core);
    notesEnd = note + ring[words + Place.COUNTS + core] * Note.WORDS;
    tick = 0;
    return true;
  }

  /** All packets of the chunk were taken. */
  function finishChunk(): void {
    if (note < 0) return;
    note = -1;
    notesEnd = -1;
    const doubles = doublesOf(chunk);
    first += ring[place + Place.FRAMES];
    counts[0] += ring[place + Place.FRAMES];
    counts[1] += walk[doubles + PlaceF.BYTES];
    latest = walk[doubles + PlaceF.LATEST];
  }

  /** Whether a chunk follows; throws InputError where a fault does. */
  function goesOn(): boolean {
    switch (ring[place + Place.END] as End) {
      case End.NONE:
        return true;
      case End.OF_FILE:
        return false;
      case End.UNREADABLE:
        try {
          readSync(fd, new Uint8Array(CHUNK), 0, CHUNK, chunk * CHUNK);
        } catch (error) {
          throw inputError(file, chunk * CHUNK, error);
        }
        throw inputError(file, chunk * CHUNK, new Error('a chunk could not be read'));
      case End.RECORD: {
        const at = ring[place + Place.AT];
        const offset = walk[doublesOf(chunk) + PlaceF.OFFSET];
        const record: RecordPlace = { file, at, left: ring[place + Place.LEFT], offset };
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
    return tick < ring[place + Place.TICKS] ? walk[doublesOf(chunk) + PlaceF.TICKS + tick * 2] : MOST_NOTES;
  }

  /** Fills rows with this core's packets, up to the next tick. */
  function createTake(pkt: Int32Array): (max: number) => number {
    const { pktOffset, pktCaplen, pktWirelen, pktSec, pktNsec, pktLink, pktRss, pktHold } = pktColumns(pkt);
    return function take(max) {
      const until = tickFrame();
      let n = 0;
      for (let p = 0; n < max && note < notesEnd; p += Pkt.STRIDE) {
        const frame = notes[note + Note.FRAME];
        if (frame >= until) break;
        pktOffset[p] = notes[note + Note.OFFSET];
        pktCaplen[p] = notes[note + Note.CAPLEN];
        pktWirelen[p] = notes[note + Note.WIRELEN];
        pktSec[p] = notes[note + Note.SEC];
        pktNsec[p] = notes[note + Note.NSEC];
        pktLink[p] = link;
        pktRss[p] = 0;
        pktHold[p] = 0;
        numbers[n++] = frame;
        note += Note.WORDS;
      }
      return n;
    };
  }

  const rows: { pkt?: Int32Array; take: (max: number) => number } = { take: () => 0 };

  return {
    file,
    format: 'pcap',
    memory,
    live: false,
    stats: captureStats(counts),
    offset: () => (chunk < 0 ? 0 : walk[doublesOf(chunk) + PlaceF.OFFSET]),
    poll(pkt, max) {
      if (rows.pkt !== pkt) {
        rows.pkt = pkt;
        rows.take = createTake(pkt);
      }
      while (chunk < 0 || (note >= notesEnd && tickFrame() === MOST_NOTES)) if (!advance()) return END_OF_INPUT;
      return rows.take(max);
    },
    part: {
      numbers,
      first: () => first,
      tick() {
        const frame = tickFrame();
        if (frame === MOST_NOTES || (note < notesEnd && notes[note + Note.FRAME] < frame)) return Number.NaN;
        numbers[Burst.MAX] = frame;
        return walk[doublesOf(chunk) + PlaceF.TICKS + tick++ * 2 + 1];
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
