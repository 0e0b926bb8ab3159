/** Random update methods: what the compiled columns hold must be what JavaScript itself makes of the class. */
import { transformSync } from 'esbuild';
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { createAnalysis } from '../../../compiler/analysis/analysis.ts';
import { columnView } from '../../../runtime/subscription/column-view.ts';
import { memoryHost } from '../../support/analysis-host.ts';
import { C, fillRow, instantiate, makeMemory, P, passRow, viewColumns } from './run-columns.ts';

const test = suite('random columns');
const seed = Number(process.env.SEED ?? Date.now() & 0xffff);

/** Typed arrays wrap as columns do; plain fields only hold what their width can (see the statements). */
const FIELDS = `a = new Uint32Array(2); b = new Float64Array(2); i = new Int32Array(3).fill(-7); s = new Uint16Array(4);
  t = new Uint8Array(2).fill(250); x: f64 = -1.5; u: u32 = 9; w: i32 = -9; k: u8 = 3; flag: bool = true;`;
const NAMES = ['a', 'b', 'i', 's', 't', 'x', 'u', 'w', 'k', 'flag'];

const { statement } = fc.letrec<{ number: string; truth: string; statement: string }>((tie) => {
  const number = tie('number');
  const truth = tie('truth');
  const join =
    (...parts: readonly string[]) =>
    (values: readonly string[]): string =>
      values.reduce((text, value, i) => text + value + parts[i + 1], parts[0]);
  const arrays: readonly (readonly [string, number])[] = [
    ['a', 2],
    ['b', 2],
    ['i', 3],
    ['s', 4],
    ['t', 2],
  ];
  const elementOf = (from: readonly (readonly [string, number])[]): fc.Arbitrary<string> =>
    fc.constantFrom(...from).chain(([name, length]) =>
      fc
        .oneof(
          fc.nat(length - 1).map(String),
          fc.constantFrom('pdu.dir', 'pdu.fromOrig ? 0 : 1', 'j', 'j % 2'),
          number.map((value) => `(${value}) & 1`),
        )
        .map((at) => `this.${name}[${at}]`),
    );
  const element = elementOf(arrays);
  // The value of an assignment to a narrow field is not compiled.
  const wide = elementOf(arrays.slice(0, 3));
  const place = fc.oneof({ weight: 3, arbitrary: element }, { weight: 1, arbitrary: fc.constant('this.x') });
  const members = ['dir', 'ts', 'sinceLast', 'length', 'ipLength', 'proto', 'flags', 'seqNo', 'ackNo', 'gapBefore'];
  return {
    number: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      fc.constantFrom('0', '1', '2', '7', '255', '65536', '0.5', '0x7fffffff', '(-3)', 'LIMIT', 'held', 'j'),
      fc.constantFrom(...members).map((member) => `pdu.${member}`),
      fc.constantFrom('this.x', 'this.u', 'this.w', 'this.k', 'this.s.length', 'this.double'),
      element,
      fc
        .tuple(number, fc.constantFrom('+', '-', '*', '&', '|', '^', '<<', '>>', '>>>', '%', '/'), number)
        .map(join('', ' ', ' ', '')),
      fc.tuple(number, fc.constantFrom('+', '-', '*', '&', '>>>'), number).map(join('(', ' ', ' ', ')')),
      fc.tuple(fc.constantFrom('-', '~', '+'), number).map(join('', '(', ')')),
      fc.tuple(truth, number, number).map(join('(', ' ? ', ' : ', ')')),
      fc.tuple(fc.constantFrom('min', 'max'), number, number).map(join('Math.', '(', ', ', ')')),
      number.map((value) => `Math.floor(${value})`),
      fc.tuple(number, number).map(join('this.mix(pdu, ', ', ', ')')),
      wide.map((at) => `${at}++`),
      fc.tuple(wide, fc.constantFrom('+=', '^=', '='), number).map(join('(', ' ', ' ', ')')),
    ),
    truth: fc.oneof(
      { depthSize: 'small' },
      fc.constantFrom('this.flag', 'pdu.fromOrig', 'pdu.malformed', 'true'),
      fc.tuple(number, fc.constantFrom('<', '<=', '>', '===', '!=='), number).map(join('(', ') ', ' (', ')')),
      fc.tuple(truth, fc.constantFrom('&&', '||'), truth).map(join('(', ' ', ' ', ')')),
      truth.map((value) => `!(${value})`),
    ),
    statement: fc.oneof(
      { depthSize: 'small' },
      fc
        .tuple(place, fc.constantFrom('=', '+=', '-=', '*=', '|=', '&=', '^=', '<<=', '>>=', '>>>=', '/='), number)
        .map(join('', ' ', ' ', ';')),
      fc.tuple(place, fc.constantFrom('++', '--')).map(join('', '', ';')),
      number.map((value) => `this.u = (${value}) >>> 0;`),
      number.map((value) => `this.w = (${value}) | 0;`),
      number.map((value) => `this.k = (${value}) & 0xff;`),
      truth.map((value) => `this.flag = ${value};`),
      fc.tuple(truth, tie('statement'), tie('statement')).map(join('if (', ') { ', ' } else { ', ' }')),
      fc.tuple(truth, place).map(join('', ' && ', '++;')),
      fc.tuple(number, tie('statement')).map(join('{ const c = ', '; this.x = c; ', ' }')),
      tie('statement').map((inner) => `for (let j = 0; j < 2; j++) { ${inner} }`),
      fc.tuple(number, tie('statement')).map(join('switch ((', ') & 3) { case 1: ', ' break; default: this.x++; }')),
    ),
  };
});

