/** IEEE 802.11: aggregates of packets, and the frames that are counted instead of read. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { DECAP_ALL } from '../../../runtime/packet/decap-config.ts';
import { aggregate, dataFrame, packet, snap, snapOf, wifiFragments } from '../../support/encapsulations.ts';
import { createEngine, type Engine, type EngineOptions, packetMemory } from '../../support/engine.ts';
import * as make from '../../support/frames.ts';
import { concat, u16 } from '../../support/frames.ts';

const test = suite('802.11');
const T0 = 1_700_000_000;
const WIFI = 105;

/** A UDP datagram of 5 bytes from port `sport`. */
const datagram = (sport: number) => snapOf(make.udpDatagram({ sport, dport: 53, payload: `${sport}`.padEnd(5) }));
const ARP = concat(Uint8Array.of(0xaa, 0xaa, 3, 0, 0, 0), u16(0x0806), new Uint8Array(28));
const amsdu = (...packets: readonly Uint8Array[]) => concat(dataFrame(0x88, 0x80), aggregate(...packets));

/** A datagram whose total length reaches beyond its end. */
const promising = snapOf(make.udpDatagram({ sport: 1, dport: 53, payload: 'abcde', udpLength: 60 }));
promising[8 + 3] = 80;

/** A slab of which a quarter, as much as fragments get, has room for 802.11 fragments. */
const roomy = () => packetMemory(1 << 19, 1 << 21);

