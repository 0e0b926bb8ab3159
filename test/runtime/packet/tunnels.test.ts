/** Tunnels on hand-made frames: each kind, inside each other, in fragments, cut off, malformed, and where they are not asked for. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { DECAP_ALL, DECAP_DEFAULTS, type DecapConfig } from '../../../runtime/packet/decap-config.ts';
import { Meta, Pkt } from '../../../runtime/packet/layout.ts';
import {
  FLOW,
  FRAME,
  geneve,
  gre,
  gtp,
  INSIDE,
  outer,
  overUdp,
  PACKET,
  PACKET6,
  TUNNELS,
  teredo,
  vxlan,
} from '../../support/encapsulations.ts';
import { createEngine, type Engine, streamOf } from '../../support/engine.ts';
import * as make from '../../support/frames.ts';
import { concat, u16, u32 } from '../../support/frames.ts';

const test = suite('tunnels');
const T0 = 1_700_000_000;

function engineWith(decap: DecapConfig): Engine {
  return createEngine({ decap });
}

/** Runs one frame; returns the engine. */
function runFrame(bytes: Uint8Array, decap = DECAP_ALL): Engine {
  const engine = engineWith(decap);
  engine.run([{ ts: T0, bytes }]);
  return engine;
}

for (const [name, frame, inside] of TUNNELS) {
  test(name, () => {
    const engine = runFrame(frame);
    const { pkt } = engine.core;
    assert.equal(
      engine.of('open').map((t) => t.conn),
      [inside],
    );
    assert.is(Buffer.from(streamOf(engine.told, true)).toString(), 'hello');
    assert.is(pkt[Pkt.IPLEN], inside === INSIDE ? PACKET.length : PACKET6.length);
    assert.is(pkt[Pkt.META] & (Meta.VLAN | Meta.MALFORMED), 0);
    assert.is(pkt[Pkt.ETHERTYPE] - pkt[Pkt.OFFSET], 12);
    const counters = engine.counters();
    assert.is(counters.decapsulated, 1);
    assert.is(counters.other_transport, 0);
  });

  test(`${name}: closed unless asked for`, () => {
    const engine = runFrame(frame, DECAP_DEFAULTS);
    const conns = engine.of('open').map((t) => t.conn);
    assert.not(conns.includes(inside));
    assert.is(conns.length + engine.counters().other_transport, 1);
    assert.is(engine.counters().decapsulated, 0);
  });

  test(`${name}: cut at every byte`, () => {
    for (let length = 14; length < frame.length; length++) {
      const engine = engineWith(DECAP_ALL);
      engine.run([{ ts: T0, bytes: frame.slice(0, length), wirelen: frame.length }]);
      const { frames: _, ...counts } = engine.counters();
      const conns = engine.of('open').length;
      const reasons = Object.entries(counts).filter(([reason]) => /^(not_ip|truncated|bad_|other_tr)/.test(reason));
      const lost = reasons.reduce((sum, [, count]) => sum + count, 0);
      assert.is(conns + lost, 1, `${length} bytes: ${JSON.stringify(counts)}`);
    }
  });
}

test('tunnels inside each other, as deep as asked for', () => {
  const twice = outer(47, gre(0, 0x0800, make.ip(4, PACKET)));
  assert.is(runFrame(twice).of('open')[0]?.conn, INSIDE);
  assert.is(runFrame(twice).counters().decapsulated, 2);
  const shallow = runFrame(twice, { ...DECAP_ALL, max_depth: 1 }).counters();
  assert.is(shallow.decapsulated, 1);
  assert.is(shallow.tunnels_too_deep, 1);
  assert.is(shallow.other_transport, 1);
  const inUdp = make.ip(
    17,
    make.udpDatagram({ sport: 9, dport: 2152, payload: concat(u16(0x30ff, 0), u32(1), PACKET) }),
  );
  const mixed = runFrame(vxlan(make.ethernet(0x0800, inUdp)));
  assert.is(mixed.of('open')[0]?.conn, INSIDE);
  let nested = PACKET;
  for (let i = 0; i < 60; i++) nested = make.ip(4, nested);
  assert.is(runFrame(make.ethernet(0x0800, nested)).counters().tunnels_too_deep, 1);
});

