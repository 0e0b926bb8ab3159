/**
 * The verb `doctor`: what this machine can do for Iris, and the command that mends what it cannot. With a configuration
 * also whether its ports can run here.
 */
import { Command } from 'commander';
import type { Config } from '../config/config.ts';
import type { IrisError } from '../errors.ts';
import { hugepageHint } from '../lcore/eal.ts';
import {
  availableCores,
  Capability,
  coreList,
  DPDK_DRIVERS,
  hasCapability,
  hugepages,
  iommu,
  type NetworkCard,
  networkCards,
  numaNodes,
  SHARED_DRIVERS,
  transparentHugepages,
} from '../lcore/machine.ts';
import { bindHint, checkCores, checkDevice, nodeNotes, packetBytes } from '../lcore/preflight.ts';
import { loadNative, type NativeAddon, reasonOf } from '../source/dpdk.ts';
import { printError } from './print-error.ts';
import { readConfig } from './run.ts';

/** Captures need none of the warnings; live ports do not run with a fault. */
type Verdict = 'ok' | 'warn' | 'fail';

export interface Finding {
  readonly verdict: Verdict;
  readonly what: string;
  readonly text: string;
  /** The command that mends it. */
  readonly hint?: string;
}

const LOWEST_NODE = 20;
/** The oldest DPDK whose interfaces the addon uses. */
const LOWEST_DPDK = 22.11;
const MIB = 1024 * 1024;
const VFIO = 'sudo modprobe vfio-pci';

/** Looks at everything; touches nothing. `sys`: where Linux shows its devices. */
export function diagnose(config?: Config, sys = '/sys'): Finding[] {
  const { addon, finding } = nativeFinding();
  const cards = networkCards(sys);
  return [
    nodeFinding(),
    finding,
    dpdkFinding(addon),
    memoryFinding(),
    numaFinding(sys),
    coresFinding(addon),
    iommuFinding(cards, sys),
    ...cardFindings(cards),
    ...rightsFinding(),
    ...(config === undefined || addon === undefined ? [] : configFindings(config, addon, cards)),
  ];
}

function nodeFinding(): Finding {
  const major = Number(process.versions.node.split('.')[0]);
  const text = `${process.versions.node} on ${process.platform} ${process.arch}`;
  if (major >= LOWEST_NODE) return { verdict: 'ok', what: 'node', text };
  return { verdict: 'fail', what: 'node', text: `${text}: too old`, hint: `install Node ${LOWEST_NODE} or later` };
}

function nativeFinding(): { readonly addon: NativeAddon | undefined; readonly finding: Finding } {
  const what = 'native addon';
  try {
    const addon = loadNative();
    if (addon !== undefined) return { addon, finding: { verdict: 'ok', what, text: 'built and loaded' } };
    const text = 'not built: captures work, live ports do not';
    return { addon, finding: { verdict: 'warn', what, text, hint: 'npm run build:native' } };
  } catch (error) {
    return {
      addon: undefined,
      finding: { verdict: 'fail', what, text: reasonOf(error), hint: 'npm run build:native' },
    };
  }
}

function dpdkFinding(addon: NativeAddon | undefined): Finding {
  const what = 'DPDK';
  if (addon?.haveDpdk === true) {
    const version = addon.dpdkVersion.replace(/^DPDK /, '');
    if (Number.parseFloat(version) >= LOWEST_DPDK) return { verdict: 'ok', what, text: version };
    const text = `${version}: older than ${LOWEST_DPDK}, with which live ports were tested`;
    return { verdict: 'warn', what, text, hint: 'install DPDK 22.11 or later, then: npm run build:native' };
  }
  const hint = 'sudo native/install-dpdk.sh && npm run build:native';
  return { verdict: 'warn', what, text: 'not built in: live ports do not work', hint };
}

