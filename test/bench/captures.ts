/** The captures that benchmarks run on: made once per shape, scale and seed, kept in the system's temporary folder. */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Shape, shapeOptions } from '../traffic/options.ts';
import { writeCapture } from '../traffic/pcap-writer.ts';

export interface BenchCapture {
  readonly shape: Shape;
  readonly path: string;
  readonly packets: number;
  readonly bytes: number;
  /** Connections opened, all of them if none were cut off. */
  readonly connections: number;
}

const FOLDER = join(tmpdir(), 'iris-bench');

/**
 * The capture of `shape`, made now unless an equal one is there. A change of the generator makes a new one. `limit`
 * replaces the shape's limit: the same connections live longer or shorter.
 */
export function benchCapture(shape: Shape, scale: number, seed: number, limit?: number): BenchCapture {
  const options = shapeOptions(shape, scale, limit === undefined ? { seed } : { seed, packets: limit });
  const hash = createHash('sha256').update(JSON.stringify(options));
  const generator = fileURLToPath(new URL('../traffic/', import.meta.url));
  for (const name of readdirSync(generator).sort()) {
    if (name.endsWith('.js') && !name.endsWith('.test.js') && name !== 'cli.js')
      hash.update(readFileSync(join(generator, name)));
  }
  const path = join(FOLDER, `${shape}-${hash.digest('hex').slice(0, 12)}.pcap`);
  const notes = `${path}.json`;
  if (existsSync(notes) && existsSync(path))
    return { ...(JSON.parse(readFileSync(notes, 'utf8')) as BenchCapture), path };
  mkdirSync(FOLDER, { recursive: true });
  // Written under another name, so that an interrupted run leaves nothing that looks whole.
  const { packets, bytes } = writeCapture(`${path}.part`, options);
  renameSync(`${path}.part`, path);
  const capture: BenchCapture = { shape, path, packets, bytes, connections: options.connections };
  writeFileSync(notes, JSON.stringify(capture));
  return capture;
}
