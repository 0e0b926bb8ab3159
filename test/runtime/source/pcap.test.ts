import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { InputError } from '../../../runtime/errors.ts';
import { buildPcap, captureFolder, type TestPacket } from '../../support/captures.ts';
import { readCapture } from '../../support/read-capture.ts';

const test = suite('source/pcap');
const folder = captureFolder();
test.after(() => folder.remove());

const hello = (text: string, sec = 1, nsec = 5000): TestPacket => ({ sec, nsec, bytes: Buffer.from(text) });

test('takes both byte orders, both resolutions and long record headers', () => {
  for (const littleEndian of [true, false]) {
    for (const nanoseconds of [true, false]) {
      for (const longHeaders of [true, false]) {
        const packets = [hello('one', 0xfffffffe, 999_999_999), { ...hello('twotwo'), wirelen: 1500 }];
        const file = folder.write('a.pcap', buildPcap(packets, { littleEndian, nanoseconds, longHeaders, link: 113 }));
        const read = readCapture(file);
        assert.is(read.error, undefined);
        const exact = nanoseconds && !longHeaders;
        assert.equal(
          read.packets.map((p) => [p.sec, p.nsec, p.link, p.wirelen, Buffer.from(p.bytes).toString()]),
          [
            [0xfffffffe, exact ? 999_999_999 : 999_999_000, 113, 3, 'one'],
            [1, 5000, 113, 1500, 'twotwo'],
          ],
        );
        assert.is(read.stats?.packets, 2);
        assert.is(read.stats?.bytes, 1503);
      }
    }
  }
});

test('reads the swapped lengths of files before version 2.3', () => {
  const file = folder.write('old.pcap', buildPcap([{ ...hello('abc'), wirelen: 60 }], { version: [2, 2] }));
  const { packets, error } = readCapture(file);
  assert.is(error, undefined);
  assert.equal([packets[0].bytes.length, packets[0].wirelen], [3, 60]);
});

test('carries a fraction beyond the second over to the seconds', () => {
  const bytes = buildPcap([hello('x', 10, 0)]);
  bytes.writeUInt32LE(3_250_000, 24 + 4);
  const { packets } = readCapture(folder.write('fraction.pcap', bytes));
  assert.equal([packets[0].sec, packets[0].nsec], [13, 250_000_000]);
});

test('a cut record: what comes before is handed over, then the offset of the cut packet', () => {
  const whole = buildPcap([hello('first'), hello('second')]);
  for (let cut = 24; cut <= whole.length; cut++) {
    const { packets, error } = readCapture(folder.write('cut.pcap', whole.subarray(0, cut)));
    const second = 24 + 16 + 5;
    assert.is(packets.length, cut === whole.length ? 2 : cut >= second ? 1 : 0);
    if (cut === 24 || cut === second || cut === whole.length) assert.is(error, undefined);
    else {
      assert.instance(error, InputError);
      assert.is((error as InputError).offset, cut > second ? second : 24);
      assert.match((error as InputError).message, 'cut short');
    }
  }
});

test('an impossible capture length is corrupt, at its offset, and stays so', () => {
  for (const caplen of [262145, 0x7fffffff, 0xffffffff]) {
    const bytes = buildPcap([hello('first'), hello('second')]);
    bytes.writeUInt32LE(caplen, 24 + 16 + 5 + 8);
    const { packets, error } = readCapture(folder.write('caplen.pcap', bytes));
    assert.is(packets.length, 1);
    assert.is((error as InputError).offset, 45);
    assert.match((error as InputError).message, `${caplen} captured`);
  }
});

test('a length on the wire beyond any frame is no fault: the packet is there', () => {
  for (const wirelen of [0x40000000, 0x80000000, 0xffffffff]) {
    for (const version of [
      [2, 4],
      [2, 3],
    ] as const) {
      const packets = [{ ...hello('first'), wirelen }, hello('second')];
      const read = readCapture(folder.write('wirelen.pcap', buildPcap(packets, { version: [...version] })));
      assert.is(read.error, undefined);
      assert.equal(
        read.packets.map((p) => [p.wirelen, p.bytes.length]),
        [
          [0x3fffffff, 5],
          [6, 6],
        ],
      );
    }
  }
});

test('a snap length above the usual bound allows longer packets', () => {
  const packet = { sec: 1, nsec: 0, bytes: new Uint8Array(300_000).fill(7) };
  assert.is(readCapture(folder.write('jumbo.pcap', buildPcap([packet], { snaplen: 400_000 }))).packets.length, 1);
  assert.instance(readCapture(folder.write('jumbo.pcap', buildPcap([packet]))).error, InputError);
});

test('refuses a file header that is cut or of another version', () => {
  assert.match(String(readCapture(folder.write('h.pcap', buildPcap([]).subarray(0, 20))).error), '20 of the header');
  assert.match(String(readCapture(folder.write('v.pcap', buildPcap([], { version: [7, 1] }))).error), 'version 7.1');
  assert.equal(readCapture(folder.write('none.pcap', buildPcap([]))).packets, []);
});

const packetArbitrary = fc.record({
  sec: fc.integer({ min: 0, max: 0xffffffff }),
  nsec: fc.integer({ min: 0, max: 999_999_999 }),
  bytes: fc.uint8Array({ maxLength: 900 }),
});

test('any packets come back the same, whatever the window and the burst', () => {
  fc.assert(
    fc.property(
      fc.array(packetArbitrary, { maxLength: 40 }),
      fc.record({ littleEndian: fc.boolean(), nanoseconds: fc.boolean(), longHeaders: fc.boolean() }),
      fc.integer({ min: 1024, max: 5000 }),
      fc.integer({ min: 1, max: 64 }),
      (packets, options, windowBytes, burst) => {
        const file = folder.write('any.pcap', buildPcap(packets, options));
        const read = readCapture(file, { windowBytes }, burst);
        assert.is(read.error, undefined);
        const exact = options.nanoseconds && !options.longHeaders;
        assert.equal(
          read.packets.map((p) => ({ sec: p.sec, nsec: p.nsec, bytes: p.bytes })),
          packets.map((p) => ({ ...p, nsec: exact ? p.nsec : p.nsec - (p.nsec % 1000) })),
        );
      },
    ),
    { numRuns: 150 },
  );
});

test.run();
