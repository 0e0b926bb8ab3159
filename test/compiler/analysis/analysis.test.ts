import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Analysis, createAnalysis } from '../../../compiler/analysis/analysis.ts';
import { joinPath, specifier } from '../../../compiler/analysis/host.ts';
import { LEVELS } from '../../../compiler/analysis/info.ts';
import type { UsedName } from '../../../compiler/language/environment.ts';
import type { Level } from '../../../runtime/subscription/decorators.ts';
import { memoryHost } from '../../support/analysis-host.ts';

const test = suite('analysis');

const IMPORTS = `import { callback, datatype, Drop, filter, on, type FiveTuple, type L4Pdu, type StartTime, type TlsHandshake, type u32 } from 'iris-ts/runtime';\n`;

function analyse(files: Readonly<Record<string, string>>): Analysis {
  return createAnalysis(memoryHost(files), 'dir/f.iris');
}

function use(text: string, names: readonly string[], others: Readonly<Record<string, string>> = {}): UsedName[] {
  const used = analyse({ 'dir/my.ts': text, ...others }).resolveUse('./my.ts', names);
  if ('error' in used) throw new Error(used.error);
  assert.equal(
    used.diagnostics.map((one) => one.message),
    [],
  );
  return names.map((name) => {
    const found = used.names.get(name);
    if (found === undefined) throw new Error(`${name} was not found`);
    return found;
  });
}

/** Names and types of parameters, or of what else has them. */
function types(params: readonly { readonly name: string; readonly type: string }[] | undefined): string[] {
  return (params ?? []).map(({ name, type }) => `${name}: ${type}`);
}

test('the library', () => {
  const analysis = analyse({});
  const names = analysis.dataTypeNames();
  for (const name of [
    'L4Pdu',
    'FiveTuple',
    'StartTime',
    'ConnRecord',
    'TlsHandshake',
    'CoreId',
    'FilterStr',
    'Session',
  ]) {
    assert.ok(names.includes(name), name);
    const info = analysis.dataType(name);
    assert.is(info?.name, name);
    assert.is(info?.module, 'iris-ts/runtime');
  }
  assert.not.ok(names.includes('Plan'));
  assert.is(analysis.dataType('Plan'), undefined);
  assert.is(analysis.dataType('Nothing'), undefined);
  const { kind, protocol, availableAt } = analysis.dataType('TlsHandshake') ?? {};
  assert.equal([kind, protocol, availableAt], ['session', 'tls', 'L7EndHdrs']);
  assert.is(analysis.dataType('FiveTuple')?.kind, 'view');
  assert.is(analysis.dataType('L4Pdu')?.kind, 'pdu');
  assert.is(analysis.dataType('CoreId')?.kind, 'context');
  const record = analysis.dataType('ConnRecord');
  assert.is(record?.kind, 'columns', record?.notColumns?.reason);
  assert.is(record?.availableAt, 'L4Terminated');
  assert.ok(record?.followers?.some((follower) => follower.type === 'FiveTuple'));
});

test('functions', () => {
  const text = `${IMPORTS}import type { FiveTuple as Ends } from 'iris-ts/runtime';
    export function declared(tls: TlsHandshake, ends: Ends): void {}
    export const arrow = ({ sni }: TlsHandshake): boolean => sni !== undefined;
    export const guessed = (pdu: L4Pdu) => pdu.length > 5;
    export const silent = (tls: TlsHandshake) => console.log(tls.sni);
    export async function later(tls: TlsHandshake) { return true; }
    function hidden(this: void, ft: FiveTuple) { if (ft.origPort === 1) return false; return true; }
    export { hidden as shown };`;
  const names = ['declared', 'arrow', 'guessed', 'silent', 'later', 'shown'];
  const found = use(text, names).map((one) => {
    if (one.is !== 'callback') throw new Error('no callback');
    const { name, module, kind, params, streaming } = one.info;
    return [name, module, kind, types(params).join(', '), streaming];
  });
  assert.equal(found, [
    ['declared', './my.ts', 'function', 'tls: TlsHandshake, ends: FiveTuple', false],
    ['arrow', './my.ts', 'function', 'tlsHandshake: TlsHandshake', true],
    ['guessed', './my.ts', 'function', 'pdu: L4Pdu', true],
    ['silent', './my.ts', 'function', 'tls: TlsHandshake', false],
    ['later', './my.ts', 'function', 'tls: TlsHandshake', false],
    ['shown', './my.ts', 'function', 'ft: FiveTuple', true],
  ]);
});

