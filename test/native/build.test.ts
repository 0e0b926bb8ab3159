/** The addon's build where things are missing: it never fails, and says in one sentence what is not there. */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, realpathSync, rmSync, symlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { loadNative, type NativeAddon } from '../../runtime/source/dpdk.ts';
import { packageRoot } from '../support/corpus.ts';

const test = suite('build');
const root = packageRoot();

/** Builds a copy of native/ with another environment. */
function build(env: NodeJS.ProcessEnv): {
  readonly status: number | null;
  readonly text: string;
  readonly folder: string;
} {
  const folder = mkdtempSync(join(tmpdir(), 'iris-native-'));
  cpSync(realpathSync(join(root, 'native')), join(folder, 'native'), {
    recursive: true,
    filter: (path) => !path.endsWith('native/build'),
  });
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(folder, 'native/build.mjs')], {
    env: { ...process.env, ...env },
    encoding: 'utf8',
  });
  return { status, text: stdout + stderr, folder };
}

test('no compiler: skipped in one sentence', () => {
  const { status, text, folder } = build({ PATH: '/nonexistent' });
  assert.is(status, 0);
  assert.match(text, /^native addon skipped: g\+\+, make, python3 not found/);
  assert.is(text.trimEnd().split('\n').length, 1);
  rmSync(folder, { recursive: true });
});

// Compiling needs what the addon that is already there needed.
(loadNative() === undefined ? test.skip : test)('no libdpdk: a stub that pins threads', () => {
  const { status, text, folder } = build({ PKG_CONFIG_LIBDIR: '/nonexistent', PKG_CONFIG_PATH: '' });
  assert.is(status, 0, text);
  assert.match(text, /built without DPDK/);
  const stub = createRequire(import.meta.url)(join(folder, 'native/build/Release/iris_native.node')) as NativeAddon;
  assert.is(stub.haveDpdk, false);
  assert.is(stub.dpdkVersion, '');
  assert.ok(stub.threadAffinity().length > 0);
  assert.not.ok('ealStart' in stub);
  const memory = createRequire(import.meta.url)(join(folder, 'native/build/Release/iris_memory.node'));
  assert.is(typeof memory.adviseHuge, 'function');
  rmSync(folder, { recursive: true });
});
test.run();
