/** Watching real runs: a line per interval, the table on a terminal, CSV files, JSON lines, loss said at once. */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { CORE_COLUMNS } from '../../../runtime/stats/csv-log.ts';
import { captureFolder } from '../../support/captures.ts';
import { packageRoot } from '../../support/corpus.ts';
import { dpdk } from '../../support/dpdk.ts';
import { onePort } from '../../support/online-run.ts';

const RUN = join(packageRoot(), 'dist/runtime/cli/iris-run.js');
const APP = join(packageRoot(), 'dist/test/support/flow-app.js');
const SAMPLE = join(packageRoot(), 'examples/sni/sample.pcap');

const test = suite('monitor');
const folder = captureFolder();
test.after(folder.remove);
const addon = dpdk();
const [core = 0] = addon?.threadAffinity() ?? [];
const ported = addon === undefined ? test.skip : test;

const configure = (device: string, online: string) => folder.write('run.toml', onePort(device, [core], core, online));

function run(config: string, ...args: string[]) {
  const all = [RUN, APP, '--config', config, '--out', join(folder.path, 'out.json'), ...args];
  return spawnSync(process.execPath, all, { encoding: 'utf8', timeout: 60_000 });
}

ported('one line per interval where there is no terminal', () => {
  const display = 'duration = 1.5\n[online.monitor.display]\ninterval = 100\nport_stats = ["rx_good_packets"]';
  const { status, stderr } = run(configure('net_null0', display));
  assert.is(status, 0, stderr);
  const lines = stderr
    .split('\n')
    .filter((line) => /^iris: 00:00:00, .* lost 0, net_null0 rx_good_packets \d/.test(line));
  assert.ok(lines.length >= 2, stderr);
  assert.match(lines.at(-1) ?? '', /pps, .*bps, packets [1-9]/);
});

ported('no display, nothing said', () => {
  const { stderr } = run(configure('net_null0', 'duration = 0.3'));
  assert.not.match(stderr, /pps, packets/);
});

const script = existsSync('/usr/bin/script');
(addon === undefined || !script ? test.skip : test)('a table on a terminal', () => {
  const config = configure('net_null0', 'duration = 1.5\n[online.monitor.display]\ninterval = 100');
  const command = [process.execPath, RUN, APP, '--config', config].join(' ');
  const { stdout } = spawnSync('script', ['-qec', `${command} > /dev/null`, '/dev/null'], { encoding: 'utf8' });
  assert.match(stdout, /core {2,}pps {2,}bps {2,}packets/);
  assert.ok(stdout.includes('\x1b[5A\r\x1b[Jiris  00:00:00'), stdout);
  assert.match(stdout, /packets +[\d,]+, .* in \d\.\d+ s/);
});

