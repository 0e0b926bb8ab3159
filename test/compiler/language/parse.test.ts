import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { CompareExpr, Expr, SubscribeStatement, Value } from '../../../compiler/language/ast.ts';
import { parseFilterFile, parseValue } from '../../../compiler/language/parse.ts';
import { arbitraryFile } from '../../support/arbitrary-filter.ts';
import { printExpr, printFile } from '../../support/print-filter.ts';

const seed = Number(process.env.SEED ?? Date.now() & 0xffff);

const parse = (text: string) => parseFilterFile({ path: 'test.iris', text });

/** The condition of `let x = …`, which has to parse. */
function condition(text: string): Expr {
  const { ast, diagnostics } = parse(`let x = ${text}`);
  assert.equal(diagnostics, [], text);
  const [statement] = ast.statements;
  if (statement?.kind !== 'let') throw new Error('no let');
  return statement.value;
}

function compare(text: string): CompareExpr {
  const expr = condition(text);
  if (expr.kind !== 'compare') throw new Error(`${text} is no comparison`);
  return expr;
}

function value(text: string): Value {
  const { value: found } = compare(`a.b = ${text}`);
  if (found === undefined) throw new Error('no value');
  return found;
}

/** The tree without its spans. */
const bare = (node: unknown): unknown =>
  JSON.parse(
    JSON.stringify(node, (key, one) =>
      key === 'span' || key === 'opSpan' ? undefined : typeof one === 'bigint' ? `${one}n` : one,
    ),
  );

const messages = (text: string) => parse(text).diagnostics.map(({ message }) => message);

test('reads every statement', () => {
  const { ast, diagnostics } = parse(`
# a comment
use { A, b, } from "./x.ts"      // another
set V = lines("f.txt")  set W = {1, 0x10, 8000..8100,}
let web = tcp.port in W
subscribe f(tls: TlsHandshake, conn: FiveTuple,)
  when web
subscribe A at InL4Conn, L4Terminated
subscribe g() at Packet when tcp
`);
  assert.equal(diagnostics, []);
  assert.equal(
    ast.statements.map(({ kind }) => kind),
    ['use', 'set', 'set', 'let', 'subscribe', 'subscribe', 'subscribe'],
  );
  const [f, a, g] = ast.statements.slice(4) as [SubscribeStatement, SubscribeStatement, SubscribeStatement];
  assert.equal(
    f.params?.map(({ name, type }) => `${name.name}: ${type.name}`),
    ['tls: TlsHandshake', 'conn: FiveTuple'],
  );
  assert.equal(f.levels, []);
  assert.is(a.params, undefined);
  assert.is(a.when, undefined);
  assert.equal(
    a.levels.map(({ name }) => name),
    ['InL4Conn', 'L4Terminated'],
  );
  assert.equal(g.params, []);
});

test('an empty file and one of comments alone are empty', () => {
  assert.equal(parse('').ast.statements, []);
  assert.equal(parse('# x\n// y').diagnostics, []);
});

test('and binds closer than or, not closer than both', () => {
  for (const [text, meaning] of [
    ['a or b and c', 'a or (b and c)'],
    ['a and b or c', '(a and b) or c'],
    ['not a and b', '(not a) and b'],
    ['! a || ! b && c', '(not a) or ((not b) and c)'],
    ['not not a', 'not (not a)'],
    ['(a or b) and c', '(a or b) and c'],
    ['a and b and c', 'a and b and c'],
    ['not tls.sni contains "x"', "not tls.sni contains 'x'"],
    ['!(tcp.syn&&b)', 'not (tcp.syn and b)'],
  ] as const) {
    assert.equal(bare(condition(text)), bare(condition(meaning)), text);
  }
  assert.is(printExpr(condition('a or b and not c')), 'a or (b and (not c))');
});

test('folds every alias of an operator', () => {
  for (const [op, aliases] of [
    ['=', ['=', '==', 'eq']],
    ['!=', ['!=', 'ne']],
    ['>', ['>', 'gt']],
    ['>=', ['>=', 'ge']],
    ['<', ['<', 'lt']],
    ['<=', ['<=', 'le']],
    ['in', ['in']],
    ['not in', ['not in', '!in', '! in']],
    ['contains', ['contains']],
    ['not contains', ['not contains', '!contains', 'not  # why\n contains']],
    ['matches', ['matches', '~']],
    ['not matches', ['not matches', '!matches', '!~']],
    ['matches bytes', ['~b', 'matches bytes']],
    ['not matches bytes', ['!~b', 'not matches bytes']],
    ['starts_with', ['starts_with']],
    ['ends_with', ['ends_with']],
  ] as const) {
    for (const alias of aliases) assert.is(compare(`a.b ${alias} 'x'`).op, op, alias);
  }
  assert.is(compare('a.b contains any V').op, 'contains any');
  assert.is(compare('a.b not contains any {1, 2}').op, 'not contains any');
  // `any` is a name of its own where no set follows.
  assert.equal(bare(compare('a.b contains any').value), { kind: 'name', name: 'any' });
  assert.is(compare('port=80').field.proto, undefined);
  assert.is(compare('tcp.syn').op, undefined);
});

