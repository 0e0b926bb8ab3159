/** `npm run corpus`: agreement with the truth files per capture and class of facts, then every difference and its reason. */
import { corpus, corpusEntries } from '../support/corpus.ts';
import { explanationOf } from './explained.ts';
import { runCapture, withCorpusFilter } from './run-corpus.ts';

const folder = corpus();
if (folder === undefined) {
  console.error('npm run corpus: there is no ../shared/corpus beside this checkout, and IRIS_CORPUS names none');
  process.exit(1);
}
const entries = corpusEntries(folder).filter((entry) =>
  process.argv.slice(2).every((part) => entry.name.includes(part)),
);

await withCorpusFilter(async (module) => {
  for (const view of ['default', 'all'] as const) {
    const totals = new Map<string, { compared: number; differing: number }>();
    console.log(
      `\n== ${view === 'default' ? 'as configured by default' : 'no timeouts, connections under way picked up'} ==`,
    );
    for (const entry of entries) {
      const result = await runCapture(module, entry, view);
      const compared = [...result.compared.values()].reduce((a, b) => a + b, 0);
      const verdict = result.exitCode === 0 ? '' : `  exit code ${result.exitCode}`;
      console.log(
        `${entry.name.padEnd(48)} ${String(compared - result.differences.length).padStart(6)} / ${compared}${verdict}`,
      );
      for (const [cls, n] of result.compared) {
        const total = totals.get(cls) ?? { compared: 0, differing: 0 };
        total.compared += n;
        totals.set(cls, total);
      }
      for (const difference of result.differences) {
        const explained = explanationOf(entry.name, view, difference);
        const total = totals.get(difference.cls);
        if (total !== undefined) total.differing++;
        console.log(`    #${difference.conn} ${difference.fact}: ${difference.ours}, truth ${difference.truth}`);
        console.log(`      ${explained === undefined ? 'NOT EXPLAINED' : explained.entry.why}`);
      }
    }
    console.log(`\n${'facts'.padEnd(16)} ${'compared'.padStart(8)} ${'agree'.padStart(8)} ${'differ'.padStart(8)}`);
    for (const [cls, { compared, differing }] of totals) {
      const numbers = [compared, compared - differing, differing].map((n) => String(n).padStart(8));
      console.log(`${cls.padEnd(16)} ${numbers.join(' ')}`);
    }
  }
});
