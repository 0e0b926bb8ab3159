import { ConnMeta, END_REASON_NAMES, Rec } from '../conntrack/layout.ts';
import { datatype } from '../subscription/decorators.ts';

/** The arrays a {@link Lifespan} looks into. */
export interface LifespanMemory {
  readonly rec: Int32Array;
  readonly recF: Float64Array;
}

/**
 * When a connection began, when it was last heard of, and how it ended. Times are seconds since 1970 with their fraction.
 * A flyweight, valid during the call; `copy()` keeps it.
 */
@datatype({ kind: 'view' })
export class Lifespan {
  readonly #rec: Int32Array;
  readonly #recF: Float64Array;
  #c = 0;

  constructor(memory: LifespanMemory) {
    this.#rec = memory.rec;
    this.#recF = memory.recF;
  }

  /** Points the flyweight at the record that starts at word `c`. */
  at(c: number): this {
    this.#c = c;
    return this;
  }

  /** Time of the first packet. */
  get start(): number {
    return (this.#rec[this.#c + Rec.START_SEC] >>> 0) + this.#rec[this.#c + Rec.START_NSEC] * 1e-9;
  }
  /** Time of the latest packet so far. While `InL4Conn` is being told of a packet, of the one before. */
  get last(): number {
    return this.#recF[(this.#c + Rec.LAST) >> 1];
  }
  /** Seconds from the first to the latest packet, exact to a microsecond. */
  get duration(): number {
    return Math.round((this.last - this.start) * 1e6) / 1e6;
  }
  /** How it ended (`fin`, `rst`, `establish_timeout`, `inactivity_timeout`, `drain`, `evicted`, `reused`); '' if not yet. */
  get ended(): string {
    return END_REASON_NAMES[(this.#rec[this.#c + Rec.META] >>> ConnMeta.END_SHIFT) & ConnMeta.END_MASK];
  }

  /** A copy to keep. */
  copy(): Lifespan {
    return Lifespan.unpack(this.pack());
  }
  /** Its values as plain data, for {@link unpack} on another thread. */
  pack(): Int32Array {
    return this.#rec.slice(this.#c, this.#c + Rec.PLAN);
  }
  static unpack(packed: Int32Array): Lifespan {
    return new Lifespan(Lifespan.memoryOf(packed));
  }
  /** What {@link pack} made, as memory whose only record starts at word 0. */
  static memoryOf(packed: Int32Array): LifespanMemory {
    // What comes from another thread may lie anywhere in its buffer.
    const rec = packed.byteOffset % 8 === 0 ? packed : packed.slice();
    return { rec, recF: new Float64Array(rec.buffer, rec.byteOffset, rec.length >> 1) };
  }
  toJSON(): { readonly start: number; readonly duration: number; readonly ended: string } {
    return { start: this.start, duration: this.duration, ended: this.ended };
  }
}
