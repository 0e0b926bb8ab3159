/** Every wrapping that the decoder reads, beside tshark, where that is installed. */
import { execFileSync, spawnSync } from 'node:child_process';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';

import { DECAP_ALL, DECAP_DEFAULTS, type DecapConfig } from '../../../runtime/packet/decap-config.ts';
import { buildPcapng, captureFolder, type PcapngBlock } from '../../support/captures.ts';
import { AGGREGATES, LINKS, NETWORKS, snap, TUNNELS, wifiFragments } from '../../support/encapsulations.ts';
import { createEngine, packetMemory } from '../../support/engine.ts';

const test = suite('tshark');
const T0 = 1_700_000_000;

interface Case {
  readonly name: string;
  readonly link: number;
  readonly frame: Uint8Array;
  readonly decap: DecapConfig;
}

const CASES: readonly Case[] = [
  ...[...LINKS, ...NETWORKS].map(([name, link, frame]) => ({ name, link, frame, decap: DECAP_DEFAULTS })),
  ...AGGREGATES.map(([name, link, frame]) => ({ name, link, frame, decap: DECAP_DEFAULTS })),
  ...TUNNELS.map(([name, frame]) => ({ name, link: 1, frame, decap: DECAP_ALL })),
];

/** Where tshark 4.0 reads nothing, and why. */
const UNREAD: Readonly<Record<string, string>> = {
  'netfilter log, big endian': 'it expects the order of the machine that it runs on',
  'CAPWAP with 802.11': 'unless told otherwise, it expects the swapped bytes of some access points',
  'Ethernet with preamble': 'it wants a frame check sequence',
};

/** A frame of 802.11 in fragments. */
const WIFI_FRAGMENTS: readonly Case[] = wifiFragments(snap, 20).map((frame, i) => ({
  name: `802.11, fragment ${i}`,
  link: 105,
  frame,
  decap: DECAP_DEFAULTS,
}));

/** The packets of frames, as `PROTO SRC:PORT > DST:PORT LENGTH`. */
function ours(cases: readonly Case[]): string[] {
  const packets: string[] = [];
  const engine = createEngine({
    memory: packetMemory(1 << 19, 1 << 21),
    decap: cases[0]?.decap ?? DECAP_DEFAULTS,
    config: { init_data: true },
    sub: (core, recorder) => ({
      update(c, p) {
        const { origAddr, origPort, respAddr, respPort } = core.fiveTuple.at(c);
        const pdu = core.pdu.at(p);
        const proto = pdu.proto === 6 ? 'tcp' : 'udp';
        packets.push(`${proto} ${origAddr} ${origPort} > ${respAddr} ${respPort} ${pdu.length}`);
        return recorder.update?.(c, p) ?? 0;
      },
    }),
  });
  engine.run(cases.map(({ frame, link }) => ({ ts: T0, bytes: frame, link })));
  return packets;
}

const FIELDS = ['ip.src', 'ip.dst', 'ipv6.src', 'ipv6.dst', 'tcp.srcport', 'tcp.dstport', 'tcp.len'];
const UDP_FIELDS = ['udp.srcport', 'udp.dstport', 'udp.length'];

/** What tshark makes of the frames: of each the innermost packets. */
function theirs(cases: readonly Case[]): string[] {
  const folder = captureFolder();
  try {
    const links = [...new Set(cases.map(({ link }) => link))];
    const blocks: PcapngBlock[] = [
      { kind: 'section', littleEndian: true },
      ...links.map((link) => ({ kind: 'interface' as const, link })),
      ...cases.map(({ link, frame }, i) => ({
        kind: 'enhanced' as const,
        interface: links.indexOf(link),
        stamp: BigInt(T0 + i) * 1_000_000n,
        bytes: frame,
      })),
    ];
    const file = folder.write('all.pcapng', buildPcapng(blocks));
    const fields = [...FIELDS, ...UDP_FIELDS].flatMap((field) => ['-e', field]);
    const env = { ...process.env, HOME: folder.path };
    const text = execFileSync('tshark', ['-r', file, '-n', '-T', 'fields', ...fields], {
      env,
      stdio: 'pipe',
    }).toString();
    return text.split('\n').slice(0, cases.length);
  } finally {
    folder.remove();
  }
}

/** The innermost packet of a line of {@link theirs}, in the form of {@link ours}; several where the frame is an aggregate. */
function innermost(line: string): string[] {
  const values = line.split('\t').map((field) => (field === '' ? [] : field.split(',')));
  const [src4 = [], dst4 = [], src6 = [], dst6 = [], tcpFrom = [], tcpTo = [], tcpLength = []] = values;
  const [udpFrom = [], udpTo = [], udpLength = []] = values.slice(FIELDS.length);
  if (tcpFrom.length > 0) {
    return tcpFrom.map((port, i) => {
      const [src, dst] = src6.length > 0 ? [src6[i], dst6[i]] : [src4[i], dst4[i]];
      return `tcp ${src} ${port} > ${dst} ${tcpTo[i]} ${tcpLength[i]}`;
    });
  }
  const last = udpFrom.length - 1;
  if (last < 0) return [];
  // The tables have UDP over one version of IP inside, and where it is 6 no 4 inside that.
  const v6 = src6.at(-1)?.startsWith('2001:db8') === true;
  const [src, dst] = v6 ? [src6.at(-1), dst6.at(-1)] : [src4.at(-1), dst4.at(-1)];
  return [`udp ${src} ${udpFrom[last]} > ${dst} ${udpTo[last]} ${Number(udpLength[last]) - 8}`];
}

if (spawnSync('tshark', ['--version']).status === 0) {
  const lines = theirs(CASES);
  CASES.forEach((one, i) => {
    test(one.name, () => {
      const packets = innermost(lines[i] ?? '');
      if (one.name in UNREAD) assert.is(packets.filter((packet) => packet.startsWith('tcp')).length, 0);
      else assert.equal(ours([one]), packets);
    });
  });
  test('802.11 in fragments', () => {
    const packets = theirs(WIFI_FRAGMENTS).flatMap(innermost);
    assert.is(packets.length, 1);
    assert.equal(ours(WIFI_FRAGMENTS), packets);
  });
} else {
  test.skip('tshark is not installed', () => {});
}

test.run();
