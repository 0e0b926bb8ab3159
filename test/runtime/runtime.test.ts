import { join } from 'node:path';
import { build } from 'esbuild';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { nodeHost } from '../../compiler/cli/node-host.ts';
import { Accept, Continue, callback, Drop, datatype, filter, on } from '../../runtime/runtime.ts';

const test = suite('iris-ts/runtime');

test('needs nothing of Node but its hashes and ciphers', async () => {
  const entry = join(nodeHost().packageRoot, 'runtime/runtime.ts');
  const { metafile } = await build({
    entryPoints: [entry],
    bundle: true,
    write: false,
    metafile: true,
    format: 'esm',
    external: ['node:*', 're2js'],
    outdir: '/',
    logLevel: 'silent',
  });
  const outside = Object.values(metafile.outputs).flatMap((output) => output.imports.map((one) => one.path));
  assert.equal(
    outside.filter((path) => path !== 're2js' && path !== 'node:crypto'),
    [],
  );
  const inside = Object.keys(metafile.inputs).filter((path) => /native|lcore|dispatch|source\//.test(path));
  assert.equal(inside, []);
});

test('decorators leave classes and functions as they are', () => {
  @datatype
  class Plain {
    @on('InL4Conn') f(): number {
      return 1;
    }
  }
  @datatype({ expensive: true })
  class Options {}
  @callback
  class Handler {}
  @filter
  class Stateful {}
  @filter({ at: 'L4FirstPacket' })
  class Once {}
  for (const [Type, name] of [
    [Plain, 'Plain'],
    [Options, 'Options'],
    [Handler, 'Handler'],
    [Stateful, 'Stateful'],
    [Once, 'Once'],
  ] as const) {
    assert.is(Type.name, name);
    assert.instance(new Type(), Type);
  }
  assert.is(new Plain().f(), 1);
  const accept = (): true => Accept;
  assert.is(filter('L4FirstPacket', accept), accept);
  assert.equal([Accept, Drop, Continue], [true, false, 'continue']);
});

test.run();
