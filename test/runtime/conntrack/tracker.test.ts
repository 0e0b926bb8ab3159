import fc from 'fast-check';
/** Connections from their first packet to their end: opening, TCP states, timeouts, reuse, a full table. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { ConnTrackConfig } from '../../../runtime/conntrack/config.ts';
import { Action } from '../../../runtime/conntrack/layout.ts';
import { createEngine, type Engine, type EngineOptions, type Frame } from '../../support/engine.ts';
import * as make from '../../support/frames.ts';
import { ACK, FIN, RST, SYN, type TcpOptions } from '../../support/frames.ts';

const test = suite('connection tracker');
const T0 = 1_700_000_000;

/** A conversation over one five-tuple: `there` from the client, `here` from the server, a tenth of a second apart. */
function talk(base: TcpOptions = {}) {
  let ts = T0;
  const frames: Frame[] = [];
  const say = (o: TcpOptions) => {
    frames.push({ ts, bytes: make.tcp(o) });
    ts = Math.round((ts + 0.1) * 10) / 10;
    return conversation;
  };
  const conversation = {
    frames,
    there: (flags: number, seq: number, ack = 0, payload = '') => say({ ...base, flags, seq, ack, payload }),
    here: (flags: number, seq: number, ack = 0, payload = '') => say({ ...make.back(base), flags, seq, ack, payload }),
    wait(seconds: number) {
      ts += seconds;
      return conversation;
    },
    /** SYN, SYN-ACK, ACK with initial sequence numbers 100 and 500. */
    open: () =>
      conversation
        .there(SYN, 100)
        .here(SYN | ACK, 500, 101)
        .there(ACK, 101, 501),
  };
  return conversation;
}

function run(frames: readonly Frame[], config: Partial<ConnTrackConfig> = {}, more: EngineOptions = {}): Engine {
  const engine = createEngine({ config, actions: Action.UPDATE | Action.TRACK | Action.HANDSHAKE, ...more });
  engine.run(frames, 3);
  return engine;
}

const ends = (engine: Engine) => engine.of('end').map((t) => t.reason);
const CLIENT = 'tcp 10.0.0.1:40000 -> 10.0.0.2:443';

test('a whole connection, closed by both sides', () => {
  const c = talk().open().there(ACK, 101, 501, 'hello').here(ACK, 501, 106, 'hi');
  c.there(FIN | ACK, 106, 503)
    .here(FIN | ACK, 503, 107)
    .there(ACK, 107, 504);
  const engine = run(c.frames);
  assert.equal(
    engine.told.map((t) => t.what),
    ['open', 'handshake', 'end', 'clear'],
  );
  const [end] = engine.of('end');
  assert.is(end?.reason, 'fin');
  assert.is(end?.conn, CLIENT);
  assert.is(end?.record?.history, 'ShADdaFf'.replace('a', ''));
  assert.is(end?.record?.orig.packets, 5);
  assert.is(end?.record?.resp.packets, 3);
  assert.is(end?.record?.orig.payload_bytes, 5);
  assert.is(end?.record?.orig.bytes, 5 * 40 + 5);
  assert.is(end?.at.toFixed(1), (T0 + 0.7).toFixed(1));
});

test('the handshake is told once, at the ACK that completes it', () => {
  const c = talk().open().there(ACK, 101, 501).here(ACK, 501, 101);
  const engine = run(c.frames);
  assert.equal(
    engine.of('handshake').map((t) => t.at.toFixed(1)),
    [(T0 + 0.2).toFixed(1)],
  );
  // With data in the third packet; not before it, and not without a SYN-ACK.
  assert.is(
    run(
      talk()
        .there(SYN, 1)
        .here(SYN | ACK, 9, 2)
        .there(ACK, 2, 10, 'x').frames,
    ).of('handshake').length,
    1,
  );
  assert.is(run(talk().there(SYN, 1).there(ACK, 2, 10).frames).of('handshake').length, 0);
  assert.is(
    run(
      talk()
        .there(SYN, 1)
        .here(SYN | ACK, 9, 2)
        .there(ACK, 2, 9).frames,
    ).of('handshake').length,
    0,
  );
});

