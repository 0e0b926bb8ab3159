/** Data types of the library that are made from ends and frames, by hand. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Action } from '../../../runtime/conntrack/layout.ts';
import { CommunityId } from '../../../runtime/datatypes/community-id.ts';
import { ConnDuration } from '../../../runtime/datatypes/conn-duration.ts';
import { EthAddr, EtherTCI } from '../../../runtime/datatypes/ethernet.ts';
import { AnonFiveTuple, ClearedFiveTuple } from '../../../runtime/datatypes/masked-five-tuples.ts';
import { BidirPktStream, OrigPktStream } from '../../../runtime/datatypes/packet-streams.ts';
import { packValues, unpackValues } from '../../../runtime/dispatch/transfer.ts';
import { createEngine, type Frame } from '../../support/engine.ts';
import * as make from '../../support/frames.ts';
import { SYN } from '../../support/frames.ts';

const test = suite('data types of the library');
const T0 = 1_700_000_000;

interface Kept {
  readonly id: CommunityId;
  readonly anon: AnonFiveTuple;
  readonly cleared: ClearedFiveTuple;
  readonly took: ConnDuration;
  readonly eth: EthAddr;
  readonly tag: EtherTCI;
}

/** Of every packet what the data types say, kept past it. */
function keptOf(frames: readonly Frame[]): readonly Kept[] {
  const kept: Kept[] = [];
  const engine = createEngine({
    actions: Action.UPDATE,
    sub: (core) => ({
      update(c, p) {
        const pdu = core.pdu.at(p);
        kept.push({
          id: new CommunityId(core).at(c).copy(),
          anon: new AnonFiveTuple(core).at(c).copy(),
          cleared: new ClearedFiveTuple(core).at(c).copy(),
          took: new ConnDuration(core).at(c).copy(),
          eth: new EthAddr(pdu),
          tag: new EtherTCI(pdu),
        });
        return Action.UPDATE;
      },
    }),
  });
  engine.run(frames);
  return kept;
}

test('Community IDs of the published examples, in both directions', () => {
  const tcp = { src: '128.232.110.120', sport: 34855, dst: '66.35.250.204', dport: 80 };
  const udp = { src: '192.168.1.52', sport: 54585, dst: '8.8.8.8', dport: 53 };
  const six = { src: '2001:470:e5bf:dead:4957:2174:e82c:4887', sport: 63943, dst: '2607:f8b0:400c:c03::1a', dport: 25 };
  const [a, b, c, d] = keptOf([
    { ts: T0, bytes: make.tcp({ ...tcp, flags: SYN, seq: 1 }) },
    { ts: T0, bytes: make.udp({ ...udp, payload: 'x' }) },
    { ts: T0, bytes: make.tcp({ ...six, flags: SYN, seq: 1 }) },
    { ts: T0, bytes: make.udp({ src: udp.dst, sport: udp.dport, dst: udp.src, dport: udp.sport, payload: 'x' }) },
  ]);
  assert.is(a?.id.value, '1:LQU9qZlK+B5F3KDmev6m5PMibrg=');
  assert.is(JSON.stringify(b?.id), '"1:d/FP5EW3wiY1vCndhwleRRKHowQ="');
  assert.is(String(c?.id), '1:/qFaeAR+gFe1KYjMzVDsMv+wgU4=');
  assert.is(d?.id.value, b?.id.value);
});

