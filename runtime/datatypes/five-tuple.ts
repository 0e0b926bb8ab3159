import { ConnMeta, Rec } from '../conntrack/layout.ts';
import { datatype } from '../subscription/decorators.ts';
import { writtenBy } from '../subscription/json-writers.ts';
import type { LineBuffer } from '../subscription/line-buffer.ts';
import { literal } from '../subscription/prepared-text.ts';
import { ipv4Text, ipv6Text } from './ip-text.ts';

/** The arrays a {@link FiveTuple} looks into. */
export interface FiveTupleMemory {
  readonly rec: Int32Array;
  /** Eight words a connection: the originator's IPv6 address, then the responder's. */
  readonly addr6: Int32Array;
}

/** {@link FiveTuple} as JSON. */
export interface FiveTupleJson {
  readonly proto: string;
  readonly orig_addr: string;
  readonly orig_port: number;
  readonly resp_addr: string;
  readonly resp_port: number;
}

const TCP = literal('"proto":"tcp","orig_addr":"');
const UDP = literal('"proto":"udp","orig_addr":"');
const OTHER = literal('"proto":"');
const ORIG_ADDR = literal('","orig_addr":"');
const ORIG_PORT = literal('","orig_port":');
const RESP_ADDR = literal(',"resp_addr":"');
const RESP_PORT = literal('","resp_port":');
const OPEN = 0x7b;
const CLOSE = 0x7d;

/**
 * The ends of a connection: the originator, who sent the first packet (of a TCP connection picked up at a SYN-ACK, its
 * receiver), and the responder. A flyweight over the connection's record, valid during the call; `copy()` keeps it.
 * Addresses become text only when they are read.
 */
@datatype({ kind: 'view' })
export class FiveTuple {
  readonly #rec: Int32Array;
  readonly #addr6: Int32Array;
  readonly #recordWords: number;
  #c = 0;

  /** `recordWords`: words of one record in `memory.rec`. */
  constructor(memory: FiveTupleMemory, recordWords: number) {
    this.#rec = memory.rec;
    this.#addr6 = memory.addr6;
    this.#recordWords = recordWords;
  }

  /** Points the flyweight at the record that starts at word `c`. */
  at(c: number): this {
    this.#c = c;
    return this;
  }

  /** IP protocol number: 6 TCP, 17 UDP. */
  get protocol(): number {
    return this.#rec[this.#c + Rec.META] & ConnMeta.PROTO_MASK;
  }
  /** `tcp`, `udp`, or the protocol's number. */
  get proto(): string {
    const { protocol } = this;
    return protocol === 6 ? 'tcp' : protocol === 17 ? 'udp' : String(protocol);
  }
  get isIpv6(): boolean {
    return (this.#rec[this.#c + Rec.META] & ConnMeta.IPV6) !== 0;
  }
  /** Originator's address: dotted decimals, or IPv6 in the form of RFC 5952. */
  get origAddr(): string {
    return this.#address(Rec.SRC, 0);
  }
  /** Responder's address, likewise. */
  get respAddr(): string {
    return this.#address(Rec.DST, 4);
  }
  /** Originator's port. */
  get origPort(): number {
    return this.#rec[this.#c + Rec.PORTS] >>> 16;
  }
  /** Responder's port. */
  get respPort(): number {
    return this.#rec[this.#c + Rec.PORTS] & 0xffff;
  }

  /** The address of one end in network order: 4 or 16 bytes of its own. */
  addressBytes(end: 'orig' | 'resp'): Uint8Array {
    const [word, at] = end === 'orig' ? [Rec.SRC, 0] : [Rec.DST, 4];
    const first = (this.#c / this.#recordWords) * 8 + at;
    const words = this.isIpv6 ? this.#addr6.subarray(first, first + 4) : [this.#rec[this.#c + word]];
    const bytes = new Uint8Array(words.length * 4);
    const view = new DataView(bytes.buffer);
    for (const [i, one] of words.entries()) view.setInt32(i * 4, one);
    return bytes;
  }

  #address(word: number, at: number): string {
    if (!this.isIpv6) return ipv4Text(this.#rec[this.#c + word]);
    return ipv6Text(this.#addr6, (this.#c / this.#recordWords) * 8 + at);
  }

  /** A copy to keep. */
  copy(): FiveTuple {
    return FiveTuple.unpack(this.pack());
  }
  /** Its values as plain data, for {@link unpack} on another thread. */
  pack(): FiveTupleMemory {
    const id = this.#c / this.#recordWords;
    const rec = this.#rec.slice(this.#c, this.#c + Rec.PLAN);
    return { rec, addr6: this.#addr6.slice(id * 8, id * 8 + 8) };
  }
  static unpack(packed: FiveTupleMemory): FiveTuple {
    // A copy is record 0 of memory of its own.
    return new FiveTuple(packed, Rec.PLAN);
  }

  toJSON(): FiveTupleJson {
    return {
      proto: this.proto,
      orig_addr: this.origAddr,
      orig_port: this.origPort,
      resp_addr: this.respAddr,
      resp_port: this.respPort,
    };
  }

  /** Writes what {@link toJSON} has. */
  writeJson(out: LineBuffer): void {
    out.byte(OPEN);
    this.writeMembers(out);
    out.byte(CLOSE);
  }
  /** The same without the braces. */
  writeMembers(out: LineBuffer): void {
    const { protocol } = this;
    if (protocol === 6) out.literal(TCP);
    else if (protocol === 17) out.literal(UDP);
    else {
      out.literal(OTHER);
      out.whole(protocol);
      out.literal(ORIG_ADDR);
    }
    this.#writeAddress(out, Rec.SRC, 0);
    out.literal(ORIG_PORT);
    out.whole(this.origPort);
    out.literal(RESP_ADDR);
    this.#writeAddress(out, Rec.DST, 4);
    out.literal(RESP_PORT);
    out.whole(this.respPort);
  }
  #writeAddress(out: LineBuffer, word: number, at: number): void {
    if (!this.isIpv6) out.ipv4(this.#rec[this.#c + word]);
    else out.ipv6(this.#addr6, (this.#c / this.#recordWords) * 8 + at);
  }

  /** `tcp 10.0.0.1:40000 -> [2001:db8::1]:443`. */
  toString(): string {
    const [orig, resp] = this.isIpv6 ? [`[${this.origAddr}]`, `[${this.respAddr}]`] : [this.origAddr, this.respAddr];
    return `${this.proto} ${orig}:${this.origPort} -> ${resp}:${this.respPort}`;
  }
}

writtenBy(FiveTuple.prototype.toJSON, (tuple: FiveTuple, out) => tuple.writeJson(out));
