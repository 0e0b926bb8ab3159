/**
 * Generated code against the naive interpreter: random programs over random connections deliver the same. The naive side
 * evaluates each condition anew at every event; nothing is planned.
 */
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Level } from '../../../compiler/analysis/info.ts';
import { PROTOCOLS } from '../../../compiler/catalog/catalog.ts';
import { type EmitOptions, emitModule } from '../../../compiler/emit/module.ts';
import type { TypedExpr, TypedProgram } from '../../../compiler/language/typed.ts';
import { planProgram } from '../../../compiler/plan/plan.ts';
import { Meta, Pkt } from '../../../runtime/packet/layout.ts';
import { evaluate, evaluateAtEnd, type Facts, type FieldValue } from '../../support/interpreter.ts';
import { loadModule } from '../support/load-module.ts';
import { and, everything, matches, not, oneOf, or, program, proto, subscribe, within } from '../support/program.ts';
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

const SYN = 2;
const PSH = 8;
const PORTS = [22, 80, 443, 8080];
const V4 = [0x0a000001, 0x0a000002, 0xc0a80001 | 0];
const V6 = [
  [0x20010db8, 0, 0, 1],
  [0x20010db8, 0, 0, 2],
  [0xfe800000 | 0, 0, 0, 7],
];
const HOSTS = ['a.example', 'www.youtube.com', 'b.test'];

// Programs

const port = fc.constantFrom(...PORTS);
const side = fc.constantFrom('src', 'dst');
const early: fc.Arbitrary<TypedExpr> = fc.oneof(
  fc.constantFrom('tcp', 'udp', 'ipv4', 'ipv6').map(proto),
  fc
    .tuple(fc.constantFrom('tcp', 'udp'), side, fc.uniqueArray(port, { minLength: 1, maxLength: 4 }))
    .map(([p, s, ports]) => within(`${p}.${s}_port`, ...ports)),
  fc.tuple(fc.constantFrom('tcp', 'udp'), side).map(([p, s]) => within(`${p}.${s}_port`, [100, 9000])),
  side.map((s) => within(`ipv4.${s}_addr`, [0x0a000000, 0x0affffff])),
  side.map((s) => within(`ipv4.${s}_addr`, [0x0a000002, 0xc0a80001])),
  side.map((s) => within(`ipv6.${s}_addr`, [0x20010db8n << 96n, (0x20010db9n << 96n) - 1n])),
  side.map((s) => within(`ipv6.${s}_addr`, [(0x20010db8n << 96n) + 2n, (0xfe800000n << 96n) + 9n])),
);
const late: fc.Arbitrary<TypedExpr> = fc.oneof(
  fc.constantFrom('tls', 'http').map(proto),
  fc.uniqueArray(fc.constantFrom(...HOSTS), { minLength: 1, maxLength: 3 }).map((hosts) => oneOf('tls.sni', ...hosts)),
  fc.constantFrom('(^|\\.)youtube\\.com$', '^a', 'e[a-x]+').map((pattern) => matches('tls.sni', pattern)),
  fc.constantFrom(0x0301, 0x0303).map((version) => within('tls.version', version)),
  fc.constant(within('tls.client_ciphers', 0x1301, [0xc000, 0xc0ff])),
  fc
    .uniqueArray(fc.constantFrom(...HOSTS), { minLength: 1, maxLength: 2 })
    .map((hosts) => oneOf('http.host', ...hosts)),
  fc.constantFrom('GET', 'POST').map((method) => oneOf('http.method', method)),
);
const perPacket: fc.Arbitrary<TypedExpr> = fc.oneof(
  fc.constantFrom('tcp.syn', 'tcp.psh').map((flag) => within(flag, 1)),
  fc.constant(within('ipv4.time_to_live', [60, 255])),
);

function expressions(leaf: fc.Arbitrary<TypedExpr>): fc.Arbitrary<TypedExpr> {
  const { node } = fc.letrec<{ node: TypedExpr }>((tie) => ({
    node: fc.oneof(
      { depthSize: 'small' },
      leaf,
      fc.array(tie('node'), { minLength: 2, maxLength: 3 }).map((terms) => and(...terms)),
      fc.array(tie('node'), { minLength: 2, maxLength: 3 }).map((terms) => or(...terms)),
      tie('node').map(not),
    ),
  }));
  return fc.oneof({ weight: 12, arbitrary: node }, { weight: 1, arbitrary: fc.constant(everything) });
}