test('pseudonyms permute the hosts of a network, and of IPv6 the interface', () => {
  const hosts = Array.from({ length: 256 }, (_, i) => ({
    ts: T0,
    bytes: make.udp({ src: `10.1.2.${i}`, dst: '8.8.8.8', sport: 1000 + i, payload: 'x' }),
  }));
  const kept = keptOf(hosts);
  const names = new Set(kept.map(({ anon }) => anon.origAddr));
  assert.is(names.size, 256);
  assert.ok([...names].every((name) => name.startsWith('10.1.2.')));
  assert.ok(kept.filter(({ anon }, i) => anon.origAddr === `10.1.2.${i}`).length < 16);
  assert.ok(kept.every(({ cleared }) => cleared.origAddr === '10.1.2.0' && cleared.respAddr === '8.8.8.0'));

  const [one, other, again] = keptOf(
    ['2001:db8:1:2::5', '2001:db8:1:2::6', '2001:db8:1:2::5'].map((src, i) => ({
      ts: T0,
      bytes: make.udp({ src, dst: '2001:db8::1:2:3:4', sport: 1 + i, payload: 'x' }),
    })),
  );
  assert.is(one?.anon.origAddr, again?.anon.origAddr);
  assert.is.not(one?.anon.origAddr, other?.anon.origAddr);
  assert.ok(one?.anon.origAddr.startsWith('2001:db8:1:2:'));
  assert.is(one?.anon.respAddr, '2001:db8::1:2:3:4');
  assert.equal([one?.cleared.origAddr, one?.cleared.respAddr], ['2001:db8:1:2::', '2001:db8::']);
});

test('Ethernet addresses and the innermost tag, or none', () => {
  const plain = make.udp({ payload: 'x' });
  const tagged = (...tags: readonly number[]): Uint8Array =>
    new Uint8Array([...plain.subarray(0, 12), ...tags, ...plain.subarray(12)]);
  const [none, one, two, raw] = keptOf([
    { ts: T0, bytes: plain },
    { ts: T0, bytes: tagged(0x81, 0, 0xb0, 0x2a) },
    { ts: T0, bytes: tagged(0x88, 0xa8, 0, 1, 0x81, 0, 0, 2) },
    { ts: T0, bytes: plain.subarray(14), link: 101 },
  ]);
  const hex = (at: number): string =>
    Array.from(plain.subarray(at, at + 6), (byte) => byte.toString(16).padStart(2, '0')).join(':');
  assert.equal([none?.eth.dst, none?.eth.src], [hex(0), hex(6)]);
  assert.is(JSON.stringify(none?.tag), 'null');
  assert.equal(one?.tag.toJSON(), { tci: 0xb02a, priority: 5, drop_eligible: true, vlan_id: 42 });
  assert.equal([two?.tag.vlanId, two?.tag.priority, two?.tag.dropEligible], [2, 0, false]);
  assert.equal(raw?.eth.toJSON(), { src: null, dst: null });
  assert.is(raw?.tag.vlanId, undefined);
});

test('they cross to other threads as what they are', () => {
  const [, kept] = keptOf([
    { ts: T0, bytes: make.udp({ src: '10.0.0.9', dst: '10.0.1.9', payload: 'x' }) },
    { ts: T0 + 2, bytes: make.udp({ src: '10.0.0.9', dst: '10.0.1.9', payload: 'x' }) },
  ]);
  const values = Object.values(kept ?? {});
  const crossed = unpackValues(packValues(values));
  assert.equal(JSON.stringify(crossed), JSON.stringify(values));
  assert.equal(
    crossed.map((one) => (one as object).constructor.name),
    values.map((one: object) => one.constructor.name),
  );
});

test('packet lists keep what came, up to their bound', () => {
  const all = new BidirPktStream();
  const orig = new OrigPktStream();
  const engine = createEngine({
    actions: Action.UPDATE,
    sub: (core) => ({
      update(_c, p) {
        all.update(core.pdu.at(p));
        orig.update(core.pdu.at(p));
        return Action.UPDATE;
      },
    }),
  });
  const big = 'x'.repeat(60_000);
  for (let i = 0; i < 300; i++) {
    const ends = i % 3 === 2 ? make.back({ sport: 7, dport: 8 }) : { sport: 7, dport: 8 };
    engine.run([{ ts: T0 + i, bytes: make.udp({ ...ends, payload: big }) }]);
  }
  const frame = all.packets[0]?.frame.length ?? 0;
  assert.is(all.packets.length, Math.ceil((16 << 20) / frame));
  assert.is(all.packets.length + all.omitted, 300);
  assert.is(orig.packets.length, 200);
  assert.ok(orig.packets.every((packet) => packet.fromOrig && packet.payload.length === big.length));
  assert.is(JSON.parse(JSON.stringify(orig)).length, 200);
});

test.run();
