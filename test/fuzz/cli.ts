/** `npm run fuzz -- PARSER SECONDS [SEED]`: fuzzes one parser by hand; without arguments it lists them. */
import { fuzz, TARGETS } from './fuzz.ts';

const [name, seconds = '60', seed = String(Date.now() % 0x7fffffff)] = process.argv.slice(2);
const targets = TARGETS.filter((target) => target === name || target.split(' ')[0] === name);
if (targets.length === 0 || !(Number(seconds) > 0)) {
  console.error(`usage: npm run fuzz -- PARSER SECONDS [SEED]\nparsers: ${TARGETS.join(', ')}`);
  process.exit(1);
}
for (const target of targets) {
  const until = Date.now() + (Number(seconds) * 1000) / targets.length;
  const { runs, sessions, slowest, fault } = fuzz(target, Number(seed), (n) => n % 256 === 0 && Date.now() >= until);
  console.log(`${target}, seed ${seed}: ${runs} runs, ${sessions} sessions, slowest ${slowest.toFixed(1)} ms`);
  if (fault !== undefined) {
    console.error(fault);
    process.exitCode = 1;
  }
}
