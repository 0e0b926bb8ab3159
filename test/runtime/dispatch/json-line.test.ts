import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ConnMeta, Rec } from '../../../runtime/conntrack/layout.ts';
import { ConnRecord } from '../../../runtime/datatypes/conn-record.ts';
import { FiveTuple } from '../../../runtime/datatypes/five-tuple.ts';
import { Lifespan } from '../../../runtime/datatypes/lifespan.ts';
import { createEmitter } from '../../../runtime/dispatch/emit.ts';
import { createLineWriter, timeDigits } from '../../../runtime/dispatch/json-line.ts';
import { secondsText } from '../../../runtime/dispatch/json-text.ts';

const test = suite('dispatch/json-line');

test('a line has subscription, time, then the parameters in order', () => {
  const line = createLineWriter();
  const tls = { toJSON: () => ({ sni: 'a"b\n', version: null }) };
  assert.is(
    line('hand"shakes', 1_700_000_000, 120_000, { tls, count: 3, none: undefined, big: 2n ** 60n, nan: Number.NaN }),
    '{"subscription":"hand\\"shakes","ts":1700000000.000120,"tls":{"sni":"a\\"b\\n","version":null},"count":3,' +
      '"none":null,"big":1152921504606846976,"nan":null}\n',
  );
  assert.is(line('x', 1, 1, {}), '{"subscription":"x","ts":1.000000001}\n');
});

test('times are the exact digits: six, or nine when there are nanoseconds', () => {
  assert.is(timeDigits(0, 0), '0.000000');
  assert.is(timeDigits(-1, 999_999_999), '4294967295.999999999');
  assert.is(timeDigits(7, 10), '7.000000010');
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 0xffffffff }), fc.integer({ min: 0, max: 999_999_999 }), (sec, nsec) => {
      const [whole, fraction] = timeDigits(sec | 0, nsec).split('.');
      assert.is(Number(whole), sec);
      assert.is(Number(fraction.padEnd(9, '0')), nsec);
      assert.is(fraction.length, nsec % 1000 === 0 ? 6 : 9);
    }),
  );
});

test('any values make one line of JSON with the same values', () => {
  fc.assert(
    fc.property(fc.string(), fc.dictionary(fc.string(), fc.jsonValue()), (name, values) => {
      const line = createLineWriter()(name, 5, 0, values);
      assert.is(line.indexOf('\n'), line.length - 1);
      const parsed = JSON.parse(line);
      for (const key of Object.keys(values)) {
        if (key !== 'subscription' && key !== 'ts' && key !== '__proto__') {
          assert.equal(parsed[key], JSON.parse(JSON.stringify(values[key])));
        }
      }
    }),
  );
});

test('the emitter takes the clock at each delivery and counts by subscription', () => {
  const clock = new Int32Array([10, 0]);
  const lines: string[] = [];
  const { emit, delivered } = createEmitter(clock, (line) => lines.push(line), ['never', 'flows']);
  emit('flows', { n: 1 });
  clock.set([11, 5000]);
  emit('flows', { n: 2 });
  emit('other', {});
  assert.equal(lines, [
    '{"subscription":"flows","ts":10.000000,"n":1}\n',
    '{"subscription":"flows","ts":11.000005,"n":2}\n',
    '{"subscription":"other","ts":11.000005}\n',
  ]);
  assert.equal(
    [...delivered],
    [
      ['never', 0],
      ['flows', 2],
      ['other', 1],
    ],
  );
});

