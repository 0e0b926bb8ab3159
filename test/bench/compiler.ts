#!/usr/bin/env node
/**
 * What generated code costs: `node dist/test/bench/compiler.js [RUNS]`. One subscription beside the same written by hand, 256
 * subscriptions beside one, in ns of CPU per packet of a capture; and the time that compiling 256 takes. With `--explain [SHAPE
 * [PAIRS]]`: counted code (`iris run --explain`) beside plain. Every run is a process of its own, and subjects take turns.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { nodeHost } from '../../compiler/cli/node-host.ts';
import { compile } from '../../compiler/compile.ts';
import { TEMPLATES, type Templates } from '../../compiler/emit/render.ts';
import { Rec } from '../../runtime/conntrack/layout.ts';
import { createCore } from '../../runtime/core.ts';
import { rxLoop } from '../../runtime/lcore/rx-loop.ts';
import { Pkt } from '../../runtime/packet/layout.ts';
import { PARSERS, parsersFor } from '../../runtime/protocols/registry.ts';
import type { TlsHandshake } from '../../runtime/protocols/tls/handshake.ts';
import { openCapture } from '../../runtime/source/capture.ts';
import type { Core, Plan, Subscription, SubscriptionModule } from '../../runtime/subscription/contract.ts';
import { loadModule } from '../compiler/support/load-module.ts';
import type { Shape } from '../traffic/options.ts';
import { benchCapture } from './captures.ts';

const SNI = "subscribe s0(tls: TlsHandshake) when tls.sni ends_with '.org' and tcp.dst_port = 443\n";
const subnets = (count: number): string =>
  Array.from(
    { length: count },
    (_, i) =>
      `subscribe s${i}(ft: FiveTuple) when ipv4.addr in ${count === 1 ? '0.0.0.0/0' : `${i}.0.0.0/8`} and (http or tls or dns or quic)\n`,
  ).join('');

const RECORDS = 'subscribe flows(conn: ConnRecord) when tcp or udp\n';

function compiled(text: string, instrument = false): string {
  const host = nodeHost();
  const template = (name: string): string => readFileSync(join(host.packageRoot, 'templates', `${name}.hbs`), 'utf8');
  const templates = Object.fromEntries(TEMPLATES.map((name) => [name, template(name)])) as Templates;
  const parsers = PARSERS.map((parser) => parser.name);
  const result = compile({ path: '/bench.iris', text }, { files: host, templates, version: '0', parsers, instrument });
  if (result.text === undefined) throw new Error(result.diagnostics.map((d) => d.message).join('\n'));
  return result.text;
}

/** What a careful person writes for the task of {@link SNI}. */
function byHand(plan: Plan): (core: Core, handlers: { s0?(tls: TlsHandshake): void }) => Subscription {
  return ({ pkt, rec }, { s0 }) => ({
    plan,
    tracked: { open() {}, clear() {} },
    packetFilter(p) {
      const ports = pkt[p + Pkt.PORTS] as number;
      return ((pkt[p + Pkt.META] as number) & 0xff) === 6 && (ports >>> 16 === 443 || (ports & 0xffff) === 443);
    },
    onL4FirstPacket: (c) => (((rec[c + Rec.PORTS] as number) & 0xffff) === 443 ? 4 : 0),
    onL7OnDisc: (_c, proto) => (proto === 1 ? 4 : 0),
    onL7EndHdrs(_c, session) {
      const tls = session as TlsHandshake;
      if (tls.sni?.endsWith('.org') === true) s0?.(tls);
      return 0;
    },
  });
}

interface Subject {
  readonly text: string;
  readonly hand?: true;
  /** Counts, as for `iris run --explain`. */
  readonly counted?: true;
}

const SUBJECTS: Readonly<Record<string, Subject>> = {
  'one, by hand': { text: SNI, hand: true },
  'one, generated': { text: SNI },
  '1 subnet': { text: subnets(1) },
  '256 subnets': { text: subnets(256) },
  'one, counted': { text: SNI, counted: true },
  records: { text: RECORDS },
  'records, counted': { text: RECORDS, counted: true },
};

