/** fast-check arbitraries for the oracle of generated code: programs over a few fields, and connections to tell them of. */
import fc from 'fast-check';
import type { Level } from '../../../compiler/analysis/info.ts';
import type { TypedExpr, TypedProgram } from '../../../compiler/language/typed.ts';
import { and, everything, matches, not, oneOf, or, program, proto, subscribe, within } from './program.ts';
import type { Ends, StubConnection, StubPacket } from './stub-tracker.ts';

export const SYN = 2;
export const PSH = 8;
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
export const early: fc.Arbitrary<TypedExpr> = fc.oneof(
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
export const late: fc.Arbitrary<TypedExpr> = fc.oneof(
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
const big = (words: readonly number[]): bigint => words.reduce((all, word) => (all << 32n) | BigInt(word >>> 0), 0n);
/** Ranges around the addresses of connections, prefixes, and the last addresses there are. */
const endsOfV6: fc.Arbitrary<TypedExpr> = fc
  .tuple(
    fc.constantFrom('ipv6.src_addr', 'ipv6.dst_addr'),
    fc.constantFrom(...V6),
    fc.integer({ min: -2, max: 2 }),
    fc.nat(3),
  )
  .chain(([path, address, off, more]) => {
    const low = big(address) + BigInt(off);
    const prefix = (bits: bigint): TypedExpr => {
      const first = (big(address) >> (128n - bits)) << (128n - bits);
      return within(path, [first, first + (1n << (128n - bits)) - 1n]);
    };
    return fc.constantFrom(
      within(path, [low, low + BigInt(more)]),
      within(path, [low, low + BigInt(more)]),
      prefix(64n),
      prefix(16n),
      within(path, [big(address), (1n << 128n) - 1n]),
    );
  });
const endsOfV4: fc.Arbitrary<TypedExpr> = fc.oneof(
  fc
    .tuple(fc.constantFrom('ipv4.src_addr', 'ipv4.dst_addr'), fc.constantFrom(...V4), fc.nat(40), fc.nat(2))
    .map(([path, low, off, more]) => within(path, [(low >>> 0) + off, (low >>> 0) + off + more])),
  fc
    .tuple(port, port)
    .map(([low, high]) => or(within('tcp.src_port', low), within('tcp.dst_port', [Math.min(low, high), high]))),
  fc
    .tuple(port, fc.constantFrom(...V4))
    .map(([low, address]) => and(within('tcp.dst_port', low), within('ipv4.src_addr', address >>> 0))),
);
const membersOf = (ends: fc.Arbitrary<TypedExpr>): fc.Arbitrary<TypedExpr[]> =>
  fc.array(ends, { minLength: 8, maxLength: 30 });
/** Programs of many subscriptions that ask the same, each of other ends: of either version of IP, or of both. */
export const families: fc.Arbitrary<TypedProgram> = fc
  .tuple(
    expressions(fc.oneof(fc.constantFrom('tcp', 'udp').map(proto), late)),
    fc.constantFrom<Level[]>(
      ['L4FirstPacket'],
      ['InL4Conn'],
      ['InL4Stream'],
      ['L7OnDisc'],
      ['L7EndHdrs'],
      ['L4Terminated'],
      ['L7OnDisc', 'L4Terminated'],
      ['L4FirstPacket', 'L4EndHshk'],
    ),
    fc.oneof(
      membersOf(endsOfV6.map((own) => and(proto('ipv6'), own))),
      membersOf(endsOfV4.map((own) => and(proto('ipv4'), own))),
      membersOf(fc.tuple(endsOfV4, endsOfV6).map(([v4, v6]) => or(and(proto('ipv4'), v4), v6))),
    ),
  )
  .map(([common, levels, ends]) =>
    program(...ends.map((own, i) => subscribe(`s${i}`, {}, levels, and(proto('tcp'), own, common)))),
  );

/** Subscriptions that ask one text for one of many values each, most of which never come, some together with another test. */
export const manyTexts: fc.Arbitrary<TypedProgram> = fc
  .tuple(
    fc.constantFrom<Level>('L7EndHdrs', 'L4Terminated', 'InL4Conn'),
    fc.constantFrom('tls.sni', 'http.host'),
    fc.uniqueArray(
      fc.oneof(
        fc.constantFrom(...HOSTS),
        fc.integer({ min: 0, max: 30 }).map((n) => `host${n}.test`),
      ),
      {
        minLength: 12,
        maxLength: 30,
      },
    ),
    fc.infiniteStream(
      fc.record({ values: fc.constantFrom(1, 1, 1, 2), other: fc.option(early, { freq: 4 }), no: fc.nat(9) }),
    ),
  )
  .map(([level, field, values, draws]) => {
    const all: TypedExpr[] = [];
    for (let i = 0; i < values.length; ) {
      const { values: count, other, no } = draws.next().value;
      // Some share a value with the first.
      const own = oneOf(field, ...new Set([...values.slice(i, i + count), ...(no === 1 ? values.slice(0, 1) : [])]));
      const asked = no === 0 ? not(own) : own;
      all.push(other === null ? asked : and(asked, other));
      i += count;
    }
    return program(...all.map((when, i) => subscribe(`s${i}`, {}, [level], when)));
  });

export const perPacket: fc.Arbitrary<TypedExpr> = fc.oneof(
  fc.constantFrom('tcp.syn', 'tcp.psh').map((flag) => within(flag, 1)),
  fc.constant(within('ipv4.time_to_live', [60, 255])),
);

export function expressions(leaf: fc.Arbitrary<TypedExpr>): fc.Arbitrary<TypedExpr> {
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
export function programs(minLength: number, maxLength: number): fc.Arbitrary<TypedProgram> {
  return fc
    .array(subscription, { minLength, maxLength })
    .map((list) => program(...list.map(({ level, when }, i) => subscribe(`s${i}`, {}, [level], when))));
}

// Connections

export const ends: fc.Arbitrary<Ends> = fc
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
export const packet: fc.Arbitrary<StubPacket> = fc.record({
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
export const connections: fc.Arbitrary<StubConnection> = fc
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
