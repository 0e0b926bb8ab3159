/** Online runs as their user sees them: records, summary, exit code; the same records as from the capture itself. */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { captureFolder } from '../../support/captures.ts';
import { corpus, packageRoot } from '../../support/corpus.ts';
import { dpdk } from '../../support/dpdk.ts';
import { type OnlineRun, startRun } from '../../support/online-run.ts';

const RUN = join(packageRoot(), 'dist/runtime/cli/iris-run.js');
const APP = join(packageRoot(), 'dist/test/support/flow-app.js');
const SAMPLE = join(packageRoot(), 'examples/sni/sample.pcap');

const test = suite('online');
const folder = captureFolder();
test.after(folder.remove);
const addon = dpdk();
const cores = addon?.threadAffinity() ?? [];
const [core = 0] = cores;

/** A configuration of ports, each on its core. */
function configure(ports: readonly (readonly [device: string, cores: readonly number[]])[], online = ''): string {
  const text = ports.map(([device, on]) => `[[online.ports]]\ndevice = "${device}"\ncores = [${on.join(', ')}]\n`);
  const head = `main_core = ${core}\nmempool.capacity = 8191\n[online]\nnb_rxd = 512\n${online}\n`;
  return folder.write('run.toml', Buffer.from(head + text.join('')));
}

interface Outcome {
  readonly status: number | null;
  readonly out: string;
  readonly err: string;
}

function run(args: readonly string[], env: NodeJS.ProcessEnv = {}): Outcome {
  const { status, stdout, stderr } = spawnSync(process.execPath, [RUN, APP, ...args], {
    encoding: 'utf8',
    env: { ...process.env, ...env },
    maxBuffer: 1 << 28,
    timeout: 60_000,
  });
  return { status, out: stdout, err: stderr };
}

function sameRecords(capture: string): number {
  const online = run(['--config', configure([[`net_pcap0,rx_pcap=${capture}`, [core]]])]);
  const offline = run(['--pcap', capture]);
  assert.is(online.status, 0, online.err);
  assert.is(offline.status, 0, offline.err);
  assert.ok(online.out === offline.out, `${capture}: the lines differ`);
  return offline.out.split('\n').length - 1;
}

const ported = addon === undefined ? test.skip : test;
const sampled = addon === undefined || !existsSync(SAMPLE) ? test.skip : test;

sampled('a capture through net_pcap gives the records of --pcap', () => {
  assert.ok(sameRecords(SAMPLE) > 10);
});

/** Captures of times in µs and whole frames: net_pcap cuts nanoseconds, and tells no length on the wire. */
const CAPTURES = [
  'zeek-wikipedia',
  'sv-tcp-exact-overlap',
  'zeek-mixed-vlan-mpls',
  'pcpp-ip4_fragments',
  'mercury-sll_tls',
  'pcpp-raw_ip',
  'mercury-emix',
  'ndpi-alexa-app',
];
const folderOfCorpus = corpus();
const captureOf = (name: string) =>
  ['pcap', 'pcapng'].map((kind) => join(folderOfCorpus ?? '', 'pcaps', `${name}.${kind}`)).find(existsSync);
(addon === undefined || folderOfCorpus === undefined ? test.skip : test)('captures of the corpus, too', () => {
  let compared = 0;
  for (const name of CAPTURES) {
    const file = captureOf(name);
    if (file === undefined) continue;
    sameRecords(file);
    compared++;
  }
  assert.ok(compared > 0);
});

sampled('the summary tells of cores and ports', () => {
  const { err } = run(['--config', configure([[`net_pcap0,rx_pcap=${SAMPLE}`, [core]]])]);
  assert.match(err, new RegExp(`^core ${core} +packets \\d+, filtered \\d+, tracked \\d+, connections \\d+$`, 'm'));
  assert.match(err, /^net_pcap0 +received \d+$/m);
  const quiet = run(['--quiet', '--config', configure([[`net_pcap0,rx_pcap=${SAMPLE}`, [core]]])]);
  assert.is(quiet.err, '');
});

