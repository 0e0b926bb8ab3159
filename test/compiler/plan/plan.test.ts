/** The planner's passes on small programs: normal form, exclusions, packet filter, trees, threads and their actions. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Level } from '../../../compiler/analysis/info.ts';
import { PROTOCOLS } from '../../../compiler/catalog/catalog.ts';
import type { TypedExpr, TypedSubscription } from '../../../compiler/language/typed.ts';
import { literalText, patternText } from '../../../compiler/plan/atom.ts';
import { MAX_PATTERNS, toDnf } from '../../../compiler/plan/dnf.ts';
import { toFormula } from '../../../compiler/plan/formula.ts';
import { unitName } from '../../../compiler/plan/outline.ts';
import { type ProgramPlan, planProgram } from '../../../compiler/plan/plan.ts';
import type { TreeNode } from '../../../compiler/plan/tree.ts';
import {
  and,
  everything,
  FIVE_TUPLE,
  matches,
  not,
  oneOf,
  or,
  program,
  proto,
  subscribe,
  TLS_HANDSHAKE,
  within,
} from '../support/program.ts';

const WORLD = { protocols: PROTOCOLS, connections: true };

function patterns(expr: TypedExpr, connections = true): readonly string[] {
  const dnf = toDnf(toFormula(expr), { ...WORLD, connections });
  if (dnf === undefined) throw new RangeError('too many patterns');
  return dnf.patterns.map(patternText);
}

function planOf(...subscriptions: TypedSubscription[]): ProgramPlan {
  const { plan, diagnostics } = planProgram(program(...subscriptions), PROTOCOLS, ['tls', 'http']);
  if (plan === undefined) throw new Error(diagnostics.map((d) => d.message).join('; '));
  return plan;
}

const codes = (...subscriptions: TypedSubscription[]): readonly string[] =>
  planProgram(program(...subscriptions), PROTOCOLS, ['tls']).diagnostics.map((d) => d.code);

const dnf = suite('normal form');

dnf('spells out the layers a test implies', () => {
  const [pattern = []] = toDnf(toFormula(matches('tls.sni', 'x')), WORLD)?.patterns ?? [];
  assert.equal(pattern.map(literalText), ['tcp', 'tls', "tls.sni matches 'x'"]);
});

dnf('multiplies out, absorbs and merges', () => {
  const a = within('tcp.dst_port', 80);
  assert.equal(patterns(or(and(a, proto('tls')), a)), ['tcp.dst_port = 80']);
  assert.equal(patterns(or(a, within('tcp.dst_port', 443))), ['tcp.dst_port in {80, 443}']);
  assert.equal(patterns(and(within('tcp.dst_port', [0, 1000]), within('tcp.dst_port', [500, 70000]))), [
    'tcp.dst_port in {500..1000}',
  ]);
  assert.equal(patterns(or(and(a, proto('tls')), and(a, not(proto('tls'))))), ['tcp.dst_port = 80']);
  assert.equal(patterns(and(oneOf('tls.sni', 'a.b', 'c.d'), matches('tls.sni', 'x'), not(oneOf('tls.sni', 'a.b')))), [
    `tls.sni = "c.d" and tls.sni matches 'x'`,
  ]);
});

dnf('knows what excludes what', () => {
  assert.equal(patterns(and(proto('tls'), proto('udp'))), []);
  assert.equal(patterns(and(proto('ipv4'), proto('ipv6'))), []);
  assert.equal(patterns(and(proto('tls'), proto('http'))), []);
  assert.equal(patterns(and(within('tcp.dst_port', 80), within('tcp.dst_port', 443))), []);
  assert.equal(patterns(and(proto('udp'), not(proto('tls')))), ['udp']);
  assert.equal(patterns(and(proto('udp'), not(matches('tls.sni', 'x')))), ['udp']);
});

dnf('takes connections for either TCP or UDP, frames not', () => {
  assert.equal(patterns(or(proto('tcp'), proto('udp'))), ['true']);
  assert.equal(patterns(not(proto('tcp'))), ['udp']);
  assert.equal(patterns(not(proto('tcp')), false), ['not tcp']);
  assert.equal(patterns(or(proto('tcp'), proto('udp')), false), ['tcp', 'udp']);
});

dnf('gives up in time', () => {
  const pairs = Array.from({ length: 14 }, (_, i) => or(matches('tls.sni', `a${i}`), matches('tls.sni', `b${i}`)));
  assert.ok(2 ** pairs.length > MAX_PATTERNS);
  assert.is(toDnf(toFormula(and(...pairs)), WORLD), undefined);
  assert.equal(codes(subscribe('big', {}, ['L7EndHdrs'], and(...pairs))), ['too-complex']);
});

dnf.run();

const filter = suite('packet filter');

const filterText = (plan: ProgramPlan): readonly string[] => plan.filterPatterns.map(patternText);

filter('lets both directions in', () => {
  const plan = planOf(
    subscribe('a', {}, ['L4FirstPacket'], and(within('tcp.dst_port', 443), within('ipv4.src_addr', 1))),
  );
  assert.equal(filterText(plan), [
    'tcp.dst_port = 443 and ipv4.src_addr = 1',
    'tcp.src_port = 443 and ipv4.dst_addr = 0.0.0.1',
  ]);
});

filter('is not narrowed by fields of a single packet', () => {
  assert.equal(filterText(planOf(subscribe('a', {}, ['InL4Conn'], within('tcp.syn', 1)))), ['tcp']);
});

filter('tells the port a superset', () => {
  const plan = planOf(
    subscribe('a', {}, ['L4Terminated'], and(within('tcp.dst_port', 443), not(within('ipv4.src_addr', 1)))),
  );
  assert.equal(
    plan.flowRules.map((r) => JSON.stringify(r.items)),
    [
      '[{"layer":"tcp","fields":[{"field":"dst_port","value":"443"}]}]',
      '[{"layer":"tcp","fields":[{"field":"src_port","value":"443"}]}]',
    ],
  );
  assert.equal(planOf(subscribe('a', {}, ['L4Terminated'], everything)).flowRules, []);
});

const families = suite('families');

/** The families of eight subscriptions to hosts of either version of IP, by name, with their members and fields. */
function familiesOf(levels: readonly Level[], count = 8): readonly string[] {
  const six = 0x2001_0db8n << 96n;
  const subscriptions = Array.from({ length: count }, (_, i) => {
    const either = or(
      within('ipv4.src_addr', 0x0a000001 + i),
      within('ipv6.src_addr', [six + BigInt(i), six + BigInt(i)]),
    );
    return subscribe(`s${i}`, {}, levels, and(proto('tls'), either));
  });
  const plan = planOf(...subscriptions);
  return plan.families.map(({ unit, members, fields }) => {
    const names = fields.map(({ protocol, field }) => `${protocol.name}.${field.name}`);
    return `${unitName(plan, unit)}: ${members.length} by ${names.join(', ')}`;
  });
}

