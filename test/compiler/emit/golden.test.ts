/**
 * Generated modules and `iris explain`, word for word: test/compiler/emit/golden/NAME.iris gives NAME.module.txt and
 * NAME.explain.txt. `IRIS_GOLDEN=write` rewrites them. All modules are type-checked in one strict run of tsc.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { PROTOCOLS } from '../../../compiler/catalog/catalog.ts';
import { explainText } from '../../../compiler/cli/explain.ts';
import { nodeHost } from '../../../compiler/cli/node-host.ts';
import { compile } from '../../../compiler/compile.ts';
import type { FieldType } from '../../../runtime/protocols/field.ts';
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

/** A test of a field of that type. */
const TESTS: Readonly<Record<FieldType, string>> = {
  bool: '= true',
  u8: '>= 1',
  u16: 'in {1, 3, 5..9}',
  u32: '< 7',
  u64: '> 1',
  ipv4: 'in 10.0.0.0/8',
  ipv6: 'in 2001:db8::/32',
  mac: '= 02:00:00:00:00:01',
  text: "matches '^a.*b$'",
  bytes: 'contains |15 A1|',
  'u16[]': '= 1',
  'text[]': "contains 'h2'",
};

const LEVEL_OF_SCOPE = { connection: 'L4FirstPacket', packet: 'InL4Conn', session: 'L7EndHdrs' } as const;

/** One subscription for every field of the catalog, and its negation. */
function everyField(): string {
  const tests = PROTOCOLS.flatMap((protocol) =>
    protocol.fields.map((field) => ({ text: `${protocol.name}.${field.name} ${TESTS[field.type]}`, field, protocol })),
  );
  return tests
    .flatMap(({ text, field, protocol }, i) => [
      `subscribe yes${i}() at ${LEVEL_OF_SCOPE[field.scope]} when ${text}`,
      `subscribe no${i}() at ${LEVEL_OF_SCOPE[field.scope]} when not ${text} and ${protocol.name}`,
    ])
    .join('\n');
}

golden('type-checks under strict', () => {
  const folder = join(host.packageRoot, 'dist/test/compiler/emit/generated');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const name of NAMES) writeFileSync(join(folder, `${name}.iris.ts`), compileGolden(name).text ?? '');
  const parsers = PROTOCOLS.filter((p) => p.layer === 'application').map((p) => p.name);
  const source = { path: join(folder, 'fields.iris'), text: everyField() };
  const fields = compile(source, { files: host, templates: templates(), version: '0.0.0', parsers });
  assert.equal(
    fields.diagnostics.map((d) => d.message),
    [],
  );
  writeFileSync(join(folder, 'fields.iris.ts'), fields.text ?? '');
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
