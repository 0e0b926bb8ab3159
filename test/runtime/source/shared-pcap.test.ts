import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { InputError } from '../../../runtime/errors.ts';
import { Burst, Pkt } from '../../../runtime/packet/layout.ts';
import { openCapture, plainPcap } from '../../../runtime/source/capture.ts';
import { END_OF_INPUT } from '../../../runtime/source/contract.ts';
import { sharedPcapSource } from '../../../runtime/source/shared-pcap.ts';
import { leaveSharedPcap, sharePcap } from '../../../runtime/source/shared-pcap-memory.ts';
import { buildPcap, captureFolder, type TestPacket } from '../../support/captures.ts';
import * as make from '../../support/frames.ts';

const test = suite('shared pcap');
const folder = captureFolder();
test.after(() => folder.remove());

const SEED = 77;
const RESOLUTION = 0.1;

/** Datagrams of many lengths between changing ports, every seventh a frame whose owner cannot be told. */
function packets(count: number, longest: number): TestPacket[] {
  return Array.from({ length: count }, (_, i) => {
    const payload = Buffer.alloc(20 + ((i * 7919) % longest), i & 0xff);
    payload.writeUInt32BE(i, 0);
    const plain = make.udp({ sport: 1000 + (i % 97), dport: 53, payload });
    return {
      sec: 1000 + (i >> 4),
      nsec: (i & 15) * 1_000_000,
      bytes: i % 7 === 6 ? make.ethernet(0x88b5, payload) : plain,
    };
  });
}

/** What one core is told of a capture: its packets, by number, bytes and all, and the ticks between them. */
function reader(file: string, cores: number, core: number, shared = share(file, cores)) {
  const source = sharedPcapSource(shared, { core, seed: SEED, tunnels: false, resolution: RESOLUTION });
  const pkt = new Int32Array((Burst.MAX + Burst.SPARE_ROWS) * Pkt.STRIDE);
  const seen: { number: number; sec: number; bytes: string }[] = [];
  const ticks: { number: number; time: number }[] = [];
  return {
    source,
    seen,
    ticks,
    /** One poll; false at the end. */
    step(max = Burst.MAX as number): boolean {
      const n = source.poll(pkt, max);
      if (n === END_OF_INPUT || source.part === undefined) return false;
      for (let i = 0; i < n; i++) {
        const p = i << Pkt.SHIFT;
        const bytes = source.memory.bytes.slice(
          pkt[p + Pkt.OFFSET],
          (pkt[p + Pkt.OFFSET] ?? 0) + (pkt[p + Pkt.CAPLEN] ?? 0),
        );
        const number = source.part.first() + (source.part.numbers[i] ?? 0);
        seen.push({ number, sec: pkt[p + Pkt.SEC] ?? 0, bytes: Buffer.from(bytes).toString('latin1') });
      }
      const time = source.part.tick();
      if (!Number.isNaN(time))
        ticks.push({ number: source.part.first() + (source.part.numbers[Burst.MAX] ?? 0), time });
      return true;
    },
  };
}

function share(file: string, cores: number) {
  const format = plainPcap(file);
  if (format === undefined) throw new Error(`${file} is no pcap file`);
  return sharePcap(file, format, cores, 4096);
}

/** All cores of this thread, none so far ahead that another would have to be waited for. */
function readAll(file: string, cores: number) {
  const shared = share(file, cores);
  const all = Array.from({ length: cores }, (_, core) => reader(file, cores, core, shared));
  const live = new Set(all);
  for (let turn = 0; live.size > 0; turn++) {
    const least = Math.min(...[...live].map(({ source }) => source.stats.packets));
    for (const one of live) {
      if (one.source.stats.packets > least) continue;
      if (!one.step(1 + ((turn * 13) % 64))) {
        live.delete(one);
        one.source.close();
      }
    }
  }
  return all;
}

test("every packet comes to one core, in order; frames that may be anybody's to all", () => {
  // Some 12 MB: the ring goes round several times.
  const list = packets(9000, 2600);
  const file = folder.write('long.pcap', buildPcap(list));
  for (const cores of [1, 2, 3]) {
    const all = readAll(file, cores);
    const owners = new Map<number, number>();
    for (const { seen, source } of all) {
      assert.is(source.stats.packets, list.length);
      assert.is(
        source.stats.bytes,
        list.reduce((sum, { bytes }) => sum + bytes.length, 0),
      );
      seen.forEach(({ number, sec, bytes }, i) => {
        if (i > 0) assert.ok((seen[i - 1]?.number ?? 0) < number);
        owners.set(number, (owners.get(number) ?? 0) + 1);
        assert.is(sec, list[number]?.sec);
        assert.ok(bytes === Buffer.from(list[number]?.bytes ?? []).toString('latin1'), `packet ${number}`);
      });
    }
    list.forEach((_, i) => {
      assert.is(owners.get(i), i % 7 === 6 ? cores : 1);
    });
    if (cores > 1) assert.ok(all.every(({ seen }) => seen.length > 9000 / 7 + 500));
  }
});

