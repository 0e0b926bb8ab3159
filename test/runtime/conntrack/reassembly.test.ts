/** TCP streams in order: the same bytes however they were cut, shuffled and repeated; gaps told; bounds kept. */
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Action } from '../../../runtime/conntrack/layout.ts';
import {
  createEngine,
  type Engine,
  type EngineOptions,
  type Frame,
  packetMemory,
  streamOf,
} from '../../support/engine.ts';
import * as make from '../../support/frames.ts';
import { ACK, FIN, RST, SYN, type TcpOptions } from '../../support/frames.ts';

const test = suite('reassembly');
const T0 = 1_700_000_000;
const ACTIONS = Action.STREAM | Action.TRACK | Action.UPDATE;

interface Piece {
  readonly there?: boolean;
  readonly seq: number;
  readonly data?: string | Uint8Array;
  readonly flags?: number;
  readonly ack?: number;
  readonly at?: number;
  /** Bytes of the frame that were captured. */
  readonly cut?: number;
}

/** Opens with sequence numbers `isn` and 500, then sends pieces whose `seq` counts from the first payload byte. */
function run(pieces: readonly Piece[], options: EngineOptions & { isn?: number; open?: boolean } = {}): Engine {
  const isn = options.isn ?? 100;
  const engine = createEngine({ actions: ACTIONS, ...options });
  const frames: Frame[] = [];
  if (options.open !== false) {
    frames.push({ ts: T0, bytes: make.tcp({ flags: SYN, seq: isn }) });
    frames.push({ ts: T0, bytes: make.tcp(make.back({ flags: SYN | ACK, seq: 500, ack: isn + 1 })) });
    frames.push({ ts: T0, bytes: make.tcp({ flags: ACK, seq: isn + 1, ack: 501 }) });
  }
  for (const piece of pieces) {
    const there = piece.there !== false;
    const o: TcpOptions = {
      flags: piece.flags ?? ACK,
      seq: (there ? isn + 1 : 501) + piece.seq,
      ack: piece.ack ?? 1,
      payload: piece.data,
    };
    const bytes = make.tcp(there ? o : make.back(o));
    frames.push({ ts: T0 + (piece.at ?? 0), bytes: bytes.slice(0, piece.cut ?? bytes.length), wirelen: bytes.length });
  }
  engine.run(frames, 5);
  return engine;
}

const text = (engine: Engine, fromOrig = true) => Buffer.from(streamOf(engine.told, fromOrig)).toString('latin1');
const gaps = (engine: Engine) => engine.of('stream').map((t) => t.gap);

/** A text without repeats, so that a misplaced piece shows. */
const LETTERS = Array.from({ length: 400 }, (_, i) => String.fromCharCode(33 + (i % 90)) + String(i)).join('');

test('any cutting, shuffling, repeating and overlapping gives the same bytes once, in order', () => {
  const range = fc.tuple(fc.nat(LETTERS.length - 1), fc.integer({ min: 1, max: 200 }));
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 4, maxLength: 20 }),
      fc.array(range, { maxLength: 10 }),
      fc.infiniteStream(fc.nat(1000)),
      fc.constantFrom(100, 0xffffff00, 0x7ffffff0, 0xfffffffe, 0xffffffff),
      fc.boolean(),
      (cuts, extra, keys, isn, there) => {
        const pieces: { piece: Piece; key: number }[] = [];
        let at = 0;
        for (let i = 0; at < LETTERS.length; i++) {
          const length = cuts[i % cuts.length] ?? 1;
          pieces.push({ piece: { there, seq: at, data: LETTERS.slice(at, at + length) }, key: keys.next().value ?? 0 });
          at += length;
        }
        for (const [from, length] of extra) {
          const data = LETTERS.slice(from, from + length);
          pieces.push({ piece: { there, seq: from, data }, key: keys.next().value ?? 0 });
        }
        const order = pieces.sort((a, b) => a.key - b.key).map(({ piece }) => piece);
        const config = { max_out_of_order: 1000 };
        const engine = run(order, { isn, config, memory: packetMemory(1 << 17, 1 << 21) });
        assert.is(text(engine, there), LETTERS);
        assert.ok(gaps(engine).every((gap) => gap === 0));
        assert.is(text(engine, !there), '');
        engine.drain();
        assert.is(text(engine, there), LETTERS);
      },
    ),
    { numRuns: 300 },
  );
});

