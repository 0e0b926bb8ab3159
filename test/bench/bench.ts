#!/usr/bin/env node
/**
 * `npm run bench`: what the packet path costs, in nanoseconds of CPU per packet, beside a floor in C++ measured in the
 * same minutes on the same captures. Subjects take turns, so that a busy moment of the machine hits them alike.
 */
import { execFileSync } from 'node:child_process';
import { cpus, loadavg } from 'node:os';
import { fileURLToPath } from 'node:url';
import { Command, InvalidArgumentError } from 'commander';
import { SHAPE_NAMES, type Shape } from '../traffic/options.ts';
import { type BenchCapture, benchCapture } from './captures.ts';
import { coresGains, coresTable } from './cores.ts';
import { compileFilters } from './filters.ts';
import { buildFloor, FLOOR_MODES, runFloor, type Sample } from './floor.ts';
import { flowToolCosts, flowToolTable } from './flow-tools.ts';
import { onlineRates, onlineTable } from './online.ts';
import { type ParserCost, parserCosts, parserTable } from './parsers.ts';
import { peerCosts, peerTable } from './peers.ts';
import { havePorts } from './ports.ts';
import { type Cost, cost, printTable } from './report.ts';
import { rxCosts, rxTable } from './rx.ts';
import { PORT_STAGES, STAGES, type Stage } from './stages.ts';
import type { GcReport } from './subject.ts';

const DEFAULT_SHAPES: readonly Shape[] = ['elephant', 'short', 'scan', 'live200k', 'live1m'];

function whole(text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new InvalidArgumentError('not a number above 0');
  return value;
}

function list<T extends string>(allowed: readonly T[]) {
  return (text: string): T[] =>
    text.split(',').map((name) => {
      if (!(allowed as readonly string[]).includes(name))
        throw new InvalidArgumentError(`one of ${allowed.join(', ')}`);
      return name as T;
    });
}

interface Options {
  readonly shapes: readonly Shape[];
  readonly runs: number;
  readonly scale: number;
  readonly seed: number;
  readonly packets?: number;
  readonly subjects?: readonly Stage[];
  readonly floorStages?: boolean;
  readonly ports?: boolean;
  readonly parsers?: boolean;
  readonly rx?: boolean;
  readonly online?: boolean;
  readonly peers?: true | string;
  readonly flowTools?: boolean;
  readonly cores?: boolean;
  readonly gc?: boolean;
  readonly json?: boolean;
}

/** A subject: its name in the table, whether it claims the floor's whole work, and one run of it. */
interface Subject {
  readonly name: string;
  readonly compare: boolean;
  run(capture: BenchCapture, max: number): Sample & { gc?: GcReport };
}

/** Room for every connection of a capture and for those that ended but are still remembered. */
function tableSize({ shape, connections }: BenchCapture): number {
  return shape === 'scan' ? Math.min(connections, 1_100_000) + 100_000 : connections + 1000;
}

/**
 * The shapes that are measured over more packets, too: compiling takes a fixed 170 ms of CPU, which is a quarter of the
 * shape's own 2.4M packets, and not of a run that matters.
 */
const LONG_PACKETS: ReadonlyMap<Shape, number> = new Map([
  ['live200k', 12_000_000],
  ['live1m', 18_000_000],
]);

function floorSubjects(program: string, stages: boolean): Subject[] {
  const floor = (name: string, mode: (typeof FLOOR_MODES)[number], batch: 1 | 64): Subject => ({
    name,
    compare: mode === 'full',
    run: (capture, max) => runFloor(program, capture.path, mode, batch, max),
  });
  const partial = FLOOR_MODES.filter((mode) => mode !== 'full');
  return [
    floor('C++ floor, batch 64', 'full', 64),
    floor('C++ floor, one by one', 'full', 1),
    ...(stages ? partial.map((mode) => floor(`C++ to ${mode}`, mode, 64)) : []),
  ];
}

function ownSubject(stage: string, gc: boolean): Subject {
  const script = fileURLToPath(new URL('subject.js', import.meta.url));
  return {
    name: stage,
    compare: stage === 'counts' || stage === 'records',
    run: ({ path }, max) => {
      const args = [script, stage, path, `${max}`, ...(gc ? ['--gc'] : [])];
      return JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8' })) as Sample & { gc?: GcReport };
    },
  };
}

