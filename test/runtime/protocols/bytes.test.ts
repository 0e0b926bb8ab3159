import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { hexOf, ipv4Text, ipv6Text, keep, textOf } from '../../../runtime/protocols/bytes.ts';

const test = suite('bytes of sessions');

test('copies do not share what they were copied from, nor each other', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 6000 }), { minLength: 1, maxLength: 20 }), (all) => {
      const copies = all.map((bytes) => {
        const room = Uint8Array.from([7, 7, ...bytes, 7]);
        const copy = keep(room, 2, bytes.length);
        room.fill(0);
        return copy;
      });
      for (const [i, copy] of copies.entries()) assert.equal([...copy], [...all[i]]);
      for (const copy of copies) copy.fill(0xee);
      assert.ok(copies.every((copy) => copy.every((byte) => byte === 0xee)));
    }),
    { numRuns: 60 },
  );
});

test('text is UTF-8', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', maxLength: 60 }), (text) => {
      const bytes = Buffer.from(`..${text}..`);
      assert.is(textOf(bytes, 2, bytes.length - 2), text);
    }),
  );
  assert.is(textOf(Uint8Array.of(0x61, 0xff, 0x62), 0, 3), 'a\ufffdb');
  assert.is(textOf(Uint8Array.of(0x61), 1, 1), '');
});

test('hex and addresses', () => {
  assert.is(hexOf(Uint8Array.of(0, 10, 255)), '000aff');
  assert.is(ipv4Text(Uint8Array.of(9, 192, 0, 2, 1), 1), '192.0.2.1');
  const of = (text: string) => ipv6Text(Buffer.from(text, 'hex'), 0);
  assert.is(of('20010db8000000000001000000000001'), '2001:db8::1:0:0:1');
  assert.is(of('00000000000000000000000000000001'), '::1');
  assert.is(of('fe800000000000000000000000000000'), 'fe80::');
  assert.is(of('20010db8000000010001000100010001'), '2001:db8:0:1:1:1:1:1');
});

test.run();