function memoryFinding(): Finding {
  const what = 'hugepages';
  const { totalBytes, freeBytes } = hugepages();
  if (totalBytes > 0) {
    return { verdict: 'ok', what, text: `${totalBytes / MIB} MB, ${freeBytes / MIB} MB free` };
  }
  const hint = 'echo 1024 | sudo tee /sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages';
  if (transparentHugepages()) {
    const text = 'none; virtual devices and tables use transparent huge pages, PCI devices need hugepages';
    return { verdict: 'warn', what, text, hint };
  }
  return {
    verdict: 'warn',
    what,
    text: 'none, nor transparent ones: virtual devices and large tables are slower, PCI devices do not run',
    hint,
  };
}

function numaFinding(sys: string): Finding {
  const nodes = numaNodes(sys);
  const text = nodes.map(
    ({ node, cores, hugepageBytes }) => `node ${node}: cores ${cores}, ${hugepageBytes / MIB} MB of hugepages`,
  );
  const what = 'NUMA';
  if (nodes.length < 2) return { verdict: 'ok', what, text: text.join('') || 'one node' };
  const without = nodes.filter(({ hugepageBytes }) => hugepageBytes === 0);
  if (without.length === 0 || without.length === nodes.length) return { verdict: 'ok', what, text: text.join('; ') };
  const poor = without[0].node;
  return {
    verdict: 'warn',
    what,
    text: `${text.join('; ')}: packets of cores without hugepages on their node lie on another`,
    hint: `echo 512 | sudo tee /sys/devices/system/node/node${poor}/hugepages/hugepages-2048kB/nr_hugepages`,
  };
}

function iommuFinding(cards: readonly NetworkCard[], sys: string): Finding {
  const what = 'IOMMU, VFIO';
  const { groups, vfio, withoutIommu } = iommu(sys);
  const driver = vfio ? 'vfio-pci is loaded' : 'vfio-pci is not loaded';
  if (groups > 0) {
    const text = `on (${groups} groups); ${driver}`;
    return { verdict: vfio || cards.length === 0 ? 'ok' : 'warn', what, text, hint: VFIO };
  }
  if (withoutIommu && vfio) return { verdict: 'ok', what, text: 'off; vfio-pci does without (unsafe no-IOMMU mode)' };
  if (cards.length === 0) return { verdict: 'ok', what, text: `off; ${driver}; there is no card that needs it` };
  return {
    verdict: 'warn',
    what,
    text: `off; ${driver}: cards can be used through vfio-pci without an IOMMU, or through uio_pci_generic`,
    hint:
      'boot with intel_iommu=on (or amd_iommu=on) iommu=pt, or: ' +
      'sudo modprobe vfio enable_unsafe_noiommu_mode=1 && sudo modprobe vfio-pci',
  };
}

function cardFindings(cards: readonly NetworkCard[]): Finding[] {
  const what = 'network card';
  if (cards.length === 0) return [{ verdict: 'ok', what, text: 'none on PCI: virtual devices only' }];
  return cards.map((card): Finding => {
    const where = `${card.address} (${card.id}${card.node < 0 ? '' : `, NUMA node ${card.node}`})`;
    const { driver } = card;
    if (driver !== undefined && DPDK_DRIVERS.includes(driver)) {
      return { verdict: 'ok', what, text: `${where}: bound to ${driver}, ready for DPDK` };
    }
    if (driver !== undefined && SHARED_DRIVERS.includes(driver)) {
      return { verdict: 'ok', what, text: `${where}: DPDK works beside its driver ${driver}` };
    }
    return {
      verdict: 'warn',
      what,
      text: `${where}: ${driver === undefined ? 'bound to no driver' : `bound to the kernel's ${driver}`}, not for DPDK`,
      hint: bindHint(card.address, card.iommuGroup),
    };
  });
}