const LEAVES: readonly { readonly level: Level; readonly leaf: fc.Arbitrary<TypedExpr> }[] = [
  { level: 'L4FirstPacket', leaf: fc.oneof(early, perPacket) },
  { level: 'L4EndHshk', leaf: early },
  { level: 'InL4Conn', leaf: fc.oneof(early, late, perPacket) },
  { level: 'L7OnDisc', leaf: fc.oneof(early, fc.constantFrom('tls', 'http').map(proto)) },
  { level: 'L7EndHdrs', leaf: fc.oneof(early, late) },
  { level: 'L4Terminated', leaf: fc.oneof(early, late) },
];
const subscription = fc.oneof(...LEAVES.map(({ level, leaf }) => expressions(leaf).map((when) => ({ level, when }))));
function programs(minLength: number, maxLength: number): fc.Arbitrary<TypedProgram> {
  return fc
    .array(subscription, { minLength, maxLength })
    .map((list) => program(...list.map(({ level, when }, i) => subscribe(`s${i}`, {}, [level], when))));
}

// Connections

const ends: fc.Arbitrary<Ends> = fc
  .record({
    proto: fc.constantFrom(6 as const, 17 as const),
    v6: fc.boolean(),
    from: fc.nat(2),
    to: fc.nat(2),
    origPort: port,
    respPort: port,
  })
  .map(({ proto: number, v6, from, to, origPort, respPort }) => {
    const address = (i: number): readonly number[] => (v6 ? (V6[i] ?? []) : [V4[i] ?? 0]);
    return { proto: number, v6, orig: address(from), resp: address(to), origPort, respPort };
  });
const packet: fc.Arbitrary<StubPacket> = fc.record({
  dir: fc.constantFrom(0 as const, 1 as const),
  flags: fc.constantFrom(0, SYN, PSH, SYN | PSH),
  ttl: fc.constantFrom(1, 64, 128),
});
const session = fc.record({
  sni: fc.option(fc.constantFrom(...HOSTS), { nil: undefined }),
  version: fc.option(fc.constantFrom(0x0301, 0x0303, 0x0304), { nil: undefined }),
  clientCiphers: fc.array(fc.constantFrom(0x1301, 0x1302, 0xc02b), { maxLength: 3 }),
  host: fc.option(fc.constantFrom(...HOSTS), { nil: undefined }),
  method: fc.constantFrom('GET', 'POST'),
});
const connections: fc.Arbitrary<StubConnection> = fc
  .record({
    ends,
    packets: fc.array(packet, { minLength: 1, maxLength: 5 }),
    handshake: fc.option(fc.nat(4), { nil: undefined }),
    discovered: fc.option(fc.nat(4), { nil: undefined }),
    protocol: fc.constantFrom(0, 1, 2),
    sessions: fc.array(fc.tuple(fc.nat(4), session), { maxLength: 3 }),
    tellsNone: fc.boolean(),
  })
  .map((raw) => {
    const { packets } = raw;
    const at = (n: number | undefined): number | undefined => (n === undefined ? undefined : n % packets.length);
    const protocol = raw.ends.proto === 6 ? raw.protocol : 0;
    const discoveredAt = at(raw.discovered);
    const count = protocol === 1 ? 1 : 3;
    const sessions =
      protocol === 0 || discoveredAt === undefined
        ? []
        : raw.sessions
            .slice(0, count)
            .map(([n, values]) => ({
              at: Math.max(discoveredAt, n % packets.length),
              session: { proto: protocol, ...values },
            }))
            .sort((a, b) => a.at - b.at);
    const handshakeAt = raw.ends.proto === 6 ? at(raw.handshake) : undefined;
    return { ends: raw.ends, packets, handshakeAt, discoveredAt, protocol, sessions, tellsNone: raw.tellsNone };
  });

// The naive side

const big = (words: readonly number[]): bigint => words.reduce((all, word) => (all << 32n) | BigInt(word >>> 0), 0n);

/** Facts that hold from the first packet on. */
function connectionFacts({ ends: e }: StubConnection): {
  protocols: Map<string, boolean>;
  fields: Map<string, FieldValue>;
} {
  const protocols = new Map<string, boolean>([
    ['ethernet', true],
    ['ipv4', !e.v6],
    ['ipv6', e.v6],
    ['tcp', e.proto === 6],
    ['udp', e.proto === 17],
  ]);
  // What runs over TCP only is out of the question over UDP.
  if (e.proto === 17) for (const name of ['tls', 'http', 'ssh']) protocols.set(name, false);
  const ip = e.v6 ? 'ipv6' : 'ipv4';
  const l4 = e.proto === 6 ? 'tcp' : 'udp';
  const fields = new Map<string, FieldValue>([
    [`${ip}.src_addr`, big(e.orig)],
    [`${ip}.dst_addr`, big(e.resp)],
    [`${l4}.src_port`, BigInt(e.origPort)],
    [`${l4}.dst_port`, BigInt(e.respPort)],
  ]);
  return { protocols, fields };
}

interface Moment {
  readonly packet?: StubPacket | undefined;
  /** The application protocol is known. */
  readonly discovered: boolean;
  readonly session?: StubConnection['sessions'][number]['session'] | undefined;
}

