/**
 * Fuzzes what lies between a frame and the bytes of a stream. `packets`: frames of every link layer, tunnel and kind of
 * fragment, nearly right, which the decoder and the engine must take without a fault, each counted once and never read
 * behind its end. `streams`: TCP streams cut, reordered, repeated and lost, of which no byte may be delivered that was
 * not sent at its place.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { DECAP_ALL } from '../../runtime/packet/decap-config.ts';
import { createDecoder } from '../../runtime/packet/decode.ts';
import { createFragmentTable } from '../../runtime/packet/fragments.ts';
import { LinkType, Meta, type PacketMemory, Pkt } from '../../runtime/packet/layout.ts';
import { Counter, createCounters, namedCounters } from '../../runtime/stats/counters.ts';
import { snap, wifiFragments } from '../support/encapsulations.ts';
import { createEngine, type Frame, packetMemory, type Told } from '../support/engine.ts';
import * as make from '../support/frames.ts';
import { createRandom, type Random } from '../traffic/random.ts';
import { FRAMES } from './frames.ts';
import { cpuMs, type FuzzResult } from './fuzz.ts';

const T0 = 1_700_000_000;
/** The slab lies in front of the frames here, but not at 0: an offset of 0 means that there is none. */
const SLAB_AT = 64;
/** As many datagrams as it takes for 802.11 fragments to have a place, too. */
const SLAB = SLAB_AT + 5 * 65536;
const ROOM = 1 << 17;
/** Numbers at which lengths and types turn. */
const EDGES = [0, 1, 2, 4, 5, 6, 8, 17, 20, 40, 41, 44, 47, 60, 0x40, 0x45, 0x46, 0x4f, 0x60, 0x7f, 0x80, 0xfe, 0xff];

/** An 802.11 frame in fragments, each of which may be spoilt. */
function spoiltFragments(random: Random) {
  const size = Math.ceil(snap.length / (2 + random.below(3)));
  const frames = wifiFragments(snap, size, { sequence: random.below(3), sender: random.below(3) });
  return frames.map((bytes) => {
    const sample = { bytes, link: LinkType.IEEE802_11 };
    return random.chance(0.8) ? { ...sample, wirelen: bytes.length } : spoilt(random, sample);
  });
}

/** A frame, spoilt; or what was on the wire of it, cut. */
function spoilt(random: Random, sample = random.pick(FRAMES)): { bytes: Uint8Array; wirelen: number; link: number } {
  let bytes: Uint8Array = sample.bytes.slice();
  for (let n = random.below(4); n > 0; n--) {
    const at = random.below(bytes.length + 1);
    switch (random.below(7)) {
      case 0:
        bytes[at] = random.below(256);
        break;
      case 1:
        bytes[at] = random.pick(EDGES);
        break;
      case 2:
        bytes[at] ^= 1 << random.below(8);
        break;
      case 3:
        bytes = make.concat(bytes.slice(0, at), bytes.slice(at + 1 + random.below(20)));
        break;
      case 4: {
        // Another frame in the middle of this one: tunnels where nobody expects them.
        const other = random.pick(FRAMES).bytes;
        bytes = make.concat(bytes.slice(0, at), other.slice(random.below(other.length)), bytes.slice(at));
        break;
      }
      case 5:
        bytes = make.concat(bytes, random.fill(new Uint8Array(random.below(60))));
        break;
      default:
        bytes = bytes.slice(0, at);
    }
  }
  const link = random.chance(0.02) ? random.pick(FRAMES).link : sample.link;
  const wirelen = bytes.length + (random.chance(0.1) ? random.below(2000) : 0);
  return { bytes: bytes.slice(0, ROOM), wirelen, link };
}

/** Counters of the reasons for a frame without TCP or UDP: each such frame is in exactly one. */
const REASONS = Array.from(
  { length: Counter.MALFORMED - Counter.TRUNCATED_LINK },
  (_, i) => Counter.TRUNCATED_LINK + i,
);

