/**
 * `npm run fuzz -- TARGET SECONDS [SEED]`: fuzzes a parser, packets or streams by hand, for so many seconds of CPU time: a
 * paused or crowded run goes on longer. Without arguments it lists the targets.
 */
import { cpuMs, fuzz, TARGETS } from './fuzz.ts';
import { fuzzPackets, PACKET_TARGETS } from './packets.ts';

const [name, seconds = '60', seed = String(Date.now() % 0x7fffffff)] = process.argv.slice(2);
const all: readonly string[] = [...PACKET_TARGETS, ...TARGETS];
const targets = all.filter((target) => target === name || target.split(' ')[0] === name);
if (targets.length === 0 || !(Number(seconds) > 0)) {
  console.error(`usage: npm run fuzz -- TARGET SECONDS [SEED]\ntargets: ${all.join(', ')}`);
  process.exit(1);
}
for (const target of targets) {
  const until = cpuMs() + (Number(seconds) * 1000) / targets.length;
  const enough = (n: number) => n % 256 === 0 && cpuMs() >= until;
  const lower = PACKET_TARGETS.find((each) => each === target);
  const result =
    lower === undefined ? fuzz(target, Number(seed), enough) : await fuzzPackets(lower, Number(seed), enough);
  const { runs, sessions, slowest, fault } = result;
  const memory = `at most ${(process.resourceUsage().maxRSS / 1024).toFixed(0)} MB resident`;
  console.log(
    `${target}, seed ${seed}: ${runs} runs, ${sessions} sessions, slowest ${slowest.toFixed(1)} ms, ${memory}`,
  );
  if (fault !== undefined) {
    console.error(fault);
    process.exitCode = 1;
  }
}