/** One run in this process: ns of CPU per packet, and deliveries. */
async function measure(subject: string, capture: string): Promise<{ readonly ns: number; readonly delivered: number }> {
  const { text, hand, counted } = SUBJECTS[subject] ?? { text: SNI };
  const module: SubscriptionModule = await loadModule(compiled(text, counted));
  const { plan } = module;
  const source = openCapture(capture, { slabBytes: 1 << 24 });
  const core = createCore({
    id: 0,
    memory: source.memory,
    plan,
    maxConnections: 200_000,
    emit() {},
    userError(_subscription, _c, error) {
      throw error;
    },
  });
  let delivered = 0;
  const count = (): void => void delivered++;
  const handlers = Object.fromEntries(plan.subscriptions.map((name) => [name, count]));
  const sub = hand ? byHand(plan)(core, handlers) : module.create(core, handlers);
  const before = process.cpuUsage();
  await rxLoop({ core, source, sub, parsers: parsersFor(plan.parsers), seed: 1 });
  const { user, system } = process.cpuUsage(before);
  return { ns: ((user + system) * 1000) / source.stats.packets, delivered };
}

/** One run as a process of its own. */
function run(subject: string, capture: string): { readonly ns: number; readonly delivered: number } {
  const text = execFileSync(process.execPath, [fileURLToPath(import.meta.url), subject, capture], { encoding: 'utf8' });
  return JSON.parse(text) as { ns: number; delivered: number };
}

function main(runs: number): void {
  const { path, packets } = benchCapture('mixed', 40, 1);
  const best = new Map<string, { ns: number; delivered: number }>();
  for (let turn = 0; turn < runs; turn++) {
    for (const subject of Object.keys(SUBJECTS)) {
      const one = run(subject, path);
      if (one.ns < (best.get(subject)?.ns ?? Number.POSITIVE_INFINITY)) best.set(subject, one);
    }
  }
  console.log(`mixed, ${packets} packets; ns of CPU per packet, best of ${runs}\n`);
  for (const [subject, { ns, delivered }] of best) {
    console.log(`  ${subject.padEnd(16)} ${ns.toFixed(1).padStart(7)}   ${delivered} deliveries`);
  }
  const ratio = (a: string, b: string): string => ((best.get(a)?.ns ?? 0) / (best.get(b)?.ns ?? 1)).toFixed(2);
  console.log(`\ngenerated : by hand ${ratio('one, generated', 'one, by hand')}`);
  console.log(`256 : 1 ${ratio('256 subnets', '1 subnet')}`);
  const started = performance.now();
  compiled(subnets(256));
  console.log(`compiling 256 subscriptions: ${Math.round(performance.now() - started)} ms`);
}

/** Plain filters and the same with counters in them. */
const COUNTED = [
  ['one, generated', 'one, counted'],
  ['records', 'records, counted'],
] as const;

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;

/** What counting costs on a capture of `shape`: medians over pairs of runs, plain and counted, taken in turns. */
function explainCost(shape: Shape, pairs: number): void {
  const { path, packets } = benchCapture(shape, shape === 'mixed' ? 40 : 1, 1);
  console.log(`${shape}, ${packets} packets; ns of CPU per packet, medians of ${pairs} pairs of runs`);
  for (const [plain, counted] of COUNTED) {
    const runs = Array.from({ length: pairs }, (_, i) => {
      const order = i % 2 === 0 ? [plain, counted] : [counted, plain];
      const ns = new Map(order.map((subject) => [subject, run(subject, path).ns]));
      return [ns.get(plain) ?? 0, ns.get(counted) ?? 0] as const;
    });
    const ratios = runs.map(([a, b]) => b / a);
    const [before, after] = [0, 1].map((side) => median(runs.map((pair) => pair[side] ?? 0)).toFixed(1));
    const spread = `${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)}`;
    console.log(
      `  ${plain.padEnd(16)} ${before} -> ${after}   counted : plain ${median(ratios).toFixed(3)} (${spread})`,
    );
  }
}

const [subject, capture, pairs] = process.argv.slice(2);
if (subject === '--explain') explainCost((capture ?? 'mixed') as Shape, Number(pairs ?? 7));
else if (subject !== undefined && capture !== undefined) console.log(JSON.stringify(await measure(subject, capture)));
else main(Number(subject ?? 5));
