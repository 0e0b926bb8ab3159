/** --cores: whatever their number, the output is that of one core, byte by byte. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { runOffline } from '../../../runtime/cli/offline.ts';
import { defaultConfig } from '../../../runtime/config/config.ts';
import { appModule } from '../../support/app-module.ts';
import { buildPcap, captureFolder, type TestPacket } from '../../support/captures.ts';
import { corpus, corpusEntries, packageRoot } from '../../support/corpus.ts';
import { aggregate, dataFrame, snapOf } from '../../support/encapsulations.ts';
import * as make from '../../support/frames.ts';
import { concat } from '../../support/frames.ts';
import { runCli } from '../../support/run-cli.ts';

const test = suite('cli/cores');
const folder = captureFolder();
// Beside the checkout's node_modules, so that the module finds `iris-ts/runtime`.
const modules = mkdtempSync(join(packageRoot(), 'dist', 'cores-'));
test.after(() => {
  folder.remove();
  rmSync(modules, { recursive: true });
});

/** Lines of every kind: single frames, first packets, sessions, pieces of streams, ends. */
const FILTER = `
subscribe flows(conn: ConnRecord) at L4Terminated when tcp or udp
subscribe started(ft: FiveTuple, start: StartTime) at L4FirstPacket when udp
subscribe names(tls: TlsHandshake, ft: FiveTuple) when tls
subscribe questions(dns: DnsTransaction, ft: FiveTuple) when dns
subscribe requests(http: HttpTransaction) when http
subscribe flagged(ft: FiveTuple) at L7OnDisc when not tls and tcp
`;

function compile(): string {
  const source = join(modules, 'cores.iris');
  writeFileSync(source, FILTER);
  execFileSync(process.execPath, [join(packageRoot(), 'dist/compiler/cli/iris-compile.js'), source], { stdio: 'pipe' });
  return `${source}.js`;
}

const module = compile();

async function run(pcap: string, cores: number): Promise<{ code: number; lines: string }> {
  const out = join(modules, `out-${cores}`);
  const settings = { out, strict: false, quiet: true, json: false, maxConnections: 20_000, cores };
  const code = await runOffline(module, pcap, defaultConfig(), settings);
  return { code, lines: readFileSync(out, 'utf8') };
}

async function sameOnCores(pcap: string): Promise<string> {
  const one = await run(pcap, 1);
  for (const cores of [2, 3]) {
    const several = await run(pcap, cores);
    assert.is(several.code, one.code, pcap);
    assert.ok(several.lines === one.lines, `${pcap}: the lines of ${cores} cores differ from those of one`);
  }
  return one.lines;
}

(corpus() === undefined ? test.skip : test)('every capture of the corpus', async () => {
  let lines = 0;
  for (const { pcap } of corpusEntries(corpus() ?? '')) lines += (await sameOnCores(pcap)).split('\n').length - 1;
  assert.ok(lines > 1000);
});

/** One UDP datagram of 4 bytes between ports `from` and `to` of two hosts. */
function datagram(time: number, from: number, to: number): TestPacket {
  const bytes = Buffer.alloc(46);
  bytes.writeUInt16BE(0x0800, 12);
  bytes.set([0x45, 0, 0, 32, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2], 14);
  bytes.writeUInt16BE(from, 34);
  bytes.writeUInt16BE(to, 36);
  bytes.writeUInt16BE(12, 38);
  return { sec: Math.floor(time), nsec: Math.round((time % 1) * 1e6) * 1000, bytes };
}

test('many ends at one time, times that go back, a long silence', async () => {
  const packets: TestPacket[] = [];
  for (let i = 0; i < 3000; i++) packets.push(datagram(1000 + Math.floor(i / 500) / 10, 1 + i, 53));
  for (let i = 0; i < 500; i++) packets.push(datagram(1030 + ((i * 7919) % 100) / 10, 1 + i, 53));
  for (let i = 0; i < 500; i++) packets.push(datagram(200 + i / 100, 5000 + (i % 50), 53));
  for (let i = 0; i < 100; i++) packets.push(datagram(9000, 1 + i, 53));
  const lines = await sameOnCores(folder.write('ends.pcap', buildPcap(packets)));
  assert.is(lines.split('\n').filter((line) => line.includes('"flows"')).length, 3150);
});