test('half close: one side goes on after the other has finished', () => {
  const c = talk()
    .open()
    .there(FIN | ACK, 101, 501)
    .here(ACK, 501, 102);
  c.here(ACK, 501, 102, 'more').there(ACK, 102, 505);
  const engine = run(c.frames);
  assert.equal(ends(engine), []);
  engine.run(
    talk()
      .here(FIN | ACK, 505, 102)
      .there(ACK, 102, 506).frames,
  );
  assert.equal(ends(engine), ['fin']);
});

test('both close at once', () => {
  const c = talk()
    .open()
    .there(FIN | ACK, 101, 501)
    .here(FIN | ACK, 501, 101)
    .there(ACK, 102, 502)
    .here(ACK, 502, 102);
  assert.equal(ends(run(c.frames)), ['fin']);
});

test('a FIN with data is acknowledged behind its data', () => {
  const c = talk()
    .open()
    .there(FIN | ACK, 101, 501, 'bye')
    .here(FIN | ACK, 501, 104)
    .there(ACK, 105, 502);
  const engine = run(c.frames);
  assert.equal(ends(engine), [], 'the acknowledgement of the data alone does not close');
  engine.run(talk().here(ACK, 502, 105).frames);
  assert.equal(ends(engine), ['fin']);
});

test('simultaneous open and split handshake are one connection with a handshake', () => {
  const both = talk()
    .there(SYN, 100)
    .here(SYN, 500)
    .there(SYN | ACK, 100, 501)
    .here(SYN | ACK, 500, 101);
  const split = talk()
    .there(SYN, 100)
    .here(ACK, 500, 101)
    .here(SYN, 500)
    .there(SYN | ACK, 100, 501)
    .here(ACK, 501, 101);
  for (const c of [both, split]) {
    const engine = run(c.there(ACK, 101, 501, 'x').frames);
    assert.is(engine.of('open').length, 1);
    assert.is(engine.of('handshake').length, 1);
    assert.is(engine.of('open')[0]?.conn, CLIENT);
  }
});

test('RST ends at once, from either side, whatever came before', () => {
  assert.equal(
    ends(
      run(
        talk()
          .there(SYN, 100)
          .here(RST | ACK, 0, 101).frames,
      ),
    ),
    ['rst'],
  );
  assert.equal(ends(run(talk().open().there(RST, 101).frames)), ['rst']);
});

test('late packets of an ended connection neither reopen nor prolong it', () => {
  const c = talk()
    .open()
    .here(RST, 501)
    .there(ACK, 101, 501, 'late')
    .there(FIN | ACK, 105, 501);
  const engine = run(c.frames, { init_data: true, init_fin: true });
  assert.is(engine.of('open').length, 1);
  assert.is(engine.counters().late_packets, 2);
});

test('a SYN with a new number on a closed tuple opens anew; the same number does not', () => {
  const closed = () =>
    talk()
      .open()
      .there(FIN | ACK, 101, 501)
      .here(FIN | ACK, 501, 102)
      .there(ACK, 102, 502);
  assert.is(run(closed().there(SYN, 7000).frames).of('open').length, 2);
  assert.is(run(closed().there(SYN, 100).frames).of('open').length, 1, 'a copy of the first SYN');
  const reset = () => talk().open().here(RST, 501);
  assert.is(run(reset().there(SYN, 7000).frames).of('open').length, 2);
  assert.is(run(reset().there(SYN, 100).frames).of('open').length, 1);
  // Refused, a client may try again with the same number.
  assert.is(
    run(
      talk()
        .there(SYN, 100)
        .here(RST | ACK, 0, 101)
        .there(SYN, 100).frames,
    ).of('open').length,
    2,
  );
  // The other end may call back.
  const back = run(closed().here(SYN, 9000).frames);
  assert.is(back.of('open')[1]?.conn, 'tcp 10.0.0.2:443 -> 10.0.0.1:40000');
});