/** What the receiver reads when the first copy of each byte wins: the model. */
function firstCopies(pieces: readonly Piece[]): { bytes: Map<number, string>; end: number } {
  const bytes = new Map<number, string>();
  let end = 0;
  for (const { seq, data } of pieces) {
    for (let i = 0; i < (data?.length ?? 0); i++) {
      if (seq + i >= 0 && !bytes.has(seq + i)) bytes.set(seq + i, (data as string)[i] ?? '');
      end = Math.max(end, seq + i + 1);
    }
  }
  return { bytes, end };
}

test('of contradicting copies the first wins, and what never came is a gap of the right size', () => {
  const piece = fc.record({
    seq: fc.integer({ min: -20, max: 120 }),
    data: fc.string({ unit: fc.constantFrom(...'abcdefghij'), minLength: 1, maxLength: 40 }),
  });
  fc.assert(
    fc.property(fc.array(piece, { minLength: 1, maxLength: 20 }), (pieces) => {
      const engine = run(pieces);
      engine.drain();
      const { bytes, end } = firstCopies(pieces);
      let at = 0;
      for (const { gap, bytes: got, seq } of engine.of('stream')) {
        for (let i = 0; i < (gap ?? 0); i++) assert.not(bytes.has(at + i), `byte ${at + i} was there`);
        at += gap ?? 0;
        assert.is((seq ?? 0) - 101, at);
        const said = Buffer.from(got ?? []).toString();
        for (const letter of said) assert.is(letter, bytes.get(at++));
      }
      assert.is(at, end);
    }),
    { numRuns: 2000 },
  );
});

test('data in order is not copied: it is delivered where it lies', () => {
  let inPlace = 0;
  const options: EngineOptions = {
    sub: (core) => ({
      onL4Stream(c, p) {
        if (core.pkt[p + 10] < core.memory.slabOffset && p < 64 * 32) inPlace++;
        return core.rec[c + 6];
      },
    }),
  };
  run(
    [
      { seq: 0, data: 'one' },
      { seq: 3, data: 'two' },
      { there: false, seq: 0, data: 'three' },
    ],
    options,
  );
  assert.is(inPlace, 3);
});

test('data in a SYN, data with a FIN, nothing behind the FIN', () => {
  const engine = createEngine({ actions: ACTIONS });
  engine.run([
    { ts: T0, bytes: make.tcp({ flags: SYN, seq: 100, payload: 'early' }) },
    { ts: T0, bytes: make.tcp(make.back({ flags: SYN | ACK, seq: 500, ack: 106 })) },
    { ts: T0, bytes: make.tcp({ flags: ACK, seq: 106, payload: ' data' }) },
    { ts: T0, bytes: make.tcp({ flags: FIN | ACK, seq: 111, payload: ' end' }) },
    { ts: T0, bytes: make.tcp({ flags: ACK, seq: 115, payload: 'beyond' }) },
  ]);
  assert.is(text(engine), 'early data end');
});

test('a first segment with a FIN starts at the SYN, even when it comes early', () => {
  const engine = run([
    { seq: 3, data: 'def', flags: FIN | ACK },
    { seq: 0, data: 'abc' },
  ]);
  assert.is(text(engine), 'abcdef');
});

test('keep-alives, with and without a byte, deliver nothing', () => {
  const engine = run([
    { seq: 0, data: 'abc' },
    { seq: 2, data: 'X' },
    { seq: 2, data: '' },
    { seq: 3, data: 'def' },
  ]);
  assert.is(text(engine), 'abcdef');
});

