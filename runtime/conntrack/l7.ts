/**
 * The application layer of a stream: find out which of the plan's protocols it is, then feed that protocol's parser and
 * hand on its sessions. Hot while a connection is parsed.
 *
 * Probing asks one shared instance of each candidate, which has no state for it; only a connection whose protocol is
 * known takes a parser from the pool, and gives it back the moment nothing more can come of it.
 *
 * A protocol that opens a tunnel is parsed, but the plan is not told of it (`L7_KNOWN`) until what is in the tunnel has been
 * probed as a stream of its own; one level deep. So it is with a preamble, which is no protocol of the plan: a connection
 * may begin with one.
 */
import { Pkt } from '../packet/layout.ts';
import { IpProto } from '../packet/transport.ts';
import { Parse, type ParserFactory, Probe, ProtocolNumber, type SessionParser } from '../protocols/contract.ts';
import { Counter } from '../stats/counters.ts';
import type { Subscription } from '../subscription/contract.ts';
import type { ConnTrackConfig } from './config.ts';
import type { EngineCore } from './engine-core.ts';
import { Action, ConnMeta, Rec } from './layout.ts';
import { L7State, Stream } from './stream-layout.ts';

export interface AppLayer {
  /** Whether any of the plan's parsers runs on TCP (else UDP). */
  wants(tcp: boolean): boolean;
  /** Stream `s` begins. */
  open(s: number, tcp: boolean): void;
  /** The piece that row `row` describes; `lost` bytes are missing before it. */
  data(c: number, s: number, dir: number, row: number, lost: number): void;
  /** No parser can take this connection: tell the plan so. */
  none(c: number): void;
  /** The connection ends: sessions under way are delivered. */
  end(c: number, s: number): void;
  /** Gives back parser and buffers of stream `s`. */
  release(s: number): void;
}

/** The first bytes of both directions of a stream whose protocol is not known yet. */
interface ProbeBuffer {
  readonly bytes: readonly [Uint8Array, Uint8Array];
  readonly length: Int32Array;
  /** Who sent first. */
  first: number;
}

function maskOf(parsers: readonly ParserFactory[], chosen: (factory: ParserFactory) => boolean): number {
  return parsers.reduce((mask, factory, i) => (chosen(factory) ? mask | (1 << i) : mask), 0);
}

