/**
 * The connection tracker of one core: packets in, connections opened, updated, ended; what the plan asks for done. Hot:
 * 20 ns a packet with the table in cache, 150-250 ns with a million live connections in random order.
 *
 * `process` is three passes over the burst: load the index slots of all packets, load their records, then track each in
 * order, so that the cache misses of a burst overlap. It is kept apart from `track`, which is compiled better that way.
 *
 * Times: a connection's deadline is its last packet plus its timeout, exactly. Whether the timer wheel notices first or
 * a late packet does, the connection ends at its deadline, and `core.clock` says so; results therefore depend neither
 * on the resolution of timers, nor on how many of them go off at a time, nor on the number of cores.
 */
import { Clock, setClock } from '../clock.ts';
import { pktColumns } from '../packet/columns.ts';
import { Meta, TcpFlag } from '../packet/layout.ts';
import { IpProto } from '../packet/transport.ts';
import type { ParserFactory } from '../protocols/contract.ts';
import { Counter } from '../stats/counters.ts';
import type { Subscription } from '../subscription/contract.ts';
import { noinline } from '../subscription/noinline.ts';
import { float64Words } from '../words.ts';
import { type ConnTrackConfig, conntrackConfig } from './config.ts';
import { drainInPieces } from './drain.ts';
import type { EngineCore } from './engine-core.ts';
import { createEviction } from './eviction.ts';
import { Action, ConnMeta, EndReason, recColumns } from './layout.ts';
import { createRoom } from './room.ts';
import { createStreams } from './streams.ts';
import { createConnTable, ROWS_MAX } from './table.ts';
import { createTcpState, TcpEvent } from './tcp-state.ts';
import { createTimeouts, Timeout } from './timeouts.ts';
import { createTimerWheel } from './wheel.ts';

export interface ConnTracker {
  /** Rows (first words) of the packets to process next: TCP and UDP, past the packet filter. */
  readonly rows: Int32Array;
  /** Tracks the packets of rows[0..n-1], in order. */
  process(n: number): void;
  /**
   * Ends what was silent too long at `now` (seconds since 1970) and gives up the holes in streams that waited too long: some
   * `most` records, and pieces of streams, at a time. True when nothing is left; else the next call goes on, even at the
   * same `now`. Until then a record that is due counts as ended for the packets that come, and so does a hole.
   */
  checkInactive(now: number, most?: number): boolean;
  /**
   * The run ends at `now`: ends every connection, those past their deadline by timeout, and then, when `next` was called, the
   * others in the order of their last packets. Each step of the iteration is a piece of the work: a few ms at most.
   */
  drain(now: number, next?: () => void): Iterable<void>;
  /** Records in use, tombstones included. */
  connections(): number;
}

const STREAMING = Action.STREAM | Action.PARSE;
const FINS = ConnMeta.FIN_ORIG | ConnMeta.FIN_RESP;

/** Words of the tracker's times. */
const enum Time {
  /** What `due` compares deadlines with: the latest time that timers were told. */
  NOW = 0,
  /** Seconds of silence after which a packet's connection is looked at, whether it has ended. */
  LOOK = 1,
  WORDS = 2,
}

/** Counter of each {@link EndReason}. */
const END_COUNTERS = new Int32Array([
  Counter.CONNS_DROPPED,
  Counter.ENDED_FIN,
  Counter.ENDED_RST,
  Counter.ENDED_ESTABLISH_TIMEOUT,
  Counter.ENDED_INACTIVITY_TIMEOUT,
  Counter.ENDED_DRAIN,
  Counter.CONNS_EVICTED,
  Counter.ENDED_REUSED,
]);

/**
 * A tracker for `sub` on `core`. `parsers` are those of `sub.plan.parsers`; `some` replaces defaults of the configuration.
 * Call it once per worker.
 */
