/**
 * The one file that loads the addon `iris_native`, and the type of everything it offers. All functions throw a plain `Error`
 * whose message is the fault in words; callers turn it into a `DeviceError` that says what to do.
 *
 * The addon keeps state per process (EAL, ports, packet memories, by number) and per thread (readers, registration). A
 * worker that exits, or is terminated in the middle of a poll, gives back its packets and its registration by itself.
 */
import { createRequire } from 'node:module';
import { addonPath } from '../addons.ts';
import { DeviceError } from '../errors.ts';

/** What every build of the addon offers, with DPDK or without. */
export interface NativeAddon {
  /** Built with DPDK; else nothing of {@link DpdkAddon} is there. */
  readonly haveDpdk: boolean;
  /** As in `DPDK 22.11.11`, empty without DPDK. */
  readonly dpdkVersion: string;
  /** Pins the calling thread to one core (Linux). */
  threadPin(core: number): void;
  /** The cores that the calling thread may run on, ascending. */
  threadAffinity(): number[];
  /**
   * Sends bytes `from` to `to` - 1 through the socket `fd` as far as it takes them now; how many, or the negative number
   * of the system's error.
   */
  sendNow(fd: number, bytes: Uint8Array, from: number, to: number): number;
}

/** Settings of {@link DpdkAddon.memoryCreate}. */
export interface MemorySettings {
  /** Packets; DPDK likes 2^n - 1. */
  readonly capacity: number;
  /** Packets that a core keeps to itself; at most 512 and less than capacity / 1.5. */
  readonly cacheSize: number;
  /** Bytes of one packet buffer, without headroom. */
  readonly dataRoom: number;
  /** Bytes of the tracker's slab. */
  readonly slabLength: number;
  /** Threads that may read its packets; 1 by default. */
  readonly lanes?: number;
  /** NUMA node, -1: any. */
  readonly socket: number;
}

export interface MemoryInfo {
  /** Bytes of the whole mapping. */
  readonly length: number;
  readonly slabOffset: number;
  readonly slabLength: number;
  readonly capacity: number;
  /** Packets that are not in the pool: in a queue, in a burst, or held. */
  readonly inUse: number;
}

export interface PortInfo {
  readonly name: string;
  /** Name of the DPDK driver, as in `net_pcap`. */
  readonly driver: string;
  readonly mac: string;
  /** NUMA node, -1 where there is none. */
  readonly socket: number;
  readonly maxRxQueues: number;
  readonly maxTxQueues: number;
  readonly minRxDescriptors: number;
  readonly maxRxDescriptors: number;
  readonly maxMtu: number;
  /** The device says that it spreads flows over queues. Some virtual devices say so and do not. */
  readonly rss: boolean;
}

export interface PortSettings {
  /** Number of the packet memory of each receive queue, in order. */
  readonly memories: readonly number[];
  readonly rxDescriptors: number;
  /** Bytes of the largest IP packet; 0 leaves the device's own. */
  readonly mtu: number;
  /** Spread flows over the queues by the symmetric key. */
  readonly rss: boolean;
}

export interface PortStats {
  readonly ipackets: number;
  readonly ibytes: number;
  /** Dropped by the device because its queues were full. */
  readonly imissed: number;
  readonly ierrors: number;
  /** Dropped because the mempool was empty. */
  readonly rxNombuf: number;
  /** af_packet: dropped by the kernel because the socket's ring was full, which the driver does not tell. */
  readonly socketDrops: number;
}

export type FlowHeader = 'eth' | 'ipv4' | 'ipv6' | 'tcp' | 'udp';

/** One header of a device rule: bytes as in the packet; absent ones match any. */
export interface DeviceItem {
  readonly type: FlowHeader;
  readonly spec?: Uint8Array;
  /** Upper end of a range, like `spec`. */
  readonly last?: Uint8Array;
  readonly mask?: Uint8Array;
}

export interface DeviceRule {
  /** 0 comes before 1. */
  readonly priority: number;
  readonly items: readonly DeviceItem[];
  readonly action: 'pass' | 'drop';
  /** Count what is dropped. */
  readonly count: boolean;
}

/** What the addon offers when it is built with DPDK. */
export interface DpdkAddon extends NativeAddon {
  /** Starts the EAL, once per process; `args[0]` is the program's name. The caller's affinity stays as it is. */
  ealStart(args: readonly string[]): void;
  /** Stops the EAL; all ports are removed and all memories freed before. */
  ealStop(): void;
  /** Takes the lines that DPDK logged since the last call. */
  ealLog(): string[];
  hasHugepages(): boolean;
  /** Gives the calling thread an lcore number and with it mempool caches; the number. */
  threadRegister(): number;
  threadUnregister(): void;