/** Whether the ports of a configuration can run here, as far as can be told without starting DPDK. */
function configFindings(config: Config, addon: NativeAddon, cards: readonly NetworkCard[]): Finding[] {
  const what = config.file;
  const { online } = config;
  if (online === undefined) return [{ verdict: 'ok', what, text: 'configures no port' }];
  const findings: Finding[] = [];
  function look(step: () => void): void {
    try {
      step();
    } catch (error) {
      const { message, hint } = error as IrisError;
      findings.push({ verdict: 'fail', what, text: message, ...(hint === undefined ? {} : { hint }) });
    }
  }
  look(() => checkCores(addon, config));
  const needed = packetBytes(config, online);
  const { freeBytes } = hugepages();
  for (const { device, cores } of online.ports) {
    if (device.kind !== 'pci') {
      look(() => checkDevice(device));
      continue;
    }
    const card = cards.find(({ address }) => address === device.address);
    if (card === undefined) {
      const hint = 'lspci -D | grep -i net';
      findings.push({ verdict: 'fail', what, text: `${device.address}: there is no such network card`, hint });
      continue;
    }
    const ready = [...DPDK_DRIVERS, ...SHARED_DRIVERS].includes(card.driver ?? '');
    if (!ready)
      findings.push({
        verdict: 'fail',
        what,
        text: `${card.address}: not for DPDK yet`,
        hint: bindHint(card.address, card.iommuGroup),
      });
    for (const text of nodeNotes(card.address, card.node, cores)) findings.push({ verdict: 'warn', what, text });
    if (freeBytes < needed) {
      const text = `${card.address} needs ${Math.ceil(needed / MIB)} MB of hugepages, ${freeBytes / MIB} MB are free`;
      findings.push({ verdict: 'fail', what, text, hint: hugepageHint(needed) });
    }
  }
  if (findings.length > 0) return findings;
  const ports = online.ports.length === 1 ? 'its port' : `its ${online.ports.length} ports`;
  return [{ verdict: 'ok', what, text: `${ports} can run: cores, devices and memory are there` }];
}

function coresFinding(addon: NativeAddon | undefined): Finding {
  const cores = availableCores(addon);
  const text = `${cores.length} (${coreList(cores)})`;
  if (cores.length > 1) return { verdict: 'ok', what: 'cores', text };
  return { verdict: 'warn', what: 'cores', text: `${text}: output and receiving share one` };
}

function rightsFinding(): Finding[] {
  const hint = 'run it as root: sudo npx iris-run …';
  const rights: [string, Capability, string][] = [
    ['packet sockets', Capability.NET_RAW, 'net_af_packet does not work'],
    ['device access', Capability.SYS_ADMIN, 'PCI devices do not work'],
  ];
  return rights.map(([what, capability, otherwise]) =>
    hasCapability(capability)
      ? { verdict: 'ok', what, text: 'allowed' }
      : { verdict: 'warn', what, text: `not allowed: ${otherwise}`, hint },
  );
}

/** The findings as text for people, its last newline included. */
export function findingsText(findings: readonly Finding[]): string {
  const width = Math.max(...findings.map(({ what }) => what.length));
  return findings
    .map(({ verdict, what, text, hint }) => {
      const line = `${verdict.padEnd(4)}  ${what.padEnd(width)}  ${text}\n`;
      return verdict === 'ok' || hint === undefined ? line : `${line}${' '.repeat(width + 8)}-> ${hint}\n`;
    })
    .join('');
}

/** The command. Exit code 0 unless something must be mended before anything works. */
export function doctorCommand(): Command {
  return new Command('doctor')
    .description('Check what this machine can do for Iris, and say how to mend what it cannot.')
    .option('--config <file>', 'check the ports of a configuration, too')
    .action(({ config }: { readonly config?: string }) => {
      try {
        const findings = diagnose(config === undefined ? undefined : readConfig(config));
        process.stdout.write(findingsText(findings));
        process.exitCode = findings.some(({ verdict }) => verdict === 'fail') ? 1 : 0;
      } catch (error) {
        process.exitCode = printError(error);
      }
    });
}