(addon === undefined || cores.length < 2 || !existsSync(SAMPLE) ? test.skip : test)('two ports on two cores', () => {
  const [a = 0, b = 0] = cores;
  const ports = [a, b].map((on, i): [string, number[]] => [`net_pcap${i},rx_pcap=${SAMPLE}`, [on]]);
  const both = run(['--config', configure(ports)]);
  const one = run(['--pcap', SAMPLE]);
  assert.is(both.status, 0, both.err);
  const times = timesOf(both.out);
  assert.equal(
    times,
    [...times].sort((x, y) => x - y),
    'lines of both cores come in order of time',
  );
  const lines = one.out.split('\n').filter((line) => line !== '');
  assert.equal(
    both.out
      .split('\n')
      .filter((line) => line !== '')
      .sort(),
    [...lines, ...lines].sort(),
  );
});

/** Times of lines before the end of the run: what that ended comes last, whatever its time. */
function timesOf(out: string): number[] {
  const lines = out.split('\n').filter((line) => line !== '');
  return lines.filter((line) => !line.includes('"ended":"drain"')).map((line) => JSON.parse(line).ts as number);
}

const shared = addon === undefined || cores.length < 2 ? test.skip : test;

shared('cores share the packets of a device without RSS: the records of one core', () => {
  const files = existsSync(SAMPLE) ? [SAMPLE] : [];
  for (const name of folderOfCorpus === undefined ? [] : CAPTURES) {
    const file = captureOf(name);
    if (file !== undefined) files.push(file);
  }
  assert.ok(files.length > 0);
  for (const file of files) {
    const one = run(['--pcap', file]);
    const two = run(['--config', configure([[`net_pcap0,rx_pcap=${file}`, cores.slice(0, 2)]])]);
    assert.is(two.status, 0, two.err);
    const sorted = (out: string) => out.split('\n').sort().join('\n');
    assert.ok(sorted(two.out) === sorted(one.out), `${file}: the records differ`);
    const [, packets] = /^packets +([0-9,]+)/m.exec(two.err) ?? [];
    assert.is(packets, /^packets +([0-9,]+)/m.exec(one.err)?.[1]);
    assert.not.match(two.err, /LOST/);
  }
});

shared('cores share a live device, and end with it', () => {
  const config = configure([['net_null0', cores.slice(0, 2)]], 'duration = 0.5');
  const { status, err } = run(['--config', config]);
  assert.is(status, 0, err);
  assert.match(err, /^stopped +after the configured 0\.5 s$/m);
  assert.not.match(err, /ring_full|note: .*in use/);
});

shared('all ports of a team have its cores', () => {
  const ports: [string, readonly number[]][] = [
    ['net_null0', cores.slice(0, 2)],
    ['net_null1', cores.slice(0, 1)],
  ];
  const { status, err } = run(['--config', configure(ports)]);
  assert.is(status, 3, err);
  assert.match(
    err,
    /^error: net_null0 cannot spread flows over cores by itself, and net_null1 has other cores than it\n/,
  );
});

sampled('a broken capture: what came before, then exit code 2', () => {
  const whole = readFileSync(SAMPLE);
  const cut = folder.write('cut.pcap', whole.subarray(0, whole.length - 7));
  const { status, out, err } = run(['--config', configure([[`net_pcap0,rx_pcap=${cut}`, [core]]])]);
  assert.is(status, 2);
  assert.match(err, /^error: .*cut\.pcap: net_pcap cannot read it to its end\n {2}iris-run --pcap /m);
  assert.ok(out.split('\n').length > 10);
  assert.is(out, run(['--pcap', cut]).out);
});

sampled('an exception of user code under --strict: exit code 1', () => {
  const config = configure([[`net_pcap0,rx_pcap=${SAMPLE}`, [core]]]);
  const strict = run(['--strict', '--config', config], { IRIS_TEST_THROW: '1' });
  assert.is(strict.status, 1, strict.err);
  assert.match(strict.err, /^error: subscription names, connection .*thrown by the program/m);
  const lenient = run(['--config', config], { IRIS_TEST_THROW: '1' });
  assert.is(lenient.status, 0);
  assert.match(lenient.err, /^user errors +names \d+$/m);
});

ported('the configured duration ends a run', () => {
  const { status, err } = run(['--config', configure([['net_null0', [core]]], 'duration = 0.3')]);
  assert.is(status, 0, err);
  assert.match(err, /^stopped +after the configured 0\.3 s$/m);
  assert.match(err, /^net_null0 +received [1-9]/m);
});

