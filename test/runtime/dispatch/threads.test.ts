/** Handlers on other threads: what they are told, in which order, and that everything is counted. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { corpus, corpusEntries, packageRoot } from '../../support/corpus.ts';
import { dpdk } from '../../support/dpdk.ts';
import { type CliResult, runCli } from '../../support/run-cli.ts';

const test = suite('dispatch/threads');
// Beside the checkout's node_modules, so that the modules find `iris-ts/runtime`.
const folder = mkdtempSync(join(packageRoot(), 'dist', 'dispatch-'));
test.after(() => rmSync(folder, { recursive: true }));

const FILTER = `
use { Sizes } from "./sizes.ts"
subscribe flows(conn: ConnRecord, sizes: Sizes) at L4Terminated when tcp or udp
subscribe started(ft: FiveTuple, start: StartTime, span: Lifespan) at L4FirstPacket when tcp or udp
subscribe names(tls: TlsHandshake, ft: FiveTuple) when tls
subscribe questions(dns: DnsTransaction, ft: FiveTuple) when dns
subscribe requests(http: HttpTransaction) when http
subscribe logins(ssh: SshHandshake) when ssh
subscribe packets(pdu: L4Pdu, ft: FiveTuple) at InL4Conn when tcp or udp
`;
const SIZES = `
import { datatype, on, type L4Pdu, type u32 } from 'iris-ts/runtime';
@datatype
export class Sizes {
  most: u32 = 0;
  total = 0;
  ends = new Uint32Array(2);
  @on('InL4Conn') update(pdu: L4Pdu): void {
    if (pdu.length > this.most) this.most = pdu.length;
    this.total += pdu.length;
    this.ends[pdu.dir]++;
  }
  get summary(): string { return this.most + '/' + this.total + '/' + this.ends.join('+'); }
}
`;
/** Each handler writes a line that needs the getters, methods and bytes of what it was given. */
const APP = `
import { appendFileSync } from 'node:fs';
import { threadId } from 'node:worker_threads';
import { counter, defineApp } from 'iris-ts/runtime';
import { create } from './all.iris.js';
const calls = counter('calls_total', 'Calls.');
const out = process.env.OUT;
let seen = 0;
let lines = '';
const write = (name, ...parts) => {
  calls.add(1);
  lines += name + ' ' + parts.map((part) => typeof part === 'string' ? part : JSON.stringify(part)).join(' ') + '\\n';
  if (lines.length > 4096 || name === 'flush') flush();
};
const flush = () => { if (lines !== '') appendFileSync(out, lines); lines = ''; };
process.on('exit', flush);
appendFileSync(out + '.threads', '');
export default defineApp(create, {
  flows(conn, sizes) { write('flows', conn, conn.history, conn.fiveTuple.copy().origAddr, sizes, sizes.summary); },
  started(ft, start, span) {
    appendFileSync(out + '.threads', 'started ' + threadId + '\\n');
    write('started', ft, String(ft), start, span);
  },
  names(tls, ft) {
    if (process.env.THROW !== undefined && ++seen % 2 === 1) throw new TypeError('no names today');
    write('names', tls, tls.sni ?? '', tls.ja3Hash ?? '', tls.ja4 ?? '', tls.serverCertificates.length, ft.copy());
  },
  questions(dns, ft) { write('questions', dns, dns.answers, ft.origPort); },
  requests(http) { write('requests', http, http.uri ?? ''); },
  logins(ssh) { write('logins', ssh, ssh.kexAlgsCtos); },
  packets(pdu, ft) {
    if (process.env.SLOW !== undefined) for (const until = performance.now() + 0.5; performance.now() < until; );
    write('packets', ft, pdu, pdu.frame.length, pdu.sinceLast.toFixed(6), pdu.copy().payload.length);
    return process.env.FEW === undefined || pdu.payloadLength === 0;
  },
});
`;

writeFileSync(join(folder, 'all.iris'), FILTER);
writeFileSync(join(folder, 'sizes.ts'), SIZES);
writeFileSync(join(folder, 'app.js'), APP);
execFileSync(process.execPath, [join(packageRoot(), 'dist/compiler/cli/iris-compile.js'), join(folder, 'all.iris')], {
  stdio: 'pipe',
});
const NAMES = ['flows', 'started', 'names', 'questions', 'requests', 'logins', 'packets'];

interface Outcome extends CliResult {
  readonly lines: readonly string[];
  /** The summary. */
  readonly told: {
    readonly dispatch?: Readonly<Record<string, { dispatched: number; done: number; dropped: number }>>;
    readonly user_errors: Readonly<Record<string, number>>;
    readonly metrics: Readonly<Record<string, number>>;
  };
  readonly threads: ReadonlySet<string>;
}

