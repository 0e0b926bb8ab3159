import { datatype } from '../subscription/decorators.ts';
import { Lifespan, type LifespanMemory } from './lifespan.ts';

/**
 * How long a connection lasted, from its first to its latest packet. A flyweight, valid during the call; `copy()` keeps
 * it. As JSON: seconds, exact to a microsecond.
 */
@datatype({ kind: 'view', at: 'L4Terminated' })
export class ConnDuration {
  readonly #lifespan: Lifespan;

  constructor(memory: LifespanMemory) {
    this.#lifespan = new Lifespan(memory);
  }

  /** Points the flyweight at the record that starts at word `c`. */
  at(c: number): this {
    this.#lifespan.at(c);
    return this;
  }

  /** Time of the first packet, seconds since 1970. */
  get start(): number {
    return this.#lifespan.start;
  }
  /** Time of the latest packet, seconds since 1970. */
  get last(): number {
    return this.#lifespan.last;
  }
  /** Seconds between the two. */
  get seconds(): number {
    return this.#lifespan.duration;
  }

  /** A copy to keep. */
  copy(): ConnDuration {
    return ConnDuration.unpack(this.pack());
  }
  /** Its values as plain data, for {@link unpack} on another thread. */
  pack(): Int32Array {
    return this.#lifespan.pack();
  }
  static unpack(packed: Int32Array): ConnDuration {
    return new ConnDuration(Lifespan.memoryOf(packed));
  }
  valueOf(): number {
    return this.seconds;
  }
  toJSON(): number {
    return this.seconds;
  }
}
