import { createHash } from 'node:crypto';
import { datatype } from '../subscription/decorators.ts';
import { FiveTuple, type FiveTupleMemory } from './five-tuple.ts';

/**
 * The Community ID of a connection, version 1 with seed 0: a hash of the five-tuple that is the same for both directions
 * and in every tool that knows it (Zeek, Suricata, Wireshark), so that their logs can be joined. A flyweight, valid during
 * the call; `copy()` keeps it. As JSON: the text, `1:LQU9qZlK+B5F3KDmev6m5PMibrg=`.
 */
@datatype({ kind: 'view' })
export class CommunityId {
  readonly #ends: FiveTuple;
  #c = 0;

  /** `core.fiveTuple` is pointed at the same connection when it is read. */
  constructor(core: { readonly fiveTuple: FiveTuple }) {
    this.#ends = core.fiveTuple;
  }

  /** Points the flyweight at the record that starts at word `c`. */
  at(c: number): this {
    this.#c = c;
    return this;
  }

  /** The identifier. It is worked out anew at each reading. */
  get value(): string {
    const ends = this.#ends.at(this.#c);
    const orig = ends.addressBytes('orig');
    const resp = ends.addressBytes('resp');
    const swapped = compare(orig, resp) > 0 || (compare(orig, resp) === 0 && ends.origPort > ends.respPort);
    const [low, high] = swapped ? [resp, orig] : [orig, resp];
    const ports = swapped ? [ends.respPort, ends.origPort] : [ends.origPort, ends.respPort];
    const hash = createHash('sha1');
    // The seed, the addresses in order, protocol and padding, the ports.
    hash.update(Uint8Array.of(0, 0, ...low, ...high, ends.protocol, 0));
    hash.update(Uint8Array.from(ports.flatMap((port) => [port >>> 8, port & 0xff])));
    return `1:${hash.digest('base64')}`;
  }

  /** A copy to keep. */
  copy(): CommunityId {
    return CommunityId.unpack(this.pack());
  }
  /** Its values as plain data, for {@link unpack} on another thread. */
  pack(): FiveTupleMemory {
    return this.#ends.at(this.#c).pack();
  }
  static unpack(packed: FiveTupleMemory): CommunityId {
    return new CommunityId({ fiveTuple: FiveTuple.unpack(packed) });
  }
  toString(): string {
    return this.value;
  }
  toJSON(): string {
    return this.value;
  }
}

/** As memcmp. */
function compare(a: Uint8Array, b: Uint8Array): number {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return a[i] - b[i];
  return 0;
}
