/**
 * What the compiler says of wrong programs with user code, as `iris compile` prints it, against
 * test/compiler/golden/misuse.txt. `IRIS_GOLDEN=write` writes that file anew; read the difference before you keep it.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { explainText } from '../../compiler/cli/explain.ts';
import { formatDiagnostic } from '../../compiler/cli/print-diagnostics.ts';
import { compile } from '../../compiler/compile.ts';
import { memoryHost } from '../support/analysis-host.ts';
import { templates } from './support/templates.ts';

interface Misuse {
  readonly what: string;
  readonly iris: string;
  readonly my?: string;
}

const IMPORTS = `import { Accept, callback, type ConnRecord, Continue, datatype, filter, type FilterStr, type FiveTuple, type L4Pdu, on, type SessionProto, type StateTransition, type TlsHandshake, type u32 } from 'iris-ts/runtime';\n`;

const MISUSES: readonly Misuse[] = [
  {
    what: 'an unknown type',
    iris: 'use { f } from "./my.ts"\nsubscribe f at L4Terminated when tcp\nsubscribe g(conn: ConRecord) when tcp',
    my: 'export function f(conn: ConnRecrd): void {}\n',
  },
  {
    what: 'data without a constructor and without updates',
    iris: 'use { Count } from "./my.ts"\nsubscribe f(count: Count) at L4Terminated when tcp',
    my: '@datatype\nexport class Count {\n  n: u32 = 0;\n}\n',
  },
  {
    what: 'streaming data without a level',
    iris: 'use { f } from "./my.ts"\nsubscribe f when tcp\nsubscribe g(pdu: L4Pdu) when tcp',
    my: 'export function f(pdu: L4Pdu): boolean { return true; }\n',
  },
  {
    what: 'data of the end of a connection at another level',
    iris: 'use { f, C, D, g } from "./my.ts"\nsubscribe f at L7EndHdrs when tls\nsubscribe C when tls\nsubscribe D when tls\nsubscribe e(conn: ConnRecord) at L4EndHshk when tcp and g',
    my: "export function f(conn: ConnRecord): void {}\n@callback\nexport class C {\n  @on('L7OnDisc') a(conn: ConnRecord): void {}\n}\n@callback\nexport class D {\n  constructor(conn: ConnRecord) {}\n  @on('L7OnDisc') a(): void {}\n}\nexport const g = filter('L4EndHshk', (conn: ConnRecord) => true);\n",
  },
  {
    what: 'FilterStr in a streaming callback',
    iris: 'use { f, C } from "./my.ts"\nsubscribe f at InL4Conn when tcp\nsubscribe C when tcp\nsubscribe g(why: FilterStr) at InL4Stream when tcp',
    my: "export function f(pdu: L4Pdu, why: FilterStr): void {}\n@callback\nexport class C {\n  @on('InL4Stream') a(why: FilterStr): void {}\n}\n",
  },
  {
    what: 'names that are taken',
    iris: 'use { f } from "./my.ts"\nlet web = tcp.port = 80\nlet web = tcp.port = 443\nsubscribe f at L4Terminated when web\nsubscribe f at L4FirstPacket when tcp\nsubscribe g(ft: FiveTuple, ft: FiveTuple) when tcp',
    my: 'export function f(ft: FiveTuple): void {}\n',
  },
  {
    what: 'two filters named alike',
    iris: 'use { big, odd } from "./my.ts"\nuse { big } from "./my.ts"\nsubscribe g(ft: FiveTuple) at L4Terminated when big and odd',
    my: "export const big = filter('L4FirstPacket', (ft: FiveTuple) => true);\nexport const odd = filter('L4FirstPacket', (ft: FiveTuple) => true);\nexport const odd = filter('L4FirstPacket', (ft: FiveTuple) => false);\n",
  },
  {
    what: 'a let that is defined by itself',
    iris: 'let a = b or tcp\nlet b = not c\nlet c = a and udp\nsubscribe g(ft: FiveTuple) at L4Terminated when a',
  },
  {
    what: 'classes at levels that are none of theirs',
    iris: 'use { C, D, E } from "./my.ts"\nsubscribe C at L4Terminated when tcp\nsubscribe D when tcp\nsubscribe E when tls.sni = \'a\'',
    my: "@callback\nexport class C {\n  @on('InL4Conn') a(pdu: L4Pdu): void {}\n}\n@callback\nexport class D {\n  constructor(why: FilterStr, tls: TlsHandshake) {}\n  @on('Packet') a(pdu: L4Pdu): void {}\n  @on('L4Terminated') b(pdu: L4Pdu): void {}\n}\n@callback\nexport class E {\n  @on('L4FirstPacket') a(pdu: L4Pdu): void {}\n}\n",
  },
  {
    what: 'a method that is never called, and data that is not kept in columns',
    iris: 'use { E, Slow } from "./my.ts"\nsubscribe E when tls.sni = \'a\'\nsubscribe g(slow: Slow) at L4Terminated when tcp',
    my: "@callback\nexport class E {\n  @on('L4FirstPacket') a(pdu: L4Pdu): void {}\n  @on('L4Terminated') b(): void {}\n}\n@datatype\nexport class Slow {\n  n: u32 = 0;\n  @on('InL4Conn') add(pdu: L4Pdu): void {\n    for (const byte of pdu.payload) this.n += byte;\n  }\n}\n",
  },
  {
    what: 'filters that come too late, or where they cannot be asked',
    iris: 'use { late, frame, mixed, atEnd } from "./my.ts"\nsubscribe a(tls: TlsHandshake) at L7EndHdrs when late\nsubscribe b(ft: FiveTuple) at L4Terminated when frame\nsubscribe c(ft: FiveTuple) at L4Terminated when mixed\nsubscribe d(pdu: L4Pdu) at InL4Conn when atEnd\nsubscribe e(pdu: L4Pdu) at Packet when late',
    my: "export const late = filter('InL4Stream', (pdu: L4Pdu) => Continue);\nexport const frame = filter('Packet', (pdu: L4Pdu) => true);\nexport const mixed = filter(['Packet', 'L4FirstPacket'], (pdu: L4Pdu) => true);\nexport const atEnd = filter('L4Terminated', (conn: ConnRecord) => true);\n",
  },
  {
    what: 'static filters that are not there, or not used as such',
    iris: 'use { Mine, Count } from "./my.ts"\nsubscribe a(ft: FiveTuple) at L4Terminated when Mine.bigg or Mine\nsubscribe b(ft: FiveTuple) at L4Terminated when Count.many\nsubscribe c(ft: FiveTuple) at L4FirstPacket when Mine.big = 1 or Mine.late\nsubscribe Mine when tcp\nsubscribe d(mine: Mine) at L4Terminated when tcp',
    my: "export class Mine {\n  @filter({ at: 'L4FirstPacket' }) static big(ft: FiveTuple): boolean { return true; }\n  @filter({ at: 'InL4Conn' }) static late(pdu: L4Pdu): boolean { return true; }\n}\n@datatype export class Count {\n  n: u32 = 0;\n  @on('InL4Conn') f(pdu: L4Pdu) { this.n++; }\n}\n",
  },
];

function report({ iris, my }: Misuse): string {
  const files = memoryHost({ 'x/my.ts': my === undefined ? '' : IMPORTS + my });
  const file = { path: 'x/f.iris', text: `${iris}\n` };
  const { diagnostics, text } = compile(file, { files, templates: templates(), version: '0', parsers: ['tls'] });
  const lines = diagnostics.map((one) => formatDiagnostic(one, { color: false }));
  return [...lines, text === undefined ? 'not compiled' : 'compiled', ''].join('\n');
}

const test = suite('misuse of user code');

test('every misuse is told at its place', () => {
  const golden = join(memoryHost({}).packageRoot, 'test/compiler/golden/misuse.txt');
  const told = MISUSES.map((misuse) => `## ${misuse.what}\n\n${report(misuse)}`).join('\n');
  if (process.env.IRIS_GOLDEN === 'write') {
    mkdirSync(dirname(golden), { recursive: true });
    writeFileSync(golden, told);
  }
  assert.fixture(told, readFileSync(golden, 'utf8'));
});

test('explain says why data of numbers alone is not kept in columns', () => {
  const my =
    "@datatype\nexport class Slow {\n  n: u32 = 0;\n  @on('InL4Conn') add(pdu: L4Pdu): void {\n    for (const byte of pdu.payload) this.n += byte;\n  }\n}\n";
  const text = 'use { Slow } from "./my.ts"\nsubscribe g(slow: Slow) at L4Terminated when tcp\n';
  const files = memoryHost({ 'x/my.ts': IMPORTS + my });
  const file = { path: 'x/f.iris', text };
  const { plan } = compile(file, { files, templates: templates(), version: '0', parsers: ['tls'] });
  if (plan === undefined) throw new Error('not compiled');
  assert.match(explainText('f.iris', plan), /Slow \(object\) for g\n +not in columns: .+/);
});

test.run();
