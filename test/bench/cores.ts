/**
 * `npm run bench -- --cores`: whole runs over large captures on one core and on two, by the clock, and what the machine can
 * give at all: the C++ floor once, and twice at a time. Virtual processors may share a core, or its memory's bandwidth.
 */
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../support/corpus.ts';
import type { Shape } from '../traffic/options.ts';
import { type BenchCapture, benchCapture } from './captures.ts';
import { moduleOf } from './filters.ts';
import { buildFloor } from './floor.ts';

/** Packets of the large capture of a shape; a run must last long enough for starting and compiling not to count. */
const PACKETS: ReadonlyMap<Shape, number> = new Map([
  ['elephant', 60_000_000],
  ['short', 2_800_000],
  ['scan', 9_000_000],
  ['live200k', 36_000_000],
]);

export interface CoresGain {
  readonly shape: string;
  readonly packets: number;
  /** Seconds by the clock, median over the runs: connection records for a handler on one core and on two. */
  readonly one: number;
  readonly two: number;
  /** How many times the work of one floor two of them do in the same time. */
  readonly bound: number;
}

/** Gains on the large captures of `shapes`, in turns. The filters must have been compiled. */
export async function coresGains(shapes: readonly Shape[], runs: number, seed: number): Promise<CoresGain[]> {
  const floor = buildFloor();
  const app = writeApp();
  const gains: CoresGain[] = [];
  for (const shape of shapes) {
    const packets = PACKETS.get(shape);
    if (packets === undefined) continue;
    gains.push(await gainOf(benchCapture(shape, 1, seed, packets), runs, floor, app));
  }
  return gains;
}

async function gainOf(capture: BenchCapture, runs: number, floor: string, app: string): Promise<CoresGain> {
  const most = `${Math.min(capture.connections + 1000, 1_300_000)}`;
  const cli = join(packageRoot(), 'dist/runtime/cli/iris-run.js');
  const run = (cores: number) => [
    process.execPath,
    cli,
    app,
    '--pcap',
    capture.path,
    '--cores',
    `${cores}`,
    '--max-connections',
    most,
    '--quiet',
  ];
  const plain = [floor, capture.path, '--mode', 'full', '--batch', '64', '--max', most];
  // Once for nothing: the capture comes into the system's memory.
  await secondsOf([plain]);
  const times: number[][] = [[], [], [], []];
  for (let i = 0; i < runs; i++) {
    const turns = [[run(1)], [run(2)], [plain], [plain, plain]];
    for (const [k, commands] of turns.entries()) times[k]?.push(await secondsOf(commands));
  }
  const [one = 0, two = 0, alone = 0, both = 0] = times.map(median);
  return { shape: capture.shape, packets: capture.packets, one, two, bound: (2 * alone) / both };
}

/** Seconds until all `commands`, started at once, have ended. Throws when one fails. */
async function secondsOf(commands: readonly (readonly string[])[]): Promise<number> {
  const started = performance.now();
  await Promise.all(
    commands.map(
      ([program = '', ...args]) =>
        new Promise<void>((resolve, reject) => {
          const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'inherit'] });
          child.on('error', reject);
          child.on('exit', (code) => {
            if (code === 0) resolve();
            else reject(new Error(`${program} ended with ${code}`));
          });
        }),
    ),
  );
  return (performance.now() - started) / 1000;
}

/** An app whose handler reads each record, where its module finds the runtime. */
function writeApp(): string {
  const path = join(moduleOf('records'), '..', 'records-app.js');
  const text = [
    "import { defineApp } from 'iris-ts/runtime';",
    "import { create } from './records.iris.js';",
    'let sum = 0;',
    'export default defineApp(create, { flows: ({ packets, bytes }) => { sum += packets[0] + bytes[1]; } });',
  ];
  writeFileSync(path, `${text.join('\n')}\n`);
  return path;
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0;
}

/** The table, its last newline included. */
export function coresTable(gains: readonly CoresGain[]): string {
  const lines = gains.map(({ shape, packets, one, two, bound }) => {
    const cells = [`${(packets / 1e6).toFixed(1)}M packets`, `one core ${one.toFixed(2)} s`, `two ${two.toFixed(2)} s`];
    return `${shape.padEnd(10)}  ${cells.join(', ')}: ${(one / two).toFixed(2)}x; two floors at a time: ${bound.toFixed(2)}x`;
  });
  return `${lines.join('\n')}\n`;
}
