import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { addressSteps, createClassifier, type FamilyRule, rangeMap } from '../../../runtime/subscription/classifier.ts';

const SEED = Number(process.env.IRIS_SEED ?? Date.now() % 1_000_000);
const test = suite('lookups of many constants');

/** Small values, ports, addresses, and the edges of each. */
const value = fc.oneof(
  fc.nat(20),
  fc.nat(0xffff),
  fc.nat(0xffffffff),
  fc.constantFrom(0, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xffffffff),
);
const range = fc.tuple(value, value).map(([a, b]) => [Math.min(a, b), Math.max(a, b)] as const);

test('a range map says what a search through all ranges says', () => {
  console.log(`seed ${SEED}`);
  const cases = fc.tuple(fc.array(range, { maxLength: 40 }), fc.array(value, { minLength: 20, maxLength: 60 }));
  fc.assert(
    fc.property(cases, ([ranges, values]) => {
      const find = rangeMap(ranges.flatMap(([low, high], i) => [low, high, i + 1]));
      for (const v of [...values, ...ranges.flatMap(([low, high]) => [low, high, high + 1, low - 1])]) {
        if (v < 0 || v > 0xffffffff) continue;
        const wanted = ranges.findIndex(([low, high]) => low <= v && v <= high) + 1;
        assert.is(find(v), wanted);
        assert.is(find(v | 0), wanted);
      }
    }),
    { seed: SEED, numRuns: 200 },
  );
});

test('a classifier finds the members that a search through all rules finds', () => {
  const rule: fc.Arbitrary<FamilyRule> = fc.record({
    member: fc.nat(70),
    ranges: fc.array(
      fc.array(range, { maxLength: 2 }).map((list) => list.flat()),
      { maxLength: 4 },
    ),
  });
  const cases = fc.tuple(
    fc.array(rule, { minLength: 1, maxLength: 80 }),
    fc.array(fc.tuple(value, value, value, value), { minLength: 10, maxLength: 20 }),
  );
  fc.assert(
    fc.property(cases, ([rules, rows]) => {
      const classifier = createClassifier(rules);
      for (const row of rows) {
        const wanted = rules.filter((one) => one.ranges.every((list, i) => passes(list, row[i] ?? 0)));
        const members = [...new Set(wanted.map((one) => one.member))].sort((a, b) => a - b);
        const count = classifier.find(row[0] | 0, row[1], row[2] | 0, row[3]);
        assert.equal([...classifier.found.subarray(0, count)], members);
      }
    }),
    { seed: SEED, numRuns: 200 },
  );
});

function passes(list: readonly number[], v: number): boolean {
  if (list.length === 0) return true;
  return list.some((low, i) => i % 2 === 0 && low <= v && v <= (list[i + 1] ?? 0));
}

test('a member that left a connection stays away until the connection ends', () => {
  const classifier = createClassifier([{ member: 3, ranges: [] }]);
  assert.is(classifier.left(48, 3), false);
  classifier.leave(48, 3);
  assert.is(classifier.left(48, 3), true);
  assert.is(classifier.left(96, 3), false);
  assert.is(classifier.left(48, 2), false);
  classifier.forget(48);
  assert.is(classifier.left(48, 3), false);
});

test('an IPv6 address is placed among others as by counting', () => {
  const address = fc.bigInt({ min: 0n, max: (1n << 128n) - 1n });
  const near = fc.tuple(
    fc.constantFrom(0n, 1n << 31n, 1n << 64n, 1n << 95n, 1n << 127n),
    fc.bigInt({ min: 0n, max: 3n }),
  );
  const some = fc.oneof(
    address,
    near.map(([base, more]) => base + more),
  );
  const wordsOf = (value: bigint): [number, number, number, number] => {
    const [a = 0, b = 0, c = 0, d = 0] = [96n, 64n, 32n, 0n].map((shift) => Number((value >> shift) & 0xffffffffn));
    return [a, b, c, d];
  };
  fc.assert(
    fc.property(fc.uniqueArray(some, { maxLength: 20 }), fc.array(some, { minLength: 1 }), (list, asked) => {
      const starts = [...list].sort((a, b) => (a < b ? -1 : 1));
      const place = addressSteps(starts.flatMap(wordsOf));
      for (const value of [...asked, ...list]) {
        const expected = starts.filter((start) => start <= value).length - 1;
        const [a, b, c, d] = wordsOf(value);
        assert.is(place(a, b, c, d), expected);
        assert.is(place(a | 0, b | 0, c | 0, d | 0), expected);
      }
    }),
    { numRuns: 300 },
  );
});

test.run();
