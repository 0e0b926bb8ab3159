/**
 * Which of several cores a packet is for. All packets of a connection have one hash, and its upper half decides: the lower
 * bits choose the slot in the connection table.
 */

/** The core, of `count`, that packets with that hash are for. */
export function ownerOf(hash: number, count: number): number {
  return Math.imul(hash >>> 16, count) >>> 16;
}
