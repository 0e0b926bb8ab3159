/** The verb `doctor`: what this machine can do for Iris, and the command that mends what it cannot. */
import { Command } from 'commander';
import {
  availableCores,
  Capability,
  coreList,
  hasCapability,
  hugepages,
  transparentHugepages,
} from '../lcore/machine.ts';
import { loadNative, type NativeAddon, reasonOf } from '../source/dpdk.ts';

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
const MIB = 1024 * 1024;

/** Looks at everything; touches nothing. */
export function diagnose(): Finding[] {
  const { addon, finding } = nativeFinding();
  return [nodeFinding(), finding, dpdkFinding(addon), memoryFinding(), coresFinding(addon), rightsFinding()].flat();
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
  if (addon?.haveDpdk === true) return { verdict: 'ok', what, text: addon.dpdkVersion.replace(/^DPDK /, '') };
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
    const text = 'none; virtual devices use transparent huge pages, PCI devices need hugepages';
    return { verdict: 'warn', what, text, hint };
  }
  return {
    verdict: 'warn',
    what,
    text: 'none, nor transparent ones: virtual devices run slower, PCI devices not at all',
    hint,
  };
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
    .action(() => {
      const findings = diagnose();
      process.stdout.write(findingsText(findings));
      process.exitCode = findings.some(({ verdict }) => verdict === 'fail') ? 1 : 0;
    });
}