function run(frames: readonly Uint8Array[], options: EngineOptions = {}, link = WIFI, cut?: number): Engine {
  const engine = createEngine({ memory: roomy(), ...options, config: { init_data: true, ...options.config } });
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

test('so are those of an aggregate in a tunnel, unless the datagram around it came in fragments', () => {
  const inside = concat(make.u32(0x00100300, 0), amsdu(datagram(1), datagram(2), datagram(3)));
  const around = make.udpDatagram({ sport: 5246, dport: 5247, payload: inside });
  const fragments = [
    make.ip(17, around.slice(0, 64), { id: 7, fragment: 0x2000 }),
    make.ip(17, around.slice(64), { id: 7, fragment: 8 }),
  ];
  const tunnelled = make.ethernet(0x0800, make.ip(17, around));
  for (const [frames, ports, subframes] of [
    [[tunnelled, tunnelled], [1, 2, 3, 1, 2, 3], 4],
    [fragments.map((packet) => make.ethernet(0x0800, packet)), [1], 0],
  ] as const) {
    const engine = run(frames, { decap: DECAP_ALL }, 1);
    assert.equal(streamed(engine), ports);
    assert.is(engine.counters().subframes, subframes);
  }
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
  const engine = run([amsdu(promising, datagram(2))]);
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

test('fragments of any size are put together, with or without QoS, check sequence and a radio in front', () => {
  const body = datagram(12345);
  for (let size = Math.ceil(body.length / 16); size < body.length; size++) {
    const count = Math.ceil(body.length / size);
    const radiotap = Uint8Array.of(0, 0, 9, 0, 2, 0, 0, 0, 0x10);
    for (const [frames, link] of [
      [wifiFragments(body, size), WIFI],
      [wifiFragments(body, size, { tid: 5 }), WIFI],
      [wifiFragments(body, size, { tid: 5, before: radiotap, behind: Uint8Array.of(1, 2, 3, 4) }), 127],
    ] as const) {
      const engine = run(frames, {}, link);
      assert.equal(streamed(engine), [12345]);
      const counters = engine.counters();
      assert.is(counters.fragments, count - 1);
      assert.is(counters.datagrams_reassembled, 1);
      assert.is(counters.fragments_dropped + counters.malformed, 0);
    }
  }
});

test('fragments of several senders, kinds of traffic and sequence numbers do not mix; what was sent again is passed over', () => {
  const of = (port: number, options: Parameters<typeof wifiFragments>[2]) => wifiFragments(datagram(port), 20, options);
  const rounds = [
    of(1, { sender: 2 }),
    of(2, { sender: 4 }),
    of(3, { sender: 2, sequence: 101 }),
    of(4, { sender: 2, tid: 3 }),
    of(5, { sender: 2, tid: 4 }),
  ];
  const again = of(1, { sender: 2, retry: true });
  const mixed = (rounds[0] ?? []).flatMap((_, i) => [
    ...rounds.map((frames) => frames[i] as Uint8Array),
    // All but the last, which would come behind the whole frame.
    ...(i < again.length - 1 ? [again[i] as Uint8Array] : []),
  ]);
  const engine = run(mixed);
  assert.equal(streamed(engine), [1, 2, 3, 4, 5]);
  assert.is(engine.counters().datagrams_reassembled, 5);
  assert.is(engine.counters().fragments_dropped, 0);
});

test('a frame that lacks a fragment, or has a broken or cut one, is given up, and the next is read', () => {
  const [first, second, third] = wifiFragments(datagram(1), 20) as [Uint8Array, Uint8Array, Uint8Array];
  const whole = wifiFragments(datagram(2), 20, { sequence: 101 });
  for (const frames of [[first, third], [second, third], [third]]) {
    const engine = run([...frames, ...whole]);
    assert.equal(streamed(engine), [2]);
    assert.is(engine.counters().fragments, frames.length + whole.length - 1);
    assert.is(engine.counters().datagrams_reassembled, 1);
  }
  const cut = createEngine({ memory: roomy(), config: { init_data: true } });
  cut.run([first, second, third].map((bytes) => ({ ts: T0, bytes, link: WIFI, wirelen: bytes.length + 1 })));
  assert.is(cut.counters().fragments, 3);
  assert.is(cut.of('stream').length, 0);
  // Received wrong, and then right.
  const radio = (flags: number) => ({ before: Uint8Array.of(0, 0, 9, 0, 2, 0, 0, 0, flags) });
  const [good = [], bad = []] = [radio(0), radio(0x40)].map((options) => wifiFragments(datagram(3), 30, options));
  assert.equal(streamed(run([bad[0], good[0], bad[1], good[1]] as Uint8Array[], {}, 127)), [3]);
});

test('frames that never become whole cost no memory and are forgotten; their numbers come round again', () => {
  const [first, second, third] = wifiFragments(datagram(1), 20) as [Uint8Array, Uint8Array, Uint8Array];
  const engine = createEngine({ memory: roomy(), config: { init_data: true } });
  const at = (ts: number, bytes: Uint8Array) => ({ ts, bytes, link: WIFI });
  engine.run([at(T0, first), at(T0 + 2, second), at(T0 + 2, third)]);
  assert.is(engine.of('stream').length, 0);
  assert.is(engine.counters().datagrams_timed_out, 1);
  const many = Array.from({ length: 500 }, (_, i) => wifiFragments(datagram(9), 30, { sequence: i })[0] as Uint8Array);
  const flooded = run([...many, ...wifiFragments(datagram(4), 30, { sequence: 7 })]);
  assert.equal(streamed(flooded), [4]);
  // The same number, before the first was whole.
  const anew = run([first, second, ...wifiFragments(datagram(5), 20)]);
  assert.equal(streamed(anew), [5]);
  assert.equal([anew.counters().datagrams_timed_out, anew.counters().fragments_dropped], [1, 0]);
  // One that is longer than any frame.
  assert.is(run(wifiFragments(new Uint8Array(8000), 500)).counters().datagrams_reassembled, 0);
});

test('aggregates and fragments in one burst do not disturb each other', () => {
  const engine = run([
    amsdu(datagram(1), datagram(2)),
    ...wifiFragments(datagram(3), 20),
    amsdu(datagram(4)),
    make.udp(),
  ]);
  assert.equal(streamed(engine).filter(Boolean), [1, 2, 3, 4]);
  // The later packets of an aggregate are read when all frames of the burst have been.
  const bounded = run([amsdu(datagram(1), promising), ...wifiFragments(datagram(3), 20)]);
  assert.is(bounded.counters().malformed, 1);
  assert.is(Buffer.from(bounded.of('stream').at(1)?.bytes ?? []).toString(), 'abcde');
});

test('one burst completes as many fragmented frames as there is room for; a tunnel with fragments stays closed', () => {
  const frames = Array.from({ length: 40 }, (_, i) => wifiFragments(datagram(1 + i), 40, { sequence: i })).flat();
  const ports = streamed(run(frames));
  // What a burst completes keeps its place until the burst is over.
  assert.ok(ports.length >= 16 && ports.length < 40, `${ports.length}`);
  assert.equal(
    ports.slice(0, 16),
    Array.from({ length: 16 }, (_, i) => 1 + i),
  );
  const slow = createEngine({ memory: roomy(), config: { init_data: true } });
  for (const bytes of frames) slow.run([{ ts: T0, bytes, link: WIFI }]);
  assert.is(slow.of('stream').length, 40);
  const capwap = (frame: Uint8Array) =>
    make.udp({ sport: 5246, dport: 5247, payload: concat(make.u32(0x00100300, 0), frame) });
  const engine = createEngine({ memory: roomy(), decap: DECAP_ALL, config: { init_data: true } });
  engine.run(wifiFragments(datagram(1), 20).map((bytes) => ({ ts: T0, bytes: capwap(bytes) })));
  const counters = engine.counters();
  assert.equal([counters.tunnels_unread, counters.datagrams_reassembled], [3, 0]);
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
