/** The checker over conditions made from the catalog: it never throws, and what it lets pass has the promised form. */
import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { fieldNames, protocolNames } from '../../../compiler/catalog/catalog.ts';
import { check } from '../../../compiler/language/check.ts';
import { parseFilterFile } from '../../../compiler/language/parse.ts';
import type { FieldPredicate, TypedExpr } from '../../../compiler/language/typed.ts';
import { fieldMax } from '../../../compiler/language/values.ts';
import { arbitraryFile } from '../../support/arbitrary-filter.ts';
import { testEnvironment } from '../../support/check-environment.ts';
import { printFile } from '../../support/print-filter.ts';

const seed = Number(process.env.SEED ?? Date.now() & 0xffff);

function run(text: string) {
  const file = { path: 'test.iris', text };
  return check(parseFilterFile(file).ast, file, testEnvironment());
}

const OPERATORS =
  '= != > >= < <= in not_in contains not_contains contains_any not_contains_any matches not_matches ~b starts_with not_starts_with ends_with'
    .split(' ')
    .map((op) => (op.endsWith('_with') ? op.replace(/^not_/, 'not ') : op.replace(/_/g, ' ')));
const VALUES =
  `0 1 80 70000 0x1301 1..9 'a' '^a' |15a1| 10.0.0.1 10.0.0.0/8 ::1 fe80::/10 00:11:22:33:44:55 true tcp TLSv1.3 AAAA`.split(
    ' ',
  );

const value = fc.oneof(
  fc.constantFrom(...VALUES, 'NUMBERS', 'TEXTS', 'NETS'),
  fc.array(fc.constantFrom(...VALUES), { minLength: 1, maxLength: 3 }).map((all) => `{${all.join(', ')}}`),
);
const comparison = fc
  .tuple(fc.constantFrom(...fieldNames()), fc.constantFrom(...OPERATORS), value)
  .map((parts) => parts.join(' '));
const condition = fc.array(fc.oneof(comparison, fc.constantFrom(...protocolNames())), { minLength: 1, maxLength: 3 });
const program = fc
  .tuple(
    condition,
    fc.constantFrom(' and ', ' or ', ' and not '),
    fc.constantFrom('InL4Conn', 'L7EndHdrs', 'L4Terminated', 'Packet'),
  )
  .map(([parts, glue, level]) => {
    const data = level === 'L4Terminated' ? 'ConnRecord' : level === 'L7EndHdrs' ? 'FiveTuple' : 'L4Pdu';
    return `set NUMBERS = {80, 443}\nset TEXTS = {'a', 'b'}\nset NETS = {10.0.0.0/8, ::/64}
subscribe f(data: ${data}) at ${level} when ${parts.join(glue)}`;
  });

function predicates(expr: TypedExpr): readonly FieldPredicate[] {
  if (expr.kind === 'field') return [expr];
  if (expr.kind === 'not') return predicates(expr.expr);
  return expr.kind === 'and' || expr.kind === 'or' ? expr.terms.flatMap(predicates) : [];
}

function isSound({ field, test: one }: FieldPredicate): boolean {
  if (field.access.kind === 'either') return false;
  if (one.kind === 'ranges') {
    const [first] = one.ranges;
    const apart = one.ranges.every(
      ({ low, high }, i) => low <= high && (i === 0 || low > (one.ranges[i - 1]?.high ?? 0n) + 1n),
    );
    return first !== undefined && first.low >= 0n && apart && (one.ranges.at(-1)?.high ?? 0n) <= fieldMax(field);
  }
  if (one.kind.startsWith('text') !== field.type.startsWith('text')) return false;
  if (one.kind.startsWith('bytes') !== (field.type === 'bytes')) return false;
  return 'pattern' in one || one.values.length > 0;
}

test(`a condition is either refused in words or fully typed (seed ${seed})`, () => {
  let passed = 0;
  fc.assert(
    fc.property(program, (text) => {
      const { program: typed, diagnostics } = run(text);
      const errors = diagnostics.filter(({ severity }) => severity === 'error');
      assert.is(typed === undefined, errors.length > 0, text);
      for (const { message, span } of diagnostics) {
        assert.ok(message.length > 10 && !/undefined|\[object|NaN/.test(message), message);
        assert.ok(span.start >= 0 && span.end <= text.length && span.start <= span.end, message);
      }
      for (const { when, levels } of typed?.subscriptions ?? []) {
        passed++;
        assert.is(levels.length, 1);
        for (const predicate of predicates(when)) assert.ok(isSound(predicate), `${text}\n${predicate.text}`);
      }
    }),
    { seed, numRuns: 1000 },
  );
  assert.ok(passed > 30, `${passed} of 1000 passed the checker`);
});

test(`never throws on any tree that parses (seed ${seed})`, () => {
  fc.assert(
    fc.property(arbitraryFile, (file) => {
      const { program: typed, diagnostics } = run(printFile(file));
      assert.is(
        typed === undefined,
        diagnostics.some(({ severity }) => severity === 'error'),
      );
    }),
    { seed, numRuns: 300 },
  );
});

test.run();
