/** The memory of a pcap file read by several cores (shared-pcap.ts): the ring of chunks, and what is noted of each. */
import { startTicks } from '../conntrack/ticks.ts';
import type { PcapFormat } from './pcap.ts';
import { align, DEFAULT_WINDOW_BYTES, SLACK_BYTES } from './read-window.ts';

/** What the cores share: made by one thread, handed to each. */
export interface SharedPcap {
  readonly file: string;
  readonly format: PcapFormat;
  readonly buffer: SharedArrayBuffer;
  /** Words of {@link Ring}, then {@link Place} words for each place. */
  readonly ring: Int32Array;
  /** Words of {@link Walk}, then {@link PLACE_DOUBLES} for each place. */
  readonly walk: Float64Array;
  /** For each place and core, {@link Note} words for each packet. */
  readonly notes: Int32Array;
  readonly cores: number;
  readonly places: number;
  readonly slabBytes: number;
}

/** Bytes of a chunk: small, so that the ring stays in the cache where it was read to. */
export const CHUNK = 128 * 1024;
/** Largest number of bytes in one piece: as with a single reader, so that the same records fit. */
export const CAPACITY = DEFAULT_WINDOW_BYTES;
/** Records that may end in a chunk, and begin ticks. */
export const MOST_NOTES = CHUNK / 16 + 1;
/** Chunks in the ring beyond two for each core: more than the longest record lies in. */
const SPARE_PLACES = CAPACITY / CHUNK + 2;

/** How many chunks are claimed, and walked; then for each core the first chunk it needs. */
export const enum Ring {
  CLAIMED = 0,
  WALKED = 1,
  /** 1 when a core died: what it had claimed will not come. */
  BROKEN = 2,
  CORES = 3,
}

/** Of a chunk in the ring. Behind these words, how many packets are noted for each core. */
export const enum Place {
  /** {@link End}. */
  END = 0,
  /** Packets, all cores'. */
  FRAMES = 1,
  /** Ticks that begin. */
  TICKS = 2,
  /** The chunk in which its first record begins. */
  FIRST = 3,
  /** Where the record lies that could not be read, and how much there is of it. */
  AT = 4,
  LEFT = 5,
  /** The number of the chunk that is here and noted, plus one. */
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
  /** File offset of the next record. */
  OFFSET = 2,
  /** Time of the last frame. */
  LATEST = 3,
  /** 1 behind the last record that can be read. */
  ENDED = 4,
  WORDS = 5,
}

/** Of a chunk in the ring. Behind these words, of each tick the frame, counted from the chunk's first, and the time. */
export const enum PlaceF {
  /** Bytes on the wire. */
  BYTES = 0,
  /** Time of the latest frame so far. */
  LATEST = 1,
  /** File offset behind its last record. */
  OFFSET = 2,
  TICKS = 3,
}

export const PLACE_DOUBLES = PlaceF.TICKS + MOST_NOTES * 2;

/** A packet of a core. */
export const enum Note {
  OFFSET = 0,
  CAPLEN = 1,
  WIRELEN = 2,
  SEC = 3,
  NSEC = 4,
  /** Its number, counted from the chunk's first. */
  FRAME = 5,
  WORDS = 6,
}

/** No chunk is waited for by a thread that has ended. */
export const PAST_ALL = 0x7fffffff;

/** Memory for `cores` cores that read `file`, each with a slab of `slabBytes`. */
export function sharePcap(file: string, format: PcapFormat, cores: number, slabBytes: number): SharedPcap {
  const places = cores * 2 + SPARE_PLACES;
  const slab = align(slabBytes);
  const shared = (words: number, bytes: number) => new SharedArrayBuffer(words * bytes);
  const walk = new Float64Array(shared(Walk.WORDS + places * PLACE_DOUBLES, 8));
  startTicks(walk);
  walk[Walk.OFFSET] = format.dataOffset;
  return {
    file,
    format,
    buffer: new SharedArrayBuffer(slabsAt(places) + cores * slab),
    ring: new Int32Array(shared(Ring.CORES + cores + places * (Place.COUNTS + cores), 4)),
    walk,
    notes: new Int32Array(shared(places * cores * MOST_NOTES * Note.WORDS, 4)),
    cores,
    places,
    slabBytes: slab,
  };
}

/** The core is not waited for any more. One that `died` may owe the others a chunk: they stop, too. */
export function leaveSharedPcap({ ring }: SharedPcap, core: number, died = false): void {
  if (died) Atomics.store(ring, Ring.BROKEN, 1);
  Atomics.store(ring, Ring.CORES + core, PAST_ALL);
  Atomics.notify(ring, Ring.CORES + core);
}

/** Memory offset of the slabs, behind `places` chunks. */
export function slabsAt(places: number): number {
  return align(CAPACITY + CHUNK * places + SLACK_BYTES);
}
