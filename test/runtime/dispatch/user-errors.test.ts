import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { createUserErrors, UserCodeError } from '../../../runtime/dispatch/user-errors.ts';
import { InputError } from '../../../runtime/errors.ts';

const test = suite('dispatch/user-errors');

function collect(strict: boolean) {
  const reports: string[] = [];
  const errors = createUserErrors({ strict, report: (text) => reports.push(text), describe: (c) => `number ${c}` });
  return { reports, ...errors };
}

test('reports subscription, connection and the first lines of the stack', () => {
  const { userError, reports, counts } = collect(false);
  userError('flows', 96, new TypeError('no such thing'));
  assert.match(reports[0], 'subscription flows, connection number 96: TypeError: no such thing\n    at ');
  assert.ok(reports[0].split('\n').length <= 6);
  userError('other', 0, 'just text');
  assert.match(reports[1], 'subscription other: threw just text');
  assert.equal(
    [...counts],
    [
      ['flows', 1],
      ['other', 1],
    ],
  );
});

test('after ten reports only counts', () => {
  const { userError, reports, counts } = collect(false);
  for (let i = 0; i < 1000; i++) userError('flows', 1, new Error('again'));
  assert.is(reports.length, 11);
  assert.match(reports[10], 'counted, not shown');
  assert.is(counts.get('flows'), 1000);
});

test('strict: the first error ends the run', () => {
  const { userError, reports, counts } = collect(true);
  assert.throws(
    () => userError('flows', 1, new Error('stop')),
    (error: unknown) => error instanceof UserCodeError && error.exitCode === 1 && error.message.includes('Error: stop'),
  );
  assert.is(reports.length, 0);
  assert.is(counts.get('flows'), 1);
});

test("what the runtime itself throws is not the user's error, and nothing thrown is unprintable", () => {
  const { userError, reports, counts } = collect(false);
  assert.throws(() => userError('flows', 1, new InputError('x.pcap', 3, 'gone')), /gone/);
  assert.is(counts.size, 0);
  userError('flows', 1, Object.create(null));
  assert.match(reports[0], 'unprintable');
});

test.run();
