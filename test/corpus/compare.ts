/**
 * Compares what Iris delivers on a capture of the corpus with the truth file that tshark made of it: connections with
 * packets and bytes per direction, and the facts of TLS handshakes.
 */
import type { Pair, Truth, TruthConnection, TruthTls } from '../support/corpus.ts';

/** One delivered line of corpus.iris. */
export type Line =
  | { readonly subscription: 'flows'; readonly ts: number; readonly conn: FlowJson }
  | { readonly subscription: 'handshakes'; readonly ts: number; readonly tls: TlsJson; readonly ft: TupleJson }
  | { readonly subscription: 'datagramShakes'; readonly ts: number; readonly dtls: TlsJson; readonly ft: TupleJson }
  | { readonly subscription: 'transactions'; readonly ts: number; readonly http: SessionJson; readonly ft: TupleJson }
  | { readonly subscription: 'queries'; readonly ts: number; readonly dns: SessionJson; readonly ft: TupleJson }
  | { readonly subscription: 'shells'; readonly ts: number; readonly ssh: SessionJson; readonly ft: TupleJson }
  | { readonly subscription: 'datagrams'; readonly ts: number; readonly quic: SessionJson; readonly ft: TupleJson }
  | { readonly subscription: 'oldDatagrams'; readonly ts: number; readonly gquic: SessionJson; readonly ft: TupleJson };

/** Fields of a session by their names in the catalog. */
export type SessionJson = Readonly<Record<string, unknown>>;

export interface TupleJson {
  readonly proto: string;
  readonly orig_addr: string;
  readonly orig_port: number;
  readonly resp_addr: string;
  readonly resp_port: number;
}

/** Silence after which the default configuration splits a connection, in seconds; the truth knows no timeouts. */
const SPLITS = { tcp: 300, udp: 60, 'tcp without a second packet': 5 } as const;

interface EndJson {
  readonly packets: number;
  readonly bytes: number;
  readonly payload_bytes: number;
}

export interface FlowJson extends TupleJson {
  readonly start: number;
  readonly ended: string;
  readonly orig: EndJson;
  readonly resp: EndJson;
}

export interface TlsJson {
  readonly sni?: string;
  readonly version?: string;
  readonly client_version?: string;
  readonly client_ciphers?: readonly (string | number)[];
  readonly cipher?: string | number;
  readonly client_alpn_protocols?: readonly string[];
  readonly alpn?: string;
  readonly ja3_hash?: string;
  readonly ja3s_hash?: string;
}

/** A fact on which Iris and the truth differ. */
export interface Difference {
  /** Number of the connection in the truth file, or `?` for one that the truth does not have. */
  readonly conn: number | string;
  /** The class that `fact` is counted in. */
  readonly cls: string;
  readonly fact: string;
  readonly ours: string;
  readonly truth: string;
}

export interface Comparison {
  /** Facts compared, by class. */
  readonly compared: Map<string, number>;
  readonly differences: Difference[];
}

/** Which connections of the truth a run should have found: all, or only those its tracker opens by default. */
export type View = 'all' | 'default';

/** Reads IPv4 or IPv6 text into a canonical form, so that spellings do not matter. */
export function canonicalAddress(text: string): string {
  return text.includes(':') ? new URL(`http://[${text}]/`).hostname : text;
}

/** An `address|port` of a truth file in a form to compare by. */
export function endpoint(text: string): string {
  const bar = text.lastIndexOf('|');
  return `${canonicalAddress(text.slice(0, bar))}|${text.slice(bar + 1)}`;
}

/** Names a five-tuple, its ends in either order. */
export function keyOf(proto: string, a: string, b: string): string {
  return `${proto} ${[a, b].sort().join(' ')}`;
}

/** The same of a delivered five-tuple, and its originator. */
export function tupleKey(ft: TupleJson): { key: string; orig: string } {
  const orig = `${canonicalAddress(ft.orig_addr)}|${ft.orig_port}`;
  return { key: keyOf(ft.proto, orig, `${canonicalAddress(ft.resp_addr)}|${ft.resp_port}`), orig };
}

/** True for a connection that a tracker without decapsulation and with `view`'s opening rules should report. */
export function expected(conn: TruthConnection, view: View): boolean {
  return conn.depth === 0 && (view === 'all' || conn.proto === 'udp' || conn.tcp?.starts_with_syn === true);
}

function splitByTimeout(conn: TruthConnection): boolean {
  const second = conn.packets[0] + conn.packets[1] > 1 && (conn.packets[1] > 0 || conn.tcp?.syn[0] !== conn.packets[0]);
  return conn.max_idle_s >= SPLITS[conn.proto === 'tcp' && !second ? 'tcp without a second packet' : conn.proto];
}

/** Items by key, in their order. */
export function group<T>(items: readonly T[], keyOfItem: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const key = keyOfItem(item);
    const list = groups.get(key);
    if (list === undefined) groups.set(key, [item]);
    else list.push(item);
  }
  return groups;
}

/** Counts what is compared, and notes what differs. */
export class Tally implements Comparison {
  readonly compared = new Map<string, number>();
  readonly differences: Difference[] = [];

  check(conn: number | string, cls: string, fact: string, ours: unknown, truth: unknown): void {
    this.compared.set(cls, (this.compared.get(cls) ?? 0) + 1);
    const [a, b] = [JSON.stringify(ours) ?? 'none', JSON.stringify(truth) ?? 'none'];
    if (a !== b) this.differences.push({ conn, cls, fact, ours: a, truth: b });
  }
}

