import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  displayWidth,
  formatDiagnostic,
  formatDiagnostics,
  placeOf,
  wantsColor,
} from '../../../compiler/cli/print-diagnostics.ts';
import type { Diagnostic } from '../../../compiler/language/diagnostic.ts';

/** A diagnostic at the part of a text that stands between « and ». */
function at(marked: string, more: Partial<Diagnostic> = {}): Diagnostic {
  const start = marked.indexOf('«');
  const end = marked.indexOf('»') - 1;
  const file = { path: 'x.iris', text: marked.replace(/[«»]/g, '') };
  return { severity: 'error', code: 'test', message: 'wrong', file, span: { start, end }, ...more };
}

const plain = (diagnostic: Diagnostic) => formatDiagnostic(diagnostic, { color: false }).split('\n');

test('prints place, line, caret, suggestion and notes', () => {
  const first = at('a\nlet b = «c» and d\ne');
  const notes = [{ message: 'declared here', file: first.file, span: { start: 0, end: 1 } }];
  assert.equal(plain({ ...first, suggestion: 'did you mean `x`?', notes }), [
    'x.iris:2:9: error: wrong [test]',
    ' 2 | let b = c and d',
    '   |         ^',
    '   = did you mean `x`?',
    '   = x.iris:1:1: declared here',
    ' 1 | a',
    '   | ^',
  ]);
});

test('marks the whole span, on its first line only', () => {
  assert.equal(plain(at('let b = «tls and\n udp»')).slice(1), [' 1 | let b = tls and', '   |         ^^^^^^^']);
  assert.equal(plain(at('let b = «tls»\r\nx')).slice(1), [' 1 | let b = tls', '   |         ^^^']);
});

test('an empty span and the end of the text have a caret', () => {
  assert.equal(plain(at('let b =«»')).slice(1), [' 1 | let b =', '   |        ^']);
  assert.equal(plain(at('«»')).slice(0, 2), ['x.iris:1:1: error: wrong [test]', ' 1 | ']);
  assert.equal(plain(at('\n«»\n'))[0], 'x.iris:2:1: error: wrong [test]');
  assert.is(placeOf({ path: 'x', text: 'ab' }, { start: 99, end: 100 }).column, 3);
  assert.is(placeOf({ path: 'x', text: '\nab' }, { start: 0, end: 0 }).line, 1);
});

test('tabs, wide characters and combining marks keep the caret below its text', () => {
  assert.equal(plain(at('\tlet\tx = «y»')).slice(1), [' 1 |         let     x = y', '   |                     ^']);
  assert.equal(plain(at("a = '日本' «b»")).slice(1), [" 1 | a = '日本' b", '   |            ^']);
  assert.equal(plain(at("a = '«日本»'")).slice(1), [" 1 | a = '日本'", '   |      ^^^^']);
  assert.is(displayWidth('e\u0301'), 1);
  assert.is(displayWidth('😀'), 2);
  assert.match(plain(at("'😀' «b»"))[0] ?? '', /^x\.iris:1:5:/);
});

test('control characters of a file do not reach the terminal', () => {
  const [, line] = plain(at("a = '\u001b[31m' «b»"));
  assert.is(line, " 1 | a = '\ufffd[31m' b");
});

test('of a very long line the part around the span is shown', () => {
  const [, line, caret] = plain(at(`${'a'.repeat(1000)}«bcd»${'e'.repeat(1000)}`));
  assert.ok((line?.length ?? 0) < 200 && line?.includes('bcd'));
  assert.is(caret?.indexOf('^^^'), line?.indexOf('bcd'));
});

test('line numbers of any width keep the gutter straight', () => {
  const lines = plain(at(`${'\n'.repeat(99)}«x»`));
  assert.equal(lines, ['x.iris:100:1: error: wrong [test]', ' 100 | x', '     | ^']);
});

test('several are parted by blank lines and counted', () => {
  const text = formatDiagnostics([at('«a»'), at('«b»', { severity: 'warning' }), at('«c»')], { color: false });
  assert.match(text, /\n\n2 errors, 1 warning\n$/);
  assert.is(formatDiagnostics([], { color: false }), '');
  assert.match(formatDiagnostics([at('«a»')], { color: false }), /\n\n1 error\n$/);
});

test('colours only where they are wanted', () => {
  assert.ok(formatDiagnostic(at('«a»'), { color: true }).includes('\u001b[31m'));
  assert.not.ok(formatDiagnostic(at('«a»'), { color: false }).includes('\u001b'));
  assert.is(wantsColor({ isTTY: true }, {}), true);
  assert.is(wantsColor({ isTTY: true }, { NO_COLOR: '1' }), false);
  assert.is(wantsColor({ isTTY: true }, { NO_COLOR: '' }), true);
  assert.is(wantsColor({ isTTY: true }, { TERM: 'dumb' }), false);
  assert.is(wantsColor({}, {}), false);
});

test.run();
