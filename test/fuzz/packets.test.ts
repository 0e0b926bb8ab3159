/** Packets and streams under some thousands of spoilt runs; IRIS_FUZZ_SEED replaces the seed. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { fuzzPackets, PACKET_TARGETS } from './packets.ts';

const test = suite('fuzzing of packets');
const RUNS = 500;
const seed = Number(process.env.IRIS_FUZZ_SEED ?? 20260101);

for (const target of PACKET_TARGETS) {
  test(`${target}, seed ${seed}`, async () => {
    const { fault, sessions } = await fuzzPackets(target, seed, (runs) => runs >= RUNS);
    assert.is(fault, undefined);
    assert.ok(sessions >= RUNS, `${sessions} connections`);
  });
}

test.run();
