/**
 * The story of one core, top to bottom: poll a burst, decode it, filter it, track its connections, look after the timers;
 * at the end of the input, or when told to stop, end every connection.
 *
 * Timers run whenever packet time enters a new tick, before the packet that does so; where many go off at once they run in
 * pieces, between the packets that come next, so that no burst takes long. What is delivered, and in which order, depends
 * neither on where bursts end nor on how many cores share the packets.
 */
import { Clock } from '../clock.ts';
import { type ConnTrackConfig, conntrackConfig } from '../conntrack/config.ts';
import type { EngineCore } from '../conntrack/engine-core.ts';
import { beginsTick, beginTick, startTicks, Tick } from '../conntrack/ticks.ts';
import { createConnTracker } from '../conntrack/tracker.ts';
import type { LineOrder } from '../dispatch/line-order.ts';
import { InputError } from '../errors.ts';
import type { DecapConfig } from '../packet/decap-config.ts';
import { createDecoder, type Share } from '../packet/decode.ts';
import { createBurstFilter } from '../packet/filter.ts';
import { createFragmentTable, fragmentSlab } from '../packet/fragments.ts';
import { Burst, Pkt } from '../packet/layout.ts';
import type { ParserFactory } from '../protocols/contract.ts';
import { END_OF_INPUT, type PacketSource, type PartOfAll } from '../source/contract.ts';
import type { Subscription } from '../subscription/contract.ts';
import { float64Words } from '../words.ts';

export interface RxLoopOptions {
  readonly core: EngineCore;
  /** Its memory is the core's. */
  readonly source: PacketSource;
  readonly sub: Subscription;
  /** Parsers of `sub.plan.parsers`, in that order. */
  readonly parsers: readonly ParserFactory[];
  readonly config?: Partial<ConnTrackConfig>;
  /** Tunnels to open; none by default. */
  readonly decap?: DecapConfig;
  /** Secret of the run for the hash of five-tuples. Workers of a run share it. */
  readonly seed: number;
  /** Which of the packets are this core's; all by default. */
  readonly share?: Share;
  /** Cores that share the packets of a device: one word of shared memory for the time of the latest packet of all. */
  readonly latest?: Float64Array;
  /** The core's lines, to be told of the progress of time. */
  readonly order?: LineOrder;
  /** Asked between rounds: true ends the run as the end of the input would. */
  readonly stopped?: () => boolean;
}

/** Bursts between two turns of the event loop, where signals and messages come in: about 16,000 packets. */
const ROUND = 256;

/** Words of the loop's times, in seconds since 1970, behind those of the tick at hand. */
const enum Time {
  /** The latest packet. */
  LATEST = 2,
  /** When timers were last told the time. */
  TOLD = 3,
  /** Lines up to here can be handed on as soon as all timers have run. */
  RELEASE = 4,
  /** 1 while timers have records left. */
  DUE = 5,
  WORDS = 6,
}

/** How long the pieces of the run's end go on between two turns of the event loop: a piece can be much shorter than a turn. */
const DRAIN_MS = 1;

/** Ticks that an end may be noticed after its time: the rounding of its last packet's time and of the timeout. */
const LATE_TICKS = 2;
/** Frames within one tick after which lines do not wait for the next. */
const MANY_FRAMES = 1 << 18;
/** Timers run for so many records at a time, and go on after so many frames: four times what those frames can open. */
const PIECE_RECORDS = 256;
const PIECE_FRAMES = 64;

/**
 * Runs a core until its input ends or it is told to stop; its connections have all ended then. If the source fails
 * (`InputError`), what came before was processed and ended the same way, and the error is thrown.
 */
