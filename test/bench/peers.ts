/**
 * `npm run bench -- --peers`: matching server names of TLS over a capture with other programs that can do so offline, each as a
 * whole process: reading, start and output included, and beside it what the start alone takes. Programs that are not
 * installed are named and left out.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { BenchCapture } from './captures.ts';
import { moduleOf } from './filters.ts';

/** The text of filters/video.iris and filters/videos.iris. */
const TEXT = 'video.';

interface Peer {
  readonly name: string;
  readonly program: string;
  /** How to get it on Debian. */
  readonly debian: string;
  readonly args: (capture: string, folder: string) => readonly string[];
  /** Matches in what it printed, or wrote to the folder. */
  readonly count: (output: string, folder: string) => number;
}

const lines = (text: string) => text.split('\n').filter((line) => line !== '');

/**
 * Suricata with a line per alert and no other log, of application layers only TLS, and memory for all connections: with
 * less it lets go of some and misses their names.
 */
const SURICATA = `%YAML 1.1
---
outputs:
  - fast:
      enabled: yes
      filename: fast.log
app-layer:
  protocols:
    tls:
      enabled: yes
stream:
  memcap: 1gb
  reassembly:
    memcap: 2gb
flow:
  memcap: 1gb
`;

/** One rule on the server name, in the given runmode: `single` thread, or `autofp`, its default. */
function suricata(runmode: 'single' | 'autofp'): Peer {
  return {
    name: `suricata, ${runmode}`,
    program: 'suricata',
    debian: 'the package suricata; Debian 12 has it in bookworm-backports',
    args: (capture, folder) => {
      const [config, rules] = [join(folder, 'suricata.yaml'), join(folder, 'sni.rules')];
      writeFileSync(config, SURICATA);
      writeFileSync(rules, `alert tls any any -> any any (msg:"sni"; tls.sni; content:"${TEXT}"; sid:1;)\n`);
      return ['-r', capture, '-c', config, '-S', rules, '-l', folder, '-k', 'none', '--runmode', runmode];
    },
    count: (_output, folder) => {
      const log = join(folder, 'fast.log');
      return existsSync(log) ? lines(readFileSync(log, 'utf8')).length : 0;
    },
  };
}

/** This project with one of the bench's filters, as a user runs it. */
function iris(name: string, filter: string): Peer {
  const cli = fileURLToPath(new URL('../../runtime/cli/iris-run.js', import.meta.url));
  return {
    name,
    program: process.execPath,
    debian: '',
    args: (capture) => [cli, moduleOf(filter), '--pcap', capture, '--quiet'],
    count: (output) => lines(output).length,
  };
}

const PEERS: readonly Peer[] = [
  iris('iris-run', 'video'),
  iris('iris, handshakes', 'videos'),
  suricata('single'),
  suricata('autofp'),
  {
    name: 'ndpiReader',
    program: 'ndpiReader',
    debian: 'the package libndpi-bin',
    args: (capture) => ['-i', capture, '-v', '2'],
    count: (output) => {
      const names = [...output.matchAll(/Hostname\/SNI: ([^\]]*)\]/g)];
      return names.filter(([, name = '']) => name.includes(TEXT)).length;
    },
  },
  {
    name: 'tshark',
    program: 'tshark',
    debian: 'the package tshark',
    args: (capture) => [
      '-n',
      '-r',
      capture,
      '-Y',
      `tls.handshake.extensions_server_name contains "${TEXT}"`,
      '-T',
      'fields',
      '-e',
      'tls.handshake.extensions_server_name',
    ],
    count: (output) => lines(output).length,
  },
];

interface Run {
  /** Seconds of CPU, all threads and the start included, and seconds by the clock. */
  readonly cpu: number;
  readonly wall: number;
}

export interface PeerCost {
  readonly name: string;
  /** How to install it. */
  readonly debian: string;
  /** Empty if it is not installed. */
  readonly runs: readonly Run[];
  /** The same on the first few packets: what its start takes. */
  readonly starts: readonly Run[];
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

/** Every peer of `programs`, or every one, over the capture and over `few`, some packets of it, in turns. */
export function peerCosts(
  capture: BenchCapture,
  few: BenchCapture,
  runs: number,
  programs?: readonly string[],
): PeerCost[] {
  const chosen = PEERS.filter(({ program, debian }) => debian === '' || programs?.includes(program) !== false);
  const peers = chosen.map((peer) => ({ peer, present: isInstalled(peer.program) }));
  const results = peers.map(({ peer: { name, debian } }) => {
    return { name, debian, runs: [] as Run[], starts: [] as Run[], matches: 0 };
  });
  for (let i = 0; i < runs; i++) {
    peers.forEach(({ peer, present }, n) => {
      const result = results[n];
      if (!present || result === undefined) return;
      result.starts.push(run(peer, few.path));
      const whole = run(peer, capture.path);
      result.runs.push(whole);
      result.matches = whole.matches;
    });
  }
  return results;
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}

/** Medians of a peer: seconds of whole runs, and of what they took beyond the start. */
function medians({ runs, starts }: PeerCost) {
  const [cpu, wall] = [median(runs.map(({ cpu }) => cpu)), median(runs.map(({ wall }) => wall))];
  const [startCpu, startWall] = [median(starts.map(({ cpu }) => cpu)), median(starts.map(({ wall }) => wall))];
  return { cpu, wall, startCpu, bareCpu: cpu - startCpu, bareWall: wall - startWall };
}

/**
 * A line per peer: thousands of packets per second of CPU and by the clock, seconds of CPU of the start alone, matches; then
 * how many times as many packets the first line does in a second of CPU, in one by the clock, and in each beyond the start.
 */
export function peerTable(costs: readonly PeerCost[], packets: number): string {
  const [first] = costs;
  const own = first === undefined ? undefined : medians(first);
  const rows = costs.map((cost) => {
    if (cost.runs.length === 0) return [cost.name, `not installed: ${cost.debian}`];
    const its = medians(cost);
    const times = (key: keyof typeof its) => `${(its[key] / (own?.[key] ?? Number.NaN)).toFixed(2)}x`;
    return [
      cost.name,
      (packets / its.cpu / 1000).toFixed(0),
      (packets / its.wall / 1000).toFixed(0),
      its.startCpu.toFixed(2),
      `${cost.matches}`,
      ...[times('cpu'), times('wall'), times('bareCpu'), times('bareWall')],
    ];
  });
  const title = [
    'program',
    'kpps of CPU',
    'kpps',
    'start, CPU s',
    'matches',
    'by CPU',
    'by clock',
    'CPU - start',
    'clock - start',
  ];
  return [title, ...rows]
    .map(([name = '', ...cells]) => name.padEnd(18) + cells.map((cell) => cell.padStart(14)).join(''))
    .join('\n');
}
