/**
 * `npm run bench -- --online`: whole runs over virtual devices, as a user starts them: packets a second of one worker and
 * of two, each on its own device, for the packet path alone and for connection records.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadDpdk } from '../../runtime/source/dpdk.ts';
import { packageRoot } from '../support/corpus.ts';
import { benchCapture } from './captures.ts';
import { moduleOf } from './filters.ts';

/** Seconds of one run. */
const SECONDS = 3;

export interface OnlineRate {
  readonly device: string;
  readonly workers: number;
  /** Packets a second of each worker: median over the runs. */
  readonly each: readonly number[];
  readonly lost: number;
}

/** Rates of each device with one and with two workers, in turns. The filters must have been compiled. */
export function onlineRates(runs: number, seed: number): OnlineRate[] {
  const { path } = benchCapture('elephant', 1, seed, 8000);
  const [main = 0, other] = loadDpdk().threadAffinity();
  const workers = other === undefined ? [[main]] : [[other], [other, main]];
  const devices: readonly (readonly [string, (i: number) => string])[] = [
    ['net_null', (i) => `net_null${i},size=64`],
    ['net_pcap, infinite_rx', (i) => `net_pcap${i},rx_pcap=${path},infinite_rx=1`],
  ];
  const subjects = devices.flatMap(([device, of]) => workers.map((cores) => ({ device, of, cores })));
  const found = subjects.map((): (readonly number[])[] => []);
  const lost = subjects.map(() => 0);
  for (let run = 0; run < runs; run++) {
    subjects.forEach(({ of, cores }, i) => {
      const outcome = runOnce(
        cores.map((core, n) => [of(n), core] as const),
        main,
      );
      found[i]?.push(outcome.each);
      lost[i] = (lost[i] ?? 0) + outcome.lost;
    });
  }
  return subjects.map(({ device, cores }, i) => ({
    device,
    workers: cores.length,
    each: cores.map((_, n) => median((found[i] ?? []).map((each) => each[n] ?? 0))),
    lost: lost[i] ?? 0,
  }));
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0;
}

function runOnce(ports: readonly (readonly [string, number])[], main: number) {
  const folder = mkdtempSync(join(tmpdir(), 'iris-online-'));
  const config = join(folder, 'run.toml');
  const text = ports.map(([device, core]) => `[[online.ports]]\ndevice = "${device}"\ncores = [${core}]\n`);
  const head = `main_core = ${main}\nmempool.capacity = 16383\n[online]\nnb_rxd = 512\nduration = ${SECONDS}\n`;
  writeFileSync(config, head + text.join(''));
  const run = join(packageRoot(), 'dist/runtime/cli/iris-run.js');
  const args = [run, moduleOf('records'), '--json', '--config', config, '--out', '/dev/null'];
  const { stderr, status } = spawnSync(process.execPath, args, { encoding: 'utf8', maxBuffer: 1 << 26 });
  rmSync(folder, { recursive: true });
  const line = stderr.split('\n').findLast((one) => one.startsWith('{"kind":"summary"'));
  if (status !== 0 || line === undefined) throw new Error(stderr);
  const { cores, seconds, lost } = JSON.parse(line) as {
    readonly cores: readonly { readonly packets: number }[];
    readonly seconds: number;
    readonly lost: Readonly<Record<string, number>>;
  };
  return {
    each: cores.map(({ packets }) => packets / seconds),
    lost: Object.values(lost).reduce((all, count) => all + count, 0),
  };
}

/** The table, its last newline included. */
export function onlineTable(rates: readonly OnlineRate[]): string {
  const sum = ({ each }: OnlineRate) => each.reduce((all, rate) => all + rate, 0);
  const lines = rates.map((rate) => {
    const one = rates.find(({ device, workers }) => device === rate.device && workers === 1);
    const gain = rate.workers > 1 && one !== undefined ? `  ${(sum(rate) / sum(one)).toFixed(2)} of one worker` : '';
    const each = rate.each.map((value) => `${(value / 1e6).toFixed(2)} Mpps`).join(' + ');
    return `${rate.device.padEnd(22)}  ${rate.workers} worker${rate.workers > 1 ? 's' : ' '}  ${each}${gain}, lost ${rate.lost}`;
  });
  return `${lines.join('\n')}\n`;
}