families('are of one level and one version of IP each, and are named so where it matters', () => {
  assert.equal(familiesOf(['L7OnDisc']), [
    's0 … s7 over ipv4: 8 by ipv4.src_addr',
    's0 … s7 over ipv6: 8 by ipv6.src_addr',
  ]);
  assert.equal(familiesOf(['L7OnDisc', 'L4Terminated']), [
    's0 … s7 at L7OnDisc over ipv4: 8 by ipv4.src_addr',
    's0 … s7 at L7OnDisc over ipv6: 8 by ipv6.src_addr',
    's0 … s7 at L4Terminated over ipv4: 8 by ipv4.src_addr',
    's0 … s7 at L4Terminated over ipv6: 8 by ipv6.src_addr',
  ]);
  assert.equal(familiesOf(['InL4Conn']).length, 2);
});

families('are none of few subscriptions, nor of those that are silenced at several levels', () => {
  assert.equal(familiesOf(['L7OnDisc'], 7), []);
  assert.equal(familiesOf(['InL4Conn', 'L4Terminated']), []);
});

families.run();

/** Flow rules as `layer field=value/mask field=low..high, …`. */
function rulesOf(...exprs: TypedExpr[]): readonly string[] {
  const plan = planOf(...exprs.map((expr, i) => subscribe(`s${i}`, {}, ['L4Terminated'], expr)));
  return plan.flowRules.map(({ items }) =>
    items
      .map(({ layer, fields }) => {
        const texts = fields.map(({ field, value, mask, last }) => {
          const more = mask === undefined ? (last === undefined ? '' : `..${last}`) : `/${mask}`;
          return `${field}=${value}${more}`;
        });
        return [layer, ...texts].join(' ');
      })
      .join(', '),
  );
}

