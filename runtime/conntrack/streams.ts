/**
 * The streams of one core: which connections have one, the pool of their states, and where their pieces go. A state is
 * taken when the first payload comes and given back as soon as neither STREAM nor PARSE is in force.
 */
import { Clock } from '../clock.ts';
import { fragmentSlab } from '../packet/fragments.ts';
import { Meta, Pkt } from '../packet/layout.ts';
import { IpProto } from '../packet/transport.ts';
import type { ParserFactory } from '../protocols/contract.ts';
import { Counter } from '../stats/counters.ts';
import type { Subscription } from '../subscription/contract.ts';
import type { ConnTrackConfig } from './config.ts';
import type { EngineCore } from './engine-core.ts';
import { createHoleQueue } from './holes.ts';
import { createAppLayer } from './l7.ts';
import { Action, ConnMeta, Rec } from './layout.ts';
import { createReassembler } from './reassembly.ts';
import { Dir, DirFlag, Stream } from './stream-layout.ts';

export interface Streams {
  /** The packet of row `p`, of a connection with STREAM or PARSE in force. */
  packet(c: number, p: number): void;
  /** The connection ends: what is kept is delivered, sessions under way too. */
  end(c: number): void;
  /** Gives back the connection's stream, if it has one, without a word. */
  release(c: number): void;
  /** Whether a hole of the connection has waited too long at `now`. */
  hasOldHole(c: number, now: number): boolean;
  /** Skips the holes of one connection that have waited too long at `now`, each at its own deadline. */
  expireHoles(c: number, now: number): void;
  /** Lets go of what the connection has no use for any more, behind {@link expireHoles}. */
  settle(c: number): void;
  /**
   * Skips holes that have waited too long at `now`, until about `most` of them, and of the pieces behind them, are done with.
   * True when none are left.
   */
  checkTimeouts(now: number, most: number): boolean;
  /** Whether out-of-order segments have little room left. */
  crowded(): boolean;
}

const STREAMING = Action.STREAM | Action.PARSE;

/** What streams need of the connections' owner. */
export interface StreamOwner {
  /** A connection lost its last action to a timeout here, outside its own packets. */
  unwanted(c: number): void;
  /** Ends connection `c`, if it was silent too long at `now`; says whether it was. */
  endInactive(c: number, now: number): boolean;
  /** A number for `Clock.GROUP`: what is delivered next comes of a timeout. */
  nextGroup(): number;
}

