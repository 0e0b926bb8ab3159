import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type LineSink, openLineSink } from '../../../runtime/dispatch/line-sink.ts';
import { IrisError } from '../../../runtime/errors.ts';
import { captureFolder } from '../../support/captures.ts';

const test = suite('dispatch/line-sink');
const folder = captureFolder();
test.after(() => folder.remove());

function write(sink: LineSink, text: string): void {
  const bytes = Buffer.from(`before${text}behind`);
  sink.write(bytes, 6, bytes.length - 6);
  // The sink has taken them.
  bytes.fill('#');
}

test('any lines arrive whole and in order, however long', () => {
  const line = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 80 }),
    fc.tuple(fc.constantFrom('a', 'é', '漢', '🙂'), fc.integer({ min: 1, max: 70_000 })).map(([c, n]) => c.repeat(n)),
  );
  fc.assert(
    fc.property(fc.array(line, { maxLength: 30 }), (lines) => {
      const file = join(folder.path, 'out.jsonl');
      const sink = openLineSink(file);
      for (const line of lines) write(sink, line);
      sink.close();
      assert.ok(readFileSync(file).equals(Buffer.from(lines.join(''))));
    }),
    { numRuns: 60 },
  );
});

test('keeps lines back until they are flushed, and closes once', () => {
  const file = join(folder.path, 'small.jsonl');
  const sink = openLineSink(file);
  write(sink, 'one\n');
  assert.is(readFileSync(file, 'utf8'), '');
  sink.flush();
  assert.is(readFileSync(file, 'utf8'), 'one\n');
  write(sink, 'two\n');
  sink.close();
  sink.close();
  assert.is(readFileSync(file, 'utf8'), 'one\ntwo\n');
  assert.is(sink.closedByReader, false);
});

test('says why a file cannot be written', () => {
  mkdirSync(join(folder.path, 'd'));
  for (const [path, words] of [
    [join(folder.path, 'no/such/x'), 'its folder does not exist'],
    [join(folder.path, 'd'), 'it is a folder'],
    [join(folder.path, 'small.jsonl/x'), 'not a folder'],
  ]) {
    assert.throws(
      () => openLineSink(path),
      (error: unknown) => error instanceof IrisError && error.message.includes(words),
    );
  }
  const full = openLineSink('/dev/full');
  write(full, 'x\n');
  assert.throws(
    () => full.flush(),
    (error: unknown) => error instanceof IrisError && error.message.includes('/dev/full: cannot be written'),
  );
});

test.run();
