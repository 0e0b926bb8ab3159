import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ExitCode, InputError } from '../../../runtime/errors.ts';
import { inputError } from '../../../runtime/source/read-window.ts';
import { buildPcap, buildPcapng, captureFolder } from '../../support/captures.ts';
import { readCapture } from '../../support/read-capture.ts';

const test = suite('source/capture');
const folder = captureFolder();
test.after(() => folder.remove());

/** The error of opening or reading `file`, as the user sees it. */
function errorOf(file: string): InputError {
  const { error } = readCapture(file);
  assert.instance(error, InputError);
  assert.is((error as InputError).exitCode, ExitCode.INPUT);
  return error as InputError;
}

test('says what is wrong with a file that cannot be read', () => {
  const missing = join(folder.path, 'missing.pcap');
  assert.is(errorOf(missing).message, `${missing}: no such file`);
  const nested = folder.write('file', Buffer.from('x'));
  assert.match(errorOf(join(nested, 'x.pcap')).message, 'not a folder');
  const directory = join(folder.path, 'folder.pcap');
  mkdirSync(directory);
  assert.is(errorOf(directory).message, `${directory}: is a folder, not a capture`);
  const denied = inputError('x.pcap', undefined, Object.assign(new Error('open'), { code: 'EACCES' }));
  assert.is(denied.message, 'x.pcap: permission denied');
  assert.match(denied.hint ?? '', 'chmod');
  const broken = inputError('x.pcap', 512, Object.assign(new Error('EIO: i/o error, read'), { code: 'EIO' }));
  assert.is(broken.message, 'x.pcap: byte 512: cannot be read: EIO: i/o error, read');
});

test('says what a file that is no capture is', () => {
  const empty = folder.write('empty.pcap', new Uint8Array(0));
  assert.is(errorOf(empty).message, `${empty}: is empty`);
  const text = folder.write('text.pcap', Buffer.from('\nGET / HTTP/1.1\r\nHost: example.com\r\n'));
  assert.match(errorOf(text).message, 'not a capture: it is text, starting with "GET / HTTP/1.1"');
  const binary = folder.write('binary.pcap', Uint8Array.of(0, 1, 2, 0xfe, 5));
  assert.match(errorOf(binary).message, 'not a capture: it starts with 00 01 02 fe');
  const xz = errorOf(folder.write('x.pcap.xz', Uint8Array.of(0xfd, 0x37, 0x7a, 0x58, 0x5a, 0)));
  assert.match(xz.message, 'xz data');
  assert.match(xz.hint ?? '', 'unxz');
  assert.match(errorOf(folder.write('tiny.pcapng', Uint8Array.of(0x0a, 0x0d, 0x0d, 0x0a, 1))).message, 'cut short');
});

test('the slab lies behind the window, with room between', async () => {
  const { openCapture } = await import('../../../runtime/source/capture.ts');
  const source = openCapture(folder.write('a.pcap', buildPcap([])), { windowBytes: 2000, slabBytes: 1000 });
  const { bytes, view, slabOffset, slabLength } = source.memory;
  assert.ok(slabOffset >= 2000 + 64 && slabLength >= 1000);
  assert.is(slabOffset % 64, 0);
  assert.is(slabOffset + slabLength, bytes.length);
  assert.is(view.buffer, bytes.buffer);
  source.close();
  source.close();
});

test('arbitrary bytes, and captures with bytes changed, throw nothing but InputError', () => {
  const pcap = buildPcap(
    [1, 2, 3].map((sec) => ({ sec, nsec: 5, bytes: new Uint8Array(20).fill(sec) })),
    { nanoseconds: true },
  );
  const pcapng = buildPcapng([
    { kind: 'section', littleEndian: true },
    { kind: 'interface', resolution: 9, offset: 1n },
    { kind: 'enhanced', stamp: 5n, bytes: new Uint8Array(20), comment: 9 },
    { kind: 'simple', bytes: new Uint8Array(7) },
    { kind: 'section', littleEndian: false },
    { kind: 'interface' },
    { kind: 'obsolete', stamp: 6n, bytes: new Uint8Array(20) },
    { kind: 'other', type: 77, body: new Uint8Array(30) },
  ]);
  const changes = fc.array(fc.tuple(fc.nat(400), fc.integer({ min: 0, max: 255 })), { maxLength: 6 });
  const mutated = fc.tuple(fc.constantFrom(pcap, pcapng), changes, fc.nat(400)).map(([file, edits, cut]) => {
    const copy = Buffer.from(file);
    for (const [at, value] of edits) copy[at % copy.length] = value;
    return cut < copy.length ? copy.subarray(0, cut) : copy;
  });
  const prefixed = fc.tuple(fc.constantFrom(pcap, pcapng), fc.uint8Array({ maxLength: 300 })).map(([file, tail]) => {
    return Buffer.concat([file.subarray(0, file === pcap ? 24 : 28), tail]);
  });
  fc.assert(
    fc.property(fc.oneof(mutated, mutated, prefixed, fc.uint8Array({ maxLength: 100 })), (bytes) => {
      const { error, packets } = readCapture(folder.write('fuzz', bytes), { windowBytes: 1024 });
      if (error !== undefined) assert.instance(error, InputError);
      for (const packet of packets) assert.ok(packet.wirelen >= 0 && packet.nsec >= 0 && packet.nsec < 1e9);
    }),
    { numRuns: 1500 },
  );
});

test.run();
