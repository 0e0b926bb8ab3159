/** What is looked at before DPDK starts: cores, interfaces, permissions, hugepages, the NUMA nodes of cores and devices. */
import type { Config } from '../config/config.ts';
import { type Device, optionValues } from '../config/device.ts';
import { DeviceError } from '../errors.ts';
import type { NativeAddon } from '../source/dpdk.ts';
import {
  availableCores,
  Capability,
  coreList,
  DPDK_DRIVERS,
  driverOf,
  hasCapability,
  hasInterface,
  hasPciDevice,
  inIommuGroup,
  nodeOfCore,
  SHARED_DRIVERS,
} from './machine.ts';

/** Bytes of a frame's headers below the MTU: Ethernet, two VLAN tags, checksum. */
const FRAME_OVERHEAD = 14 + 8 + 4;
const SMALLEST_BUFFER = 2048;
/** Bytes around the data of a packet buffer: headroom, alignment. */
const BUFFER_OVERHEAD = 192;

type Online = NonNullable<Config['online']>;

/** All cores of a configuration that get queues, ascending; sinks of devices that can have one included. */
export function receiveCores({ ports }: Online): readonly number[] {
  const sinks = ports.flatMap(({ device, sink }) => (sink !== undefined && device.kind === 'pci' ? [sink.core] : []));
  return [...new Set([...ports.flatMap((port) => port.cores), ...sinks])].sort((a, b) => a - b);
}

/** Bytes of one packet buffer, without headroom. */
export function dataRoomOf({ mtu }: Online): number {
  return Math.max(SMALLEST_BUFFER, mtu + FRAME_OVERHEAD);
}

/** Bytes of the packet memories of all cores. */
export function packetBytes(config: Config, online: Online): number {
  const each =
    config.mempool.capacity * (dataRoomOf(online) + BUFFER_OVERHEAD) + config.conntrack.max_out_of_order_bytes;
  return receiveCores(online).length * each;
}

/** What should be known where packets of a device go to a core of another NUMA node. */
export function nodeNotes(
  name: string,
  node: number,
  cores: readonly number[],
  nodeOf: (core: number) => number = nodeOfCore,
): string[] {
  if (node < 0) return [];
  const far = cores.filter((core) => nodeOf(core) >= 0 && nodeOf(core) !== node);
  if (far.length === 0) return [];
  const which = far.length > 1 ? `cores ${coreList(far)} are` : `core ${coreList(far)} is`;
  return [
    `${name}: on NUMA node ${node}, but ${which} not: each packet crosses between nodes, cores of node ${node} are faster`,
  ];
}

/** Throws DeviceError for a core that this process may not use. */
export function checkCores(addon: NativeAddon, config: Config): void {
  const available = availableCores(addon);
  const wanted: [string, number][] = [['main_core', config.mainCore]];
  config.online?.ports.forEach((port, i) => {
    for (const core of port.cores) wanted.push([`online.ports[${i}].cores`, core]);
    if (port.sink !== undefined) wanted.push([`online.ports[${i}].sink.core`, port.sink.core]);
  });
  for (const [key, core] of wanted) {
    if (available.includes(core)) continue;
    throw new DeviceError(
      `${config.file}: ${key}: core ${core} is not there; this process may run on ${coreList(available)}`,
    );
  }
}

/** Options of which a driver needs one. */
const OPTIONS: Readonly<Record<string, readonly string[]>> = {
  net_af_packet: ['iface'],
  net_af_xdp: ['iface'],
  net_pcap: ['rx_pcap', 'rx_iface', 'iface'],
};

/** The command that gives a PCI device to DPDK. */
export function bindHint(address: string, iommuGroup = true): string {
  const driver = iommuGroup ? 'vfio-pci' : 'uio_pci_generic';
  return `sudo modprobe ${driver} && sudo dpdk-devbind.py -b ${driver} ${address}  (its interface goes away)`;
}

function checkPci(address: string): void {
  if (!hasPciDevice(address))
    throw new DeviceError(`${address}: there is no such PCI device`, 'lspci -D | grep -i net');
  const driver = driverOf(address);
  if (driver !== undefined && ![...DPDK_DRIVERS, ...SHARED_DRIVERS].includes(driver)) {
    throw new DeviceError(
      `${address}: it is bound to the kernel's driver ${driver}`,
      bindHint(address, inIommuGroup(address)),
    );
  }
  if (!hasCapability(Capability.SYS_ADMIN) && driver !== 'vfio-pci') {
    throw new DeviceError(`${address}: this process may not use PCI devices`, 'run it as root: sudo npx iris-run …');
  }
}

/** Throws DeviceError for what can be known to fail before DPDK is asked. */
export function checkDevice(device: Device): void {
  if (device.kind === 'pci') {
    checkPci(device.address);
    return;
  }
  const needed = OPTIONS[device.driver];
  if (needed?.every((key) => optionValues(device, key).length === 0)) {
    const one = needed.map((key) => `${key}=…`).join(' or ');
    throw new DeviceError(`${device.name}: needs the option ${one}`, `write device = "${device.name},${needed[0]}=…"`);
  }
  // net_tap makes the interface that its options name.
  const keys = device.driver === 'net_tap' ? ['remote'] : ['iface', 'rx_iface', 'tx_iface'];
  for (const key of keys) {
    for (const name of optionValues(device, key)) {
      if (hasInterface(name)) continue;
      throw new DeviceError(`${device.name}: there is no network interface ${name}`, 'ip link shows those there are');
    }
  }
  if (device.driver === 'net_af_packet' && !hasCapability(Capability.NET_RAW)) {
    throw new DeviceError(
      `${device.name}: packet sockets need the right CAP_NET_RAW`,
      'run it as root: sudo npx iris-run …',
    );
  }
}
