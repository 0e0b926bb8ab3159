/** FiveTuple, StartTime, Lifespan, L4Pdu and ConnRecord, fed by the engine. */
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { L4Pdu } from '../../../runtime/conntrack/l4-pdu.ts';
import { Action } from '../../../runtime/conntrack/layout.ts';
import { ipv6Text } from '../../../runtime/datatypes/ip-text.ts';
import { StartTime } from '../../../runtime/datatypes/start-time.ts';
import { createEngine, type Frame } from '../../support/engine.ts';
import * as make from '../../support/frames.ts';
import { ACK, FIN, RST, SYN } from '../../support/frames.ts';

const test = suite('data types');
const T0 = 1_700_000_000;
const ACTIONS = Action.UPDATE | Action.TRACK;

function recordOf(frames: readonly Frame[]) {
  const engine = createEngine({ actions: ACTIONS, config: { init_data: true } });
  engine.run(frames);
  engine.drain();
  const [end] = engine.of('end');
  if (end?.record === undefined) throw new Error('no connection');
  return end.record;
}

test('IPv6 text follows RFC 5952', () => {
  const cases: [string, string][] = [
    ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['0:0:0:0:0:0:0:0', '::'],
    ['0:0:0:0:0:0:0:1', '::1'],
    ['fe80:0:0:0:0:0:0:0', 'fe80::'],
    ['1:0:0:0:2:0:0:0', '1::2:0:0:0'],
    ['1:0:0:2:0:0:0:3', '1:0:0:2::3'],
    ['ABCD:EF01:0023:4:5:6:7:8', 'abcd:ef01:23:4:5:6:7:8'],
    ['0:0:0:0:0:ffff:c0a8:0101', '::ffff:192.168.1.1'],
  ];
  for (const [long, short] of cases) {
    const bytes = make.address(long);
    const words = Int32Array.from({ length: 4 }, (_, i) => new DataView(bytes.buffer).getInt32(i * 4));
    assert.is(ipv6Text(words, 0), short);
  }
});

test('IPv6 text can be read back', () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom(0, 0, 0, 1, 0xffff, 0x12ab), { minLength: 8, maxLength: 8 }), (groups) => {
      const bytes = make.u16(...groups);
      const words = Int32Array.from({ length: 4 }, (_, i) => new DataView(bytes.buffer).getInt32(i * 4));
      const text = ipv6Text(words, 0);
      if (!text.includes('.')) assert.equal([...make.address(text)], [...bytes]);
    }),
    { numRuns: 500 },
  );
});

test('flyweights follow their connection; copies stay', () => {
  const kept: unknown[] = [];
  const engine = createEngine({
    actions: Action.UPDATE,
    sub: (core) => ({
      update(c, p) {
        const start = new StartTime(core);
        kept.push(core.fiveTuple.at(c).copy(), start.at(c).copy(), core.pdu.at(p).copy());
        return Action.UPDATE;
      },
    }),
  });
  engine.run([
    { ts: T0 + 0.25, bytes: make.tcp({ flags: SYN, seq: 1, src: '192.168.0.1', payload: 'syn data' }) },
    { ts: T0 + 1.5, bytes: make.udp({ src: '2001:db8::1', dst: '2001:db8::2', sport: 9, payload: 'datagram' }) },
  ]);
  engine.run([{ ts: T0 + 9, bytes: make.udp({ src: '1.1.1.1', payload: 'other' }) }]);
  const [tuple, start, pdu, tuple6, start6, pdu6] = kept as [unknown, StartTime, L4Pdu, unknown, StartTime, L4Pdu];
  assert.equal(JSON.parse(JSON.stringify(tuple)), {
    proto: 'tcp',
    orig_addr: '192.168.0.1',
    orig_port: 40000,
    resp_addr: '10.0.0.2',
    resp_port: 443,
  });
  assert.is(String(tuple6), 'udp [2001:db8::1]:9 -> [2001:db8::2]:53');
  assert.is(start.time, T0 + 0.25);
  assert.is(JSON.stringify(start6), String(T0 + 1.5));
  assert.instance(pdu, L4Pdu);
  assert.is(Buffer.from(pdu.payload).toString(), 'syn data');
  assert.is(pdu.frame.length, 62);
  assert.is(pdu.flags, SYN);
  assert.is(pdu.seqNo, 1);
  assert.is(pdu.sinceLast, 0);
  assert.is(pdu6.proto, 17);
  assert.is(pdu6.ipLength, 56);
  assert.is(Buffer.from(pdu6.copy().payload).toString(), 'datagram');
  assert.is((pdu6.toJSON() as { payload: string }).payload, Buffer.from('datagram').toString('hex'));
});

