/** iris-run as a user runs it, on captures: output, summary, exit codes, every kind of broken input, pipes and signals. */
import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { appModule } from '../../support/app-module.ts';
import { buildPcap, captureFolder, type TestPacket } from '../../support/captures.ts';
import { packageRoot } from '../../support/corpus.ts';
import { runCli, runShell } from '../../support/run-cli.ts';

const test = suite('cli/run');
const folder = captureFolder();
test.after(() => folder.remove());

const write = (name: string, content: string | Uint8Array) =>
  folder.write(name, typeof content === 'string' ? Buffer.from(content) : content);
const run = (args: readonly string[], input?: Uint8Array) => runCli('runtime/cli/iris-run.js', args, { input });

/** One UDP datagram of 4 bytes from port `port` to port 53. */
function datagram(sec: number, nsec: number, port: number): TestPacket {
  const bytes = Buffer.alloc(46);
  bytes.writeUInt16BE(0x0800, 12);
  bytes.set([0x45, 0, 0, 32, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2], 14);
  bytes.writeUInt16BE(port, 34);
  bytes.writeUInt16BE(53, 36);
  bytes.writeUInt16BE(12, 38);
  return { sec, nsec, bytes };
}

const app = write('flows.iris.mjs', appModule());
const packets = [datagram(1_700_000_000, 250_000, 1000), datagram(1_700_000_001, 123_456_789, 1001)];
const pcap = write('two.pcap', buildPcap(packets, { nanoseconds: true }));

/** Lines as [source port, time text]. */
function flows(stdout: string): [number, string][] {
  return stdout
    .split('\n')
    .slice(0, -1)
    .map((line) => {
      const { subscription, ports } = JSON.parse(line);
      assert.is(subscription, 'flows');
      return [ports >>> 16, /"ts":([0-9.]+)/.exec(line)?.[1] ?? ''];
    });
}

test('one line per delivery on the standard output, a summary on the standard error', async () => {
  const { code, stdout, stderr } = await run([app, '--pcap', pcap]);
  assert.is(stderr.split('\n').length > 3, true);
  assert.match(stderr, /^packets +2, 92 B in /m);
  assert.match(stderr, /^connections +2, ended by drain 2$/m);
  assert.match(stderr, /^lines +flows 2$/m);
  assert.equal(
    flows(stdout).map(([port]) => port),
    [1000, 1001],
  );
  assert.is(code, 0);
});

test('compiles a filter file first; its mistakes end the run before it starts', async () => {
  const filter = write('ports.iris', 'subscribe ports(ft: FiveTuple) when udp.dst_port = 53\n');
  const { code, stdout, stderr } = await run([filter, '--pcap', pcap]);
  assert.is(code, 0, stderr);
  assert.equal(
    stdout
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line).ft.orig_port),
    [1000, 1001],
  );
  const wrong = await run([write('wrong.iris', 'subscribe x(ft: FiveTuple) when tls.sin = 1\n'), '--pcap', pcap]);
  assert.is(wrong.code, 1);
  assert.is(wrong.stdout, '');
  assert.match(wrong.stderr, 'tls.sni');
  assert.match(wrong.stderr, 'not compiled');
});

test('several captures, packed ones too, in the order of time', async () => {
  const [first, second] = packets as [TestPacket, TestPacket];
  const late = write('late.pcap.gz', gzipSync(buildPcap([{ ...second, sec: second.sec + 5 }])));
  const middle = write('late-0.pcap', buildPcap([{ ...first, sec: first.sec + 3 }]));
  const ports = async (...args: string[]) => {
    const { code, stdout, stderr } = await run([app, ...args]);
    assert.is(code, 0, stderr);
    return flows(stdout).map(([port]) => port);
  };
  assert.equal(await ports('--pcap', late), [1001]);
  assert.equal(await ports('--pcap', late, '--pcap', middle), [1000, 1001]);
  assert.equal(await ports('--pcap', middle, late), [1000, 1001]);
  assert.equal(await ports('--pcap', join(folder.path, 'late*')), [1000, 1001]);
  assert.equal(await ports('--pcap', late, middle, '--cores', '2'), [1000, 1001]);
  assert.match((await run([app, pcap])).stderr, 'captures follow --pcap');
  assert.match((await run([app, '--pcap', join(folder.path, 'none*')])).stderr, 'no file has a name like this');
});

