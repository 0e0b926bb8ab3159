/**
 * The ports of an online run: DPDK started, one packet memory per receive core, every device plugged in, configured and
 * started; and all of it undone. Runs on the main thread; workers get numbers only.
 */
import { existsSync } from 'node:fs';
import { dirname, isAbsolute, resolve } from 'node:path';
import type { Config } from '../config/config.ts';
import { type Device, deviceArguments, optionValues, playedCaptures } from '../config/device.ts';
import { BUCKETS } from '../config/schema.ts';
import { DeviceError } from '../errors.ts';
import { Burst, Pkt } from '../packet/layout.ts';
import { openCapture } from '../source/capture.ts';
import { type DpdkAddon, type PortStats, reasonOf } from '../source/dpdk.ts';
import { PORT_LINK_TYPE, type QueueSpec } from '../source/dpdk-port.ts';
import type { FlowRule } from '../subscription/contract.ts';
import { firstLogLine, hugepageHint, startEal } from './eal.ts';
import { installFilter } from './hardware-filter.ts';
import {
  Capability,
  driverOf,
  hasCapability,
  hugepages,
  needsPhysicalAddresses,
  nodeOfCore,
  transparentHugepages,
} from './machine.ts';
import { checkCores, checkDevice, dataRoomOf, nodeNotes, packetBytes, receiveCores } from './preflight.ts';
import { limitNotes, planQueues, rssNotes, teamOf } from './queues.ts';
import { sinkTable } from './sink.ts';
import { createTeam, shareQueue, type Team } from './team.ts';

/** What one receive core works on. */
export interface WorkerPlan {
  /** Number of the worker, 0..n-1. */
  readonly id: number;
  /** Core that it is pinned to. */
  readonly core: number;
  /** Number of its packet memory. */
  readonly memory: number;
  readonly queues: readonly QueueSpec[];
  /** A sink core: its packets are dropped. */
  readonly sink: boolean;
  /** Flow sampling in software: buckets to keep by port number. */
  readonly keep: readonly (readonly [port: number, buckets: number])[];
  /** The cores that share its devices' packets, where no device can share them out. */
  readonly team?: Team;
}

export interface LivePort {
  readonly name: string;
  readonly port: number;
  readonly driver: string;
  readonly device: Device;
}

export interface LivePorts {
  readonly workers: readonly WorkerPlan[];
  readonly ports: readonly LivePort[];
  /** What should be known of the devices before the run. */
  readonly notes: readonly string[];
  /** Where packets lie, in one sentence. */
  readonly memory: string;
  /**
   * Lets packets in: call it when the workers are ready. Returns what should be known. With `rules` the devices drop what
   * nobody asked for, as far as they can.
   */
  start(rules?: readonly FlowRule[]): readonly string[];
  stats(port: LivePort): PortStats;
  /** The device's own counters. */
  xstats(port: LivePort): Readonly<Record<string, number>>;
  /** Packets that the hardware filter dropped; undefined where there is none, or it does not count. */
  hardwareFiltered(port: LivePort): number | undefined;
  /** Use of a worker's packet memory. */
  mempool(plan: WorkerPlan): { readonly capacity: number; readonly inUse: number };
  /** Stops and removes the ports, frees the memories (all workers must be gone) and stops DPDK; what failed of it. */
  close(): readonly string[];
}

/**
 * Starts everything. Throws DeviceError, or InputError for a capture that net_pcap should play. `check` throws for devices
 * that cannot work.
 */
