/**
 * `npm run bench -- --rx`: what taking a burst into TypeScript costs beside the same loop in C++, in one process, from the
 * same queue over the same mempool, taking turns: rx burst, length and first word of each packet read, packets freed.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Burst, LinkType, Pkt } from '../../runtime/packet/layout.ts';
import { loadDpdk } from '../../runtime/source/dpdk.ts';
import { openDpdkPort } from '../../runtime/source/dpdk-port.ts';

interface RxFloor {
  receive(port: number, bursts: number, rows?: Int32Array): number;
  refill(port: number, mempool: string, packets: number): number;
  now(): number;
}

/** Bursts of one turn; what net_ring holds. */
const BURSTS = 15;
const TURNS = 4000;
/** Turns before the measured ones. */
const WARM_UP = 1000;

export interface RxCost {
  readonly device: string;
  readonly subject: string;
  /** Nanoseconds per packet: median and minimum of all turns. */
  readonly median: number;
  readonly least: number;
}

/** Compiles the loop in C++ unless that is done, and loads it. Throws where there is no compiler, DPDK or Node header. */
function loadFloor(): RxFloor {
  const source = fileURLToPath(new URL('../../../test/bench/floor/rx.cc', import.meta.url));
  const compiler = process.env.CXX ?? 'g++';
  const flags = execFileSync('pkg-config', ['--cflags', '--libs', 'libdpdk'], { encoding: 'utf8' }).trim().split(/\s+/);
  const headers = join(dirname(dirname(process.execPath)), 'include', 'node');
  const digest = createHash('sha256').update(readFileSync(source)).update(flags.join()).update(process.version);
  const program = join(tmpdir(), 'iris-bench', `rx-${digest.digest('hex').slice(0, 12)}.node`);
  if (!existsSync(program)) {
    mkdirSync(dirname(program), { recursive: true });
    const own = ['-O3', '-std=c++17', '-shared', '-fPIC', `-I${headers}`, '-o', `${program}.part`, source];
    execFileSync(compiler, [...own, ...flags, '-march=native'], { stdio: 'inherit' });
    renameSync(`${program}.part`, program);
  }
  return createRequire(import.meta.url)(program) as RxFloor;
}

/** Measures all subjects on net_null and net_ring; needs an own process, as DPDK starts once. */
export function rxCosts(): RxCost[] {
  const addon = loadDpdk();
  const cpu = addon.threadAffinity().at(-1) ?? 0;
  addon.ealStart(['bench', '-l', `${cpu}`, '--no-huge', '--no-shconf', '-m', '256', '--no-telemetry', '--no-pci']);
  addon.threadPin(cpu);
  addon.threadRegister();
  const floor = loadFloor();
  const settings = { capacity: 8191, cacheSize: 256, dataRoom: 2048, slabLength: 64, socket: -1 };
  return ['net_null0,size=64', 'net_ring0'].flatMap((devargs, number) => {
    const memory = addon.memoryCreate(settings);
    const port = addon.deviceProbe(devargs);
    addon.portConfigure(port, { memories: [memory], rxDescriptors: 512, mtu: 0, rss: false });
    addon.portStart(port, true);
    const queues = [{ port, queue: 0, linkType: LinkType.ETHERNET, packetTimes: false, finite: false }];
    const source = openDpdkPort(addon, { memory, queues });
    const subjects = subjectsOf(floor, port, source);
    const device = devargs.split(',')[0] ?? '';
    const refill = device === 'net_ring0' ? () => floor.refill(port, `iris_${number}`, BURSTS * Burst.MAX) : undefined;
    const times = subjects.map((): number[] => []);
    for (let turn = 0; turn < WARM_UP + TURNS; turn++) {
      subjects.forEach(({ run }, i) => {
        if (refill !== undefined && refill() !== BURSTS * Burst.MAX) throw new Error('the ring takes no more packets');
        const ns = run() / (BURSTS * Burst.MAX);
        if (turn >= WARM_UP) times[i]?.push(ns);
      });
    }
    source.close();
    addon.portStop(port);
    addon.deviceRemove(port);
    return subjects.map(({ name }, i): RxCost => {
      const sorted = (times[i] ?? []).sort((a, b) => a - b);
      return { device, subject: name, median: sorted[sorted.length >> 1] ?? 0, least: sorted[0] ?? 0 };
    });
  });
}

function subjectsOf(floor: RxFloor, port: number, source: ReturnType<typeof openDpdkPort>) {
  const rows = new Int32Array(Burst.MAX * Pkt.STRIDE);
  const { pkt, memory } = source;
  const { view } = memory;
  const sums = new Float64Array(1);
  function receive(): number {
    const start = floor.now();
    let sum = 0;
    for (let b = 0; b < BURSTS; b++) {
      const n = source.poll(pkt, Burst.MAX);
      for (let i = 0; i < n; i++) {
        const p = i << Pkt.SHIFT;
        sum = (sum + pkt[p + Pkt.WIRELEN] + view.getInt32(pkt[p + Pkt.OFFSET])) | 0;
      }
    }
    // The last burst is given back, too: the loops in C++ keep nothing.
    source.poll(pkt, 0);
    const spent = floor.now() - start;
    sums[0] += sum;
    return spent;
  }
  return [
    { name: 'C++', run: () => floor.receive(port, BURSTS) },
    { name: 'C++ that writes the same rows', run: () => floor.receive(port, BURSTS, rows) },
    { name: 'TypeScript', run: receive },
  ];
}

/** The table, its last newline included. */
export function rxTable(costs: readonly RxCost[]): string {
  const lines = costs.map(({ device, subject, median, least }) => {
    const own = costs.filter((cost) => cost.device === device);
    const ratios = own
      .filter(({ subject: other }) => subject === 'TypeScript' && other !== subject)
      .map(
        (floor) => `${(median / floor.median).toFixed(2)} (${(least / floor.least).toFixed(2)}) of ${floor.subject}`,
      );
    const cells = [device.padEnd(10), subject.padEnd(30), `${median.toFixed(1)} (${least.toFixed(1)})`.padStart(13)];
    return `${cells.join('  ')}  ${ratios.join(', ')}`.trimEnd();
  });
  return `${lines.join('\n')}\n`;
}