filter('says addresses of both families as prefixes, ports as ranges', () => {
  const six = 0x2001_0db8n << 96n;
  assert.equal(rulesOf(within('ipv6.dst_addr', [six, six + (1n << 96n) - 1n])), [
    'ipv6 dst_addr=2001:db8::/ffff:ffff::',
    'ipv6 src_addr=2001:db8::/ffff:ffff::',
  ]);
  assert.equal(rulesOf(and(within('ipv4.dst_addr', [0x0a000000, 0x0affffff]), within('udp.src_port', [1, 1023]))), [
    'ipv4 dst_addr=10.0.0.0/255.0.0.0, udp src_port=1..1023',
    'ipv4 src_addr=10.0.0.0/255.0.0.0, udp dst_port=1..1023',
  ]);
  assert.equal(rulesOf(within('ipv4.dst_addr', [9, 12])), [
    'ipv4 dst_addr=0.0.0.9',
    'ipv4 dst_addr=0.0.0.10/255.255.255.254',
    'ipv4 dst_addr=0.0.0.12',
    'ipv4 src_addr=0.0.0.9',
    'ipv4 src_addr=0.0.0.10/255.255.255.254',
    'ipv4 src_addr=0.0.0.12',
  ]);
});

filter('says nothing of what another rule lets in, nor of frames', () => {
  assert.equal(rulesOf(proto('tcp'), within('tcp.dst_port', 443), within('udp.dst_port', 53)), [
    'tcp',
    'udp dst_port=53',
    'udp src_port=53',
  ]);
  assert.equal(rulesOf(within('ethernet.vlan_id', 7)), []);
  assert.equal(rulesOf(and(within('ethernet.vlan_id', 7), proto('tcp'))), ['tcp']);
});

filter('covers many values by few', () => {
  const ports = Array.from({ length: 40 }, (_, i) => 1000 + 3 * i + (i >= 20 ? 500 : 0));
  const rules = rulesOf(within('tcp.dst_port', ...ports)).filter((rule) => rule.includes('dst_port'));
  assert.is(rules.length, 16);
  const ranges = rules.map((rule) => rule.replace('tcp dst_port=', '').split('..').map(Number));
  for (const port of ports)
    assert.ok(
      ranges.some(([low = 0, high = low]) => low <= port && port <= high),
      `${port}`,
    );
  assert.not(ranges.some(([low = 0, high = low]) => low <= 1300 && 1300 <= high));

  const addresses = Array.from({ length: 100 }, (_, i) => 0x0a000000 + 256 * i);
  const prefixes = rulesOf(within('ipv4.dst_addr', ...addresses)).filter((rule) => rule.includes('dst_addr'));
  assert.ok(prefixes.length <= 16);
  const number = (text: string) => text.split('.').reduce((all, byte) => all * 256 + Number(byte), 0) >>> 0;
  const masked = prefixes.map((rule) => rule.replace('ipv4 dst_addr=', '').split('/').map(number));
  for (const address of addresses) {
    assert.ok(
      masked.some(([value = 0, mask = 0xffffffff]) => (address & mask) >>> 0 === value),
      `${address}`,
    );
  }
});

filter('keeps the table small where fields multiply', () => {
  const sixteen = Array.from({ length: 16 }, (_, i) => 10 * i);
  const expr = and(
    within('ipv4.src_addr', ...sixteen.map((n) => n * 1000)),
    within('ipv4.dst_addr', ...sixteen.map((n) => n * 3000 + 7)),
    within('tcp.dst_port', ...sixteen),
  );
  const rules = rulesOf(expr);
  assert.ok(rules.length > 8 && rules.length <= 128, `${rules.length}`);
});

filter.run();

const trees = suite('trees');

function testsIn(node: TreeNode): readonly string[] {
  return node.chains.flatMap((chain) => [
    ...chain.arms.flatMap((arm) => [literalText(arm.test), ...testsIn(arm.node)]),
    ...(chain.otherwise === undefined ? [] : testsIn(chain.otherwise)),
  ]);
}

trees('test what subscriptions share once', () => {
  const shared = matches('tls.sni', 'x');
  const plan = planOf(
    subscribe('a', {}, ['L7EndHdrs'], shared),
    subscribe('b', {}, ['L7EndHdrs'], and(shared, within('tls.version', 0x0304))),
    subscribe('c', {}, ['L7EndHdrs'], and(shared, within('tls.version', 0x0303))),
  );
  const [session] = plan.sessions;
  const tests = session === undefined ? [] : testsIn(session.tree);
  assert.equal(tests, ["tls.sni matches 'x'", 'tls.version = 771', 'tls.version = 772']);
  assert.equal(testsIn(plan.first), ['tcp']);
});

