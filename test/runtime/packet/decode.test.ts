import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { createDecoder } from '../../../runtime/packet/decode.ts';
import { createFragmentTable } from '../../../runtime/packet/fragments.ts';
import { Meta, type PacketMemory, Pkt } from '../../../runtime/packet/layout.ts';
import { type CounterName, createCounters, namedCounters } from '../../../runtime/stats/counters.ts';
import { LINKS, packet, TCP, V6 } from '../../support/encapsulations.ts';
import * as make from '../../support/frames.ts';
import { concat, u16, u32 } from '../../support/frames.ts';

const test = suite('decode');

interface Row {
  readonly l3: number;
  readonly l4: number;
  readonly payload: string;
  readonly paylen: number;
  readonly iplen: number;
  readonly src: number;
  readonly dst: number;
  readonly sport: number;
  readonly dport: number;
  readonly meta: number;
  readonly hash: number;
  readonly seq: number;
  readonly ack: number;
  readonly ethertype: number;
  readonly ts: number;
}

const SLAB = 1 << 18;

/** Frames at the very end of memory, so that a read behind them throws. Rows start as garbage. */
function decoder(seed = 7) {
  const counters = createCounters();
  const pkt = new Int32Array(2 * Pkt.STRIDE).fill(-1);
  const pktF = new Float64Array(pkt.buffer);
  const room = 1 << 17;
  const bytes = new Uint8Array(SLAB + room);
  const memory: PacketMemory = { bytes, view: new DataView(bytes.buffer), slabOffset: 0, slabLength: SLAB };
  const fragments = createFragmentTable(memory, pkt, pktF, counters, { offset: 0, bytes: SLAB });
  const decode = createDecoder(memory, pkt, { seed, counters, fragments });
  return {
    counters: () => namedCounters(counters),
    decode(frame: Uint8Array, options: { link?: number; wirelen?: number; ts?: number } = {}): Row {
      const at = bytes.length - frame.length;
      bytes.fill(0xa5, SLAB);
      bytes.set(frame, at);
      pkt.fill(-1, 0, Pkt.STRIDE);
      pkt[Pkt.OFFSET] = at;
      pkt[Pkt.CAPLEN] = frame.length;
      pkt[Pkt.WIRELEN] = options.wirelen ?? frame.length;
      pkt[Pkt.SEC] = options.ts ?? 1_700_000_000;
      pkt[Pkt.NSEC] = 500_000_000;
      pkt[Pkt.LINK] = (options.link ?? 1) | (3 << 16);
      decode(1);
      const start = pkt[Pkt.PAYLOAD];
      return {
        l3: pkt[Pkt.L3] && pkt[Pkt.L3] - at,
        l4: pkt[Pkt.L4] && pkt[Pkt.L4] - at,
        payload: Buffer.from(bytes.slice(start, start + pkt[Pkt.CAPPAY])).toString('latin1'),
        paylen: pkt[Pkt.PAYLEN],
        iplen: pkt[Pkt.IPLEN],
        src: pkt[Pkt.SRC],
        dst: pkt[Pkt.DST],
        sport: pkt[Pkt.PORTS] >>> 16,
        dport: pkt[Pkt.PORTS] & 0xffff,
        meta: pkt[Pkt.META],
        hash: pkt[Pkt.HASH],
        seq: pkt[Pkt.SEQ],
        ack: pkt[Pkt.ACK],
        ethertype: pkt[Pkt.ETHERTYPE] && pkt[Pkt.ETHERTYPE] - at,
        ts: pktF[Pkt.TS >> 1],
      };
    },
  };
}

function isHello(row: Row, proto = 6): void {
  assert.is(row.payload, 'hello');
  assert.is(row.paylen, 5);
  assert.is(row.sport, 1234);
  assert.is(row.dport, 80);
  assert.is(row.meta & Meta.PROTO_MASK, proto);
  assert.ok((row.meta & Meta.L4) !== 0 && (row.meta & Meta.IP) !== 0);
}