test('both directions are streams of their own; half close', () => {
  const engine = run([
    { seq: 0, data: 'ask', flags: FIN | ACK },
    { there: false, seq: 4, data: 'wer', ack: 105 },
    { there: false, seq: 0, data: 'answ'.slice(0, 4), ack: 105 },
  ]);
  assert.is(text(engine), 'ask');
  assert.is(text(engine, false), 'answwer');
});

test('a hole is skipped when its time is up, at its deadline, and told with the next piece', () => {
  const pieces = [
    { seq: 0, data: 'abc' },
    { seq: 10, data: 'klm', at: 1 },
  ];
  const byTimer = run([...pieces]);
  byTimer.tracker.checkInactive(T0 + 31);
  assert.is(text(byTimer), 'abc');
  byTimer.tracker.checkInactive(T0 + 31.5);
  assert.is(text(byTimer), 'abcklm');
  assert.equal(gaps(byTimer), [0, 7]);
  assert.is(byTimer.of('stream')[1]?.at, T0 + 31);
  // Or by a packet that comes later.
  const byPacket = run([...pieces, { seq: 13, data: 'nop', at: 40 }]);
  assert.is(text(byPacket), 'abcklmnop');
  assert.is(byPacket.of('stream')[1]?.at, T0 + 31);
  assert.is(byPacket.of('stream')[2]?.at, T0 + 40);
  // What fills the hole in time is no gap; too late it is no data.
  assert.is(text(run([...pieces, { seq: 3, data: 'defghij', at: 30 }])), 'abcdefghijklm');
  assert.is(text(run([...pieces, { seq: 3, data: 'defghij', at: 40 }])), 'abcklm');
});

test('a connection that times out before its hole does takes the hole with it, whatever timers notice first', () => {
  const pieces = [
    { seq: 0, data: 'abc' },
    { seq: 10, data: 'klm', at: 1 },
  ];
  for (const wholly of [0, 31.05]) {
    const engine = run(pieces, { config: { tcp_inactivity_timeout: 20 } });
    if (wholly > 0) engine.tracker.checkInactive(T0 + wholly);
    for (const later of [22, 31.05]) engine.tracker.checkInactive(T0 + later, 0);
    engine.tracker.checkInactive(T0 + 32);
    assert.equal(gaps(engine), [0, 7]);
    assert.is(engine.of('stream')[1]?.at, T0 + 21);
    assert.is(engine.of('end')[0]?.at, T0 + 21);
    assert.is(engine.counters().reassembly_timeouts, 0);
  }
});

test('too many segments: the oldest hole is given up', () => {
  const far = Array.from({ length: 6 }, (_, i) => ({ seq: 10 + i * 10, data: String(i) }));
  const engine = run([{ seq: 0, data: 'ab' }, ...far], { config: { max_out_of_order: 5 } });
  assert.is(text(engine), 'ab012345');
  assert.equal(gaps(engine), [0, 8, 9, 9, 9, 9, 9]);
  assert.is(engine.counters().reassembly_overflows, 1);
  // None at all.
  const none = run([{ seq: 5, data: 'x' }], { config: { max_out_of_order: 0 } });
  assert.equal([text(none), gaps(none)], ['x', [5]]);
});

test('a full slab costs gaps, not memory', () => {
  const big = 'z'.repeat(1400);
  const pieces = Array.from({ length: 30 }, (_, i) => ({ seq: 10 + i * 2000, data: big }));
  const engine = run(pieces, { memory: packetMemory(1 << 17, 8 * 1536) });
  engine.drain();
  assert.is(text(engine), big.repeat(30));
});

test('kept data is flushed when the connection ends: FIN, RST, timeout', () => {
  const pieces = [
    { seq: 0, data: 'abc' },
    { seq: 5, data: 'fgh' },
  ];
  for (const last of [
    { seq: 8, flags: RST },
    { seq: 8, at: 400, flags: RST },
  ]) {
    const engine = run([...pieces, last]);
    assert.is(text(engine), 'abcfgh');
    assert.equal(gaps(engine), [0, 2]);
    // A hole whose time was up before the connection's was skipped at its own deadline, noticed only now or not.
    assert.is(engine.of('stream')[1]?.at, last.at === undefined ? T0 : T0 + 30);
    const order = engine.told.map((t) => t.what);
    assert.ok(order.lastIndexOf('stream') < order.indexOf('end'));
  }
  const closed = run([
    ...pieces,
    { seq: 8, flags: FIN | ACK, ack: 501 },
    { there: false, seq: 0, flags: FIN | ACK, ack: 110 },
    { seq: 9, ack: 502 },
  ]);
  assert.is(text(closed), 'abcfgh');
  assert.is(closed.of('end')[0]?.reason, 'fin');
});

