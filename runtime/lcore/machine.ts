/** What the machine offers to live ports: cores, hugepages, interfaces, permissions. Read from Linux's /proc and /sys. */
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { basename } from 'node:path';
import type { NativeAddon } from '../source/dpdk.ts';

const HUGEPAGES = '/sys/kernel/mm/hugepages';

/** Bytes in hugepages of every size: all and free. */
export function hugepages(): { readonly totalBytes: number; readonly freeBytes: number } {
  let totalBytes = 0;
  let freeBytes = 0;
  if (existsSync(HUGEPAGES)) {
    for (const folder of readdirSync(HUGEPAGES)) {
      const kilobytes = Number(/^hugepages-(\d+)kB$/.exec(folder)?.[1] ?? 0);
      totalBytes += kilobytes * 1024 * readNumber(`${HUGEPAGES}/${folder}/nr_hugepages`);
      freeBytes += kilobytes * 1024 * readNumber(`${HUGEPAGES}/${folder}/free_hugepages`);
    }
  }
  return { totalBytes, freeBytes };
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
export function driverOf(address: string): string | undefined {
  try {
    return basename(readlinkSync(`/sys/bus/pci/devices/${address}/driver`));
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