test('ConnRecord: counts, times and history of a whole connection', () => {
  const b = { sport: 5, dport: 80 };
  const r = recordOf([
    { ts: T0, bytes: make.tcp({ ...b, flags: SYN, seq: 10 }) },
    { ts: T0 + 0.5, bytes: make.tcp({ ...make.back(b), flags: SYN | ACK, seq: 20, ack: 11 }) },
    { ts: T0 + 0.6, bytes: make.tcp({ ...b, flags: ACK, seq: 11, ack: 21 }) },
    { ts: T0 + 0.7, bytes: make.tcp({ ...b, flags: ACK, seq: 11, ack: 21, payload: 'get' }) },
    { ts: T0 + 2.7, bytes: make.tcp({ ...b, flags: ACK, seq: 11, ack: 21, payload: 'get' }) },
    { ts: T0 + 2.8, bytes: make.tcp({ ...make.back(b), flags: ACK, seq: 21, ack: 14, payload: 'got it' }) },
    { ts: T0 + 2.9, bytes: make.tcp({ ...b, flags: FIN | ACK, seq: 14, ack: 27 }) },
    { ts: T0 + 3, bytes: make.tcp({ ...make.back(b), flags: FIN | ACK, seq: 27, ack: 15 }) },
    { ts: T0 + 3.1, bytes: make.tcp({ ...b, flags: ACK, seq: 15, ack: 28 }) },
  ]);
  assert.equal(Object.keys(r).slice(0, 5), ['proto', 'orig_addr', 'orig_port', 'resp_addr', 'resp_port']);
  assert.is(r.start, T0);
  assert.is(r.duration, 3.1);
  assert.is(r.second_packet, T0 + 0.5);
  assert.is(r.longest_silence, 2);
  assert.is(r.history, 'ShADTdFf');
  assert.is(r.ended, 'fin');
  const none = { malformed: 0, late_start: 0, content_gaps: 0, missed_bytes: 0, max_simultaneous_gaps: 0 };
  assert.equal(r.orig, { packets: 6, bytes: 246, payload_bytes: 6, retransmitted: 1, ...none });
  assert.equal(r.resp, { packets: 3, bytes: 126, payload_bytes: 6, retransmitted: 0, ...none });
});

/** Segments of one direction by their offset and length. */
function segments(parts: readonly (readonly [seq: number, length: number])[], isn = 0xfffffff0) {
  return recordOf([
    { ts: T0, bytes: make.tcp({ flags: SYN, seq: isn - 1 }) },
    ...parts.map(([seq, length], i) => ({
      ts: T0 + i,
      bytes: make.tcp({ flags: ACK, seq: isn + seq, payload: 'x'.repeat(length) }),
    })),
  ]).orig;
}

test('ConnRecord: holes open, are filled, and stay', () => {
  const gap = segments([
    [0, 10],
    [20, 10],
    [40, 10],
  ]);
  assert.equal([gap.content_gaps, gap.missed_bytes, gap.max_simultaneous_gaps], [2, 20, 2]);
  const filled = segments([
    [0, 10],
    [20, 10],
    [40, 10],
    [10, 10],
    [30, 10],
  ]);
  assert.equal([filled.content_gaps, filled.missed_bytes, filled.max_simultaneous_gaps], [0, 0, 2]);
  assert.is(filled.retransmitted, 0);
  const partly = segments([
    [0, 10],
    [30, 10],
    [10, 5],
    [25, 5],
  ]);
  assert.equal([partly.content_gaps, partly.missed_bytes], [1, 10]);
  const middle = segments([
    [0, 10],
    [40, 10],
    [20, 10],
  ]);
  assert.equal([middle.content_gaps, middle.missed_bytes], [2, 20]);
});

test('ConnRecord: missed bytes are right whatever comes, as long as few holes are open', () => {
  const part = fc.tuple(fc.nat(60), fc.integer({ min: 1, max: 30 }));
  fc.assert(
    fc.property(fc.array(part, { minLength: 1, maxLength: 12 }), (parts) => {
      const all: [number, number][] = [[0, 1], ...parts];
      const seen = new Set<number>();
      let end = 0;
      let most = 0;
      for (const [seq, length] of all) {
        for (let i = 0; i < length; i++) seen.add(seq + i);
        end = Math.max(end, seq + length);
        let holes = 0;
        for (let i = 1; i < end; i++) if (!seen.has(i) && seen.has(i - 1)) holes++;
        most = Math.max(most, holes);
      }
      fc.pre(most <= 1);
      let missing = 0;
      for (let i = 0; i < end; i++) if (!seen.has(i)) missing++;
      const r = segments(all);
      assert.is(r.missed_bytes, missing);
      assert.is(r.content_gaps, missing > 0 ? 1 : 0);
    }),
    { numRuns: 500 },
  );
});

test('ConnRecord: late starts, keep-alives, malformed packets, odd flags', () => {
  assert.is(
    segments([
      [-5, 3],
      [0, 4],
    ]).late_start,
    1,
  );
  const alive = segments([
    [0, 10],
    [9, 1],
    [9, 0],
  ]);
  assert.equal([alive.retransmitted, alive.content_gaps], [0, 0]);
  const bad = recordOf([{ ts: T0, bytes: make.udp({ payload: 'abc', udpLength: 100 }) }]);
  assert.is(bad.orig.malformed, 1);
  assert.is(recordOf([{ ts: T0, bytes: make.tcp({ flags: SYN | FIN, seq: 1 }) }]).history, 'QSF');
  const both = [
    { ts: T0, bytes: make.tcp({ flags: SYN, seq: 1 }) },
    { ts: T0, bytes: make.tcp({ flags: FIN | RST, seq: 2 }) },
  ];
  assert.is(recordOf(both).history, 'SIFR');
});

test.run();