test('a SYN with a new number on an open tuple: a retry, unless it was silent for long', () => {
  assert.is(run(talk().open().there(SYN, 7000).frames).of('open').length, 1);
  const engine = run(talk().open().wait(61).there(SYN, 7000).frames);
  assert.is(engine.of('open').length, 2);
  assert.equal(ends(engine), ['reused']);
  assert.is(run(talk().open().wait(61).there(SYN, 100).frames).of('open').length, 1);
});

test('opening in the middle is as configured', () => {
  const cases: [keyof ConnTrackConfig, Frame[]][] = [
    ['init_synack', talk().here(SYN | ACK, 500, 101).frames],
    ['init_fin', talk().there(FIN | ACK, 100, 500).frames],
    ['init_rst', talk().there(RST, 100).frames],
    ['init_data', talk().there(ACK, 100, 500, 'x').frames],
  ];
  for (const [key, frames] of cases) {
    assert.is(run(frames).of('open').length, 0, `${key} off`);
    assert.is(run(frames).counters().midstream_packets, 1);
    for (const [other] of cases) {
      assert.is(run(frames, { [other]: true }).of('open').length, other === key ? 1 : 0, `${key} with ${other}`);
    }
  }
});

test('picked up at a SYN-ACK, its receiver is the originator', () => {
  const c = talk()
    .here(SYN | ACK, 500, 101)
    .there(ACK, 101, 501)
    .there(ACK, 101, 501, 'x');
  const engine = run(c.frames, { init_synack: true });
  engine.drain();
  const [end] = engine.of('end');
  assert.is(end?.conn, CLIENT);
  assert.is(end?.record?.orig.packets, 2);
  assert.is(end?.record?.resp.packets, 1);
  assert.is(end?.record?.history, '^hAD');
});

test('timeouts: exact deadlines, whether timers or a late packet notice', () => {
  const syn = talk().there(SYN, 100).frames;
  const single = run(syn);
  single.tracker.checkInactive(T0 + 5);
  assert.equal(ends(single), []);
  single.tracker.checkInactive(T0 + 20);
  assert.equal(ends(single), ['establish_timeout']);
  assert.is(single.of('end')[0]?.at, T0 + 5);

  const open = run(talk().open().frames);
  open.tracker.checkInactive(T0 + 300);
  assert.equal(ends(open), []);
  open.tracker.checkInactive(T0 + 301);
  assert.equal(ends(open), ['inactivity_timeout']);
  assert.ok(Math.abs((open.of('end')[0]?.at ?? 0) - (T0 + 300.2)) < 1e-3);

  // No timer fires: resolution is coarse. The late packet ends the old connection at its deadline and is its own.
  const coarse = { timeout_resolution: 1000 };
  const late = run(talk().there(SYN, 100).wait(7).there(SYN, 100).frames, coarse);
  assert.equal(ends(late), ['establish_timeout']);
  assert.is(late.of('end')[0]?.at, T0 + 5);
  assert.is(late.of('open').length, 2);
  assert.is(late.of('open')[1]?.at.toFixed(1), (T0 + 7.1).toFixed(1));
  const data = run(talk().open().wait(400).there(ACK, 101, 501, 'x').frames, coarse);
  assert.equal(ends(data), ['inactivity_timeout']);
  assert.is(data.of('open').length, 1, 'the late packet does not open one');
});

