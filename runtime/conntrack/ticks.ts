/** When timers are told the time: at every packet that enters another tick, by the times of all packets in their order. */

/** Ticks that time may go back before timers follow it: captures strung together. */
const BACK_TICKS = 10;

/** Words of the tick at hand, in seconds since 1970. */
export const enum Tick {
  /** It begins here, what goes back a little included, */
  EARLIEST = 0,
  /** and ends before this. */
  NEXT = 1,
  WORDS = 2,
}

/** Before the first packet: any time begins a tick. */
export function startTicks(tick: Float64Array): void {
  tick[Tick.EARLIEST] = Number.NEGATIVE_INFINITY;
  tick[Tick.NEXT] = Number.NEGATIVE_INFINITY;
}

/** Whether a packet at `time` enters another tick. */
export function beginsTick(tick: Float64Array, time: number): boolean {
  return time >= tick[Tick.NEXT] || time < tick[Tick.EARLIEST];
}

/** The tick at hand is that of `now`, ticks of `resolution` seconds. Returns its number. */
export function beginTick(tick: Float64Array, now: number, resolution: number): number {
  const number = Math.floor(now / resolution);
  tick[Tick.NEXT] = Math.max((number + 1) * resolution, now + resolution * 1e-3);
  tick[Tick.EARLIEST] = tick[Tick.NEXT] - BACK_TICKS * resolution;
  return number;
}
