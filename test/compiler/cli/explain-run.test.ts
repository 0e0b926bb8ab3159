/** `iris run --explain`: the tests of the plan with how often each passed, and what the stages let go of. */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { compileInstrumented, compilePath } from '../../../compiler/cli/compile.ts';
import { runCli } from '../../support/run-cli.ts';

const folder = mkdtempSync(join(tmpdir(), 'iris-explain-test-'));
const explain = suite('a run that explains itself');
explain.after(() => rmSync(folder, { recursive: true, force: true }));

const filter = join(folder, 'some.iris');
const capture = join(folder, 'some.pcap');
writeFileSync(
  filter,
  `subscribe video(tls: TlsHandshake) when tls.sni contains 'video' and tcp.dst_port = 443
subscribe names(conn: ConnRecord) at L4Terminated when udp.dst_port = 53
`,
);

const traffic = ['--connections', '300', '--mix', 'tls13=2,http=1,dns=1', '--out', capture];

/** Numbers behind `needle` in the text: of its own line `[1,234]`. */
function hits(text: string, needle: string): number {
  const line = text.split('\n').find((one) => one.includes(needle)) ?? '';
  const found = /\[([\d,]+)\]$/.exec(line)?.[1];
  assert.ok(found !== undefined, `${needle} in ${text}`);
  return Number(found.replaceAll(',', ''));
}

const figure = (text: string, pattern: RegExp): number =>
  Number((pattern.exec(text)?.[1] ?? 'NaN').replaceAll(',', ''));

explain('counts what the run did', async () => {
  assert.is((await runCli('test/traffic/cli.js', traffic)).code, 0);
  const args = ['run', filter, '--pcap', capture];
  const plain = await runCli('compiler/cli/iris.js', args, { cwd: folder });
  const { code, stdout, stderr } = await runCli('compiler/cli/iris.js', [...args, '--explain'], { cwd: folder });
  assert.is(code, 0, stderr);
  assert.is(stdout, plain.stdout, 'the same lines are delivered');
  const delivered = (name: string): number => stdout.split('\n').filter((line) => line.includes(`"${name}"`)).length;
  assert.ok(delivered('video') > 0 && delivered('names') > 0);
  assert.is(hits(stderr, "if tls.sni contains 'video'"), delivered('video'));
  const first = stderr.slice(stderr.indexOf('L4FirstPacket'));
  assert.is(hits(first, 'udp.dst_port = 53'), delivered('names'));

  const packets = figure(stderr, /packets +([\d,]+)/);
  assert.is(figure(stderr, /filter:[\s\S]*?asked ([\d,]+) times/), packets);
  const kept = figure(stderr, /keeps out ([\d,]+) packets/);
  assert.ok(kept > 0 && kept < packets);
  const sessions = stderr.slice(stderr.indexOf('L7EndHdrs'));
  const asked = figure(sessions, /asked ([\d,]+) times/);
  // Every handshake is the last that is wanted of its connection.
  assert.is(figure(sessions, /lets go of ([\d,]+) connections/), asked);
  assert.ok(figure(sessions, /with them ([\d,]+) packets/) > asked);

  const two = await runCli('compiler/cli/iris.js', [...args, '--explain', '--cores', '2'], { cwd: folder });
  assert.is(two.code, 0, two.stderr);
  const outline = (text: string): string => text.slice(text.indexOf('some.iris:'));
  assert.is(outline(two.stderr), outline(stderr), 'two cores count what one does');
});

/** Bytes of a SYN of the generator. */
const SYN_FRAME = 66;

interface Ends {
  readonly packets: number;
  readonly bytes: number;
}

explain('what a stage discards is all that comes behind the packet at which it let go', async () => {
  const run = async (name: string, when: string, ...more: string[]): Promise<{ stdout: string; stderr: string }> => {
    const path = join(folder, `${name}.iris`);
    writeFileSync(path, `subscribe ${name}${when}\n`);
    const args = ['run', path, '--pcap', capture, ...more];
    const result = await runCli('compiler/cli/iris.js', args, { cwd: folder });
    assert.is(result.code, 0, result.stderr);
    rmSync(path);
    return result;
  };
  // The same connections, kept to their ends: Ethernet frames of the generator are IP packets and 14 bytes.
  const records = await run('kept', '(conn: ConnRecord) when tcp.dst_port = 443');
  rmSync(join(folder, 'kept.iris.js'), { force: true });
  rmSync(join(folder, 'kept.iris.ts'), { force: true });
  const conns = records.stdout
    .trim()
    .split('\n')
    .map((line) => (JSON.parse(line) as { conn: { orig: Ends; resp: Ends } }).conn);
  const sum = (of: (ends: Ends) => number): number => conns.reduce((all, c) => all + of(c.orig) + of(c.resp), 0);
  const wire = (ends: Ends): number => ends.bytes + 14 * ends.packets;

  const { stdout, stderr } = await run(
    'opened',
    '(ft: FiveTuple) at L4FirstPacket when tcp.dst_port = 443',
    '--explain',
  );
  assert.is(stdout.trim().split('\n').length, conns.length);
  const filtered = stderr.slice(stderr.indexOf('packet filter'));
  const offered = figure(filtered, /asked ([\d,]+) times/);
  assert.is(figure(filtered, /keeps out ([\d,]+) packets/), offered - sum((e) => e.packets));
  const first = stderr.slice(stderr.indexOf('L4FirstPacket'));
  assert.is(figure(first, /asked ([\d,]+) times/), conns.length);
  assert.is(figure(first, /lets go of ([\d,]+) connections \(100 %\)/), conns.length);
  assert.is(figure(first, /with them ([\d,]+) packets/), sum((e) => e.packets) - conns.length);
  assert.is(figure(first, /packets \([^)]*\) and ([\d,]+) bytes/), sum(wire) - conns.length * SYN_FRAME);
});

explain('leaves nothing behind, and only filters can be explained', async () => {
  assert.equal(readdirSync(folder).sort(), ['some.iris', 'some.iris.js', 'some.iris.ts', 'some.pcap']);
  const { code, stderr } = await runCli('compiler/cli/iris.js', [
    'run',
    `${filter}.js`,
    '--explain',
    '--pcap',
    capture,
  ]);
  assert.is(code, 1);
  assert.match(stderr, 'only a filter file can be explained');
});

explain('costs nothing where it is not asked for', async () => {
  assert.not.match(compilePath(filter).text ?? '', /hits|instruments/);
  assert.match((await compileInstrumented(filter)).js, /hits\[\d+\]\+\+/);
});

explain.run();
