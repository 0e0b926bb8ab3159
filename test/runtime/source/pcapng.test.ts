import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { InputError } from '../../../runtime/errors.ts';
import { buildPcapng, captureFolder, type PcapngBlock } from '../../support/captures.ts';
import { readCapture } from '../../support/read-capture.ts';

const test = suite('source/pcapng');
const folder = captureFolder();
test.after(() => folder.remove());

const bytes = (text: string): Uint8Array => Buffer.from(text);
const read = (blocks: readonly PcapngBlock[]) => readCapture(folder.write('a.pcapng', buildPcapng(blocks)));
const section = (littleEndian = true): PcapngBlock => ({ kind: 'section', littleEndian });

test('reads sections of either byte order, each with interfaces of its own', () => {
  const { packets, error, stats } = read([
    section(false),
    { kind: 'interface', link: 1 },
    { kind: 'interface', link: 101, resolution: 9 },
    { kind: 'enhanced', interface: 1, stamp: 1_700_000_000_123_456_789n, bytes: bytes('a'), wirelen: 99 },
    section(true),
    { kind: 'interface', link: 276, resolution: 3 },
    { kind: 'enhanced', stamp: 1_700_000_000_500n, bytes: bytes('bcd'), comment: 31 },
  ]);
  assert.is(error, undefined);
  assert.equal(
    packets.map((p) => [p.sec, p.nsec, p.link, p.interface, p.wirelen, p.bytes.length]),
    [
      [1_700_000_000, 123_456_789, 101, 1, 99, 1],
      [1_700_000_000, 500_000_000, 276, 0, 3, 3],
    ],
  );
  assert.equal([stats?.packets, stats?.bytes], [2, 102]);
});

test('gives simple packets the time before them and cuts them at the snap length', () => {
  const { packets, error } = read([
    section(),
    { kind: 'interface', snaplen: 4 },
    { kind: 'simple', bytes: bytes('ab') },
    { kind: 'obsolete', stamp: 7_000_009n, bytes: bytes('abc') },
    { kind: 'simple', bytes: bytes('abcd'), wirelen: 60 },
  ]);
  assert.is(error, undefined);
  assert.equal(
    packets.map((p) => [p.sec, p.nsec, p.wirelen, p.bytes.length]),
    [
      [0, 0, 2, 2],
      [7, 9000, 3, 3],
      [7, 9000, 60, 4],
    ],
  );
});

test('a length on the wire beyond any frame is no fault: the packet is there', () => {
  const { packets, error } = read([
    section(),
    { kind: 'interface', snaplen: 4 },
    { kind: 'enhanced', stamp: 1n, bytes: bytes('ab'), wirelen: 0xffffffff },
    { kind: 'simple', bytes: bytes('wxyz'), wirelen: 0x80000000 },
    { kind: 'enhanced', stamp: 2n, bytes: bytes('abcd') },
  ]);
  assert.is(error, undefined);
  assert.equal(
    packets.map((p) => [p.wirelen, p.bytes.length]),
    [
      [0x3fffffff, 2],
      [0x3fffffff, 4],
      [4, 4],
    ],
  );
});

test('passes over blocks it does not know, even larger than the window', () => {
  const blocks: PcapngBlock[] = [
    section(),
    { kind: 'other', type: 0xbad, body: new Uint8Array(5000) },
    { kind: 'other', type: 4, body: new Uint8Array(4) },
    { kind: 'other', type: 0x40000bad, body: new Uint8Array(9000) },
    { kind: 'interface' },
    { kind: 'enhanced', stamp: 1n, bytes: bytes('x') },
    { kind: 'other', type: 5, body: new Uint8Array(2048) },
  ];
  const file = folder.write('big.pcapng', buildPcapng(blocks));
  for (const windowBytes of [1024, 4096, 65536]) {
    const result = readCapture(file, { windowBytes });
    assert.is(result.error, undefined);
    assert.is(result.packets.length, 1);
  }
});

