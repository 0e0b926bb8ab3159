/**
 * `core.clock`: the time of what is being delivered, and what brought it about. Its first two words are the contract with
 * generated modules; the others tell the output where a line belongs.
 */
export const enum Clock {
  /** Whole seconds since 1970, unsigned. */
  SEC = 0,
  NSEC = 1,
  /** First word of the row of the packet at hand. */
  ROW = 2,
  /** 0 for what a packet brings about; else it counts what timers and the end of the run do, one number per connection. */
  GROUP = 3,
  /** The packet's place among those of its frame, if that holds several: 0 is the first. */
  PART = 4,
  WORDS = 5,
}

/** Whole microseconds of a time in seconds since 1970: what a float64 can tell of it. */
export function microseconds(seconds: number): number {
  const whole = Math.floor(seconds);
  return whole * 1e6 + Math.round((seconds - whole) * 1e6);
}

/** Sets the clock to a time that was kept as float64, rounded to the microsecond. */
export function setClock(clock: Int32Array, seconds: number): void {
  const micros = microseconds(seconds);
  const whole = Math.floor(micros / 1e6);
  clock[Clock.SEC] = whole | 0;
  clock[Clock.NSEC] = (micros - whole * 1e6) * 1000;
}