  /** Plugs a device in (`net_null0,size=64`); its port number, -1 when it has none. */
  deviceProbe(devargs: string): number;
  /** Closes a stopped port and unplugs its device. */
  deviceRemove(port: number): void;
  /** -1 when there is no such device. */
  portByName(name: string): number;
  portInfo(port: number): PortInfo;
  portConfigure(port: number, settings: PortSettings): void;
  /** Whether promiscuous mode is on. */
  portStart(port: number, promiscuous: boolean): boolean;
  /**
   * What a started port with RSS really does: hash by the symmetric key, ports included; by another key; without the
   * ports of TCP and UDP, so that few hosts fill few queues; or it does not tell.
   */
  rssState(port: number): 'symmetric' | 'other key' | 'no ports' | 'unknown';
  portStop(port: number): void;
  portStats(port: number): PortStats;
  portXstats(port: number): Record<string, number>;
  /** Sends one frame; false when the device or the memory has no room. For tests and probes. */
  portSend(port: number, queue: number, memory: number, frame: Uint8Array): boolean;

  /**
   * Asks whether a started port would take a flow rule, and with `install` installs it: undefined, or the device's reason
   * against it. Packets that pass go to `queues`, spread by the symmetric key if there are several.
   */
  flowRule(port: number, rule: DeviceRule, queues: readonly number[], install: boolean): string | undefined;
  /** Packets that rules which count have dropped; -1 when none counts. */
  flowDropped(port: number): number;
  /** Removes all flow rules of the port. */
  flowFlush(port: number): void;
  /** The queue of each entry of the device's RSS table; empty when it has none. */
  rssTable(port: number): number[];
  /** Sets them all; whether the device took it. */
  rssTableSet(port: number, queues: readonly number[]): boolean;

  /** The number of a new packet memory. */
  memoryCreate(settings: MemorySettings): number;
  memoryInfo(memory: number): MemoryInfo;
  /** The memory as an ArrayBuffer, once per thread. Never post it: a copy would arrive. */
  memoryAttach(memory: number): ArrayBuffer;
  /** Detaches the thread's ArrayBuffer of the memory. A worker that exits need not. */
  memoryDetach(memory: number, buffer: ArrayBuffer): void;
  /** Refused while a thread is attached or packets are in use. */
  memoryFree(memory: number): void;

  /** The number of a new ring for so many packets, from one thread to one other. */
  ringCreate(size: number): number;
  /** Packets in the ring. */
  ringCount(ring: number): number;
  /** Gives back what is left in the ring. No reader may use it any more. */
  ringFree(ring: number): void;

  /**
   * A reader of queues, as lane number `lane` of the memory. `queues` is flat: port, queue, link type, 1 for packet times
   * (net_pcap) or 0, and 0 for the queue itself or one more than the ring that its packets come through; and so on.
   */
  readerOpen(memory: number, rows: Int32Array, queues: readonly number[], lane: number): number;
  /**
   * Packets of the reader's `queue` (its place in the list) whose row has HOLD = Hold.FOR_CORE - i go to the ring whose
   * number is `rings[i]` - 1, and those with Hold.FOR_ALL to all of them; 0 where there is none. While a ring has no room for a
   * burst, nothing is taken from the queue.
   */
  readerTargets(reader: number, queue: number, rings: readonly number[]): void;
  /**
   * Gives back the packets of the previous burst, but those whose row has word HOLD > 0, and fills words 0..7 of at
   * most `max` rows; returns how many, or -1 for none while cores that share the packets have some left to take: the
   * device was perhaps not asked, or found no free buffer. A frame that does not fit one packet buffer comes as a copy with HOLD = -1: it
   * cannot be held.
   */
  rxBurst(reader: number, max: number): number;
  /** Gives back the first `n` held packets of `offsets` (the OFFSET words their rows had); returns how many were held. */
  readerRelease(reader: number, offsets: Int32Array, n: number): number;
  /** Writes packets, bytes, frames dropped as too long, packets held now, packets that a ring had no room for. */
  readerStats(reader: number, out: Float64Array): void;
  readerClose(reader: number): void;
}

const INSTALL = 'sudo native/install-dpdk.sh && npm run build:native';

/** Loads the addon; undefined when it is not built. Throws `DeviceError` when it is built but does not load. */
export function loadNative(): NativeAddon | undefined {
  const path = addonPath('iris_native');
  if (path === undefined) return undefined;
  try {
    return createRequire(import.meta.url)(path) as NativeAddon;
  } catch (error) {
    const reason = error instanceof Error ? error.message.split('\n')[0] : String(error);
    throw new DeviceError(
      `the native addon does not load: ${reason}`,
      'build it again for this Node: npm run build:native',
    );
  }
}

function hasDpdk(addon: NativeAddon): addon is DpdkAddon {
  return addon.haveDpdk;
}

/** Loads the addon with DPDK, or throws a `DeviceError` that says what to install. */
export function loadDpdk(): DpdkAddon {
  const addon = loadNative();
  if (addon === undefined) throw new DeviceError('live ports need the native addon, which is not built', INSTALL);
  if (!hasDpdk(addon)) throw new DeviceError('the native addon was built without DPDK', INSTALL);
  return addon;
}

/** Words of a caught error. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
