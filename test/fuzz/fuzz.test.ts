/** Each parser under some thousands of spoilt conversations; IRIS_FUZZ_SEED replaces the seed. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { fuzz, TARGETS } from './fuzz.ts';
import { SAMPLES } from './samples.ts';

const test = suite('fuzzing of parsers');
const RUNS = 1200;
const seed = Number(process.env.IRIS_FUZZ_SEED ?? 20260101);

for (const target of TARGETS) {
  test(`${target}, seed ${seed}`, () => {
    const { fault, sessions } = fuzz(target, seed, (runs) => runs >= RUNS);
    assert.is(fault, undefined);
    // Most conversations are spoilt just a little: if none comes through, the samples are wrong.
    assert.ok(sessions > RUNS / 10, `${sessions} sessions`);
  });
}

test('every parser has samples', () => {
  assert.equal(Object.keys(SAMPLES).sort(), [...TARGETS].sort());
});

test.run();
