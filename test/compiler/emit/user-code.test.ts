/**
 * User code in generated modules against the naive reading: random conditions over filters of every kind, delivered to
 * functions and to classes. What a filter says, and whether a method wants more, depends on the connection and the packet
 * alone, so that it does not matter how often a filter is asked.
 */
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { CallbackInfo, FilterInfo, Level, UpdateMethod } from '../../../compiler/analysis/info.ts';
import { PROTOCOLS } from '../../../compiler/catalog/catalog.ts';
import { emitModule } from '../../../compiler/emit/module.ts';
import type { TypedExpr, TypedProgram, TypedSubscription } from '../../../compiler/language/typed.ts';
import { planProgram } from '../../../compiler/plan/plan.ts';
import { connections, early, expressions, late, PSH } from '../support/arbitrary-connections.ts';
import { loadModule } from '../support/load-module.ts';
import { expected, type Verdicts } from '../support/naive-reading.ts';
import { and, not, oneOf, program, proto, subscribe } from '../support/program.ts';
import { type Delivered, runConnection, type StubConnection, stubCore } from '../support/stub-tracker.ts';
import { templates } from '../support/templates.ts';

const SEED = Number(process.env.IRIS_SEED ?? Date.now() % 1_000_000);
const RUNS = Number(process.env.IRIS_RUNS ?? 50);
const CONNECTIONS = 30;
const SPAN = { start: 0, end: 0 };
const USER = { module: './user.ts', file: { path: 'user.ts', text: '' }, span: SPAN };

function method(name: string, ...levels: Level[]): UpdateMethod {
  return { name, levels, params: [], body: '', returns: true, span: SPAN };
}
function functionFilter(name: string, ...levels: Level[]): FilterInfo {
  return { ...USER, name, kind: 'function', levels, params: [], methods: [] };
}
function classFilter(name: string, ...methods: UpdateMethod[]): FilterInfo {
  return { ...USER, name, kind: 'class', levels: methods.flatMap((m) => m.levels), params: [], methods };
}

const FILTERS: readonly FilterInfo[] = [
  functionFilter('atFirst', 'L4FirstPacket'),
  functionFilter('atPackets', 'InL4Conn'),
  functionFilter('atHandshake', 'L4EndHshk'),
  functionFilter('atDiscovery', 'L7OnDisc'),
  functionFilter('atSession', 'L7EndHdrs'),
  functionFilter('atEnd', 'L4Terminated'),
  { ...functionFilter('Mine.atFirst', 'L4FirstPacket'), staticOf: 'Mine' },
  { ...functionFilter('Mine.atPackets', 'InL4Conn'), staticOf: 'Mine' },
  functionFilter('atTwo', 'L4EndHshk', 'InL4Stream'),
  classFilter('Once', method('first', 'L4FirstPacket')),
  classFilter('Counter', method('packet', 'InL4Conn'), method('end', 'L4Terminated')),
  classFilter('Streamer', method('piece', 'InL4Stream'), method('known', 'L7OnDisc', 'L7EndHdrs')),
];

const LEVELS_OF: Readonly<Record<string, readonly Level[]>> = {
  first: ['L4FirstPacket'],
  handshake: ['L4EndHshk'],
  packet: ['InL4Conn'],
  piece: ['InL4Stream'],
  known: ['L7OnDisc'],
  session: ['L7EndHdrs'],
  end: ['L4Terminated'],
  several: ['InL4Conn', 'L4Terminated'],
};
const METHODS = Object.entries(LEVELS_OF).map(([name, levels]) => method(name, ...levels));

/** The user's module: filters and methods ask the test. */
const USER_MODULE = [
  `export class Mine { ${FILTERS.filter((f) => f.staticOf === 'Mine')
    .map(({ name }) => `static ${name.slice('Mine.'.length)}() { return globalThis.irisAsked('${name}'); }`)
    .join(' ')} }`,
  ...FILTERS.filter((f) => f.staticOf === undefined).map(({ name, kind, methods }) => {
    if (kind === 'function') return `export const ${name} = () => globalThis.irisAsked('${name}');`;
    const bodies = methods.map((m) => `${m.name}() { return globalThis.irisAsked('${name}'); }`);
    return `export class ${name} { ${bodies.join(' ')} }`;
  }),
  ...['Watch', 'Other'].map((name) => {
    const bodies = METHODS.map((m) => `${m.name}() { return globalThis.irisTold('${name}.${m.name}'); }`);
    return `export class ${name} { constructor() { globalThis.irisTold('${name}'); } ${bodies.join(' ')} }`;
  }),
].join('\n');

