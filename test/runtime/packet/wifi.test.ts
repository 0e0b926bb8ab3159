/** IEEE 802.11: aggregates of packets, and the frames that are counted instead of read. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { aggregate, dataFrame, packet, snap, snapOf } from '../../support/encapsulations.ts';
import { createEngine, type Engine, type EngineOptions } from '../../support/engine.ts';
import * as make from '../../support/frames.ts';
import { concat, u16 } from '../../support/frames.ts';

const test = suite('802.11');
const T0 = 1_700_000_000;
const WIFI = 105;

/** A UDP datagram of 5 bytes from port `sport`. */
const datagram = (sport: number) => snapOf(make.udpDatagram({ sport, dport: 53, payload: `${sport}`.padEnd(5) }));
const ARP = concat(Uint8Array.of(0xaa, 0xaa, 3, 0, 0, 0), u16(0x0806), new Uint8Array(28));
const amsdu = (...packets: readonly Uint8Array[]) => concat(dataFrame(0x88, 0x80), aggregate(...packets));

function run(frames: readonly Uint8Array[], options: EngineOptions = {}, link = WIFI, cut?: number): Engine {
  const engine = createEngine({ ...options, config: { init_data: true, ...options.config } });
  engine.run(frames.map((bytes) => ({ ts: T0, bytes: bytes.slice(0, cut), link, wirelen: bytes.length })));
  return engine;
}

/** Ports of the originators, in the order in which payload was delivered. */
function streamed(engine: Engine): number[] {
  return engine.of('stream').map(({ bytes }) => Number(Buffer.from(bytes ?? []).toString()));
}

test('all packets of an aggregate are read, between those of the frames before and behind', () => {
  const engine = run([
    amsdu(datagram(1), datagram(2), ARP, datagram(3)),
    make.udp(),
    amsdu(datagram(4)),
    amsdu(ARP, datagram(5)),
  ]);
  assert.equal(streamed(engine).filter(Boolean), [1, 2, 3, 4, 5]);
  const counters = engine.counters();
  assert.is(counters.frames, 4);
  assert.is(counters.subframes, 4);
  // The Ethernet frame is no 802.11 data frame.
  assert.is(counters.not_ip, 3);
  assert.is(counters.transport_packets, 5);
});

test('more aggregates than a burst holds, and one packet of a connection behind the other', () => {
  const frames = Array.from({ length: 200 }, (_, i) =>
    amsdu(datagram(1 + 3 * i), datagram(2 + 3 * i), datagram(3 + 3 * i)),
  );
  const engine = run(frames);
  assert.equal(
    streamed(engine),
    Array.from({ length: 600 }, (_, i) => i + 1),
  );
  const same = run(Array.from({ length: 10 }, () => amsdu(datagram(7), datagram(7))));
  assert.is(same.of('open').length, 1);
  assert.is(streamed(same).length, 20);
});

test('cut anywhere, packets before the cut are read and the one at the cut is counted', () => {
  const frame = amsdu(datagram(1), datagram(2), datagram(3));
  const each = 14 + datagram(1).length + 3 - ((13 + datagram(1).length) & 3);
  for (let length = 0; length < frame.length; length++) {
    const { frames, subframes, ...counters } = run([frame], {}, WIFI, length).counters();
    const reasons = Object.entries(counters).filter(([name]) => /^(not_ip|truncated|bad_)/.test(name));
    const lost = reasons.reduce((sum, [, count]) => sum + count, 0);
    assert.is(frames, 1);
    assert.is(counters.transport_packets + lost, 1 + subframes, `${length} bytes`);
    // A packet is read as soon as its headers are there: of the aggregate, LLC, IP and UDP.
    const read = Math.floor((length - 26 - 50) / each) + 1;
    assert.is(counters.transport_packets, Math.max(0, Math.min(3, read)), `${length} bytes`);
  }
});

test('the end of a packet in an aggregate bounds its headers', () => {
  // A total length that reaches into the next packet.
  const long = snapOf(make.udpDatagram({ sport: 1, dport: 53, payload: 'abcde', udpLength: 60 }));
  long[8 + 3] = 80;
  const engine = run([amsdu(long, datagram(2))]);
  assert.is(Buffer.from(engine.of('stream')[0]?.bytes ?? []).toString(), 'abcde');
  assert.is(engine.counters().malformed, 1);
  assert.is(engine.of('stream').length, 2);
});

test('protected frames, fragments, frames without data and management frames are counted, each by its reason', () => {
  const header = (control: number, flags: number, fragment = 0) =>
    concat(Uint8Array.of(control, flags), new Uint8Array(20), Uint8Array.of(fragment, 0), snap);
  for (const [reason, frame] of [
    ['encrypted_link', header(0x08, 0x41)],
    ['fragments', header(0x08, 0x05)],
    ['fragments', header(0x08, 0x01, 0x11)],
    ['not_ip', header(0x48, 0x01)],
    ['not_ip', header(0xc8, 0x01)],
    ['not_ip', header(0x80, 0)],
    ['not_ip', header(0xd4, 0)],
  ] as const) {
    const counters = run([frame]).counters();
    assert.is(counters[reason], 1, reason);
    assert.is(counters.transport_packets, 0);
  }
});

test('a frame whose check sequence the radio found wrong is left out where checksums are verified', () => {
  const radiotap = (flags: number) => concat(Uint8Array.of(0, 0, 9, 0, 2, 0, 0, 0, flags), dataFrame(0x08), snap);
  assert.is(run([radiotap(0x50)], {}, 127).of('open').length, 1);
  const config = { verify_checksums: true };
  const counters = run([radiotap(0x50)], { config }, 127).counters();
  assert.is(counters.bad_checksum, 1);
  assert.is(counters.transport_packets, 0);
  // In an aggregate it is so of each packet.
  const several = concat(Uint8Array.of(0, 0, 9, 0, 2, 0, 0, 0, 0x50), amsdu(datagram(1), datagram(2)));
  assert.is(run([several], { config }, 127).counters().bad_checksum, 2);
  assert.is(run([several], {}, 127).of('open').length, 2);
});

test('headers nested without end are refused', () => {
  // MPLS with a pseudowire in PPPoE in the Ethernet frame of a pseudowire, and so on.
  let inside = packet;
  for (let i = 0; i < 5000; i++) {
    inside = concat(u16(0x1100, 1, 0, 0x0281), Uint8Array.of(0, 0, 1, 64, 0, 0, 0, 0), make.ethernet(0x8864, inside));
    if (inside.length > 240_000) break;
  }
  const memoryNeeded = 1 << 19;
  const engine = createEngine({ memory: { ...memoryOf(memoryNeeded) } });
  engine.run([{ ts: T0, bytes: make.ethernet(0x8864, inside) }]);
  assert.is(engine.counters().not_ip, 1);
});

function memoryOf(packetBytes: number) {
  const bytes = new Uint8Array(packetBytes + 4096);
  return { bytes, view: new DataView(bytes.buffer), slabOffset: packetBytes, slabLength: 4096 };
}

test.run();
