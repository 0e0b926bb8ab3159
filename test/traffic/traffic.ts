/**
 * The generator: opens connections, lets them talk in random order, loses, delays and repeats packets, and keeps the
 * truth. Hot: a packet is a copy of its template with a few words patched in place.
 */
import type { TrafficOptions } from './options.ts';
import { createPool } from './pool.ts';
import { createRandom } from './random.ts';
import { ACK, type Dir, FIN, RST } from './script.ts';
import { Slot } from './slot.ts';
import { T } from './template.ts';
import { createLedger, type Truth } from './truth.ts';

/** Clients are 10.0.0.0/8 (RFC 1918), servers 100.64.0.0/10 (RFC 6598). */
const CLIENT_NET = 10 << 24;
const SERVER_NET = (100 << 24) | (64 << 16);
const MAX_CLIENTS = 1 << 24;
const MAX_SERVERS = 1 << 22;
/** A prime above the largest number of clients, so that multiplying by it permutes them. */
const CLIENT_STEP = 16_777_259;

export interface Traffic {
  /** Where `next` writes; its first `room` bytes are the caller's. */
  readonly bytes: Uint8Array;
  /** Writes the next frame at `at` and returns the bytes captured of it, or -1 at the end. */
  next(at: number): number;
  /** Of the latest frame. */
  readonly wireLength: number;
  readonly sec: number;
  readonly nsec: number;
  /** Number of the connection that sent it, in order of opening. */
  readonly connection: number;
  /** All that one side of a finished connection sent, in order, lost or not. */
  sent(truth: Truth, dir: Dir): Uint8Array;
}