/** The decoder alone, with each frame at the very end of memory: a read behind it throws. */
function createBareDecoder(seed: number) {
  const counters = createCounters();
  const pkt = new Int32Array(2 * Pkt.STRIDE);
  const pktF = new Float64Array(pkt.buffer);
  const bytes = new Uint8Array(SLAB + ROOM);
  const memory: PacketMemory = {
    bytes,
    view: new DataView(bytes.buffer),
    slabOffset: SLAB_AT,
    slabLength: SLAB - SLAB_AT,
  };
  const fragments = createFragmentTable(memory, pkt, pktF, counters, { offset: SLAB_AT, bytes: SLAB - SLAB_AT });
  const decode = createDecoder(memory, pkt, { seed, counters, fragments, decap: DECAP_ALL });
  let ts = T0;
  let packets = 0;
  let frames = 0;
  return ({ bytes: frame, wirelen, link }: ReturnType<typeof spoilt>) => {
    const at = bytes.length - frame.length;
    bytes.set(frame, at);
    ts += 0.25;
    pkt.fill(-1);
    pkt[Pkt.OFFSET] = at;
    pkt[Pkt.CAPLEN] = frame.length;
    pkt[Pkt.WIRELEN] = wirelen;
    pkt[Pkt.SEC] = Math.floor(ts);
    pkt[Pkt.NSEC] = (ts % 1) * 1e9;
    pkt[Pkt.LINK] = link;
    decode(1);
    do {
      const fault = faultOfPacket(at, frame.length, wirelen);
      if (fault !== undefined) return fault;
    } while (decode.next(0));
    return undefined;
  };

  function faultOfPacket(at: number, length: number, wirelen: number): string | undefined {
    frames++;
    const fault = faultOfRow(pkt, at, at + length, at + wirelen);
    if (fault !== undefined) return `${fault}: ${pkt.slice(0, Pkt.STRIDE).join(' ')}`;
    if ((pkt[Pkt.META] & Meta.L4) !== 0) packets++;
    const counted = REASONS.reduce((sum, reason) => sum + counters[reason], packets);
    const negative = counters.some((count) => count < 0);
    if (counted !== frames || negative)
      return `${frames} frames, ${counted} counted: ${JSON.stringify(namedCounters(counters))}`;
    return undefined;
  }
}

/** What is wrong with a decoded row. */
function faultOfRow(pkt: Int32Array, start: number, capEnd: number, wireEnd: number): string | undefined {
  const payload = pkt[Pkt.PAYLOAD];
  const inFrame = payload >= start;
  if ((pkt[Pkt.META] & Meta.L4) === 0)
    return pkt[Pkt.L4] === 0 && pkt[Pkt.PAYLEN] === 0 ? undefined : 'no L4, but payload';
  if (pkt[Pkt.CAPPAY] < 0 || pkt[Pkt.CAPPAY] > pkt[Pkt.PAYLEN]) return 'captured payload out of range';
  if (pkt[Pkt.CAPPAY] > 0 && payload + pkt[Pkt.CAPPAY] > (inFrame ? capEnd : SLAB)) return 'payload behind its end';
  if (inFrame && payload + pkt[Pkt.PAYLEN] > Math.max(capEnd, wireEnd)) return 'payload that was not on the wire';
  if (pkt[Pkt.L4] === 0 || pkt[Pkt.L3] === 0 || pkt[Pkt.IPLEN] < 28) return 'headers missing';
  return undefined;
}

/** A connection is opened once and cleared once, and nothing is told of it outside. */
function faultOfLives(told: readonly Told[]): string | undefined {
  const open = new Set<string>();
  for (const { what, conn } of told) {
    if (what === 'open') {
      if (open.has(conn)) return `${conn} opened twice`;
      open.add(conn);
    } else if (!open.has(conn)) return `${what} of ${conn}, which is not open`;
    if (what === 'clear') open.delete(conn);
  }
  return open.size === 0 ? undefined : `${[...open][0]} was never cleared`;
}

const memory = packetMemory(1 << 19, 1 << 21);

function packetsRun(random: Random, decode: ReturnType<typeof createBareDecoder>): [string | undefined, number] {
  const frames = Array.from({ length: 1 + random.below(100) }, () =>
    random.chance(0.03) ? spoiltFragments(random) : [spoilt(random)],
  ).flat();
  const shown = () => frames.map((f) => `${f.link} ${f.wirelen} ${Buffer.from(f.bytes).toString('hex')}`).join('\n');
  for (const frame of frames) {
    const fault = decode(frame);
    if (fault !== undefined) return [`${fault}\n${shown()}`, 0];
  }
  const engine = createEngine({
    memory,
    decap: DECAP_ALL,
    maxConnections: 1 + random.below(20),
    config: {
      verify_checksums: random.chance(0.1),
      init_data: true,
      init_synack: true,
      max_out_of_order: random.below(20),
      on_full: 'evict_oldest',
    },
  });
  let ts = T0;
  const timed = frames.map((frame): Frame => {
    ts += random.chance(0.1) ? random.below(100) : 0.001;
    return { ts, ...frame };
  });
  engine.run(timed, 1 + random.below(64));
  engine.drain(ts + 1000);
  const left = engine.tracker.connections();
  const fault = left !== 0 ? `${left} connections left` : faultOfLives(engine.told);
  return [fault === undefined ? undefined : `${fault}\n${shown()}`, engine.of('open').length];
}

