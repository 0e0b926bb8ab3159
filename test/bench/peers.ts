/**
 * `npm run bench -- --peers`: matching server names of TLS over a capture with other programs that can do so offline, each as a
 * whole process: reading, start and output included. Programs that are not installed are named and left out.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { BenchCapture } from './captures.ts';
import { moduleOf } from './filters.ts';

/** The pattern of filters/sni.iris. */
const PATTERN = '(^|\\.)(video|cdn|play)\\.';
const NAMED = new RegExp(PATTERN);

interface Peer {
  readonly name: string;
  readonly program: string;
  readonly args: (capture: string, folder: string) => readonly string[];
  /** Matches in what it printed, or wrote to the folder. */
  readonly count: (output: string, folder: string) => number;
}

const lines = (text: string) => text.split('\n').filter((line) => line !== '');
const quoted = PATTERN.replaceAll('\\', '\\\\');

const PEERS: readonly Peer[] = [
  {
    name: 'iris-run',
    program: process.execPath,
    args: (capture) => [
      fileURLToPath(new URL('../../runtime/cli/iris-run.js', import.meta.url)),
      moduleOf('sni'),
      '--pcap',
      capture,
      '--quiet',
    ],
    count: (output) => lines(output).length,
  },
  {
    name: 'suricata',
    program: 'suricata',
    args: (capture, folder) => {
      writeFileSync(
        join(folder, 'sni.rules'),
        `alert tls any any -> any any (msg:"sni"; tls.sni; pcre:"/${PATTERN}/"; sid:1;)\n`,
      );
      return ['-r', capture, '-S', join(folder, 'sni.rules'), '-l', folder, '-k', 'none', '--runmode', 'single'];
    },
    count: (_output, folder) => {
      const log = join(folder, 'fast.log');
      return existsSync(log) ? lines(readFileSync(log, 'utf8')).length : 0;
    },
  },
  {
    name: 'ndpiReader',
    program: 'ndpiReader',
    args: (capture) => ['-i', capture, '-v', '2'],
    count: (output) => {
      const names = [...output.matchAll(/Hostname\/SNI: ([^\]]*)\]/g)];
      return names.filter(([whole, name = '']) => whole !== '' && NAMED.test(name)).length;
    },
  },
  {
    name: 'tshark',
    program: 'tshark',
    args: (capture) => [
      '-n',
      '-r',
      capture,
      '-Y',
      `tls.handshake.extensions_server_name matches "${quoted}"`,
      '-T',
      'fields',
      '-e',
      'tls.handshake.extensions_server_name',
    ],
    count: (output) => lines(output).length,
  },
];

export interface PeerCost {
  readonly name: string;
  /** Of each run: seconds of CPU, all threads and the start included, and seconds by the clock. Empty if not installed. */
  readonly runs: readonly { readonly cpu: number; readonly wall: number }[];
  readonly matches: number;
}

function isInstalled(program: string): boolean {
  return spawnSync(program, ['--version'], { stdio: 'ignore' }).error === undefined;
}

/** One run under bash, whose `time` knows the CPU of its children. */
function run(peer: Peer, capture: string) {
  const folder = mkdtempSync(join(tmpdir(), 'iris-peer-'));
  try {
    const output = join(folder, 'output');
    const script = `TIMEFORMAT='%U %S %R'; { time "$@" > '${output}' 2>/dev/null; } 2>&1`;
    const command = ['-c', script, 'bash', peer.program, ...peer.args(capture, folder)];
    const times = execFileSync('bash', command, { encoding: 'utf8', env: { ...process.env, LC_ALL: 'C' } });
    const [user = 0, system = 0, wall = 0] = times.trim().split(' ').map(Number);
    return { cpu: user + system, wall, matches: peer.count(readFileSync(output, 'latin1'), folder) };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Every peer over the capture, in turns. */
export function peerCosts({ path }: BenchCapture, runs: number): PeerCost[] {
  const present = new Set(PEERS.filter(({ program }) => isInstalled(program)));
  const results = PEERS.map(({ name }) => ({ name, runs: [] as { cpu: number; wall: number }[], matches: 0 }));
  for (let i = 0; i < runs; i++) {
    PEERS.forEach((peer, n) => {
      if (!present.has(peer)) return;
      const { cpu, wall, matches } = run(peer, path);
      results[n]?.runs.push({ cpu, wall });
      results[n] = { ...(results[n] as (typeof results)[number]), matches };
    });
  }
  return results;
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}

/** A line per peer; packets per second of CPU are medians, and the ratio is that of the first line to them. */
export function peerTable(costs: readonly PeerCost[], packets: number): string {
  const rate = (cost: PeerCost) => packets / median(cost.runs.map(({ cpu }) => cpu));
  const [own] = costs;
  const rows = costs.map((cost) => {
    if (cost.runs.length === 0) return [cost.name, 'not installed', '', '', ''];
    const wall = packets / median(cost.runs.map(({ wall }) => wall));
    const ratio = own === undefined ? Number.NaN : rate(own) / rate(cost);
    const thousands = [rate(cost), wall].map((value) => (value / 1000).toFixed(0));
    return [cost.name, ...thousands, `${cost.matches}`, `${ratio.toFixed(1)}x`];
  });
  return [['program', 'kpps of CPU', 'kpps', 'matches', 'iris is'], ...rows]
    .map(([name = '', ...cells]) => name.padEnd(12) + cells.map((cell) => cell.padStart(15)).join(''))
    .join('\n');
}
