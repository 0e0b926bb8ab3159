import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { createEmitter } from '../../../runtime/dispatch/emit.ts';
import { createLineWriter, timeDigits } from '../../../runtime/dispatch/json-line.ts';

const test = suite('dispatch/json-line');

test('a line has subscription, time, then the parameters in order', () => {
  const line = createLineWriter();
  const tls = { toJSON: () => ({ sni: 'a"b\n', version: null }) };
  assert.is(
    line('hand"shakes', 1_700_000_000, 120_000, { tls, count: 3, none: undefined, big: 2n ** 60n, nan: Number.NaN }),
    '{"subscription":"hand\\"shakes","ts":1700000000.000120,"tls":{"sni":"a\\"b\\n","version":null},"count":3,' +
      '"none":null,"big":1152921504606846976,"nan":null}\n',
  );
  assert.is(line('x', 1, 1, {}), '{"subscription":"x","ts":1.000000001}\n');
});

test('times are the exact digits: six, or nine when there are nanoseconds', () => {
  assert.is(timeDigits(0, 0), '0.000000');
  assert.is(timeDigits(-1, 999_999_999), '4294967295.999999999');
  assert.is(timeDigits(7, 10), '7.000000010');
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 0xffffffff }), fc.integer({ min: 0, max: 999_999_999 }), (sec, nsec) => {
      const [whole, fraction] = timeDigits(sec | 0, nsec).split('.');
      assert.is(Number(whole), sec);
      assert.is(Number(fraction.padEnd(9, '0')), nsec);
      assert.is(fraction.length, nsec % 1000 === 0 ? 6 : 9);
    }),
  );
});

test('any values make one line of JSON with the same values', () => {
  fc.assert(
    fc.property(fc.string(), fc.dictionary(fc.string(), fc.jsonValue()), (name, values) => {
      const line = createLineWriter()(name, 5, 0, values);
      assert.is(line.indexOf('\n'), line.length - 1);
      const parsed = JSON.parse(line);
      for (const key of Object.keys(values)) {
        if (key !== 'subscription' && key !== 'ts' && key !== '__proto__') {
          assert.equal(parsed[key], JSON.parse(JSON.stringify(values[key])));
        }
      }
    }),
  );
});

test('the emitter takes the clock at each delivery and counts by subscription', () => {
  const clock = new Int32Array([10, 0]);
  const lines: string[] = [];
  const { emit, delivered } = createEmitter(clock, (line) => lines.push(line), ['never', 'flows']);
  emit('flows', { n: 1 });
  clock.set([11, 5000]);
  emit('flows', { n: 2 });
  emit('other', {});
  assert.equal(lines, [
    '{"subscription":"flows","ts":10.000000,"n":1}\n',
    '{"subscription":"flows","ts":11.000005,"n":2}\n',
    '{"subscription":"other","ts":11.000005}\n',
  ]);
  assert.equal(
    [...delivered],
    [
      ['never', 0],
      ['flows', 2],
      ['other', 1],
    ],
  );
});

test.run();