/** A number that depends on all of these and looks random. */
function mix(name: string, connection: StubConnection, at: number): number {
  let hash = at * 7919 + connection.ends.origPort * 31 + connection.packets.length + (connection.ends.resp[0] ?? 0);
  for (const unit of name) hash = Math.imul(hash ^ unit.charCodeAt(0), 0x01000193);
  return (hash ^ (hash >>> 13)) >>> 0;
}
function saidAt(name: string, connection: StubConnection, at: number): boolean | 'continue' {
  const draw = mix(name, connection, at) % 4;
  return draw === 0 ? true : draw === 1 ? false : 'continue';
}

/** Order of events behind one packet. */
const ORDER: readonly Level[] = [
  'L4FirstPacket',
  'InL4Conn',
  'L4EndHshk',
  'InL4Stream',
  'L7OnDisc',
  'L7EndHdrs',
  'L4Terminated',
];

/** When a filter is asked at a level. */
function pointsOf(level: Level, { packets, handshakeAt, discoveredAt, sessions, tellsNone }: StubConnection): number[] {
  switch (level) {
    case 'L4FirstPacket':
      return [0];
    case 'L4EndHshk':
      return handshakeAt === undefined ? [] : [handshakeAt];
    case 'L7OnDisc':
      return discoveredAt !== undefined ? [discoveredAt] : tellsNone ? [packets.length] : [];
    case 'L7EndHdrs':
      return sessions.map(({ at }) => at);
    case 'L4Terminated':
      return [packets.length];
    default:
      return packets.map((_, i) => i);
  }
}

const verdicts: Verdicts = (connection, level, at, session) => {
  const found = new Map<string, boolean>();
  for (const { name, kind, levels } of FILTERS) {
    if (levels.join() === 'L4FirstPacket') found.set(name, saidAt(name, connection, 0) === true);
    else if (kind === 'function' && levels.join() === 'L7EndHdrs') {
      // What the application protocol tells is not waited for at the end of the handshake.
      const none = connection.protocol === 0 && connection.discoveredAt !== undefined && level !== 'L4EndHshk';
      if (session !== undefined) found.set(name, saidAt(name, connection, session) === true);
      else if (none && pointsOf('L7OnDisc', connection).some((point) => isBefore('L7OnDisc', point, level, at))) {
        found.set(name, false);
      }
    } else {
      const asked = levels.flatMap((own) => pointsOf(own, connection).map((point) => ({ own, point })));
      asked.sort((a, b) => a.point - b.point || ORDER.indexOf(a.own) - ORDER.indexOf(b.own));
      for (const { own, point } of asked) {
        const said = saidAt(name, connection, point);
        if (said === 'continue' || !isBefore(own, point, level, at)) continue;
        found.set(name, said);
        break;
      }
    }
  }
  return found;
};

function isBefore(level: Level, point: number, other: Level, at: number): boolean {
  return point < at || (point === at && ORDER.indexOf(level) <= ORDER.indexOf(other));
}

// Programs

const user: fc.Arbitrary<TypedExpr> = fc
  .constantFrom(...FILTERS)
  .map((filter) => ({ kind: 'user', filter, span: SPAN }));
const condition = expressions(
  fc.oneof({ weight: 2, arbitrary: user }, { weight: 1, arbitrary: early }, { weight: 1, arbitrary: late }),
);
const single = fc
  .tuple(fc.constantFrom<Level>('InL4Conn', 'InL4Stream', 'L7EndHdrs', 'L4Terminated'), condition)
  .map(([level, when]) => ({ level, when }));

function ofClass(name: string, when: TypedExpr, methods: readonly UpdateMethod[]): TypedSubscription {
  const callback: CallbackInfo = { ...USER, name, kind: 'class', params: [], methods, streaming: true };
  const typed = methods.map((m) => ({ name: m.name, levels: m.levels, params: [], returns: true }));
  return {
    ...subscribe(
      name,
      {},
      methods.flatMap((m) => m.levels),
      when,
      name,
      callback,
    ),
    methods: typed,
  };
}
const classes = fc.tuple(condition, fc.subarray(METHODS, { minLength: 1 }));
const programs: fc.Arbitrary<TypedProgram> = fc
  .tuple(fc.array(single, { maxLength: 2 }), fc.array(classes, { minLength: 1, maxLength: 2 }))
  .map(([singles, all]) =>
    program(
      ...all.map(([when, methods], i) => ofClass(i === 0 ? 'Watch' : 'Other', when, methods)),
      ...singles.map(({ level, when }, i) => subscribe(`s${i}`, {}, [level], when)),
    ),
  );