export function createConnTracker(
  core: EngineCore,
  sub: Subscription,
  parsers: readonly ParserFactory[],
  some: Partial<ConnTrackConfig> = {},
): ConnTracker {
  const config = conntrackConfig(some);
  const { clock, counters } = core;
  const { pktSec, pktNsec, pktTs, pktMeta, pktPaylen, pktConn } = pktColumns(core.pkt);
  const { tracked, onL4FirstPacket, update, onL4EndHshk, onL4Terminated, onLate } = sub;
  const stride = sub.plan.recordWords;
  const record = recColumns(core.rec, stride);
  const { recMeta, recActions, recStream, recStartSec, recStartNsec, recLast } = record;
  const { recOrigSeq, recRespSeq, recLive, recIsnLow } = record;
  const rows = new Int32Array(ROWS_MAX);
  const table = createConnTable(core, stride);
  const { find, insert, remove, lookAhead } = table;
  const tcp = createTcpState(core, stride, config.tcp_reuse_timeout);
  const streams = createStreams(core, sub, parsers, config, { unwanted: drop, endInactive, nextGroup });
  const streaming = streams !== undefined;
  const eviction = createEviction(core, table, stride, config);

  const timeouts = createTimeouts(recMeta, config);
  const wheel = createTimerWheel(core.rec, stride, due, {
    resolution: config.timeout_resolution,
    horizon: timeouts.longest,
    maxConnections: core.maxConnections,
    ahead: table.ending,
  });
  const times = float64Words(Time.WORDS);
  times[Time.NOW] = Number.NEGATIVE_INFINITY;
  times[Time.LOOK] = timeouts.shortest;
  /** The latest number of `Clock.GROUP`. */
  const group = new Int32Array(1);

  function setClockTo(p: number): void {
    clock[Clock.SEC] = pktSec[p];
    clock[Clock.NSEC] = pktNsec[p];
  }

  /** What still runs of a connection is ended and the plan lets go of it. The record stays. */
  function finish(c: number, reason: EndReason): void {
    counters[END_COUNTERS[reason]]++;
    recMeta[c] |= reason << ConnMeta.END_SHIFT;
    if (streaming) streams.end(c);
    if ((recActions[c] & Action.TRACK) !== 0 && onL4Terminated !== undefined) onL4Terminated(c, reason);
    tracked.clear(c);
    recMeta[c] |= ConnMeta.ENDED;
    recActions[c] = 0;
  }

  /** Nobody wants the connection any more: it becomes a tombstone. */
  function drop(c: number): void {
    counters[Counter.CONNS_DROPPED]++;
    if (streaming) streams.release(c);
    tracked.clear(c);
    recMeta[c] |= ConnMeta.ENDED;
    recActions[c] = 0;
    eviction.tombstone(c);
  }

  /** A closed connection leaves a tombstone, which is forgotten sooner than the connection would have been. */
  function bury(c: number): void {
    eviction.tombstone(c);
    wheel.schedule(c, timeouts.closedTicks);
  }

  /** Ends record `c` by timeout at its deadline, unless it is a tombstone. */
  function finishInactive(c: number): void {
    if ((recMeta[c] & ConnMeta.ENDED) !== 0) return;
    const kind = timeouts.kind(c);
    const deadline = recLast[c >> 1] + timeouts.seconds(c);
    clock[Clock.GROUP] = nextGroup();
    if (streaming) streams.expireHoles(c, deadline);
    setClock(clock, deadline);
    finish(c, kind === Timeout.ESTABLISH ? EndReason.ESTABLISH_TIMEOUT : EndReason.INACTIVITY_TIMEOUT);
  }

  function nextGroup(): number {
    group[0] = (group[0] & 0x3fffffff) + 1;
    return group[0];
  }

  /** Ends records `order[from]` to `order[to - 1]` because the run ends. */
  function finishDrained(order: Int32Array, from: number, to: number): void {
    for (let i = from; i < to; i++) {
      const c = order[i];
      clock[Clock.GROUP] = nextGroup();
      setClock(clock, recLast[c >> 1]);
      finish(c, EndReason.DRAIN);
    }
  }

  /** Ends record `c` by timeout, or forgets its tombstone. */
  function expire(c: number): void {
    finishInactive(c);
    remove(c);
  }

  /** The wheel's tick for record `c` has come: expired, or only looked at. */
  function due(c: number): void {
    if (!endSilent(c)) wheel.schedule(c, timeouts.ticks(c));
  }

  function endInactive(c: number, now: number): boolean {
    if (now <= recLast[c >> 1] + timeouts.seconds(c)) return false;
    expire(c);
    return true;
  }

  /** Ends record `c` if it was silent too long, to the wheel's resolution, when timers were told the time. */
  function endSilent(c: number): boolean {
    return wheel.over(c, timeouts.ticks(c)) && endInactive(c, times[Time.NOW]);
  }

  /** Does what the wheel will, if it is to look at record `c` and has not come to it yet. */
  function overdue(c: number): boolean {
    return wheel.isDue(c) && endSilent(c);
  }

  /**
   * Gives up the holes of record `c` that were due when timers were told the time, which may not have come to it yet; or ends it,
   * if it was silent too long by then.
   */
  function expireHoles(c: number, p: number): void {
    if (streams === undefined || times[Time.LOOK] >= 0) return;
    // The slab is full of what is due: then all of it goes, as it would have if there were no pieces.
    if (streams.crowded()) while (!streams.checkTimeouts(times[Time.NOW], Number.POSITIVE_INFINITY));
    else if (streams.hasOldHole(c, times[Time.NOW]) && !endInactive(c, times[Time.NOW])) {
      clock[Clock.GROUP] = nextGroup();
      streams.expireHoles(c, times[Time.NOW]);
      streams.settle(c);
    }
    clock[Clock.GROUP] = 0;
    setClockTo(p);
  }

  const makeRoom = createRoom(core, recMeta, table, eviction, {
    isBehind: () => times[Time.LOOK] < 0,
    fireDue: wheel.fire,
    expireHoles,
    finish,
    setClockTo,
  });

  /** Whether a TCP packet of no known connection opens one: 0 no, 1 yes, 2 yes and its receiver is the originator. */
  function opens(flags: number): number {
    if ((flags & TcpFlag.RST) !== 0) return config.init_rst ? 1 : 0;
    if ((flags & (TcpFlag.SYN | TcpFlag.ACK)) === TcpFlag.SYN) return 1;
    if ((flags & TcpFlag.SYN) !== 0) return config.init_synack ? 2 : 0;
    if ((flags & TcpFlag.FIN) !== 0) return config.init_fin ? 1 : 0;
    return config.init_data ? 1 : 0;
  }

  /** Opens a connection with row `p`. Its record, or 0. */
  function open(p: number): number {
    const meta = pktMeta[p];
    let how = 1;
    if ((meta & Meta.PROTO_MASK) === IpProto.TCP) {
      how = opens(meta >>> Meta.TCP_FLAGS_SHIFT);
      if (how === 0) {
        counters[Counter.MIDSTREAM_PACKETS]++;
        return 0;
      }
    }
    let c = insert(p, how === 2);
    if (c === 0) {
      if (makeRoom(p)) c = insert(p, how === 2);
      if (c === 0) {
        counters[Counter.CONNS_REFUSED]++;
        return 0;
      }
    }
    counters[Counter.CONNS_OPENED]++;
    recStream[c] = 0;
    recStartSec[c] = pktSec[p];
    recStartNsec[c] = pktNsec[p];
    recLast[c >> 1] = pktTs[p >> 1];
    recOrigSeq[c] = 0;
    recRespSeq[c] = 0;
    recIsnLow[c] = 0;
    recLive[c] = 0;
    pktConn[p] = c;
    wheel.schedule(c, timeouts.ticks(c));
    tracked.open(c, p);
    const actions = onL4FirstPacket(c, p);
    recActions[c] = actions;
    if (actions === 0) {
      counters[Counter.CONNS_UNWANTED]++;
      counters[Counter.CONNS_DROPPED]--;
      drop(c);
    }
    return c;
  }

  /** A packet of a connection that has ended or was dropped. TCP: notices the close, so that the tuple can be reused. */
  function late(c: number, p: number): void {
    counters[Counter.LATE_PACKETS]++;
    if (onLate !== undefined) onLate(c, p);
    const meta = recMeta[c];
    if ((meta & ConnMeta.PROTO_MASK) === IpProto.TCP && ((meta >>> ConnMeta.END_SHIFT) & ConnMeta.END_MASK) === 0) {
      const reason = tcp.update(c, p) & ~TcpEvent.ESTABLISHED;
      if (reason !== 0) {
        recMeta[c] |= reason << ConnMeta.END_SHIFT;
        wheel.schedule(c, timeouts.closedTicks);
      }
    }
  }

  /** Looks for reasons why the connection found is not the packet's: then ends it, and returns 0. */
  function renew(c: number, p: number, flags: number): number {
    if (endInactive(c, pktTs[p >> 1]) || overdue(c)) {
      clock[Clock.GROUP] = 0;
      setClockTo(p);
      return 0;
    }
    expireHoles(c, p);
    if ((recMeta[c] & ConnMeta.USED) === 0) return 0;
    if ((flags & (TcpFlag.SYN | TcpFlag.ACK | TcpFlag.RST)) === TcpFlag.SYN && tcp.reuses(c, p)) {
      if ((recMeta[c] & ConnMeta.ENDED) === 0) finish(c, EndReason.REUSED);
      remove(c);
      return 0;
    }
    return c;
  }

  /** Reassembly and parsing of the packet's payload, where asked for. */
  function payload(c: number, p: number): void {
    if (streams === undefined) return;
    if ((recActions[c] & STREAMING) !== 0) streams.packet(c, p);
    else if (pktPaylen[p] > 0) recMeta[c] |= ConnMeta.DATA_PASSED;
  }

  /** A segment that may change the connection's state: one of its first, or of its last. */
  function takeTransition(c: number, p: number): void {
    const event = tcp.update(c, p);
    const ending = event & ~TcpEvent.ESTABLISHED;
    if (onL4EndHshk !== undefined && event !== ending && (recActions[c] & Action.HANDSHAKE) !== 0) {
      setActions(c, onL4EndHshk(c, p));
    }
    if (streaming && ending !== EndReason.RST) payload(c, p);
    if (ending === 0) {
      if (recActions[c] === 0) drop(c);
      setLast(c, p);
    } else {
      setLast(c, p);
      finish(c, ending);
      bury(c);
    }
  }

  /** Left a call: what no connection has come to yet, as its end, is unknown to the compiler and would undo `track`'s code. */
  const transition = noinline(takeTransition);

  function track(row: number): void {
    // An int32 to the compiler from here on: else each use asks again what kind of number it is.
    const p = row | 0;
    clock[Clock.SEC] = pktSec[p];
    clock[Clock.NSEC] = pktNsec[p];
    clock[Clock.ROW] = p;
    const flags = pktMeta[p] >>> Meta.TCP_FLAGS_SHIFT;
    const isTcp = (pktMeta[p] & Meta.PROTO_MASK) === IpProto.TCP;
    let c = find(p);
    const patience = (flags & TcpFlag.SYN) !== 0 ? Number.NEGATIVE_INFINITY : times[Time.LOOK];
    if (pktTs[p >> 1] - recLast[c >> 1] > patience && c !== 0) c = renew(c, p, flags);
    if (c === 0) {
      c = open(p);
      if (c === 0) return;
    } else {
      pktConn[p] = c;
      if ((recMeta[c] & ConnMeta.SECOND) === 0) recMeta[c] |= ConnMeta.SECOND;
      if (recActions[c] === 0) late(c, p);
    }
    const actions = recActions[c];
    if (actions !== 0) {
      if ((actions & Action.UPDATE) !== 0 && update !== undefined) {
        const next = update(c, p);
        if (next !== actions) setActions(c, next);
      }
      // Computed for all packets, so that it is known to the compiler however long only SYNs come.
      const unsettled = (recMeta[c] & (ConnMeta.ESTABLISHED | FINS)) ^ ConnMeta.ESTABLISHED;
      const notable = (flags & (TcpFlag.SYN | TcpFlag.FIN | TcpFlag.RST)) | unsettled;
      if (isTcp && notable !== 0) {
        transition(c, p);
        return;
      }
      if (streaming) payload(c, p);
      if (recActions[c] === 0) drop(c);
    }
    setLast(c, p);
  }

  function setActions(c: number, actions: number): void {
    recActions[c] = (recMeta[c] & ConnMeta.L7_DONE) !== 0 ? actions & ~Action.PARSE : actions;
  }

  /** The time of the latest packet never goes back, whatever the capture's order. */
  function setLast(c: number, p: number): void {
    const time = pktTs[p >> 1];
    if (time > recLast[c >> 1]) recLast[c >> 1] = time;
  }

  /** Goes on with what is due at `times[Time.NOW]`, for some `most` records and pieces of streams. False when none are left. */
  function fireTimers(most: number): boolean {
    const holes = streams !== undefined && !streams.checkTimeouts(times[Time.NOW], most);
    const more = holes || wheel.fire(most);
    // While some are left, every packet's connection is looked at.
    times[Time.LOOK] = more ? Number.NEGATIVE_INFINITY : timeouts.shortest;
    clock[Clock.GROUP] = 0;
    return more;
  }

  return {
    rows,
    process(n) {
      counters[Counter.TRACKED_PACKETS] += n;
      lookAhead(rows, n);
      for (let i = 0; i < n; i++) track(rows[i]);
    },
    checkInactive(now, most = Number.POSITIVE_INFINITY) {
      // Time goes back: what was due is due no more, but had ended.
      if (now < times[Time.NOW]) while (fireTimers(Number.POSITIVE_INFINITY));
      times[Time.NOW] = now;
      wheel.advance(now);
      return !fireTimers(most);
    },
    drain(now, next) {
      return drainInPieces(
        record,
        stride,
        table,
        {
          fireTimers,
          reach(time) {
            times[Time.NOW] = time;
          },
          isDue: (c) => times[Time.NOW] > recLast[c >> 1] + timeouts.seconds(c),
          finishInactive,
          finishDrained,
        },
        now,
        next,
      );
    },
    connections: table.used,
  };
}