test('plain IPv4 TCP fills every word', () => {
  const row = decoder().decode(make.tcp(TCP));
  isHello(row);
  assert.is(row.l3, 14);
  assert.is(row.l4, 34);
  assert.is(row.iplen, 45);
  assert.is(row.src >>> 0, 0x0a000001);
  assert.is(row.dst >>> 0, 0x0a000002);
  assert.is(row.seq >>> 0, 0x90000001);
  assert.is(row.ack, 5);
  assert.is(row.meta >>> Meta.TCP_FLAGS_SHIFT, make.ACK | make.PSH);
  assert.is(row.ethertype, 12);
  assert.is(row.ts, 1_700_000_000.5);
  assert.is(row.meta & (Meta.IPV6 | Meta.FRAGMENT | Meta.MALFORMED | Meta.VLAN), 0);
});

test('padding of short frames is no payload', () => {
  const frame = concat(make.tcp({ ...TCP, payload: '' }), new Uint8Array(6));
  assert.is(decoder().decode(frame).paylen, 0);
  const udp = concat(make.udp({ payload: 'x' }), new Uint8Array(17));
  assert.is(decoder().decode(udp).payload, 'x');
});

test('a frame cut by the capture keeps its lengths by the headers', () => {
  const frame = make.tcp(TCP);
  const row = decoder().decode(frame.slice(0, 56), { wirelen: frame.length });
  assert.is(row.paylen, 5);
  assert.is(row.payload, 'he');
  assert.is(row.meta & Meta.MALFORMED, 0);
  const header = decoder().decode(frame.slice(0, 54), { wirelen: frame.length });
  assert.is(header.paylen, 5);
  assert.is(header.payload, '');
});

test('headers that promise more than the frame had are malformed', () => {
  const d = decoder();
  const row = d.decode(make.tcp({ ...TCP, length: 60 }));
  assert.is(row.paylen, 5);
  assert.is(row.payload, 'hello');
  assert.is(row.iplen, 60);
  assert.ok((row.meta & Meta.MALFORMED) !== 0);
  const cut = d.decode(make.tcp({ ...V6, ...TCP, length: 60 }).slice(0, 77), { wirelen: 78 });
  assert.is(cut.paylen, 4);
  assert.is(cut.payload, 'hel');
  const udp = d.decode(make.udp({ payload: 'hello', udpLength: 40 }));
  assert.is(udp.paylen, 5);
  assert.is(udp.payload, 'hello');
  assert.ok((udp.meta & Meta.MALFORMED) !== 0);
  assert.is(d.counters().malformed, 3);
});

test('total length 0 (segmentation offload) takes the frame length', () => {
  const row = decoder().decode(make.tcp({ ...TCP, length: 0 }));
  isHello(row);
  assert.is(row.iplen, 45);
  isHello(decoder().decode(make.tcp({ ...TCP, ...V6, length: 0 })));
});

test('IPv4 options and TCP options', () => {
  isHello(decoder().decode(make.tcp({ ...TCP, options: new Uint8Array(8).fill(1) })));
  isHello(decoder().decode(make.tcp({ ...TCP, tcpOptions: new Uint8Array(12).fill(1) })));
});

test('IPv6, plain and with each extension header', () => {
  const d = decoder();
  const plain = d.decode(make.tcp({ ...TCP, ...V6 }));
  isHello(plain);
  assert.ok((plain.meta & Meta.IPV6) !== 0);
  assert.is(plain.iplen, 65);
  const eight = (next: number) => concat(Uint8Array.of(next, 0), new Uint8Array(6));
  for (const type of [0, 43, 60, 135]) {
    const row = d.decode(make.tcp({ ...TCP, ...V6, firstExtension: type, options: eight(6) }));
    isHello(row);
    assert.is(row.hash, plain.hash);
  }
  const ah = concat(Uint8Array.of(6, 4), new Uint8Array(22));
  isHello(d.decode(make.tcp({ ...TCP, ...V6, firstExtension: 51, options: ah })));
  const atomic = concat(Uint8Array.of(6, 0), u16(0), u32(9));
  isHello(d.decode(make.tcp({ ...TCP, ...V6, firstExtension: 44, options: atomic })));
  const chain = concat(eight(43), eight(60), eight(6));
  isHello(d.decode(make.tcp({ ...TCP, ...V6, firstExtension: 0, options: chain })));
});

