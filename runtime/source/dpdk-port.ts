/**
 * A worker's receive queues as a `PacketSource`. The frames stay in the packet memory that the device wrote them to;
 * a row's OFFSET points there until the next poll.
 *
 * Hot: `poll` runs once per burst; everything per packet is native (native/src/receive.cc).
 */

import { Burst, LinkType, type PacketMemory, Pkt } from '../packet/layout.ts';
import { END_OF_INPUT, type PacketSource, type SourceStats } from './contract.ts';
import type { DpdkAddon } from './dpdk.ts';

/** One receive queue of a port. */
export interface QueueSpec {
  readonly port: number;
  readonly queue: number;
  readonly linkType: number;
  /**
   * net_pcap: packets carry their own times. DPDK keeps microseconds of them, and nothing of a frame's length on the wire:
   * a capture with nanoseconds or cut frames says less through a port than by itself.
   */
  readonly packetTimes: boolean;
  /** Plays a capture to its end (net_pcap with rx_pcap, without infinite_rx). */
  readonly finite: boolean;
  /** Its packets come through this ring, from the core that takes them from the queue. */
  readonly ring?: number;
  /** Rings to the cores that share its packets, by their number; their own place is empty. */
  readonly targets?: readonly (number | undefined)[];
}

export interface DpdkPortSettings {
  /** Number of the packet memory; all queues must fill it. */
  readonly memory: number;
  /** The same as {@link attachMemory} gave it to this thread; attached here when missing. */
  readonly packets?: PacketMemory;
  readonly queues: readonly QueueSpec[];
  /** Which of the threads that read the memory's packets this is; 0 by default. */
  readonly lane?: number;
  /** Rows that every later poll fills; made here when missing. */
  readonly pkt?: Int32Array;
}

/**
 * net_pcap gives no sign at the end of its file, but reads it synchronously: an empty poll means the end, or an empty
 * mempool. So many empty polls in a row, each after giving everything back, can only be the end.
 */
const EMPTY_POLLS_AT_END = 256;

/** Slabs begin on cache lines. */
const SLAB_ALIGN = 64;

/** A source over DPDK queues, with what only live ports have. */
export interface DpdkPort extends PacketSource {
  /** The rows that `poll` fills; pass these. */
  readonly pkt: Int32Array;
  /** Polls that found nothing. */
  readonly emptyPolls: number;
  /** Gives back packets that were held by their row's HOLD word: the OFFSET words they had, the first `n`. */
  release(offsets: Int32Array, n: number): number;
}

/** The packet memory of that number in the calling thread, once per thread: number `lane` of the `lanes` that share it. */
export function attachMemory(addon: DpdkAddon, id: number, lane = 0, lanes = 1): PacketMemory {
  const { slabOffset, slabLength } = addon.memoryInfo(id);
  const buffer = addon.memoryAttach(id);
  const own = Math.floor(slabLength / lanes / SLAB_ALIGN) * SLAB_ALIGN;
  return {
    bytes: new Uint8Array(buffer),
    view: new DataView(buffer),
    slabOffset: slabOffset + lane * own,
    slabLength: own,
  };
}

/** Opens the calling thread's end of its queues. The thread should be pinned and registered before. */
export function openDpdkPort(addon: DpdkAddon, settings: DpdkPortSettings): DpdkPort {
  const { memory: id, queues } = settings;
  const memory = settings.packets ?? attachMemory(addon, id);
  const rows = settings.pkt ?? new Int32Array((Burst.MAX + Burst.SPARE_ROWS) * Pkt.STRIDE);
  const reader = addon.readerOpen(
    id,
    rows,
    queues.flatMap((q) => [q.port, q.queue, q.linkType, q.packetTimes ? 1 : 0, q.ring === undefined ? 0 : q.ring + 1]),
    settings.lane ?? 0,
  );
  queues.forEach(({ targets }, i) => {
    if (targets === undefined) return;
    addon.readerTargets(
      reader,
      i,
      targets.map((ring) => (ring === undefined ? 0 : ring + 1)),
    );
  });
  const finite = queues.length > 0 && queues.every((q) => q.finite && q.ring === undefined);
  const { rxBurst } = addon;
  const counters = new Float64Array(5);
  const stats: SourceStats = { packets: 0, bytes: 0, lost: {} };
  let emptyInARow = 0;
  let emptyPolls = 0;
  let open = true;

  function poll(pkt: Int32Array, max: number): number {
    if (pkt !== rows) throw new TypeError('a DPDK port fills the packet rows that it was opened with');
    const n = rxBurst(reader, max);
    if (n > 0) {
      emptyInARow = 0;
      return n;
    }
    emptyPolls++;
    // The cores that share its packets have not taken them all yet: that is not the end.
    if (n < 0) return 0;
    if (finite && ++emptyInARow >= EMPTY_POLLS_AT_END) return END_OF_INPUT;
    return 0;
  }

  function refresh(): SourceStats {
    if (open) {
      addon.readerStats(reader, counters);
      stats.packets = counters[0] ?? 0;
      stats.bytes = counters[1] ?? 0;
      const oversize = counters[2] ?? 0;
      if (oversize > 0) stats.lost.oversize = oversize;
      const ringFull = counters[4] ?? 0;
      if (ringFull > 0) stats.lost.ring_full = ringFull;
    }
    return stats;
  }

  return {
    memory,
    live: !queues.every((q) => q.packetTimes && q.finite),
    pkt: rows,
    poll,
    get stats() {
      return refresh();
    },
    get emptyPolls() {
      return emptyPolls;
    },
    release: (offsets, n) => addon.readerRelease(reader, offsets, n),
    close() {
      if (!open) return;
      refresh();
      open = false;
      addon.readerClose(reader);
    },
  };
}

/** Link type of what real ports and packet sockets deliver. */
export const PORT_LINK_TYPE: number = LinkType.ETHERNET;
