/** `iris-compile --watch` compiles again when something that the filter uses changes; `explain --svg` draws. */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { packageRoot } from '../../support/corpus.ts';
import { runCli } from '../../support/run-cli.ts';

const folder = mkdtempSync(join(tmpdir(), 'iris-watch-'));
const test = suite('watching and drawing');
test.after(() => rmSync(folder, { recursive: true, force: true }));

const write = (name: string, text: string): void => writeFileSync(join(folder, name), text);
const handlers = (word: string): string =>
  `import type { TlsHandshake } from 'iris-ts/runtime';\nexport function onTls(tls: TlsHandshake): void {\n  console.log('${word}', tls.sni);\n}\n`;

/** Waits until `done` holds; the runner's patience is the limit of a machine under load. */
async function until(done: () => boolean): Promise<void> {
  for (let i = 0; i < 600 && !done(); i++) await new Promise((go) => setTimeout(go, 100));
  assert.ok(done());
}

const js = (): string => {
  try {
    return readFileSync(join(folder, 'w.iris.js'), 'utf8');
  } catch {
    return '';
  }
};

test('--watch follows the filter, its sets and its TypeScript, and survives mistakes', async () => {
  write('hosts.txt', 'a.example\n');
  write('on-tls.ts', handlers('first'));
  write(
    'w.iris',
    'use { onTls } from "./on-tls.ts"\nset HOSTS = lines("hosts.txt")\nsubscribe onTls when tls.sni in HOSTS\n',
  );
  const tool = join(packageRoot(), 'dist/compiler/cli/iris-compile.js');
  const child = spawn(process.execPath, [tool, '--watch', 'w.iris'], { cwd: folder });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => (said += text));
  try {
    await until(() => said.includes('wrote'));
    assert.match(js(), 'first');
    // Watching begins right behind the first message.
    await new Promise((go) => setTimeout(go, 500));
    write('on-tls.ts', handlers('second'));
    await until(() => js().includes('second'));
    write('hosts.txt', 'b.example\n');
    await until(() => js().includes('b.example'));
    const filter = readFileSync(join(folder, 'w.iris'), 'utf8');
    write('w.iris', filter.replace('tls.sni', 'tls.sin'));
    await until(() => said.includes('no field'));
    write('w.iris', filter.replace('in HOSTS', "= 'c.example'"));
    await until(() => js().includes('c.example'));
  } finally {
    child.kill();
  }
});

test('--watch and --check exclude each other', async () => {
  const { code, stderr } = await runCli('compiler/cli/iris-compile.js', ['--watch', '--check', 'w.iris'], {
    cwd: folder,
  });
  assert.is(code, 1);
  assert.match(stderr, '--watch writes files');
});

test('--svg draws every stage, with what users wrote as text', async () => {
  write('p.iris', "subscribe s() when tls.sni = '<script>&' and tcp.dst_port = 443\n");
  const { code, stdout, stderr } = await runCli('compiler/cli/iris.js', ['explain', '--svg', 'p.iris'], {
    cwd: folder,
  });
  assert.is(code, 0, stderr);
  assert.match(stdout, /^<\?xml[\s\S]*<svg [\s\S]*<\/svg>\s*$/);
  assert.match(stdout, 'packet filter');
  assert.match(stdout, '&lt;script&gt;');
  assert.not.match(stdout, '<script>');
});

test('whoever stops reading is told of no error', async () => {
  write('few.iris', 'subscribe s() when tcp\n');
  const iris = join(packageRoot(), 'dist/compiler/cli/iris.js');
  const child = spawn(process.execPath, [iris, 'explain', 'few.iris'], { cwd: folder });
  let stderr = '';
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  child.stdout.destroy();
  const code = await new Promise((done) => child.on('close', done));
  assert.equal([code, stderr], [0, '']);
});

test.run();
