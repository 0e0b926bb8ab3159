/** DPDK for tests: one EAL per process, devices plugged in and out by each test. */

import { execFileSync, spawnSync } from 'node:child_process';
import { type DpdkAddon, loadDpdk } from '../../runtime/source/dpdk.ts';

/** The addon with DPDK, or undefined where it is not built. */
export function dpdk(): DpdkAddon | undefined {
  try {
    return loadDpdk();
  } catch {
    return undefined;
  }
}

/** Starts the EAL without hugepages. */
export function startEal(addon: DpdkAddon): void {
  const core = String(addon.threadAffinity()[0] ?? 0);
  addon.ealStart(['test', '-l', core, '--no-huge', '--no-shconf', '-m', '256', '--no-telemetry', '--no-pci']);
}

export interface TestPort {
  readonly port: number;
  readonly memory: number;
  /** Packets of the memory that are out of its pool. */
  inUse(): number;
  /** Stops and unplugs the device and frees the memory. */
  remove(): void;
}

export const CAPACITY = 2047;

/** Plugs a device in with one queue, or several with RSS, over a memory of its own. */
export function plugIn(addon: DpdkAddon, devargs: string, dataRoom = 2048, queues = 1): TestPort {
  const memory = addon.memoryCreate({ capacity: CAPACITY, cacheSize: 64, dataRoom, slabLength: 4096, socket: -1 });
  const port = addon.deviceProbe(devargs);
  addon.portConfigure(port, {
    memories: Array.from({ length: queues }, () => memory),
    rxDescriptors: 256,
    mtu: 0,
    rss: queues > 1,
  });
  addon.portStart(port, true);
  return {
    port,
    memory,
    inUse: () => addon.memoryInfo(memory).inUse,
    remove() {
      addon.portStop(port);
      addon.deviceRemove(port);
      addon.memoryFree(memory);
    },
  };
}

/** Whether this process may make network namespaces and veth pairs. */
export function canMakeVeth(): boolean {
  const command = 'ip link add irisa type veth peer name irisb';
  return spawnSync('unshare', ['--net', 'sh', '-c', command], { stdio: 'ignore' }).status === 0;
}

/** A veth pair, `irisa` and `irisb`, up and silent, in the namespace of the caller, which takes it along when it ends. */
export function addVethPair(): void {
  execFileSync('ip', 'link add irisa type veth peer name irisb'.split(' '));
  for (const name of ['irisa', 'irisb']) {
    execFileSync('sh', ['-c', `echo 1 > /proc/sys/net/ipv6/conf/${name}/disable_ipv6 2>/dev/null || true`]);
    execFileSync('ip', ['link', 'set', name, 'up']);
  }
}
