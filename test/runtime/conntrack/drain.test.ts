/** The end of a run: connections in the order of their last packets, in pieces. */
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { microseconds } from '../../../runtime/clock.ts';
import { byLastPacket } from '../../../runtime/conntrack/drain.ts';
import { ConnMeta } from '../../../runtime/conntrack/layout.ts';
import { createEngine } from '../../support/engine.ts';
import * as make from '../../support/frames.ts';

const test = suite('drain');
const T0 = 1_700_000_000;
const STRIDE = 16;

/** What the generator returns, and how many steps it took. */
function finished<T>(steps: Generator<void, T, void>): { value: T; count: number } {
  for (let count = 0; ; count++) {
    const step = steps.next();
    if (step.done === true) return { value: step.value, count };
  }
}

test('records are put in order by their last packet, those of one microsecond as they were', () => {
  const time = fc.oneof(
    fc.constantFrom(0, T0, T0 + 0.0625),
    fc.double({ min: T0, max: T0 + 0.2, noNaN: true }),
    fc.double({ min: 0, max: 2 ** 32, noNaN: true }),
  );
  const record = fc.tuple(time, fc.constantFrom(ConnMeta.USED, ConnMeta.USED, ConnMeta.USED | ConnMeta.ENDED, 0));
  fc.assert(
    fc.property(fc.array(record, { maxLength: 500 }), (records) => {
      const recMeta = new Int32Array((records.length + 1) * STRIDE);
      const recLast = new Float64Array(recMeta.length / 2);
      records.forEach(([last, meta], i) => {
        recMeta[(i + 1) * STRIDE] = meta;
        recLast[((i + 1) * STRIDE) >> 1] = last;
      });
      const wanted = records
        .map(([last, meta], i) => ({ c: (i + 1) * STRIDE, at: microseconds(last), meta }))
        .filter(({ meta }) => meta === ConnMeta.USED)
        .sort((a, b) => a.at - b.at || a.c - b.c)
        .map(({ c }) => c);
      const { value } = finished(byLastPacket({ recMeta, recLast }, STRIDE, recMeta.length, wanted.length));
      assert.equal([...value], wanted);
    }),
    { numRuns: 200 },
  );
});

test('so are very many', () => {
  const count = 20_000;
  const recMeta = new Int32Array((count + 1) * STRIDE);
  const recLast = new Float64Array(recMeta.length / 2);
  const times = Array.from({ length: count }, (_, i) => T0 + ((i * 7919) % 10_007) * (i % 3 === 0 ? 1 : 1e-6));
  times.forEach((time, i) => {
    recMeta[(i + 1) * STRIDE] = ConnMeta.USED;
    recLast[((i + 1) * STRIDE) >> 1] = time;
  });
  const wanted = times
    .map((time, i) => ({ c: (i + 1) * STRIDE, at: Math.round(time * 1e6) }))
    .sort((a, b) => a.at - b.at || a.c - b.c)
    .map(({ c }) => c);
  assert.equal([...finished(byLastPacket({ recMeta, recLast }, STRIDE, recMeta.length, count)).value], wanted);
});

test('the end of few connections in a large table leaves it empty, too', () => {
  const engine = createEngine({ maxConnections: 100_000 });
  for (let round = 0; round < 3; round++) {
    for (let i = 0; i < 20; i++) engine.run([{ ts: T0 + round, bytes: make.udp({ sport: 1 + i }) }]);
    assert.is(engine.tracker.connections(), 20);
    engine.drain(T0 + round);
    assert.is(engine.tracker.connections(), 0);
    assert.is(engine.of('open').length, 20 * (round + 1));
    assert.is(engine.of('clear').length, 20 * (round + 1));
  }
});

test('the end of many connections comes in pieces, and leaves an empty table', () => {
  const engine = createEngine({ maxConnections: 5000 });
  for (let i = 0; i < 5000; i++)
    engine.run([{ ts: T0 + ((i * 7919) % 5000) / 1000, bytes: make.udp({ sport: 1 + i }) }]);
  let pieces = 0;
  let most = 0;
  let ended = 0;
  for (const _ of engine.tracker.drain(T0 + 5, () => {})) {
    const now = engine.of('end').length;
    most = Math.max(most, now - ended);
    ended = now;
    pieces++;
  }
  assert.is(ended, 5000);
  assert.ok(pieces > 15 && most <= 256, `${pieces} pieces of at most ${most}`);
  const times = engine.of('end').map(({ at }) => at);
  assert.equal(times, times.slice().sort());
  assert.is(engine.tracker.connections(), 0);
  engine.run([{ ts: T0 + 6, bytes: make.udp() }]);
  assert.is(engine.tracker.connections(), 1);
});

test.run();
