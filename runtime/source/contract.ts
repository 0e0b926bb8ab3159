/** Where packets come from: a capture, a DPDK port. One source per worker. */
import type { PacketMemory } from '../packet/layout.ts';

/** `poll` found the end of the input. */
export const END_OF_INPUT = -1;

export interface SourceStats {
  /** Packets handed over. */
  packets: number;
  /** Bytes on the wire of those. */
  bytes: number;
  /** Packets known to be lost before they reached us (ring overflow, no buffers), by the name of the counter. */
  readonly lost: Record<string, number>;
}

export interface PacketSource {
  readonly memory: PacketMemory;
  /** Whether time is the packets' own (captures) or the receiver's clock (ports). */
  readonly live: boolean;
  /**
   * Fills the source words of rows 0..n-1 of `pkt` (see runtime/packet/layout.ts) and returns n, at most `max`; 0 when
   * nothing is there now; {@link END_OF_INPUT} at the end. The bytes stay valid until the next call. Throws
   * `InputError` (file, byte offset) for a corrupt or truncated capture, after everything before the fault was handed over.
   */
  poll(pkt: Int32Array, max: number): number;
  readonly stats: SourceStats;
  /** Bytes of the input's files read so far, where that is known. */
  offset?(): number;
  /** For a source that hands over one core's packets out of several cores' packets. */
  readonly part?: PartOfAll;
  close(): void;
}

/** A packet source over a file, with the file offset reached so far. */
export interface CaptureSource extends PacketSource {
  readonly file: string;
  readonly format: 'pcap' | 'pcapng';
  /** Bytes of the file parsed so far. */
  offset(): number;
}

/** What a core must know of the packets that are not its own. A poll stops where a tick begins. */
export interface PartOfAll {
  /**
   * Of the rows of the last poll: each one's number, counted from {@link first}. Behind them, at `Burst.MAX`, the number of
   * the frame that began the tick last told.
   */
  readonly numbers: Int32Array;
  /** Frames before those that the numbers count. */
  first(): number;
  /** When the tick begins that begins behind the last poll's rows, in seconds since 1970; NaN when none does, or no more. */
  tick(): number;
  /** Time of the latest frame of all, in seconds since 1970; 0 when there was none. */
  latest(): number;
}
