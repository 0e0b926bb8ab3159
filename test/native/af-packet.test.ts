/** net_af_packet over a veth pair in a network namespace of the test's own: frames, VLAN tags, hidden loss, fanout. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Burst, LinkType, Pkt } from '../../runtime/packet/layout.ts';
import type { DpdkAddon } from '../../runtime/source/dpdk.ts';
import { type DpdkPort, openDpdkPort } from '../../runtime/source/dpdk-port.ts';
import { addVethPair, canMakeVeth, dpdk, plugIn, startEal } from '../support/dpdk.ts';

const RING = 'blocksz=65536,framesz=2048,framecnt=1024';

/** A UDP frame between two addresses of 10.0.0.0/8. */
function udpFrame(src: number, dst: number, sport: number, dport: number, tag?: number): Uint8Array {
  const bytes = Buffer.alloc(64 + (tag === undefined ? 0 : 4));
  bytes.set([2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2]);
  let at = 12;
  if (tag !== undefined) {
    bytes.writeUInt16BE(0x8100, at);
    bytes.writeUInt16BE(tag, at + 2);
    at += 4;
  }
  bytes.writeUInt16BE(0x0800, at);
  at += 2;
  bytes.set([0x45, 0, 0, 50, 0, 0, 0, 0, 64, 17, 0, 0], at);
  bytes.writeUInt32BE(0x0a000000 + src, at + 12);
  bytes.writeUInt32BE(0x0a000000 + dst, at + 16);
  let sum = 0;
  for (let i = 0; i < 20; i += 2) sum += bytes.readUInt16BE(at + i);
  bytes.writeUInt16BE(~((sum & 0xffff) + (sum >>> 16)) & 0xffff, at + 10);
  bytes.writeUInt16BE(sport, at + 20);
  bytes.writeUInt16BE(dport, at + 22);
  bytes.writeUInt16BE(30, at + 24);
  return bytes;
}

/** Polls until `count` frames came or a second is over. */
function collect(source: DpdkPort, count: number): Buffer[] {
  const frames: Buffer[] = [];
  const end = Date.now() + 1000;
  while (frames.length < count && Date.now() < end) {
    const n = source.poll(source.pkt, Burst.MAX);
    for (let i = 0; i < n; i++) {
      const at = source.pkt[(i << Pkt.SHIFT) + Pkt.OFFSET];
      frames.push(Buffer.from(source.memory.bytes.subarray(at, at + source.pkt[(i << Pkt.SHIFT) + Pkt.CAPLEN])));
    }
  }
  return frames;
}

function tests(addon: DpdkAddon): void {
  const test = suite('af_packet');
  test.before(() => {
    addVethPair();
    startEal(addon);
    addon.threadRegister();
  });
  test.after(() => {
    addon.threadUnregister();
    addon.ealStop();
  });
  const queue = (port: number, number = 0) => ({
    port,
    queue: number,
    linkType: LinkType.ETHERNET,
    packetTimes: false,
    finite: false,
  });
  const detach = (source: DpdkPort, memory: number) => {
    source.close();
    addon.memoryDetach(memory, source.memory.bytes.buffer as ArrayBuffer);
  };

  test('frames arrive whole, with the VLAN tag that the kernel takes out', () => {
    const a = plugIn(addon, `net_af_packet0,iface=irisa,${RING}`);
    const b = plugIn(addon, `net_af_packet1,iface=irisb,${RING}`);
    const source = openDpdkPort(addon, { memory: b.memory, queues: [queue(b.port)] });
    const sent = [udpFrame(1, 2, 1000, 53), udpFrame(1, 2, 1001, 53, 77), udpFrame(2, 1, 53, 1000)];
    for (const frame of sent) assert.ok(addon.portSend(a.port, 0, a.memory, frame));
    const got = collect(source, sent.length);
    assert.is(got.length, sent.length);
    got.forEach((frame, i) => {
      assert.equal(frame, Buffer.from(sent[i] ?? []));
    });
    assert.is(addon.portInfo(b.port).driver, 'net_af_packet');
    detach(source, b.memory);
    a.remove();
    b.remove();
  });

  test('loss in the socket ring is counted, though the driver is silent', () => {
    const a = plugIn(addon, `net_af_packet0,iface=irisa,${RING}`);
    const b = plugIn(addon, `net_af_packet1,iface=irisb,blocksz=65536,framesz=2048,framecnt=64`);
    const source = openDpdkPort(addon, { memory: b.memory, queues: [queue(b.port)] });
    let sent = 0;
    for (let i = 0; i < 500; i++) if (addon.portSend(a.port, 0, a.memory, udpFrame(1, 2, i, 53))) sent++;
    assert.is(sent, 500);
    const received = collect(source, sent).length;
    const stats = addon.portStats(b.port);
    assert.is(stats.imissed, 0);
    assert.ok(stats.socketDrops > 0, 'no drops');
    assert.is(received + stats.socketDrops, sent);
    assert.is(addon.portStats(b.port).socketDrops, stats.socketDrops, 'drops are a running sum');
    detach(source, b.memory);
    a.remove();
    b.remove();
  });

  test('qpairs=2: both directions of a flow reach the same queue', () => {
    const a = plugIn(addon, `net_af_packet0,iface=irisa,${RING}`);
    const memories = [0, 1].map(() =>
      addon.memoryCreate({ capacity: 4095, cacheSize: 64, dataRoom: 2048, slabLength: 4096, socket: -1 }),
    );
    const port = addon.deviceProbe(`net_af_packet1,iface=irisb,qpairs=2,${RING}`);
    addon.portConfigure(port, { memories, rxDescriptors: 256, mtu: 0, rss: false });
    addon.portStart(port, true);
    const sources = memories.map((memory, i) => openDpdkPort(addon, { memory, queues: [queue(port, i)] }));
    const flows = 200;
    for (let i = 0; i < flows; i++) {
      addon.portSend(a.port, 0, a.memory, udpFrame(i, 70_000 + 3 * i, 1024 + i, 443));
      addon.portSend(a.port, 0, a.memory, udpFrame(70_000 + 3 * i, i, 443, 1024 + i));
    }
    const got = sources.map((source) => collect(source, 2 * flows));
    assert.is((got[0]?.length ?? 0) + (got[1]?.length ?? 0), 2 * flows);
    assert.ok(
      got.every((frames) => frames.length > flows / 4),
      'one queue gets nearly everything',
    );
    const portsOf = (frames: Buffer[]) => frames.map((f) => Math.max(f.readUInt16BE(34), f.readUInt16BE(36)));
    for (const frames of got) {
      const counts = new Map<number, number>();
      for (const number of portsOf(frames)) counts.set(number, (counts.get(number) ?? 0) + 1);
      for (const [number, count] of counts) assert.is(count, 2, `flow of port ${number} was split`);
    }
    sources.forEach((source, i) => {
      detach(source, memories[i] ?? 0);
    });
    addon.portStop(port);
    addon.deviceRemove(port);
    for (const memory of memories) addon.memoryFree(memory);
    a.remove();
  });
  test.run();
}

const addon = dpdk();
if (addon === undefined || !canMakeVeth()) {
  const test = suite('af_packet');
  test.skip('needs DPDK and the right to make network namespaces', () => {});
  test.run();
} else if (process.env.IRIS_TEST_NETNS === undefined) {
  const env = { ...process.env, IRIS_TEST_NETNS: '1' };
  const args = ['--net', process.execPath, ...process.execArgv, fileURLToPath(import.meta.url)];
  process.exitCode = spawnSync('unshare', args, { stdio: 'inherit', env }).status ?? 1;
} else {
  tests(addon);
}
