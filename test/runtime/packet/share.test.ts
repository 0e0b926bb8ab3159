/** Cores that share packets: each frame is one core's, counted once, and looks there as it does to a core alone. */
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { createDecoder, type Share } from '../../../runtime/packet/decode.ts';
import { createFragmentTable } from '../../../runtime/packet/fragments.ts';
import { Hold, Meta, type PacketMemory, Pkt } from '../../../runtime/packet/layout.ts';
import { createCounters } from '../../../runtime/stats/counters.ts';
import * as make from '../../support/frames.ts';

const test = suite('share');
const SLAB = 1 << 20;
const ROOM = 1 << 17;
const BURST = 16;

/** Decodes frames in bursts; the decoder's words of each row, and what was counted. */
function decodeAll(frames: readonly Uint8Array[], share?: Share) {
  const counters = createCounters();
  const pkt = new Int32Array((BURST + 2) * Pkt.STRIDE);
  const pktF = new Float64Array(pkt.buffer);
  const bytes = new Uint8Array(SLAB + ROOM);
  const memory: PacketMemory = { bytes, view: new DataView(bytes.buffer), slabOffset: 0, slabLength: SLAB };
  const fragments = createFragmentTable(memory, pkt, pktF, counters, { offset: 0, bytes: SLAB });
  const decode = createDecoder(memory, pkt, {
    seed: 99,
    counters,
    fragments,
    ...(share === undefined ? {} : { share }),
  });
  const rows: { meta: number; words: number[]; hold: number }[] = [];
  for (let from = 0; from < frames.length; from += BURST) {
    const burst = frames.slice(from, from + BURST);
    let at = SLAB;
    burst.forEach((frame, i) => {
      const p = i * Pkt.STRIDE;
      bytes.set(frame, at);
      pkt.set([at, frame.length, frame.length, 1000 + i, 0, 1, 0, 0], p);
      at += frame.length;
    });
    decode(burst.length);
    burst.forEach((_, i) => {
      const p = i * Pkt.STRIDE;
      const words = [Pkt.L3, Pkt.L4, Pkt.PAYLEN, Pkt.SRC, Pkt.DST, Pkt.PORTS, Pkt.META, Pkt.HASH, Pkt.CAPPAY, Pkt.SEQ];
      rows.push({ meta: pkt[p + Pkt.META], words: words.map((word) => pkt[p + word]), hold: pkt[p + Pkt.HOLD] });
    });
  }
  return { rows, counters };
}

const host = fc.integer({ min: 1, max: 40 });
const port = fc.integer({ min: 1, max: 60 });
const payload = fc.string({ maxLength: 30 });
const plain = fc.record({ a: host, b: host, sport: port, dport: port, payload }).chain(({ a, b, ...rest }) => {
  const v4 = { src: `10.0.0.${a}`, dst: `10.0.1.${b}`, ...rest };
  const v6 = { src: `2001:db8::${a}`, dst: `2001:db8::1:${b}`, ...rest };
  return fc.constantFrom(make.tcp(v4), make.udp(v4), make.tcp(v6), make.udp(v6));
});
/** A datagram in two pieces, in either order. */
const pieces = fc.tuple(host, fc.integer({ min: 0, max: 999 }), fc.boolean()).map(([a, id, turned]) => {
  const whole = make.udpDatagram({ sport: 5, dport: a, payload: 'x'.repeat(40) });
  const piece = (fragment: number, bytes: Uint8Array) =>
    make.ethernet(0x0800, make.ip(17, bytes, { src: `10.0.0.${a}`, dst: '10.0.9.9', id, fragment }));
  const both = [piece(0x2000, whole.subarray(0, 24)), piece(3, whole.subarray(24))];
  return turned ? both.reverse() : both;
});
const broken = fc
  .tuple(plain, fc.nat(), fc.integer({ min: 0, max: 255 }), fc.boolean())
  .map(([frame, at, value, cut]) => {
    const bytes = Uint8Array.from(frame);
    bytes[at % bytes.length] = value;
    return cut ? bytes.subarray(0, 14 + (at % (bytes.length - 14))) : bytes;
  });
const traffic = fc
  .array(
    fc.oneof(
      { weight: 5, arbitrary: plain.map((frame) => [frame]) },
      pieces,
      broken.map((frame) => [frame]),
    ),
    {
      maxLength: 60,
    },
  )
  .map((groups) => groups.flat());

test('every frame is one core’s, and looks there as to a core alone; counts add up', () => {
  fc.assert(
    fc.property(traffic, fc.integer({ min: 2, max: 5 }), (frames, count) => {
      const alone = decodeAll(frames);
      const shares = Array.from({ length: count }, (_, index) => decodeAll(frames, { index, count }));
      alone.rows.forEach((row, i) => {
        const owners = shares.filter(({ rows }) => rows[i]?.meta !== Meta.FOREIGN);
        assert.is(owners.length, 1);
        assert.equal(owners[0]?.rows[i]?.words, row.words);
      });
      const sum = createCounters();
      for (const { counters } of shares) for (let i = 0; i < sum.length; i++) sum[i] += counters[i];
      assert.equal(sum, alone.counters);
    }),
  );
});

test('handed on: to its owner, or to all where only the owner of the whole can tell', () => {
  fc.assert(
    fc.property(traffic, fc.integer({ min: 2, max: 5 }), (frames, count) => {
      const taker = decodeAll(frames, { index: 0, count, handOff: true });
      // What each of the others gets, and what it makes of it, next to what it would of all.
      for (let index = 1; index < count; index++) {
        const sent = frames.filter((_, i) => {
          const hold = taker.rows[i]?.hold;
          return hold === Hold.FOR_ALL || hold === Hold.FOR_CORE - index;
        });
        const got = decodeAll(sent, { index, count });
        const all = decodeAll(frames, { index, count });
        const own = (rows: typeof all.rows) =>
          rows.filter(({ meta }) => meta !== Meta.FOREIGN).map(({ words }) => words.slice(2));
        assert.equal(own(got.rows), own(all.rows));
        assert.equal(got.counters, all.counters);
      }
      taker.rows.forEach(({ meta, hold }) => {
        if (hold <= Hold.FOR_CORE && hold !== Hold.FOR_ALL) assert.is(meta, Meta.FOREIGN);
        else if (hold === 0) assert.is.not(meta, Meta.FOREIGN);
      });
    }),
  );
});

test.run();