export async function rxLoop(options: RxLoopOptions): Promise<void> {
  const { core, source, sub, seed, decap, share, latest, order, stopped } = options;
  const { pkt, pktF, clock, counters } = core;
  const { timeout_resolution, verify_checksums } = conntrackConfig(options.config);
  const fragments = createFragmentTable(core.memory, pkt, pktF, counters, fragmentSlab(core.memory));
  const decode = createDecoder(core.memory, pkt, {
    seed,
    counters,
    fragments,
    verifyChecksums: verify_checksums,
    ...(decap === undefined ? {} : { decap }),
    ...(share === undefined ? {} : { share: { ...share, decoded: source.part !== undefined } }),
  });
  const tracker = createConnTracker(core, sub, options.parsers, options.config);
  const filter = createBurstFilter(core, sub, tracker.rows, counters);
  const times = float64Words(Time.WORDS);
  startTicks(times);
  let frames = 0;
  let framesAtTick = 0;

  /** The first of rows `from` to `to` - 1 that enters another tick; `to` when none does. */
  function tickAt(from: number, to: number): number {
    for (let i = from; i < to; i++) {
      const time = pktF[((i << Pkt.SHIFT) + Pkt.TS) >> 1];
      if (beginsTick(times, time)) return i;
    }
    return to;
  }

  /** Time is `now`, before row `row` of the burst is looked at. */
  function tick(now: number, row: number): void {
    const number = beginTick(times, now, timeout_resolution);
    framesAtTick = frames + row;
    times[Time.TOLD] = now;
    times[Time.RELEASE] = (number - LATE_TICKS) * timeout_resolution;
    order?.reach(times[Time.RELEASE]);
    timers(row);
  }

  /** Timers run, or go on, before row `row`. */
  function timers(row: number): void {
    clock[Clock.ROW] = row << Pkt.SHIFT;
    const done = tracker.checkInactive(times[Time.TOLD], PIECE_RECORDS);
    times[Time.DUE] = done ? 0 : 1;
    if (done) order?.release(times[Time.RELEASE]);
  }

  /** Behind row `from`: where timers that have records left go on, or the burst's end `n`. */
  function pieceEnd(from: number, n: number): number {
    if (times[Time.DUE] === 0) return n;
    return Math.min(n, from + PIECE_FRAMES - ((frames + from) % PIECE_FRAMES));
  }

  /** Rows `from` to `to` - 1 that the filter lets in are tracked. */
  function track(from: number, to: number): void {
    const wanted = filter(to, from);
    if (wanted > 0) tracker.process(wanted);
  }

  /** The packets of rows `from` to `to` - 1, in order: some frames hold several. */
  function packets(from: number, to: number): void {
    let start = from;
    for (let row = decode.several(start); row < to; row = decode.several(start)) {
      track(start, row + 1);
      for (clock[Clock.PART] = 1; decode.next(row); clock[Clock.PART]++) track(row, row + 1);
      clock[Clock.PART] = 0;
      start = row + 1;
    }
    if (to > start) track(start, to);
  }

  /** A burst of `n` rows, cut where ticks begin and where timers go on. */
  function burst(n: number): void {
    decode(n);
    order?.burst(frames);
    for (let from = 0; from < n; ) {
      const end = pieceEnd(from, n);
      const to = tickAt(from, end);
      packets(from, to);
      if (to < end) tick(pktF[((to << Pkt.SHIFT) + Pkt.TS) >> 1], to);
      else if (times[Time.DUE] !== 0 && (frames + to) % PIECE_FRAMES === 0) timers(to);
      from = to;
    }
    frames += n;
    times[Time.LATEST] = pktF[(((n - 1) << Pkt.SHIFT) + Pkt.TS) >> 1];
    if (latest !== undefined && share?.handOff === true) latest[0] = times[Time.LATEST];
    releaseMany();
  }

  /** Lines of a tick of very many packets do not wait for its end. */
  function releaseMany(): void {
    if (frames - framesAtTick > MANY_FRAMES && times[Time.DUE] === 0) {
      framesAtTick = frames;
      order?.release(times[Tick.NEXT]);
    }
  }

  /** A burst of `n` rows out of more packets, up to where a tick begins. */
  function burstOfPart(n: number, part: PartOfAll): void {
    order?.burst(part.first(), part.numbers);
    if (n > 0) {
      decode(n);
      packets(0, n);
      frames = part.first() + part.numbers[n - 1] + 1;
    }
    const now = part.tick();
    if (!Number.isNaN(now)) {
      frames = part.first() + part.numbers[Burst.MAX];
      tick(now, Burst.MAX);
    } else if (times[Time.DUE] !== 0) {
      timers(Burst.MAX);
    }
    releaseMany();
  }

  /** Nothing came: connections of a silent port end, too. */
  function idle(): void {
    times[Time.LATEST] = Date.now() / 1000;
    const next = times[Time.LATEST] >= times[Tick.NEXT];
    if (!next && times[Time.DUE] === 0) return;
    order?.burst(frames);
    if (next) tick(times[Time.LATEST], 0);
    else timers(0);
  }

  /** Some bursts; false at the end of the input. */
  function round(): boolean {
    for (let i = 0; i < ROUND; i++) {
      const n = source.poll(pkt, Burst.MAX);
      if (n === END_OF_INPUT) return false;
      if (source.part !== undefined) burstOfPart(n, source.part);
      else if (n > 0) burst(n);
      else if (source.live) idle();
      // A capture that comes through a pipe may let us wait: a signal must not have to wait as long.
      if (n < Burst.MAX && !source.live && source.part === undefined) break;
    }
    return true;
  }

  /** The run ends, piece by piece: signals and messages come in between. */
  async function drain(): Promise<void> {
    order?.burst(frames);
    clock[Clock.ROW] = 0;
    if (latest !== undefined && latest[0] > 0) times[Time.LATEST] = latest[0];
    if (source.part !== undefined) times[Time.LATEST] = source.part.latest();
    let turned = performance.now();
    for (const _ of tracker.drain(times[Time.LATEST], order?.drain)) {
      if (performance.now() - turned < DRAIN_MS) continue;
      await nextTurn();
      turned = performance.now();
    }
    order?.end();
  }

  try {
    while (round()) {
      await nextTurn();
      if (stopped?.() === true) break;
    }
  } catch (error) {
    if (error instanceof InputError) await drain();
    throw error;
  }
  await drain();
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