/** One direction's bytes, at stream offsets, and what of them was sent. */
function streamsRun(random: Random): [string | undefined, number] {
  const length = 1 + random.below(6000);
  const base = random.next();
  const sent = random.fill(new Uint8Array(length));
  const seen = new Uint8Array(length);
  const flow = { sport: 1024 + random.below(60_000), dport: 80 };
  const segments: { seq: number; bytes: Uint8Array }[] = [];
  for (let at = 0; at < length; ) {
    const size = Math.min(length - at, 1 + random.below(1 << random.below(11)));
    const from = Math.max(0, at - (random.chance(0.2) ? random.below(100) : 0));
    const segment = { seq: base + 1 + from, bytes: sent.slice(from, at + size) };
    if (!random.chance(0.03)) {
      segments.push(segment);
      seen.fill(1, from, at + size);
    }
    if (random.chance(0.05)) segments.push(segment);
    if (random.chance(0.05)) seen.fill(1, from, at + size);
    at += size;
  }
  const disorder = random.below(20);
  segments.forEach((segment, i) => {
    const to = Math.min(segments.length - 1, i + random.below(disorder + 1));
    segments[i] = segments[to] ?? segment;
    segments[to] = segment;
  });
  let ts = T0;
  const opening = { ...flow, seq: base };
  const frames: Frame[] = [
    { ts, bytes: make.tcp({ ...opening, flags: make.SYN }) },
    { ts, bytes: make.tcp({ ...make.back(opening), seq: 7, ack: base + 1, flags: make.SYN | make.ACK }) },
    ...segments.map(({ seq, bytes }) => {
      ts += random.chance(0.02) ? 20 : 0.001;
      return { ts, bytes: make.tcp({ ...flow, seq, ack: 8, payload: bytes }) };
    }),
  ];
  const most = random.pick([0, 3, 100]);
  const engine = createEngine({ memory, config: { max_out_of_order: most } });
  engine.run(frames, 1 + random.below(64));
  engine.drain();
  let next = 0;
  for (const piece of engine.of('stream')) {
    const bytes = piece.bytes ?? new Uint8Array();
    const at = ((piece.seq ?? 0) - base - 1) | 0;
    if (at !== next + (piece.gap ?? 0)) return [`a piece at ${at}, a gap of ${piece.gap} behind ${next}`, 0];
    if (Buffer.compare(bytes, sent.subarray(at, at + bytes.length)) !== 0) return [`other bytes at ${at}`, 0];
    next = at + bytes.length;
  }
  const whole = engine.counters().stream_gaps === 0;
  const told = engine.of('stream').reduce((sum, piece) => sum + (piece.bytes?.length ?? 0), 0);
  const all = segments.reduce((most, { seq, bytes }) => Math.max(most, ((seq - base - 1) | 0) + bytes.length), 0);
  if (whole && told !== all) return [`${told} of ${all} bytes, and no gap`, 0];
  return [faultOfLives(engine.told), 1];
}

export const PACKET_TARGETS = ['packets', 'streams'] as const;

/** Runs between two turns of the event loop, in which the system's memory of engines that are gone is given back. */
const RUNS_A_TURN = 256;

/** Fuzzes until `enough` says so; it gets the number of runs. `sessions` are connections here. */
export async function fuzzPackets(
  target: (typeof PACKET_TARGETS)[number],
  seed: number,
  enough: (runs: number) => boolean,
): Promise<FuzzResult> {
  const random = createRandom(seed);
  const decode = createBareDecoder(seed);
  let runs = 0;
  let sessions = 0;
  let slowest = 0;
  while (!enough(runs)) {
    if (runs % RUNS_A_TURN === 0) await nextTurn();
    const start = cpuMs();
    let fault: string | undefined;
    try {
      const [what, connections] = target === 'packets' ? packetsRun(random, decode) : streamsRun(random);
      fault = what;
      sessions += connections;
    } catch (error) {
      fault = error instanceof Error ? (error.stack ?? error.message) : String(error);
    }
    slowest = Math.max(slowest, cpuMs() - start);
    runs++;
    if (fault !== undefined) {
      return { runs, sessions, slowest, fault: `${target}, seed ${seed}, run ${runs}: ${fault}` };
    }
  }
  return { runs, sessions, slowest, fault: undefined };
}