test('the hash is symmetric, seeded, and tells protocols apart', () => {
  for (const o of [TCP, { ...TCP, ...V6 }]) {
    const there = decoder().decode(make.tcp(o));
    const back = decoder().decode(make.tcp(make.back(o)));
    assert.is(there.hash, back.hash);
    assert.is.not(there.hash, decoder(8).decode(make.tcp(o)).hash);
    assert.is.not(there.hash, decoder().decode(make.tcp({ ...o, sport: 1235 })).hash);
    assert.is.not(there.hash, decoder().decode(make.udp(o)).hash);
    // Swapping the ports alone is another connection.
    assert.is.not(there.hash, decoder().decode(make.tcp({ ...o, sport: o.dport, dport: o.sport })).hash);
  }
});

for (const [name, link, frame] of LINKS) {
  test(`link layer: ${name}`, () => {
    const d = decoder();
    isHello(d.decode(frame, { link }));
    const tagged = /VLAN|QinQ/.test(name);
    const vlan = d.decode(frame, { link }).meta & Meta.VLAN;
    assert.is(vlan !== 0, tagged);
    // Cut anywhere before the TCP header's end, it is counted once and belongs to no connection.
    const whole = frame.length - 5;
    for (let length = 0; length < whole; length++) {
      const before = total(d.counters());
      const row = d.decode(frame.slice(0, length), { link, wirelen: frame.length });
      assert.is(row.meta & Meta.L4, 0, `${length} bytes`);
      assert.is(total(d.counters()), before + 1, `${length} bytes`);
    }
  });
}

test('behind authentication headers lies the transport, over IPv4, too', () => {
  const ah = Uint8Array.of(6, 4, ...new Array<number>(22).fill(0));
  const frame = make.ethernet(0x0800, make.ip(51, concat(ah, make.tcpSegment(TCP))));
  isHello(decoder().decode(frame));
});

const REASONS: readonly CounterName[] = [
  'truncated_link',
  'unknown_link_type',
  'not_ip',
  'encrypted_link',
  'truncated_ipv4',
  'bad_ipv4_header',
  'truncated_ipv6',
  'bad_ipv6_header',
  'truncated_tcp',
  'bad_tcp_header',
  'truncated_udp',
  'bad_udp_header',
  'other_transport',
  'fragments',
];

function total(counters: Record<CounterName, number>): number {
  return REASONS.reduce((sum, name) => sum + counters[name], 0);
}

test('what cannot be read is counted by reason', () => {
  const cases: [CounterName, Uint8Array, number?][] = [
    ['not_ip', make.ethernet(0x0806, new Uint8Array(28))],
    ['unknown_link_type', packet, 999],
    ['encrypted_link', concat(Uint8Array.of(0x08, 0x41), new Uint8Array(40)), 105],
    ['bad_ipv4_header', make.tcp({ length: 19 })],
    ['bad_ipv4_header', make.ethernet(0x0800, concat(Uint8Array.of(0x43), packet.slice(1)))],
    ['bad_ipv6_header', make.tcp({ ...V6, firstExtension: 0, length: 4 })],
    ['bad_tcp_header', make.tcp({ length: 30 })],
    ['bad_udp_header', make.udp({ udpLength: 7 })],
    ['other_transport', make.ethernet(0x0800, make.ip(1, new Uint8Array(8)))],
    ['other_transport', make.ethernet(0x86dd, make.ip(58, new Uint8Array(8), V6))],
    ['other_transport', make.ethernet(0x86dd, make.ip(59, new Uint8Array(0), V6))],
  ];
  for (const [reason, frame, link] of cases) {
    const d = decoder();
    const row = d.decode(frame, { link });
    assert.is(d.counters()[reason], 1, reason);
    assert.is(total(d.counters()), 1);
    assert.is(row.meta & Meta.L4, 0);
  }
});

test('UDP length 0 means the IP length', () => {
  isHello(decoder().decode(make.udp({ ...TCP, udpLength: 0 })), 17);
});

