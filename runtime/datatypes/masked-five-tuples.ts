/** Five-tuples that do not tell hosts: of addresses the network stays (/24 of IPv4, /64 of IPv6), the host's part does not. */
import { datatype } from '../subscription/decorators.ts';
import { FiveTuple, type FiveTupleJson, type FiveTupleMemory } from './five-tuple.ts';
import { addressText } from './ip-text.ts';

/** First byte of an address that belongs to the host. */
const hostFrom = (address: Uint8Array): number => (address.length === 4 ? 3 : 8);

/** What both classes are made from; it is pointed at the same connection when it is read. */
interface Ends {
  readonly fiveTuple: FiveTuple;
}

/** The five-tuple of one connection, behind what each class makes of its addresses. A flyweight, valid during the call. */
abstract class MaskedFiveTuple {
  readonly #ends: FiveTuple;
  #c = 0;

  constructor(core: Ends) {
    this.#ends = core.fiveTuple;
  }

  /** Points the flyweight at the record that starts at word `c`. */
  at(c: number): this {
    this.#c = c;
    return this;
  }
  /** Of the connection it points at. */
  protected get ends(): FiveTuple {
    return this.#ends.at(this.#c);
  }
  abstract get origAddr(): string;
  abstract get respAddr(): string;
  /** `tcp`, `udp`, or the protocol's number. */
  get proto(): string {
    return this.ends.proto;
  }
  get origPort(): number {
    return this.ends.origPort;
  }
  get respPort(): number {
    return this.ends.respPort;
  }
  /** Its values as plain data, with the addresses themselves, for `unpack` on another thread. */
  pack(): FiveTupleMemory {
    return this.ends.pack();
  }
  toJSON(): FiveTupleJson {
    return { ...this.ends.toJSON(), orig_addr: this.origAddr, resp_addr: this.respAddr };
  }
}

/**
 * A five-tuple whose originator has a pseudonym: the host's part of its address is replaced by another that depends on the
 * whole address, always the same, so that a host can be followed through all its connections; different IPv4 hosts of a
 * network stay different. It hides who it was from readers of a log, not from those who try out all hosts of the network:
 * {@link ClearedFiveTuple} leaves nothing to try. A flyweight, valid during the call; `copy()` keeps it. As JSON: the keys
 * of {@link FiveTuple}.
 */
@datatype({ kind: 'view' })
export class AnonFiveTuple extends MaskedFiveTuple {
  /** The originator's pseudonym. */
  get origAddr(): string {
    return addressText(pseudonym(this.ends.addressBytes('orig')));
  }
  /** The responder's address as it is. */
  get respAddr(): string {
    return this.ends.respAddr;
  }
  /** A copy to keep. It holds the address itself. */
  copy(): AnonFiveTuple {
    return AnonFiveTuple.unpack(this.pack());
  }
  static unpack(packed: FiveTupleMemory): AnonFiveTuple {
    return new AnonFiveTuple({ fiveTuple: FiveTuple.unpack(packed) });
  }
}

/**
 * A five-tuple with the host's part of both addresses cleared: it tells networks only. A flyweight, valid during the call;
 * `copy()` keeps it. As JSON: the keys of {@link FiveTuple}.
 */
@datatype({ kind: 'view' })
export class ClearedFiveTuple extends MaskedFiveTuple {
  /** The originator's network. */
  get origAddr(): string {
    return addressText(cleared(this.ends.addressBytes('orig')));
  }
  /** The responder's network. */
  get respAddr(): string {
    return addressText(cleared(this.ends.addressBytes('resp')));
  }
  /** A copy to keep. It holds the addresses themselves. */
  copy(): ClearedFiveTuple {
    return ClearedFiveTuple.unpack(this.pack());
  }
  static unpack(packed: FiveTupleMemory): ClearedFiveTuple {
    return new ClearedFiveTuple({ fiveTuple: FiveTuple.unpack(packed) });
  }
}

function cleared(address: Uint8Array): Uint8Array {
  return address.fill(0, hostFrom(address));
}

/** Replaces the host's part in place. */
function pseudonym(address: Uint8Array): Uint8Array {
  const from = hostFrom(address);
  let hash = mix(0x9e3779b9, address.subarray(0, from));
  if (address.length === 4) {
    // Multiplication by an odd number and addition permute the hosts of a network.
    address[3] = Math.imul(address[3], hash | 1) + (hash >>> 8);
    return address;
  }
  hash = mix(hash, address.subarray(from));
  const other = mix(hash, address.subarray(from));
  new DataView(address.buffer).setInt32(from, hash);
  new DataView(address.buffer).setInt32(from + 4, other);
  return address;
}

/** A hash of the bytes, begun with `seed`, that changes everywhere when one bit of them does. */
function mix(seed: number, bytes: Uint8Array): number {
  let hash = seed | 0;
  for (const byte of bytes) {
    hash = Math.imul(hash ^ byte, 0x01000193);
    hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  }
  return hash ^ (hash >>> 16);
}
