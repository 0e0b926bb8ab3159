/** The tracker under load: floods into a small table with each `on_full`, and many lives after each other in little memory. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { ConnTrackConfig } from '../../../runtime/conntrack/config.ts';
import { Action } from '../../../runtime/conntrack/layout.ts';
import { createEngine, type Engine, type Frame } from '../../support/engine.ts';
import * as make from '../../support/frames.ts';
import { ACK, RST, SYN } from '../../support/frames.ts';

const test = suite('connection tracker under load');
const T0 = 1_700_000_000;

const IP_SRC = 26;
const IP_DST = 30;
const SEQ = 38;
const PORTS = 34;

/** A TCP frame between client number `i` and the server; one way or `back`. */
function createSender(flags: number, back = false): (i: number, ts: number, seq?: number) => Frame {
  const template = make.tcp({ flags, seq: 1, ack: 2 });
  return (i, ts, seq = 1) => {
    const bytes = template.slice();
    const view = new DataView(bytes.buffer);
    view.setUint32(back ? IP_DST : IP_SRC, 0x0b000000 + i);
    view.setUint32(back ? IP_SRC : IP_DST, 0x0a000002);
    view.setUint32(PORTS, back ? (443 << 16) | 40000 : (40000 << 16) | 443);
    view.setUint32(SEQ, seq);
    return { ts, bytes };
  };
}

const syn = createSender(SYN);
const synAck = createSender(SYN | ACK, true);
const ack = createSender(ACK);
const rst = createSender(RST);

/** An engine that only tracks, and tells the ends of connections by reason. */
function tracker(
  maxConnections: number,
  config: Partial<ConnTrackConfig>,
): { engine: Engine; ends: Map<number, number> } {
  const ends = new Map<number, number>();
  const engine = createEngine({
    maxConnections,
    config,
    actions: Action.TRACK,
    sub: ({ rec }) => ({
      tracked: { open() {}, clear() {} },
      onL4Terminated(c, reason) {
        const client = (rec[c] >>> 0) - 0x0b000000;
        ends.set(client, reason);
      },
    }),
  });
  return { engine, ends };
}

const TABLE = 4000;
const ESTABLISHED = 500;
const FLOOD = 40_000;
const EVICTED = 6;

/**
 * Established connections that say something every second, and a flood of SYNs from one client each, 20,000 a second; the
 * server answers them (`answered`) as a server under a flood does.
 */
function flood(config: Partial<ConnTrackConfig>, answered: boolean) {
  const { engine, ends } = tracker(TABLE, { tcp_establish_timeout: 3600, ...config });
  const opening: Frame[] = [];
  for (let i = 0; i < ESTABLISHED; i++) opening.push(syn(i, T0), synAck(i, T0), ack(i, T0, 2));
  engine.run(opening);
  const frames: Frame[] = [];
  for (let k = 0; k < FLOOD; k++) {
    const ts = T0 + 1 + k / 20_000;
    frames.push(syn(100_000 + k, ts));
    if (answered) frames.push(synAck(100_000 + k, ts));
    if (k % 40 === 0) frames.push(ack((k / 40) % ESTABLISHED, ts, 2));
  }
  // One more client comes in the middle of it.
  const late = 99_999;
  const middle = frames.length >> 1;
  const { ts } = frames[middle] as Frame;
  frames.splice(middle, 0, syn(late, ts), synAck(late, ts), ack(late, ts, 2));
  engine.run(frames);
  const lost = Array.from({ length: ESTABLISHED }, (_, i) => i).filter((i) => ends.has(i)).length;
  const lateIsThere = () => {
    engine.run([rst(late, T0 + 10)]);
    return ends.get(late) === 2;
  };
  return { engine, lost, lateIsThere, ends };
}

for (const answered of [false, true]) {
  const how = answered ? 'whose SYNs are answered' : 'without answers';

  test(`a flood ${how}, evict_embryonic: who is established stays, who is new comes in`, () => {
    const { engine, lost, lateIsThere } = flood({ on_full: 'evict_embryonic' }, answered);
    const { conns_opened, conns_refused, conns_evicted } = engine.counters();
    assert.is(lost, 0);
    assert.is(conns_refused, 0);
    assert.is(conns_opened, ESTABLISHED + FLOOD + 1);
    assert.is(conns_evicted, conns_opened - TABLE);
    assert.is(engine.tracker.connections(), TABLE);
    assert.ok(lateIsThere());
  });

  test(`a flood ${how}, drop_new: who was there stays, nobody else comes in`, () => {
    const { engine, lost, lateIsThere } = flood({ on_full: 'drop_new' }, answered);
    assert.is(lost, 0);
    assert.is(engine.counters().conns_opened, TABLE);
    assert.is(engine.counters().conns_refused, ESTABLISHED + FLOOD + 1 - TABLE);
    assert.not(lateIsThere());
  });

  test(`a flood ${how}, evict_oldest: everybody comes in, the table stays as it is`, () => {
    const { engine, ends } = flood({ on_full: 'evict_oldest' }, answered);
    assert.is(engine.tracker.connections(), TABLE);
    assert.is(engine.counters().conns_refused, 0);
    assert.ok([...ends.values()].every((reason) => reason === EVICTED));
    // The oldest of a sample is not the oldest of all, but never one of the newest.
    const newest = Array.from({ length: TABLE / 10 }, (_, k) => 100_000 + FLOOD - 1 - k);
    assert.ok(newest.filter((client) => ends.has(client)).length < newest.length / 10);
  });
}

test('two million connections opened and expired leave memory where it was', async () => {
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc') as () => void;
  const { engine, ends } = tracker(25_000, {});
  let ts = T0;
  const wave = (n: number) => {
    for (let k = 0; k < n; k++) {
      const frames: Frame[] = [];
      for (let i = 0; i < 20_000; i++) frames.push(syn(i + k, ts + i / 50_000));
      engine.run(frames);
      ts += 60;
      engine.tracker.checkInactive(ts);
      assert.is(engine.tracker.connections(), 0);
      ends.clear();
    }
  };
  const used = async () => {
    // Buffers are given back a turn after their objects.
    for (let i = 0; i < 3; i++) {
      gc();
      await new Promise((resolve) => setImmediate(resolve));
    }
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    return heapUsed + arrayBuffers;
  };
  wave(3);
  const before = await used();
  wave(100);
  const grown = (await used()) - before;
  assert.ok(grown < 1 << 20, `${grown} bytes more`);
  assert.is(engine.counters().ended_establish_timeout, 103 * 20_000);
});

test.run();
