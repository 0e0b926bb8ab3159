import fc from 'fast-check';
import { RE2JS } from 're2js';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  anyElement,
  bytesContains,
  bytesIn,
  bytesMatcher,
  textContains,
  textEnds,
  textIn,
  textMatcher,
  textStarts,
} from '../../../runtime/subscription/matchers.ts';
import { simpleShape } from '../../../runtime/subscription/pattern-shape.ts';

const test = suite('matchers');
const seed = Number(process.env.SEED ?? Date.now() & 0xffff);

test('simple patterns are recognised', () => {
  assert.equal(simpleShape('youtube'), { kind: 'contains', values: ['youtube'] });
  assert.equal(simpleShape('^www\\.'), { kind: 'starts', values: ['www.'] });
  assert.equal(simpleShape('\\.com$'), { kind: 'ends', values: ['.com'] });
  assert.equal(simpleShape('^a\\.b$'), { kind: 'equals', values: ['a.b'] });
  assert.equal(simpleShape('(^|\\.)youtube\\.com$'), { kind: 'domain', values: ['youtube.com'] });
  assert.equal(simpleShape('(?:^|[.])(a|b)[.]com$'), { kind: 'domain', values: ['a.com', 'b.com'] });
  assert.equal(simpleShape('netflix|nflxvideo'), { kind: 'contains', values: ['netflix', 'nflxvideo'] });
  assert.equal(simpleShape('^(GET|HEAD)$'), { kind: 'equals', values: ['GET', 'HEAD'] });
});

test('patterns that are not simple are left to the engine', () => {
  for (const pattern of [
    '^a|b$',
    'a.b',
    'ab*',
    'a\\d',
    '(?i)abc',
    '[ab]',
    'a{2}',
    '(a|b)+',
    '^a|b',
    '(^|\\.)x',
    'a$b',
    '(a',
  ]) {
    assert.is(simpleShape(pattern), undefined, pattern);
  }
});

test('a host pattern', () => {
  const matches = textMatcher('(^|\\.)youtube\\.com$');
  assert.ok(matches('youtube.com'));
  assert.ok(matches('www.youtube.com'));
  assert.not.ok(matches('notyoutube.com'));
  assert.not.ok(matches('youtube.com.evil.org'));
  assert.not.ok(matches('e.com'));
  assert.not.ok(matches(undefined));
});

const piece = fc.constantFrom(
  'a',
  'b',
  '\\.',
  '(a|b)',
  '(?:ab|)',
  '|',
  '[.]',
  '.',
  'a*',
  '$',
  '^',
  '(^|\\.)',
  '.*',
  '\\-',
);
const patterns = fc
  .tuple(fc.constantFrom('', '^', '(^|\\.)', '.*'), fc.array(piece, { maxLength: 5 }), fc.constantFrom('', '$'))
  .map(([head, middle, tail]) => head + middle.join('') + tail);
const texts = fc.array(fc.constantFrom('a', 'b', '.', '-', '\n'), { maxLength: 8 }).map((chars) => chars.join(''));

test(`every pattern means what RE2 says (seed ${seed})`, () => {
  let simple = 0;
  fc.assert(
    fc.property(patterns, fc.array(texts, { minLength: 5, maxLength: 20 }), (pattern, inputs) => {
      const engine = RE2JS.compile(pattern);
      const ours = textMatcher(pattern);
      if (simpleShape(pattern) !== undefined) simple++;
      for (const text of inputs) assert.is(ours(text), engine.test(text), `${pattern} on ${JSON.stringify(text)}`);
    }),
    { seed, numRuns: 1500 },
  );
  assert.ok(simple > 100, 'the generator makes simple patterns too');
});

test(`contains any agrees with one search each (seed ${seed})`, () => {
  const word = fc
    .array(fc.constantFrom('a', 'b', 'c', 'é', '語'), { minLength: 1, maxLength: 4 })
    .map((c) => c.join(''));
  const text = fc.array(fc.constantFrom('a', 'b', 'c', 'd', 'é', '語'), { maxLength: 20 }).map((c) => c.join(''));
  fc.assert(
    fc.property(fc.array(word, { minLength: 1, maxLength: 12 }), text, (values, input) => {
      assert.is(
        textContains(values)(input),
        values.some((value) => input.includes(value)),
      );
    }),
    { seed, numRuns: 2000 },
  );
});

test('sets, starts and ends', () => {
  assert.ok(textIn(['a', 'b'])('b'));
  assert.not.ok(textIn(['a'])('b'));
  assert.ok(textStarts(['x', 'ab'])('abc'));
  assert.not.ok(textStarts(['bc'])('abc'));
  assert.ok(textEnds(['bc'])('abc'));
  assert.not.ok(textEnds(['ab'])(undefined));
  assert.ok(textContains(['', 'a', 'b', 'c', 'd', 'e'])('zzz'));
});

test('bytes', () => {
  const bytes = Uint8Array.of(0x15, 0x15, 0xa1, 0xff, 0);
  assert.ok(bytesContains([[0x15, 0xa1]])(bytes));
  assert.ok(bytesContains([[0xff, 0]])(bytes));
  assert.not.ok(bytesContains([[0, 1]])(bytes));
  assert.ok(bytesContains([[9], []])(bytes));
  assert.ok(bytesIn([[1], [0x15, 0x15, 0xa1, 0xff, 0]])(bytes));
  assert.not.ok(bytesIn([[0x15]])(bytes));
  assert.ok(bytesMatcher('\\xa1\\xff\\x00$')(bytes));
  assert.not.ok(bytesMatcher('^\\xa1')(bytes));
  assert.not.ok(bytesMatcher('x')(undefined));
});

test('any element of a list', () => {
  assert.ok(anyElement(textIn(['h2']))(['http/1.1', 'h2']));
  assert.not.ok(anyElement(textIn(['h2']))([]));
  assert.not.ok(anyElement(textIn(['h2']))(undefined));
});

test.run();
