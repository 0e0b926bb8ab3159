import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { createAnalysis } from '../../../compiler/analysis/analysis.ts';
import type { CompiledColumns } from '../../../compiler/analysis/columns.ts';
import type { DataTypeInfo } from '../../../compiler/analysis/info.ts';
import { ConnRecord } from '../../../runtime/datatypes/conn-record.ts';
import { FiveTuple } from '../../../runtime/datatypes/five-tuple.ts';
import { Lifespan } from '../../../runtime/datatypes/lifespan.ts';
import { Pkt } from '../../../runtime/packet/layout.ts';
import { columnView } from '../../../runtime/subscription/column-view.ts';
import { memoryHost } from '../../support/analysis-host.ts';
import { PktCount, Silence, Volume } from './fixtures/counters.ts';
import { C, fillRow, instantiate, makeMemory, P, type Packet, passRow, viewColumns } from './run-columns.ts';

const test = suite('columns');
const seed = Number(process.env.SEED ?? Date.now() & 0xffff);

const packets: fc.Arbitrary<Packet[]> = fc.array(
  fc.record({
    dir: fc.nat(1),
    seconds: fc.double({ min: 0, max: 2e9, noNaN: true }),
    payload: fc.oneof(fc.nat(3000), fc.nat(100)),
    header: fc.constantFrom(28, 40, 60),
    flags: fc.oneof(fc.constant(0x10), fc.nat(0x1ff)),
    // Near enough to each other for holes, overlaps and repeats, or anywhere.
    seq: fc.oneof(fc.integer({ min: -200, max: 400 }), fc.integer()),
    ack: fc.integer(),
    proto: fc.constantFrom(6, 17),
    gap: fc.nat(100),
  }),
  { minLength: 1, maxLength: 30 },
);

const fixture = join(memoryHost({}).packageRoot, 'test/compiler/analysis/fixtures/counters.ts');
const analysis = createAnalysis(memoryHost({ 'counters.ts': readFileSync(fixture, 'utf8') }), 'x.iris');

function compile(name: string, base: number): CompiledColumns {
  const library = analysis.dataType(name);
  if (library !== undefined) return columnsOf(library, base);
  const used = analysis.resolveUse('./counters.ts', [name]);
  assert.not('error' in used);
  if ('error' in used) throw new Error(used.error);
  assert.equal(used.diagnostics, []);
  const found = used.names.get(name);
  if (found?.is !== 'dataType') throw new Error(`${name} is no data type`);
  return columnsOf(found.info, base);
}

function columnsOf(info: DataTypeInfo, base: number): CompiledColumns {
  assert.is(info.kind, 'columns', info.notColumns?.reason);
  const compiled = analysis.columns(info, { base, rareBase: 3, claim: (wanted) => wanted });
  if (compiled === undefined) throw new Error(`${info.name} was not compiled`);
  return compiled;
}

interface Checked {
  readonly begin?: string;
  readonly update: string;
  readonly getters: readonly string[];
}

const CLASSES: readonly [new () => object, Checked][] = [
  [PktCount, { update: 'update', getters: ['total'] }],
  [Volume, { update: 'count', getters: ['ratio'] }],
  [ConnRecord, { update: 'update', getters: ['history', 'start', 'duration', 'ended'] }],
  [Silence, { begin: 'begin', update: 'update', getters: [] }],
];

for (const [Type, { begin, update, getters }] of CLASSES) {
  for (const base of [16, 19]) {
    test(`${Type.name} at word ${base} is the same compiled and as a class (seed ${seed})`, () => {
      const compiled = compile(Type.name, base);
      assert.ok(compiled.columns.every(({ type, word }) => type !== 'f64' || word % 2 === 0));
      const names = compiled.columns.map((column) => column.name);
      fc.assert(
        fc.property(packets, (sequence) => {
          const memory = makeMemory();
          const running = instantiate(compiled, memory);
          const followers = {
            fiveTuple: new FiveTuple({ rec: memory.rec, addr6: new Int32Array(8 * 2) }, C),
            lifespan: new Lifespan(memory),
          };
          const own = Object.fromEntries(compiled.followers.map(({ name }) => [name, Reflect.get(followers, name)]));
          const view = columnView(memory, Type, viewColumns(compiled), own);
          const real = Object.assign(new Type(), own);
          const untouched = memory.rec.slice(C + compiled.end);
          running.open();
          sequence.forEach((packet, i) => {
            fillRow(memory, packet, i === 0);
            const pdu = memory.pdu.at(P);
            for (const method of i === 0 && begin !== undefined ? [begin, update] : [update]) {
              running.call(method);
              Reflect.get(real, method).call(real, pdu);
            }
            passRow(memory);
            const seen = view.at(C);
            assert.instance(seen, Type);
            for (const name of [...names, ...getters])
              assert.equal(Reflect.get(seen, name), Reflect.get(real, name), name);
          });
          const kept = view.copy();
          assert.instance(kept, Type);
          assert.is(JSON.stringify(kept), JSON.stringify(view.at(C)));
          if ('toJSON' in real) assert.is(JSON.stringify(view.at(C)), JSON.stringify(real));
          running.open();
          for (const name of names) {
            assert.equal(Reflect.get(view.at(C), name), Reflect.get(new Type(), name), `${name} after open`);
            assert.equal(Reflect.get(kept, name), Reflect.get(real, name), `${name} of the copy`);
          }
          assert.equal(memory.rec.slice(C + compiled.end), untouched, 'nothing is written behind the columns');
        }),
        { seed, numRuns: 60 },
      );
    });
  }
}

test('every member of a packet reads the same compiled and through L4Pdu', () => {
  const memory = makeMemory();
  const row = { dir: 1, seconds: 12.25, payload: 700, header: 40, flags: 0x1ff, seq: -5, ack: -1, proto: 17, gap: 9 };
  fillRow(memory, row, true);
  memory.recF[(C + 10) >> 1] = 12;
  const members = Object.getOwnPropertyDescriptors(Object.getPrototypeOf(memory.pdu));
  let compiledMembers = 0;
  for (const [name, { get }] of Object.entries(members)) {
    if (get === undefined) continue;
    const text = `import { datatype, on, type L4Pdu } from 'iris-ts/runtime';
      @datatype export class T { v: number = 0; b: boolean = false;
        @on('InL4Conn') f(pdu: L4Pdu) { this.${typeof Reflect.get(memory.pdu.at(P), name) === 'boolean' ? 'b' : 'v'} = pdu.${name}; } }`;
    const own = createAnalysis(memoryHost({ 't.ts': text }), 'x.iris');
    const used = own.resolveUse('./t.ts', ['T']);
    const found = 'names' in used ? used.names.get('T') : undefined;
    if (found?.is !== 'dataType') throw new Error('T is no data type');
    const compiled = own.columns(found.info, { base: 16, rareBase: 0, claim: (wanted) => wanted });
    if (compiled === undefined) {
      assert.ok(['payload', 'frame'].includes(name), `${name} of L4Pdu is not compiled`);
      continue;
    }
    compiledMembers++;
    const running = instantiate(compiled, memory);
    running.open();
    running.call('f');
    const view = columnView(memory, Object, viewColumns(compiled)).at(C);
    const value = Reflect.get(memory.pdu.at(P), name);
    assert.is(Reflect.get(view, typeof value === 'boolean' ? 'b' : 'v'), value, name);
  }
  assert.ok(compiledMembers >= 12);
  assert.is(memory.pkt[P + Pkt.DIR], 1);
});

test.run();
