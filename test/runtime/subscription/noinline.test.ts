import { execFileSync } from 'node:child_process';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { noinline } from '../../../runtime/subscription/noinline.ts';

const test = suite('noinline');

test('hands on arguments, as many as were given, and what comes back', () => {
  const seen: unknown[][] = [];
  const call = noinline((...args: unknown[]) => seen.push(args));
  assert.is(call(), 1);
  assert.is(call(1, undefined, 'c'), 2);
  assert.equal(seen, [[], [1, undefined, 'c']]);
});

test('an exception comes through', () => {
  const call = noinline((): void => {
    throw new Error('of the target');
  });
  assert.throws(call, /of the target/);
});

/** What V8 put into `outer`, which calls `wrap(innermost)` very often. */
function inlined(wrap: string): boolean {
  const module = JSON.stringify(new URL('../../../runtime/subscription/noinline.js', import.meta.url));
  const program = `
    import { noinline } from ${module};
    function innermost(i) { return (i * 7) ^ (i >>> 3); }
    const call = ${wrap};
    function outer(n) { let sum = 0; for (let i = 0; i < n; i++) sum ^= call(i); return sum; }
    for (let i = 0; i < 3000; i++) outer(1000);`;
  const flags = ['--trace-turbo-inlining', '--no-concurrent-recompilation', '--input-type=module'];
  const trace = execFileSync(process.execPath, [...flags, '-e', program], { encoding: 'utf8', maxBuffer: 1 << 26 });
  return /Inlining .*innermost.* into .*outer/.test(trace);
}

test('V8 does not compile the target together with what calls it', () => {
  assert.ok(inlined('innermost'));
  assert.not.ok(inlined('noinline(innermost)'));
});

test.run();