for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const) {
  ported(`${signal} ends a run cleanly`, async () => {
    // The long duration only keeps a run that misses the signal from staying for ever.
    const config = configure([['net_ring0', [core]]], 'duration = 30');
    const run = startRun(APP, ['--config', config]);
    await run.said(/receiving on core/);
    run.child.kill(signal);
    const { code: status, err } = await run.ended;
    assert.is(status, code, err);
    assert.match(err, new RegExp(`^stopped +by ${signal}$`, 'm'));
  });
}

sampled('a reader that goes away ends a run', async () => {
  const endless = `net_pcap0,rx_pcap=${SAMPLE},infinite_rx=1`;
  const config = configure([[endless, [core]]], 'duration = 30');
  const { child, ended } = startRun(APP, ['--config', config], { IRIS_TEST_CHATTY: '1' }, 'pipe');
  child.stdout?.once('data', () => child.stdout?.destroy());
  const { code: status, err } = await ended;
  assert.is(status, 0, err);
  assert.match(err, /^stopped +the reader of the output went away$/m);
});

/** A run whose reader reads nothing, when lines have been dropped. */
async function unread(): Promise<OnlineRun> {
  const endless = `net_pcap0,rx_pcap=${SAMPLE},infinite_rx=1`;
  const config = configure([[endless, [core]]], '');
  const run = startRun(APP, ['--json', '--config', config], { IRIS_TEST_CHATTY: '100' }, 'pipe');
  await run.said(/"kind":"loss","text":"core \d+ lost [\d,]+ lines of the output/);
  return run;
}

sampled('a reader that is too slow holds up no core: lines are dropped, counted and said', async () => {
  const { child, ended } = await unread();
  child.kill('SIGINT');
  let lines = 0;
  child.stdout?.on('data', (chunk: Buffer) => {
    for (const byte of chunk) if (byte === 10) lines++;
  });
  const { code, err } = await ended;
  assert.is(code, 130, err);
  const { delivered, lines_dropped: dropped } = JSON.parse(err.trimEnd().split('\n').at(-1) ?? '');
  assert.ok(dropped > 0, err);
  const made = Object.values<number>(delivered).reduce((all, count) => all + count, 0);
  assert.is(lines, made - dropped);
});

sampled('a second SIGINT ends a run whose reader reads nothing', async () => {
  const { child, ended } = await unread();
  child.kill('SIGINT');
  setTimeout(() => child.kill('SIGINT'), 500);
  const { code } = await ended;
  assert.is(code, 130);
});

ported('what a device cannot do is refused in one sentence', () => {
  const refusals: [string, readonly number[], RegExp][] = [
    ['net_nosuch0', [core], /^error: net_nosuch0: /],
    ['net_null0,colour=1', [core], /^error: net_null0: /],
  ];
  for (const [device, on, message] of refusals) {
    const { status, err, out } = run(['--config', configure([[device, on]])]);
    assert.is(status, 3, err);
    assert.match(err, message);
    assert.ok(err.trimEnd().split('\n').length <= 2, err);
    assert.is(out, '');
  }
});

ported('a device without a hardware filter is said to have none', () => {
  const config = configure([['net_null0', [core]]], 'duration = 0.1\nhardware_assist = true');
  const { status, err } = run(['--config', config]);
  assert.is(status, 0, err);
  // The program takes everything: there is nothing to drop.
  assert.match(err, /^note: net_null0: no hardware filter: the program asks for packets of every kind$/m);
  const wanting = { IRIS_TEST_FLOW_RULES: JSON.stringify([{ items: [{ layer: 'tcp', fields: [] }] }]) };
  const refused = run(['--config', config], wanting);
  assert.is(refused.status, 0, refused.err);
  const why = 'the device refuses it \\(it has no flow rules\\); packets are filtered in software';
  assert.match(refused.err, new RegExp(`^note: net_null0: no hardware filter: ${why}$`, 'm'));
});

ported('keys without effect are said', () => {
  const config = configure([['net_null0', [core]]], 'duration = 0.1\n[offline]\nmtu = 1500');
  const { status, err } = run(['--config', config]);
  assert.is(status, 0, err);
  assert.match(err, /^note: offline\.mtu: no effect in this version$/m);
});
test.run();