let runs = 0;

async function run(
  pcap: string | undefined,
  config: string,
  more: readonly string[] = [],
  env: Readonly<Record<string, string>> = {},
  app = 'app.js',
): Promise<Outcome> {
  const out = join(folder, `out-${++runs}`);
  const file = `${out}.toml`;
  writeFileSync(file, config);
  const args = [
    join(folder, app),
    ...(pcap === undefined ? [] : ['--pcap', pcap]),
    '--config',
    file,
    '--json',
    ...more,
  ];
  const result = await runCli('runtime/cli/iris-run.js', args, { env: { OUT: out, ...env } });
  const lines = existsSync(out) ? readFileSync(out, 'utf8').trimEnd().split('\n') : [];
  const summary = result.stderr.split('\n').find((line) => line.startsWith('{"kind":"summary"'));
  const threads = existsSync(`${out}.threads`) ? readFileSync(`${out}.threads`, 'utf8').trimEnd().split('\n') : [];
  return { ...result, lines, told: JSON.parse(summary ?? '{}'), threads: new Set(threads) };
}

/** Functions and classes of the filter file itself: what they are told, and in which order. */
const OWN_FILTER = `
use { told, pieces, Watch } from "./own.ts"
subscribe told when tls
subscribe pieces at L4FirstPacket, InL4Stream when tcp
subscribe Watch when tcp
`;
const OWN = `
import { appendFileSync } from 'node:fs';
import { isMainThread, threadId } from 'node:worker_threads';
import { callback, on, type FiveTuple, type L4Pdu, type SessionProto, type StateTransition, type StateTxData, type TlsHandshake } from 'iris-ts/runtime';
const out = process.env.OUT ?? '';
let lines = '';
function write(...parts: readonly unknown[]): void {
  lines += parts.map((part) => JSON.stringify(part)).join(' ') + '\\n';
}
process.on('exit', () => {
  appendFileSync(out, lines);
  if (lines !== '') appendFileSync(out + '.threads', 'own ' + (isMainThread ? 0 : threadId) + '\\n');
});
export function told(tls: TlsHandshake, ends: FiveTuple): void { write('told', ends, tls.sni, ends.origAddr); }
const counts = new Map<string, number>();
export function pieces(pdu: L4Pdu, ends: FiveTuple): boolean {
  const n = (counts.get(String(ends)) ?? 0) + 1;
  counts.set(String(ends), n);
  write('pieces', ends, n, pdu.length);
  return n < 3;
}
@callback
export class Watch {
  bytes = 0;
  readonly steps: string[] = [];
  constructor(readonly first: L4Pdu, readonly ends: FiveTuple) {
    this.first = first.copy();
    this.ends = ends.copy();
  }
  @on('InL4Stream') piece(pdu: L4Pdu): boolean {
    this.bytes += pdu.length;
    return this.bytes < 20_000;
  }
  @on('L7OnDisc', 'L4Terminated') step(at: StateTransition, what: StateTxData, proto: SessionProto): void {
    if (process.env.THROW !== undefined && proto === 'tls' && at === 'L7OnDisc') throw new TypeError('not today');
    this.steps.push(at + ':' + proto);
    write('Watch', this.ends, this.first.length, this.bytes, this.steps, what.at);
  }
}
`;
writeFileSync(join(folder, 'own.iris'), OWN_FILTER);
writeFileSync(join(folder, 'own.ts'), OWN);

const all = (mode: string, more = '') => NAMES.map((name) => `[dispatch.${name}]\nmode = "${mode}"\n${more}`).join('');

/** The lines of each subscription and connection, in order. */
function byConnection(lines: readonly string[]): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const line of lines.filter((one) => one.startsWith('packets '))) {
    const key = line.slice(0, line.indexOf('}') + 1);
    const own = found.get(key) ?? [];
    own.push(line);
    found.set(key, own);
  }
  return found;
}

const entries = corpus() === undefined ? [] : corpusEntries(corpus() ?? '').map(({ pcap }) => pcap);
const pick = (word: string) => entries.find((pcap) => pcap.includes(word)) ?? entries[0] ?? '';
const withCorpus = entries.length === 0 ? test.skip : test;
const SAMPLE = join(packageRoot(), 'examples/sni/sample.pcap');