interface Hooks {
  irisAsked(name: string): boolean | 'continue';
  irisTold(name: string): boolean;
}
const hooks = globalThis as unknown as Hooks;

const oracle = suite('user code in generated modules against the naive reading');

/** Compiles a program and runs connections through it; how many deliveries, undefined where it is refused. */
async function agree(source: TypedProgram, all: readonly StubConnection[], from: string): Promise<number | undefined> {
  const { plan } = planProgram(source, PROTOCOLS, ['tls', 'http']);
  if (plan === undefined) return undefined;
  const compileColumns = (): never => {
    throw new TypeError('no columns here');
  };
  const { text } = emitModule(plan, { templates: templates(), version: '0', sourceName: 'o.iris', compileColumns });
  const module = await loadModule(text, USER_MODULE);
  let now = 0;
  let out: Delivered[] = [];
  let deliveries = 0;
  const core = stubCore(module.plan.recordWords, (name) => out.push({ name, at: now }));
  const made = module.create(core, {});
  for (const connection of all) {
    out = [];
    hooks.irisAsked = (name) => saidAt(name, connection, now);
    hooks.irisTold = (name) => {
      out.push({ name, at: now });
      return wantsMore(name, connection, now);
    };
    runConnection(core, made, module.plan, connection, (at) => {
      now = at;
    });
    deliveries += out.length;
    for (const subscription of source.subscriptions) {
      const problem = compare(subscription, connection, out);
      if (problem === undefined) continue;
      const readable = JSON.stringify({ when: subscription.when, connection }, plain, 1);
      assert.unreachable(`${problem}, ${from}\n${readable}\n${text}`);
    }
  }
  return deliveries;
}

oracle('filters and classes hear of what they should', async () => {
  console.log(`seed ${SEED}`);
  let compiled = 0;
  let deliveries = 0;
  for (const source of fc.sample(programs, { numRuns: RUNS, seed: SEED })) {
    const all = fc.sample(connections, { numRuns: CONNECTIONS, seed: SEED + compiled + 1 });
    const told = await agree(source, all, `seed ${SEED}`);
    if (told === undefined) continue;
    compiled++;
    deliveries += told;
  }
  console.log(`${compiled} programs, ${deliveries} deliveries`);
  assert.ok(compiled > RUNS / 4 && deliveries > RUNS);
});

oracle('a session that satisfies a test leaves what waits for a filter waiting', async () => {
  const undecided = FILTERS.find(({ name }) => name === 'Streamer');
  assert.ok(undecided);
  const when = and(oneOf('http.method', 'POST'), not({ kind: 'user', filter: undecided, span: SPAN }));
  const http = { proto: 2, method: 'POST', version: 0, clientCiphers: [] };
  const all = Array.from({ length: 64 }, (_, port): StubConnection => {
    const packet = { dir: 0, flags: PSH, ttl: 64 } as const;
    return {
      ends: { proto: 6, v6: false, orig: [1], resp: [2], origPort: port, respPort: 80 },
      packets: [packet, packet, packet],
      handshakeAt: undefined,
      discoveredAt: 0,
      protocol: 2,
      sessions: [
        { at: 0, session: http },
        { at: 1, session: http },
      ],
      tellsNone: false,
    };
  });
  const told = await agree(program(subscribe('s', {}, ['L4Terminated'], when)), all, 'by hand');
  assert.ok(told !== undefined && told > 5 && told < 60);
});

oracle('a session that was a miss is remembered while a filter has yet to speak', async () => {
  const filters = ['atSession', 'Counter'].map((name) => FILTERS.find((one) => one.name === name));
  const [atSession, counter] = filters.flatMap((filter) => (filter === undefined ? [] : [filter]));
  assert.ok(atSession && counter);
  const user = (filter: FilterInfo): TypedExpr => ({ kind: 'user', filter, span: SPAN });
  const all = Array.from({ length: 64 }, (_, port) => ofOnePacket(port));
  const when = and(not(user(atSession)), user(counter));
  const told = await agree(program(subscribe('s', {}, ['L4Terminated'], when)), all, 'by hand');
  assert.ok(told !== undefined && told > 5 && told < 60);
});

