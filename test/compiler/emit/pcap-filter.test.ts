/**
 * libpcap as a second opinion on filters over single packets: random expressions, written both ways, select the same
 * frames of a generated capture here and in tcpdump; the packet filter of a connection lets in what tcpdump selects for
 * either direction. Skipped where there is no tcpdump.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { compile } from '../../../compiler/compile.ts';
import type { SubscriptionModule } from '../../../runtime/subscription/contract.ts';
import { memoryHost } from '../../support/analysis-host.ts';
import { DEFAULTS } from '../../traffic/options.ts';
import { writeCapture } from '../../traffic/pcap-writer.ts';
import { loadModule } from '../support/load-module.ts';
import { templates } from '../support/templates.ts';
import { runModule } from '../support/whole-path.ts';

const SEED = Number(process.env.IRIS_SEED ?? Date.now() % 1_000_000);
const FILTERS = Number(process.env.IRIS_RUNS ?? 40);

/** An expression of ours and of libpcap; `mirrored`: libpcap's with the ends exchanged. */
interface Twin {
  readonly iris: string;
  readonly pcap: string;
  readonly mirrored: string;
}

const leaf = (iris: string, pcap: string, mirrored = pcap): Twin => ({ iris, pcap, mirrored });
const otherSide = { src: 'dst', dst: 'src' } as const;
const side = fc.constantFrom('src' as const, 'dst' as const);
const port = fc.constantFrom(53, 80, 443, 8080, 40000, 50000);

/** The same for all packets of a connection. */
const ends: fc.Arbitrary<Twin> = fc.oneof(
  fc.constantFrom(leaf('ipv4', 'ip'), leaf('ipv6', 'ip6'), leaf('tcp', 'tcp'), leaf('udp', 'udp')),
  fc.tuple(fc.constantFrom('tcp', 'udp'), side, port, port).map(([proto, at, a, b]) => {
    const [low, high] = [Math.min(a, b), Math.max(a, b)];
    const iris = `${proto}.${at}_port ${low === high ? `= ${low}` : `in ${low}..${high}`}`;
    return leaf(
      iris,
      `(${proto} ${at} portrange ${low}-${high})`,
      `(${proto} ${otherSide[at]} portrange ${low}-${high})`,
    );
  }),
  fc
    .tuple(fc.constantFrom('tcp', 'udp'), port)
    .map(([proto, one]) => leaf(`${proto}.port = ${one}`, `(${proto} port ${one})`)),
  fc.tuple(side, fc.constantFrom(10, 198, 203, 192), fc.nat(3), fc.constantFrom(8, 15, 16)).map(([at, a, b, bits]) => {
    const net = bits === 8 ? `${a}.0.0.0/8` : bits === 15 ? `${a}.${b & 2}.0.0/15` : `${a}.${b}.0.0/16`;
    return leaf(`ipv4.${at}_addr in ${net}`, `(ip ${at} net ${net})`, `(ip ${otherSide[at]} net ${net})`);
  }),
  fc
    .constantFrom('2001:db8::/32', '2001:db8:1::/48', 'fd00::/8')
    .map((net) => leaf(`ipv6.addr in ${net}`, `(ip6 net ${net})`)),
);

const TCP_FLAGS = { fin: 1, syn: 2, rst: 4, psh: 8, ack: 16 } as const;
/** Of one packet. */
const single: fc.Arbitrary<Twin> = fc.oneof(
  fc.constantFrom('fin' as const, 'syn' as const, 'rst' as const, 'psh' as const, 'ack' as const).map((flag) => {
    const bit = TCP_FLAGS[flag];
    const v6 = `(ip6[6] = 6 and ip6[53] & ${bit} != 0)`;
    return leaf(`tcp.${flag} = 1`, `((ip and tcp[13] & ${bit} != 0) or ${v6})`);
  }),
  fc.constantFrom(32, 60, 63, 64, 128).map((ttl) => leaf(`ipv4.ttl >= ${ttl}`, `(ip and ip[8] >= ${ttl})`)),
  fc.constantFrom(40, 60, 100, 576, 1400).map((n) => leaf(`ipv4.total_length > ${n}`, `(ip and ip[2:2] > ${n})`)),
  fc
    .constantFrom(60, 100, 500)
    .map((n) => leaf(`udp.length < ${n}`, `((ip and udp[4:2] < ${n}) or (ip6[6] = 17 and ip6[44:2] < ${n}))`)),
);