trees('put alternatives into one chain', () => {
  const ports = [22, 25, 80].map((port) => subscribe(`p${port}`, {}, ['L4FirstPacket'], within('tcp.dst_port', port)));
  const [top] = planOf(...ports).first.chains;
  const chain = top?.arms[0]?.node.chains[0];
  assert.is(chain?.arms.length, 3);
});

trees.run();

const threads = suite('threads');

function actions(plan: ProgramPlan): readonly string[] {
  return plan.threads.map((t) => `${t.level} ${t.waits ? 'waits' : 'holds'} ${plan.actions.get(t)?.join('|') ?? ''}`);
}

threads('parse until the session is there, then only track', () => {
  const plan = planOf(subscribe('a', { ft: FIVE_TUPLE }, ['L4Terminated'], matches('tls.sni', 'x')));
  assert.equal(actions(plan), ['L4Terminated waits PARSE|TRACK', 'L4Terminated holds TRACK']);
  assert.equal(
    plan.sessions[0]?.mismatches.map((m) => m.next),
    [undefined],
  );
});

threads('of a protocol with many sessions go on parsing', () => {
  const plan = planOf(subscribe('a', {}, ['L7EndHdrs'], oneOf('http.host', 'x')));
  const [session] = plan.sessions;
  assert.is(session?.matches[0]?.next, plan.threads[0]);
  assert.is(session?.mismatches[0]?.next, plan.threads[0]);
});

threads('of a negated protocol hold once another one is found', () => {
  const plan = planOf(subscribe('a', {}, ['L4Terminated'], and(proto('tcp'), not(proto('tls')))));
  const next = Object.fromEntries(plan.discovery.map((d) => [d.protocol?.name ?? 'none', d.steps[0]?.next?.waits]));
  assert.equal(next, { tls: undefined, none: false });
  assert.equal(
    plan.ends.map((e) => e.thread.waits),
    [true, false],
  );
});

threads('do not wait for TLS over UDP', () => {
  const plan = planOf(subscribe('a', {}, ['L4Terminated'], not(proto('tls'))));
  assert.equal(
    plan.starts.map((s) => `${patternText(s.early)}: ${s.thread?.waits}`),
    ['tcp: true', 'udp: false'],
  );
});

threads('keep the session for a handler that comes after it', () => {
  const plan = planOf(subscribe('a', { tls: TLS_HANDSHAKE }, ['L4Terminated'], everything));
  assert.equal(
    plan.keptSessions.map((p) => p.name),
    ['tls'],
  );
});

threads('wait for a protocol only where there is a parser of it', () => {
  assert.equal(codes(subscribe('a', {}, ['L7EndHdrs'], proto('ssh'))), ['no-parser']);
  assert.equal(
    planOf(subscribe('a', {}, ['L7OnDisc'], not(proto('tls')))).parsers.map((p) => p.name),
    ['tls'],
  );
  assert.equal(
    planOf(subscribe('a', {}, ['L7EndHdrs'], proto('tcp'))).parsers.map((p) => p.name),
    ['tls', 'http'],
  );
});

threads.run();

const refusals = suite('what the planner refuses');

refusals('tests that a level comes too early for', () => {
  assert.equal(codes(subscribe('a', {}, ['L4FirstPacket'], proto('tls'))), ['too-early']);
  assert.equal(codes(subscribe('a', {}, ['L4EndHshk'], not(proto('tls')))), ['too-early']);
  assert.equal(codes(subscribe('a', {}, ['L7OnDisc'], matches('tls.sni', 'x'))), ['too-early']);
});

refusals('fields of a packet where there is none', () => {
  assert.equal(codes(subscribe('a', {}, ['L4Terminated'], within('tcp.syn', 1))), ['packet-field']);
});

refusals('what nothing can satisfy, with the reason', () => {
  const { diagnostics } = planProgram(
    program(subscribe('a', {}, ['L4Terminated'], and(proto('tls'), proto('udp')))),
    PROTOCOLS,
    ['tls'],
  );
  assert.equal(
    diagnostics.map((d) => d.code),
    ['unsatisfiable'],
  );
  assert.match(diagnostics[0]?.message ?? '', /`udp`/);
});

refusals.run();