oracle(
  'a session that satisfies a test makes up for one before it that did not, while a filter has yet to speak',
  async () => {
    const streamer = FILTERS.find(({ name }) => name === 'Streamer');
    assert.ok(streamer);
    const when = and(not(oneOf('http.host', 'b.test')), not({ kind: 'user', filter: streamer, span: SPAN }));
    const all = Array.from({ length: 64 }, (_, port): StubConnection => {
      const sessions = ['b.test', 'a.test'].map((host) => ({ at: 0, session: { proto: 2, host } }));
      return { ...ofOnePacket(port), sessions };
    });
    const told = await agree(program(subscribe('s', {}, ['L4Terminated'], when)), all, 'by hand');
    assert.ok(told !== undefined && told > 5 && told < 60);
  },
);

oracle('what the application protocol decided stays decided when a filter speaks later', async () => {
  const streamer = FILTERS.find(({ name }) => name === 'Streamer');
  assert.ok(streamer);
  const when = and(proto('http'), { kind: 'user', filter: streamer, span: SPAN });
  const levels: readonly Level[] = ['InL4Stream', 'L4Terminated'];
  const source = program(...levels.map((level, i) => subscribe(`s${i}`, {}, [level], when)));
  const all = Array.from({ length: 64 }, (_, port): StubConnection => {
    const one = ofOnePacket(port);
    return { ...one, packets: [...one.packets, ...one.packets, ...one.packets], sessions: [] };
  });
  const told = await agree(source, all, 'by hand');
  assert.ok(told !== undefined && told > 20);
});

/** A connection of one packet, which holds a session. */
function ofOnePacket(port: number): StubConnection {
  return {
    ends: { proto: 6, v6: false, orig: [1], resp: [2], origPort: port, respPort: 80 },
    packets: [{ dir: 0, flags: PSH, ttl: 64 }],
    handshakeAt: undefined,
    discoveredAt: 0,
    protocol: 2,
    sessions: [{ at: 0, session: { proto: 2 } }],
    tellsNone: false,
  };
}

const wantsMore = (name: string, connection: StubConnection, at: number): boolean =>
  mix(`more ${name}`, connection, at) % 8 !== 0;

/** What is wrong with what a subscription was told; undefined for nothing. */
function compare(source: TypedSubscription, connection: StubConnection, out: readonly Delivered[]): string | undefined {
  const { name, levels, when, methods } = source;
  const parts = methods?.map((m) => ({ name: `${name}.${m.name}`, levels: m.levels })) ?? [{ name, levels }];
  const mine = out.filter((d) => parts.some((part) => part.name === d.name));
  if (methods !== undefined) {
    const constructed = out.filter((d) => d.name === name).length;
    if (constructed !== (mine.length > 0 ? 1 : 0))
      return `${name} constructed ${constructed} times for ${mine.length} calls`;
  }
  // What is said at the end of a connection comes too late, but for a discovery that is made up for then.
  const end = connection.packets.length;
  const ofEnd = new Set(parts.filter(({ levels: l }) => l.includes('L4Terminated')).map((part) => part.name));
  const said =
    methods === undefined
      ? []
      : mine.filter((d) => !wantsMore(d.name, connection, d.at) && !(d.at === end && ofEnd.has(d.name)));
  const silent = said[0]?.at ?? Number.POSITIVE_INFINITY;
  if (said[0] !== undefined && mine.indexOf(said[0]) !== mine.length - 1)
    return `${name} was told after it had said no more`;
  for (const part of parts) {
    const expectations = part.levels.map((level) => expected(when, level, part.name, connection, verdicts));
    const must = expectations.flatMap((e) => e.must.map((d) => d.at)).filter((at) => at < silent);
    const allowed = new Set(expectations.flatMap((e) => [...e.must, ...e.may].map((d) => d.at)));
    const got = mine.filter((d) => d.name === part.name).map((d) => d.at);
    const missing = must.filter((at) => !got.includes(at));
    const surplus = got.filter((at) => !allowed.has(at));
    if (missing.length > 0) return `${part.name} at ${part.levels}: not told at ${missing}, but at ${got}`;
    if (surplus.length > 0) return `${part.name} at ${part.levels}: told at ${surplus}, allowed are ${[...allowed]}`;
  }
  return undefined;
}

function plain(key: string, value: unknown): unknown {
  if (typeof value === 'bigint') return `${value}`;
  if (key === 'span') return undefined;
  const named = ['protocol', 'field', 'filter'].includes(key) && typeof value === 'object' && value !== null;
  return named && 'name' in value ? value.name : value;
}

oracle.run();
