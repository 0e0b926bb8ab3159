#!/usr/bin/env node
/** `npm run traffic -- …`: writes a synthetic capture. */
import { Command, InvalidArgumentError, Option } from 'commander';
import { APPS, DEFAULTS, SHAPE_NAMES, type Shape, shapeOptions, type TrafficOptions } from './options.ts';
import { writeCapture } from './pcap-writer.ts';

function number(text: string): number {
  const value = Number(text.replaceAll('_', ''));
  if (text === '' || Number.isNaN(value)) throw new InvalidArgumentError('not a number');
  return value;
}

function range(text: string): [number, number] {
  const [low, high = low] = text.split('..').map(number);
  if (low === undefined || high === undefined) throw new InvalidArgumentError('not a range such as 1..8');
  return [low, high];
}

function mix(text: string): TrafficOptions['mix'] {
  const entries = text.split(',').map((part) => {
    const [app = '', weight = '1'] = part.split('=');
    if (!(APPS as readonly string[]).includes(app)) throw new InvalidArgumentError(`kinds are ${APPS.join(', ')}`);
    return [app, number(weight)] as const;
  });
  return Object.fromEntries(entries);
}

const program = new Command('traffic')
  .description('Write a synthetic capture; equal options and seed give equal bytes.')
  .requiredOption('-o, --out <file>', 'pcap file to write, /dev/stdout for a pipe')
  .option('--truth <file>', 'write what happened per connection as JSON lines')
  .addOption(new Option('--shape <name>', 'starting point of all options').choices(SHAPE_NAMES).default('mixed'))
  .option('--scale <factor>', "multiply the shape's connections, packets and live connections", number, 1)
  .option('--seed <n>', 'decides every byte', number, DEFAULTS.seed)
  .option('--connections <n>', 'connections in all', number)
  .option('--packets <n>', 'stop after this many packets', number)
  .option('--live <n>', 'connections under way at a time, in random order', number)
  .option('--mix <kinds>', `weights, such as tls13=4,dns=1; of ${APPS.join(', ')}`, mix)
  .option('--repeats <a..b>', 'repetitions of the bulk part of a connection', range)
  .option('--tls-bulk', 'TLS connections go on with bulk records')
  .option('--variety <n>', 'different scripts per kind', number)
  .option('--ipv6 <share>', 'share of connections over IPv6, 0..1', number)
  .option('--vlan <share>', 'share of connections with a VLAN tag', number)
  .option('--rst <share>', 'share of connections aborted by RST', number)
  .option('--half-open <share>', 'share of connections never closed', number)
  .option('--loss <share>', 'share of packets with payload missing in the capture', number)
  .option('--reorder <share>', 'share of packets with payload that come late', number)
  .option('--retransmit <share>', 'share of packets with payload that come twice', number)
  .option('--clients <n>', 'client addresses', number)
  .option('--servers <n>', 'server addresses', number)
  .option('--snaplen <bytes>', 'bytes kept of each frame', number)
  .option('--rate <pps>', 'packets per second of capture time', number)
  .option('--start <seconds>', 'time of the first packet, since 1970', number)
  .option('--nanoseconds', 'write nanosecond times')
  .addHelpText(
    'after',
    `
Examples:
  npm run traffic -- --out mixed.pcap --connections 5000 --loss 0.01 --reorder 0.02 --truth mixed.jsonl
  npm run traffic -- --out short.pcap --shape short --connections 250000
  npm run traffic -- --out fat.pcap --shape elephant --scale 0.1`,
  );

program.parse();
const { out, truth, shape, scale, ...overrides } = program.opts<
  { out: string; truth?: string; shape: Shape; scale: number } & Partial<TrafficOptions>
>();
const before = performance.now();
try {
  const { packets, bytes } = writeCapture(out, shapeOptions(shape, scale, overrides), truth);
  const seconds = (performance.now() - before) / 1000;
  const rate = Math.round(packets / seconds).toLocaleString('en');
  console.error(`${out}: ${packets} packets, ${bytes} bytes in ${seconds.toFixed(1)} s (${rate} packets/s)`);
} catch (error) {
  const code = error instanceof Error && 'code' in error;
  if (!(error instanceof RangeError) && !code) throw error;
  console.error(`traffic: ${error instanceof Error ? error.message : error}`);
  process.exitCode = 1;
}
