/**
 * TCP streams put in order. Hot on connections that are reassembled.
 *
 * Data in order is handed on where it lies in packet memory. What comes early is copied into cells of the slab, sorted
 * by sequence number; of bytes that come twice the first copy wins, as it was the first the other end may have read. A
 * hole is waited for until the stream holds too many cells, the slab is full, or its time is up: then it is skipped,
 * and the next piece says how many bytes were lost.
 */
import { setClock } from '../clock.ts';
import { Meta, Pkt, TcpFlag } from '../packet/layout.ts';
import { Counter } from '../stats/counters.ts';
import type { ConnTrackConfig } from './config.ts';
import type { EngineCore } from './engine-core.ts';
import { ConnMeta, Rec } from './layout.ts';
import { Dir, DirFlag, Stream } from './stream-layout.ts';

export interface Reassembler {
  /** Takes the segment of row `p` into direction `dir` of stream `s`. */
  segment(c: number, s: number, dir: number, p: number): void;
  /** Skips every hole and delivers all that is kept of both directions. */
  flush(c: number, s: number): void;
  /** Skips the hole of direction block `d` if it waits longer than the timeout at `now`; sets the clock to its deadline. */
  expire(c: number, s: number, dir: number, now: number): void;
  /** Lets go of all kept cells. */
  clear(s: number): void;
  /** Whether the slab may have no room for a segment. */
  crowded(): boolean;
}

/** What the reassembler is given: the streams' words, and where pieces go. */
export interface ReassemblyOptions {
  readonly ss: Int32Array;
  readonly ssF: Float64Array;
  /** Part of the slab for out-of-order data. */
  readonly slabOffset: number;
  readonly slabBytes: number;
  /** Hands on the piece that row `row` describes. May end the stream: `rec[c + STREAM]` is another than `s` then. */
  readonly deliver: (c: number, s: number, dir: number, row: number) => void;
  /** A hole has opened in direction `dir` of stream `s`. */
  readonly onHole: (s: number, dir: number) => void;
}

/** One kept piece: eight words each, beside its bytes in the slab. */
const enum Cell {
  STRIDE = 8,
  SHIFT = 3,
  NEXT = 0,
  SEQ = 1,
  LENGTH = 2,
  SEC = 3,
  NSEC = 4,
  META = 5,
  ACK = 6,
  /** Bytes of a cell: holds a segment of an Ethernet frame; longer ones take several. */
  BYTES = 1536,
  /** Cells that the largest segment takes, and some for those it is cut into by others. */
  CROWDED = 64,
}

/** Segments further ahead than the largest window (RFC 7323 section 2.3) are not of this stream. */
const MAX_AHEAD = 1 << 30;

