/** fast-check arbitraries of syntax trees: everything the grammar can make, spans aside. */
import fc from 'fast-check';
import type { Expr, FilterFile, Ident, Operator, Statement, Value } from '../../compiler/language/ast.ts';

const span = { start: 0, end: 0 };

const RESERVED = new Set(
  'use set let subscribe at when and or not in contains matches starts_with ends_with eq ne gt ge lt le'.split(' '),
);

const word = fc.stringMatching(/^[a-zA-Z_][a-zA-Z0-9_]{0,6}$/);
const name = word.filter((text) => !RESERVED.has(text));
const ident: fc.Arbitrary<Ident> = name.map((text) => ({ kind: 'ident', name: text, span }));
const fieldIdent: fc.Arbitrary<Ident> = word.map((text) => ({ kind: 'ident', name: text, span }));

const text = fc.string({ unit: 'binary', maxLength: 8 }).map((one) => one.replace(/\r/g, ''));
const string = text.map((value) => ({ kind: 'string' as const, value, span }));
const byte = fc.integer({ min: 0, max: 255 });
const bytes = fc.array(byte, { minLength: 1, maxLength: 5 }).map((value) => ({ kind: 'bytes' as const, value, span }));

const int = fc.tuple(fc.bigInt({ min: 0n, max: 1n << 40n }), fc.boolean()).map(([value, hex]) => {
  return { kind: 'int' as const, value, text: hex ? `0x${value.toString(16)}` : `${value}`, span };
});

function addressOf(parts: readonly number[]) {
  const groups = Array.from({ length: parts.length / 2 }, (_, i) =>
    ((parts[2 * i] ?? 0) * 256 + (parts[2 * i + 1] ?? 0)).toString(16),
  );
  return { kind: 'addr' as const, bytes: parts, text: parts.length === 4 ? parts.join('.') : groups.join(':'), span };
}
const address4 = fc.array(byte, { minLength: 4, maxLength: 4 }).map(addressOf);
const address6 = fc.array(byte, { minLength: 16, maxLength: 16 }).map(addressOf);
const address = fc.oneof(address4, address6);
const prefix = fc.tuple(address, fc.nat(128)).map(([addr, bits]) => {
  const length = bits % (addr.bytes.length * 8 + 1);
  return { kind: 'prefix' as const, bytes: addr.bytes, length, text: `${addr.text}/${length}`, span };
});
const mac = fc.array(byte, { minLength: 6, maxLength: 6 }).map((parts) => {
  const pairs = parts.map((part) => part.toString(16).padStart(2, '0'));
  return { kind: 'mac' as const, bytes: parts, text: pairs.join(':'), span };
});
const range = fc
  .oneof(fc.tuple(int, int), fc.tuple(address4, address4), fc.tuple(address6, address6))
  .map(([low, high]) => ({ kind: 'range' as const, low, high, span }));
const valueName = fc
  .tuple(name, fc.option(fc.stringMatching(/^[a-zA-Z0-9_]{1,4}$/), { nil: undefined }))
  .map(([one, tail]) => ({ kind: 'name' as const, name: tail === undefined ? one : `${one}.${tail}`, span }));

const scalar: fc.Arbitrary<Value> = fc.oneof(int, string, bytes, address, prefix, mac, range, valueName);
const set = fc.array(scalar, { maxLength: 4 }).map((values) => ({ kind: 'set' as const, values, span }));
const value: fc.Arbitrary<Value> = fc.oneof({ weight: 4, arbitrary: scalar }, { weight: 1, arbitrary: set });

const OPERATORS: readonly Operator[] = [
  ...(['=', '!=', '>', '>=', '<', '<=', 'in', 'not in', 'contains', 'not contains', 'matches', 'not matches'] as const),
  ...(['matches bytes', 'not matches bytes', 'starts_with', 'not starts_with', 'ends_with', 'not ends_with'] as const),
];
const ANY: readonly Operator[] = ['contains any', 'not contains any'];

const fieldPath = (proto: fc.Arbitrary<Ident | undefined>) =>
  fc.record({ kind: fc.constant('field' as const), proto, field: fieldIdent, span: fc.constant(span) });
const dotted = fieldPath(ident);
const anyField = fc.oneof(
  dotted,
  fc.record({
    kind: fc.constant('field' as const),
    proto: fc.constant(undefined),
    field: ident,
    span: fc.constant(span),
  }),
);
const test = fc.oneof(
  fc.tuple(fc.constantFrom(...OPERATORS), value),
  // `contains any` is the one operator that takes only sets and their names.
  fc.tuple(fc.constantFrom(...ANY), fc.oneof(set, valueName)),
);

const simple: fc.Arbitrary<Expr> = fc.oneof(
  name.map((one): Expr => ({ kind: 'name', name: one, span })),
  dotted.map((field): Expr => ({ kind: 'compare', field, op: undefined, opSpan: undefined, value: undefined, span })),
  fc
    .tuple(anyField, test)
    .map(([field, [op, one]]): Expr => ({ kind: 'compare', field, op, opSpan: span, value: one, span })),
);

const { expr } = fc.letrec<{ expr: Expr; chain: Expr; negation: Expr }>((tie) => ({
  expr: fc.oneof({ depthSize: 'small' }, simple, tie('chain'), tie('negation')),
  chain: fc
    .tuple(fc.constantFrom('and' as const, 'or' as const), fc.array(tie('expr'), { minLength: 2, maxLength: 4 }))
    .map(([kind, terms]) => ({ kind, terms, span })),
  negation: tie('expr').map((inner) => ({ kind: 'not' as const, expr: inner, span })),
}));

export const arbitraryExpr: fc.Arbitrary<Expr> = expr;

const names = fc.array(ident, { minLength: 1, maxLength: 3 });
const param = fc.record({ kind: fc.constant('param' as const), name: ident, type: ident, span: fc.constant(span) });
const statement: fc.Arbitrary<Statement> = fc.oneof(
  fc.tuple(names, string).map(([all, from]): Statement => ({ kind: 'use', names: all, from, span })),
  fc
    .tuple(
      ident,
      fc.oneof(
        set,
        string.map((path) => ({ kind: 'lines' as const, path, span })),
      ),
    )
    .map(([one, of]): Statement => ({ kind: 'set', name: one, value: of, span })),
  fc.tuple(ident, expr).map(([one, of]): Statement => ({ kind: 'let', name: one, value: of, span })),
  fc
    .record({
      kind: fc.constant('subscribe' as const),
      name: ident,
      params: fc.option(fc.array(param, { maxLength: 3 }), { nil: undefined }),
      levels: fc.array(ident, { maxLength: 2 }),
      when: fc.option(expr, { nil: undefined }),
      span: fc.constant(span),
    })
    .map((one): Statement => one),
);

export const arbitraryFile: fc.Arbitrary<FilterFile> = fc
  .array(statement, { maxLength: 5 })
  .map((statements) => ({ kind: 'file', statements, broken: [] }));