const body = fc.tuple(
  fc.constantFrom('pdu.length + 1', 'this.u', '-0.5', 'pdu.seqNo >>> 1'),
  fc.array(statement, { minLength: 1, maxLength: 6 }),
);
const packets = fc.array(
  fc.record({
    dir: fc.nat(1),
    seconds: fc.double({ min: 0, max: 2e9, noNaN: true }),
    payload: fc.nat(3000),
    header: fc.constantFrom(28, 40),
    flags: fc.nat(0x1ff),
    seq: fc.integer(),
    ack: fc.integer(),
    proto: fc.constantFrom(6, 17),
    gap: fc.nat(100),
  }),
  { minLength: 3, maxLength: 6 },
);

function classText(name: string, [held, statements]: readonly [string, readonly string[]], decorated: boolean): string {
  return `${decorated ? '@datatype export ' : ''}class ${name} { ${FIELDS}
  ${decorated ? "@on('InL4Conn') " : ''}update(pdu: L4Pdu): void { const j = 1; const held = ${held};
    ${statements.join('\n    ')} }
  private mix(pdu: L4Pdu, v: number, rec: number): number { if (v > rec) return pdu.length; this.i[2] ^= v; return v + rec; }
  get double(): number { return this.x * 2; } }`;
}

/** The class that failed is enough; the whole counterexample would fill pages. */
function tellShortly({ failed, errorInstance }: { failed: boolean; errorInstance?: unknown }): void {
  if (failed) throw errorInstance;
}

/** A field as text: NaN is like NaN, and -0 unlike 0. */
function shown(from: object, field: string): string {
  const value: unknown = Reflect.get(from, field);
  const list: unknown[] = ArrayBuffer.isView(value) ? Array.from(value as Float64Array) : [value];
  return list.map((one) => (Object.is(one, -0) ? '-0' : String(one))).join(' ');
}

test(`agree with JavaScript (seed ${seed})`, () => {
  let compiledClasses = 0;
  let classes = 0;
  fc.assert(
    fc.property(fc.array(body, { minLength: 6, maxLength: 6 }), packets, (bodies, sequence) => {
      const names = bodies.map((_, i) => `T${i}`);
      const head = 'const LIMIT = 1 << 10;';
      const imports =
        "import { datatype, on, type L4Pdu, type f64, type u32, type i32, type u8, type bool } from 'iris-ts/runtime';";
      const source = [imports, head, ...bodies.map((one, i) => classText(names[i], one, true))].join('\n');
      const analysis = createAnalysis(memoryHost({ 't.ts': source }), 'x.iris');
      const used = analysis.resolveUse('./t.ts', names);
      if ('error' in used) throw new Error(used.error);
      // `a < (b) > (c)` reads as type arguments.
      fc.pre(used.diagnostics.every((one) => one.code !== 'typescript-syntax'));
      assert.equal(used.diagnostics, []);
      const plain = [head, ...bodies.map((one, i) => classText(names[i], one, false)), `return [${names}]`].join('\n');
      const { code } = transformSync(`function make() {${plain}}`, { loader: 'ts' });
      const reals: (new () => object)[] = new Function(`${code}; return make()`)();
      names.forEach((name, n) => {
        const found = used.names.get(name);
        if (found?.is !== 'dataType') throw new Error(`${name} is no data type`);
        classes++;
        const compiled = analysis.columns(found.info, { base: 16, rareBase: 0, claim: (wanted) => wanted });
        if (compiled === undefined) return;
        compiledClasses++;
        const memory = makeMemory();
        const running = instantiate(compiled, memory);
        const columns = viewColumns(compiled);
        const view = columnView(memory, reals[n], columns).at(C);
        const real = new reals[n]();
        running.open();
        sequence.forEach((packet, i) => {
          fillRow(memory, packet, i === 0);
          running.call('update');
          Reflect.get(real, 'update').call(real, memory.pdu.at(P));
          passRow(memory);
          for (const field of NAMES)
            assert.is(shown(view, field), shown(real, field), `${field} in ${classText(name, bodies[n], true)}`);
        });
      });
    }),
    { seed, numRuns: 15, endOnFailure: true, reporter: tellShortly },
  );
  assert.ok(compiledClasses > classes / 2, `only ${compiledClasses} of ${classes} were compiled`);
});

test.run();
