/** The doctor's findings and how they read. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { diagnose, findingsText } from '../../../runtime/cli/doctor.ts';
import { loadNative } from '../../../runtime/source/dpdk.ts';

const test = suite('doctor');

test('every part of the machine is looked at, and what is missing comes with a command', () => {
  const findings = diagnose();
  const parts = ['node', 'native addon', 'DPDK', 'hugepages', 'cores', 'packet sockets', 'device access'];
  assert.equal(
    findings.map(({ what }) => what),
    parts,
  );
  for (const { verdict, what, hint } of findings) {
    if (verdict !== 'ok' && what !== 'cores') assert.ok(hint !== undefined, what);
  }
  const native = loadNative();
  const verdictOf = (part: string) => findings.find(({ what }) => what === part)?.verdict;
  assert.is(verdictOf('native addon'), native === undefined ? 'warn' : 'ok');
  assert.is(verdictOf('DPDK'), native?.haveDpdk === true ? 'ok' : 'warn');
});

test('findings as text', () => {
  assert.is(
    findingsText([
      { verdict: 'ok', what: 'node', text: '20.0.0', hint: 'not shown' },
      { verdict: 'fail', what: 'native addon', text: 'broken', hint: 'npm run build:native' },
    ]),
    'ok    node          20.0.0\nfail  native addon  broken\n                    -> npm run build:native\n',
  );
});
test.run();
