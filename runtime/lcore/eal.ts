/** How DPDK is started: the EAL's arguments for this machine and configuration, and its own words when it fails. */
import type { Config } from '../config/config.ts';
import { DeviceError } from '../errors.ts';
import { type DpdkAddon, reasonOf } from '../source/dpdk.ts';

/** Free hugepages of the machine. */
export interface HugepageState {
  /** Bytes in free hugepages of all sizes. */
  readonly freeBytes: number;
}

export interface EalNeeds {
  readonly config: Config;
  /** Receive cores, each with a packet memory of its own. */
  readonly workers: number;
  readonly hugepages: HugepageState;
  /** PCI addresses to use; none: virtual devices only. */
  readonly pci: readonly string[];
  /** The devices take physical addresses only: nothing translates for them. */
  readonly physicalAddresses: boolean;
  /** Bytes of all packet memories. */
  readonly packetBytes: number;
}

/** Options by which the user takes the choice of memory away from us. */
const MEMORY_OPTIONS = ['--no-huge', '--in-memory', '--huge-dir', '--legacy-mem', '--iova-mode', '-m', '--socket-mem'];

/** Bytes of DPDK's heap for one packet: the mbuf, its place in the pool's ring, alignment. */
const HEAP_PER_PACKET = 320;
const MIB = 1024 * 1024;

/** Commands that set up hugepages of 2 MiB for `bytes`. */
export function hugepageHint(bytes: number): string {
  const pages = Math.ceil(bytes / (2 * MIB)) + 64;
  return `echo ${pages} | sudo tee /sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages`;
}

/**
 * Arguments of `rte_eal_init`. With enough free hugepages DPDK keeps its memory there without files; without them
 * everything works on transparent huge pages, but only for virtual devices.
 */
export function ealArguments(needs: EalNeeds): string[] {
  const { config, workers, hugepages, pci, packetBytes } = needs;
  const extra = config.online?.dpdkArgs ?? [];
  const heapBytes = workers * config.mempool.capacity * HEAP_PER_PACKET + 64 * MIB;
  const args = ['iris', '-l', String(config.mainCore), '-n', String(config.memoryChannels), '--no-telemetry'];
  if (!extra.some((option) => MEMORY_OPTIONS.includes(option.split('=')[0] ?? ''))) {
    if (hugepages.freeBytes >= heapBytes + packetBytes) {
      args.push('--in-memory', `--iova-mode=${needs.physicalAddresses ? 'pa' : 'va'}`);
    } else if (pci.length === 0) {
      args.push('--no-huge', '--no-shconf', '-m', String(Math.ceil(heapBytes / MIB)));
    } else {
      const needed = Math.ceil((heapBytes + packetBytes) / MIB);
      const free = Math.floor(hugepages.freeBytes / MIB);
      throw new DeviceError(
        `${pci[0]} needs ${needed} MB of hugepages, and ${free} MB are free`,
        hugepageHint(heapBytes + packetBytes),
      );
    }
  }
  if (pci.length === 0) args.push('--no-pci');
  for (const address of pci) args.push('-a', address);
  return [...args, ...extra];
}

/** Starts it. Throws DeviceError. */
export function startEal(addon: DpdkAddon, needs: EalNeeds): void {
  const args = ealArguments(needs);
  try {
    addon.ealStart(args);
  } catch (error) {
    throw new DeviceError(
      `DPDK does not start: ${firstLogLine(addon) ?? reasonOf(error)}`,
      (needs.config.online?.dpdkArgs.length ?? 0) > 0
        ? `look at online.dpdk_supl_args; DPDK was started with: ${args.slice(1).join(' ')}`
        : `iris doctor checks this machine; DPDK was started with: ${args.slice(1).join(' ')}`,
    );
  }
}

/** The first line DPDK logged lately: later ones mostly repeat it in more general words, but name a wrong option. */
export function firstLogLine(addon: DpdkAddon): string | undefined {
  const lines = addon.ealLog();
  const option = lines.find((line) => /unrecognized option|requires an argument/.test(line));
  return option ?? lines.find((line) => /fail|error|cannot|could|unable|invalid|unknown|no /i.test(line));
}