/** Fragments of an IP packet's payload, each `size` bytes. */
function fragmentsOf(proto: number, payload: Uint8Array, size: number, v6: boolean, id = 77): Uint8Array[] {
  const out: Uint8Array[] = [];
  for (let from = 0; from < payload.length; from += size) {
    const part = payload.slice(from, from + size);
    const more = from + size < payload.length;
    if (v6) {
      const header = concat(Uint8Array.of(proto, 0), u16(from | (more ? 1 : 0)), u32(id));
      out.push(make.ethernet(0x86dd, make.ip(proto, part, { ...V6, firstExtension: 44, options: header })));
    } else {
      out.push(make.ethernet(0x0800, make.ip(proto, part, { id, fragment: (from >> 3) | (more ? 0x2000 : 0) })));
    }
  }
  return out;
}

test('fragments in any order and repeated give the datagram once, with its whole length', () => {
  const text = 'hello'.repeat(100);
  fc.assert(
    fc.property(
      fc.boolean(),
      fc.integer({ min: 1, max: 20 }),
      fc.array(fc.nat(1000), { minLength: 80, maxLength: 80 }),
      fc.integer({ min: 0, max: 10 }),
      (v6, eights, order, repeats) => {
        const d = decoder();
        const datagram = make.udpDatagram({ ...TCP, payload: text });
        const parts = fragmentsOf(17, datagram, eights * 8, v6);
        const shuffled = parts
          .map((part, i) => ({ part, key: order[i] ?? 0 }))
          .sort((a, b) => a.key - b.key)
          .map(({ part }) => part);
        const sent = [...shuffled.slice(0, Math.min(repeats, shuffled.length - 1)), ...shuffled];
        const rows = sent.map((part) => d.decode(part));
        const whole = rows.filter((row) => (row.meta & Meta.L4) !== 0);
        assert.is(whole.length, 1);
        assert.is(whole[0]?.payload, text);
        assert.is(whole[0]?.iplen, datagram.length + (v6 ? 40 : 20));
        assert.is(whole[0]?.sport, 1234);
        assert.is(d.counters().datagrams_reassembled, 1);
      },
    ),
    { numRuns: 200 },
  );
});

test('IPv6 fragments of a datagram whose fragmentable part begins with an extension header', () => {
  const d = decoder();
  const options = Uint8Array.of(17, 0, 1, 4, 0, 0, 0, 0);
  const payload = concat(options, make.udpDatagram({ ...TCP, payload: 'hello' }));
  const rows = fragmentsOf(60, payload, 16, true).map((part) => d.decode(part));
  assert.is(rows.length, 2);
  const whole = rows.at(-1) as Row;
  isHello(whole, 17);
  assert.is(whole.iplen, 40 + payload.length);
});

test('the first copy of a fragment wins', () => {
  const d = decoder();
  const [a, b] = fragmentsOf(17, make.udpDatagram({ ...TCP, payload: '01234567abcdefgh' }), 16, false);
  const [, fake] = fragmentsOf(17, make.udpDatagram({ ...TCP, payload: '01234567XXXXXXXX' }), 16, false);
  assert.ok(a && b && fake);
  d.decode(b);
  d.decode(fake);
  assert.is(d.decode(a).payload, '01234567abcdefgh');
});

test('fragments that overlap in part refuse their datagram, until it is forgotten', () => {
  for (const v6 of [false, true]) {
    const d = decoder();
    const payload = make.udpDatagram({ ...TCP, payload: 'x'.repeat(56) });
    const [a, b, c] = fragmentsOf(17, payload, 24, v6);
    const [wide] = fragmentsOf(17, payload, 32, v6);
    assert.ok(a && b && c && wide);
    for (const part of [a, wide, b, c]) assert.is(d.decode(part).meta & Meta.L4, 0);
    assert.is(d.counters().fragments_dropped, 3);
    assert.is(d.counters().datagrams_timed_out, 0);
    // The same identification later is another datagram.
    const ts = 1_700_000_031;
    const rows = [a, b, c].map((part) => d.decode(part, { ts }));
    assert.is(rows.at(-1)?.payload, 'x'.repeat(56));
    assert.is(d.counters().fragments_dropped, 3);
  }
});

