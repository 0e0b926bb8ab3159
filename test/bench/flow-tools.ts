/**
 * `npm run bench -- --flow-tools`: what other flow tools cost on the same captures, whole processes, beside this project's.
 * None of them does quite the same work; each runs as its manual says to get a flow record per connection, and what
 * it writes goes to /dev/null or a folder that is removed.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { BenchCapture } from './captures.ts';
import { moduleOf } from './filters.ts';

/** A flow tool and how to run it on a capture; `folder` is its own and may be filled. */
export interface FlowTool {
  readonly name: string;
  readonly program: string;
  /** What to install on Debian. */
  readonly debian: string;
  args(capture: BenchCapture, folder: string): readonly string[];
}

/** Suricata's application layers; DNS is switched per transport. */
const APP_LAYERS = [
  ...['telnet', 'rfb', 'mqtt', 'krb5', 'bittorrent-dht', 'snmp', 'ike', 'tls', 'pgsql', 'dcerpc', 'ftp', 'rdp', 'ssh'],
  ...['http2', 'smtp', 'imap', 'smb', 'nfs', 'tftp', 'http', 'modbus', 'dnp3', 'enip', 'ntp', 'quic', 'dhcp', 'sip'],
];

/** Suricata with its flow log only, no application layers, and memory for all connections: with less it drops some. */
const SURICATA = `%YAML 1.1
---
outputs:
  - eve-log:
      enabled: yes
      filetype: regular
      filename: /dev/null
      types: [flow]
flow:
  memcap: 2gb
  hash-size: 1048576
stream:
  memcap: 2gb
  reassembly:
    memcap: 2gb
app-layer:
  protocols:
    dns: { tcp: { enabled: no }, udp: { enabled: no } }
${APP_LAYERS.map((name) => `    ${name}: { enabled: no }`).join('\n')}
`;

export const FLOW_TOOLS: readonly FlowTool[] = [
  {
    name: 'softflowd',
    program: 'softflowd',
    debian: 'softflowd',
    // Nobody listens at the collector's address; the table has room for all connections, as ours has.
    args: ({ path, connections }) => [
      ...['-d', '-r', path, '-n', '127.0.0.1:9', '-c', 'none', '-m', `${connections + 1000}`],
    ],
  },
  { name: 'argus', program: 'argus', debian: 'argus-server', args: ({ path }) => ['-r', path, '-w', '/dev/null'] },
  {
    name: 'nfpcapd',
    program: 'nfpcapd',
    debian: 'nfdump',
    args: ({ path }, folder) => ['-r', path, '-w', folder],
  },
  { name: 'ndpiReader', program: 'ndpiReader', debian: 'libndpi-bin', args: ({ path }) => ['-q', '-i', path] },
  {
    name: 'suricata, flow log only',
    program: 'suricata',
    debian: 'suricata (Debian 12: from bookworm-backports)',
    args: ({ path }, folder) => {
      const config = join(folder, 'suricata.yaml');
      writeFileSync(config, SURICATA);
      return ['-r', path, '-c', config, '-l', folder, '-S', '/dev/null', '--runmode', 'single'];
    },
  },
  {
    name: 'tshark -z conv',
    program: 'tshark',
    debian: 'tshark',
    args: ({ path }) => ['-n', '-q', '-z', 'conv,tcp', '-z', 'conv,udp', '-r', path],
  },
];

/** This project with a handler that reads each record, as an app does, and as a user runs it: a JSON line each. */
const OWN: readonly FlowTool[] = [
  {
    name: 'iris, a handler',
    program: process.execPath,
    debian: '',
    args: ({ path, connections }) => {
      const subject = fileURLToPath(new URL('subject.js', import.meta.url));
      return [subject, 'records', path, `${connections + 1000}`];
    },
  },
  {
    name: 'iris-run, JSON lines',
    program: process.execPath,
    debian: '',
    args: ({ path, connections }, folder) => {
      const config = join(folder, 'bench.toml');
      writeFileSync(config, `[conntrack]\nmax_connections = ${connections + 1000}\n`);
      const cli = fileURLToPath(new URL('../../runtime/cli/iris-run.js', import.meta.url));
      return [cli, moduleOf('records'), '--pcap', path, '--config', config, '--out', '/dev/null', '--quiet'];
    },
  },
];

export interface FlowToolCost {
  readonly name: string;
  /** Nanoseconds of CPU (user and system, all threads) per packet; undefined when it did not run. */
  readonly nsPerPacket?: number;
  /** Why it did not run. */
  readonly missing?: string;
}

/** CPU seconds of a finished child, of the second line that bash's `times` prints: `1m2.345s 0m0.678s`. */
export function cpuSeconds(times: string): number {
  const line = times.trim().split('\n').at(-1) ?? '';
  return line.split(/\s+/).reduce((sum, part) => {
    const [minutes, seconds] = part.replace('s', '').split('m');
    return sum + Number(minutes) * 60 + Number(seconds);
  }, 0);
}

function installed(program: string): boolean {
  return program.startsWith('/') || spawnSync('bash', ['-c', 'command -v "$0"', program]).status === 0;
}

/** Runs `tool` once on `capture`; at most ten minutes. */
export function runFlowTool(tool: FlowTool, capture: BenchCapture): FlowToolCost {
  const { name, program, debian } = tool;
  if (!installed(program)) return { name, missing: `not installed: apt-get install ${debian}` };
  const folder = mkdtempSync(join(tmpdir(), 'iris-flow-tool-'));
  try {
    const command = ['-c', '"$0" "$@" > /dev/null 2>&1; status=$?; times; exit $status', program];
    const done = spawnSync('bash', [...command, ...tool.args(capture, folder)], { encoding: 'utf8', timeout: 600_000 });
    if (done.status !== 0) return { name, missing: `ended with ${done.signal ?? `exit code ${done.status}`}` };
    return { name, nsPerPacket: (cpuSeconds(done.stdout) * 1e9) / capture.packets };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Every tool and this project on `capture`, each once. */
export function flowToolCosts(capture: BenchCapture): FlowToolCost[] {
  return [...OWN, ...FLOW_TOOLS].map((tool) => runFlowTool(tool, capture));
}

/** A line per tool: ns of CPU per packet, and how many times as much as the first one takes. */
export function flowToolTable(title: string, costs: readonly FlowToolCost[]): string {
  const own = costs[0]?.nsPerPacket ?? Number.NaN;
  const lines = costs.map(({ name, nsPerPacket, missing }) =>
    nsPerPacket === undefined
      ? `  ${name.padEnd(24)} ${missing}`
      : `  ${name.padEnd(24)} ${nsPerPacket.toFixed(0).padStart(8)} ${(nsPerPacket / own).toFixed(2).padStart(8)}`,
  );
  return [title, ...lines].join('\n');
}