/** The streams of `core`; undefined when the plan has no use for any. */
export function createStreams(
  core: EngineCore,
  sub: Subscription,
  parsers: readonly ParserFactory[],
  config: ConnTrackConfig,
  owner: StreamOwner,
): Streams | undefined {
  const { pkt, rec, memory, clock, counters } = core;
  const { onL4Stream } = sub;
  if (onL4Stream === undefined && sub.onL7OnDisc === undefined && sub.onL7EndHdrs === undefined) return undefined;

  const timeout = config.tcp_reassembly_timeout;
  const most = config.max_streams === 0 ? core.maxConnections : config.max_streams;
  const ss = new Int32Array((most + 1) * Stream.STRIDE);
  const ssF = new Float64Array(ss.buffer);
  const free = new Int32Array(most);
  let freeTop = 0;
  let next = Stream.STRIDE as number;

  /** Directions with a hole, each at most once; a hole's time may be later than the queue says, as it may be another. */
  const holes = createHoleQueue();
  /** Pieces of streams handed on. */
  let pieces = 0;

  const l7 = createAppLayer(core, sub, parsers, config, ss);
  const reassembler = createReassembler(core, config, {
    ss,
    ssF,
    slabOffset: memory.slabOffset,
    slabBytes: Math.min(config.max_out_of_order_bytes, fragmentSlab(memory).offset - memory.slabOffset),
    deliver,
    onHole,
  });

  /** Since when a direction waits, if it does. */
  function sinceOf(s: number, dir: number): number {
    return ssF[(s + Stream.DIRS + dir * Stream.DIR_STRIDE + Dir.SINCE) >> 1];
  }

  function isOld(s: number, dir: number, now: number): boolean {
    const waits = ss[s + Stream.DIRS + dir * Stream.DIR_STRIDE + Dir.HEAD] !== 0;
    return waits && now > sinceOf(s, dir) + timeout;
  }

  function onHole(s: number, dir: number): void {
    const d = s + Stream.DIRS + dir * Stream.DIR_STRIDE;
    if ((ss[d + Dir.FLAGS] & DirFlag.QUEUED) !== 0) return;
    ss[d + Dir.FLAGS] |= DirFlag.QUEUED;
    holes.add(s | dir, ssF[(d + Dir.SINCE) >> 1]);
  }

  /** One piece, in order, to those who asked for it. */
  function deliver(c: number, s: number, dir: number, row: number): void {
    const lostAt = s + Stream.DIRS + dir * Stream.DIR_STRIDE + Dir.LOST;
    const lost = ss[lostAt];
    ss[lostAt] = 0;
    pkt[row + Pkt.GAP] = lost;
    pieces++;
    const actions = rec[c + Rec.ACTIONS];
    if ((actions & Action.STREAM) !== 0 && onL4Stream !== undefined) {
      const asked = onL4Stream(c, row);
      rec[c + Rec.ACTIONS] = (rec[c + Rec.META] & ConnMeta.L7_DONE) !== 0 ? asked & ~Action.PARSE : asked;
    }
    if ((rec[c + Rec.ACTIONS] & Action.PARSE) !== 0) l7.data(c, s, dir, row, lost);
    if ((rec[c + Rec.ACTIONS] & STREAMING) === 0) release(c);
  }

  /** A stream for record `c`, or 0 when there are none left: then it is as if nothing could be made of its payload. */
  function open(c: number, tcp: boolean): number {
    let s: number;
    if (freeTop > 0) {
      s = free[--freeTop];
    } else if (next < ss.length) {
      s = next;
      next += Stream.STRIDE;
    } else {
      counters[Counter.STREAMS_REFUSED]++;
      rec[c + Rec.ACTIONS] &= ~Action.STREAM;
      if ((rec[c + Rec.ACTIONS] & Action.PARSE) !== 0) l7.none(c);
      return 0;
    }
    // A freed state may still stand in the queue of holes: keep the marks that say so.
    const queued0 = ss[s + Stream.DIRS + Dir.FLAGS] & DirFlag.QUEUED;
    const queued1 = ss[s + Stream.DIRS + Stream.DIR_STRIDE + Dir.FLAGS] & DirFlag.QUEUED;
    for (let word = 0; word < Stream.STRIDE; word++) ss[s + word] = 0;
    ss[s + Stream.DIRS + Dir.FLAGS] = queued0;
    ss[s + Stream.DIRS + Stream.DIR_STRIDE + Dir.FLAGS] = queued1;
    ss[s + Stream.CONN] = c;
    rec[c + Rec.STREAM] = s;
    l7.open(s, tcp);
    return s;
  }

  function release(c: number): void {
    const s = rec[c + Rec.STREAM];
    if (s === 0) return;
    rec[c + Rec.STREAM] = 0;
    ss[s + Stream.CONN] = 0;
    reassembler.clear(s);
    l7.release(s);
    free[freeTop++] = s;
  }

  function settle(c: number): void {
    if ((rec[c + Rec.ACTIONS] & STREAMING) === 0) release(c);
    if (rec[c + Rec.ACTIONS] === 0) owner.unwanted(c);
  }

  return {
    packet(c, p) {
      const tcp = (pkt[p + Pkt.META] & Meta.PROTO_MASK) === IpProto.TCP;
      let s = rec[c + Rec.STREAM];
      if (s === 0) {
        if ((rec[c + Rec.ACTIONS] & Action.PARSE) !== 0 && !l7.wants(tcp)) l7.none(c);
        if (pkt[p + Pkt.PAYLEN] === 0 || (rec[c + Rec.ACTIONS] & STREAMING) === 0) return;
        s = open(c, tcp);
        if (s === 0) return;
      }
      if (tcp) reassembler.segment(c, s, pkt[p + Pkt.DIR], p);
      else if (pkt[p + Pkt.PAYLEN] > 0) deliver(c, s, pkt[p + Pkt.DIR], p);
      if ((rec[c + Rec.ACTIONS] & STREAMING) === 0) release(c);
    },
    end(c) {
      const s = rec[c + Rec.STREAM];
      if (s !== 0) {
        reassembler.flush(c, s);
        if (rec[c + Rec.STREAM] === s && (rec[c + Rec.ACTIONS] & Action.PARSE) !== 0) l7.end(c, s);
        release(c);
      } else if ((rec[c + Rec.ACTIONS] & Action.PARSE) !== 0) {
        l7.none(c);
      }
    },
    release,
    hasOldHole(c, now) {
      const s = rec[c + Rec.STREAM];
      return s !== 0 && (isOld(s, 0, now) || isOld(s, 1, now));
    },
    expireHoles(c, now) {
      const s = rec[c + Rec.STREAM];
      if (s === 0) return;
      // The direction that waits longest first, as the queue has it.
      const first = sinceOf(s, 1) < sinceOf(s, 0) ? 1 : 0;
      reassembler.expire(c, s, first, now);
      if (rec[c + Rec.STREAM] === s) reassembler.expire(c, s, 1 - first, now);
    },
    settle,
    checkTimeouts(now, most) {
      const enough = pieces + most;
      for (let looked = 0; now > holes.oldest() + timeout; looked++) {
        if (pieces + looked >= enough) return false;
        const since = holes.oldest();
        const entry = holes.take();
        const dir = entry & 1;
        const s = entry & ~1;
        const d = s + Stream.DIRS + dir * Stream.DIR_STRIDE;
        ss[d + Dir.FLAGS] &= ~DirFlag.QUEUED;
        const c = ss[s + Stream.CONN];
        if (c === 0 || ss[d + Dir.HEAD] === 0) continue;
        if (sinceOf(s, dir) > since) {
          onHole(s, dir);
          continue;
        }
        // One that ended before now takes its holes with it.
        if (owner.endInactive(c, now)) continue;
        clock[Clock.GROUP] = owner.nextGroup();
        reassembler.expire(c, s, dir, now);
        settle(c);
      }
      return true;
    },
    crowded: reassembler.crowded,
  };
}