test('handlers on other threads are told the same, each connection in order', async () => {
  const inline = await run(SAMPLE, '');
  assert.is(inline.code, 0, inline.stderr);
  assert.ok(inline.lines.length > 10, String(inline.lines.length));
  for (const mode of ['shared', 'dedicated']) {
    for (const more of [[], ['--cores', '2']]) {
      const other = await run(SAMPLE, all(mode, 'threads = 2\n'), more);
      assert.is(other.code, 0, other.stderr);
      assert.equal([...other.lines].sort(), [...inline.lines].sort(), `${mode} ${more.join(' ')}`);
      assert.equal(byConnection(other.lines), byConnection(inline.lines));
      assert.is(other.threads.has('started 0'), false);
      assert.equal(other.told.metrics, inline.told.metrics);
      const counts = Object.values(other.told.dispatch ?? {});
      assert.is(counts.length, NAMES.length);
      assert.is(
        counts.reduce((sum, { done }) => sum + done, 0),
        inline.lines.length,
      );
      assert.ok(counts.every(({ dispatched, done, dropped }) => dropped === 0 && dispatched === done));
    }
  }
});

test('functions and classes of the filter file run on other threads, too', async () => {
  const compiled = await runCli('compiler/cli/iris-compile.js', [join(folder, 'own.iris')]);
  assert.is(compiled.code, 0, compiled.stderr);
  const app = 'own.iris.js';
  const owned = (mode: string) =>
    ['told', 'pieces', 'Watch'].map((n) => `[dispatch.${n}]\nmode = "${mode}"\n`).join('');
  for (const env of [{}, { THROW: '1' }] as Record<string, string>[]) {
    const inline = await run(SAMPLE, '', [], env, app);
    assert.is(inline.code, 0, inline.stderr);
    for (const word of ['"told"', '"pieces"', '"Watch"'])
      assert.ok(
        inline.lines.some((line) => line.startsWith(word)),
        word,
      );
    assert.is((inline.told.user_errors.Watch ?? 0) > 0, 'THROW' in env);
    for (const mode of ['shared', 'dedicated']) {
      const other = await run(SAMPLE, owned(mode), [], env, app);
      assert.is(other.code, 0, other.stderr);
      assert.equal([...other.lines].sort(), [...inline.lines].sort(), mode);
      assert.equal(other.told.user_errors, inline.told.user_errors);
      assert.not.ok(other.threads.has('own 0'));
      for (const { dispatched, done } of Object.values(other.told.dispatch ?? {})) assert.is(dispatched, done);
      assert.is(Object.keys(other.told.dispatch ?? {}).length, 3);
    }
  }
});

withCorpus('every kind of session', async () => {
  for (const pcap of ['http', 'dns', 'ssh', 'quic', 'tls'].map(pick)) {
    const inline = await run(pcap, '');
    const other = await run(pcap, all('shared'));
    assert.is(other.code, 0, other.stderr);
    assert.equal([...other.lines].sort(), [...inline.lines].sort(), pcap);
  }
});

