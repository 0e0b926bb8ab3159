/** The text that Prometheus scrapes. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { createCounters } from '../../../runtime/stats/counters.ts';
import { liveBuffer } from '../../../runtime/stats/live.ts';
import type { MetricInfo } from '../../../runtime/stats/metrics.ts';
import { exposition } from '../../../runtime/stats/prometheus.ts';
import { type Sample, sampleCore } from '../../../runtime/stats/sample.ts';
import { metricsOf } from '../../support/exposition.ts';

const test = suite('prometheus');

function sample(hardwareFiltered: number | undefined): Sample {
  const core = (number: number) =>
    sampleCore({
      core: number,
      counters: createCounters(),
      live: new Float64Array(liveBuffer(1)).fill(number),
      subscriptions: ['names'],
      mempool: { capacity: 10, inUse: 4 },
    });
  const stats = { ipackets: 5, ibytes: 300, imissed: 1, ierrors: 0, rxNombuf: 0, socketDrops: 0 };
  const port = { name: 'net_x0', driver: 'net_x', stats, hardwareFiltered, xstats: {} };
  return { seconds: 1.23456, cores: [core(1), core(2)], ports: [port] };
}

test('cores, ports and the run', () => {
  const metrics = metricsOf(exposition(sample(8), [], { program: 'a "b".iris' }));
  assert.is(metrics.get('iris_build_info{program="a \\"b\\".iris"}'), 1);
  assert.is(metrics.get('iris_run_seconds'), 1.235);
  assert.is(metrics.get('iris_core_packets_total{core="2"}'), 2);
  assert.is(metrics.get('iris_core_deliveries_total{core="1",subscription="names"}'), 1);
  assert.is(metrics.get('iris_core_events_total{core="1",event="not_ip"}'), 0);
  assert.is(metrics.get('iris_core_mempool_buffers_in_use{core="1"}'), 4);
  assert.is(metrics.get('iris_port_bytes_total{port="net_x0",driver="net_x"}'), 300);
  assert.is(metrics.get('iris_port_hardware_filtered_packets_total{port="net_x0",driver="net_x"}'), 8);
});

test('a family without values is left out', () => {
  assert.not.match(exposition(sample(undefined), [], {}), /hardware_filtered/);
});

test('metrics of user code: by core, or added up; odd values and texts', () => {
  const info = (name: string, slot: number, more: Partial<MetricInfo> = {}): MetricInfo => ({
    name,
    help: 'Two\nlines, a \\.',
    type: 'gauge',
    labels: {},
    perCore: true,
    slot,
    ...more,
  });
  const metrics = [info('x', 0), info('y', 1, { perCore: false, labels: { l: 'a\nb' } }), info('z', 2)];
  const user = [1, 2].map((core) => ({ core, metrics, values: Float64Array.of(core, 10 * core, 1 / 0) }));
  const text = exposition(sample(0), user, {});
  const found = metricsOf(text);
  assert.is(found.get('x{core="1"}'), 1);
  assert.is(found.get('x{core="2"}'), 2);
  assert.is(found.get('y{l="a\\nb"}'), 30);
  assert.is(found.get('z{core="2"}'), Number.POSITIVE_INFINITY);
  assert.ok(text.includes('# HELP x Two\\nlines, a \\\\.\n# TYPE x gauge\n'));
});
test.run();