test('timers that run in pieces end the same connections at the same times', () => {
  const packet = fc.record({
    port: fc.integer({ min: 1, max: 3 }),
    kind: fc.constantFrom<number | 'udp'>('udp', 'udp', SYN, ACK, FIN | ACK, RST, SYN | ACK),
    back: fc.boolean(),
    seq: fc.integer({ min: 0, max: 3 }),
    pass: fc.constantFrom(0, 0.003, 0.05, 0.11, 0.3, 1, -0.04, -0.09, -0.2, -2),
  });
  const config = {
    udp_inactivity_timeout: 0.4,
    tcp_inactivity_timeout: 0.5,
    tcp_establish_timeout: 0.3,
    tcp_closed_timeout: 0.2,
    tcp_reassembly_timeout: 0.6,
    init_data: true,
  };
  const one = (port: number, kind: number | 'udp', pass: number) => ({ port, kind, back: false, seq: 0, pass });
  // Looked at early, for another timeout than the one it is under by then.
  const early = [
    ...[one(3, ACK, 0), one(3, SYN, 0)],
    ...[one(1, 'udp', 0.11), one(1, 'udp', 0.11), one(1, 'udp', 0.3), one(3, SYN | ACK, -0.04)],
  ];
  // Put in while time had gone back.
  const late = [
    ...[one(2, ACK, 0), one(1, 'udp', -2), { ...one(2, SYN | ACK, 0), seq: 1 }],
    ...[one(3, SYN, 0), one(1, 'udp', 1), one(3, ACK, -2)],
  ];
  // Over before a hole in it is, by less than a tick.
  const holed = [
    ...[
      { ...one(1, SYN, 0), back: true },
      { ...one(1, SYN, -0.04), back: true, seq: 1 },
    ],
    ...[one(1, 'udp', 0.3), one(1, 'udp', 0.003), one(1, 'udp', 0.3), one(1, FIN | ACK, -2)],
  ];
  fc.assert(
    fc.property(fc.array(packet, { maxLength: 150 }), fc.constantFrom(0, 1, 20), (packets, piece) => {
      let ts = T0;
      const frames = packets.map(({ port, kind, back, seq, pass }): Frame => {
        ts += pass;
        const ends = { sport: 1000 + port, dport: 53, payload: 'x' };
        const o = kind === 'udp' ? ends : { ...ends, flags: kind, seq: seq * 2, ack: 1 };
        const turned = back ? make.back(o) : o;
        return { ts, bytes: kind === 'udp' ? make.udp(turned) : make.tcp(turned) };
      });
      const [whole, pieces] = [undefined, piece].map((most) => {
        const engine = createEngine({ config, ...(most === undefined ? {} : { piece: most }) });
        engine.run(frames, 1);
        engine.drain();
        return { told: engine.told.map((t) => JSON.stringify(t)).sort(), counters: engine.counters() };
      });
      assert.equal(pieces, whole);
    }),
    {
      numRuns: 300,
      examples: [
        [early, 0],
        [late, 0],
        [holed, 0],
      ],
    },
  );
});

test('records that are due make room in a full table before anybody is turned away', () => {
  const frames = Array.from(
    { length: 200 },
    (_, i): Frame => ({ ts: T0, bytes: make.tcp({ flags: SYN, sport: 1 + i }) }),
  );
  const engine = createEngine({ config: { max_connections: 200 }, maxConnections: 200, piece: 1 });
  engine.run(frames);
  engine.run([{ ts: T0 + 9, bytes: make.ethernet(0x88b5, new Uint8Array(50)) }], 1);
  const late = frames.map((_, i) => ({ ts: T0 + 9, bytes: make.tcp({ flags: SYN, sport: 1000 + i }) }));
  engine.run(late, 1);
  assert.is(engine.counters().conns_refused, 0);
  assert.is(engine.counters().ended_establish_timeout, 200);
  assert.ok(engine.of('end').every(({ at }) => at === T0 + 5));
});

test('a packet keeps a connection alive, a second one lifts the establish timeout', () => {
  const c = talk().there(SYN, 100).wait(4).there(SYN, 100).wait(200).there(ACK, 101, 1).wait(200).there(ACK, 101, 1);
  assert.equal(ends(run(c.frames)), []);
});

