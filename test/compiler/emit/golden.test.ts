/**
 * Generated modules and `iris explain`, word for word: test/compiler/emit/golden/NAME.iris gives NAME.module.txt and
 * NAME.explain.txt. `IRIS_GOLDEN=write` rewrites them. All modules are type-checked in one strict run of tsc.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { explainText } from '../../../compiler/cli/explain.ts';
import { nodeHost } from '../../../compiler/cli/node-host.ts';
import { compile } from '../../../compiler/compile.ts';
import { templates } from '../support/templates.ts';

const host = nodeHost();
const FOLDER = join(host.packageRoot, 'test/compiler/emit/golden');
const NAMES = readdirSync(FOLDER)
  .filter((file) => file.endsWith('.iris'))
  .map((file) => basename(file, '.iris'))
  .sort();
const WRITE = process.env.IRIS_GOLDEN === 'write';

const golden = suite('golden files of generated code');

function compileGolden(name: string): ReturnType<typeof compile> {
  const path = join(FOLDER, `${name}.iris`);
  const source = { path, text: readFileSync(path, 'utf8') };
  return compile(source, { files: host, templates: templates(), version: '0.0.0', parsers: ['tls'] });
}

function agree(file: string, text: string): void {
  const path = join(FOLDER, file);
  if (WRITE) writeFileSync(path, text);
  else assert.fixture(text, readFileSync(path, 'utf8'), `${file} differs; IRIS_GOLDEN=write accepts it`);
}

for (const name of NAMES) {
  golden(name, () => {
    const { text, plan, diagnostics } = compileGolden(name);
    assert.equal(diagnostics, []);
    if (text === undefined || plan === undefined) throw new Error('not compiled');
    agree(`${name}.module.txt`, text);
    agree(`${name}.explain.txt`, explainText(`${name}.iris`, plan));
    assert.is(compileGolden(name).text, text, 'the same source gives the same text');
  });
}

golden('type-checks under strict', () => {
  const folder = join(host.packageRoot, 'dist/test/compiler/emit/generated');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const name of NAMES) writeFileSync(join(folder, `${name}.iris.ts`), compileGolden(name).text ?? '');
  for (const file of readdirSync(FOLDER).filter((f) => f.endsWith('.ts') && !f.endsWith('.iris.ts'))) {
    writeFileSync(join(folder, file), readFileSync(join(FOLDER, file)));
  }
  const compilerOptions = {
    strict: true,
    noUnusedLocals: true,
    noUnusedParameters: true,
    noImplicitReturns: true,
    module: 'NodeNext',
    target: 'ES2022',
    lib: ['ES2023', 'ESNext.Decorators'],
    types: ['node'],
    noEmit: true,
    skipLibCheck: true,
    allowImportingTsExtensions: true,
  };
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['*.ts'] }));
  const tsc = join(host.packageRoot, 'node_modules/typescript/bin/tsc');
  let problems = '';
  try {
    execFileSync(process.execPath, [tsc, '-p', folder], { encoding: 'utf8' });
  } catch (error) {
    problems = error instanceof Error && 'stdout' in error ? String(error.stdout) : String(error);
  }
  assert.is(problems, '');
});

golden.run();
