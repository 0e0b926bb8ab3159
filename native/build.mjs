// Builds the addon: `npm run build:native`. Never fails an install: without a compiler it says so in one sentence, and
// without DPDK it builds a stub. Set IRIS_MARCH (for example x86-64-v2) to build for another machine than this one.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));

/** Whether a program starts. */
const runs = (program) => spawnSync(program, ['--version'], { stdio: 'ignore' }).status === 0;

function build() {
  const compiler = process.env.CXX ?? 'g++';
  const missing = [compiler, 'make', 'python3'].filter((program) => !runs(program));
  if (missing.length > 0) {
    console.error(
      `native addon skipped: ${missing.join(', ')} not found (sudo native/install-dpdk.sh installs all it needs); captures work without it`,
    );
    return 0;
  }
  const gyp = createRequire(import.meta.url).resolve('node-gyp/bin/node-gyp.js');
  const args = [gyp, 'rebuild', '--loglevel=error', '-C', here];
  // The headers beside this Node, so that nothing is downloaded where they are.
  const prefix = dirname(dirname(process.execPath));
  if (existsSync(join(prefix, 'include', 'node', 'node_api.h'))) args.push(`--nodedir=${prefix}`);
  if (process.env.IRIS_MARCH) args.push(`--iris_march=${process.env.IRIS_MARCH}`);
  const result = spawnSync(process.execPath, args, { encoding: 'utf8' });
  if (result.status === 0) {
    const { haveDpdk, dpdkVersion } = createRequire(import.meta.url)(join(here, 'build/Release/iris_native.node'));
    console.error(
      haveDpdk
        ? `native addon built with ${dpdkVersion}`
        : 'native addon built without DPDK: pkg-config does not find libdpdk (sudo native/install-dpdk.sh)',
    );
    return 0;
  }
  process.stderr.write(result.stdout + result.stderr);
  console.error('native addon not built; captures work without it');
  return process.argv.includes('--required') ? 1 : 0;
}

process.exitCode = build();
