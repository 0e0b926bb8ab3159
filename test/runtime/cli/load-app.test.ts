import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { loadApp } from '../../../runtime/cli/load-app.ts';
import { IrisError } from '../../../runtime/errors.ts';
import { ABI_VERSION } from '../../../runtime/packet/layout.ts';
import { appModule } from '../../support/app-module.ts';
import { captureFolder } from '../../support/captures.ts';

const test = suite('cli/load-app');
const folder = captureFolder();
test.after(() => folder.remove());

const write = (name: string, text: string) => folder.write(name, Buffer.from(text));

async function errorOf(path: string): Promise<IrisError> {
  try {
    await loadApp(path);
  } catch (error) {
    assert.instance(error, IrisError);
    assert.is((error as IrisError).exitCode, 1);
    return error as IrisError;
  }
  assert.unreachable(`${path} was loaded`);
  throw new Error();
}

test('loads a generated module and an app with bound handlers', async () => {
  const generated = await loadApp(write('flows.iris.mjs', appModule()));
  assert.is(generated.plan.source, 'flows.iris');
  const app = write(
    'app.mjs',
    "import * as m from './flows.iris.mjs'\nexport default { plan: m.plan, create: () => 7 }",
  );
  const loaded = await loadApp(app);
  assert.equal(loaded.plan, generated.plan);
  assert.is(loaded.create(undefined as never), 7 as never);
});

test('offers its own runtime to a module outside any package', async () => {
  const path = write(
    'uses.mjs',
    `import * as runtime from 'iris-ts/runtime'\nexport const api = runtime\n${appModule()}`,
  );
  assert.is((await loadApp(path)).plan.abi, ABI_VERSION);
});

test('refuses a module of another ABI version, naming the command that mends it', async () => {
  const error = await errorOf(write('old.mjs', appModule({ abi: 999 })));
  assert.match(error.message, 'compiled for version 999');
  assert.is(error.hint, 'run iris-compile flows.iris again');
});

test('refuses a module that needs a parser this runtime does not have', async () => {
  const error = await errorOf(write('parser.mjs', appModule({ parsers: ['tls', 'gopher'] })));
  assert.match(error.message, 'needs a parser for gopher');
});

test('says what is wrong with a file that cannot be loaded', async () => {
  const missing = await errorOf(join(folder.path, 'missing.iris.js'));
  assert.match(missing.message, 'missing.iris.js: no such file');
  assert.is(missing.hint, undefined);
  write('there.iris', 'subscribe flows(ft: FiveTuple) when tcp');
  assert.match((await errorOf(join(folder.path, 'there.iris.js'))).hint ?? '', 'run iris-compile');
  mkdirSync(join(folder.path, 'dir.js'));
  assert.match((await errorOf(join(folder.path, 'dir.js'))).message, 'is a folder');
  assert.match((await errorOf(write('x.iris.ts', ''))).hint ?? '', /give the \.js .*x\.iris\.js/);
  assert.match((await errorOf(write('app.ts', ''))).hint ?? '', 'esbuild');
  assert.match((await errorOf(write('nothing.mjs', 'export const plan = {}'))).message, 'is no Iris program');
  assert.match((await errorOf(write('syntax.mjs', 'export const = 3'))).message, 'cannot be loaded: SyntaxError: ');
  assert.match(
    (await errorOf(write('throws.mjs', "throw new Error('at load')"))).message,
    /Error: at load\n {4}at .*throws.mjs:1/,
  );
  assert.match((await errorOf(write('import.mjs', "import 'no-such-package'"))).message, 'no-such-package');
});

test.run();