test('what finds no room is dropped, counted and said', async () => {
  const config = '[dispatch.packets]\nmode = "dedicated"\nring = 4096\non_full = "drop"\n';
  const { code, stderr, told, lines } = await run(SAMPLE, config, [], { SLOW: '1' });
  assert.is(code, 0, stderr);
  const { dispatched, done, dropped } = told.dispatch?.packets ?? { dispatched: 0, done: 0, dropped: 0 };
  assert.ok(dropped > 0, JSON.stringify(told.dispatch));
  assert.is(dispatched, done + dropped);
  assert.is(lines.filter((line) => line.startsWith('packets ')).length, done);
  assert.match(stderr, /"kind":"loss","text":"dispatch\.packets: [\d,]+ deliveries dropped/);
});

test('a capture waits for room', async () => {
  const config = '[dispatch.packets]\nmode = "dedicated"\nring = 4096\n';
  const inline = await run(SAMPLE, '');
  const { told, lines } = await run(SAMPLE, config, [], { SLOW: '1' });
  assert.is(told.dispatch?.packets?.dropped, 0);
  assert.equal([...lines].sort(), [...inline.lines].sort());
});

test('exceptions are reported as they are inline', async () => {
  const inline = await run(SAMPLE, '', [], { THROW: '1' });
  const other = await run(SAMPLE, all('shared'), [], { THROW: '1' });
  assert.is(other.code, 0, other.stderr);
  assert.ok((inline.told.user_errors.names ?? 0) > 0, inline.stderr);
  assert.equal(other.told.user_errors, inline.told.user_errors);
  assert.equal([...other.lines].sort(), [...inline.lines].sort());
  assert.match(other.stderr, /subscription names, connection tcp .* -> .*: TypeError: no names today/);
  const strict = await run(SAMPLE, all('dedicated'), ['--strict'], { THROW: '1' });
  assert.is(strict.code, 1, strict.stderr);
  assert.match(strict.stderr, /no names today/);
});

test('false ends the deliveries of a connection', async () => {
  const inline = await run(SAMPLE, '', [], { FEW: '1' });
  const other = await run(SAMPLE, all('dedicated'), [], { FEW: '1' });
  assert.equal([...other.lines].sort(), [...inline.lines].sort());
});

test('a signal ends it when everything is handled', async () => {
  const out = join(folder, 'interrupted');
  writeFileSync(`${out}.toml`, '[dispatch.packets]\nmode = "dedicated"\n');
  const script = `node ${join(packageRoot(), 'dist/runtime/cli/iris-run.js')} ${join(folder, 'app.js')} --json --pcap - --config ${out}.toml 2> ${out}.err < ${out}.pipe & pid=$!; exec 3> ${out}.pipe; cat ${SAMPLE} >&3; for i in $(seq 100); do grep -q . ${out} 2>/dev/null && break; sleep 0.1; done; kill -INT $pid; sleep 0.2; exec 3>&-; wait $pid; echo $?`;
  const stdout = execFileSync('bash', ['-c', `mkfifo ${out}.pipe; ${script}`], {
    env: { ...process.env, OUT: out, SLOW: '1' },
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  assert.is(stdout.trim(), '130');
  const summary = readFileSync(`${out}.err`, 'utf8')
    .split('\n')
    .find((line) => line.startsWith('{"kind":"summary"'));
  const { dispatched, done, dropped } = JSON.parse(summary ?? '{}').dispatch.packets;
  assert.ok(dispatched > 0);
  assert.is(dispatched, done + dropped);
  assert.is(dropped, 0);
});

const addon = dpdk();
(addon === undefined ? test.skip : test)('receive cores of a port', async () => {
  const [core = 0] = addon?.threadAffinity() ?? [];
  const port = `[[online.ports]]\ndevice = "net_pcap0,rx_pcap=${SAMPLE}"\ncores = [${core}]\n`;
  const config = `main_core = ${core}\nmempool.capacity = 8191\n${all('shared')}[online]\nnb_rxd = 512\n${port}`;
  const inline = await run(SAMPLE, '');
  const other = await run(undefined, config);
  assert.is(other.code, 0, other.stderr);
  const words = ({ lines }: Outcome) => lines.filter((line) => !line.startsWith('packets ')).sort();
  assert.equal(words(other), words(inline));
  assert.equal(
    [...byConnection(other.lines)].map(([key, own]) => `${key} ${own.length}`).sort(),
    [...byConnection(inline.lines)].map(([key, own]) => `${key} ${own.length}`).sort(),
  );
  assert.ok(Object.values(other.told.dispatch ?? {}).every(({ dispatched, done }) => dispatched > 0 === done > 0));
  assert.is(other.told.dispatch?.packets?.done, other.told.dispatch?.packets?.dispatched);
  const { code, stderr } = await run(undefined, config.replace('"shared"', '"shared"\non_full = "wait"'));
  assert.is(code, 1, stderr);
  assert.match(stderr, /receive cores never wait/);
});

test('what makes no sense is refused', async () => {
  const refused = async (config: string, words: RegExp) => {
    const { code, stderr } = await run(SAMPLE, config);
    assert.is(code, 1, stderr);
    assert.match(stderr, words);
  };
  await refused('[dispatch.flow]\nmode = "shared"\n', /no such subscription/);
  await refused('[dispatch.flows]\nmode = "elsewhere"\n', /one of .*inline.*shared.*dedicated/);
  await refused('[dispatch.flows]\nring = 65536\n', /mode is missing|mode.*missing/);
  await refused('[dispatch.flows]\nmode = "shared"\nrings = 1\n', /did you mean ring/);
  await refused('[dispatch]\nflows = "shared"\n', /must be a section/);
  const file = join(folder, 'lines.toml');
  writeFileSync(file, '[dispatch.flows]\nmode = "shared"\n');
  const args = [join(folder, 'all.iris.js'), '--pcap', SAMPLE, '--config', file];
  const { code, stderr } = await runCli('runtime/cli/iris-run.js', args);
  assert.is(code, 1);
  assert.match(stderr, /dispatch\.flows: there is no handler to run elsewhere/);
});

test.run();