test('callback classes', () => {
  const [one] = use(
    `${IMPORTS}@callback export class Rate {
      constructor(first: L4Pdu) {}
      @on('InL4Stream', 'InL4Conn') segment(pdu: L4Pdu, tls: TlsHandshake): boolean { return true; }
      @on('L4Terminated') done(start: StartTime): void {}
      helper(): void {}
    }`,
    ['Rate'],
  );
  if (one.is !== 'callback') throw new Error('no callback');
  assert.is(one.info.kind, 'class');
  assert.is(one.info.streaming, true);
  assert.equal(types(one.info.params), ['first: L4Pdu']);
  assert.equal(
    one.info.methods.map(({ name, levels, params, returns }) => [name, levels, types(params), returns]),
    [
      ['segment', ['InL4Stream', 'InL4Conn'], ['pdu: L4Pdu', 'tls: TlsHandshake'], true],
      ['done', ['L4Terminated'], ['start: StartTime'], false],
    ],
  );
});

test('filters', () => {
  const found = use(
    `${IMPORTS}import { filter as asked } from 'iris-ts/runtime';
    export const arrow = asked('L4FirstPacket', (ft: FiveTuple) => ft.origPort > 5);
    export const several = filter(['L4FirstPacket', 'L4EndHshk'], named);
    function named(start: StartTime) { return Drop; }
    @filter({ at: 'L4EndHshk' }) export class One { decide(ft: FiveTuple): boolean { return true; } }
    @filter export class More {
      @on('InL4Conn') look(pdu: L4Pdu) { return pdu.length > 0; }
      @on('L4EndHshk') end(): boolean { return false; }
    }`,
    ['arrow', 'several', 'One', 'More'],
  ).map((one) => {
    if (one.is !== 'filter') throw new Error('no filter');
    const { kind, levels, params, methods } = one.info;
    return [kind, levels, types(params), methods.map((method) => method.name)];
  });
  assert.equal(found, [
    ['function', ['L4FirstPacket'], ['ft: FiveTuple'], []],
    ['function', ['L4FirstPacket', 'L4EndHshk'], ['start: StartTime'], []],
    ['class', ['L4EndHshk'], [], ['decide']],
    ['class', ['L4EndHshk', 'InL4Conn'], [], ['look', 'end']],
  ]);
});

test('static methods that are filters', () => {
  const text = `${IMPORTS}
    export class Mine {
      @filter({ at: 'L4FirstPacket' }) static near(ft: FiveTuple): boolean { return true; }
      @filter({ at: ['L4EndHshk', 'InL4Conn'] }) static slow(start: StartTime) { return Drop; }
      static helper(): number { return 1; }
    }
    @datatype export class Count {
      n: u32 = 0;
      @on('InL4Conn') add(pdu: L4Pdu): void { this.n++; }
      @filter({ at: 'InL4Conn' }) static many(count: Count): boolean { return count.n > 5; }
    }`;
  const [mine, count] = use(text, ['Mine', 'Count']);
  assert.equal([mine?.is, count?.is], ['filters', 'dataType']);
  const found = [...(mine?.filters ?? []), ...(count?.filters ?? [])];
  assert.equal(
    found.map(({ name, staticOf, kind, levels, params }) => [name, staticOf, kind, levels, types(params)]),
    [
      ['Mine.near', 'Mine', 'function', ['L4FirstPacket'], ['ft: FiveTuple']],
      ['Mine.slow', 'Mine', 'function', ['L4EndHshk', 'InL4Conn'], ['start: StartTime']],
      ['Count.many', 'Count', 'function', ['InL4Conn'], ['count: Count']],
    ],
  );
});