test('fragments outside and inside', () => {
  const big = 'x'.repeat(64);
  const datagram = make.udpDatagram({ ...FLOW, payload: big });
  const inner = [
    make.ip(17, datagram.slice(0, 40), { ...FLOW, fragment: 0x2000, id: 3 }),
    make.ip(17, datagram.slice(40), { ...FLOW, fragment: 5, id: 3 }),
  ];
  const whole = gre(0, 0x0800, make.ip(17, datagram, FLOW));
  const cut = [
    make.ethernet(0x0800, make.ip(47, whole.slice(0, 48), { fragment: 0x2000, id: 4 })),
    make.ethernet(0x0800, make.ip(47, whole.slice(48), { fragment: 6, id: 4 })),
  ];
  for (const frames of [inner.map((packet) => outer(47, gre(0, 0x0800, packet))), cut]) {
    const engine = engineWith(DECAP_ALL);
    engine.run(frames.map((bytes) => ({ ts: T0, bytes })));
    assert.equal(
      engine.of('open').map((t) => t.conn),
      [INSIDE],
    );
    assert.is(Buffer.from(streamOf(engine.told, true)).toString(), big);
    assert.is(engine.core.pkt[Pkt.STRIDE + Pkt.IPLEN], datagram.length + 20);
    assert.is(engine.counters().fragments, 1);
  }
  // Both at once: the last outer fragment completes the last inner one.
  const engine = engineWith(DECAP_ALL);
  const frames = inner.flatMap((packet, i) => {
    const tunnel = gre(0, 0x0800, packet);
    return [
      make.ethernet(0x0800, make.ip(47, tunnel.slice(0, 24), { fragment: 0x2000, id: 10 + i })),
      make.ethernet(0x0800, make.ip(47, tunnel.slice(24), { fragment: 3, id: 10 + i })),
    ];
  });
  engine.run(frames.map((bytes) => ({ ts: T0, bytes })));
  assert.is(Buffer.from(streamOf(engine.told, true)).toString(), big);
});

test('what is no tunnel after all stays the connection outside', () => {
  const cases: readonly (readonly [Uint8Array, string])[] = [
    [overUdp(4789, Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0)), 'tunnels_malformed'],
    [overUdp(4789, Uint8Array.of(8, 0, 0)), 'tunnels_truncated'],
    [vxlan(make.ethernet(0x0806, new Uint8Array(28))), 'tunnels_unread'],
    [geneve(0x0800, 0, new Uint8Array(40)), 'tunnels_malformed'],
    [overUdp(6081, concat(u16(0x0080, 0x0800), u32(0), PACKET)), 'tunnels_unread'],
    [overUdp(6081, concat(u16(0x4000, 0x0800), u32(0), PACKET)), 'tunnels_malformed'],
    [overUdp(2152, concat(u16(0x3001, 4), u32(0), PACKET)), 'tunnels_unread'],
    [gtp(0x34, u32(0x85), Uint8Array.of(0, 0, 0, 0), PACKET), 'tunnels_malformed'],
    [gtp(0x30, new Uint8Array(40)), 'tunnels_unread'],
    [teredo(PACKET), 'tunnels_malformed'],
    [overUdp(53, FRAME), ''],
    [make.udp({ sport: 4789, dport: 53, payload: concat(u32(0x08000000, 0), FRAME) }), ''],
  ];
  for (const [frame, reason] of cases) {
    const engine = runFrame(frame);
    const counters = engine.counters() as Record<string, number>;
    const ports = `:${(frame[36] << 8) | frame[37]}`;
    assert.ok(engine.of('open')[0]?.conn.endsWith(ports), `${reason} ${ports}`);
    assert.is(counters.decapsulated, 0);
    if (reason !== '') assert.is(counters[reason], 1, `${reason}: ${JSON.stringify(counters)}`);
    assert.is(counters.not_ip + counters.bad_ipv4_header + counters.bad_ipv6_header + counters.truncated_link, 0);
  }
  for (const [frame, reason] of [
    [outer(47, gre(0x4000, 0x0800, u32(0), PACKET)), 'tunnels_unread'],
    [outer(47, gre(0x2001, 0x880b, u32(0))), 'tunnels_unread'],
    [outer(47, gre(0, 0x0800, u32(0x45000014))), 'tunnels_truncated'],
    [outer(4, PACKET6), 'tunnels_malformed'],
  ] as const) {
    const counters = runFrame(frame).counters();
    assert.is(counters[reason], 1, reason);
    assert.is(counters.other_transport, 1);
  }
});

test('what is inside is bounded by the tunnel, not by the frame', () => {
  const short = make.ip(17, make.udpDatagram({ ...FLOW, payload: 'hello' }), { ...FLOW, length: 60 });
  const padded = make.ethernet(0x0800, make.ip(47, gre(0, 0x0800, short)), 40);
  const engine = runFrame(padded);
  assert.is(engine.core.pkt[Pkt.PAYLEN], 5);
  assert.is(engine.counters().malformed, 1);
});

test('ICMP inside belongs to no connection', () => {
  const engine = runFrame(vxlan(make.ethernet(0x0800, make.ip(1, new Uint8Array(8), FLOW))));
  assert.is(engine.of('open').length, 0);
  assert.is(engine.counters().other_transport, 1);
});

test('ports as configured', () => {
  const frame = overUdp(9999, concat(u32(0x08000000, 0), FRAME));
  const { of } = runFrame(frame, { ...DECAP_DEFAULTS, vxlan: true, vxlan_ports: [9999] });
  assert.is(of('open')[0]?.conn, INSIDE);
});

test.run();