test('reads numbers, bytes and names', () => {
  assert.equal(bare(value('80')), { kind: 'int', value: '80n', text: '80' });
  assert.equal(bare(value('0xFf')), { kind: 'int', value: '255n', text: '0xFf' });
  assert.equal(bare(value('|15 A1ff|')), { kind: 'bytes', value: [0x15, 0xa1, 0xff] });
  assert.equal(bare(value('TLSv1.3')), { kind: 'name', name: 'TLSv1.3' });
  assert.equal(bare(value('true')), { kind: 'name', name: 'true' });
  assert.equal(bare(value('1 .. 2')), bare(value('1..2')));
});

test('strings keep the escapes they do not know', () => {
  for (const [text, meaning] of [
    [String.raw`'^(.*\.)?x\.com$'`, String.raw`^(.*\.)?x\.com$`],
    [String.raw`'a\\b'`, String.raw`a\b`],
    [String.raw`'it\'s'`, `it's`],
    [String.raw`"say \"x\""`, 'say "x"'],
    [String.raw`"a\n\tb"`, 'a\n\tb'],
    [`"it's # no // comment"`, "it's # no // comment"],
    [`''`, ''],
  ] as const) {
    assert.equal(bare(value(text)), { kind: 'string', value: meaning }, text);
  }
});

test('reads addresses, prefixes, ranges of addresses and MACs', () => {
  const bytesOf = (text: string) => {
    const one = value(text);
    return 'bytes' in one ? one.bytes : undefined;
  };
  const zeros = (n: number) => new Array<number>(n).fill(0);
  assert.equal(bytesOf('10.0.0.255'), [10, 0, 0, 255]);
  assert.equal(bytesOf('::'), zeros(16));
  assert.equal(bytesOf('::1'), [...zeros(15), 1]);
  assert.equal(bytesOf('fe80::a:1'), [0xfe, 0x80, ...zeros(11), 10, 0, 1]);
  assert.equal(bytesOf('1:2:3:4:5:6:7:8'), [0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7, 0, 8]);
  assert.equal(bytesOf('::ffff:1.2.3.4'), [...zeros(10), 255, 255, 1, 2, 3, 4]);
  assert.equal(bytesOf('2001:db8::'), [0x20, 1, 0x0d, 0xb8, ...zeros(12)]);
  const { kind, ...prefix } = value('2001:db8::/32') as Extract<Value, { kind: 'prefix' }>;
  assert.is(kind, 'prefix');
  assert.is(prefix.length, 32);
  assert.is(value('10.0.0.1..10.0.0.9').kind, 'range');
  assert.is(value('::1..::9').kind, 'range');
  assert.equal(bare(value('00:1A:22:33:44:55')), {
    kind: 'mac',
    bytes: [0, 26, 34, 51, 68, 85],
    text: '00:1A:22:33:44:55',
  });
  assert.is(value('10.0.0.0/8//comment').kind, 'prefix');
  assert.is(value('10.0.0.1//comment').kind, 'addr');
});

test('spans point at the source', () => {
  const text = '# c\nlet x = not (tls.sni != "a")';
  const { ast } = parse(text);
  const [statement] = ast.statements;
  if (statement?.kind !== 'let' || statement.value.kind !== 'not' || statement.value.expr.kind !== 'compare')
    throw new Error();
  const at = ({ start, end }: { start: number; end: number }) => text.slice(start, end);
  assert.is(at(statement.span), 'let x = not (tls.sni != "a")');
  const { expr } = statement.value;
  assert.is(at(expr.span), 'tls.sni != "a"');
  assert.is(at(expr.field.field.span), 'sni');
  assert.is(at(expr.opSpan ?? expr.span), '!=');
  assert.is(at(expr.value?.span ?? expr.span), '"a"');
});