export function createAppLayer(
  core: EngineCore,
  sub: Subscription,
  parsers: readonly ParserFactory[],
  config: ConnTrackConfig,
  ss: Int32Array,
): AppLayer {
  const { pkt, rec, counters } = core;
  const { bytes } = core.memory;
  const { onL7OnDisc, onL7EndHdrs } = sub;
  const probers = parsers.map((factory) => factory.create());
  const pools: SessionParser[][] = parsers.map(() => []);
  /** Bits of the parsers over UDP and over TCP; `preambles` are those of the parsers among them that are preambles. */
  const preambles = maskOf(parsers, ({ proto }) => proto === ProtocolNumber.NONE);
  const masks = (['udp', 'tcp'] as const).map((transport) => maskOf(parsers, ({ over }) => over.includes(transport)));
  /** By stream number: its parser, or what is kept while there is none. */
  const active: (SessionParser | undefined)[] = [];
  const probing: (ProbeBuffer | undefined)[] = [];
  const freeBuffers: ProbeBuffer[] = [];
  const most = config.max_probe_bytes;
  /** What `ask` found last opens a tunnel. */
  let tunnelled = false;

  function numberOf(s: number): number {
    return s / Stream.STRIDE;
  }

  function setActions(c: number, actions: number): void {
    rec[c + Rec.ACTIONS] = (rec[c + Rec.META] & ConnMeta.L7_DONE) !== 0 ? actions & ~Action.PARSE : actions;
  }

  function parsing(c: number): boolean {
    return (rec[c + Rec.ACTIONS] & Action.PARSE) !== 0;
  }

  /** The plan's parsers that run on the transport of connection `c`, one bit each, without the preambles. */
  function candidatesOf(c: number): number {
    return masks[(rec[c + Rec.META] & ConnMeta.PROTO_MASK) === IpProto.TCP ? 1 : 0] & ~preambles;
  }

  /** The protocol of connection `c` as far as it was found, or 0. */
  function protocolOf(c: number): number {
    return (rec[c + Rec.META] >>> ConnMeta.L7_PROTO_SHIFT) & ConnMeta.L7_PROTO_MASK;
  }

  /** Nothing more is parsed on this connection. */
  function done(c: number, s: number): void {
    if ((rec[c + Rec.META] & ConnMeta.L7_KNOWN) === 0 && parsing(c)) none(c);
    rec[c + Rec.META] |= ConnMeta.L7_DONE;
    rec[c + Rec.ACTIONS] &= ~Action.PARSE;
    release(s);
  }

  function release(s: number): void {
    releaseParser(s);
    releaseBuffer(numberOf(s));
    ss[s + Stream.L7] = L7State.DONE;
  }

  function releaseParser(s: number): void {
    const n = numberOf(s);
    const parser = active[n];
    if (parser === undefined) return;
    parser.reset();
    pools[ss[s + Stream.L7_WHICH]].push(parser);
    active[n] = undefined;
  }

  function releaseBuffer(n: number): void {
    const buffer = probing[n];
    if (buffer === undefined) return;
    freeBuffers.push(buffer);
    probing[n] = undefined;
  }

  /** There is no protocol, or none in the tunnel of the one there is. */
  function none(c: number): void {
    const outer = protocolOf(c);
    if (outer === 0) counters[Counter.L7_UNIDENTIFIED]++;
    rec[c + Rec.META] |= ConnMeta.L7_KNOWN | ConnMeta.L7_DONE;
    if (onL7OnDisc !== undefined) setActions(c, onL7OnDisc(c, outer));
    else rec[c + Rec.ACTIONS] &= ~Action.PARSE;
  }

  function unidentified(c: number, s: number): void {
    release(s);
    none(c);
  }

  /** Sessions that the parser has ready. */
  function takeSessions(c: number, parser: SessionParser): void {
    while (parsing(c)) {
      const session = parser.take();
      if (session === null) return;
      counters[Counter.L7_SESSIONS]++;
      if (onL7EndHdrs !== undefined) setActions(c, onL7EndHdrs(c, session));
    }
  }

  /** What the parser said: sessions, the end. False when the connection is not parsed any more. */
  function heed(c: number, s: number, parser: SessionParser, said: Parse): boolean {
    if (said !== Parse.MORE) takeSessions(c, parser);
    if (said < Parse.STOP && parsing(c)) return true;
    if (said === Parse.SWITCH && parsing(c) && (rec[c + Rec.META] & ConnMeta.L7_KNOWN) === 0) {
      releaseParser(s);
      ss[s + Stream.L7] = L7State.PROBING;
      ss[s + Stream.L7_WHICH] = candidatesOf(c);
    } else done(c, s);
    return false;
  }

  function feed(c: number, s: number, fromOrig: boolean, from: Uint8Array, offset: number, length: number): boolean {
    const parser = active[numberOf(s)];
    if (parser === undefined) return false;
    if (length === 0) return true;
    let said: Parse = Parse.STOP;
    let rest = 0;
    let early: Uint8Array | undefined;
    try {
      said = parser.parse(fromOrig, from, offset, length);
      if (said === Parse.SWITCH) {
        rest = parser.rest?.() ?? 0;
        early = parser.early?.();
      }
    } catch {
      // A parser must not throw on bytes. If one does, its fault costs this connection only.
      counters[Counter.L7_FAULTS]++;
    }
    const alive = heed(c, s, parser, said);
    const dir = fromOrig ? 0 : 1;
    if (early !== undefined) take(c, s, 1 - dir, early, 0, early.length);
    if (rest > 0) take(c, s, dir, from, offset + length - rest, rest);
    return alive;
  }

  /** Bytes for the parser, or for the protocol to be found by. */
  function take(c: number, s: number, dir: number, from: Uint8Array, offset: number, length: number): void {
    if (ss[s + Stream.L7] === L7State.PARSING) feed(c, s, dir === 0, from, offset, length);
    else if (length > 0 && ss[s + Stream.L7] === L7State.PROBING) probe(c, s, dir, from, offset, length);
  }

  function missing(c: number, s: number, fromOrig: boolean, lost: number): boolean {
    const parser = active[numberOf(s)];
    if (parser === undefined) return false;
    return heed(c, s, parser, parser.gap(fromOrig, lost));
  }

  /** Parser `which` takes the stream. False when the plan has no use for it. */
  function identified(c: number, s: number, which: number): boolean {
    const factory = parsers[which];
    active[numberOf(s)] = pools[which].pop() ?? factory.create();
    ss[s + Stream.L7] = L7State.PARSING;
    ss[s + Stream.L7_WHICH] = which;
    if (factory.proto === ProtocolNumber.NONE) return true;
    const tunnel = tunnelled && protocolOf(c) === 0 && candidatesOf(c) !== 1 << which;
    if (protocolOf(c) === 0) counters[Counter.L7_IDENTIFIED]++;
    rec[c + Rec.META] &= ~(ConnMeta.L7_PROTO_MASK << ConnMeta.L7_PROTO_SHIFT);
    rec[c + Rec.META] |= factory.proto << ConnMeta.L7_PROTO_SHIFT;
    if (tunnel) return true;
    rec[c + Rec.META] |= ConnMeta.L7_KNOWN;
    if (onL7OnDisc !== undefined) setActions(c, onL7OnDisc(c, factory.proto));
    if (parsing(c)) return true;
    done(c, s);
    return false;
  }

  /**
   * The number of the candidate that knows these first bytes of a direction, or -1; strikes out those that do not. One that opens
   * a tunnel goes before one that knows what is in it.
   */
  function ask(s: number, fromOrig: boolean, from: Uint8Array, offset: number, length: number): number {
    let candidates = ss[s + Stream.L7_WHICH];
    let known = -1;
    tunnelled = false;
    for (let i = 0; i < probers.length; i++) {
      if (((candidates >>> i) & 1) === 0) continue;
      let said: Probe = Probe.NO;
      try {
        said = probers[i].probe(fromOrig, from, offset, length);
      } catch {
        counters[Counter.L7_FAULTS]++;
      }
      if (said === Probe.TUNNEL) {
        tunnelled = true;
        return i;
      }
      if (said === Probe.YES && known < 0) known = i;
      if (said === Probe.NO) candidates &= ~(1 << i);
    }
    ss[s + Stream.L7_WHICH] = candidates;
    return known;
  }

  function bufferOf(n: number, dir: number): ProbeBuffer {
    const known = probing[n];
    if (known !== undefined) return known;
    const buffer = freeBuffers.pop() ?? {
      bytes: [new Uint8Array(most), new Uint8Array(most)],
      length: new Int32Array(2),
      first: dir,
    };
    buffer.length.fill(0);
    buffer.first = dir;
    probing[n] = buffer;
    return buffer;
  }

  function probe(c: number, s: number, dir: number, from: Uint8Array, offset: number, length: number): void {
    const n = numberOf(s);
    let buffer = probing[n];
    let taken = 0;
    let which: number;
    if (buffer === undefined || buffer.length[dir] === 0) {
      which = ask(s, dir === 0, from, offset, length);
    } else {
      taken = Math.min(length, most - buffer.length[dir]);
      append(buffer, dir, from, offset, taken);
      which = ask(s, dir === 0, buffer.bytes[dir], 0, buffer.length[dir]);
    }
    if (which >= 0) {
      // The parser gets what was kept, in the order of arrival, then the rest of this piece.
      probing[n] = undefined;
      let alive = identified(c, s, which);
      if (buffer !== undefined) {
        for (const side of [buffer.first, 1 - buffer.first]) {
          if (alive) alive = feed(c, s, side === 0, buffer.bytes[side], 0, buffer.length[side]);
        }
        freeBuffers.push(buffer);
      }
      if (alive) feed(c, s, dir === 0, from, offset + taken, length - taken);
      return;
    }
    if (ss[s + Stream.L7_WHICH] === 0) {
      unidentified(c, s);
      return;
    }
    if (taken === 0) {
      taken = Math.min(length, most);
      buffer = bufferOf(n, dir);
      append(buffer, dir, from, offset, taken);
    }
    if (taken < length) unidentified(c, s);
  }

  function append(buffer: ProbeBuffer, dir: number, from: Uint8Array, offset: number, length: number): void {
    buffer.bytes[dir].set(from.subarray(offset, offset + length), buffer.length[dir]);
    buffer.length[dir] += length;
  }

  return {
    wants: (tcp) => masks[tcp ? 1 : 0] !== 0,
    open(s, tcp) {
      ss[s + Stream.L7] = L7State.PROBING;
      ss[s + Stream.L7_WHICH] = masks[tcp ? 1 : 0];
    },
    data(c, s, dir, row, lost) {
      const offset = pkt[row + Pkt.PAYLOAD];
      const length = pkt[row + Pkt.CAPPAY];
      if (ss[s + Stream.L7] === L7State.PARSING) {
        if (lost > 0 && !missing(c, s, dir === 0, lost)) return;
      } else if (lost > 0 && ss[s + Stream.L7] === L7State.PROBING) {
        // Behind a hole there is no telling any more.
        unidentified(c, s);
      }
      take(c, s, dir, bytes, offset, length);
    },
    none,
    end(c, s) {
      if (ss[s + Stream.L7] === L7State.PROBING) {
        unidentified(c, s);
        return;
      }
      const parser = active[numberOf(s)];
      if (parser === undefined) return;
      parser.end();
      takeSessions(c, parser);
      done(c, s);
    },
    release,
  };
}
