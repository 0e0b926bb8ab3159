/** The memory of a pcap file read by several cores (shared-pcap.ts): the chunks, their packets' rows, who is how far. */
import { startTicks } from '../conntrack/ticks.ts';
import { Passed } from '../packet/passed-rows.ts';
import type { PcapFormat } from './pcap.ts';
import { align, DEFAULT_WINDOW_BYTES, SLACK_BYTES } from './read-window.ts';

/** What the cores share: made by one thread, handed to each. */
export interface SharedPcap {
  readonly file: string;
  readonly format: PcapFormat;
  readonly buffer: SharedArrayBuffer;
  /** Words of {@link Ring}, then {@link Slot} words for each chunk under way. */
  readonly ring: Int32Array;
  /** Words of {@link Walk}, then {@link SLOT_DOUBLES} for each chunk under way. */
  readonly walk: Float64Array;
  /** For each place and core, {@link ROWS_WORDS} for the rows of the core's packets. */
  readonly rows: Int32Array;
  readonly cores: number;
  readonly slabBytes: number;
}

/** Bytes of a chunk: small, so that what a core reads stays in its cache. */
export const CHUNK = 128 * 1024;
/** Largest number of bytes in one piece: as with a single reader, so that the same records fit. */
export const CAPACITY = DEFAULT_WINDOW_BYTES;
/** Records that may end in a chunk, and begin ticks. */
export const MOST_FRAMES = CHUNK / 16 + 1;
/** Places for chunks that each core has: for what it reads itself. */
export const PLACES = 4;
/** Bytes of a place: in front of a chunk there is room for the beginning of its first record. */
export const PLACE_BYTES = CAPACITY + CHUNK + SLACK_BYTES;
/** The rows of one core in one place, and some lines, so that places do not all lie in the same part of a cache. */
export const ROWS_WORDS = (MOST_FRAMES + 519) * Passed.WORDS;

export const enum Ring {
  /** How many chunks are claimed, */
  CLAIMED = 0,
  /** and walked. */
  WALKED = 1,
  /** 1 when a core died: what it had claimed will not come. */
  BROKEN = 2,
  /** Goes on whenever something happens that others may wait for; */
  EVENTS = 3,
  /** this many sleep until then. */
  SLEEPERS = 4,
  /** For each core the first chunk it needs. */
  CORES = 16,
}

/** Of a chunk under way. Behind these words, how many packets there are for each core. */
export const enum Slot {
  /** {@link End}. */
  END = 0,
  /** Packets, all cores'. */
  FRAMES = 1,
  /** Ticks that begin. */
  TICKS = 2,
  /** Its place. */
  PLACE = 3,
  /** Where the record lies that could not be read, and how much there is of it. */
  AT = 4,
  LEFT = 5,
  /** The number of the chunk that is here and prepared, plus one. */
  READY = 6,
  COUNTS = 7,
}

/** What comes behind a chunk. */
export const enum End {
  /** The next one. */
  NONE = 0,
  /** Nothing. */
  OF_FILE = 1,
  /** A record that is cut short, or whose header is corrupt. */
  RECORD = 2,
  /** It could not be read. */
  UNREADABLE = 3,
}

/** The tick at hand ({@link Tick}), then where the walk has come to. */
export const enum Walk {
  /** File offset of the next record, */
  OFFSET = 2,
  /** and where that is in memory, as far as it is there. */
  AT = 3,
  /** Time of the last frame. */
  LATEST = 4,
  /** 1 behind the last record that can be read. */
  ENDED = 5,
  WORDS = 6,
}

/** Of a chunk under way. Behind these words, of each tick the frame, counted from the chunk's first, and the time. */
export const enum SlotF {
  /** Bytes on the wire. */
  BYTES = 0,
  /** Time of the latest frame so far. */
  LATEST = 1,
  /** File offset behind its last record. */
  OFFSET = 2,
  TICKS = 3,
}

export const SLOT_DOUBLES = SlotF.TICKS + MOST_FRAMES * 2;

/** No chunk is waited for by a thread that has ended. */
export const PAST_ALL = 0x7fffffff;

/** Memory for `cores` cores that read `file`, each with a slab of `slabBytes`. */
export function sharePcap(file: string, format: PcapFormat, cores: number, slabBytes: number): SharedPcap {
  const places = cores * PLACES;
  const slab = align(slabBytes);
  const shared = (words: number, bytes: number) => new SharedArrayBuffer(words * bytes);
  const walk = new Float64Array(shared(Walk.WORDS + places * SLOT_DOUBLES, 8));
  startTicks(walk);
  walk[Walk.OFFSET] = format.dataOffset;
  return {
    file,
    format,
    buffer: new SharedArrayBuffer(slabsAt(cores) + cores * slab),
    ring: new Int32Array(shared(Ring.CORES + cores + places * (Slot.COUNTS + cores), 4)),
    walk,
    rows: new Int32Array(shared(places * cores * ROWS_WORDS, 4)),
    cores,
    slabBytes: slab,
  };
}

/** Others may go on. */
export function announce(ring: Int32Array): void {
  Atomics.add(ring, Ring.EVENTS, 1);
  if (Atomics.load(ring, Ring.SLEEPERS) > 0) Atomics.notify(ring, Ring.EVENTS);
}

/** The core is not waited for any more. One that `died` may owe the others a chunk: they stop, too. */
export function leaveSharedPcap({ ring }: SharedPcap, core: number, died = false): void {
  if (died) Atomics.store(ring, Ring.BROKEN, 1);
  Atomics.store(ring, Ring.CORES + core, PAST_ALL);
  announce(ring);
}

/** Memory offset of the slabs, behind all places. */
export function slabsAt(cores: number): number {
  return align(PLACE_BYTES * PLACES * cores);
}

/** Memory offset of the chunk in a place. */
export function chunkAt(place: number): number {
  return place * PLACE_BYTES + CAPACITY;
}

/** Where the rows of core `core` are that a place's packets give. */
export function rowsAt(place: number, core: number, cores: number): number {
  return (place * cores + core) * ROWS_WORDS;
}

/** Where the words of {@link Slot} of chunk `number` are: no more chunks are under way than there are places. */
export function slotOf(number: number, cores: number): number {
  return Ring.CORES + cores + (number % (cores * PLACES)) * (Slot.COUNTS + cores);
}

/** The same for {@link SlotF}. */
export function slotFOf(number: number, cores: number): number {
  return Walk.WORDS + (number % (cores * PLACES)) * SLOT_DOUBLES;
}
