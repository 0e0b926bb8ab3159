/** Metrics of user code: names, labels, one slot each, told to the main thread whenever they are made. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { counter, gauge, type MetricInfo, shareMetrics } from '../../../runtime/stats/metrics.ts';

const test = suite('metrics');

test('values lie in shared memory; what is made twice is one', () => {
  const told: (readonly [MetricInfo, Float64Array])[] = [];
  const early = counter('a_total', 'A.');
  shareMetrics((metric, values) => told.push([metric, new Float64Array(values)]));
  const late = gauge('b', 'B.', { labels: { x: '1', y: '2' }, perCore: false });
  const same = gauge('b', 'B.', { labels: { y: '2', x: '1' } });
  const other = gauge('b', 'B.', { labels: { x: '2' } });
  early.add();
  early.add(4);
  early.add(-3);
  late.set(7);
  same.add(-2);
  other.set(1);
  assert.equal(
    told.map(([{ name, type, perCore, slot }, values]) => [name, type, perCore, values[slot]]),
    [
      ['a_total', 'counter', true, 5],
      ['b', 'gauge', false, 5],
      ['b', 'gauge', true, 1],
    ],
  );
  assert.is(early.value, 5);
  assert.is(late.value, 5);
  assert.is(counter('a_total', 'A.').value, 5);
});

test('names that Prometheus or the runtime would not have', () => {
  for (const name of ['', '1a', 'a-b', 'a b', 'iris_core_x', 'iris_port_packets_total']) {
    assert.throws(() => counter(name, ''), /is no name for a metric/, name);
  }
  for (const label of ['', '__x', 'core', 'a.b']) {
    assert.throws(() => gauge('c', '', { labels: { [label]: 'x' } }), /is no name for a label/, label);
  }
  assert.throws(() => gauge('a_total', 'A.'), /a_total is a counter already/);
});

test('labels are for few values', () => {
  assert.throws(() => {
    for (let i = 0; i <= 1024; i++) counter('many_total', 'Many.', { labels: { i: String(i) } });
  }, /more than 1024 metrics/);
});
test.run();