test('UDP opens on any datagram and times out', () => {
  const engine = createEngine({ actions: Action.UPDATE | Action.TRACK });
  const udp = (ts: number, back = false): Frame => {
    const o = { sport: 5000, dport: 53, payload: 'q' };
    return { ts, bytes: make.udp(back ? make.back(o) : o) };
  };
  engine.run([udp(T0), udp(T0 + 1, true), udp(T0 + 50), udp(T0 + 111)]);
  assert.is(engine.of('open').length, 2);
  assert.equal(ends(engine), ['inactivity_timeout']);
  assert.is(engine.of('end')[0]?.at, T0 + 110);
  assert.is(engine.of('end')[0]?.record?.orig.packets, 2);
  assert.is(engine.of('end')[0]?.record?.history, 'Dd');
  engine.drain();
  assert.equal(ends(engine), ['inactivity_timeout', 'drain']);
});

test('drain ends what is past its deadline by timeout, the rest by drain, at their own times', () => {
  const frames = [
    { ts: T0, bytes: make.tcp({ flags: SYN, sport: 1 }) },
    { ts: T0 + 1, bytes: make.udp({ sport: 2, payload: 'x' }) },
    { ts: T0 + 7, bytes: make.udp({ sport: 3, payload: 'x' }) },
  ];
  const engine = run(frames, { timeout_resolution: 1000 });
  engine.drain();
  const told = engine.of('end').map((t) => [t.reason, t.at - T0]);
  assert.equal(told, [
    ['establish_timeout', 5],
    ['drain', 1],
    ['drain', 7],
  ]);
  assert.is(engine.tracker.connections(), 0);
  assert.is(engine.of('clear').length, 3);
});

test('an unwanted connection becomes a tombstone: cleared once, its packets skipped', () => {
  const engine = run(talk().open().there(ACK, 101, 501, 'x').frames, {}, { actions: 0 });
  assert.equal(
    engine.told.map((t) => t.what),
    ['open', 'clear'],
  );
  assert.is(engine.counters().conns_unwanted, 1);
  assert.is(engine.counters().late_packets, 3);
  engine.drain();
  assert.is(engine.of('clear').length, 1);
  assert.is(engine.tracker.connections(), 0);
  // Its close is still noticed, so that the tuple can be used again.
  const closed = run(talk().open().here(RST, 501).there(SYN, 7000).frames, {}, { actions: 0 });
  assert.is(closed.of('open').length, 2);
});

test('an update that returns 0 drops the connection', () => {
  let calls = 0;
  const engine = run(
    talk().open().there(ACK, 101, 501, 'x').frames,
    {},
    {
      sub: () => ({
        update() {
          calls++;
          return calls === 2 ? 0 : Action.UPDATE;
        },
      }),
    },
  );
  assert.is(calls, 2);
  assert.equal(
    engine.told.map((t) => t.what),
    ['open', 'clear'],
  );
  assert.is(engine.counters().conns_dropped, 1);
});

const syn = (i: number, ts: number): Frame => ({ ts, bytes: make.tcp({ flags: SYN, seq: 1, sport: 1000 + i }) });

test('full table: new connections are refused, tombstones go first', () => {
  const small: EngineOptions = { maxConnections: 4 };
  const refused = run(
    [0, 1, 2, 3, 4, 5].map((i) => syn(i, T0 + i / 10)),
    {},
    small,
  );
  assert.is(refused.of('open').length, 4);
  assert.is(refused.counters().conns_refused, 2);
  const frames = [0, 1, 2, 3].map((i) => syn(i, T0 + i / 10));
  frames.push(
    { ts: T0 + 0.5, bytes: make.tcp(make.back({ flags: RST, sport: 1002 })) },
    syn(9, T0 + 0.6),
    syn(10, T0 + 0.7),
  );
  const room = run(frames, {}, small);
  assert.is(room.of('open').length, 5);
  assert.is(room.counters().tombstones_evicted, 1);
  assert.is(room.counters().conns_refused, 1);
});