function measure(capture: BenchCapture, subjects: readonly Subject[], runs: number) {
  const max = tableSize(capture);
  const samples = subjects.map((): (Sample & { gc?: GcReport })[] => []);
  for (let run = 0; run < runs; run++) {
    subjects.forEach((subject, i) => {
      samples[i]?.push(subject.run(capture, max));
    });
  }
  const floor = samples[0];
  const costs = subjects.map(
    (subject, i): Cost =>
      cost(subject.name, capture.packets, samples[i] ?? [], i === 0 ? undefined : floor, subject.compare),
  );
  return { costs, samples };
}

function printGc(
  subjects: readonly Subject[],
  samples: readonly (readonly (Sample & { gc?: GcReport })[])[],
): string[] {
  return subjects.flatMap((subject, i) => {
    const gc = samples[i]?.at(-1)?.gc;
    if (gc === undefined) return [];
    const { minor, major, totalMs, longestMs, bursts, longestBursts, maxRss } = gc;
    const counts = bursts.map(({ belowMs, count }) => `${count} ${belowMs === null ? 'more' : `< ${belowMs} ms`}`);
    const longest = longestBursts.map(({ ms, atMs }) => `${ms.toFixed(1)} ms (at ${(atMs / 1000).toFixed(1)} s)`);
    return [
      `  ${subject.name}: ${minor} minor and ${major} major collections, ${totalMs.toFixed(1)} ms in all, the longest ${longestMs.toFixed(1)} ms; at most ${(maxRss / 1e6).toFixed(0)} MB resident`,
      `    bursts by CPU time: ${counts.join(', ')}; the longest, and when: ${longest.join(', ')}`,
    ].join('\n');
  });
}

/** The path behind virtual DPDK devices, in packets played from memory: no floor, no reading of files. */
function measurePorts(options: Options, say: (text: string) => void) {
  const capture = { ...benchCapture('mixed', 0.5, options.seed), packets: 10_000_000 };
  if (!havePorts()) {
    say('ports: the addon is not built with DPDK');
    return { capture, load: loadavg()[0], costs: [], samples: [] };
  }
  const subjects = Object.keys(PORT_STAGES).map((stage) => ownSubject(stage, options.gc === true));
  const samples = subjects.map((): (Sample & { gc?: GcReport })[] => []);
  for (let run = 0; run < options.runs; run++) {
    subjects.forEach((subject, i) => {
      samples[i]?.push(subject.run(capture, 1));
    });
  }
  const costs = subjects.map(({ name }, i) => cost(name, capture.packets, samples[i] ?? [], undefined, false));
  say(printTable('virtual DPDK devices, without hugepages', costs));
  return { capture, load: loadavg()[0], costs, samples };
}

/** The captures of a shape, each with what is measured on it. */
function rounds(shape: Shape, subjects: readonly Subject[], options: Options) {
  const own = { shape, limit: options.packets, subjects };
  const long = LONG_PACKETS.get(shape);
  if (long === undefined || options.packets !== undefined) return [own];
  const compared = subjects.filter(({ compare }) => compare);
  return [own, { shape, limit: Math.round(long * options.scale), subjects: compared }];
}