/** Connections: the same ones, the same originator, packets, IP bytes and payload bytes of each direction. */
export function compareConnections(truth: Truth, lines: readonly Line[], view: View): Comparison {
  const tally = new Tally();
  const flows = lines.flatMap((line) => (line.subscription === 'flows' ? [line.conn] : []));
  const ours = group(flows, (flow) => tupleKey(flow).key);
  const theirs = group(
    truth.connections.filter((conn) => expected(conn, view)),
    (conn) => keyOf(conn.proto, endpoint(conn.orig), endpoint(conn.resp)),
  );
  for (const key of new Set([...ours.keys(), ...theirs.keys()])) {
    const mine = (ours.get(key) ?? []).sort((a, b) => a.start - b.start);
    const wanted = (theirs.get(key) ?? []).sort((a, b) => a.first_ts - b.first_ts);
    const name = wanted[0]?.id ?? `? ${key}`;
    const splits = view === 'default' && mine.length > wanted.length && wanted.some(splitByTimeout);
    if (splits) {
      // The pieces of what was silent for long must add up to the whole.
      const pieces = (end: 'orig' | 'resp', count: keyof EndJson) =>
        mine.reduce((all, flow) => all + flow[end][count], 0);
      const whole = (pair: (conn: TruthConnection) => Pair) =>
        [0, 1].map((end) => wanted.reduce((all, conn) => all + (pair(conn)[end] as number), 0));
      tally.check(
        name,
        'packets',
        'packets',
        [pieces('orig', 'packets'), pieces('resp', 'packets')],
        whole((c) => c.packets),
      );
      tally.check(
        name,
        'ip bytes',
        'ip_bytes',
        [pieces('orig', 'bytes'), pieces('resp', 'bytes')],
        whole((c) => c.ip_bytes),
      );
      continue;
    }
    tally.check(name, 'connections', 'connections', mine.length, wanted.length);
    for (let i = 0; i < Math.min(mine.length, wanted.length); i++) {
      const [a, b] = [mine[i], wanted[i]] as [FlowJson, TruthConnection];
      tally.check(b.id, 'originator', 'originator', tupleKey(a).orig, endpoint(b.orig));
      tally.check(b.id, 'packets', 'packets', [a.orig.packets, a.resp.packets], b.packets);
      tally.check(b.id, 'ip bytes', 'ip_bytes', [a.orig.bytes, a.resp.bytes], b.ip_bytes);
      tally.check(b.id, 'payload', 'payload_bytes', [a.orig.payload_bytes, a.resp.payload_bytes], b.payload_bytes);
    }
  }
  return tally;
}

/** TLS over TCP and DTLS: one handshake a connection, its names, versions, ciphers, protocols and fingerprints. */
export function compareTls(
  truth: Truth,
  lines: readonly Line[],
  view: View,
  cipherNumber: (name: string) => number,
): Comparison {
  const tally = new Tally();
  const shakes = lines.flatMap((line) => {
    if (line.subscription === 'handshakes') return [{ tls: line.tls, ft: line.ft, ts: line.ts }];
    return line.subscription === 'datagramShakes' ? [{ tls: line.dtls, ft: line.ft, ts: line.ts }] : [];
  });
  const ours = group(shakes, (line) => tupleKey(line.ft).key);
  const connections = new Map(truth.connections.map((conn) => [conn.id, conn]));
  const wantedTls = truth.tls.filter((tls) => {
    const conn = connections.get(tls.conn);
    return tls.over !== 'quic' && conn !== undefined && expected(conn, view);
  });
  const theirs = group(wantedTls, (tls) => {
    const conn = connections.get(tls.conn) as TruthConnection;
    return keyOf(conn.proto, endpoint(conn.orig), endpoint(conn.resp));
  });
  const hex = (cipher: string | number | undefined) =>
    cipher === undefined
      ? null
      : `0x${(typeof cipher === 'number' ? cipher : cipherNumber(cipher)).toString(16).padStart(4, '0')}`;
  for (const key of new Set([...ours.keys(), ...theirs.keys()])) {
    const mine = (ours.get(key) ?? []).sort((a, b) => a.ts - b.ts);
    const wanted = (theirs.get(key) ?? []).sort((a, b) => a.conn - b.conn);
    tally.check(wanted[0]?.conn ?? `? ${key}`, 'tls', 'tls handshakes', mine.length, wanted.length);
    for (let i = 0; i < Math.min(mine.length, wanted.length); i++) {
      const [a, b] = [(mine[i] as (typeof mine)[number]).tls, wanted[i] as TruthTls];
      tally.check(b.conn, 'sni', 'sni', a.sni ?? null, b.sni);
      tally.check(b.conn, 'version', 'version', a.version ?? null, b.version_selected);
      tally.check(b.conn, 'version', 'client_version', a.client_version ?? null, b.client_legacy_version);
      tally.check(b.conn, 'ciphers', 'client_ciphers', (a.client_ciphers ?? []).map(hex), b.ciphers_offered);
      tally.check(b.conn, 'ciphers', 'cipher', hex(a.cipher), b.cipher_selected);
      tally.check(b.conn, 'alpn', 'client_alpn_protocols', a.client_alpn_protocols ?? [], b.alpn_offered);
      tally.check(b.conn, 'alpn', 'alpn', a.alpn ?? null, b.alpn_selected);
      tally.check(b.conn, 'ja3', 'ja3_hash', a.ja3_hash ?? null, b.ja3);
      tally.check(b.conn, 'ja3', 'ja3s_hash', a.ja3s_hash ?? null, b.ja3s);
    }
  }
  return tally;
}
