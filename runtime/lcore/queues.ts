/** Which core gets which receive queue of a port: by the device's RSS, by its kernel's fanout, or by the cores themselves. */
import type { PortConfig } from '../config/config.ts';
import { deviceArguments, optionValues } from '../config/device.ts';
import { DeviceError } from '../errors.ts';
import type { DpdkAddon, PortInfo } from '../source/dpdk.ts';

export interface QueuePlan {
  /** Core of each queue. */
  readonly cores: readonly number[];
  readonly rss: boolean;
  /** The last queue is the sink's. */
  readonly sink: boolean;
  /** Nothing but the cores themselves can share out its packets. */
  readonly inSoftware?: boolean;
  readonly note?: string;
}

/** Virtual devices say that they offer RSS and ignore it; for these drivers something else spreads flows, or nothing. */
export function planQueues(port: PortConfig, info: PortInfo, links: readonly number[]): QueuePlan {
  const { device, cores } = port;
  const [first = 0] = cores;
  const inSoftware = cores.length > 1;
  if (links.length > 0) return { cores: links.map(() => first), rss: false, sink: false, inSoftware };
  if (port.sink !== undefined && device.kind === 'pci' && info.rss && info.maxRxQueues > cores.length) {
    return { cores: [...cores, port.sink.core], rss: true, sink: true };
  }
  if (cores.length === 1) return { cores: [first], rss: false, sink: false };
  if (device.kind === 'virtual') {
    if (info.driver !== 'net_af_packet') return { cores: [first], rss: false, sink: false, inSoftware };
    // The kernel spreads packets over the sockets of a fanout group by a hash that is alike for both directions.
    const pairs = Number(optionValues(device, 'qpairs')[0] ?? 1);
    if (pairs !== cores.length) {
      throw new DeviceError(
        `${info.name}: ${cores.length} cores need as many queues, and it has ${pairs}`,
        `write device = "${deviceArguments({ ...device, options: [...device.options.filter(([k]) => k !== 'qpairs'), ['qpairs', String(cores.length)]] })}"`,
      );
    }
    return {
      cores,
      rss: false,
      sink: false,
      note: `${info.name}: while a core is overloaded, the kernel sends its packets to another core, which splits connections`,
    };
  }
  if (!info.rss) return { cores: [first], rss: false, sink: false, inSoftware };
  if (cores.length > info.maxRxQueues) {
    throw new DeviceError(`${info.name}: ${cores.length} cores need as many queues, and it has ${info.maxRxQueues}`);
  }
  return { cores, rss: true, sink: false };
}

/** The cores that share packets in software; none when the devices do it, or each port has a core of its own. */
export function teamOf(
  planned: readonly { readonly name: string; readonly port: PortConfig; readonly plan: QueuePlan }[],
): readonly number[] {
  const shared = planned.find(({ plan }) => plan.inSoftware === true);
  if (shared === undefined) return [];
  const { cores } = shared.port;
  const other = planned.find(({ port }) => port.cores.join() !== cores.join());
  if (other !== undefined) {
    throw new DeviceError(
      `${shared.name} cannot spread flows over cores by itself, and ${other.name} has other cores than it`,
      `give all ports the same cores, or ${shared.name} one core`,
    );
  }
  const byItself = planned.find(({ plan }) => plan.inSoftware !== true);
  if (byItself !== undefined) {
    throw new DeviceError(
      `${shared.name} cannot spread flows over cores by itself, and ${byItself.name} can`,
      `give ${shared.name} one core of its own`,
    );
  }
  return cores;
}

/** What a device cannot give of what the configuration asks for. */
export function limitNotes(
  name: string,
  { maxMtu, maxRxDescriptors }: Pick<PortInfo, 'maxMtu' | 'maxRxDescriptors'>,
  { mtu, rxDescriptors }: { readonly mtu: number; readonly rxDescriptors: number },
): readonly string[] {
  const notes: string[] = [];
  if (maxMtu < mtu)
    notes.push(`${name}: takes an MTU of ${maxMtu} at most, not ${mtu}: it drops packets that are longer`);
  if (maxRxDescriptors < rxDescriptors) {
    notes.push(`${name}: has room for ${maxRxDescriptors} descriptors a queue, not ${rxDescriptors} (online.nb_rxd)`);
  }
  return notes;
}

/** What should be known of a port's RSS. Throws DeviceError for one that would send the two directions of a flow apart. */
export function rssNotes(name: string, state: ReturnType<DpdkAddon['rssState']>): readonly string[] {
  switch (state) {
    case 'symmetric':
      return [];
    case 'no ports':
      return [`${name}: its RSS leaves out TCP and UDP ports: all connections between two hosts come to one core`];
    case 'unknown':
      return [
        `${name}: it does not tell its RSS key: if it has not taken ours, the two directions of a flow come apart`,
      ];
    case 'other key':
      throw new DeviceError(
        `${name}: it has not taken the symmetric RSS key, and would send the two directions of a flow to different cores`,
        `give ${name} one core of its own`,
      );
  }
}
