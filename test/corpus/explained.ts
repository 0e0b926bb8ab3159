/**
 * Where Iris differs from tshark's truth on the corpus, and why. A difference that is not here fails the corpus test, and
 * so does an entry here that no longer occurs.
 */
import type { Difference, View } from './compare.ts';

export interface Explained {
  readonly capture: string;
  readonly views: readonly View[];
  /** As in {@link Difference}. */
  readonly conns: readonly (number | string)[];
  /** Names of facts, or their first words. */
  readonly facts: readonly string[];
  readonly why: string;
  /** Only where each of our numbers is at most that of the truth. */
  readonly fewer?: true;
}

const BOTH = ['default', 'all'] as const;
const PACKETS = ['packets', 'ip_bytes'];
const LATE = 'Packets after the close: the truth keeps counting, we end the connection.';

export const EXPLAINED: readonly Explained[] = [
  {
    capture: 'ipfixprobe-tls',
    views: ['default'],
    conns: [0, 1, 2, 3, 4, 5],
    facts: ['connections', 'packets', 'ip_bytes', 'payload_bytes', 'tls handshakes'],
    why: 'At packet 57 time leaps ahead by years, which times all out; at packet 84 it is back, and the first 83 packets come again.',
  },
  {
    capture: 'iris-tls_ciphers',
    views: BOTH,
    conns: [64, 71, 72],
    facts: ['client_ciphers', 'ja3_hash'],
    why: 'The ClientHello has the form of SSLv2: tshark shows the same ciphers (packet 964 of #64) in a field that the truth leaves out.',
  },
  {
    capture: 'mercury-emix',
    views: BOTH,
    conns: [550, 552],
    facts: PACKETS,
    fewer: true,
    why: `${LATE} Packets 5869 and 5870 are second RSTs.`,
  },
  {
    capture: 'ndpi-alexa-app',
    views: BOTH,
    conns: [19, 20, 22, 30, 70, 90, 135, 92],
    facts: PACKETS,
    fewer: true,
    why: `${LATE} FINs of both sides and then ACKs and RSTs: packet 181 of #19, 2788 of #92.`,
  },
  {
    capture: 'ndpi-alexa-app',
    views: BOTH,
    conns: [92],
    facts: ['payload_bytes'],
    fewer: true,
    why: `${LATE} One of them (of #92) has 31 bytes of payload.`,
  },
  {
    capture: 'ndpi-quic-forcing-vn-with-data',
    views: BOTH,
    conns: [0],
    facts: ['quic alpn', 'quic ja3', 'quic ciphers'],
    why: 'Version negotiation and then a Retry: tshark keeps to the identifier before and opens no Initial packet; we do.',
  },
  {
    capture: 'ndpi-rtsp',
    views: BOTH,
    conns: [1, 2, 3, 4, 5, 6],
    facts: PACKETS,
    fewer: true,
    why: `${LATE} The capture holds each RST several times.`,
  },
  {
    capture: 'ndpi-rtsp',
    views: ['all'],
    conns: [0],
    facts: PACKETS,
    fewer: true,
    why: `${LATE} The capture holds each RST several times.`,
  },
  {
    capture: 'pcpp-one_tcp_stream_max_seq',
    views: BOTH,
    conns: [0],
    facts: ['http transactions'],
    why: 'tshark loses the second request, where sequence numbers wrap.',
  },
  {
    capture: 'sv-tcp-urg',
    views: BOTH,
    conns: [0],
    facts: ['http 0'],
    why: 'tshark takes the urgent byte in the request line for the end of it.',
  },
  {
    capture: 'zeek-bro.org',
    views: BOTH,
    conns: [2],
    facts: ['http 0', 'http 1', 'http 2', 'http 3', 'http 4', 'http 5'],
    why: 'tshark loses the first response, whose body has a hole, and so the pairs after it; its head and the rest are there.',
  },
  {
    capture: 'zeek-handshake-reorder',
    views: ['default'],
    conns: ['? tcp 141.142.228.5|59856 192.150.187.43|80'],
    facts: ['connections', 'http transactions'],
    why: 'The SYN-ACK (packet 1) comes before the SYN (packet 2): we open at the SYN, and the truth says that it starts without one.',
  },
  {
    capture: 'zeek-vlan-collisions',
    views: BOTH,
    conns: [0],
    facts: [...PACKETS, 'payload_bytes'],
    fewer: true,
    why: `${LATE} Three copies of a connection in three VLANs, mixed; it is closed at packet 30.`,
  },
];

/** What an entry covers, a name each. */
export function cases(entry: Explained): string[] {
  return entry.views.flatMap((view) =>
    entry.conns.flatMap((conn) => entry.facts.map((fact) => [entry.capture, view, conn, fact].join(' '))),
  );
}

function isFewer({ ours, truth }: Difference): boolean {
  const [a, b] = [ours, truth].map((text) => text.match(/\d+/g)?.map(Number) ?? []);
  return a.length === b.length && a.every((n, i) => n <= (b[i] ?? -1));
}

/** The entry that explains a difference, and the name of the case of it. */
export function explanationOf(
  capture: string,
  view: View,
  difference: Difference,
): { readonly entry: Explained; readonly name: string } | undefined {
  for (const entry of EXPLAINED) {
    if (entry.capture !== capture || !entry.views.includes(view) || !entry.conns.includes(difference.conn)) continue;
    if (entry.fewer && !isFewer(difference)) continue;
    const fact = entry.facts.find((start) => difference.fact === start || difference.fact.startsWith(`${start} `));
    if (fact !== undefined) return { entry, name: [capture, view, difference.conn, fact].join(' ') };
  }
  return undefined;
}
