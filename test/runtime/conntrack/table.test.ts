/** The connection table against a Map, through long histories of opens, looks and removals. */
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { createConnTable } from '../../../runtime/conntrack/table.ts';
import { Meta, Pkt } from '../../../runtime/packet/layout.ts';
import { packetMemory } from '../../support/engine.ts';

const test = suite('connection table');
const STRIDE = 32;

interface Tuple {
  readonly v6: boolean;
  readonly src: number;
  readonly dst: number;
  readonly sport: number;
  readonly dport: number;
  readonly proto: number;
}

/** A table, and rows made from tuples; `hash` may be made as bad as wanted. */
function setup(maxConnections: number, hashOf: (t: Tuple) => number) {
  const pkt = new Int32Array(Pkt.STRIDE);
  const rec = new Int32Array((maxConnections + 1) * STRIDE);
  const addr6 = new Int32Array((maxConnections + 1) * 8);
  const memory = packetMemory(64, 0);
  const table = createConnTable({ memory, pkt, rec, addr6, maxConnections }, STRIDE);
  function row(t: Tuple): number {
    pkt[Pkt.L3] = 0;
    for (let i = 0; i < 3; i++) {
      memory.view.setInt32(8 + i * 4, 0x20010db8);
      memory.view.setInt32(24 + i * 4, 0x20010db8);
    }
    memory.view.setInt32(20, t.src);
    memory.view.setInt32(36, t.dst);
    // IPv6 rows carry hashes of addresses: here all alike, so that only the cold keys tell them apart.
    pkt[Pkt.SRC] = t.v6 ? 7 : t.src;
    pkt[Pkt.DST] = t.v6 ? 7 : t.dst;
    pkt[Pkt.PORTS] = (t.sport << 16) | t.dport;
    pkt[Pkt.META] = t.proto | Meta.IP | Meta.L4 | (t.v6 ? Meta.IPV6 : 0) | (0x12 << Meta.TCP_FLAGS_SHIFT);
    pkt[Pkt.HASH] = hashOf(t);
    return 0;
  }
  return { table, pkt, row };
}

const nameOf = (t: Tuple) => `${t.proto} ${t.v6} ${t.src}|${t.sport} ${t.dst}|${t.dport}`;
const turned = (t: Tuple): Tuple => ({ ...t, src: t.dst, dst: t.src, sport: t.dport, dport: t.sport });

const tuples: fc.Arbitrary<Tuple> = fc.record({
  v6: fc.boolean(),
  src: fc.integer({ min: -2, max: 2 }),
  dst: fc.integer({ min: -2, max: 2 }),
  sport: fc.constantFrom(1, 2, 65535),
  dport: fc.constantFrom(1, 2, 65535),
  proto: fc.constantFrom(6, 17),
});

const hashes: readonly [string, (t: Tuple) => number][] = [
  ['one hash for all', () => 5],
  ['hashes at the end of the index', () => -1],
  ['few hashes', (t) => Math.imul(t.src + t.dst, 3) & 7],
  ['a fair hash', (t) => Math.imul((t.src ^ t.dst) + (t.sport ^ t.dport) * 31 + t.proto, 0x9e3779b1)],
];

for (const [name, hashOf] of hashes) {
  test(`like a Map, with ${name}`, () => {
    const step = fc.tuple(fc.constantFrom('look', 'open', 'close'), tuples, fc.boolean());
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), fc.integer({ min: 1, max: 30 }), (steps, max) => {
        const { table, pkt, row } = setup(max, hashOf);
        const model = new Map<string, number>();
        for (const [what, tuple, flip] of steps) {
          const t = flip ? turned(tuple) : tuple;
          const there = model.get(nameOf(t));
          const back = model.get(nameOf(turned(t)));
          const p = row(t);
          const found = table.find(p);
          assert.is(found, there ?? back ?? 0);
          if (found !== 0) assert.is(pkt[Pkt.DIR], there !== undefined ? 0 : 1);
          if (what === 'open' && found === 0) {
            const c = table.insert(p, flip);
            assert.is(c === 0, model.size === max);
            if (c !== 0) model.set(nameOf(flip ? turned(t) : t), c);
            if (c !== 0) assert.is(pkt[Pkt.DIR], flip ? 1 : 0);
          }
          if (what === 'close' && found !== 0) {
            table.remove(found);
            model.delete(nameOf(t));
            model.delete(nameOf(turned(t)));
          }
          assert.is(table.used(), model.size);
          assert.is(new Set(model.values()).size, model.size);
        }
      }),
      { numRuns: 300 },
    );
  });
}

test('the way back is found where addresses have one hash, and ports are alike', () => {
  const { table, pkt, row } = setup(10, () => 1);
  const there: Tuple = { v6: true, src: 1, dst: 2, sport: 5, dport: 5, proto: 6 };
  const c = table.insert(row(there), false);
  for (const [tuple, dir] of [[there, 0] as const, [turned(there), 1] as const]) {
    assert.is(table.find(row(tuple)), c);
    assert.is(pkt[Pkt.DIR], dir);
  }
  assert.is(table.find(row({ ...there, src: 3 })), 0);
});

test('the latest number freed is the next one used', () => {
  const { table, row } = setup(10, () => 1);
  const a = table.insert(row({ v6: false, src: 1, dst: 2, sport: 1, dport: 1, proto: 6 }), false);
  const b = table.insert(row({ v6: false, src: 1, dst: 2, sport: 2, dport: 1, proto: 6 }), false);
  table.remove(a);
  table.remove(b);
  assert.is(table.insert(row({ v6: false, src: 1, dst: 2, sport: 3, dport: 1, proto: 6 }), false), b);
});

test.run();