/** `onTruth` gets every connection as it ends, and those still open at the end. */
export function createTraffic(options: TrafficOptions, room: number, onTruth?: (truth: Truth) => void): Traffic {
  check(options);
  const random = createRandom(options.seed);
  const pool = createPool(random, options);
  const { blob, words: tpl, scripts } = pool.templates;
  const bytes = new Uint8Array(room + blob.length);
  bytes.set(blob, room);
  const view = new DataView(bytes.buffer);

  const { connections, loss, reorder, retransmit, clients, servers } = options;
  let live = Math.min(options.live, connections);
  let promised = live;
  let opened = 0;
  let left = options.packets;
  const slots = new Int32Array(live * Slot.STRIDE);
  for (let i = 0; i < live; i++) slots[i * Slot.STRIDE] = -1;
  const ledger = onTruth === undefined ? undefined : createLedger(live, pool.templates, options.start, onTruth);
  const disturbed = loss > 0 || reorder > 0 || retransmit > 0;
  const lossBelow = loss * 0x100000000;
  const reorderBelow = lossBelow + reorder * 0x100000000;
  const retransmitBelow = reorderBelow + retransmit * 0x100000000;

  const unit = options.nanoseconds ? 1 : 1000;
  // Gaps are uniform between a half and one and a half of the mean, in hundredths of a unit, so that µs times keep the rate.
  const meanGap = Math.max(1, Math.round((1e9 / options.rate / unit) * 100));
  let hundredths = 0;
  let sec = Math.floor(options.start);
  let nsec = 0;
  let wireLength = 0;
  let connection = 0;

  function open(s: number): void {
    const number = opened++;
    const script = pool.draw(random);
    const { loopFrom, loopTo, count } = scriptOf(script);
    const [low, high] = options.repeats;
    const repeats = loopTo > loopFrom ? low + random.below(high - low + 1) : 1;
    const block = Math.floor(number / clients);
    const within = number - block * clients;
    const client = (within * CLIENT_STEP + options.seed) % clients;
    slots[s + Slot.SCRIPT] = script;
    slots[s + Slot.STEP] = 0;
    slots[s + Slot.STEPS] = count + (repeats - 1) * (loopTo - loopFrom);
    slots[s + Slot.REPEATS] = repeats;
    slots[s + Slot.CLIENT] = CLIENT_NET | client;
    slots[s + Slot.SERVER] = SERVER_NET | random.below(servers);
    slots[s + Slot.PORT] = 1024 + ((block + client * 7919) % 64512);
    slots[s + Slot.ISN_ORIG] = random.next();
    slots[s + Slot.ISN_RESP] = random.next();
    slots[s + Slot.PENDING] = -1;
    slots[s + Slot.NUMBER] = number;
    ledger?.open(s / Slot.STRIDE);
  }

  function scriptOf(index: number) {
    const script = scripts[index];
    if (script === undefined) throw new RangeError(`no script ${index}`);
    return script;
  }

  /** First step that closes or aborts the connection: nothing is delayed past it. */
  function closingStep(s: number): number {
    const { first, count } = scriptOf(slots[s + Slot.SCRIPT] as number);
    let back = 0;
    while (back < count) {
      const flags = tpl[(first + count - 1 - back) * T.STRIDE + T.FLAGS] as number;
      const ends = flags !== -1 && (flags & (FIN | RST)) !== 0;
      const lastAck = back === 0 && flags === ACK;
      if (!ends && !lastAck) break;
      back++;
    }
    return (slots[s + Slot.STEPS] as number) - back;
  }

  function finish(index: number): void {
    const s = index * Slot.STRIDE;
    ledger?.close(index, slots, s, true);
    if (promised < connections) {
      promised++;
      slots[s + Slot.SCRIPT] = -1;
      return;
    }
    live--;
    if (index !== live) {
      slots.copyWithin(s, live * Slot.STRIDE, (live + 1) * Slot.STRIDE);
      ledger?.move(live, index);
    }
  }

  /** Decides the fate of a packet with payload; false: nothing is sent now. */
  function disturb(index: number, s: number, step: number, t: number): boolean {
    const fate = random.next() >>> 0;
    if (fate >= retransmitBelow) return true;
    if (fate < lossBelow) {
      ledger?.lost(index, tpl[t + T.DIR] as number, tpl[t + T.PAYLOAD] as number);
      return false;
    }
    if ((slots[s + Slot.PENDING] as number) >= 0) return true;
    const late = fate < reorderBelow;
    const due = Math.min(step + 2 + random.below(3), closingStep(s));
    if (late && due <= step + 1) return true;
    slots[s + Slot.PENDING] = step;
    slots[s + Slot.DUE] = due;
    if (late) ledger?.reordered(index);
    else ledger?.repeated(index);
    return !late;
  }

  function next(at: number): number {
    while (live > 0 && left > 0) {
      const index = live === 1 ? 0 : random.below(live);
      const s = index * Slot.STRIDE;
      if ((slots[s + Slot.SCRIPT] as number) < 0) open(s);
      const script = scriptOf(slots[s + Slot.SCRIPT] as number);
      const nextStep = slots[s + Slot.STEP] as number;
      const steps = slots[s + Slot.STEPS] as number;
      const pending = slots[s + Slot.PENDING] as number;
      const late = pending >= 0 && nextStep >= Math.min(slots[s + Slot.DUE] as number, steps);
      const step = late ? pending : nextStep;
      if (late) slots[s + Slot.PENDING] = -1;
      else slots[s + Slot.STEP] = nextStep + 1;

      // From the step to its template and how many repetitions came before it.
      let template = step;
      let round = 0;
      if (step >= script.loopTo) {
        const length = script.loopTo - script.loopFrom;
        round = Math.min(
          Math.floor((step - script.loopFrom) / Math.max(length, 1)),
          (slots[s + Slot.REPEATS] as number) - 1,
        );
        template = step - round * length;
      }
      const t = (script.first + template) * T.STRIDE;
      const withPayload = (tpl[t + T.PAYLOAD] as number) > 0 && step > 0;
      if (disturbed && !late && withPayload && !disturb(index, s, step, t)) {
        if (isOver(s)) finish(index);
        continue;
      }
      const length = write(at, s, t, Math.imul(round, script.delta[0]), Math.imul(round, script.delta[1]));
      connection = slots[s + Slot.NUMBER] as number;
      ledger?.count(index, t, sec, nsec);
      left--;
      if (isOver(s)) finish(index);
      return length;
    }
    if (ledger !== undefined) {
      for (let i = 0; i < live; i++) {
        const s = i * Slot.STRIDE;
        if ((slots[s + Slot.SCRIPT] as number) >= 0) ledger.close(i, slots, s, false);
      }
    }
    live = 0;
    return -1;
  }

  function isOver(s: number): boolean {
    return (
      (slots[s + Slot.STEP] as number) >= (slots[s + Slot.STEPS] as number) && (slots[s + Slot.PENDING] as number) < 0
    );
  }

  function write(at: number, s: number, t: number, roundOrig: number, roundResp: number): number {
    const from = room + (tpl[t + T.OFFSET] as number);
    const length = tpl[t + T.CAPLEN] as number;
    bytes.copyWithin(at, from, from + length);
    const client = slots[s + Slot.CLIENT] as number;
    const server = slots[s + Slot.SERVER] as number;
    const port = slots[s + Slot.PORT] as number;
    const dir = tpl[t + T.DIR] as number;
    const address = at + (tpl[t + T.ADDRESS] as number);
    view.setInt32(address, dir === 0 ? client : server);
    view.setInt32(address + (tpl[t + T.ADDRESS_STEP] as number), dir === 0 ? server : client);
    const addresses = (client >>> 16) + (client & 0xffff) + (server >>> 16) + (server & 0xffff);
    const ipChecksum = tpl[t + T.IP_CHECKSUM] as number;
    if (ipChecksum !== 0) view.setUint16(at + ipChecksum, complement((tpl[t + T.IP_SUM] as number) + addresses));
    const l4 = at + (tpl[t + T.L4] as number);
    view.setUint16(l4 + (dir === 0 ? 0 : 2), port);
    let sum = (tpl[t + T.L4_SUM] as number) + addresses + port;
    const flags = tpl[t + T.FLAGS] as number;
    if (flags >= 0) {
      const orig = ((slots[s + Slot.ISN_ORIG] as number) + roundOrig) | 0;
      const resp = ((slots[s + Slot.ISN_RESP] as number) + roundResp) | 0;
      const seq = ((tpl[t + T.SEQ] as number) + (dir === 0 ? orig : resp)) | 0;
      view.setInt32(l4 + 4, seq);
      sum += (seq >>> 16) + (seq & 0xffff);
      if (flags & ACK) {
        const ack = ((tpl[t + T.ACKNO] as number) + (dir === 0 ? resp : orig)) | 0;
        view.setInt32(l4 + 8, ack);
        sum += (ack >>> 16) + (ack & 0xffff);
      }
    }
    const checksum = complement(sum);
    // RFC 768: a UDP checksum of zero is sent as all ones.
    view.setUint16(at + (tpl[t + T.L4_CHECKSUM] as number), flags < 0 && checksum === 0 ? 0xffff : checksum);
    wireLength = tpl[t + T.WIRELEN] as number;

    hundredths += (meanGap >> 1) + random.below(meanGap + 1);
    const units = Math.floor(hundredths / 100);
    hundredths -= units * 100;
    nsec += units * unit;
    while (nsec >= 1_000_000_000) {
      nsec -= 1_000_000_000;
      sec++;
    }
    return length;
  }

  function sent(truth: Truth, dir: Dir): Uint8Array {
    const { script, loopFrom, loopTo } = scriptOf(truth.script);
    const pieces: Uint8Array[] = [];
    const take = (from: number, to: number) => {
      for (const segment of script.segments.slice(from, to)) if (segment.dir === dir) pieces.push(segment.payload);
    };
    take(0, loopFrom);
    for (let i = 0; i < truth.repeats; i++) take(loopFrom, loopTo);
    take(loopTo, script.segments.length);
    return new Uint8Array(Buffer.concat(pieces));
  }

  return {
    bytes,
    next,
    sent,
    get wireLength() {
      return wireLength;
    },
    get sec() {
      return sec;
    },
    get nsec() {
      return nsec;
    },
    get connection() {
      return connection;
    },
  };
}

