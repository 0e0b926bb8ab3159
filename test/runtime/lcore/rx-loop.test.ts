import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Action, END_REASON_NAMES } from '../../../runtime/conntrack/layout.ts';
import { createCore } from '../../../runtime/core.ts';
import { InputError } from '../../../runtime/errors.ts';
import { rxLoop } from '../../../runtime/lcore/rx-loop.ts';
import { Pkt } from '../../../runtime/packet/layout.ts';
import { END_OF_INPUT, type PacketSource } from '../../../runtime/source/contract.ts';
import type { Subscription } from '../../../runtime/subscription/contract.ts';
import { PLAN, packetMemory } from '../../support/engine.ts';
import * as make from '../../support/frames.ts';

const test = suite('rx loop');
const T0 = 1_700_000_000;

/** A source of `count` UDP packets, a second apart, each of its own connection; then `atEnd` decides. */
function setup(count: number, atEnd: () => number, live = false) {
  const memory = packetMemory(4096, 4096);
  const frame = make.udp({ payload: 'x' });
  let sent = 0;
  const source: PacketSource = {
    memory,
    live,
    stats: { packets: 0, bytes: 0, lost: {} },
    close() {},
    poll(pkt, max) {
      assert.is(max, 64);
      if (sent === count) return atEnd();
      memory.bytes.set(frame, 64);
      memory.view.setUint16(64 + 34, 1000 + sent);
      pkt[Pkt.OFFSET] = 64;
      pkt[Pkt.CAPLEN] = frame.length;
      pkt[Pkt.WIRELEN] = frame.length;
      pkt[Pkt.SEC] = T0 + sent++;
      pkt[Pkt.NSEC] = 0;
      pkt[Pkt.LINK] = 1;
      return 1;
    },
  };
  const ended: string[] = [];
  const core = createCore({ id: 0, memory, plan: PLAN, maxConnections: 1000, emit() {}, userError() {} });
  const sub: Subscription = {
    plan: PLAN,
    tracked: { open() {}, clear() {} },
    packetFilter: () => true,
    onL4FirstPacket: () => Action.TRACK,
    onL4Terminated(_c, reason) {
      ended.push(`${core.clock[0] - T0} ${END_REASON_NAMES[reason]}`);
    },
  };
  return { core, source, sub, parsers: [], seed: 1, ended };
}

test('runs to the end of the input: timers on the way, the rest is drained', async () => {
  const run = setup(100, () => END_OF_INPUT);
  await rxLoop(run);
  assert.is(run.ended.length, 100);
  assert.is(run.ended[0], '60 inactivity_timeout');
  assert.is(run.ended.filter((e) => e.endsWith('drain')).length, 61);
  assert.ok(run.ended.includes('99 drain'));
});

test('a fault of the input is thrown after all before it was ended', async () => {
  const run = setup(3, () => {
    throw new InputError('x.pcap', 77, 'is cut');
  });
  try {
    await rxLoop(run);
    assert.unreachable();
  } catch (error) {
    assert.instance(error, InputError);
  }
  assert.equal(run.ended, ['0 drain', '1 drain', '2 drain']);
});

test('other errors pass through without further deliveries', async () => {
  const run = setup(3, () => {
    throw new TypeError('user code');
  });
  try {
    await rxLoop(run);
    assert.unreachable();
  } catch (error) {
    assert.instance(error, TypeError);
  }
  assert.equal(run.ended, []);
});

test('stops when told to, between rounds, and drains', async () => {
  let asked = 0;
  const run = setup(3, () => 0);
  await rxLoop({ ...run, stopped: () => ++asked === 5 });
  assert.is(asked, 5);
  assert.is(run.ended.length, 3);
});

test('a silent port ends its idle connections by the clock', async () => {
  const run = setup(2, () => 0, true);
  await rxLoop({ ...run, stopped: () => true });
  assert.equal(run.ended, ['60 inactivity_timeout', '61 inactivity_timeout']);
});

test.run();
