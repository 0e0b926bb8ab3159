/**
 * Generated code against the naive interpreter: random programs over random connections deliver the same. The naive side
 * evaluates each condition anew at every event; nothing is planned.
 */
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { PROTOCOLS } from '../../../compiler/catalog/catalog.ts';
import { type EmitOptions, emitModule } from '../../../compiler/emit/module.ts';
import type { TypedProgram } from '../../../compiler/language/typed.ts';
import { planProgram } from '../../../compiler/plan/plan.ts';
import { Meta, Pkt } from '../../../runtime/packet/layout.ts';
import { evaluate, type Facts, type FieldValue } from '../../support/interpreter.ts';
import {
  connections,
  early,
  ends,
  expressions,
  families,
  manyTexts,
  PSH,
  packet,
  perPacket,
  programs,
  SYN,
} from '../support/arbitrary-connections.ts';
import { loadModule } from '../support/load-module.ts';
import { big, expected } from '../support/naive-reading.ts';
import { and, matches, not, oneOf, or, program, proto, subscribe } from '../support/program.ts';
import {
  type Delivered,
  type Ends,
  fillRow,
  runConnection,
  type StubConnection,
  type StubPacket,
  stubCore,
} from '../support/stub-tracker.ts';
import { templates } from '../support/templates.ts';

const SEED = Number(process.env.IRIS_SEED ?? Date.now() % 1_000_000);
const RUNS = Number(process.env.IRIS_RUNS ?? 60);
const CONNECTIONS = 40;
const PARSERS = ['tls', 'http'];

const EMIT: EmitOptions = {
  templates: templates(),
  version: '0',
  sourceName: 'oracle.iris',
  compileColumns: () => {
    throw new TypeError('no columns here');
  },
};

const oracle = suite('generated code against the interpreter');

oracle('delivers what the naive reading delivers', async () => {
  await agree(fc.sample(programs(1, 4), { numRuns: RUNS, seed: SEED }), CONNECTIONS);
});

oracle('does so with more threads than one word has bits', async () => {
  // What the planner refuses is left out, or hardly any large program would be left.
  const parts = fc.sample(programs(1, 1), { numRuns: 150, seed: SEED });
  const sound = parts.flatMap((p) => (planProgram(p, PROTOCOLS, PARSERS).plan === undefined ? [] : p.subscriptions));
  const renamed = sound.map((s, i) => ({ ...s, name: `s${i}` }));
  assert.ok(renamed.length > 60);
  await agree([program(...renamed.slice(0, 30)), program(...renamed)], CONNECTIONS * 2);
});

oracle('does so with families of subscriptions that differ in their ends only', async () => {
  const sources = fc
    .sample(families, { numRuns: Math.max(RUNS, 40), seed: SEED })
    .filter((source) => planProgram(source, PROTOCOLS, PARSERS).plan !== undefined)
    .slice(0, Math.max(RUNS / 3, 12));
  const plans = sources.map((source) => planProgram(source, PROTOCOLS, PARSERS).plan);
  const fields = plans.flatMap((plan) => plan?.families.flatMap((family) => family.fields) ?? []);
  for (const type of ['ipv4', 'ipv6']) assert.ok(fields.some(({ field }) => field.type === type));
  await agree(sources, CONNECTIONS);
});

oracle('does so where one text is compared with many values', async () => {
  const sources = fc
    .sample(manyTexts, { numRuns: Math.max(RUNS, 40), seed: SEED })
    .filter((source) => planProgram(source, PROTOCOLS, PARSERS).plan !== undefined)
    .slice(0, Math.max(RUNS / 3, 12));
  const texts = sources.flatMap((source) => planProgram(source, PROTOCOLS, PARSERS).plan ?? []);
  assert.ok(texts.some((plan) => emitModule(plan, EMIT).text.includes('_NUMBERS.get(')));
  await agree(sources, CONNECTIONS);
});

oracle('passes over no test that a later one counts on, whoever is alive', async () => {
  const video = matches('http.host', 'youtube');
  const neither = not(or(oneOf('http.host', 'a.example'), video));
  const source = program(
    subscribe('s0', {}, ['L4Terminated'], video),
    subscribe('s1', {}, ['L4Terminated'], and(proto('tcp'), neither)),
  );
  await agree([source], CONNECTIONS * 20);
});

async function agree(sources: readonly TypedProgram[], count: number): Promise<void> {
  console.log(`seed ${SEED}`);
  let compiled = 0;
  let deliveries = 0;
  let refused = 0;
  for (const source of sources) {
    const { plan, diagnostics } = planProgram(source, PROTOCOLS, PARSERS);
    if (plan === undefined) {
      refused++;
      assert.ok(diagnostics.length > 0);
      continue;
    }
    const { text } = emitModule(plan, EMIT);
    const module = await loadModule(text);
    let now = 0;
    let out: Delivered[] = [];
    const core = stubCore(module.plan.recordWords, (name) => out.push({ name, at: now }));
    const subscriptionOf = module.create(core, {});
    for (const connection of fc.sample(connections, { numRuns: count, seed: SEED + compiled })) {
      out = [];
      runConnection(core, subscriptionOf, module.plan, connection, (at) => {
        now = at;
      });
      deliveries += out.length;
      compare(source, connection, out, text);
    }
    compiled++;
  }
  console.log(`${compiled} programs, ${refused} refused, ${deliveries} deliveries`);
  assert.ok(compiled > sources.length / 4 && deliveries > sources.length);
}

