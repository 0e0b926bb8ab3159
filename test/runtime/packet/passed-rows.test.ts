import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { DECAP_ALL } from '../../../runtime/packet/decap-config.ts';
import { createDecoder } from '../../../runtime/packet/decode.ts';
import { Burst, Meta, type PacketMemory, Pkt } from '../../../runtime/packet/layout.ts';
import { ownerOf } from '../../../runtime/packet/owner.ts';
import { createPassOn, createTakePassed, Passed, type TakePassed } from '../../../runtime/packet/passed-rows.ts';
import { openCapture } from '../../../runtime/source/capture.ts';
import { END_OF_INPUT } from '../../../runtime/source/contract.ts';
import { buildPcap, captureFolder } from '../../support/captures.ts';
import { corpus, corpusEntries } from '../../support/corpus.ts';
import * as make from '../../support/frames.ts';

const test = suite('packet/passed-rows');
const folder = captureFolder();
test.after(() => folder.remove());

const SEED = 77;
const CORES = 3;
/** The words that a source and the decoder fill. */
const WORDS = Pkt.TS + 2;

/** Passes the frames of `pkt` on, and takes them as their owners do. */
function passing(memory: PacketMemory, link: number, tunnels: boolean) {
  const room = Burst.MAX * Passed.WORDS;
  const rows = new Int32Array(CORES * room + Passed.WORDS);
  const next = new Int32Array(CORES);
  const passOn = createPassOn(memory, rows, next, { seed: SEED, cores: CORES, tunnels, link });
  const bursts = Array.from({ length: CORES }, () => {
    const pkt = new Int32Array((Burst.MAX + Burst.SPARE_ROWS) * Pkt.STRIDE).fill(-1);
    const numbers = new Int32Array(Burst.MAX);
    return { pkt, numbers, take: createTakePassed(rows, pkt, numbers, link) as TakePassed };
  });
  return (pkt: Int32Array, n: number) => {
    for (let i = 0; i < CORES; i++) next[i] = i * room;
    for (let i = 0; i < n; i++) {
      const word = (w: number) => pkt[(i << Pkt.SHIFT) + w] ?? 0;
      passOn(word(Pkt.OFFSET), word(Pkt.CAPLEN), word(Pkt.WIRELEN), word(Pkt.SEC), word(Pkt.NSEC), i);
    }
    return bursts.map(({ pkt, numbers, take }, core) => {
      const count = take(core * room, next[core] ?? 0, Burst.MAX, Burst.MAX);
      assert.is(core * room + count * Passed.WORDS, next[core]);
      return { pkt, numbers: numbers.slice(0, count) };
    });
  };
}

/** What the frames of a capture become for their owners beside what the decoder makes of them. How many came decoded. */
function sameAsDecoded(pcap: string, tunnels = false): number {
  const source = openCapture(pcap);
  const pkt = new Int32Array((Burst.MAX + Burst.SPARE_ROWS) * Pkt.STRIDE);
  const decode = createDecoder(source.memory, pkt, { seed: SEED, ...(tunnels ? { decap: DECAP_ALL } : {}) });
  const links = new Map<number, ReturnType<typeof passing>>();
  let told = 0;
  for (let n = source.poll(pkt, Burst.MAX); n !== END_OF_INPUT; n = source.poll(pkt, Burst.MAX)) {
    decode(n);
    const link = pkt[Pkt.LINK] ?? 0;
    const pass = links.get(link) ?? passing(source.memory, link, tunnels);
    links.set(link, pass);
    const taken = new Int32Array(n);
    for (const [core, { pkt: own, numbers }] of pass(pkt, n).entries()) {
      numbers.forEach((number, i) => {
        const p = number << Pkt.SHIFT;
        const row = own.subarray(i << Pkt.SHIFT, (i << Pkt.SHIFT) + WORDS);
        const decoded = row[Pkt.META] !== 0;
        // What comes as the source had it comes to all.
        if (decoded || core === 0) taken[number] += 1;
        if (pkt[p + Pkt.LINK] !== link) return;
        if (!decoded) {
          assert.equal([...row.subarray(0, Pkt.L3)], [...pkt.subarray(p, p + Pkt.L3)]);
          return;
        }
        told++;
        assert.is(core, ownerOf(pkt[p + Pkt.HASH] ?? 0, CORES));
        assert.ok(((pkt[p + Pkt.META] ?? 0) & Meta.L4) !== 0);
        assert.equal([...row], [...pkt.subarray(p, p + WORDS)], `${pcap}, packet ${number}`);
      });
    }
    assert.ok(taken.every((times) => times === 1));
  }
  source.close();
  return told;
}

test('rows of plain frames, cut ones and those with padding too', () => {
  const payload = Buffer.from('some payload that is longer than a few bytes');
  const frames = [
    make.udp({ sport: 1000, dport: 53, payload }),
    make.udp({ sport: 1001, dport: 53, payload: Buffer.alloc(0) }),
    make.tcp({ sport: 1002, dport: 443, seq: 0x89abcdef, ack: 0xfedcba98, payload }),
    make.ethernet(0x88b5, payload),
  ];
  const packets = frames.flatMap((bytes, i) => [
    { sec: i, nsec: 999_999_000, bytes },
    { sec: 0x90000000 + i, nsec: 1000, bytes: Buffer.concat([bytes, Buffer.alloc(9)]) },
    { sec: i, nsec: 0, bytes: bytes.subarray(0, Math.max(60, bytes.length - 20)), wirelen: bytes.length },
  ]);
  const told = sameAsDecoded(folder.write('plain.pcap', buildPcap(packets)));
  assert.ok(told >= 6, `${told} came decoded`);
  assert.ok(sameAsDecoded(folder.write('plain.pcap', buildPcap(packets)), true) < told);
});

(corpus() === undefined ? test.skip : test)('what comes decoded of the corpus is what the decoder makes of it', () => {
  let told = 0;
  for (const { pcap } of corpusEntries(corpus() ?? '')) told += sameAsDecoded(pcap);
  assert.ok(told > 1000);
});

test.run();
