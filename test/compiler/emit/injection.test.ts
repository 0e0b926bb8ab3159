/** Whatever text a filter holds, in generated code it is that text and nothing else. */
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { compile } from '../../../compiler/compile.ts';
import { commentText, identifier, Names, stringLiteral } from '../../../compiler/emit/text.ts';
import { memoryHost } from '../../support/analysis-host.ts';
import { loadModule } from '../support/load-module.ts';
import { runConnection, type StubConnection, stubCore } from '../support/stub-tracker.ts';
import { templates } from '../support/templates.ts';

const SEED = Number(process.env.IRIS_SEED ?? Date.now() % 1_000_000);
const NASTY = [
  `'); globalThis.pwned = 1; ('`,
  `"); globalThis.pwned = 1; ("`,
  ['`$', '{globalThis.pwned = 1}`'].join(''),
  '*/ globalThis.pwned = 1 /*',
  '// globalThis.pwned = 1',
  '\u2028globalThis.pwned = 1\u2029',
  "\\'; globalThis.pwned = 1; //",
  '\\u0027); globalThis.pwned = 1; //',
  '</script><script>globalThis.pwned = 1</script>',
  '{{{globalThis}}} {{> lines}} {{#each helpers}}',
  '\u202egnp.sihTlabolg\u202c',
  '00000000',
  '$&$1$`',
  '__proto__',
  'a\tb\0c\u001b[31m\u007f',
  '😀',
];

const injection = suite('injection');

/** A literal of the filter language. */
function quote(text: string): string {
  const escapes: Readonly<Record<string, string>> = { '\\': '\\\\', "'": "\\'", '\n': '\\n', '\r': '\\r', '\t': '\\t' };
  return `'${text.replace(/[\\'\n\r\t]/g, (char) => escapes[char] ?? char)}'`;
}

function tlsConnection(sni: string): StubConnection {
  return {
    ends: { proto: 6, v6: false, orig: [1], resp: [2], origPort: 1000, respPort: 443 },
    packets: [{ dir: 0, flags: 2, ttl: 64 }],
    handshakeAt: undefined,
    discoveredAt: 0,
    protocol: 1,
    sessions: [{ at: 0, session: { proto: 1, sni } as never }],
    tellsNone: false,
  };
}

async function deliveries(filter: string, sni: string): Promise<readonly string[]> {
  const source = { path: 'x.iris', text: filter };
  const result = compile(source, { files: memoryHost({}), templates: templates(), version: '0.0.0', parsers: ['tls'] });
  assert.equal(
    result.diagnostics.map((d) => d.message),
    [],
    filter,
  );
  const module = await loadModule(result.text ?? '');
  const out: string[] = [];
  const core = stubCore(module.plan.recordWords, (name) => out.push(name));
  runConnection(core, module.create(core, {}), module.plan, tlsConnection(sni), () => {});
  assert.is(Reflect.get(globalThis, 'pwned'), undefined);
  return out;
}

injection('texts of a filter arrive as they are', async () => {
  for (const text of NASTY) {
    const filter = [
      `# ${text.replace(/[\n\r\u2028\u2029]/g, ' ')}`,
      `set S = { ${quote(text)}, ${quote(`${text}2`)} }`,
      `subscribe equal() at L7EndHdrs when tls.sni = ${quote(text)}`,
      `subscribe within() at L7EndHdrs when tls.sni in S`,
      `subscribe any() at L7EndHdrs when tls.sni contains any S`,
      `subscribe starts() at L7EndHdrs when tls.sni starts_with ${quote(text)}`,
      `subscribe differs() at L7EndHdrs when tls.sni != ${quote(text)} and tls`,
    ].join('\n');
    assert.equal(await deliveries(filter, text), ['equal', 'within', 'any', 'starts'], text);
  }
});

injection('patterns arrive as they are', async () => {
  for (const text of NASTY) {
    const pattern = text.replace(/[\\^$.|?*+()[\]{}]/g, (char) => `\\${char}`);
    const filter = `subscribe found() at L7EndHdrs when tls.sni matches ${quote(pattern)}`;
    assert.equal(await deliveries(filter, `<${text}>`), ['found'], text);
  }
});

injection('names of the language do not clash with names of generated code', async () => {
  const names =
    'core live hit rec pkt c p plan create open clear tls session update actionsOf T_X handlers tracked meta fiveTuple'.split(
      ' ',
    );
  const filter = names.map((name) => `subscribe ${name}() at L7EndHdrs when tls.sni ends_with 'x'`).join('\n');
  assert.equal(await deliveries(filter, 'abcx'), names);
});

injection('any string is a literal that reads back', () => {
  console.log(`seed ${SEED}`);
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const literal = stringLiteral(text);
      assert.not.match(literal, /[\r\n\u2028\u2029]/);
      assert.is(new Function(`return ${literal}`)(), text);
    }),
    { seed: SEED, numRuns: 2000 },
  );
});

injection('any string is a comment that ends where its line ends', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (text) => {
      const comment = commentText(text);
      assert.is(new Function(`return 1 // ${comment}\n`)(), 1);
      assert.is(new Function(`/** ${comment} */ return 1`)(), 1);
    }),
    { seed: SEED, numRuns: 2000 },
  );
});

injection('names are identifiers, each taken once', () => {
  assert.throws(() => identifier('a b'));
  assert.throws(() => identifier("x'"));
  const names = new Names(['core']);
  assert.equal(
    ['core', 'core', 'class', 'x', 'x', 'A_B', 'A_B'].map((n) => names.take(n)),
    ['core2', 'core3', 'class2', 'x', 'x2', 'A_B', 'A_B_2'],
  );
});

injection.run();