function complement(sum: number): number {
  let folded = (sum & 0xffff) + Math.floor(sum / 0x10000);
  while (folded > 0xffff) folded = (folded & 0xffff) + (folded >>> 16);
  return ~folded & 0xffff;
}

/** A frame as `generate` yields it; valid until the next one is asked for. */
export interface Packet {
  readonly bytes: Uint8Array;
  readonly wireLength: number;
  readonly sec: number;
  readonly nsec: number;
  readonly connection: number;
}

/** All packets of `options`, one by one. */
export function* generate(options: TrafficOptions, onTruth?: (truth: Truth) => void): Generator<Packet> {
  const room = 65536 + 256;
  const traffic = createTraffic(options, room, onTruth);
  for (let length = traffic.next(0); length >= 0; length = traffic.next(0)) {
    const { wireLength, sec, nsec, connection } = traffic;
    yield { bytes: traffic.bytes.subarray(0, length), wireLength, sec, nsec, connection };
  }
}

function check(options: TrafficOptions): void {
  const whole = (name: keyof TrafficOptions, low: number, high: number) => {
    const value = options[name] as number;
    if (!(value >= low && value <= high)) throw new RangeError(`${name}: ${value} is not between ${low} and ${high}`);
  };
  whole('connections', 1, 0xffffffff);
  whole('packets', 1, Number.POSITIVE_INFINITY);
  whole('live', 1, 1 << 26);
  whole('variety', 1, 1024);
  whole('clients', 1, MAX_CLIENTS);
  whole('servers', 1, MAX_SERVERS);
  whole('snaplen', 96, 65535);
  whole('rate', 1, 1e9);
  for (const name of ['ipv6', 'vlan', 'rst', 'halfOpen', 'loss', 'reorder', 'retransmit'] as const) whole(name, 0, 1);
  const [low, high] = options.repeats;
  if (!(low >= 1 && high >= low)) throw new RangeError(`repeats: ${low}..${high} is not a range from 1 on`);
  if (options.loss + options.reorder + options.retransmit > 1)
    throw new RangeError('loss, reorder and retransmit exceed 1');
}
