import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ipv4Text, ipv6Text } from '../../../runtime/datatypes/ip-text.ts';
import { writeValue } from '../../../runtime/dispatch/json-value.ts';
import { literal } from '../../../runtime/subscription/prepared-text.ts';
import { written } from '../../support/lines.ts';

const test = suite('subscription/line-buffer');

const anyNumber = fc.oneof(
  fc.double(),
  fc.double({ min: 0, max: 100 }),
  fc.integer(),
  fc.maxSafeInteger(),
  fc.nat(20_000),
  fc.constantFrom(
    -0,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    Number.NEGATIVE_INFINITY,
    2 ** 53,
    2 ** 53 - 1,
    2 ** 64,
    1e21,
  ),
  // Where the number of digits changes.
  fc.tuple(fc.nat(21), fc.integer({ min: -2, max: 2 })).map(([digits, by]) => 10 ** digits + by),
);

const anyText = fc.oneof(
  fc.string(),
  fc.string({ unit: 'binary' }),
  // Lone surrogates, escapes, what ends a line in some languages.
  fc
    .array(fc.constantFrom('\ud83d', '\ude42', '"', '\\', '\n', '\u2028', '\0', '\x7f', 'é', 'a'))
    .map((a) => a.join('')),
  fc.tuple(fc.constantFrom('a', 'é', '🙂', '"'), fc.nat(5000)).map(([unit, n]) => unit.repeat(n)),
);

test('numbers are written as JSON.stringify writes them', () => {
  fc.assert(
    fc.property(anyNumber, (value) => {
      assert.is(
        written((out) => out.number(value)),
        JSON.stringify(value),
      );
    }),
    { numRuns: 5000 },
  );
});

test('texts are written as JSON.stringify writes them, with escapes and lone surrogates', () => {
  fc.assert(
    fc.property(anyText, (text) => {
      assert.is(
        written((out) => out.string(text)),
        JSON.stringify(text),
      );
    }),
    { numRuns: 2000 },
  );
});

test('texts and prepared texts are written as they are', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: 'grapheme', maxLength: 200 }), { maxLength: 10 }), (texts) => {
      const all = texts.join('');
      const asText = written((out) => {
        for (const text of texts) out.text(text);
      });
      const prepared = written((out) => {
        for (const text of texts) out.literal(literal(text));
      });
      const bytes = written((out) => {
        for (const byte of Buffer.from(all)) out.byte(byte);
      });
      assert.equal([asText, prepared, bytes], [all, all, all]);
    }),
  );
});

test('any value is written as JSON.stringify writes it, and null where that has no word', () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.boolean(), (value, inObject) => {
      const given = inObject ? { value } : value;
      assert.is(
        written((out) => writeValue(out, given)),
        JSON.stringify(given),
      );
    }),
  );
  assert.is(
    written((out) => writeValue(out, undefined)),
    'null',
  );
  assert.is(
    written((out) => writeValue(out, () => 1)),
    'null',
  );
  assert.is(
    written((out) => writeValue(out, { toJSON: () => undefined })),
    'null',
  );
  assert.is(
    written((out) => writeValue(out, 2n ** 70n)),
    '1180591620717411303424',
  );
  assert.is(
    written((out) => writeValue(out, true)),
    'true',
  );
});

test('times have all their digits: six, or nine when there are nanoseconds', () => {
  const timeText = (sec: number, nsec: number) => written((out) => out.time(sec, nsec));
  assert.is(timeText(0, 0), '0.000000');
  assert.is(timeText(-1, 999_999_999), '4294967295.999999999');
  assert.is(timeText(7, 10), '7.000000010');
  const nanos = fc.integer({ min: 0, max: 999_999_999 });
  const nsecs = fc.oneof(
    nanos,
    nanos.map((n) => n - (n % 1000)),
    fc.nat(2000),
  );
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 0xffffffff }), nsecs, (sec, nsec) => {
      const [whole, fraction = ''] = timeText(sec | 0, nsec).split('.');
      assert.is(Number(whole), sec);
      assert.is(Number(fraction.padEnd(9, '0')), nsec);
      assert.is(fraction.length, nsec % 1000 === 0 ? 6 : 9);
    }),
    { numRuns: 2000 },
  );
});

test('seconds have the digits of their double, whether they are microseconds or not', () => {
  const sec = fc.oneof(fc.integer({ min: 0, max: 2 ** 32 - 1 }), fc.integer({ min: 0, max: 100_000 }), fc.nat(10));
  const time = fc.record({ sec, nsec: fc.integer({ min: 0, max: 999_999_999 }), whole: fc.boolean() });
  fc.assert(
    fc.property(time, anyNumber, ({ sec, nsec, whole }, any) => {
      const fraction = whole ? Math.floor(nsec / 1000) * 1000 : nsec;
      const micros = sec * 1e6 + Math.floor(nsec / 1000);
      for (const value of [sec + fraction * 1e-9, micros / 1e6, sec, nsec / 1e6, any]) {
        assert.is(
          written((out) => out.seconds(value)),
          JSON.stringify(value),
        );
        assert.is(
          written((out) => out.seconds(-value)),
          JSON.stringify(-value),
        );
      }
      for (const value of [micros, -micros, nsec, sec, sec * 1e6]) {
        assert.is(
          written((out) => out.micros(value)),
          JSON.stringify(value / 1e6),
        );
      }
    }),
    { numRuns: 3000 },
  );
});

test('addresses are written as they are read', () => {
  const word = fc.oneof(fc.integer(), fc.constantFrom(0, 0, 0xffff, 1, -1, 0xffff0000 | 0, 0x10000));
  fc.assert(
    fc.property(fc.array(word, { minLength: 5, maxLength: 5 }), (words) => {
      const address = Int32Array.from(words);
      assert.is(
        written((out) => out.ipv4(words[0] ?? 0)),
        ipv4Text(words[0] ?? 0),
      );
      assert.is(
        written((out) => out.ipv6(address, 1)),
        ipv6Text(address, 1),
      );
    }),
    { numRuns: 3000 },
  );
});

test.run();
