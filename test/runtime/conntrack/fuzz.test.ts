/**
 * The whole engine under hostile packets and fickle subscriptions: it never throws, tells each connection's life in
 * order, and gives back every record, stream and slab cell.
 */
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Action } from '../../../runtime/conntrack/layout.ts';
import { Parse, type ParserFactory, Probe, type SessionParser } from '../../../runtime/protocols/contract.ts';
import { createEngine, type Frame, packetMemory, type Told } from '../../support/engine.ts';
import * as make from '../../support/frames.ts';
import { ACK, FIN, RST, SYN } from '../../support/frames.ts';

const test = suite('engine fuzzing');
const T0 = 1_700_000_000;
/** A slab of just the eight cells that the last check wants: three quarters of it are for segments, 1536 bytes each. */
const memory = packetMemory(1 << 16, (8 * 1536 * 4) / 3);

/** A parser whose word depends on the bytes it gets. */
const fickle: ParserFactory = {
  name: 'fickle',
  proto: 1,
  over: ['tcp', 'udp'],
  create(): SessionParser {
    let ready = 0;
    const word = (bytes: Uint8Array, offset: number) => (bytes[offset] ?? 0) % 5;
    return {
      probe: (_orig, bytes, offset) =>
        [Probe.NO, Probe.MAYBE, Probe.YES, Probe.TUNNEL, Probe.MAYBE][word(bytes, offset)] ?? 0,
      parse(_orig, bytes, offset, length) {
        const said = word(bytes, offset);
        if (said === 3) throw new Error('hostile');
        ready += said;
        if (said === 4 && length > 1) return bytes[offset + 1] % 2 === 0 ? Parse.SWITCH : Parse.STOP;
        return said === 4 ? Parse.STOP : said === 0 ? Parse.MORE : Parse.READY;
      },
      rest: () => 1,
      gap: (_orig, missed) => (missed % 3 === 0 ? Parse.STOP : Parse.MORE),
      end() {
        ready++;
      },
      take: () => (ready-- > 0 ? { proto: 1 } : null),
      reset() {
        ready = 0;
      },
    };
  },
};

const step = fc.record({
  wait: fc.constantFrom(0, 0, 0.01, 0.2, 4, 31, 70, 301),
  flow: fc.nat(5),
  back: fc.boolean(),
  udp: fc.constantFrom(false, false, false, true),
  flags: fc.constantFrom(SYN, SYN | ACK, ACK, ACK, ACK, ACK, FIN | ACK, FIN, RST, RST | ACK, 0, 0x1ff),
  seq: fc.oneof(fc.integer({ min: -40, max: 400 }), fc.constantFrom(0x40000000, -1, 100_000)),
  ack: fc.integer({ min: -2, max: 400 }),
  data: fc.uint8Array({ maxLength: 60 }),
  cut: fc.constantFrom(0, 0, 0, 5),
});

/** A connection's life, told in order: opened once, cleared once, nothing before or after, at most one end. */
function checkLives(told: readonly Told[]): void {
  const open = new Set<string>();
  const ended = new Set<string>();
  for (const { what, conn } of told) {
    if (what === 'open') {
      assert.not(open.has(conn), 'opened twice');
      open.add(conn);
      continue;
    }
    assert.ok(open.has(conn), `${what} without open`);
    if (what === 'end') {
      assert.not(ended.has(conn), 'ended twice');
      ended.add(conn);
    } else if (what === 'clear') {
      open.delete(conn);
      ended.delete(conn);
    } else {
      assert.not(ended.has(conn), `${what} after the end`);
    }
  }
  assert.is(open.size, 0);
}

test('hostile packets, changing minds', () => {
  const seed = Number(process.env.FUZZ_SEED ?? Date.now() % 1_000_000);
  const numRuns = Number(process.env.FUZZ_RUNS ?? 1500);
  console.log(`seed ${seed}, ${numRuns} runs`);
  fc.assert(
    fc.property(
      fc.array(step, { minLength: 1, maxLength: 120 }),
      fc.array(fc.nat(31), { minLength: 1, maxLength: 30 }),
      fc.constantFrom('drop_new' as const, 'evict_embryonic' as const, 'evict_oldest' as const),
      fc.constantFrom('skip' as const, 'drop' as const),
      fc.integer({ min: 1, max: 5 }),
      fc.constantFrom(1, 5, 64),
      (steps, minds, on_full, on_gap, room, burst) => {
        let asked = 0;
        const mind = () => minds[asked++ % minds.length] ?? 0;
        const engine = createEngine({
          memory,
          maxConnections: room,
          parsers: [fickle, { ...fickle, name: 'second', proto: 2 }],
          config: {
            on_full,
            on_gap,
            max_streams: 2,
            max_out_of_order: 6,
            init_data: true,
            init_synack: true,
            init_rst: true,
            init_fin: true,
            max_probe_bytes: 40,
          },
          sub: (_core, base) => ({
            onL4FirstPacket: mind,
            update: mind,
            onL4EndHshk(c, p) {
              base.onL4EndHshk?.(c, p);
              return mind();
            },
            onL4Stream(c, p) {
              base.onL4Stream?.(c, p);
              return mind();
            },
            onL7OnDisc(c, proto) {
              base.onL7OnDisc?.(c, proto);
              return mind();
            },
            onL7EndHdrs(c, session) {
              base.onL7EndHdrs?.(c, session);
              return mind();
            },
          }),
        });
        let ts = T0;
        const frames = steps.map((s): Frame => {
          ts += s.wait;
          const o = { sport: 1000 + s.flow, dport: 80, payload: s.data };
          const t = { ...o, flags: s.flags, seq: s.seq + 1000, ack: s.ack + 1000 };
          const bytes = s.udp ? make.udp(s.back ? make.back(o) : o) : make.tcp(s.back ? make.back(t) : t);
          return { ts, bytes: bytes.slice(0, Math.max(60, bytes.length - s.cut)), wirelen: bytes.length };
        });
        engine.run(frames, burst);
        engine.drain(ts + 1000);
        checkLives(engine.told);
        assert.is(engine.tracker.connections(), 0);

        // Nothing leaked: with constant wishes, all streams and all cells can be had again.
        minds.fill(Action.STREAM | Action.TRACK);
        const before = engine.counters();
        const again: Frame[] = [];
        for (let i = 0; i < Math.min(2, room); i++) {
          const o = { sport: 5000 + i, seq: 100 };
          again.push({ ts: ts + 2000, bytes: make.tcp({ ...o, flags: SYN }) });
          for (let k = 0; k < 4; k++) {
            again.push({ ts: ts + 2000, bytes: make.tcp({ ...o, seq: 200 + 20 * k, payload: 'kept' }) });
          }
        }
        engine.run(again, 64);
        const after = engine.counters();
        assert.is(after.streams_refused, before.streams_refused);
        assert.is(after.reassembly_overflows, before.reassembly_overflows);
        engine.drain(ts + 9000);
        assert.is(engine.tracker.connections(), 0);
      },
    ),
    { seed, numRuns },
  );
});

test.run();
