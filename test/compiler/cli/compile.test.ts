/** The commands iris, iris-compile and their verbs, run as processes on files of a temporary folder. */
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type CliResult, runCli } from '../../support/run-cli.ts';

const folder = mkdtempSync(join(tmpdir(), 'iris-compile-'));
const cli = suite('command line of the compiler');

cli.after(() => rmSync(folder, { recursive: true, force: true }));

const compile = (...args: string[]): Promise<CliResult> =>
  runCli('compiler/cli/iris-compile.js', args, { cwd: folder });
const iris = (...args: string[]): Promise<CliResult> => runCli('compiler/cli/iris.js', args, { cwd: folder });
const write = (name: string, text: string | Uint8Array): void => writeFileSync(join(folder, name), text);

write(
  'good.iris',
  'use { onTls } from "./good-handlers.ts"\nsubscribe onTls when tls\nsubscribe all(conn: ConnRecord) at L4Terminated\n',
);
write(
  'good-handlers.ts',
  "import type { TlsHandshake } from 'iris-ts/runtime';\nexport function onTls(tls: TlsHandshake): void {\n  console.log('sni is', tls.sni);\n}\n",
);

cli('writes a module and JavaScript with the handlers in it', async () => {
  const { code, stdout, stderr } = await compile('good.iris');
  assert.is(code, 0, stderr);
  assert.match(stdout, 'wrote good.iris.ts, good.iris.js');
  const js = readFileSync(join(folder, 'good.iris.js'), 'utf8');
  assert.match(js, '"sni is"');
  assert.match(js, 'from "iris-ts/runtime"');
});

cli('leaves files alone that would not change', async () => {
  const before = statSync(join(folder, 'good.iris.ts')).mtimeMs;
  const { stdout } = await compile('good.iris');
  assert.match(stdout, 'unchanged');
  assert.is(statSync(join(folder, 'good.iris.ts')).mtimeMs, before);
});

cli('--check says what would change and writes nothing', async () => {
  assert.is((await compile('--check', 'good.iris')).code, 0);
  write('stale.iris', 'subscribe all() at L4Terminated\n');
  const { code, stderr } = await compile('--check', 'good.iris', 'stale.iris');
  assert.is(code, 1);
  assert.match(stderr, 'stale.iris.ts: not up to date');
  assert.not.match(stderr, 'good.iris');
  assert.not.ok(existsSync(join(folder, 'stale.iris.ts')));
});

cli('prints every mistake of a file with its place', async () => {
  write(
    'bad.iris',
    [
      'subscribe a(tls: TlsHandshak) when tls',
      'subscribe b() at L4Terminated when tls.sin = "x"',
      'subscribe c() at L4Terminated when tls and udp',
      'subscribe d() at L4Terminated when tcp.dst_port = 70000',
      'subscribe e() at Nowhere when tcp',
    ].join('\n'),
  );
  const { code, stderr, stdout } = await compile('bad.iris');
  assert.is(code, 1);
  assert.is(stdout, '');
  for (const line of [1, 2, 3, 4, 5]) assert.match(stderr, new RegExp(`^bad\\.iris:${line}:\\d+: error: `, 'm'));
  assert.match(stderr, '`tls.sni`');
  assert.match(stderr, '5 errors');
  assert.not.match(stderr, / at .*\.js:/);
  assert.not.ok(existsSync(join(folder, 'bad.iris.ts')));
});

cli('says what is wrong with a file name in one sentence', async () => {
  write('binary.iris', Uint8Array.of(0xff, 0xfe, 0x00));
  const cases: readonly [string, RegExp][] = [
    ['missing.iris', /^error: missing\.iris: no such file\n$/],
    ['good', /^error: good: no such file\n {2}did you mean good\.iris\?\n$/],
    ['.', /^error: \.: is a folder\n/],
    ['good-handlers.ts', /^error: good-handlers\.ts: is not called \.iris\n/],
    ['binary.iris', /^error: binary\.iris: is not UTF-8 text\n$/],
  ];
  for (const [name, message] of cases) {
    const { code, stderr } = await compile(name);
    assert.is(code, 1, name);
    assert.match(stderr, message);
  }
});

cli('refuses a method that could never be called, at its place', async () => {
  write('later.iris', 'use { Sizes } from "./later.ts"\nsubscribe Sizes when http\n');
  write(
    'later.ts',
    "import { callback, type TlsHandshake, on } from 'iris-ts/runtime';\n@callback\nexport class Sizes {\n  @on('L7EndHdrs') hello(tls: TlsHandshake): void {}\n}\n",
  );
  const { code, stderr } = await compile('later.iris');
  assert.is(code, 1);
  assert.match(
    stderr,
    /later\.iris:2:22: error: nothing can satisfy `http` at L7EndHdrs for `Sizes\.hello`: `http` and `tls` exclude/,
  );
});

cli('tells where the user code it bundles is broken', async () => {
  write('lost.iris', 'use { lost } from "./lost.ts"\nsubscribe lost when tls\n');
  write('lost.ts', "import { nothing } from './nowhere.ts';\nexport function lost(): void { nothing(); }\n");
  const { code, stderr } = await compile('lost.iris');
  assert.is(code, 1);
  assert.match(stderr, /lost\.ts:1:\d+: /);
  assert.not.match(stderr, 'internal');
});

cli('explains a filter as text, graphs and stages', async () => {
  const text = await iris('explain', 'good.iris');
  assert.is(text.code, 0, text.stderr);
  assert.match(text.stdout, /L4FirstPacket[\s\S]*L7EndHdrs[\s\S]*L4Terminated/);
  assert.match((await iris('explain', '--dot', 'good.iris')).stdout, /^digraph "good\.iris" \{/);
  assert.match((await iris('explain', '--mermaid', 'good.iris')).stdout, /^flowchart LR/);
  assert.match((await iris('explain', '--stage', 'dnf', 'good.iris')).stdout, 'tcp and tls');
  for (const stage of ['ast', 'typed', 'plan', 'view']) {
    const { stdout, code } = await iris('explain', '--stage', stage, 'good.iris');
    assert.is(code, 0);
    assert.type(JSON.parse(stdout), 'object');
  }
});

cli('starts a filter that compiles', async () => {
  assert.is((await iris('init', 'fresh')).code, 0);
  const { code, stderr } = await iris('compile', 'fresh.iris');
  assert.is(code, 0, stderr);
  const again = await iris('init', 'fresh');
  assert.is(again.code, 1);
  assert.match(again.stderr, 'exists already');
  assert.is((await iris('init', '../up')).code, 1);
});

cli('tells its version and its verbs', async () => {
  assert.match((await iris('--version')).stdout, /^\d+\.\d+\.\d+\n$/);
  const { stdout } = await iris('--version');
  assert.is((await compile('--version')).stdout, stdout);
  assert.is((await runCli('runtime/cli/iris-run.js', ['--version'])).stdout, stdout);
  assert.match((await iris('--version', '--verbose')).stdout, /parsers +tls/);
  assert.match((await iris('--help')).stdout, /compile[\s\S]*run[\s\S]*explain[\s\S]*init[\s\S]*doctor/);
  const unknown = await iris('dance');
  assert.is(unknown.code, 1);
  assert.match(unknown.stderr, "unknown verb 'dance'");
  assert.is((await iris()).code, 1);
});

cli.run();