export function createReassembler(core: EngineCore, config: ConnTrackConfig, options: ReassemblyOptions): Reassembler {
  const { pkt, pktF, rec, clock, counters } = core;
  const { bytes } = core.memory;
  const { ss, ssF, deliver, onHole, slabOffset } = options;
  const cellCount = Math.max(0, Math.floor(options.slabBytes / Cell.BYTES));
  const cells = new Int32Array((cellCount + 1) << Cell.SHIFT);
  const maxCells = config.max_out_of_order;
  const timeout = config.tcp_reassembly_timeout;
  const dropAtGap = config.on_gap === 'drop';
  /** The row for pieces that are not just the packet at hand. */
  const spare = (pkt.length / Pkt.STRIDE - 1) << Pkt.SHIFT;
  let free = 0;
  let room = cellCount;
  for (let i = cellCount; i >= 1; i--) {
    cells[(i << Cell.SHIFT) + Cell.NEXT] = free;
    free = i << Cell.SHIFT;
  }

  function bytesOf(cell: number): number {
    return slabOffset + Math.imul((cell >> Cell.SHIFT) - 1, Cell.BYTES);
  }

  function release(cell: number): void {
    cells[cell + Cell.NEXT] = free;
    free = cell;
    room++;
  }

  /** Where the stream of a direction begins: behind its SYN if that was seen and nothing passed since, else here. */
  function firstSeq(c: number, dir: number, seq: number): number {
    const meta = rec[c + Rec.META];
    const synSeen = dir === 0 ? ConnMeta.SYN : ConnMeta.SYNACK;
    if ((meta & (synSeen | ConnMeta.DATA_PASSED)) !== synSeen) return seq;
    if ((meta & (dir === 0 ? ConnMeta.FIN_ORIG : ConnMeta.FIN_RESP)) === 0) {
      return rec[c + (dir === 0 ? Rec.ORIG_SEQ : Rec.RESP_SEQ)];
    }
    // The FIN took the number's place: the low half, and that the first segment is near, tell it.
    const low = rec[c + Rec.ISN_LOW];
    return (seq - ((seq - (dir === 0 ? low >>> 16 : low) - 1) & 0xffff)) | 0;
  }

  /** Delivers `length` bytes at `offset` as the next of the stream, described by the spare row. False if that ended it. */
  function piece(c: number, s: number, dir: number, seq: number, offset: number, length: number): boolean {
    const d = s + Stream.DIRS + dir * Stream.DIR_STRIDE;
    pkt[spare + Pkt.PAYLOAD] = offset;
    pkt[spare + Pkt.PAYLEN] = length;
    pkt[spare + Pkt.CAPPAY] = length;
    pkt[spare + Pkt.SEQ] = seq;
    pkt[spare + Pkt.DIR] = dir;
    pkt[spare + Pkt.CONN] = c;
    ss[d + Dir.NEXT] = (seq + length) | 0;
    deliver(c, s, dir, spare);
    return rec[c + Rec.STREAM] === s;
  }

  /** Delivers the kept cells that are next. False if that ended the stream. */
  function drain(c: number, s: number, dir: number): boolean {
    const d = s + Stream.DIRS + dir * Stream.DIR_STRIDE;
    for (;;) {
      const cell = ss[d + Dir.HEAD];
      if (cell === 0) return true;
      const behind = (ss[d + Dir.NEXT] - cells[cell + Cell.SEQ]) | 0;
      if (behind < 0) {
        // Another hole: it is as old as the cell behind it.
        ssF[(d + Dir.SINCE) >> 1] = (cells[cell + Cell.SEC] >>> 0) + cells[cell + Cell.NSEC] * 1e-9;
        onHole(s, dir);
        return true;
      }
      const length = cells[cell + Cell.LENGTH] - behind;
      let alive = true;
      if (length > 0) {
        pkt.fill(0, spare, spare + Pkt.STRIDE);
        pkt[spare + Pkt.SEC] = cells[cell + Cell.SEC];
        pkt[spare + Pkt.NSEC] = cells[cell + Cell.NSEC];
        pkt[spare + Pkt.META] = cells[cell + Cell.META];
        pkt[spare + Pkt.ACK] = cells[cell + Cell.ACK];
        pktF[(spare + Pkt.TS) >> 1] = (cells[cell + Cell.SEC] >>> 0) + cells[cell + Cell.NSEC] * 1e-9;
        alive = piece(c, s, dir, (cells[cell + Cell.SEQ] + behind) | 0, bytesOf(cell) + behind, length);
      }
      // A stream that ended has let go of its cells, this one among them.
      if (!alive) return false;
      ss[d + Dir.HEAD] = cells[cell + Cell.NEXT];
      ss[d + Dir.COUNT]--;
      release(cell);
    }
  }

  /** Gives up the hole before the first kept cell. False if delivering what follows ended the stream. */
  function skipHole(c: number, s: number, dir: number): boolean {
    const d = s + Stream.DIRS + dir * Stream.DIR_STRIDE;
    const cell = ss[d + Dir.HEAD];
    if (cell === 0) return true;
    lose(d, (cells[cell + Cell.SEQ] - ss[d + Dir.NEXT]) | 0);
    if ((ss[d + Dir.FLAGS] & DirFlag.STOPPED) !== 0) {
      clearDir(d);
      return true;
    }
    ss[d + Dir.NEXT] = cells[cell + Cell.SEQ];
    return drain(c, s, dir);
  }

  function lose(d: number, count: number): void {
    if (count <= 0) return;
    counters[Counter.STREAM_GAPS]++;
    counters[Counter.STREAM_GAP_BYTES] += count;
    ss[d + Dir.LOST] += count;
    if (dropAtGap) ss[d + Dir.FLAGS] |= DirFlag.STOPPED;
  }

  /** Keeps what is new of a segment that came early. False when there is no room for all of it. */
  function keep(d: number, p: number, from: number, at: number, length: number): boolean {
    let seq = from;
    let offset = at;
    let left = length;
    let before = 0;
    let cell = ss[d + Dir.HEAD];
    while (left > 0) {
      while (cell !== 0 && ((cells[cell + Cell.SEQ] + cells[cell + Cell.LENGTH] - seq) | 0) <= 0) {
        before = cell;
        cell = cells[cell + Cell.NEXT];
      }
      let run = Math.min(left, Cell.BYTES);
      if (cell !== 0) {
        const ahead = (cells[cell + Cell.SEQ] - seq) | 0;
        if (ahead <= 0) {
          const covered = cells[cell + Cell.LENGTH] + ahead;
          seq = (seq + covered) | 0;
          offset += covered;
          left -= covered;
          continue;
        }
        run = Math.min(run, ahead);
      }
      if (free === 0 || ss[d + Dir.COUNT] >= maxCells) return false;
      const fresh = free;
      free = cells[fresh + Cell.NEXT];
      room--;
      cells[fresh + Cell.NEXT] = cell;
      cells[fresh + Cell.SEQ] = seq;
      cells[fresh + Cell.LENGTH] = run;
      cells[fresh + Cell.SEC] = pkt[p + Pkt.SEC];
      cells[fresh + Cell.NSEC] = pkt[p + Pkt.NSEC];
      cells[fresh + Cell.META] = pkt[p + Pkt.META];
      cells[fresh + Cell.ACK] = pkt[p + Pkt.ACK];
      bytes.copyWithin(bytesOf(fresh), offset, offset + run);
      if (before === 0) ss[d + Dir.HEAD] = fresh;
      else cells[before + Cell.NEXT] = fresh;
      ss[d + Dir.COUNT]++;
      before = fresh;
      seq = (seq + run) | 0;
      offset += run;
      left -= run;
    }
    return true;
  }

  /** Delivers a segment that starts at or before NEXT, with kept cells where those were first. */
  function inOrder(c: number, s: number, dir: number, p: number, seq: number, offset: number, length: number): boolean {
    const d = s + Stream.DIRS + dir * Stream.DIR_STRIDE;
    for (;;) {
      const done = (ss[d + Dir.NEXT] - seq) | 0;
      if (done >= length) return drain(c, s, dir);
      const cell = ss[d + Dir.HEAD];
      const room = cell === 0 ? length - done : (cells[cell + Cell.SEQ] - ss[d + Dir.NEXT]) | 0;
      if (room <= 0) {
        if (!drain(c, s, dir)) return false;
        continue;
      }
      pkt.copyWithin(spare, p, p + Pkt.STRIDE);
      if (!piece(c, s, dir, (seq + done) | 0, offset + done, Math.min(room, length - done))) return false;
    }
  }

  function early(c: number, s: number, dir: number, p: number, seq: number, offset: number, length: number): void {
    const d = s + Stream.DIRS + dir * Stream.DIR_STRIDE;
    counters[Counter.OUT_OF_ORDER_SEGMENTS]++;
    const first = ss[d + Dir.HEAD] === 0;
    if (keep(d, p, seq, offset, length)) {
      if (first && ss[d + Dir.HEAD] !== 0) {
        ssF[(d + Dir.SINCE) >> 1] = pktF[(p + Pkt.TS) >> 1];
        onHole(s, dir);
      }
      return;
    }
    // No room: give up holes, oldest first, until the segment is next itself.
    counters[Counter.REASSEMBLY_OVERFLOWS]++;
    while (ss[d + Dir.HEAD] !== 0 && ((seq - ss[d + Dir.NEXT]) | 0) > 0) {
      const cell = ss[d + Dir.HEAD];
      if (((cells[cell + Cell.SEQ] - seq) | 0) >= 0) break;
      if (!skipHole(c, s, dir)) return;
    }
    if ((ss[d + Dir.FLAGS] & DirFlag.STOPPED) !== 0) return;
    const ahead = (seq - ss[d + Dir.NEXT]) | 0;
    if (ahead > 0) {
      lose(d, ahead);
      ss[d + Dir.NEXT] = seq;
      if ((ss[d + Dir.FLAGS] & DirFlag.STOPPED) !== 0) {
        clearDir(d);
        return;
      }
    }
    inOrder(c, s, dir, p, seq, offset, length);
  }

  function clearDir(d: number): void {
    let cell = ss[d + Dir.HEAD];
    while (cell !== 0) {
      const next = cells[cell + Cell.NEXT];
      release(cell);
      cell = next;
    }
    ss[d + Dir.HEAD] = 0;
    ss[d + Dir.COUNT] = 0;
  }

  function expire(c: number, s: number, dir: number, now: number): void {
    const d = s + Stream.DIRS + dir * Stream.DIR_STRIDE;
    if (ss[d + Dir.HEAD] === 0) return;
    const deadline = ssF[(d + Dir.SINCE) >> 1] + timeout;
    if (now <= deadline) return;
    counters[Counter.REASSEMBLY_TIMEOUTS]++;
    setClock(clock, deadline);
    if (skipHole(c, s, dir)) expire(c, s, dir, now);
  }

  function segment(c: number, s: number, dir: number, p: number): void {
    const d = s + Stream.DIRS + dir * Stream.DIR_STRIDE;
    const flags = pkt[p + Pkt.META] >>> Meta.TCP_FLAGS_SHIFT;
    if (ss[d + Dir.HEAD] !== 0 && pktF[(p + Pkt.TS) >> 1] > ssF[(d + Dir.SINCE) >> 1] + timeout) {
      expire(c, s, dir, pktF[(p + Pkt.TS) >> 1]);
      clock[0] = pkt[p + Pkt.SEC];
      clock[1] = pkt[p + Pkt.NSEC];
      if (rec[c + Rec.STREAM] !== s) return;
    }
    if ((ss[d + Dir.FLAGS] & DirFlag.STOPPED) !== 0) return;
    const seq = (pkt[p + Pkt.SEQ] + ((flags & TcpFlag.SYN) >>> 1)) | 0;
    if ((ss[d + Dir.FLAGS] & DirFlag.STARTED) === 0) {
      ss[d + Dir.NEXT] = firstSeq(c, dir, seq);
      ss[d + Dir.FLAGS] |= DirFlag.STARTED;
    }
    let length = pkt[p + Pkt.PAYLEN];
    if ((flags & TcpFlag.FIN) !== 0 && (ss[d + Dir.FLAGS] & DirFlag.FIN) === 0) {
      ss[d + Dir.FLAGS] |= DirFlag.FIN;
      ss[d + Dir.FIN] = (seq + length) | 0;
    }
    // Nothing comes behind a FIN.
    if ((ss[d + Dir.FLAGS] & DirFlag.FIN) !== 0) length = Math.min(length, (ss[d + Dir.FIN] - seq) | 0);
    if (length <= 0) return;
    const ahead = (seq - ss[d + Dir.NEXT]) | 0;
    const captured = Math.min(length, pkt[p + Pkt.CAPPAY]);
    if (ahead === 0 && captured === pkt[p + Pkt.PAYLEN] && ss[d + Dir.HEAD] === 0) {
      ss[d + Dir.NEXT] = (seq + length) | 0;
      deliver(c, s, dir, p);
      return;
    }
    if (ahead >= MAX_AHEAD || ahead <= -MAX_AHEAD) {
      counters[Counter.OUT_OF_WINDOW_SEGMENTS]++;
      return;
    }
    if (ahead > 0) {
      early(c, s, dir, p, seq, pkt[p + Pkt.PAYLOAD], captured);
    } else if (inOrder(c, s, dir, p, seq, pkt[p + Pkt.PAYLOAD], captured) && captured < length) {
      // What the capture cut off will not come: the stream goes on behind it.
      const cut = (seq + length - ss[d + Dir.NEXT]) | 0;
      if (cut > 0) {
        lose(d, cut);
        ss[d + Dir.NEXT] = (seq + length) | 0;
        if ((ss[d + Dir.FLAGS] & DirFlag.STOPPED) !== 0) clearDir(d);
        else drain(c, s, dir);
      }
    }
  }

  return {
    segment,
    flush(c, s) {
      for (let dir = 0; dir < 2; dir++) {
        const d = s + Stream.DIRS + dir * Stream.DIR_STRIDE;
        while (ss[d + Dir.HEAD] !== 0) if (!skipHole(c, s, dir)) return;
        // A FIN tells of bytes before it that never came.
        const left = (ss[d + Dir.FIN] - ss[d + Dir.NEXT]) | 0;
        if ((ss[d + Dir.FLAGS] & DirFlag.FIN) !== 0 && left < MAX_AHEAD) lose(d, left);
      }
    },
    expire,
    clear(s) {
      clearDir(s + Stream.DIRS);
      clearDir(s + Stream.DIRS + Stream.DIR_STRIDE);
    },
    crowded: () => room < Cell.CROWDED,
  };
}