test('lines are in order of time, and the connections that the end of the run ends come last', async () => {
  const packets: TestPacket[] = [];
  for (let i = 0; i < 2000; i++) packets.push(datagram(1000 + i / 10, 1 + (i % 300), 53));
  const lines = (await sameOnCores(folder.write('times.pcap', buildPcap(packets)))).trimEnd().split('\n');
  const drained = lines.filter((line) => line.includes('"drain"'));
  const times = (some: readonly string[]) => some.map((line) => Number(/"ts":([0-9.]+)/.exec(line)?.[1]));
  const ascending = (some: readonly number[]) => some.every((time, i) => i === 0 || (some[i - 1] ?? 0) <= time);
  assert.ok(drained.length > 100);
  assert.equal(lines.slice(-drained.length), drained);
  assert.ok(ascending(times(drained)));
  assert.ok(ascending(times(lines.slice(0, -drained.length))));
});

test('packets of several connections in one 802.11 frame are in their order', async () => {
  const packets: TestPacket[] = [];
  for (let i = 0; i < 300; i++) {
    const ports = Array.from({ length: 5 }, (_, k) => 1000 + (((i * 5 + k) * 7919) % 1500));
    const inside = ports.map((sport) => snapOf(make.udpDatagram({ sport, dport: 53, payload: 'x' })));
    packets.push({
      sec: 1000 + Math.floor(i / 10),
      nsec: 0,
      bytes: concat(dataFrame(0x88, 0x80), aggregate(...inside)),
    });
  }
  const lines = (await sameOnCores(folder.write('wifi.pcap', buildPcap(packets, { link: 105 })))).split('\n');
  const started = lines.filter((line) => line.includes('"started"'));
  assert.is(started.length, 1500);
  const port = (line: string) => Number(/"orig_port":([0-9]+)/.exec(line)?.[1]);
  assert.equal(started.slice(0, 5).map(port), [1000, 1419, 1838, 2257, 1176]);
});

test('a broken capture: the same lines, the same fault', async () => {
  const whole = buildPcap(Array.from({ length: 200 }, (_, i) => datagram(1000 + i, i, 53)));
  const cut = folder.write('cut.pcap', whole.subarray(0, whole.length - 5));
  const [one, two] = await Promise.all(
    ['1', '2'].map((cores) => runCli('runtime/cli/iris-run.js', [module, '--pcap', cut, '--quiet', '--cores', cores])),
  );
  assert.is(one?.code, 2);
  assert.equal(two, one);
});

test('the summary adds up what all cores did', async () => {
  const pcap = folder.write('sum.pcap', buildPcap(Array.from({ length: 300 }, (_, i) => datagram(1000 + i, i, 53))));
  const facts = async (cores: string) => {
    const { stderr } = await runCli('runtime/cli/iris-run.js', [module, '--pcap', pcap, '--cores', cores]);
    return stderr.replace(/ in [0-9.]+ s .*/, '');
  };
  assert.is(await facts('3'), await facts('1'));
});

test('exceptions of user code: counted, and fatal under --strict', async () => {
  const throwing = folder.write(
    'throws.iris.mjs',
    Buffer.from(appModule({ terminated: "throw new Error('thrown by the program')" })),
  );
  const pcap = folder.write('two.pcap', buildPcap([datagram(1000, 1, 53), datagram(1001, 2, 53)]));
  const lenient = await runCli('runtime/cli/iris-run.js', [throwing, '--pcap', pcap, '--cores', '2']);
  assert.is(lenient.code, 0);
  assert.match(lenient.stderr, /^user errors +flows 2$/m);
  const strict = await runCli('runtime/cli/iris-run.js', [throwing, '--pcap', pcap, '--cores', '2', '--strict']);
  assert.is(strict.code, 1);
  assert.match(strict.stderr, /^error: subscription flows/m);
});

test('what cannot be shared is refused in one sentence', async () => {
  const refusals: [readonly string[], RegExp][] = [
    [['--pcap', '-', '--cores', '2'], /^error: one core reads a pipe, not several\n/],
    [['--pcap', 'x.pcap', '--cores', '0'], /whole number from 1 to 128/],
    [['--pcap', join(modules, 'missing.pcap'), '--cores', '2'], /^error: .*missing\.pcap: no such file\n/],
  ];
  for (const [args, message] of refusals) {
    const { code, stderr, stdout } = await runCli('runtime/cli/iris-run.js', [module, ...args]);
    assert.is.not(code, 0);
    assert.match(stderr, message);
    assert.is(stdout, '');
  }
});

test.run();