function compare(source: TypedProgram, connection: StubConnection, out: readonly Delivered[], text: string): void {
  for (const { name, levels, when } of source.subscriptions) {
    const all = levels.map((level) => expected(when, level, name, connection));
    const must = all.flatMap((one) => one.must.map(({ at }) => at));
    const may = all.flatMap((one) => one.may.map(({ at }) => at));
    const got = out.filter((d) => d.name === name).map((d) => d.at);
    const times = (list: readonly number[], at: number): number => list.filter((one) => one === at).length;
    const wrong = [...new Set([...must, ...got])].filter((at) => {
      const [least, found] = [times(must, at), times(got, at)];
      return found < least || found > least + times(may, at);
    });
    if (wrong.length > 0 || (levels.includes('L7EndHdrs') && got.length !== must.length)) {
      const readable = JSON.stringify({ levels, when, connection }, plain, 1);
      assert.unreachable(`${name}: got ${got}, need ${must}, seed ${SEED}\n${readable}\n${text}`);
    }
  }
}

function plain(key: string, value: unknown): unknown {
  if (typeof value === 'bigint') return `${value}`;
  if (key === 'span') return undefined;
  return (key === 'protocol' || key === 'field') && typeof value === 'object' && value !== null && 'name' in value
    ? value.name
    : value;
}

// Frames

interface Frame {
  readonly ip: 'none' | 'v4' | 'v6';
  readonly proto: number;
  /** The transport header is whole. */
  readonly whole: boolean;
  readonly ends: Ends;
  readonly packet: StubPacket;
}
const frames: fc.Arbitrary<Frame> = fc.record({
  ip: fc.constantFrom('none', 'v4', 'v6'),
  proto: fc.constantFrom(1, 6, 17),
  whole: fc.boolean(),
  ends,
  packet: packet.map((p) => ({ ...p, dir: 0 as const })),
});

function frameFacts({ ip, proto: number, whole, ends: e, packet: own }: Frame): Facts {
  const protocols = new Map(PROTOCOLS.map(({ name }) => [name, false]));
  protocols.set('ethernet', true);
  protocols.set('ipv4', ip === 'v4');
  protocols.set('ipv6', ip === 'v6');
  protocols.set('tcp', ip !== 'none' && number === 6);
  protocols.set('udp', ip !== 'none' && number === 17);
  const fields = new Map<string, FieldValue>();
  const l4 = number === 6 ? 'tcp' : 'udp';
  for (const name of ['src_port', 'dst_port', 'syn', 'psh']) fields.set(`${l4}.${name}`, null);
  if (whole) {
    fields.set(`${l4}.src_port`, BigInt(e.origPort));
    fields.set(`${l4}.dst_port`, BigInt(e.respPort));
    fields.set('tcp.syn', (own.flags & SYN) !== 0 ? 1n : 0n);
    fields.set('tcp.psh', (own.flags & PSH) !== 0 ? 1n : 0n);
  }
  fields.set('ipv4.time_to_live', BigInt(own.ttl));
  fields.set(`ip${ip}.src_addr`, big(e.orig));
  fields.set(`ip${ip}.dst_addr`, big(e.resp));
  return { protocols, fields, filters: new Map() };
}

oracle('delivers single frames as the naive reading does', async () => {
  console.log(`seed ${SEED}`);
  const source = fc
    .array(expressions(fc.oneof(early, perPacket)), { minLength: 1, maxLength: 4 })
    .map((list) => program(...list.map((when, i) => subscribe(`s${i}`, {}, ['Packet'], when))));
  let deliveries = 0;
  for (const one of fc.sample(source, { numRuns: RUNS, seed: SEED })) {
    const { plan } = planProgram(one, PROTOCOLS, PARSERS);
    if (plan === undefined) continue;
    const { text } = emitModule(plan, EMIT);
    const module = await loadModule(text);
    let out: string[] = [];
    const core = stubCore(module.plan.recordWords, (name) => out.push(name));
    const made = module.create(core, {});
    for (const frame of fc.sample(frames, { numRuns: CONNECTIONS, seed: SEED + deliveries })) {
      const v6 = frame.ip === 'v6';
      const address = (words: readonly number[]): readonly number[] =>
        v6 ? [...words, 0, 0, 0].slice(0, 4) : words.slice(0, 1);
      const own = { ...frame.ends, v6, orig: address(frame.ends.orig), resp: address(frame.ends.resp) };
      fillRow(core, own, frame.packet);
      const ip = frame.ip === 'none' ? 0 : Meta.IP | frame.proto | (v6 ? Meta.IPV6 : 0);
      core.pkt[Pkt.META] = ip | (ip !== 0 && frame.whole && frame.proto !== 1 ? Meta.L4 : 0);
      out = [];
      made.onPacket?.(0);
      deliveries += out.length;
      const facts = frameFacts({ ...frame, ends: own });
      const wanted = one.subscriptions.filter((s) => evaluate(s.when, facts) === true).map((s) => s.name);
      if (out.join() !== wanted.join()) {
        const readable = JSON.stringify({ subscriptions: one.subscriptions, frame }, plain, 1);
        assert.unreachable(`got ${out}, need ${wanted}, seed ${SEED}\n${readable}\n${text}`);
      }
    }
  }
  console.log(`${deliveries} deliveries`);
  assert.ok(deliveries > RUNS);
});

oracle.run();