test('fragments cut by the capture give a datagram with its lengths by the headers, captured as far as none is cut', () => {
  const text = 'abcdefgh'.repeat(6);
  for (const v6 of [false, true]) {
    const d = decoder();
    const parts = fragmentsOf(17, make.udpDatagram({ ...TCP, payload: text }), 24, v6);
    const rows = parts.map((part, i) =>
      d.decode(i === 1 ? part.slice(0, part.length - 10) : part, { wirelen: part.length }),
    );
    const whole = rows.at(-1) as Row;
    assert.ok((whole.meta & Meta.L4) !== 0);
    assert.is(whole.paylen, text.length);
    assert.is(whole.payload, text.slice(0, 40 - 10));
    assert.is(d.counters().fragments_dropped, 0);
  }
});

test('incomplete datagrams time out, and hostile fragments change nothing', () => {
  const d = decoder();
  const [a, b] = fragmentsOf(17, make.udpDatagram({ ...TCP, payload: 'x'.repeat(40) }), 24, false);
  assert.ok(a && b);
  d.decode(a);
  assert.is(d.decode(b, { ts: 1_700_000_031 }).meta & Meta.L4, 0);
  assert.is(d.counters().datagrams_timed_out, 1);
  // Ping of death: reaches beyond 65535 bytes.
  const far = make.ethernet(0x0800, make.ip(17, new Uint8Array(800), { id: 5, fragment: 0x1fff }));
  assert.is(d.decode(far).meta & Meta.L4, 0);
  // Not a multiple of eight with more to come.
  const odd = make.ethernet(0x0800, make.ip(17, new Uint8Array(13), { id: 6, fragment: 0x2000 }));
  assert.is(d.decode(odd).meta & Meta.L4, 0);
  assert.is(d.counters().fragments_dropped, 2);
  // A flood of first fragments takes no more than its share of the slab.
  for (let id = 100; id < 400; id++) {
    d.decode(make.ethernet(0x0800, make.ip(17, new Uint8Array(16), { id, fragment: 0x2000 })));
  }
  const [c, e] = fragmentsOf(17, make.udpDatagram({ ...TCP, payload: 'x'.repeat(40) }), 24, false, 78);
  assert.ok(c && e);
  d.decode(c);
  assert.is(d.decode(e).payload, 'x'.repeat(40));
});

test('arbitrary and damaged frames: never throws, never reads outside, counts each once', () => {
  const links = fc.constantFrom(0, 1, 9, 12, 101, 105, 108, 113, 127, 228, 229, 276, 42);
  const valid = fc.constantFrom(
    make.tcp(TCP),
    make.tcp({ ...TCP, ...V6 }),
    make.udp(TCP),
    ...LINKS.map(([, , frame]) => frame),
    ...fragmentsOf(17, make.udpDatagram(TCP), 8, false),
    ...fragmentsOf(17, make.udpDatagram(TCP), 8, true),
  );
  const damaged = fc
    .tuple(valid, fc.array(fc.tuple(fc.nat(80), fc.nat(255)), { maxLength: 6 }), fc.nat(90))
    .map(([frame, changes, cut]) => {
      const out = frame.slice(0, Math.max(0, frame.length - (cut > 60 ? cut - 60 : 0)));
      for (const [at, value] of changes) if (at < out.length) out[at] = value;
      return out;
    });
  const d = decoder();
  fc.assert(
    fc.property(links, fc.oneof(fc.uint8Array({ maxLength: 200 }), damaged), fc.nat(40), (link, frame, extra) => {
      const before = d.counters();
      const row = d.decode(frame, { link, wirelen: frame.length + extra });
      const after = d.counters();
      const counted = total(after) - total(before);
      if ((row.meta & Meta.L4) !== 0) {
        assert.is(counted, 0);
        assert.ok(row.paylen >= 0 && row.payload.length <= row.paylen);
      } else {
        assert.is(counted, 1);
        assert.is(row.paylen, 0);
      }
    }),
    { numRuns: 20_000 },
  );
});

test.run();
