/** The standard error of a run: sentences around a table that stays in its place; JSON lines. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { createScreen } from '../../../runtime/lcore/screen.ts';

const test = suite('screen');

function stream(isTTY: boolean) {
  const written: string[] = [];
  return { isTTY, columns: 30, written, write: (text: string) => written.push(text) };
}

test('a terminal: the table is drawn again below each sentence', () => {
  const to = stream(true);
  const screen = createScreen(to, { json: false, output: {} });
  assert.ok(screen.table);
  screen.draw(['one', 'x'.repeat(50)]);
  screen.say('loss', 'port lost 3 packets');
  screen.draw(['two']);
  screen.draw([]);
  screen.say('report', 'a\nb\n');
  const cut = 'x'.repeat(29);
  assert.equal(to.written, [
    `one\n${cut}\n`,
    `\x1b[2A\r\x1b[Jiris: port lost 3 packets\none\n${cut}\n`,
    '\x1b[2A\r\x1b[Jtwo\n',
    '\x1b[1A\r\x1b[J',
    'a\nb\n',
  ]);
});

test('no table where it is no terminal, where lines come in between, or for machines', () => {
  assert.not(createScreen(stream(false), { json: false, output: {} }).table);
  assert.not(createScreen(stream(true), { json: false, output: { isTTY: true } }).table);
  assert.not(createScreen(stream(true), { json: true, output: {} }).table);
});

test('JSON: one object a line, its kind first', () => {
  const to = stream(true);
  const screen = createScreen(to, { json: true, output: {} });
  screen.say('note', 'a "note"');
  screen.say('report', 'a\nb\n');
  assert.equal(to.written, ['{"kind":"note","text":"a \\"note\\""}\n', '{"kind":"report","text":"a\\nb"}\n']);
});
test.run();
