/** Broken lines are the same code. */
import { transform } from 'esbuild';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { wrapText } from '../../../compiler/emit/wrap.ts';

const test = suite('long lines of generated code');
const long = (text: string, count: number): string => Array.from({ length: count }, (_, i) => `${text}${i}`).join(', ');

const LINES = [
  `const a = [${long('x', 60)}]`,
  `  if (first(${long('a', 20)}) && second(${long('b', 20)}) || third === '(, && ${'y'.repeat(40)}') { // why // it is`,
  `const s = 'a string, with (brackets, and separators, that must not, be broken, anywhere) and it\\'s ${'z'.repeat(60)}'`,
  `f({ a: 1, b: [${long('c', 30)}], d: 'x // not a remark, ${'w'.repeat(30)}' }) // a remark`,
];

/** The code without what layout may change. */
async function meaning(text: string): Promise<string> {
  const closed = text.replace(/\{( \/\/.*)?$/, '{$1\n}');
  return (await transform(closed, { loader: 'ts', minifyWhitespace: true })).code;
}

test('are broken without changing what they mean', async () => {
  for (const line of LINES) {
    const wrapped = wrapText(line);
    const block = /\{( \/\/.*)?$/.test(line);
    const closed = block ? `${wrapped}\n}` : wrapped;
    assert.is((await transform(closed, { loader: 'ts', minifyWhitespace: true })).code, await meaning(line), line);
    // A string stays whole, however long.
    assert.is(wrapped.includes('\n'), !line.includes('const s'), line);
  }
});

test('keep short lines, and comments closed', () => {
  assert.is(wrapText('const a = [1, 2] // short'), 'const a = [1, 2] // short');
  const doc = wrapText(`  /** ${'word '.repeat(40)}*/`);
  assert.ok(doc.length <= 120 && doc.endsWith('... */'));
  assert.is(wrapText('function clear(): void {\n  }'), 'function clear(): void {}');
});

test.run();
