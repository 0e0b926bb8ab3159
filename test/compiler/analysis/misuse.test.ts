/**
 * What the analysis says of wrong TypeScript, against test/compiler/analysis/golden/misuse.txt. `UPDATE_GOLDEN=1` writes
 * that file anew; read the difference before you keep it.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { createAnalysis } from '../../../compiler/analysis/analysis.ts';
import { formatDiagnostic } from '../../../compiler/cli/print-diagnostics.ts';
import { memoryHost } from '../../support/analysis-host.ts';

const test = suite('misuse');

interface Misuse {
  readonly what: string;
  readonly names: readonly string[];
  readonly text: string;
  readonly others?: Readonly<Record<string, string>>;
}

const IMPORTS = `import { callback, datatype, filter, on, type FiveTuple, type L4Pdu, type TlsHandshake, type u32 } from 'iris-ts/runtime';\n`;

const MISUSES: readonly Misuse[] = [
  { what: 'a syntax error', names: ['f'], text: 'export function f(tls: TlsHandshake) {\n  return 1 + ;\n}\n' },
  { what: 'a name that is not exported', names: ['f'], text: 'function f() {}\n' },
  { what: 'a default export', names: ['f'], text: 'export default function f() {}\n' },
  { what: 'a name that is only a type', names: ['F'], text: 'export interface F { a: number }\n' },
  { what: 'a name that is a number', names: ['n'], text: 'export const n = 5;\n' },
  { what: 'an untyped parameter', names: ['f'], text: 'export function f(tls) {}\n' },
  { what: 'a misspelt type', names: ['f'], text: 'export function f(tls: TlsHandshak): void {}\n' },
  { what: 'a type that is not imported', names: ['f'], text: 'export function f(ft: FiveTuple): void {}\n' },
  {
    what: 'a parameter that is no data type',
    names: ['f'],
    text: 'export const f = (n: number, s: string[]): void => {};\n',
  },
  { what: 'a rest parameter', names: ['f'], text: `${IMPORTS}export function f(...all: FiveTuple[]): void {}\n` },
  {
    what: 'an interface as a parameter',
    names: ['f'],
    text: 'interface Mine { a: number }\nexport function f(mine: Mine): void {}\n',
  },
  {
    what: 'a class that is no data type as a parameter',
    names: ['f'],
    text: 'class Mine { a = 0; }\nexport function f(mine: Mine): void {}\n',
  },
  {
    what: 'a type from a file that does not have it',
    names: ['f'],
    text: "import type { Mine } from './other.ts';\nexport function f(mine: Mine): void {}\n",
    others: { 'other.ts': 'export const a = 1;\n' },
  },
  { what: 'a class without a mark', names: ['C'], text: 'export class C { a = 0; }\n' },
  {
    what: 'a decorator twice',
    names: ['C'],
    text: `${IMPORTS}@datatype @datatype export class C {\n  n: u32 = 0;\n  @on('InL4Conn') f(pdu: L4Pdu) { this.n++; }\n}\n`,
  },
  {
    what: 'two roles',
    names: ['C'],
    text: `${IMPORTS}@datatype @callback export class C {\n  n: u32 = 0;\n  @on('InL4Conn') f(pdu: L4Pdu) { this.n++; }\n}\n`,
  },
  {
    what: 'a decorator that is not imported',
    names: ['C'],
    text: "@datatype export class C {\n  n = 0;\n  @on('L4EndHshk') f() { this.n++; }\n}\n",
  },
  {
    what: 'a misspelt level, one that is not a literal, none, and one twice',
    names: ['C'],
    text: `${IMPORTS}const AT = 'InL4Conn';\n@callback export class C {\n  @on('InL4Con') a(pdu: L4Pdu): void {}\n  @on(AT) b(): void {}\n  @on() c(): void {}\n  @on('InL4Conn', 'InL4Conn') d(): void {}\n}\n`,
  },
  {
    what: 'decorators in wrong places',
    names: ['C'],
    text: `${IMPORTS}@on('InL4Conn') @callback export class C {\n  @datatype a(): void {}\n  @on('L4Terminated') private b(): void {}\n}\n`,
  },
  {
    what: 'a callback without methods',
    names: ['C'],
    text: `${IMPORTS}@callback export class C {\n  a(): void {}\n}\n`,
  },
  { what: 'data that nothing updates', names: ['C'], text: `${IMPORTS}@datatype export class C {\n  n: u32 = 0;\n}\n` },
  {
    what: 'data that is not exported',
    names: ['f'],
    text: `${IMPORTS}@datatype class C {\n  n: u32 = 0;\n  @on('InL4Conn') f(pdu: L4Pdu) { this.n++; }\n}\nexport function f(c: C): void {}\n`,
  },
  {
    what: 'a packet where there is none',
    names: ['C'],
    text: `${IMPORTS}@datatype export class C {\n  n: u32 = 0;\n  @on('L4Terminated') f(pdu: L4Pdu) { this.n++; }\n}\n`,
  },
  {
    what: 'unknown options',
    names: ['C', 'D'],
    text: `${IMPORTS}@datatype({ expensiv: true }) export class C {\n  n: u32 = 0;\n  @on('L4EndHshk') f() { this.n++; }\n}\n@datatype({ kind: 'view' }) export class D {\n  n: u32 = 0;\n  @on('L4EndHshk') f() { this.n++; }\n}\n`,
  },
  {
    what: 'filters',
    names: ['noLevel', 'badLevel', 'noFunction', 'nothing', 'early'],
    text: `${IMPORTS}export const noLevel = filter();\nexport const badLevel = filter('L4First', (ft: FiveTuple) => true);\nexport const noFunction = filter('L4FirstPacket', 5);\nexport const nothing = filter('L4FirstPacket', (ft: FiveTuple) => {});\nexport const early = filter('L4FirstPacket', (tls: TlsHandshake) => true);\n`,
  },
  {
    what: 'a filter class without methods',
    names: ['C'],
    text: `${IMPORTS}@filter export class C {\n  a(): boolean { return true; }\n}\n`,
  },
  {
    what: 'static filters',
    names: ['C', 'D', 'E'],
    text: `${IMPORTS}export class C {\n  @filter({ at: 'L4FirstPacket' }) own(ft: FiveTuple): boolean { return true; }\n}\nexport class D {\n  @filter({ at: 'L4First' }) static a(ft: FiveTuple): boolean { return true; }\n  @filter({ at: ['Packet', 'InL4Conn'] }) static b(pdu: L4Pdu): boolean { return true; }\n  @filter({}) static c(ft: FiveTuple): boolean { return true; }\n  @filter({ at: 'L4FirstPacket' }) private static d(ft: FiveTuple): boolean { return true; }\n  @filter({ at: 'L4FirstPacket' }) static e(tls: TlsHandshake): void {}\n}\nexport class E {\n  @on('InL4Conn') @filter({ at: 'InL4Conn' }) static both(pdu: L4Pdu): boolean { return true; }\n}\n`,
  },
  {
    what: 'two data types of one name',
    names: ['f', 'g'],
    text: `${IMPORTS}import type { Count } from './a.ts';\nimport type { Count as Other } from './b.ts';\nexport function f(c: Count): void {}\nexport function g(c: Other): void {}\n`,
    others: {
      'a.ts': `${IMPORTS}@datatype export class Count {\n  n: u32 = 0;\n  @on('InL4Conn') f(pdu: L4Pdu) { this.n++; }\n}\n`,
      'b.ts': `${IMPORTS}@datatype export class Count {\n  n: u32 = 0;\n  @on('InL4Conn') f(pdu: L4Pdu) { this.n++; }\n}\n`,
    },
  },
];

function report({ names, text, others }: Misuse): string {
  const analysis = createAnalysis(memoryHost({ 'x/my.ts': text, ...prefixed(others ?? {}) }), 'x/f.iris');
  const used = analysis.resolveUse('./my.ts', names);
  if ('error' in used) return `${used.error}\n`;
  const missing = names.filter((name) => !used.names.has(name));
  const lines = used.diagnostics.map((one) => formatDiagnostic(one, { color: false }));
  return [...lines, `not usable: ${missing.join(', ') || 'none'}`, ''].join('\n');
}

function prefixed(files: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(files).map(([name, text]) => [`x/${name}`, text]));
}

test('every misuse is told at its place', () => {
  const golden = join(memoryHost({}).packageRoot, 'test/compiler/analysis/golden/misuse.txt');
  const told = MISUSES.map((misuse) => `## ${misuse.what}\n\n${report(misuse)}`).join('\n');
  if (process.env.UPDATE_GOLDEN === '1') writeFileSync(golden, told);
  assert.fixture(told, readFileSync(golden, 'utf8'));
});

test('a file that is not there', () => {
  const analysis = createAnalysis(memoryHost({ 'x/my.ts': 'export function f() {}\n' }), 'x/f.iris');
  assert.equal(analysis.resolveUse('./other.ts', ['f']), { error: 'there is no file `x/other.ts`' });
  assert.equal(analysis.resolveUse('./my', ['f']), {
    error: 'there is no file `x/my`',
    suggestion: 'did you mean `./my.ts`?',
  });
  assert.equal(analysis.resolveUse('./my.js', ['f']), {
    error: 'there is no file `x/my.js`',
    suggestion: 'did you mean `./my.ts`?',
  });
  assert.equal(analysis.readText('list.txt'), { error: 'there is no file `x/list.txt`' });
});

test('a problem is told once, by the first use that meets it', () => {
  const analysis = createAnalysis(
    memoryHost({ 'x/my.ts': 'export function f(a) {}\nexport const broken = ;\n' }),
    'x/f.iris',
  );
  const first = analysis.resolveUse('./my.ts', ['f']);
  assert.is('diagnostics' in first && first.diagnostics.length, 1);
  assert.equal(analysis.resolveUse('./my.ts', ['broken']), { error: '`x/my.ts` has syntax errors' });
});

test.run();
