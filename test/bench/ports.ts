/**
 * Stages that receive from a virtual DPDK device instead of a capture: what a burst costs, and the whole path behind it.
 * net_null makes empty frames of 64 bytes; net_pcap with infinite_rx plays a small capture from memory for ever.
 */
import { createCore } from '../../runtime/core.ts';
import { rxLoop } from '../../runtime/lcore/rx-loop.ts';
import { createDecoder } from '../../runtime/packet/decode.ts';
import { Burst, LinkType } from '../../runtime/packet/layout.ts';
import { END_OF_INPUT, type PacketSource } from '../../runtime/source/contract.ts';
import { type DpdkAddon, loadDpdk } from '../../runtime/source/dpdk.ts';
import { attachMemory, openDpdkPort } from '../../runtime/source/dpdk-port.ts';
import type { Core, Plan, Subscription } from '../../runtime/subscription/contract.ts';
import type { Counts } from './stages.ts';

/** Packets received in one run. */
const PACKETS = 10_000_000;
/** Buffers of the packet memory: what infinite_rx preloads must fit. */
const CAPACITY = 16_383;

/** Whether the addon is built with DPDK. */
export function havePorts(): boolean {
  try {
    loadDpdk();
    return true;
  } catch {
    return false;
  }
}

/** A core whose packets come from `device`, and a source that ends after {@link PACKETS}. */
function receive(
  device: string,
  plan: Plan,
  maxConnections: number,
): { core: ReturnType<typeof createCore>; source: PacketSource } {
  const addon: DpdkAddon = loadDpdk();
  const cpu = `${addon.threadAffinity()[0] ?? 0}`;
  addon.ealStart(['bench', '-l', cpu, '--no-huge', '--no-shconf', '-m', '256', '--no-telemetry', '--no-pci']);
  addon.threadRegister();
  const memory = addon.memoryCreate({
    capacity: CAPACITY,
    cacheSize: 256,
    dataRoom: 2048,
    slabLength: 1 << 20,
    socket: -1,
  });
  const port = addon.deviceProbe(device);
  addon.portConfigure(port, { memories: [memory], rxDescriptors: 512, mtu: 0, rss: false });
  addon.portStart(port, true);
  const packets = attachMemory(addon, memory);
  const userError = (name: string, _c: number, cause: unknown) => {
    throw new Error(name, { cause });
  };
  const core = createCore({ id: 0, memory: packets, plan, maxConnections, emit() {}, userError });
  const queues = [{ port, queue: 0, linkType: LinkType.ETHERNET, packetTimes: false, finite: false }];
  const queue = openDpdkPort(addon, { memory, packets, pkt: core.pkt, queues });
  let left = PACKETS;
  const source: PacketSource = {
    memory: packets,
    live: true,
    stats: queue.stats,
    poll(pkt, most) {
      if (left <= 0) return END_OF_INPUT;
      const n = queue.poll(pkt, most);
      left -= n;
      return n;
    },
    close: queue.close,
  };
  return { core, source };
}

const COUNTS: Counts = { packets: PACKETS, bytes: 0, delivered: 0, connPackets: 0, connBytes: 0 };

/** Bursts of net_null into the rows, nothing read. */
export function receiveOnly(plan: Plan): () => Counts {
  const { core, source } = receive('net_null0,size=64', plan, 1);
  return () => {
    while (source.poll(core.pkt, Burst.MAX) !== END_OF_INPUT);
    return COUNTS;
  };
}

/** Frames of `capture` over and over, decoded. */
export function receiveAndDecode(capture: string, plan: Plan): () => Counts {
  const { core, source } = receive(`net_pcap0,rx_pcap=${capture},infinite_rx=1`, plan, 1);
  const decode = createDecoder(source.memory, core.pkt, { seed: 1 });
  return () => {
    for (;;) {
      const n = source.poll(core.pkt, Burst.MAX);
      if (n === END_OF_INPUT) return COUNTS;
      if (n > 0) decode(n);
    }
  };
}

/** The whole path behind the device. */
export function receiveAndTrack(
  capture: string,
  plan: Plan,
  start: (core: Core) => Subscription,
): () => Promise<Counts> {
  const { core, source } = receive(`net_pcap0,rx_pcap=${capture},infinite_rx=1`, plan, 100_000);
  const sub = start(core);
  return async () => {
    await rxLoop({ core, source, sub, parsers: [], seed: 1 });
    return COUNTS;
  };
}
