/**
 * Which of several cores a packet is for. All packets of a connection have one hash, and its upper half decides: the lower
 * bits choose the slot in the connection table.
 */
import { LinkType, Meta, type PacketMemory } from './layout.ts';
import { createAddressHash } from './network.ts';
import { createFlowHash, IpProto } from './transport.ts';

/** The core, of `count`, that packets with that hash are for. */
export function ownerOf(hash: number, count: number): number {
  return Math.imul(hash >>> 16, count) >>> 16;
}

export interface OwnerOptions {
  /** Secret of the run that seeds the hash. */
  readonly seed: number;
  readonly cores: number;
  /** Whether tunnels are opened: then what UDP carries may be another's. */
  readonly tunnels: boolean;
  /** Link type of all frames. */
  readonly link: number;
}

/** The owner of a frame, by its offset and its length captured and on the wire; -1 where only the decoder can tell. */
export type OwnerTest = (frame: number, caplen: number, wirelen: number) => number;

/** The first half-words of an Ethernet payload that can be told: EtherType, then version and header length. */
const IPV4_PLAIN = 0x080045;
const IPV6_PLAIN = 0x86dd6;

/**
 * Hot: a look at the headers of every frame. It knows what the decoder takes the short way: whole TCP and UDP headers right
 * behind Ethernet and IP without options.
 */
export function createOwnerTest(memory: PacketMemory, options: OwnerOptions): OwnerTest {
  const { view } = memory;
  const { seed, cores, tunnels, link } = options;
  const hash = createFlowHash(seed | 0);
  const addressHash = createAddressHash(memory, seed | 0);
  if ((link & 0xffff) !== LinkType.ETHERNET) return () => -1;

  return (frame, caplen, wirelen) => {
    if (caplen < 54) return -1;
    const kind = view.getInt32((frame + 12) | 0);
    let bits: number;
    let total: number;
    let l4: number;
    let src: number;
    let dst: number;
    if (kind >>> 8 === IPV4_PLAIN) {
      total = view.getUint16((frame + 16) | 0);
      const field = view.getInt32((frame + 20) | 0);
      if ((field & 0x3fff0000) !== 0) return -1;
      bits = field & 0xff;
      src = view.getInt32((frame + 26) | 0);
      dst = view.getInt32((frame + 30) | 0);
      l4 = 34;
    } else if (kind >>> 12 === IPV6_PLAIN && caplen >= 74) {
      total = view.getUint16((frame + 18) | 0) + 40;
      bits = view.getUint8((frame + 20) | 0) | Meta.IPV6;
      src = addressHash((frame + 22) | 0);
      dst = addressHash((frame + 38) | 0);
      l4 = 54;
    } else {
      return -1;
    }
    if (total + 14 > wirelen) return -1;
    const rest = (total + 14 - l4) | 0;
    if ((bits & Meta.PROTO_MASK) === IpProto.TCP) {
      const header = (view.getUint8((frame + l4 + 12) | 0) >>> 4) << 2;
      if (header < 20 || header > rest) return -1;
    } else if (
      (bits & Meta.PROTO_MASK) !== IpProto.UDP ||
      tunnels ||
      rest < 8 ||
      view.getUint16((frame + l4 + 4) | 0) !== rest
    ) {
      return -1;
    }
    return ownerOf(hash(src, dst, view.getInt32((frame + l4) | 0), bits), cores);
  };
}
