/** What really happened: per connection the ends, counts as captured, what was lost, and what was said. */
import type { Facts } from './apps.ts';
import { type Ending, FIN, RST } from './script.ts';
import { Slot } from './slot.ts';
import { IPV6_PREFIX, T, type Templates } from './template.ts';

/** One direction, counted over the packets in the capture. */
export interface TruthEnd {
  readonly addr: string;
  readonly port: number;
  readonly packets: number;
  /** Bytes on the wire, Ethernet header included. */
  readonly frameBytes: number;
  /** Bytes from the IP header on. */
  readonly ipBytes: number;
  /** Payload bytes, repeated packets counted again. */
  readonly payloadBytes: number;
  /** Payload bytes sent but in no packet of the capture. */
  readonly missingBytes: number;
}

export interface Truth {
  /** Connections are numbered in the order of their first packets. */
  readonly connection: number;
  readonly proto: 'tcp' | 'udp';
  readonly orig: TruthEnd;
  readonly resp: TruthEnd;
  /** Times of the first and last packet: seconds, nanoseconds. */
  readonly first: readonly [number, number];
  readonly last: readonly [number, number];
  /** How it ends in the capture; UDP and what was cut off by the end of the capture are `open`. */
  readonly ending: Ending;
  /** Packets missing, late, and repeated. */
  readonly lost: number;
  readonly reordered: number;
  readonly repeated: number;
  /** All of its script was played. */
  readonly complete: boolean;
  /** Which script, and how often its repeating part was played. */
  readonly script: number;
  readonly repeats: number;
  readonly facts: Facts;
}

/** Float64 words per connection under way; those of the responder follow those of the originator. */
const enum L {
  STRIDE = 16,
  PACKETS = 0,
  FRAME = 2,
  IP = 4,
  PAYLOAD = 6,
  MISSING = 8,
  LOST = 10,
  REORDERED = 11,
  REPEATED = 12,
  /** Nanoseconds since the start. */
  FIRST = 13,
  LAST = 14,
}

export interface Ledger {
  open(index: number): void;
  count(index: number, t: number, sec: number, nsec: number): void;
  lost(index: number, dir: number, payload: number): void;
  reordered(index: number): void;
  repeated(index: number): void;
  move(from: number, to: number): void;
  close(index: number, slots: Int32Array, s: number, complete: boolean): void;
}

export function createLedger(
  live: number,
  templates: Templates,
  start: number,
  onTruth: (truth: Truth) => void,
): Ledger {
  const sums = new Float64Array(live * L.STRIDE);
  const { words: tpl, scripts } = templates;
  const startSec = Math.floor(start);
  const add = (at: number, value: number) => {
    sums[at] = (sums[at] ?? 0) + value;
  };

  function count(index: number, t: number, sec: number, nsec: number): void {
    const l = index * L.STRIDE;
    const dir = tpl[t + T.DIR] ?? 0;
    const now = (sec - startSec) * 1e9 + nsec;
    if (sums[l + L.PACKETS] === 0 && sums[l + L.PACKETS + 1] === 0) sums[l + L.FIRST] = now;
    sums[l + L.LAST] = now;
    add(l + L.PACKETS + dir, 1);
    add(l + L.FRAME + dir, tpl[t + T.WIRELEN] ?? 0);
    add(l + L.IP + dir, tpl[t + T.IPLEN] ?? 0);
    add(l + L.PAYLOAD + dir, tpl[t + T.PAYLOAD] ?? 0);
  }

  function lost(index: number, dir: number, payload: number): void {
    add(index * L.STRIDE + L.LOST, 1);
    add(index * L.STRIDE + L.MISSING + dir, payload);
  }

  function close(index: number, slots: Int32Array, s: number, complete: boolean): void {
    const l = index * L.STRIDE;
    const word = (at: number) => slots[s + at] ?? 0;
    const sum = (at: number) => sums[l + at] ?? 0;
    const script = scripts[word(Slot.SCRIPT)];
    if (script === undefined) throw new RangeError('no such script');
    const end = (dir: 0 | 1): TruthEnd => ({
      addr: address(word(dir === 0 ? Slot.CLIENT : Slot.SERVER), dir, script.ipv6),
      port: dir === 0 ? word(Slot.PORT) : script.port,
      packets: sum(L.PACKETS + dir),
      frameBytes: sum(L.FRAME + dir),
      ipBytes: sum(L.IP + dir),
      payloadBytes: sum(L.PAYLOAD + dir),
      missingBytes: sum(L.MISSING + dir),
    });
    const time = (at: number): [number, number] => {
      const sec = Math.floor(sum(at) / 1e9);
      return [startSec + sec, sum(at) - sec * 1e9];
    };
    const flags = script.script.segments.map((segment) => segment.flags);
    onTruth({
      connection: word(Slot.NUMBER),
      proto: script.proto === 6 ? 'tcp' : 'udp',
      orig: end(0),
      resp: end(1),
      first: time(L.FIRST),
      last: time(L.LAST),
      ending: complete && script.proto === 6 ? endingOf(flags) : 'open',
      lost: sum(L.LOST),
      reordered: sum(L.REORDERED),
      repeated: sum(L.REPEATED),
      complete,
      script: word(Slot.SCRIPT),
      repeats: word(Slot.REPEATS),
      facts: script.facts,
    });
  }

  return {
    open: (index) => void sums.fill(0, index * L.STRIDE, (index + 1) * L.STRIDE),
    count,
    lost,
    reordered: (index) => add(index * L.STRIDE + L.REORDERED, 1),
    repeated: (index) => add(index * L.STRIDE + L.REPEATED, 1),
    move: (from, to) => void sums.copyWithin(to * L.STRIDE, from * L.STRIDE, (from + 1) * L.STRIDE),
    close,
  };
}

/** As text; IPv6 in the form of RFC 5952. */
function address(word: number, dir: 0 | 1, ipv6: boolean): string {
  if (!ipv6) return [word >>> 24, (word >>> 16) & 0xff, (word >>> 8) & 0xff, word & 0xff].join('.');
  const net = `2001:db8:${Number.parseInt(IPV6_PREFIX[dir].slice(8, 12), 16).toString(16)}`;
  return `${net}::${(word >>> 16).toString(16)}:${(word & 0xffff).toString(16)}`;
}

/** How a script ends, by its last packets. */
function endingOf(flags: readonly number[]): Ending {
  if (flags.some((value) => value > 0 && value & RST)) return 'rst';
  return flags.some((value) => value > 0 && value & FIN) ? 'fin' : 'open';
}