test('a length on the wire beyond any frame is no fault', () => {
  const list = packets(100, 400).map((packet, i) => (i === 40 ? { ...packet, wirelen: 0x90000000 } : packet));
  for (const { source } of readAll(folder.write('wirelen.pcap', buildPcap(list)), 2)) {
    assert.is(source.stats.packets, list.length);
    const bytes = list.reduce((sum, packet) => sum + Math.min(packet.wirelen ?? packet.bytes.length, 0x3fffffff), 0);
    assert.is(source.stats.bytes, bytes);
  }
});

test('very many cores read smaller chunks, so that a worker can be given the rows of all', () => {
  const list = packets(600, 400);
  const file = folder.write('many.pcap', buildPcap(list));
  for (const cores of [48, 128]) {
    const { rows, chunkBytes } = share(file, cores);
    assert.ok(rows.byteLength < 2 ** 32 && structuredClone(rows).length === rows.length);
    assert.ok(chunkBytes < share(file, 2).chunkBytes);
  }
  const seen = readAll(file, 48).flatMap(({ seen }) => seen.map(({ number }) => number));
  assert.is(new Set(seen).size, list.length);
});

test('all cores are told of the same ticks, before the packets that begin them', () => {
  const list = packets(3000, 400);
  const all = readAll(folder.write('ticks.pcap', buildPcap(list)), 2);
  const expected = list.flatMap(({ sec }, i) =>
    i === 0 || sec !== list[i - 1]?.sec ? [{ number: i, time: sec }] : [],
  );
  for (const { ticks } of all) assert.equal(ticks, expected);
});

test("records longer than chunks, and longer than the ring's last place", () => {
  const list = Array.from({ length: 120 }, (_, i): TestPacket => {
    const bytes = Buffer.alloc(i % 3 === 0 ? 200_000 : 1000, i);
    return { sec: i, nsec: 0, bytes };
  });
  for (const { seen } of readAll(folder.write('large.pcap', buildPcap(list)), 2)) {
    assert.is(seen.length, list.length);
    seen.forEach(({ bytes }, i) => {
      assert.ok(bytes === Buffer.from(list[i]?.bytes ?? []).toString('latin1'), `packet ${i}`);
    });
  }
});

function faultOf(run: () => unknown): InputError {
  try {
    run();
  } catch (error) {
    if (error instanceof InputError) return error;
    throw error;
  }
  throw new Error('no fault');
}

/** The fault of a single reader, and how many packets come before it. */
function single(file: string) {
  const source = openCapture(file);
  const pkt = new Int32Array((Burst.MAX + Burst.SPARE_ROWS) * Pkt.STRIDE);
  const fault = faultOf(() => {
    while (source.poll(pkt, Burst.MAX) !== END_OF_INPUT);
  });
  return { fault, packets: source.stats.packets };
}

test('broken files: the same fault as a single reader finds, behind the same packets', () => {
  const whole = buildPcap(packets(2000, 700));
  const corrupt = Buffer.from(whole);
  // The length of a record in the middle of the file.
  let at = 24;
  for (let i = 0; i < 1234; i++) at += 16 + corrupt.readUInt32LE(at + 8);
  corrupt.writeUInt32LE(0x7fffff, at + 8);
  const cases = [whole.subarray(0, whole.length - 5), whole.subarray(0, at + 7), corrupt];
  cases.forEach((bytes, i) => {
    const file = folder.write(`broken-${i}.pcap`, bytes);
    const expected = single(file);
    const shared = share(file, 2);
    for (const core of [0, 1]) {
      const one = reader(file, 2, core, shared);
      // The other core is not run: it must not be waited for.
      leaveSharedPcap(shared, 1 - core);
      const fault = faultOf(() => {
        while (one.step());
      });
      assert.is(fault.message, expected.fault.message);
      assert.is(one.source.stats.packets, expected.packets);
      one.source.close();
      break;
    }
  });
});

test('a core that died stops the others, whatever it had claimed', () => {
  const file = folder.write('died.pcap', buildPcap(packets(9000, 2600)));
  const shared = share(file, 2);
  const one = reader(file, 2, 0, shared);
  one.step();
  // As if the other had claimed all that follows.
  Atomics.store(shared.ring, 0, 1000);
  leaveSharedPcap(shared, 1, true);
  assert.match(
    faultOf(() => {
      while (one.step());
    }).message,
    'died',
  );
});

test.run();