test('what the capture cut off is a gap', () => {
  const engine = run([
    { seq: 0, data: 'abcdefgh', cut: 54 + 3 },
    { seq: 8, data: 'ijk' },
  ]);
  assert.is(text(engine), 'abcijk');
  assert.equal(gaps(engine), [0, 5]);
});

test('bytes before a FIN that never came are counted as lost', () => {
  const lost = (...pieces: Piece[]) => {
    const engine = run(pieces);
    engine.drain();
    assert.is(text(engine), 'abc');
    const { stream_gaps, stream_gap_bytes } = engine.counters();
    return [stream_gaps, stream_gap_bytes];
  };
  assert.equal(lost({ seq: 0, data: 'abc' }, { seq: 10, flags: FIN | ACK }), [1, 7]);
  assert.equal(lost({ seq: 0, data: 'abc' }, { seq: 3, flags: FIN | ACK }), [0, 0]);
  // A FIN out of any window tells nothing.
  assert.equal(lost({ seq: 0, data: 'abc' }, { seq: 0x60000000, flags: FIN | ACK }), [0, 0]);
});

test('on_gap = drop ends the stream at a gap', () => {
  const engine = run(
    [
      { seq: 0, data: 'ab' },
      { seq: 10, data: 'k' },
      { seq: 11, data: 'l', at: 40 },
    ],
    {
      config: { on_gap: 'drop' },
    },
  );
  engine.drain();
  assert.is(text(engine), 'ab');
});

test('segments far outside any window are not of the stream', () => {
  const engine = run([
    { seq: 0, data: 'ab' },
    { seq: 0x50000000, data: 'evil' },
    { seq: 2, data: 'cd' },
  ]);
  engine.drain();
  assert.is(text(engine), 'abcd');
  assert.is(engine.counters().out_of_window_segments, 1);
});

test('picked up in the middle, a stream starts at its first segment', () => {
  const engine = run(
    [
      { seq: 70, data: 'abc' },
      { seq: 73, data: 'def' },
    ],
    { open: false, config: { init_data: true } },
  );
  assert.is(text(engine), 'abcdef');
});

test('streams end with the wish for them, and their states are used again', () => {
  let calls = 0;
  const engine = createEngine({
    maxConnections: 100,
    config: { max_streams: 1 },
    actions: Action.STREAM,
    sub: () => ({
      onL4Stream() {
        calls++;
        return 0;
      },
    }),
  });
  for (let i = 0; i < 20; i++) {
    const o = { sport: 2000 + i, seq: 100 };
    engine.run([
      { ts: T0 + i, bytes: make.tcp({ ...o, flags: SYN }) },
      { ts: T0 + i, bytes: make.tcp({ ...o, seq: 101, payload: 'first' }) },
      { ts: T0 + i, bytes: make.tcp({ ...o, seq: 106, payload: 'second' }) },
    ]);
  }
  assert.is(calls, 20);
  assert.is(engine.counters().streams_refused, 0);
  assert.is(engine.counters().conns_dropped, 20);
});

test('UDP payload is delivered as it arrives', () => {
  const engine = createEngine({ actions: ACTIONS });
  engine.run([
    { ts: T0, bytes: make.udp({ payload: 'one' }) },
    { ts: T0, bytes: make.udp(make.back({ dport: 53, payload: 'two' })) },
    { ts: T0, bytes: make.udp({ payload: 'three' }) },
  ]);
  assert.is(text(engine), 'onethree');
  assert.is(text(engine, false), 'two');
});

test.run();
