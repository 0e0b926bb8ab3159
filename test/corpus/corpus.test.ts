/** The whole path, from the filter file to delivered lines, over the corpus: it agrees with the truth, or we know why not. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { corpus, corpusEntries } from '../support/corpus.ts';
import { cases, EXPLAINED, explanationOf } from './explained.ts';
import { runCapture, withCorpusFilter } from './run-corpus.ts';

const test = suite('the corpus');
const folder = corpus();

if (folder === undefined) test.skip('needs the corpus', () => {});
else {
  test('every difference from the truth is explained, and every explanation is still needed', async () => {
    const entries = corpusEntries(folder);
    const unexplained: string[] = [];
    const used = new Set<string>();
    const compared = new Map<string, number>();
    await withCorpusFilter(async (module) => {
      for (const view of ['default', 'all'] as const) {
        for (const entry of entries) {
          const result = await runCapture(module, entry, view);
          assert.is(result.exitCode, 0, entry.name);
          for (const [cls, n] of result.compared) compared.set(cls, (compared.get(cls) ?? 0) + n);
          for (const difference of result.differences) {
            const explanation = explanationOf(entry.name, view, difference);
            const { conn, fact, ours, truth } = difference;
            if (explanation !== undefined) used.add(explanation.name);
            else unexplained.push(`${entry.name} (${view}) #${conn} ${fact}: ${ours}, truth ${truth}`);
          }
        }
      }
    });
    assert.is(unexplained.join('\n'), '');
    const idle = EXPLAINED.flatMap(cases).filter((name) => !used.has(name));
    assert.is(idle.join('\n'), '', 'explained, but there is no difference any more');
    // So that a comparison that finds nothing to compare is noticed.
    const least = { connections: 6000, payload: 6000, tls: 370, http: 100, dns: 900, ssh: 8, quic: 28 };
    for (const [cls, n] of Object.entries(least))
      assert.ok((compared.get(cls) ?? 0) >= n, `${cls}: ${compared.get(cls)}`);
  });
}

test.run();
