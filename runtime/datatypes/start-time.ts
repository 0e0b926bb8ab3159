import { Rec } from '../conntrack/layout.ts';
import { datatype } from '../subscription/decorators.ts';

/** The array a {@link StartTime} looks into. */
export interface StartTimeMemory {
  readonly rec: Int32Array;
}

/** When the first packet of a connection came. A flyweight, valid during the call; `copy()` keeps it. */
@datatype({ kind: 'view' })
export class StartTime {
  readonly #rec: Int32Array;
  #c = 0;

  constructor(memory: StartTimeMemory) {
    this.#rec = memory.rec;
  }

  /** Points the flyweight at the record that starts at word `c`. */
  at(c: number): this {
    this.#c = c;
    return this;
  }

  /** Whole seconds since 1970. */
  get seconds(): number {
    return this.#rec[this.#c + Rec.START_SEC] >>> 0;
  }
  /** Nanoseconds of the second. */
  get nanoseconds(): number {
    return this.#rec[this.#c + Rec.START_NSEC];
  }
  /** Seconds since 1970 with the fraction, as exact as a double can be (about 0.2 microseconds). */
  get time(): number {
    return this.seconds + this.nanoseconds * 1e-9;
  }

  /** A copy to keep. */
  copy(): StartTime {
    return StartTime.unpack(this.pack());
  }
  /** Its values as plain data, for {@link unpack} on another thread. */
  pack(): StartTimeMemory {
    return { rec: this.#rec.slice(this.#c, this.#c + Rec.PLAN) };
  }
  static unpack(packed: StartTimeMemory): StartTime {
    return new StartTime(packed);
  }
  valueOf(): number {
    return this.time;
  }
  toJSON(): number {
    return this.time;
  }
}