test('every resolution gives exact seconds and nanoseconds', () => {
  fc.assert(
    fc.property(
      fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
      fc.integer({ min: 0, max: 255 }),
      fc.option(fc.bigInt({ min: -(1n << 40n), max: 1n << 40n })),
      (stamp, resolution, offset) => {
        const { packets } = read([
          section(),
          { kind: 'interface', resolution, offset: offset ?? undefined },
          { kind: 'enhanced', stamp, bytes: bytes('x') },
        ]);
        const units = (resolution & 0x80 ? 2n : 10n) ** BigInt(resolution & 0x7f);
        assert.is(BigInt(packets[0].sec), BigInt.asUintN(32, stamp / units + (offset ?? 0n)));
        assert.is(BigInt(packets[0].nsec), ((stamp % units) * 1_000_000_000n) / units);
      },
    ),
    { numRuns: 600 },
  );
});

test('faults: what comes before is handed over, then the offset of the block', () => {
  const good = [section(), { kind: 'interface' }, { kind: 'enhanced', stamp: 1n, bytes: bytes('good') }] as const;
  const head = buildPcapng(good).length;
  const expectFault = (file: Buffer, offset: number, words: string) => {
    const { packets, error } = readCapture(folder.write('fault.pcapng', file));
    assert.is(packets.length, 1);
    assert.instance(error, InputError);
    assert.is((error as InputError).offset, offset);
    assert.match((error as InputError).message, words);
  };
  const packet: PcapngBlock = { kind: 'enhanced', stamp: 2n, bytes: bytes('bad!') };
  const whole = buildPcapng([...good, packet]);
  for (let cut = head + 1; cut < whole.length; cut++) expectFault(whole.subarray(0, cut), head, 'cut short');
  expectFault(buildPcapng([...good, { ...packet, interface: 3 }]), head, 'interface 3, but the section has 1');
  expectFault(buildPcapng([...good, section(), packet]), head + 28, 'the section has 0');
  expectFault(buildPcapng([...good, { kind: 'section', littleEndian: false, major: 9 }]), head, 'version 9.0');

  const patched = (at: number, value: number): Buffer => {
    const copy = Buffer.from(whole);
    copy.writeUInt32LE(value, head + at);
    return copy;
  };
  expectFault(patched(4, 37), head, '37 bytes long');
  expectFault(patched(4, 8), head, '8 bytes long');
  expectFault(patched(4, 0xfffffffc), head, 'claims 4294967292 bytes');
  expectFault(patched(20, 5), head, '5 captured, where at most 4');
  expectFault(patched(32, 40), head, 'not at its end');
  const garbled = buildPcapng([...good, section()]);
  garbled.writeUInt32LE(0x12345678, head + 8);
  expectFault(garbled, head, 'byte-order magic');
});

const packetArbitrary = fc.record({
  stamp: fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
  bytes: fc.uint8Array({ maxLength: 700 }),
  kind: fc.constantFrom('enhanced' as const, 'obsolete' as const),
  comment: fc.option(fc.integer({ min: 0, max: 100 })),
});

test('any packets come back the same, whatever the window and the burst', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.boolean(), fc.array(packetArbitrary, { maxLength: 10 })), { minLength: 1, maxLength: 4 }),
      fc.integer({ min: 1024, max: 5000 }),
      fc.integer({ min: 1, max: 64 }),
      (sections, windowBytes, burst) => {
        const blocks = sections.flatMap(([littleEndian, packets]): PcapngBlock[] => [
          section(littleEndian),
          { kind: 'interface', resolution: 9 },
          ...packets.map((packet) => ({ ...packet, comment: packet.comment ?? undefined })),
        ]);
        const result = readCapture(folder.write('any.pcapng', buildPcapng(blocks)), { windowBytes }, burst);
        assert.is(result.error, undefined);
        assert.equal(
          result.packets.map((p) => ({ sec: p.sec, nsec: p.nsec, bytes: p.bytes })),
          sections.flatMap(([, packets]) =>
            packets.map(({ stamp, bytes }) => ({
              sec: Number(BigInt.asUintN(32, stamp / 1_000_000_000n)),
              nsec: Number(stamp % 1_000_000_000n),
              bytes,
            })),
          ),
        );
      },
    ),
    { numRuns: 150 },
  );
});

test.run();
