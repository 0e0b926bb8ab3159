/** Bursts of the addon on virtual devices: what arrives in the rows, what is held, what returns to the pool. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Burst, Hold, LinkType, Pkt } from '../../runtime/packet/layout.ts';
import { END_OF_INPUT } from '../../runtime/source/contract.ts';
import { type DpdkPort, openDpdkPort } from '../../runtime/source/dpdk-port.ts';
import { buildPcap, captureFolder, type TestPacket } from '../support/captures.ts';
import { dpdk, plugIn, startEal, type TestPort } from '../support/dpdk.ts';

const addon = dpdk();
const test = suite('receive');
const folder = captureFolder();
if (addon === undefined) {
  test.skip('DPDK is not built in', () => {});
} else {
  const native = addon;
  test.before(() => {
    startEal(native);
    native.threadRegister();
  });
  test.after(() => {
    native.threadUnregister();
    native.ealStop();
    folder.remove();
  });

  /** Opens the device, runs the body, and checks that not one packet is missing from the pool at the end. */
  function onDevice(
    devargs: string,
    body: (source: DpdkPort, device: TestPort) => void,
    finite = false,
    targets?: readonly (number | undefined)[],
  ): void {
    const device = plugIn(native, devargs);
    const source = openDpdkPort(native, {
      memory: device.memory,
      queues: [
        {
          port: device.port,
          queue: 0,
          linkType: LinkType.ETHERNET,
          packetTimes: finite,
          finite,
          ...(targets === undefined ? {} : { targets }),
        },
      ],
    });
    try {
      body(source, device);
    } finally {
      source.close();
    }
    native.portStop(device.port);
    native.deviceRemove(device.port);
    assert.is(device.inUse(), 0, 'packets missing from the pool');
    native.memoryDetach(device.memory, source.memory.bytes.buffer as ArrayBuffer);
    assert.is(source.memory.bytes.length, 0, 'the buffer is still attached');
    native.memoryFree(device.memory);
  }

  const bytesOf = (source: DpdkPort, row: number) => {
    const p = row << Pkt.SHIFT;
    const at = source.pkt[p + Pkt.OFFSET];
    return Buffer.from(source.memory.bytes.subarray(at, at + source.pkt[p + Pkt.CAPLEN]));
  };
  const frame = (length: number, seed: number) => Uint8Array.from({ length }, (_, i) => (i * 7 + seed * 31) & 0xff);

  test('net_ring: rows hold what was sent', () => {
    onDevice('net_ring0', (source, device) => {
      const lengths = [60, 61, 128, 1514, 2048];
      lengths.forEach((length, i) => {
        assert.ok(native.portSend(device.port, 0, device.memory, frame(length, i)));
      });
      const before = Math.floor(Date.now() / 1000);
      assert.is(source.poll(source.pkt, Burst.MAX), lengths.length);
      lengths.forEach((length, i) => {
        const p = i << Pkt.SHIFT;
        assert.equal(bytesOf(source, i), Buffer.from(frame(length, i)));
        assert.is(source.pkt[p + Pkt.WIRELEN], length);
        assert.is(source.pkt[p + Pkt.LINK], LinkType.ETHERNET | (device.port << 16));
        assert.is(source.pkt[p + Pkt.HOLD], 0);
        const sec = source.pkt[p + Pkt.SEC] >>> 0;
        assert.ok(sec >= before && sec <= before + 2, `second ${sec}`);
        assert.ok(source.pkt[p + Pkt.NSEC] >= 0 && source.pkt[p + Pkt.NSEC] < 1e9);
      });
      assert.is(device.inUse(), lengths.length);
      assert.is(source.poll(source.pkt, Burst.MAX), 0);
      assert.is(device.inUse(), 0, 'the burst was not given back');
      assert.is(source.stats.packets, lengths.length);
      assert.is(
        source.stats.bytes,
        lengths.reduce((a, b) => a + b),
      );
      assert.ok(source.live);
    });
  });

  test('net_ring: at most what was asked for', () => {
    onDevice('net_ring1', (source, device) => {
      for (let i = 0; i < 10; i++) native.portSend(device.port, 0, device.memory, frame(64, i));
      assert.is(source.poll(source.pkt, 4), 4);
      assert.equal(bytesOf(source, 3), Buffer.from(frame(64, 3)));
      assert.is(source.poll(source.pkt, 64), 6);
      assert.equal(bytesOf(source, 0), Buffer.from(frame(64, 4)));
    });
  });

  test('held packets survive until they are released', () => {
    onDevice('net_ring2', (source, device) => {
      for (let i = 0; i < 3; i++) native.portSend(device.port, 0, device.memory, frame(100, i));
      assert.is(source.poll(source.pkt, 64), 3);
      source.pkt[(1 << Pkt.SHIFT) + Pkt.HOLD] = 1;
      const offset = source.pkt[(1 << Pkt.SHIFT) + Pkt.OFFSET];
      for (let round = 0; round < 3000; round++) {
        native.portSend(device.port, 0, device.memory, frame(100, round & 7));
        assert.is(source.poll(source.pkt, 64), 1);
        assert.is.not(source.pkt[Pkt.OFFSET], offset, 'a held buffer was used again');
      }
      assert.equal(Buffer.from(source.memory.bytes.subarray(offset, offset + 100)), Buffer.from(frame(100, 1)));
      assert.is(source.release(Int32Array.of(offset, offset), 2), 1, 'released once');
      assert.is(source.release(Int32Array.of(1 << 30, -5), 2), 0, 'offsets that are no packet');
      source.poll(source.pkt, 64);
      assert.is(device.inUse(), 0);
    });
  });

  test('closing gives held packets back', () => {
    onDevice('net_ring3', (source, device) => {
      for (let i = 0; i < 40; i++) native.portSend(device.port, 0, device.memory, frame(100, i));
      assert.is(source.poll(source.pkt, 64), 40);
      for (let i = 0; i < 20; i++) source.pkt[(i << Pkt.SHIFT) + Pkt.HOLD] = 1;
      source.poll(source.pkt, 64);
      assert.is(device.inUse(), 20);
    });
  });

  test('net_null: endless bursts, nothing lost from the pool', () => {
    onDevice('net_null0,size=80', (source, device) => {
      for (let i = 0; i < 5000; i++) assert.is(source.poll(source.pkt, 64), 64);
      assert.is(source.pkt[Pkt.CAPLEN], 80);
      assert.ok(device.inUse() >= 64 && device.inUse() <= 256, `${device.inUse()} in use`);
    });
  });

  test('net_pcap: a capture is not at its end while a core has packets of it to take', () => {
    const packets: TestPacket[] = [60, 80, 100].map((length, i) => ({ sec: i, nsec: 0, bytes: frame(length, i) }));
    const file = folder.write('shared.pcap', buildPcap(packets));
    const ring = native.ringCreate(2047);
    onDevice(
      `net_pcap1,rx_pcap=${file}`,
      (source, device) => {
        assert.is(source.poll(source.pkt, 64), packets.length);
        for (let i = 0; i < packets.length; i++) source.pkt[(i << Pkt.SHIFT) + Pkt.HOLD] = Hold.FOR_CORE - 1;
        for (let i = 0; i < 1000; i++) assert.is(source.poll(source.pkt, 64), 0);
        const other = openDpdkPort(native, {
          memory: device.memory,
          packets: source.memory,
          queues: [{ port: device.port, queue: 0, linkType: LinkType.ETHERNET, packetTimes: true, finite: true, ring }],
        });
        assert.is(other.poll(other.pkt, 64), packets.length);
        other.close();
        let polls = 0;
        let n = 0;
        while (n !== END_OF_INPUT && polls++ < 10_000) n = source.poll(source.pkt, 64);
        assert.is(n, END_OF_INPUT);
      },
      true,
      [undefined, ring],
    );
    native.ringFree(ring);
  });

  test('net_pcap: bytes, times, frames of many segments, the end', () => {
    const packets: TestPacket[] = [60, 1514, 2048, 2049, 9000, 65_000, 61].map((length, i) => ({
      sec: 1_700_000_000 + i,
      nsec: 123_456_000 + i * 1000,
      bytes: frame(length, i),
    }));
    const file = folder.write('big.pcap', buildPcap(packets));
    onDevice(
      `net_pcap0,rx_pcap=${file}`,
      (source) => {
        assert.not.ok(source.live);
        assert.is(source.poll(source.pkt, 64), packets.length);
        packets.forEach((packet, i) => {
          const p = i << Pkt.SHIFT;
          assert.is(source.pkt[p + Pkt.CAPLEN], packet.bytes.length);
          assert.ok(bytesOf(source, i).equals(packet.bytes), `bytes of packet ${i}`);
          assert.is(source.pkt[p + Pkt.SEC], packet.sec);
          assert.is(source.pkt[p + Pkt.NSEC], packet.nsec);
          assert.is(source.pkt[p + Pkt.HOLD], packet.bytes.length > 2048 ? -1 : 0);
        });
        let polls = 0;
        let n = 0;
        while (n !== END_OF_INPUT && polls++ < 10_000) n = source.poll(source.pkt, 64);
        assert.is(n, END_OF_INPUT);
        assert.is(source.stats.packets, packets.length);
      },
      true,
    );
  });

  test('faults are said', () => {
    assert.throws(() => native.deviceProbe('net_pcap9,rx_pcap=/no/such/file'));
    assert.ok(native.ealLog().some((line) => line.includes('/no/such/file')));
    assert.throws(() => native.deviceProbe('net_nosuchdriver0'));
    assert.throws(() => native.rxBurst(4711, 64), /closed/);
    assert.throws(() => native.memoryAttach(4711), /no packet memory/);
    assert.throws(() => native.portInfo(4711), /no such port/);
    assert.throws(() => native.threadPin(5000), /core/);
    assert.throws(() => native.ealStart(['test']), /already/);
    const memory = { capacity: 1_000_000, cacheSize: 0, dataRoom: 9000, slabLength: 0, socket: -1 };
    assert.throws(() => native.memoryCreate(memory), /2 GiB/);
  });

  test('a memory in use is not freed', () => {
    const device = plugIn(native, 'net_null7');
    const source = openDpdkPort(native, {
      memory: device.memory,
      queues: [{ port: device.port, queue: 0, linkType: 1, packetTimes: false, finite: false }],
    });
    assert.throws(() => native.memoryFree(device.memory), /attached/);
    assert.throws(() => native.memoryAttach(device.memory), /already/);
    assert.throws(() => native.ealStop(), /in use/);
    source.close();
    source.close();
    assert.throws(() => source.poll(source.pkt, 64), /closed/);
    native.memoryDetach(device.memory, source.memory.bytes.buffer as ArrayBuffer);
    device.remove();
  });
}
test.run();