export function openPorts(addon: DpdkAddon, config: Config, check = checkDevice): LivePorts {
  const online = config.online;
  if (online === undefined)
    throw new DeviceError(`${config.file} configures no port`, 'add [[online.ports]] with device and cores');
  checkCores(addon, config);
  const ports = online.ports.map((port) => ({ ...port, device: besideConfig(port.device, config.file) }));
  for (const { device } of ports) check(device);
  const links = new Map(ports.map((port) => [port, playedCaptures(port.device).map(linkTypeOf)] as const));

  const sinks = new Set(ports.flatMap(({ device, sink }) => (sink && device.kind === 'pci' ? [sink.core] : [])));
  const cores = receiveCores(online);
  const dataRoom = dataRoomOf(online);
  const slabLength = config.conntrack.max_out_of_order_bytes;
  const pci = ports.flatMap(({ device }) => (device.kind === 'pci' ? [device.address] : []));
  const needed = packetBytes(config, online);
  startEal(addon, {
    config,
    workers: cores.length,
    hugepages: hugepages(),
    pci,
    physicalAddresses: pci.some(needsPhysicalAddresses),
    packetBytes: needed,
  });

  const opened: LivePort[] = [];
  const memories: number[] = [];
  const rings: number[] = [];
  const notes: string[] = [];
  const memory = memorySentence(addon.hasHugepages(), needed);
  /** Undoes what was done so far, all of it even if a step fails. */
  function close(): string[] {
    const faults: string[] = [];
    const step = (what: string, action: () => void) => {
      try {
        action();
      } catch (error) {
        faults.push(`${what}: ${reasonOf(error)}`);
      }
    };
    for (const { name, port } of opened.splice(0)) {
      step(name, () => addon.flowFlush(port));
      step(name, () => addon.portStop(port));
      step(name, () => addon.deviceRemove(port));
    }
    for (const ring of rings.splice(0)) step('ring', () => addon.ringFree(ring));
    for (const memory of new Set(memories.splice(0))) step('packet memory', () => addon.memoryFree(memory));
    step('DPDK', () => addon.ealStop());
    return faults;
  }

  /** A packet memory on the core's own NUMA node, or, when there is no room, on any. */
  function createMemory(core: number, lanes: number): number {
    const settings = {
      ...config.mempool,
      capacity: config.mempool.capacity * lanes,
      dataRoom,
      slabLength: slabLength * lanes,
      lanes,
    };
    const node = nodeOfCore(core);
    try {
      return addon.memoryCreate({ ...settings, socket: node });
    } catch (error) {
      const hint = 'lower mempool.capacity or free memory';
      const id = attempt(addon, 'packet memory', hint, () => addon.memoryCreate({ ...settings, socket: -1 }));
      notes.push(
        `core ${core}: no packet memory on its own NUMA node ${node} (${reasonOf(error)}); another node has it`,
      );
      return id;
    }
  }

  try {
    const planned = ports.map((port) => {
      const name = port.device.kind === 'pci' ? port.device.address : port.device.name;
      const number = plug(addon, port.device, name);
      const info = addon.portInfo(number);
      opened.push({ name, port: number, driver: info.driver, device: port.device });
      const links_ = links.get(port) ?? [];
      const plan = planQueues(port, info, links_);
      notes.push(...nodeNotes(name, info.socket, port.cores));
      if (port.device.kind === 'pci') notes.push(...limitNotes(name, info, online));
      if (plan.note !== undefined) notes.push(plan.note);
      return { port, name, number, info, links_, plan };
    });
    const members = teamOf(planned);
    const team = createTeam(members.length);
    // Cores that hand packets to each other see one memory, as large as theirs would be together.
    const lanes = Math.max(1, members.length);
    for (const core of cores) {
      const first = members.indexOf(core) > 0 ? memories[cores.indexOf(members[0] ?? core)] : undefined;
      memories.push(first ?? createMemory(core, lanes));
    }
    /** Ports that sample in software, and buckets that the RSS tables of others keep. */
    const keep = new Map<number, number>();
    const tables = new Map<number, number>();
    /** Ports that spread flows over their queues. */
    const spreading = new Set<number>();
    const queuesOf = new Map<number, QueueSpec[]>(cores.map((core) => [core, []]));
    for (const { port, name, number, info, links_, plan } of planned) {
      if (port.sink !== undefined && plan.sink) tables.set(number, port.sink.buckets);
      else if (port.sink !== undefined && port.sink.buckets < BUCKETS) {
        keep.set(number, port.sink.buckets);
        notes.push(`${name}: ${info.driver} has no RSS table; receive cores drop the flows that are not in the sample`);
      }
      if (plan.rss) spreading.add(number);
      attempt(addon, name, undefined, () =>
        addon.portConfigure(number, {
          memories: plan.cores.map((core) => memories[cores.indexOf(core)] ?? 0),
          rxDescriptors: online.rxDescriptors,
          mtu: port.device.kind === 'pci' ? online.mtu : 0,
          rss: plan.rss,
        }),
      );
      plan.cores.forEach((core, queue) => {
        const spec: QueueSpec = {
          port: number,
          queue,
          linkType: links_[queue] ?? PORT_LINK_TYPE,
          packetTimes: links_.length > 0,
          finite: links_.length > 0 && online.duration === undefined,
        };
        const each = members.length === 0 ? [spec] : shareQueue(addon, spec, members.length, rings);
        each.forEach((own, place) => {
          queuesOf.get(members[place] ?? core)?.push(own);
        });
      });
    }
    const workers = cores
      .map((core, i) => ({ core, memory: memories[i] ?? 0, queues: queuesOf.get(core) ?? [] }))
      .filter(({ queues }) => queues.length > 0)
      .map((worker, id): WorkerPlan => {
        const own = team[members.indexOf(worker.core)];
        const plan = { ...worker, id, sink: sinks.has(worker.core), keep: [...keep] };
        return own === undefined ? plan : { ...plan, team: own };
      });
    const start = (rules?: readonly FlowRule[]) =>
      opened.flatMap((live) => {
        const { name, port } = live;
        const promiscuous = attempt(addon, name, undefined, () => addon.portStart(port, online.promiscuous));
        const said = online.promiscuous && !promiscuous ? [`${name}: promiscuous mode cannot be switched on`] : [];
        if (spreading.has(port)) said.push(...rssNotes(name, addon.rssState(port)));
        const own = workers.flatMap((worker) =>
          worker.queues.filter((queue) => queue.port === port && queue.ring === undefined),
        );
        let queues = own.map(({ queue }) => queue).sort((a, b) => a - b);
        const buckets = tables.get(port);
        if (buckets !== undefined) {
          queues = sinkTable(addon.rssTable(port).length, queues.length - 1, buckets);
          if (!addon.rssTableSet(port, queues)) {
            throw new DeviceError(`${name}: its RSS table cannot be set`, 'remove the section [online.ports.sink]');
          }
        }
        if (rules === undefined) return said;
        const filter = installFilter(addon, live, queues, rules);
        return [...said, `${name}: ${filter.sentence}`];
      });
    return {
      workers,
      ports: opened,
      notes,
      memory,
      start,
      stats: ({ port }) => addon.portStats(port),
      xstats: ({ port }) => addon.portXstats(port),
      hardwareFiltered: ({ port }) => {
        const dropped = addon.flowDropped(port);
        return dropped < 0 ? undefined : dropped;
      },
      mempool: ({ memory }) => addon.memoryInfo(memory),
      close,
    };
  } catch (error) {
    close();
    throw error;
  }
}

