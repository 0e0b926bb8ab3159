/** Names of devices as they stand in `online.ports[].device`: PCI addresses and DPDK's virtual devices. */

export interface PciDevice {
  readonly kind: 'pci';
  /** As in `0000:3b:00.0`. */
  readonly address: string;
}

export interface VirtualDevice {
  readonly kind: 'virtual';
  /** As in `net_pcap0`. */
  readonly name: string;
  /** As in `net_pcap`. */
  readonly driver: string;
  /** In the order given; a key may come more than once (`rx_pcap`). */
  readonly options: readonly (readonly [key: string, value: string])[];
}

export type Device = PciDevice | VirtualDevice;

const PCI = /^(?:([0-9a-fA-F]{4,8}):)?([0-9a-fA-F]{2}):([0-9a-fA-F]{2})\.([0-7])$/;
const VIRTUAL = /^((?:net|eth)_[a-z][a-z0-9_]*?)(\d*)$/;

/** What {@link parseDevice} accepts, in words. */
export const DEVICE_ALLOWED =
  'a PCI address (0000:3b:00.0) or a virtual device (net_pcap0,rx_pcap=FILE; net_af_packet0,iface=NAME; net_null0; net_ring0)';

/** Reads a device's name; undefined when it is none. */
export function parseDevice(text: string): Device | undefined {
  const pci = PCI.exec(text.trim());
  if (pci !== null) {
    const [, domain = '0000', bus, slot, fn] = pci;
    return { kind: 'pci', address: `${domain}:${bus}:${slot}.${fn}`.toLowerCase() };
  }
  const [name = '', ...parts] = text.trim().split(',');
  const virtual = VIRTUAL.exec(name);
  if (virtual?.[1] === undefined) return undefined;
  const options: (readonly [string, string])[] = [];
  for (const part of parts) {
    const equals = part.indexOf('=');
    if (equals <= 0) return undefined;
    options.push([part.slice(0, equals).trim(), part.slice(equals + 1).trim()]);
  }
  return { kind: 'virtual', name, driver: virtual[1], options };
}

/** The device as DPDK takes it. */
export function deviceArguments(device: Device): string {
  if (device.kind === 'pci') return device.address;
  return [device.name, ...device.options.map(([key, value]) => `${key}=${value}`)].join(',');
}

/** All values of one option. */
export function optionValues(device: Device, key: string): string[] {
  return device.kind === 'pci' ? [] : device.options.filter(([k]) => k === key).map(([, value]) => value);
}

/** The captures that a device plays, each to its end; empty for any other device. */
export function playedCaptures(device: Device): string[] {
  if (device.kind !== 'virtual' || device.driver !== 'net_pcap') return [];
  if (optionValues(device, 'infinite_rx').some((value) => value !== '0')) return [];
  return optionValues(device, 'rx_pcap');
}