test('says what was expected, in words', () => {
  for (const [text, message] of [
    ['let a = ', 'expected a condition after `=`'],
    ['let a = tls.sni =', 'expected a value after `=`'],
    ['let a = tls.sni = # 1', 'expected a value after `=`'],
    ['let a = tls.', 'expected a field name after `tls.`'],
    ['let a = tls and', 'expected a condition after `and`'],
    ['let a = (tls or udp', 'expected `)`, an operator, `and` or `or` after `udp`'],
    ['let a = tls.sni like "x"', 'expected an operator, `and` or `or` after `tls.sni`, found `like`'],
    ['let set = tls', 'expected a name after `let`, found `set`'],
    ['set A = 5', 'expected a set such as `{1, 2}` or `lines("file")` after `=`, found `5`'],
    ['use { a } frm "x"', 'expected `from` after `}`, found `frm`'],
    ['use { a } from x', 'expected a file name in quotes after `from`, found `x`'],
    ['subscribe f(a B)', 'expected `:` after `a`, found `B`'],
    ['subscribe f(a: B) at when tls', 'expected a level after `at`, found `when`'],
    ['subscribe f(a: B) whn tls', 'expected `at` or `when` after `)`, found `whn`'],
    ['hello', 'expected a statement (`use`, `set`, `let` or `subscribe`), found `hello`'],
    ["let a = tls.sni = 'abc", 'this string is not closed before the end of its line'],
    ['let a = x.y = |1|', 'a byte string holds pairs of hex digits, such as `|15 A1|`'],
    ['let a = x.y = ||', 'a byte string needs at least one byte, such as `|15 A1|`'],
    ['let a = x.y = |15', 'this byte string is not closed: `|` is missing'],
    ['let a = x.y = 1.2.3.400', '`1.2.3.400` is not an IPv4 address'],
    ['let a = x.y = 1:2:3', '`1:2:3` is not an IPv6 address'],
    ['let a = x.y = 1::2::3', '`1::2::3` is not an IPv6 address'],
    ['let a = x.y in 10.0.0.0/33', 'a prefix of IPv4 has at most 32 bits, not 33'],
    ['let a = x.y in 10.0.0.0/', 'expected the number of bits of the prefix after `/`'],
    ['let a = x.y = 80a', '`80a` is not a number'],
    ['let a = x.y = -5', 'no field holds negative numbers'],
    ['let a = x.y in 80..', 'expected the last number of the range after `..`'],
    ['let a = x.y in 10.0.0.1..', 'expected the last address of the range after `..`'],
  ] as const) {
    assert.equal(messages(text), [message], text);
  }
  const [late] = parse('subscribe f(a: B) when tls at L7EndHdrs').diagnostics;
  assert.is(late?.suggestion, 'levels stand before the condition: `at LEVEL when ...`');
});

test('goes on after a broken statement and remembers what it declared', () => {
  const { ast, diagnostics } = parse(`let a = tls.sni =
let good = tls
  set B = {80,,
use { C, D } "x"
subscribe f(x: Y) when a and good
subscribe g(x: Y whn`);
  assert.equal(
    diagnostics.map(({ message }) => message),
    [
      'expected a value after `=`',
      'expected a value after `,`, found `,`',
      'expected `from` after `}`, found `"`',
      'expected `)` or `,` after `Y`, found `whn`',
    ],
  );
  assert.equal(
    ast.statements.map((statement) => statement.kind),
    ['let', 'subscribe'],
  );
  assert.equal(ast.broken, ['a', 'B', 'C', 'D']);
});

test('refuses conditions nested too deeply, whatever their depth', () => {
  for (const depth of [201, 5_000, 200_000]) {
    const expected = ['this is nested more than 200 levels deep; name parts of it with `let`'];
    assert.equal(messages(`let a = ${'not '.repeat(depth)} tls`), expected, `${depth} nots`);
    if (depth > 201) assert.equal(messages(`let a = ${'('.repeat(depth)}tls${')'.repeat(depth)}`).length <= 1, true);
  }
  assert.equal(messages(`let a = ${'not '.repeat(150)} tls`), []);
});

test('parseValue takes one value and nothing else', () => {
  assert.is(parseValue('10.0.0.0/8')?.kind, 'prefix');
  assert.is(parseValue('80 81'), undefined);
  assert.is(parseValue(''), undefined);
});

test(`printing a tree and parsing it gives the same tree (seed ${seed})`, () => {
  fc.assert(
    fc.property(arbitraryFile, (file) => {
      const text = printFile(file);
      const { ast, diagnostics } = parse(text);
      assert.equal(
        diagnostics.map(({ message }) => message),
        [],
        text,
      );
      assert.equal(bare(ast), bare(file), text);
    }),
    { seed, numRuns: 400 },
  );
});

const TOKENS =
  'use set let subscribe at when and or not in contains any { } ( ) , : = != ~ .. . | " \' # // \\ \n tls.sni 80 10.0.0.0/8 ::1 x'.split(
    ' ',
  );

test(`never throws, whatever the text (seed ${seed})`, () => {
  const soup = fc.array(fc.constantFrom(...TOKENS, ' ', '\n'), { maxLength: 30 }).map((tokens) => tokens.join(' '));
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: 'binary', maxLength: 60 }), soup), (text) => {
      const { diagnostics } = parse(text);
      for (const { span, message } of diagnostics) {
        assert.ok(span.start >= 0 && span.start <= text.length && span.end >= span.start, message);
      }
    }),
    { seed, numRuns: 2000 },
  );
});

test.run();