test('full table: eviction', () => {
  const frames = [0, 1, 2, 3].map((i) => syn(i, T0 + i / 10));
  // The first two get an answer; the very first is silent for longest.
  for (const i of [0, 1]) {
    const o = { flags: SYN | ACK, sport: 1000 + i, seq: 9, ack: 2 };
    frames.push({ ts: T0 + 1 + i / 10, bytes: make.tcp(make.back(o)) });
  }
  frames.push({ ts: T0 + 1.5, bytes: make.tcp({ flags: SYN, seq: 1, sport: 1002 }) });
  frames.push({ ts: T0 + 1.6, bytes: make.tcp({ flags: SYN, seq: 1, sport: 1003 }) });
  const oldest = run([...frames, syn(9, T0 + 2)], { on_full: 'evict_oldest' }, { maxConnections: 4 });
  assert.equal(ends(oldest), ['evicted']);
  assert.is(oldest.of('end')[0]?.conn, 'tcp 10.0.0.1:1000 -> 10.0.0.2:443');
  // A handshake that is not complete does not count, whoever has tried again or answered.
  const ack = (i: number, ts: number): Frame => ({
    ts,
    bytes: make.tcp({ flags: ACK, seq: 2, ack: 10, sport: 1000 + i }),
  });
  const half = [...frames, ack(0, T0 + 1.7), ack(1, T0 + 1.7), syn(9, T0 + 2)];
  const embryonic = run(half, { on_full: 'evict_embryonic' }, { maxConnections: 4 });
  assert.equal(ends(embryonic), ['evicted']);
  assert.is(embryonic.of('end')[0]?.conn, 'tcp 10.0.0.1:1002 -> 10.0.0.2:443');
  // Nothing embryonic is left: refused.
  const whole = frames.slice(0, 6);
  for (const i of [2, 3]) {
    whole.push({ ts: T0 + 1.8, bytes: make.tcp(make.back({ flags: SYN | ACK, sport: 1000 + i, seq: 9, ack: 2 })) });
  }
  for (const i of [0, 1, 2, 3]) whole.push(ack(i, T0 + 1.9));
  const none = run([...whole, syn(9, T0 + 2)], { on_full: 'evict_embryonic' }, { maxConnections: 4 });
  assert.is(none.counters().conns_refused, 1);
});

test('IPv6 connections are told apart by their whole addresses', () => {
  const pairs = ['2001:db8::1', '2001:db8::2', '2001:db8:1::1'];
  const frames = pairs.flatMap((src, i) => {
    const o = { src, dst: '2001:db8::9', flags: SYN, seq: 1 };
    return [
      { ts: T0 + i, bytes: make.tcp(o) },
      { ts: T0 + i + 0.5, bytes: make.tcp({ ...make.back(o), flags: SYN | ACK, ack: 2 }) },
    ];
  });
  const engine = run(frames);
  engine.drain();
  assert.equal(
    engine.of('end').map((t) => `${t.record?.orig_addr} ${t.record?.orig.packets} ${t.record?.resp.packets}`),
    pairs.map((src) => `${src} 1 1`),
  );
  assert.is(engine.of('end')[0]?.conn, 'tcp [2001:db8::1]:40000 -> [2001:db8::9]:443');
});

test('bursts of any size give the same', () => {
  const flows = Array.from(
    { length: 40 },
    (_, i) =>
      talk({ sport: 2000 + i })
        .open()
        .there(ACK, 101, 501, 'x'.repeat(i))
        .here(i % 3 === 0 ? RST : ACK, 501, 101).frames,
  );
  const frames = flows.flat().sort((a, b) => a.ts - b.ts);
  const results = [1, 7, 64].map((burst) => {
    const engine = createEngine({ actions: Action.UPDATE | Action.TRACK | Action.HANDSHAKE });
    engine.run(frames, burst);
    engine.drain(T0 + 1000);
    return engine.told.map((t) => JSON.stringify(t)).sort();
  });
  assert.equal(results[0], results[2]);
  assert.equal(results[1], results[2]);
});

test.run();