test('tunnels are opened where the configuration says so, on any number of cores', async () => {
  const [{ bytes, ...time }] = packets as [TestPacket];
  const outside = Buffer.from(bytes.subarray(0, 34));
  outside[17] = 52;
  outside[23] = 4;
  const tunnel = write('tunnel.pcap', buildPcap([{ ...time, bytes: Buffer.concat([outside, bytes.subarray(14)]) }]));
  const config = write('decap.toml', '[decap]\nipip = true\n');
  assert.equal(flows((await run([app, '--pcap', tunnel])).stdout), []);
  for (const cores of ['1', '2']) {
    const { stdout, stderr } = await run([app, '--pcap', tunnel, '--config', config, '--cores', cores]);
    assert.is(flows(stdout)[0]?.[0], 1000);
    assert.match(stderr, /^tunnels +opened 1$/m);
  }
});

test('--quiet and --out', async () => {
  const out = join(folder.path, 'out.jsonl');
  const { code, stdout, stderr } = await run([app, '--pcap', pcap, '--quiet', '--out', out]);
  assert.equal([code, stdout, stderr], [0, '', '']);
  assert.is(flows(readFileSync(out, 'utf8')).length, 2);
  const denied = await run([app, '--pcap', pcap, '--out', join(folder.path, 'no/where')]);
  assert.is(denied.code, 1);
  assert.match(denied.stderr, 'its folder does not exist');
});

test('reads the standard input', async () => {
  const { code, stdout } = await run([app, '--pcap', '-'], readFileSync(pcap));
  assert.is(code, 0);
  assert.is(flows(stdout).length, 2);
});

test('--max-connections bounds the table, and what was given up is said', async () => {
  const many = Array.from({ length: 50 }, (_, i) => datagram(5, i, 2000 + i));
  const { code, stderr } = await run([app, '--pcap', write('many.pcap', buildPcap(many)), '--max-connections', '10']);
  assert.is(code, 0);
  assert.match(stderr, /^given up +\d+ connections .*max_connections/m);
  const wrong = await run([app, '--pcap', pcap, '--max-connections', '-3']);
  assert.is(wrong.code, 1);
  assert.match(wrong.stderr, 'whole number from 1');
});

test('broken input: what comes before is delivered, then file and offset, exit code 2', async () => {
  const whole = readFileSync(pcap);
  const cut = write('cut.pcap', whole.subarray(0, whole.length - 1));
  const { code, stdout, stderr } = await run([app, '--pcap', cut]);
  assert.is(code, 2);
  assert.is(flows(stdout).length, 1);
  assert.match(stderr, /^packets +1, /m);
  assert.match(stderr, `error: ${cut}: byte ${24 + 16 + 46}: the file is cut short: 45 of the 46 bytes of a packet`);
  assert.not.match(stderr, /\n\s+at /);
});

test('input that is no capture: one sentence, exit code 2, no output', async () => {
  mkdirSync(join(folder.path, 'dir.pcap'));
  for (const [name, content, words] of [
    ['missing.pcap', undefined, 'no such file'],
    ['dir.pcap', undefined, 'is a folder'],
    ['empty.pcap', '', 'is empty'],
    ['text.pcap', 'hello, world\n', 'not a capture: it is text, starting with "hello, world"'],
  ] as const) {
    const file = content === undefined ? join(folder.path, name) : write(name, content);
    const { code, stdout, stderr } = await run([app, '--pcap', file]);
    assert.is(code, 2, name);
    assert.is(stdout, '');
    assert.match(stderr, words);
    assert.match(stderr, /^error: .*\n$/, 'one line and no more');
  }
});