/** A record as a delivery has it: columns that a connection left behind, and the flyweights of its ends and times. */
function record(rec: Int32Array, addr6: Int32Array, end: number): ConnRecord {
  const recF = new Float64Array(rec.buffer);
  recF[Rec.LAST >> 1] = (rec[Rec.START_SEC] >>> 0) + (rec[10] >>> 0) / 1e6;
  const conn = new ConnRecord();
  for (let dir = 0; dir < 2; dir++) {
    conn.packets[dir] = rec[16 + dir];
    conn.lowBytes[dir] = rec[18 + dir] >>> 0;
    conn.carriedBytes[dir] = rec[18 + dir] & 4095;
    conn.lowPayload[dir] = rec[20 + dir] >>> 0;
    // Most ends have nothing amiss.
    if (rec[22 + dir] % 2 === 0) continue;
    conn.malformed[dir] = rec[24 + dir] & 3;
    conn.lateStart[dir] = rec[26 + dir] & 3;
    conn.retransmitted[dir] = rec[28 + dir] & 3;
    if (rec[30 + dir] % 2 === 0) continue;
    conn.maxGaps[dir] = (rec[32 + dir] & 7) + 1;
    conn.forgottenGaps[dir] = rec[34 + dir] & 3;
    conn.forgottenBytes[dir] = rec[36 + dir] & 0xffff;
    conn.holeEnd[dir * 2] = rec[38 + dir];
  }
  conn.silenceMicros = rec[40] >>> 0;
  conn.secondTime = rec[41] % 2 === 0 ? 0 : recF[Rec.LAST >> 1];
  conn.seen = (6 << 24) | 1;
  conn.letters.set([rec[42] & 0x0a5294a5, rec[43] & 0x0a5294a5]);
  rec[Rec.META] = (rec[Rec.META] & ~(7 << ConnMeta.END_SHIFT)) | (end << ConnMeta.END_SHIFT);
  const fiveTuple = new FiveTuple({ rec, addr6 }, 64).at(0);
  Object.assign(conn, { fiveTuple, lifespan: new Lifespan({ rec, recF }).at(0) });
  return conn;
}

test('connections are written as JSON.stringify writes them', () => {
  const word = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
  const words = (n: number) => fc.array(fc.oneof(word, fc.nat(20)), { minLength: n, maxLength: n });
  fc.assert(
    fc.property(words(64), words(8), fc.nat(7), fc.nat(999_999_999), (raw, addresses, end, nsec) => {
      const rec = Int32Array.from(raw);
      rec[Rec.START_NSEC] = nsec;
      const conn = record(rec, Int32Array.from(addresses), end);
      const line = createLineWriter()('flows', 1, 0, { conn, tuple: conn.fiveTuple });
      const values = { conn: conn.toJSON(), tuple: conn.fiveTuple.toJSON() };
      assert.is(line, `{"subscription":"flows","ts":1.000000,${JSON.stringify(values).slice(1)}\n`);
    }),
    { numRuns: 500 },
  );
});

test('a class with a toJSON of its own is written by it', () => {
  class Short extends ConnRecord {
    override toJSON(): never {
      return 'mine' as never;
    }
  }
  assert.is(
    createLineWriter()('flows', 1, 0, { conn: new Short() }),
    '{"subscription":"flows","ts":1.000000,"conn":"mine"}\n',
  );
});

test('seconds have the digits of their double, whether they are microseconds or not', () => {
  const sec = fc.oneof(fc.integer({ min: 0, max: 2 ** 32 - 1 }), fc.integer({ min: 0, max: 100_000 }), fc.nat(10));
  const time = fc.record({ sec, nsec: fc.integer({ min: 0, max: 999_999_999 }), whole: fc.boolean() });
  fc.assert(
    fc.property(time, fc.double(), ({ sec, nsec, whole }, any) => {
      const fraction = whole ? Math.floor(nsec / 1000) * 1000 : nsec;
      const micros = sec * 1e6 + Math.floor(nsec / 1000);
      for (const value of [sec + fraction * 1e-9, micros / 1e6, sec, nsec / 1e6]) {
        assert.is(secondsText(value), String(value));
        assert.is(secondsText(-value), String(-value));
      }
      if (Number.isFinite(any)) assert.is(secondsText(any), String(any));
    }),
    { numRuns: 5000 },
  );
});

test.run();
