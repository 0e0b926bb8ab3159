/**
 * Software sharding: cores that share the packets of devices without RSS. One of them, the taker, empties the queues,
 * reads the headers, keeps its own part by the symmetric hash of the five-tuple, and hands the others theirs through
 * rings, without a copy: all of them see one packet memory. What only the owner of a whole datagram can tell (fragments,
 * and all frames that take more than a look) goes to all, and each keeps what is its own.
 */
import type { DpdkAddon } from '../source/dpdk.ts';
import type { QueueSpec } from '../source/dpdk-port.ts';

/** A core's place in its team. The words lie in memory that all share. */
export interface Team {
  readonly index: number;
  readonly count: number;
  /** It takes packets from the devices and hands them on. */
  readonly taker: boolean;
  /** One word: takers at work. */
  readonly takers: Int32Array;
  /** One word: the time of the latest packet, in seconds since 1970. */
  readonly latest: Float64Array;
}

/** Packets that a ring between two cores holds. */
const RING_PACKETS = 2047;

/** The places of `count` cores; the first one is the taker. */
export function createTeam(count: number): Team[] {
  const takers = new Int32Array(new SharedArrayBuffer(4)).fill(1);
  const latest = new Float64Array(new SharedArrayBuffer(8));
  return Array.from({ length: count }, (_, index) => ({ index, count, taker: index === 0, takers, latest }));
}

/** A queue as each core of a team of `count` sees it, with new rings, whose numbers are added to `rings`. */
export function shareQueue(addon: DpdkAddon, queue: QueueSpec, count: number, rings: number[]): QueueSpec[] {
  const targets = Array.from({ length: count }, (_, i) => (i === 0 ? undefined : addon.ringCreate(RING_PACKETS)));
  for (const ring of targets) if (ring !== undefined) rings.push(ring);
  return targets.map((ring) => (ring === undefined ? { ...queue, targets } : { ...queue, ring }));
}