test('wrong usage and wrong programs: exit code 1', async () => {
  const old = write('old.mjs', appModule({ abi: 0 }));
  for (const [args, words] of [
    [[app], 'where do the packets come from?'],
    [[old, '--pcap', pcap], 'run iris-compile flows.iris again'],
    [[join(folder.path, 'none.js'), '--pcap', pcap], 'no such file'],
    [[], "missing required argument 'program'"],
    [[app, '--pcpa', pcap], "unknown option '--pcpa'"],
    [[app, '--config', write('bad.toml', 'main_corr = 1\n')], 'main_corr'],
    [[app, '--config', join(folder.path, 'none.toml')], 'no such file'],
    [[app, '--config', write('empty.toml', '')], 'names neither a port'],
  ] as const) {
    const { code, stdout, stderr } = await run(args);
    assert.is(code, 1, words);
    assert.is(stdout, '');
    assert.match(stderr, words);
    assert.not.match(stderr, /\n\s+at /);
  }
});

test('a configuration names the capture and bounds the table', async () => {
  const config = write('run.toml', `[offline]\npcap = ${JSON.stringify(pcap)}\n[conntrack]\nmax_connections = 1\n`);
  const { code, stdout, stderr } = await run([app, '--config', config]);
  assert.is(code, 0);
  assert.match(stderr, /^packets +2, /m);
  assert.is(flows(stdout).length < 2, true);
});

test('an exception of user code is reported and counted; --strict stops at it', async () => {
  const throwing = write('throws.mjs', appModule({ terminated: "if (reason === 5) throw new TypeError('mine')" }));
  const lenient = await run([throwing, '--pcap', pcap]);
  assert.is(lenient.code, 0);
  assert.match(
    lenient.stderr,
    /error in user code: subscription flows, connection .*10\.0\.0\.1.*: TypeError: mine\n {4}at /,
  );
  assert.match(lenient.stderr, /^user errors +flows 2$/m);
  const strict = await run([throwing, '--pcap', pcap, '--strict']);
  assert.is(strict.code, 1);
  assert.match(strict.stderr, 'TypeError: mine');
});

test('a reader that goes away ends the run quietly', async () => {
  const many = Array.from({ length: 20_000 }, (_, i) => datagram(1000 + i * 100, 0, 1024 + (i % 60_000)));
  const file = write('long.pcap', buildPcap(many));
  const { stdout, stderr } = await runShell(`$IRIS_RUN ${app} --pcap ${file} | head -n 3; echo "\${PIPESTATUS[0]}"`);
  assert.is(stdout.split('\n').length, 5);
  assert.is(stdout.split('\n')[3], '0');
  assert.not.match(stderr, /EPIPE|error/);
});

test('SIGINT and SIGTERM drain, flush and say so', async () => {
  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const) {
    const child = spawn(process.execPath, [join(packageRoot(), 'dist/runtime/cli/iris-run.js'), app, '--pcap', '-'], {
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (text) => {
      stdout += text;
    });
    child.stderr.on('data', (text) => {
      stderr += text;
    });
    // Packets go on for as long as the run does: the signal has to end it.
    child.stdin.on('error', () => {});
    child.stdin.write(buildPcap([]));
    let sec = 1000;
    // Each packet is a flow of its own, a second after the one before: flows time out all along.
    const record = () => buildPcap([datagram(sec, 0, 1024 + (sec++ % 60_000))]).subarray(24);
    const records = () => Buffer.concat(Array.from({ length: 50 }, record));
    const feeding = setInterval(() => child.stdin.write(records()), 2);
    const closed = new Promise((resolve) => child.on('close', resolve));
    await Promise.race([new Promise((resolve) => child.stdout.once('data', resolve)), closed]);
    child.kill(signal);
    const ended = await closed;
    clearInterval(feeding);
    assert.is(ended, code);
    assert.ok(flows(stdout).length > 0);
    assert.match(stderr, new RegExp(`^stopped +by ${signal}$`, 'm'));
    assert.match(stderr, /^connections +\d/m);
  }
});

test.run();
