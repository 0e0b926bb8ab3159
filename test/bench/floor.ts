/** Builds and runs the C++ floor (test/bench/floor/floor.cc). */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Cumulative stages of the floor's work. */
export const FLOOR_MODES = ['read', 'walk', 'parse', 'hash', 'lookup', 'count', 'full'] as const;
export type FloorMode = (typeof FLOOR_MODES)[number];

/** What one run saw and what it cost. CPU time is that of the process, in nanoseconds. */
export interface Sample {
  readonly packets: number;
  readonly bytes: number;
  /** Connections delivered, and the sums over their records. */
  readonly delivered: number;
  readonly connPackets: number;
  readonly connBytes: number;
  /** The measured loop. */
  readonly cpuNs: number;
  /** Of it, what the thread spent that the packets go through; absent where the system does not tell. The floor has no other. */
  readonly threadNs?: number;
  /** The whole process, start-up included. */
  readonly processNs: number;
}

/** Compiles the floor unless that is done; returns the program's path. Throws when there is no C++ compiler. */
export function buildFloor(): string {
  const source = fileURLToPath(new URL('../../../test/bench/floor/floor.cc', import.meta.url));
  const compiler = process.env.CXX ?? 'g++';
  const version = execFileSync(compiler, ['--version'], { encoding: 'utf8' });
  const header = fileURLToPath(new URL('../../../test/bench/floor/table.h', import.meta.url));
  const digest = createHash('sha256').update(version).update(readFileSync(source)).update(readFileSync(header));
  const hash = digest.digest('hex').slice(0, 12);
  const program = join(tmpdir(), 'iris-bench', `floor-${hash}`);
  if (existsSync(program)) return program;
  mkdirSync(join(tmpdir(), 'iris-bench'), { recursive: true });
  execFileSync(compiler, ['-O3', '-march=native', '-std=c++17', '-o', `${program}.part`, source], { stdio: 'inherit' });
  renameSync(`${program}.part`, program);
  return program;
}

export function runFloor(program: string, capture: string, mode: FloorMode, batch: 1 | 64, max: number): Sample {
  const args = [capture, '--mode', mode, '--batch', `${batch}`, '--max', `${max}`];
  const sample = JSON.parse(execFileSync(program, args, { encoding: 'utf8' })) as Sample;
  return { ...sample, threadNs: sample.cpuNs };
}
