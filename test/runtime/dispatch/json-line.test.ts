import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ConnMeta, Rec } from '../../../runtime/conntrack/layout.ts';
import { ConnRecord } from '../../../runtime/datatypes/conn-record.ts';
import { FiveTuple } from '../../../runtime/datatypes/five-tuple.ts';
import { Lifespan } from '../../../runtime/datatypes/lifespan.ts';
import { createEmitter } from '../../../runtime/dispatch/emit.ts';
import { createLineWriter } from '../../../runtime/dispatch/json-line.ts';
import { createLineStore, storedText } from '../../../runtime/dispatch/line-store.ts';
import type { Column, ColumnType } from '../../../runtime/subscription/column.ts';
import { columnView } from '../../../runtime/subscription/column-view.ts';
import { written } from '../../support/lines.ts';

const test = suite('dispatch/json-line');

/** A line by itself. */
function line(subscription: string, sec: number, nsec: number, values: Readonly<Record<string, unknown>>): string {
  return written((out) => createLineWriter(out)(subscription, sec, nsec, values));
}

test('a line has subscription, time, then the parameters in order', () => {
  const tls = { toJSON: () => ({ sni: 'a"b\n', version: null }) };
  assert.is(
    line('hand"shakes', 1_700_000_000, 120_000, { tls, count: 3, none: undefined, big: 2n ** 60n, nan: Number.NaN }),
    '{"subscription":"hand\\"shakes","ts":1700000000.000120,"tls":{"sni":"a\\"b\\n","version":null},"count":3,' +
      '"none":null,"big":1152921504606846976,"nan":null}\n',
  );
  assert.is(line('x', 1, 1, {}), '{"subscription":"x","ts":1.000000001}\n');
});

test('any values make one line of JSON with the same values', () => {
  fc.assert(
    fc.property(fc.string(), fc.dictionary(fc.string(), fc.jsonValue()), (name, values) => {
      const text = line(name, 5, 0, values);
      assert.is(text.indexOf('\n'), text.length - 1);
      const parsed = JSON.parse(text);
      for (const key of Object.keys(values)) {
        if (key !== 'subscription' && key !== 'ts' && key !== '__proto__') {
          assert.equal(parsed[key], JSON.parse(JSON.stringify(values[key])));
        }
      }
    }),
  );
});

/** An emitter whose lines are kept as they come. */
function emitterOf(clock: Int32Array, names: readonly string[]) {
  const { out, put } = createLineStore();
  const lines: string[] = [];
  const add = () => {
    const stored = { block: { bytes: Buffer.alloc(0), texts: 0 }, from: 0, to: 0 };
    put(stored);
    lines.push(storedText(stored));
  };
  return { ...createEmitter(clock, { out, add }, names), lines };
}