function expressions(leaves: fc.Arbitrary<Twin>, negations: boolean): fc.Arbitrary<Twin> {
  const join =
    (word: string) =>
    (terms: readonly Twin[]): Twin => {
      const list = (key: keyof Twin): string => `(${terms.map((t) => t[key]).join(` ${word} `)})`;
      return { iris: list('iris'), pcap: list('pcap'), mirrored: list('mirrored') };
    };
  const { node } = fc.letrec<{ node: Twin }>((tie) => {
    const several = fc.array(tie('node'), { minLength: 2, maxLength: 3 });
    const not = tie('node').map((t) => ({
      iris: `not ${t.iris}`,
      pcap: `not ${t.pcap}`,
      mirrored: `not ${t.mirrored}`,
    }));
    return {
      node: fc.oneof(
        { depthSize: 'small' },
        leaves,
        several.map(join('and')),
        several.map(join('or')),
        ...(negations ? [not] : []),
      ),
    };
  });
  return node;
}

const folder = mkdtempSync(join(tmpdir(), 'iris-pcap-'));
const capture = join(folder, 'mixed.pcap');
const there = spawnSync('tcpdump', ['--version']).status === 0;
const test = suite('packet filters against libpcap');
test.after(() => rmSync(folder, { recursive: true, force: true }));

/** Times of the frames that tcpdump selects, in microseconds. */
function select(expression: string): readonly string[] {
  const out = execFileSync('tcpdump', ['-r', capture, '-w', '-', expression], { stdio: 'pipe', maxBuffer: 1 << 28 });
  const times: string[] = [];
  for (let at = 24; at < out.length; at += 16 + out.readUInt32LE(at + 8)) {
    times.push(`${out.readUInt32LE(at)}.${String(out.readUInt32LE(at + 4)).padStart(6, '0')}`);
  }
  return times;
}

const stamp = (sec: number, nsec: number): string => `${sec}.${String(Math.floor(nsec / 1000)).padStart(6, '0')}`;

async function build(twins: readonly Twin[], level: string): Promise<SubscriptionModule | undefined> {
  const path = '/filters/twins.iris';
  const text = twins.map((t, i) => `subscribe s${i}() at ${level} when ${t.iris}\n`).join('');
  const host = { files: memoryHost({}), templates: templates(), version: '0', parsers: [] };
  const compiled = compile({ path, text }, host);
  return compiled.text === undefined ? undefined : loadModule(compiled.text);
}

/** Those that the compiler does not refuse as contradictions. */
async function sound(twins: readonly Twin[], level: string): Promise<readonly Twin[]> {
  const kept: Twin[] = [];
  for (const twin of twins) if ((await build([twin], level)) !== undefined) kept.push(twin);
  return kept;
}

if (there) {
  const mix = { ...DEFAULTS.mix, chat: 1, datagrams: 1 };
  writeCapture(capture, { ...DEFAULTS, seed: SEED, connections: 150, mix, ipv6: 0.3, clients: 500, servers: 200 });
}
const when = there ? test : test.skip;

when('selects the frames that tcpdump selects', async () => {
  console.log(`seed ${SEED}`);
  const all = fc.sample(expressions(fc.oneof(ends, single), true), { numRuns: FILTERS, seed: SEED });
  const twins = await sound(all, 'Packet');
  assert.ok(twins.length > FILTERS / 3);
  const module = await build(twins, 'Packet');
  assert.ok(module !== undefined);
  const deliveries = await runModule(module, capture);
  let frames = 0;
  for (const [i, twin] of twins.entries()) {
    const own = deliveries.filter((d) => d.subscription === `s${i}`).map((d) => stamp(d.sec, d.nsec));
    assert.equal(own, select(twin.pcap), `seed ${SEED}: ${twin.iris} is not ${twin.pcap}`);
    frames += own.length;
  }
  assert.ok(frames > 0);
  console.log(`${twins.length} filters, ${frames} frames`);
});

when('lets in the packets of either direction that tcpdump selects', async () => {
  console.log(`seed ${SEED}`);
  const all = fc.sample(expressions(ends, false), { numRuns: FILTERS / 4, seed: SEED });
  const twins = await sound(all, 'L4FirstPacket');
  assert.ok(twins.length > 0);
  for (const twin of twins) {
    const module = await build([twin], 'L4FirstPacket');
    if (module === undefined) continue;
    let passed = 0;
    await runModule(module, capture, (sub) => ({
      ...sub,
      packetFilter(p) {
        const ok = sub.packetFilter(p);
        if (ok) passed++;
        return ok;
      },
    }));
    const wanted = select(`(tcp or udp) and (${twin.pcap} or ${twin.mirrored})`);
    assert.is(passed, wanted.length, `seed ${SEED}: ${twin.iris} is not ${twin.pcap}, either way`);
  }
  console.log(`${twins.length} filters`);
});

test.run();