async function main(options: Options): Promise<void> {
  const say = (text: string) => void (options.json ? undefined : console.log(text));
  if (options.parsers) {
    const costs: ParserCost[] = parserCosts();
    say(`ns of CPU per session, of one short conversation each\n\n${parserTable(costs)}`);
    if (options.json) console.log(JSON.stringify({ parsers: costs }, null, 2));
    return;
  }
  if (options.rx) {
    const costs = rxCosts();
    const title =
      'ns per packet of 64 bytes, median (minimum): bursts of 64 received, length and first word read, freed';
    say(`${title}; without hugepages\n\n${rxTable(costs)}`);
    if (options.json) console.log(JSON.stringify({ rx: costs }, null, 2));
    return;
  }
  await compileFilters();
  if (options.online) {
    const rates = onlineRates(options.runs, options.seed);
    say(
      `connection records in whole runs over virtual devices, without hugepages, a device a worker\n\n${onlineTable(rates)}`,
    );
    if (options.json) console.log(JSON.stringify({ online: rates }, null, 2));
    return;
  }
  if (options.peers) {
    const capture = benchCapture('tls', options.scale, options.seed, options.packets);
    const few = benchCapture('tls', options.scale, options.seed, 20);
    const costs = peerCosts(capture, few, options.runs, options.peers === true ? undefined : options.peers.split(','));
    say(`TLS server names matched, whole processes, ${capture.packets} packets, ${capture.connections} connections\n`);
    say(peerTable(costs, capture.packets));
    if (options.json) console.log(JSON.stringify({ capture, peers: costs }, null, 2));
    return;
  }
  if (options.cores) {
    const gains = await coresGains(options.shapes, options.runs, options.seed);
    say(`connection records of large captures for a handler, whole runs by the clock\n\n${coresTable(gains)}`);
    if (options.json) console.log(JSON.stringify({ cores: gains }, null, 2));
    return;
  }
  if (options.flowTools) {
    say('ns of CPU per packet, whole processes, each once; ratios to the first line\n');
    const results = options.shapes.map((shape) => {
      const capture = benchCapture(shape, options.scale, options.seed, options.packets);
      const costs = flowToolCosts(capture);
      say(`${flowToolTable(`${shape}: ${capture.packets} packets, ${capture.connections} connections`, costs)}\n`);
      return { capture, costs };
    });
    if (options.json) console.log(JSON.stringify({ flowTools: results }, null, 2));
    return;
  }
  const subjects = [
    ...floorSubjects(buildFloor(), options.floorStages === true),
    ...(options.subjects ?? (Object.keys(STAGES) as Stage[])).map((stage) => ownSubject(stage, options.gc === true)),
  ];
  const model = `${cpus()[0]?.model ?? 'unknown processor'} x ${cpus().length}, Node ${process.versions.node}`;
  say(`${model}; load average ${loadavg()[0]?.toFixed(2)}`);
  say(
    'ns of CPU per packet, reading and all threads included, in a loop that includes warm-up; ratios to the first line\n' +
      'thread ratio: of the thread of the packets alone, which is what one waits for; compiling goes on beside it\n',
  );
  const results = options.shapes
    .flatMap((shape) => rounds(shape, subjects, options))
    .map(({ shape, limit, subjects }) => {
      const capture = benchCapture(shape, options.scale, options.seed, limit);
      const { costs, samples } = measure(capture, subjects, options.runs);
      const size = `${capture.packets} packets, ${capture.connections} connections, ${Math.round(capture.bytes / 1e6)} MB`;
      say(printTable(`${shape}: ${size}, ${options.runs} runs, load average ${loadavg()[0]?.toFixed(2)}`, costs));
      for (const line of printGc(subjects, samples)) say(line);
      say('');
      return { capture, load: loadavg()[0], costs, samples };
    });
  if (options.ports) results.push(measurePorts(options, say));
  if (options.json) console.log(JSON.stringify({ machine: model, options, results }, null, 2));
}

const program = new Command('bench')
  .description('Measure the packet path beside a floor in C++.')
  .option('--shapes <names>', `of ${SHAPE_NAMES.join(', ')}`, list(SHAPE_NAMES), [...DEFAULT_SHAPES])
  .option('--subjects <stages>', `of ${Object.keys(STAGES).join(', ')}`, list(Object.keys(STAGES) as Stage[]))
  .option('--runs <n>', 'runs of each subject', whole, 5)
  .option('--scale <factor>', 'size of the captures; below 1, warm-up weighs more', whole, 1)
  .option('--seed <n>', 'of the captures', whole, 1)
  .option('--packets <n>', 'end the captures after so many packets; more let warm-up weigh less', whole)
  .option('--floor-stages', 'also the stages of the floor')
  .option('--ports', 'also the path behind virtual DPDK devices')
  .option('--parsers', 'instead of captures: what each parser costs per session')
  .option('--rx', 'instead: bursts into TypeScript beside the same loop in C++, on net_null and net_ring')
  .option('--online', 'instead: whole runs over virtual devices, one worker and two')
  .option('--peers [programs]', 'instead of captures: other programs that match server names of TLS, all or some')
  .option('--flow-tools', 'instead of the floor: connection records beside argus, softflowd and others, if installed')
  .option('--cores', 'instead of the floor: large captures on one core and on two, and what the machine can give')
  .option('--gc', 'what the garbage collector did, the memory, and how long bursts took (costs a little)')
  .option('--json', 'print everything as JSON');

await main(program.parse().opts<Options>());
