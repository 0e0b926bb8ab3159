/** Holes in streams that are given up: the queue, each at its own time, in pieces as all at once. */
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { createHoleQueue } from '../../../runtime/conntrack/holes.ts';
import { Action } from '../../../runtime/conntrack/layout.ts';
import { createEngine, type Frame, packetMemory } from '../../support/engine.ts';
import * as make from '../../support/frames.ts';
import { ACK, FIN, SYN } from '../../support/frames.ts';

const test = suite('holes');
const T0 = 1_700_000_000;
const ACTIONS = Action.STREAM | Action.TRACK | Action.UPDATE;

test('the queue gives back the oldest first, of those of one time the lowest, whatever comes and goes', () => {
  const step = fc.oneof(fc.nat(50), fc.constant(undefined));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 3000 }), (steps) => {
      const queue = createHoleQueue();
      const model: [since: number, entry: number][] = [];
      for (const [i, since] of steps.entries()) {
        // Numbers come in no order.
        const entry = (i * 7919) % 3001;
        if (since !== undefined) {
          queue.add(entry, since);
          model.push([since, entry]);
        } else if (model.length > 0) {
          model.sort(([a, one], [b, other]) => a - b || one - other);
          const [least = 0, lowest] = model.shift() ?? [];
          assert.is(queue.oldest(), least);
          assert.is(queue.take(), lowest);
        }
      }
      const left = Math.min(Number.POSITIVE_INFINITY, ...model.map(([since]) => since));
      assert.is(queue.oldest(), left);
    }),
    { numRuns: 60 },
  );
});

/** The frames that open connection `n`: its next bytes are 101 from the originator. */
function opened(n: number, ts: number): Frame[] {
  const o = { sport: 1000 + n };
  return [
    { ts, bytes: make.tcp({ ...o, flags: SYN, seq: 100 }) },
    { ts, bytes: make.tcp(make.back({ ...o, dport: 443, flags: SYN | ACK, seq: 500, ack: 101 })) },
    { ts, bytes: make.tcp({ ...o, flags: ACK, seq: 101, ack: 501 }) },
  ];
}
const data = (n: number, ts: number, at: number, payload: string): Frame => ({
  ts,
  bytes: make.tcp({ sport: 1000 + n, flags: ACK, seq: 101 + at, ack: 501, payload }),
});

test('a connection with one hole after the other holds up no other connection', () => {
  const engine = createEngine({ actions: ACTIONS, config: { tcp_reassembly_timeout: 10 } });
  engine.run([
    ...opened(0, T0),
    ...opened(1, T0),
    // A hole that is filled, with another behind it that is younger.
    data(0, T0, 5, 'fghij'),
    data(1, T0 + 1, 5, 'later'),
    data(0, T0 + 9, 15, 'pqrst'),
    data(0, T0 + 9.5, 0, 'abcde'),
  ]);
  engine.run([{ ts: T0 + 11.5, bytes: make.udp() }]);
  const [gap] = engine.of('stream').filter((t) => t.gap !== 0);
  assert.is(gap?.at, T0 + 11);
  assert.is(Buffer.from(gap?.bytes ?? []).toString(), 'later');
  engine.run([{ ts: T0 + 19.5, bytes: make.udp() }]);
  assert.equal(
    engine.of('stream').map((t) => [t.gap, t.at - T0]),
    [
      [0, 9.5],
      [0, 9.5],
      [5, 11],
      [5, 19],
    ],
  );
});

test('given up in pieces, each connection is told the same', () => {
  const kind = fc.constantFrom('data', 'back', 'fin', 'new');
  const step = fc.tuple(fc.nat(5), kind, fc.nat(12), fc.constantFrom(0, 0, 0.05, 0.3, 4, -0.02));
  // Connection 0 waits in both directions, in its originator's for less long, when timers are still at connection 1's hole.
  const both: [n: number, what: string, at: number, wait: number][] = [
    ...[[1, 'data', 1, 0] as const, [0, 'back', 1, 0] as const, [0, 'data', 1, 4] as const],
    ...[[0, 'data', 1, 0] as const, [1, 'data', 0, 4] as const, [1, 'data', 0, 0] as const, [0, 'data', 0, 4] as const],
    ...Array.from({ length: 20 }, () => [0, 'data', 0, 0] as const),
  ].map(([n, what, at, wait]) => [n, what, at, wait]);
  fc.assert(
    fc.property(fc.array(step, { minLength: 20, maxLength: 300 }), fc.integer({ min: 1, max: 3 }), (steps, piece) => {
      let now = T0;
      const frames: Frame[] = [];
      for (let n = 0; n < 6; n++) frames.push(...opened(n, now));
      for (const [n, what, at, wait] of steps) {
        now += wait;
        const bytes = make.tcp({ sport: 1000 + n, flags: ACK, seq: 101 + at * 5, ack: 501, payload: 'abcde' });
        if (what === 'data') frames.push({ ts: now, bytes });
        const back = { sport: 443, dport: 1000 + n, src: '10.0.0.2', dst: '10.0.0.1', ack: 101 };
        if (what === 'back') frames.push({ ts: now, bytes: make.tcp({ ...back, seq: 501 + at, payload: 'x' }) });
        if (what === 'fin') frames.push({ ts: now, bytes: make.tcp({ ...back, flags: FIN | ACK, seq: 513 }) });
        if (what === 'new') frames.push(...opened(n, now).slice(0, 1));
      }
      const config = { tcp_reassembly_timeout: 1, tcp_inactivity_timeout: 6, tcp_closed_timeout: 1 };
      const told = [undefined, piece].map((most) => {
        const memory = packetMemory(1 << 15, 1 << 16);
        const engine = createEngine({
          actions: ACTIONS,
          config,
          memory,
          ...(most === undefined ? {} : { piece: most }),
        });
        engine.run(frames, 4);
        engine.drain();
        const conns = new Set(engine.told.map((t) => t.conn));
        return [...conns].sort().map((conn) => engine.told.filter((t) => t.conn === conn));
      });
      assert.equal(told[1], told[0]);
    }),
    { numRuns: 150, examples: [[both, 1]] },
  );
});

test.run();
