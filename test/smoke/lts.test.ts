/**
 * The whole path on another Node: compile the example, run it on its capture, and deliver the same lines as on the Node
 * that runs the tests. `.ci/run` names the current LTS in IRIS_SMOKE_NODE; without it the test is skipped.
 */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { packageRoot } from '../support/corpus.ts';

const smoke = suite('another Node');
const other = process.env.IRIS_SMOKE_NODE;

/** Compiles and runs the example with `node` in a folder of its own; returns the module and the delivered lines. */
function compileAndRun(node: string): { module: string; lines: string } {
  const root = packageRoot();
  const folder = mkdtempSync(join(root, 'dist', 'smoke-'));
  try {
    cpSync(join(root, 'examples/sni'), folder, { recursive: true, filter: (path) => !/\.iris\.(ts|js)$/.test(path) });
    const filter = join(folder, 'sni.iris');
    execFileSync(node, [join(root, 'dist/compiler/cli/iris-compile.js'), filter], { stdio: 'pipe' });
    const lines = execFileSync(
      node,
      [join(root, 'dist/runtime/cli/iris-run.js'), `${filter}.js`, '--pcap', join(folder, 'sample.pcap'), '--quiet'],
      { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] },
    );
    return { module: readFileSync(`${filter}.ts`, 'utf8'), lines };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

(other === undefined ? smoke.skip : smoke)('compiles and runs the example alike', () => {
  const here = compileAndRun(process.execPath);
  const there = compileAndRun(other ?? '');
  assert.ok(here.lines.split('\n').length > 10, 'the example delivers lines');
  assert.is(there.module, here.module);
  assert.is(there.lines, here.lines);
});

smoke.run();
