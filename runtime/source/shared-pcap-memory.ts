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
  /** Words of {@link Walk}, then {@link SlotF} for each chunk under way. */
  readonly walk: Float64Array;
  /** For each place and core, {@link Passed} words for each of the core's packets. */
  readonly rows: Int32Array;
  readonly cores: number;
  readonly slabBytes: number;
  /** Bytes of a chunk. */
  readonly chunkBytes: number;
}

/** Bytes of a chunk: few, so that what a core reads stays in its cache; fewer yet where very many cores need rows. */
const CHUNK_BYTES = 128 * 1024;
/** Largest number of bytes in one piece: as with a single reader, so that the same records fit. */
export const CAPACITY = DEFAULT_WINDOW_BYTES;
/** Places for chunks that each core has: for what it reads itself. */
export const PLACES = 4;
/** Lines between two cores' rows, so that places do not all lie in the same part of a cache. */
const SPARE_ROWS = 519;
/** The length of a longer array does not survive the way to a worker: it is told in 32 bits, in bytes. */
const MOST_WORDS = 2 ** 30;

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

/** No chunk is waited for by a thread that has ended. */
export const PAST_ALL = 0x7fffffff;

/** Records that may end in a chunk of so many bytes, and begin ticks. */
function mostFrames(chunkBytes: number): number {
  return chunkBytes / 16 + 1;
}

/** Bytes of a place: in front of a chunk there is room for the beginning of its first record. */
function placeBytes(chunkBytes: number): number {
  return CAPACITY + chunkBytes + SLACK_BYTES;
}

function rowsWords(chunkBytes: number): number {
  return (mostFrames(chunkBytes) + SPARE_ROWS) * Passed.WORDS;
}

function slotDoubles(chunkBytes: number): number {
  return SlotF.TICKS + mostFrames(chunkBytes) * 2;
}

/** Memory for `cores` cores that read `file`, each with a slab of `slabBytes`. What is never touched of it is not resident. */
export function sharePcap(file: string, format: PcapFormat, cores: number, slabBytes: number): SharedPcap {
  const places = cores * PLACES;
  const slab = align(slabBytes);
  let chunkBytes = CHUNK_BYTES;
  while (places * cores * rowsWords(chunkBytes) >= MOST_WORDS) chunkBytes /= 2;
  const shared = (words: number, bytes: number) => new SharedArrayBuffer(words * bytes);
  const walk = new Float64Array(shared(Walk.WORDS + places * slotDoubles(chunkBytes), 8));
  startTicks(walk);
  walk[Walk.OFFSET] = format.dataOffset;
  return {
    file,
    format,
    buffer: new SharedArrayBuffer(align(places * placeBytes(chunkBytes)) + cores * slab),
    ring: new Int32Array(shared(Ring.CORES + cores + places * (Slot.COUNTS + cores), 4)),
    walk,
    rows: new Int32Array(shared(places * cores * rowsWords(chunkBytes), 4)),
    cores,
    slabBytes: slab,
    chunkBytes,
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

/** Where things are in the shared memory. */
export function sharedPlaces({ cores, slabBytes, chunkBytes }: SharedPcap) {
  const place = placeBytes(chunkBytes);
  const words = rowsWords(chunkBytes);
  const doubles = slotDoubles(chunkBytes);
  return {
    /** More than any frame's number in a chunk. */
    noFrame: mostFrames(chunkBytes),
    /** Memory offset of a core's slab, behind all places. */
    slabAt: (core: number) => align(place * PLACES * cores) + core * slabBytes,
    /** Memory offset of the chunk in a place. */
    chunkAt: (number: number) => number * place + CAPACITY,
    /** The word of the rows where those of a core are that a place's packets give. */
    rowsAt: (number: number, core: number) => (number * cores + core) * words,
    /** Where the words of {@link Slot} of chunk `number` are: no more chunks are under way than there are places. */
    slotOf: (number: number) => Ring.CORES + cores + (number % (cores * PLACES)) * (Slot.COUNTS + cores),
    /** The same for {@link SlotF}. */
    slotFOf: (number: number) => Walk.WORDS + (number % (cores * PLACES)) * doubles,
  } as const;
}