test('data types by the file that declares them', () => {
  const count = `${IMPORTS}@datatype({ expensive: true }) export class Count { n: u32 = 0; @on('L4EndHshk') f() { this.n++; } }`;
  const analysis = analyse({
    'dir/my.ts': "export { go } from '../lib/go.ts';",
    'lib/go.ts': "import type { Count as C } from './types.js';\nexport function go(count: C): void {}",
    'lib/types.ts': "export * from './count.ts';",
    'lib/count.ts': count,
  });
  const used = analysis.resolveUse('./my.ts', ['go']);
  if ('error' in used) throw new Error(used.error);
  assert.equal(used.diagnostics, []);
  const go = used.names.get('go');
  if (go?.is !== 'callback') throw new Error('no callback');
  assert.is(go.info.module, './my.ts');
  assert.equal(types(go.info.params), ['count: Count']);
  assert.is(analysis.dataType('Count'), undefined, 'it is not of the library');
  const info = analysis.dataType('Count', go.info);
  assert.equal([info?.kind, info?.module, info?.availableAt], ['columns', '../lib/count.ts', 'L4EndHshk']);
  assert.is(info?.expensive, true);
});

test('data that is no columns says why', () => {
  const source = (fields: string, body: string): string =>
    `${IMPORTS}const seen: number[] = [];
    @datatype export class D { ${fields} @on('InL4Conn') f(pdu: L4Pdu) { ${body} } }`;
  const why = (fields: string, body: string): string | undefined => {
    const text = source(fields, body);
    const [one] = use(text, ['D']);
    if (one.is !== 'dataType') throw new Error('no data type');
    assert.is(one.info.kind, 'object');
    const { notColumns } = one.info;
    return notColumns && `${notColumns.reason}: ${text.slice(notColumns.span.start, notColumns.span.end)}`;
  };
  assert.is(why("name = '';", "this.name += 'x';"), undefined);
  assert.is(why('n: u32 = 0;', 'seen.push(this.n);'), 'the call of `seen.push` is not compiled: seen.push(this.n)');
  assert.is(why('n: u32 = 0; k = new Uint32Array(2);', 'this.k[this.n]++;'), '`this.n` may lie outside 0..1: this.n');
  assert.is(why('n: u32 = 0; k = new Uint32Array(2);', 'const k = this.k;'), '`this.k` can only be indexed: this.k');
  assert.is(why('n: u32 = 0;', 'const keep = pdu;'), '`pdu` itself cannot be kept or handed on: pdu');
  assert.is(why('n: u32 = 0;', 'this.n = pdu.payload[0];'), '`pdu.payload[0]` is not a column: pdu.payload[0]');
  assert.is(why('n: u32 = 0;', 'this.g();} g() { this.g();'), '`g` calls itself: g() { this.g(); }');
  assert.is(why('#n = 0;', 'this.#n++;'), undefined);
  assert.is(
    why('n: u32 = 0; constructor() { this.n = 5; }', 'this.n++;'),
    'it has a constructor: constructor() { this.n = 5; }',
  );
});

test('a constructor makes data of the first packet or of a session', () => {
  const [first, session] = use(
    `${IMPORTS}@datatype export class First { port = 0; constructor(pdu: L4Pdu) { this.port = pdu.length; } }
    @datatype export class Name { constructor(readonly tls: TlsHandshake) {} }`,
    ['First', 'Name'],
  );
  if (first.is !== 'dataType' || session.is !== 'dataType') throw new Error('no data types');
  assert.equal(
    [first.info.kind, first.info.availableAt, types(first.info.params)],
    ['object', 'L4FirstPacket', ['pdu: L4Pdu']],
  );
  assert.equal([session.info.kind, session.info.availableAt], ['object', 'L7EndHdrs']);
});

test('paths', () => {
  assert.is(joinPath('a/b', './c.ts'), 'a/b/c.ts');
  assert.is(joinPath('a/b', '../c.ts'), 'a/c.ts');
  assert.is(joinPath('', '../c.ts'), '../c.ts');
  assert.is(joinPath('../x', '../../c.ts'), '../../c.ts');
  assert.is(joinPath('/a', './b//c.ts'), '/a/b/c.ts');
  assert.is(joinPath('a', '/b.ts'), '/b.ts');
  assert.is(specifier('a/b', 'a/b/c.ts'), './c.ts');
  assert.is(specifier('a/b', 'a/c.ts'), '../c.ts');
  assert.is(specifier('', 'lib/c.ts'), './lib/c.ts');
  assert.is(specifier('/x/y', '/x/z/c.ts'), '../z/c.ts');
});

test('levels are the same for users and the compiler', () => {
  const users: readonly Level[] = LEVELS;
  const compilers: readonly (typeof LEVELS)[number][] = users;
  assert.is(compilers.length, 8);
});

test.run();