ported('CSV files in a folder of the run', () => {
  const directory = join(folder.path, 'logs');
  const log = `duration = 1.5\n[online.monitor.log]\ndirectory = "${directory}"\ninterval = 100`;
  const { status, stderr } = run(configure('net_null0', log));
  assert.is(status, 0, stderr);
  const [name, ...others] = readdirSync(directory);
  assert.equal(others, []);
  assert.match(name, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  const files = readdirSync(join(directory, name)).sort();
  assert.equal(files, ['config.toml', `core${core}.csv`, 'port0.csv', 'throughputs.json']);
  const rows = readFileSync(join(directory, name, `core${core}.csv`), 'utf8')
    .trimEnd()
    .split('\n');
  assert.is(rows[0], CORE_COLUMNS.join());
  assert.ok(rows.length >= 3);
  const last = (rows.at(-1) ?? '').split(',').map(Number);
  const packets = Number(/^packets +([\d,]+)/m.exec(stderr)?.[1].replaceAll(',', ''));
  assert.is(last[1], packets);
  const port = readFileSync(join(directory, name, 'port0.csv'), 'utf8').split('\n');
  assert.match(port[0], /^ts,packets,.*,rx_good_packets,.*mempool_avail_cnt,mempool_inuse_cnt$/);
  const { packets: total } = JSON.parse(readFileSync(join(directory, name, 'throughputs.json'), 'utf8'));
  assert.is(total, packets);
});

ported('a log that cannot be written is refused before the run', () => {
  const file = folder.write('file', Buffer.from(''));
  const { status, stderr } = run(configure('net_null0', `duration = 5\n[online.monitor.log]\ndirectory = "${file}"`));
  assert.is(status, 1);
  assert.match(stderr, /^error: online\.monitor\.log\.directory: .*\/file\//m);
});

ported('--json: every line is an object, the last one the summary', () => {
  const config = configure('net_null0', 'duration = 1.5\n[online.monitor.display]\ninterval = 100');
  const { status, stderr } = run(config, '--json');
  assert.is(status, 0, stderr);
  const records = stderr
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  const kinds = records.map(({ kind }) => kind);
  assert.is(kinds[0], 'start');
  assert.ok(kinds.filter((kind) => kind === 'monitor').length >= 2);
  const summary = records.at(-1);
  assert.is(summary.kind, 'summary');
  assert.is(summary.ports[0].received, summary.cores[0].packets);
  const sampled = records.filter(({ kind }) => kind === 'monitor').map(({ packets }) => packets);
  assert.equal(
    [...sampled].sort((a, b) => a - b),
    sampled,
  );
  assert.ok(sampled.at(-1) > 0 && sampled.at(-1) <= summary.packets);
});

test('--json over a capture, and its errors', () => {
  const offline = spawnSync(process.execPath, [RUN, APP, '--json', '--pcap', SAMPLE], { encoding: 'utf8' });
  const summary = JSON.parse(offline.stderr);
  assert.is(summary.kind, 'summary');
  assert.is(summary.packets, summary.counters.frames);
  const none = spawnSync(process.execPath, [RUN, APP, '--json', '--pcap', '/no/such'], { encoding: 'utf8' });
  assert.is(none.status, 2);
  const error = JSON.parse(none.stderr);
  assert.is(error.kind, 'error');
  assert.is(error.exit_code, 2);
});

test('counters of user code stand in the summary, whatever the number of cores', () => {
  const app = join(packageRoot(), 'dist/test/support/metrics-app.js');
  const metrics = (...args: string[]) => {
    const all = [RUN, app, '--json', '--out', join(folder.path, 'out.json'), ...args];
    const { stderr } = spawnSync(process.execPath, all, { encoding: 'utf8' });
    const { metrics: found, counters } = JSON.parse(stderr.trimEnd().split('\n').at(-1) ?? '');
    assert.equal(found, {
      test_connections_total: counters.conns_opened,
      'test_sum_total{kind="a\\"b"}': 2 * counters.conns_opened,
    });
    return found;
  };
  const one = metrics('--pcap', SAMPLE);
  assert.ok(one.test_connections_total > 0);
  assert.equal(metrics('--pcap', SAMPLE, '--cores', '2'), one);
  if (addon !== undefined) assert.equal(metrics('--config', configure(`net_pcap0,rx_pcap=${SAMPLE}`, '')), one);
});

(script ? test : test.skip)('a capture on a terminal ends with its summary alone', () => {
  const command = [process.execPath, RUN, APP, '--pcap', SAMPLE].join(' ');
  const { stdout } = spawnSync('script', ['-qec', `${command} > /dev/null`, '/dev/null'], { encoding: 'utf8' });
  assert.match(stdout, /^packets +\d/);
});

(addon === undefined || !existsSync(SAMPLE) ? test.skip : test)(
  'connections that find no room are said while it runs',
  () => {
    const { stderr } = run(configure(`net_pcap0,rx_pcap=${SAMPLE}`, ''), '--max-connections', '2');
    assert.match(stderr, new RegExp(`^iris: core ${core} lost \\d+ connections: its table was full`, 'm'));
  },
);
test.run();