test('the emitter takes the clock at each delivery and counts by subscription', () => {
  const clock = new Int32Array([10, 0]);
  const { emit, delivered, lines } = emitterOf(clock, ['never', 'flows']);
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

test('a value that throws leaves nothing of its line', () => {
  const { emit, lines, delivered } = emitterOf(new Int32Array([10, 0]), ['flows']);
  const broken = {
    toJSON() {
      throw new RangeError('mine');
    },
  };
  assert.throws(() => emit('flows', { n: 1, broken }), RangeError);
  emit('flows', { n: 2 });
  assert.equal(lines, ['{"subscription":"flows","ts":10.000000,"n":2}\n']);
  assert.is(delivered.get('flows'), 1);
});

const WORDS = 64;
/** The fields of ConnRecord, in some order: type and length. */
const FIELDS: Readonly<Record<string, readonly [ColumnType, length: number, rare?: boolean]>> = {
  packets: ['u32', 2],
  lowBytes: ['u32', 2],
  lowPayload: ['u32', 2],
  nextSeq: ['u32', 2],
  silenceMicros: ['u32', 0],
  seen: ['u32', 0],
  letters: ['u32', 2],
  baseSeq: ['u32', 2],
  secondTime: ['f64', 0],
  malformed: ['u32', 2, true],
  carriedBytes: ['u32', 2, true],
  carriedPayload: ['u32', 2, true],
  lateStart: ['u32', 2, true],
  retransmitted: ['u32', 2, true],
  maxGaps: ['u32', 2, true],
  forgottenGaps: ['u32', 2, true],
  forgottenBytes: ['f64', 2, true],
  holeStart: ['u32', 4, true],
  holeEnd: ['u32', 4, true],
};

/** Gives every field its words, doubles on even ones. */
function placeFields(): Column[] {
  const next = { near: Rec.PLAN, rare: 0 };
  return Object.entries(FIELDS).map(([name, [type, length, rare = false]]) => {
    const kind = rare ? 'rare' : 'near';
    const word = next[kind] + (type === 'f64' ? next[kind] & 1 : 0);
    next[kind] = word + Math.max(length, 1) * (type === 'f64' ? 2 : 1);
    return { name, type, word, ...(length === 0 ? {} : { length }), ...(rare ? { rare } : {}) };
  });
}

/** The flyweight of record 1 of memory with these words, and its five-tuple. */
function record(raw: readonly number[], addresses: readonly number[], rareRaw: readonly number[]) {
  const rec = Int32Array.from([...new Array<number>(WORDS).fill(0), ...raw]);
  const rare = Int32Array.from([...new Array<number>(WORDS).fill(0), ...rareRaw]);
  const recF = new Float64Array(rec.buffer);
  const addr6 = Int32Array.from([...new Array<number>(8).fill(0), ...addresses]);
  const columns = placeFields();
  const word = (name: string) => columns.find((column) => column.name === name)?.word ?? Number.NaN;
  const c = WORDS;
  const seconds = (rec[c + Rec.START_SEC] ?? 0) >>> 0;
  recF[(c + Rec.LAST) >> 1] = seconds + ((rec[c + 10] ?? 0) >>> 0) / 1e6;
  recF[(c + word('secondTime')) >> 1] = (raw[40] ?? 0) % 2 === 0 ? 0 : seconds + ((raw[41] ?? 0) >>> 0) / 1e6;
  // No letter is beyond the last one.
  for (const i of [0, 1]) rec[c + word('letters') + i] = (raw[42 + i] ?? 0) & 0x2b5ad6b5 & 0x1ef7bdef & 0x35ad6b5a;
  rec[c + word('seen')] = ((raw[44] ?? 0) & 0xffffff) | ((((raw[45] ?? 0) >>> 1) % 13) << 24);
  const rareF = new Float64Array(rare.buffer);
  for (const dir of [0, 1]) rareF[((c + word('forgottenBytes')) >> 1) + dir] = (rareRaw[dir] ?? 0) >>> 0;
  const fiveTuple = new FiveTuple({ rec, addr6 }, WORDS);
  const lifespan = new Lifespan({ rec, recF });
  const view = columnView({ rec, recF, rare }, ConnRecord, columns, { fiveTuple, lifespan });
  return { conn: view.at(c), copy: () => view.copy(), tuple: fiveTuple.at(c) };
}

test('connections are written as JSON.stringify writes them', () => {
  const word = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
  const words = (n: number) => fc.array(fc.oneof(word, fc.nat(20)), { minLength: n, maxLength: n });
  const proto = fc.constantFrom(6, 17, 1, 132);
  let odd = 0;
  fc.assert(
    fc.property(
      words(WORDS),
      words(8),
      words(WORDS),
      fc.record({ proto, end: fc.nat(7), nsec: fc.nat(999_999_999), rare: fc.boolean() }),
      (raw, addresses, rareRaw, { proto, end, nsec, rare }) => {
        const own = [...raw];
        own[Rec.START_NSEC] = nsec;
        const flags = (own[Rec.META] ?? 0) & ConnMeta.IPV6;
        own[Rec.META] = proto | flags | (end << ConnMeta.END_SHIFT) | (rare ? ConnMeta.RARE : 0);
        const { conn, copy, tuple } = record(own, addresses, rareRaw);
        const values = { conn: conn.toJSON(), tuple: tuple.toJSON() };
        const expected = `{"subscription":"flows","ts":1.000000,${JSON.stringify(values).slice(1)}\n`;
        assert.is(line('flows', 1, 0, { conn, tuple }), expected);
        assert.is(line('flows', 1, 0, { conn: copy(), tuple: tuple.copy() }), expected);
        assert.is(JSON.stringify(conn), JSON.stringify(values.conn));
        if (conn.contentGaps(0) > 0 && conn.history.length > 6 && conn.bytes[1] > 2 ** 32) odd++;
      },
    ),
    { numRuns: 2000 },
  );
  // Connections of all kinds were among them.
  assert.ok(odd > 10, `${odd}`);
});

test('a class with a toJSON of its own is written by it', () => {
  class Short extends ConnRecord {
    override toJSON(): never {
      return 'mine' as never;
    }
  }
  class Named extends FiveTuple {
    override toJSON(): never {
      return 'ends' as never;
    }
  }
  const rec = new Int32Array(WORDS * 2);
  const tuple = new Named({ rec, addr6: new Int32Array(16) }, WORDS);
  const view = columnView({ rec, recF: new Float64Array(rec.buffer) }, Short, placeFields());
  const expected = '{"subscription":"flows","ts":1.000000,"conn":"mine","tuple":"ends"}\n';
  assert.is(line('flows', 1, 0, { conn: view.at(WORDS), tuple }), expected);
});

test.run();
