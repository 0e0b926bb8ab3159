/** Checksums: right and wrong ones of each kind, those that cannot be verified, and what tshark says of the corpus. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { corpus, corpusEntries, readTruth } from '../../support/corpus.ts';
import { framesOf } from '../../support/corpus-frames.ts';
import { createEngine, type Frame, packetMemory } from '../../support/engine.ts';
import * as make from '../../support/frames.ts';

const test = suite('checksums');
const T0 = 1_700_000_000;
const V6 = { src: '2001:db8::1', dst: '2001:db8::2' };

/** One's complement sum of half-words, the plain way. */
function sumOf(bytes: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < bytes.length; i++) {
    sum += (bytes[i] ?? 0) << (i % 2 === 0 ? 8 : 0);
    sum = (sum & 0xffff) + (sum >>> 16);
  }
  return sum;
}

/** The Ethernet frame with its checksums filled in. */
function summed(frame: Uint8Array): Uint8Array {
  const bytes = frame.slice();
  const view = new DataView(bytes.buffer);
  const isV6 = bytes[14] >> 4 === 6;
  const l4 = isV6 ? 54 : 34;
  const proto = bytes[isV6 ? 20 : 23] as number;
  if (!isV6) view.setUint16(24, ~sumOf(bytes.slice(14, 34)) & 0xffff);
  const addresses = isV6 ? bytes.slice(22, 54) : bytes.slice(26, 34);
  const pseudo = make.concat(addresses, make.u16(proto, bytes.length - l4), bytes.slice(l4));
  view.setUint16(l4 + (proto === 6 ? 16 : 6), ~sumOf(pseudo) & 0xffff);
  return bytes;
}

function countsOf(frames: readonly Frame[]) {
  const engine = createEngine({ config: { verify_checksums: true, init_data: true } });
  engine.run(frames);
  return { ...engine.counters(), opened: engine.of('open').length };
}

const TCP = { flags: make.ACK, seq: 0x12345678, payload: 'an odd number of bytes.' };
for (const [name, frame] of [
  ['TCP', make.tcp(TCP)],
  ['TCP over IPv6', make.tcp({ ...TCP, ...V6 })],
  ['UDP', make.udp({ payload: 'even' })],
  ['UDP over IPv6', make.udp({ ...V6, payload: 'odd' })],
  ['a large segment', make.tcp({ ...TCP, payload: new Uint8Array(60_000).fill(0xff) })],
] as const) {
  test(name, () => {
    const right = summed(frame);
    assert.is(countsOf([{ ts: T0, bytes: right }]).opened, 1);
    for (const at of [15, right.length - 1]) {
      const wrong = right.slice();
      wrong[at] ^= 4;
      // IPv6 has no checksum of its own.
      if (at === 15 && right[14] >> 4 === 6) continue;
      const counts = countsOf([{ ts: T0, bytes: wrong }]);
      assert.is(counts.opened, 0);
      assert.is(counts.bad_checksum, 1);
      assert.is(counts.transport_packets, 0);
    }
    // Nobody is wrong who is not asked.
    const engine = createEngine({ config: { init_data: true } });
    engine.run([{ ts: T0, bytes: frame }]);
    assert.is(engine.of('open').length, 1);
  });
}

test('behind extension headers of IPv6, unless a routing header has another destination', () => {
  const eight = (next: number) => Uint8Array.of(next, 0, 1, 4, 0, 0, 0, 0);
  const route = (left: number) => make.concat(Uint8Array.of(6, 2, 4, left, 0, 0, 0, 0), make.address('2001:db8::9'));
  const ah = make.concat(Uint8Array.of(6, 4), new Uint8Array(22));
  for (const [first, headers, known] of [
    [60, eight(6), true],
    [0, make.concat(eight(60), eight(6)), true],
    [51, ah, true],
    [44, make.concat(Uint8Array.of(6, 0), make.u16(0), make.u32(9)), true],
    [43, route(0), true],
    [43, route(1), false],
    [0, make.concat(eight(43), route(1)), false],
  ] as const) {
    const plain = summed(make.tcp({ ...TCP, ...V6 }));
    const right = make.concat(plain.slice(0, 54), headers, plain.slice(54));
    new DataView(right.buffer).setUint16(18, right.length - 54);
    right[20] = first;
    assert.is(countsOf([{ ts: T0, bytes: right }]).bad_checksum, 0, `${first}`);
    const wrong = right.slice();
    wrong[wrong.length - 1] ^= 4;
    assert.is(countsOf([{ ts: T0, bytes: wrong }]).bad_checksum, known ? 1 : 0, `${first}, wrong`);
    assert.is(countsOf([{ ts: T0, bytes: right }]).opened, 1);
  }
});

test('what was cut, and what has no checksum, is believed', () => {
  const cut = summed(make.tcp(TCP)).slice(0, 60);
  cut[58] ^= 1;
  const none = summed(make.udp({ payload: 'x' }));
  none.fill(0, 40, 42);
  none[42] ^= 1;
  assert.is(countsOf([{ ts: T0, bytes: cut, wirelen: 77 }]).opened, 1);
  assert.is(countsOf([{ ts: T0, bytes: none }]).opened, 1);
});

const folder = corpus();
const memory = packetMemory(1 << 22, 1 << 22);
for (const entry of folder === undefined ? [] : corpusEntries(folder)) {
  const { features } = readTruth(entry);
  // tshark looks at headers inside tunnels and errors, too.
  if (features.some((feature) => /tunnel|icmp-quoted|malformed/.test(feature))) continue;
  test(entry.name, () => {
    const engine = createEngine({ memory, maxConnections: 5000, config: { verify_checksums: true }, actions: 0 });
    engine.run(framesOf(entry.pcap));
    const bad = features.some((feature) => /^bad-(ip|tcp|udp)-checksum$/.test(feature));
    assert.is(engine.counters().bad_checksum > 0, bad);
  });
}

if (folder === undefined) {
  test.skip('no corpus beside the checkout', () => {});
}

test.run();