function factsAt(connection: StubConnection, moment: Moment): Facts {
  const { protocols, fields } = connectionFacts(connection);
  const { packet: own, session: parsed } = moment;
  if (own !== undefined) {
    fields.set('tcp.syn', (own.flags & SYN) !== 0 ? 1n : 0n);
    fields.set('tcp.psh', (own.flags & PSH) !== 0 ? 1n : 0n);
    fields.set('ipv4.time_to_live', BigInt(own.ttl));
  }
  if (moment.discovered) {
    for (const { name, number, layer } of PROTOCOLS) {
      if (layer === 'application') protocols.set(name, connection.protocol === number);
    }
  }
  if (parsed !== undefined) {
    for (const { name, fields: defs } of PROTOCOLS) {
      for (const { name: field, access } of defs) {
        if (access.kind !== 'session') continue;
        const value: unknown = Reflect.get(parsed, access.property);
        fields.set(`${name}.${field}`, asFact(value));
      }
    }
  }
  return { protocols, fields, filters: new Map() };
}

function asFact(value: unknown): FieldValue {
  if (typeof value === 'number') return BigInt(value);
  if (typeof value === 'string') return value;
  if (Array.isArray(value)) return value.map((v) => BigInt(v as number));
  return null;
}

interface Expected {
  readonly must: readonly Delivered[];
  /** Allowed too: a planner may see that something holds before each of its parts is known. */
  readonly may: readonly Delivered[];
}

function expected(when: TypedExpr, level: Level, name: string, connection: StubConnection): Expected {
  const { packets, discoveredAt, sessions } = connection;
  const must: Delivered[] = [];
  const may: Delivered[] = [];
  const truth = (moment: Moment): boolean | undefined => evaluate(when, factsAt(connection, moment));
  const known = (at: number): boolean => discoveredAt !== undefined && discoveredAt < at;
  switch (level) {
    case 'L4FirstPacket':
      if (truth({ packet: packets[0], discovered: false }) === true) must.push({ name, at: 0 });
      break;
    case 'L4EndHshk':
      if (connection.handshakeAt !== undefined && truth({ discovered: false }) === true) {
        must.push({ name, at: connection.handshakeAt });
      }
      break;
    case 'InL4Conn':
      for (const [at, own] of packets.entries()) {
        const before = sessions.filter((s) => s.at < at);
        const moments = before.map((s) => ({ packet: own, discovered: true, session: s.session }));
        if (moments.length === 0) moments.push({ packet: own, discovered: known(at), session: undefined as never });
        const now = moments.map(truth);
        if (now.includes(true)) must.push({ name, at });
        else if (now.includes(undefined) || hasLater(connection, at)) may.push({ name, at });
      }
      break;
    case 'L7OnDisc':
      if (discoveredAt !== undefined) {
        if (truth({ discovered: true }) === true) must.push({ name, at: discoveredAt });
      } else if (evaluateAtEnd(when, factsAt({ ...connection, protocol: 0 }, { discovered: true }))) {
        must.push({ name, at: packets.length });
      }
      break;
    case 'L7EndHdrs':
      for (const { at, session: parsed } of sessions) {
        if (truth({ discovered: true, session: parsed }) === true) must.push({ name, at });
      }
      break;
    case 'L4Terminated': {
      const discovered = discoveredAt !== undefined;
      const ends = sessions.map((s) => ({ discovered, session: s.session }));
      const moments: readonly Moment[] = ends.length === 0 ? [{ discovered }] : ends;
      if (moments.some((moment) => evaluateAtEnd(when, factsAt(connection, moment))))
        must.push({ name, at: packets.length });
      break;
    }
    default:
      throw new RangeError(level);
  }
  return { must, may };
}

/** Sessions still come, of a protocol that has many: what the earlier ones said is not the last word. */
function hasLater(connection: StubConnection, at: number): boolean {
  return connection.sessions.every((s) => s.at >= at);
}

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
    const [level = 'L4Terminated'] = levels;
    const { must, may } = expected(when, level, name, connection);
    const got = out.filter((d) => d.name === name).map((d) => d.at);
    const needed = must.map((d) => d.at);
    const allowed = new Set([...needed, ...may.map((d) => d.at)]);
    const missing = needed.filter((at) => !got.includes(at));
    const surplus = got.filter((at) => !allowed.has(at));
    const counts = level === 'L7EndHdrs' ? got.length === needed.length : new Set(got).size === got.length;
    if (missing.length > 0 || surplus.length > 0 || !counts) {
      const readable = JSON.stringify({ level, when, connection }, plain, 1);
      assert.unreachable(`${name}: got ${got}, need ${needed}, seed ${SEED}\n${readable}\n${text}`);
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