function memorySentence(huge: boolean, bytes: number): string {
  const size = `${Math.ceil(bytes / (1 << 20))} MB of packet memory`;
  if (huge) return `${size} in hugepages`;
  const other = transparentHugepages() ? 'transparent huge pages' : 'small pages, which is slower';
  return `${size} in ${other}: too few hugepages are free (${hugepageHint(bytes)})`;
}

function plug(addon: DpdkAddon, device: Device, name: string): number {
  if (device.kind === 'virtual') {
    const hint = ['iface', 'rx_iface'].some((key) => optionValues(device, key).length > 0) ? 'sudo' : undefined;
    addon.ealLog();
    const number = attempt(addon, name, hint && privilegeHint(), () => addon.deviceProbe(deviceArguments(device)));
    if (number >= 0) return number;
  } else {
    const number = addon.portByName(device.address);
    if (number >= 0) return number;
    const driver = driverOf(device.address);
    const reason = driver === undefined ? 'bound to no driver' : `bound to the driver ${driver}`;
    throw new DeviceError(
      `${device.address}: ${firstLogLine(addon) ?? `DPDK finds no port there; it is ${reason}`}`,
      `bind it to a DPDK driver: sudo modprobe vfio-pci && sudo dpdk-devbind.py -b vfio-pci ${device.address}`,
    );
  }
  throw new DeviceError(`${name}: the device has no port`);
}

function privilegeHint(): string | undefined {
  return hasCapability(Capability.NET_RAW) ? undefined : 'run it as root: sudo npx iris-run …';
}

/** Runs a native step; its fault becomes a DeviceError with what DPDK logged meanwhile. */
function attempt<T>(addon: DpdkAddon, what: string, hint: string | undefined, step: () => T): T {
  addon.ealLog();
  try {
    return step();
  } catch (error) {
    const logged = firstLogLine(addon);
    throw new DeviceError(`${what}: ${reasonOf(error)}${logged === undefined ? '' : ` (${logged})`}`, hint);
  }
}

/** Relative captures are looked for where the command runs, then beside the configuration file. */
function besideConfig(device: Device, configFile: string): Device {
  if (device.kind !== 'virtual') return device;
  const options = device.options.map(([key, value]): readonly [string, string] => {
    if (key !== 'rx_pcap' || isAbsolute(value) || existsSync(value)) return [key, value];
    const beside = resolve(dirname(configFile), value);
    return [key, existsSync(beside) ? beside : value];
  });
  return { ...device, options };
}

/** Link type of a capture's first packet: DPDK does not tell it. Throws InputError for what is no capture. */
function linkTypeOf(file: string): number {
  const capture = openCapture(file, { slabBytes: 0, windowBytes: 1 << 18 });
  try {
    const row = new Int32Array((Burst.MAX + Burst.SPARE_ROWS) * Pkt.STRIDE);
    return capture.poll(row, 1) === 1 ? (row[Pkt.LINK] ?? 0) & 0xffff : PORT_LINK_TYPE;
  } finally {
    capture.close();
  }
}
