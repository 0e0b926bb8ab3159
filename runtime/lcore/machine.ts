/** What the machine offers to live ports: cores, hugepages, interfaces, permissions. Read from Linux's /proc and /sys. */
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { basename } from 'node:path';
import type { NativeAddon } from '../source/dpdk.ts';

const HUGEPAGES = '/sys/kernel/mm/hugepages';

/** Bytes in hugepages of every size: all and free. */
export function hugepages(): { readonly totalBytes: number; readonly freeBytes: number } {
  return { totalBytes: sumOfPages(HUGEPAGES, 'nr_hugepages'), freeBytes: sumOfPages(HUGEPAGES, 'free_hugepages') };
}

/** Bytes of the pages that `counter` tells, over all sizes of a folder. */
function sumOfPages(folder: string, counter: string): number {
  if (!existsSync(folder)) return 0;
  return readdirSync(folder).reduce((sum, size) => {
    const kilobytes = Number(/^hugepages-(\d+)kB$/.exec(size)?.[1] ?? 0);
    return sum + kilobytes * 1024 * readNumber(`${folder}/${size}/${counter}`);
  }, 0);
}

/** NUMA node of a core, -1 where the machine tells none. */
export function nodeOfCore(core: number, sys = '/sys'): number {
  const folder = `${sys}/devices/system/cpu/cpu${core}`;
  const name = existsSync(folder) ? readdirSync(folder).find((entry) => /^node\d+$/.test(entry)) : undefined;
  return name === undefined ? -1 : Number(name.slice('node'.length));
}

/** A NUMA node: its cores, and its hugepages of every size in bytes. */
export interface NumaNode {
  readonly node: number;
  /** As the system writes it, `0-3,8`. */
  readonly cores: string;
  readonly hugepageBytes: number;
}

export function numaNodes(sys = '/sys'): readonly NumaNode[] {
  const folder = `${sys}/devices/system/node`;
  if (!existsSync(folder)) return [];
  const names = readdirSync(folder).filter((name) => /^node\d+$/.test(name));
  return names
    .map((name) => ({
      node: Number(name.slice('node'.length)),
      cores: readText(`${folder}/${name}/cpulist`).trim(),
      hugepageBytes: sumOfPages(`${folder}/${name}/hugepages`, 'nr_hugepages'),
    }))
    .sort((a, b) => a.node - b.node);
}

/** A network card on PCI. */
export interface NetworkCard {
  /** `0000:3b:00.0` */
  readonly address: string;
  /** Vendor and device, `8086:1572`. */
  readonly id: string;
  /** The kernel driver that it is bound to. */
  readonly driver: string | undefined;
  /** NUMA node, -1: none. */
  readonly node: number;
  readonly iommuGroup: boolean;
}

/** All PCI devices of the class network controller (PCI class 02h). */
export function networkCards(sys = '/sys'): readonly NetworkCard[] {
  const folder = `${sys}/bus/pci/devices`;
  if (!existsSync(folder)) return [];
  const found = readdirSync(folder).filter((address) => readText(`${folder}/${address}/class`).startsWith('0x02'));
  return found.sort().map((address) => {
    const hex = (name: string) => readText(`${folder}/${address}/${name}`).trim().replace(/^0x/, '');
    const node = Number.parseInt(readText(`${folder}/${address}/numa_node`), 10);
    return {
      address,
      id: `${hex('vendor')}:${hex('device')}`,
      driver: driverOf(address, sys),
      node: Number.isNaN(node) ? -1 : node,
      iommuGroup: inIommuGroup(address, sys),
    };
  });
}

/** Whether an IOMMU translates for the device. */
export function inIommuGroup(address: string, sys = '/sys'): boolean {
  return existsSync(`${sys}/bus/pci/devices/${address}/iommu_group`);
}

export function hasPciDevice(address: string, sys = '/sys'): boolean {
  return existsSync(`${sys}/bus/pci/devices/${address}`);
}

/** Drivers by which DPDK gets hold of a device; a few kernel drivers (mlx5_core, …) work beside DPDK and are not among them. */
export const DPDK_DRIVERS: readonly string[] = ['vfio-pci', 'uio_pci_generic', 'igb_uio'];
/** Kernel drivers that stay bound while DPDK uses the device. */
export const SHARED_DRIVERS: readonly string[] = ['mlx4_core', 'mlx5_core', 'mana'];

/** Whether the kernel's IOMMU is on, how many groups there are, and whether vfio-pci may do without. */
export function iommu(sys = '/sys'): {
  readonly groups: number;
  readonly vfio: boolean;
  readonly withoutIommu: boolean;
} {
  const groups = `${sys}/kernel/iommu_groups`;
  return {
    groups: existsSync(groups) ? readdirSync(groups).length : 0,
    vfio: existsSync(`${sys}/bus/pci/drivers/vfio-pci`),
    withoutIommu: readText(`${sys}/module/vfio/parameters/enable_unsafe_noiommu_mode`).trim() === 'Y',
  };
}

/** Whether transparent huge pages can be asked for. */
export function transparentHugepages(): boolean {
  return /\[(always|madvise)\]/.test(readText('/sys/kernel/mm/transparent_hugepage/enabled'));
}

/** Cores that this process may use. */
export function availableCores(addon: NativeAddon | undefined): readonly number[] {
  const cores = addon?.threadAffinity() ?? [];
  return cores.length > 0 ? cores : Array.from({ length: availableParallelism() }, (_, core) => core);
}

/** `0-3, 5` */
export function coreList(cores: readonly number[]): string {
  const parts: string[] = [];
  for (let i = 0; i < cores.length; ) {
    let j = i;
    while (cores[j + 1] === (cores[j] ?? 0) + 1) j++;
    parts.push(j > i ? `${cores[i]}-${cores[j]}` : `${cores[i]}`);
    i = j + 1;
  }
  return parts.join(', ');
}

/** Whether this process sees a network interface of that name. (/sys may show those of another network namespace.) */
export function hasInterface(name: string): boolean {
  return readText('/proc/self/net/dev')
    .split('\n')
    .some((line) => line.trim().startsWith(`${name}:`));
}

/** The kernel driver that a PCI device is bound to; undefined when none is, or there is no such device. */
export function driverOf(address: string, sys = '/sys'): string | undefined {
  try {
    return basename(readlinkSync(`${sys}/bus/pci/devices/${address}/driver`));
  } catch {
    return undefined;
  }
}

/** Whether DPDK must give the device physical addresses: it is bound to uio, or to vfio without an IOMMU. */
export function needsPhysicalAddresses(address: string): boolean {
  const driver = driverOf(address);
  if (driver === 'uio_pci_generic' || driver === 'igb_uio') return true;
  return driver === 'vfio-pci' && noIommu(address);
}

/** vfio marks the IOMMU groups that it made up for devices without one. */
function noIommu(address: string): boolean {
  return readText(`/sys/bus/pci/devices/${address}/iommu_group/name`).trim() === 'vfio-noiommu';
}

/** Capability numbers of linux/capability.h. */
export const enum Capability {
  NET_ADMIN = 12,
  NET_RAW = 13,
  SYS_ADMIN = 21,
}

export function hasCapability(capability: Capability): boolean {
  const mask = /^CapEff:\s*([0-9a-f]+)/m.exec(readText('/proc/self/status'))?.[1];
  return mask !== undefined && ((BigInt(`0x${mask}`) >> BigInt(capability)) & 1n) === 1n;
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function readNumber(path: string): number {
  return Number.parseInt(readText(path), 10) || 0;
}
