/** Compares HTTP, DNS, SSH and QUIC sessions of the corpus with what tshark recognised. */
import { DNS_RCODES, DNS_TYPES } from '../../runtime/protocols/dns/fields.ts';
import { QUIC_VERSIONS } from '../../runtime/protocols/quic/fields.ts';
import type { TruthConnection } from '../support/corpus.ts';
import {
  type DnsSummary,
  dnsMasked,
  dnsTransactions,
  httpTransactions,
  type SessionTruth,
  type SshKexInit,
  type SshRecord,
  type TlsRecord,
} from '../support/truth-sessions.ts';
import {
  type Comparison,
  endpoint,
  expected,
  group,
  keyOf,
  type Line,
  type SessionJson,
  Tally,
  type TupleJson,
  tupleKey,
  type View,
} from './compare.ts';

type Row = { readonly session: SessionJson; readonly ft: TupleJson };

/**
 * Pairs sessions with records of the truth that have the same five-tuple. `use` gets both for each; the number is that of the
 * first connection, or `?` and the five-tuple for one that the truth does not have.
 */
function paired<T extends { readonly conn: number | null }>(
  truth: SessionTruth,
  view: View,
  ours: readonly Row[],
  records: readonly T[],
  use: (conn: number | string, mine: readonly SessionJson[], theirs: readonly T[]) => void,
): void {
  const connections = new Map(truth.connections.map((conn) => [conn.id, conn]));
  const wanted = records.filter((record) => {
    const conn = connections.get(record.conn ?? -1);
    return conn !== undefined && expected(conn, view);
  });
  const theirs = group(wanted, (record) => {
    const conn = connections.get(record.conn as number) as TruthConnection;
    return keyOf(conn.proto, endpoint(conn.orig), endpoint(conn.resp));
  });
  const mine = group(ours, (row) => tupleKey(row.ft).key);
  for (const key of new Set([...mine.keys(), ...theirs.keys()])) {
    const sessions = (mine.get(key) ?? []).map((row) => row.session);
    const of = theirs.get(key) ?? [];
    use(of[0]?.conn ?? `? ${key}`, sessions, of);
  }
}

/** Records by connection: transactions do not reach from one to another of the same five-tuple. */
function perConnection<T extends { readonly conn: number | null }, U>(records: readonly T[], make: (of: T[]) => U[]) {
  return [...group(records, (record) => String(record.conn)).values()].flatMap(make);
}

function compareHttp(truth: SessionTruth, lines: readonly Line[], view: View, tally: Tally): void {
  const ours = lines.flatMap((line) =>
    line.subscription === 'transactions' ? [{ session: line.http, ft: line.ft }] : [],
  );
  paired(truth, view, ours, truth.http, (conn, mine, messages) => {
    const theirs = perConnection(messages, httpTransactions);
    tally.check(conn, 'http', 'http transactions', mine.length, theirs.length);
    if (mine.length !== theirs.length) return;
    theirs.forEach((their, i) => {
      for (const [field, value] of Object.entries(their)) {
        tally.check(conn, 'http fields', `http ${i} ${field}`, mine[i]?.[field] ?? null, value ?? null);
      }
    });
  });
}

function numberOf(names: Readonly<Record<string, number>>, value: unknown): number | null {
  if (value === undefined) return null;
  return names[value as string] ?? Number(value);
}

function dnsSummary(dns: SessionJson): DnsSummary {
  return {
    id: dns.id as number,
    name: (dns.query_domain as string | undefined) ?? null,
    type: numberOf(DNS_TYPES, dns.query_type),
    rcode: numberOf(DNS_RCODES, dns.rcode),
    answers: (dns.answers as string[] | undefined) ?? [],
    nameservers: (dns.nameservers as string[] | undefined) ?? [],
    additionals: (dns.additionals as string[] | undefined) ?? [],
  };
}

/** By identifier and name, not by order: a timeout delivers a lone query before later answers. */
function compareDns(truth: SessionTruth, lines: readonly Line[], view: View, tally: Tally): void {
  const ours = lines.flatMap((line) => (line.subscription === 'queries' ? [{ session: line.dns, ft: line.ft }] : []));
  const order = (a: DnsSummary, b: DnsSummary) => {
    const [x, y] = [a, b].map((dns) => JSON.stringify([dns.id, dns.name, dns.type, dns.rcode]));
    return x < y ? -1 : x > y ? 1 : 0;
  };
  paired(truth, view, ours, truth.dns, (conn, mine, messages) => {
    const theirs = perConnection(messages, dnsTransactions).sort(order);
    const summaries = mine.map(dnsSummary).sort(order);
    tally.check(conn, 'dns', 'dns transactions', summaries.length, theirs.length);
    if (summaries.length !== theirs.length) return;
    theirs.forEach((their, i) => {
      const our = dnsMasked(summaries[i] as DnsSummary, their);
      for (const key of Object.keys(their) as (keyof DnsSummary)[]) {
        tally.check(conn, 'dns fields', `dns ${i} ${key}`, our[key], their[key]);
      }
    });
  });
}

/** What one side says of itself, by field. */
function sshSide(of: SshRecord, client: boolean): Record<string, unknown> {
  const banner = client ? of.client_version : of.server_version;
  const kex: SshKexInit | null = client ? of.client_kexinit : of.server_kexinit;
  const end = client ? 'ctos' : 'stoc';
  const own = (list: 'encryption' | 'mac' | 'compression') =>
    kex?.[`${list}_algorithms_${client ? 'client_to_server' : 'server_to_client'}`] ?? null;
  return {
    [`banner_${end}`]: banner,
    [`kex_algs_${end}`]: kex?.kex_algorithms ?? null,
    [`server_host_key_algs_${end}`]: kex?.server_host_key_algorithms ?? null,
    [`encryption_algs_${end}`]: own('encryption'),
    [`mac_algs_${end}`]: own('mac'),
    [`compression_algs_${end}`]: own('compression'),
    [`key_exchange_cookie_${end}`]: kex?.cookie ?? null,
    [client ? 'hassh' : 'hassh_server']: kex?.hassh ?? null,
  };
}

function bannerOf(ssh: SessionJson, end: string): string | null {
  const version = ssh[`protocol_version_${end}`];
  if (version === undefined) return null;
  const comments = ssh[`comments_${end}`];
  return `SSH-${version}-${ssh[`software_version_${end}`] ?? ''}${comments === undefined ? '' : ` ${comments}`}`;
}

function compareSsh(truth: SessionTruth, lines: readonly Line[], view: View, tally: Tally): void {
  const ours = lines.flatMap((line) => (line.subscription === 'shells' ? [{ session: line.ssh, ft: line.ft }] : []));
  paired(truth, view, ours, truth.ssh, (conn, mine, theirs) => {
    tally.check(conn, 'ssh', 'ssh handshakes', mine.length, theirs.length);
    theirs.forEach((their, i) => {
      const our = mine[i];
      if (our === undefined) return;
      const banners = { banner_ctos: bannerOf(our, 'ctos'), banner_stoc: bannerOf(our, 'stoc') };
      for (const [field, value] of Object.entries({ ...sshSide(their, true), ...sshSide(their, false) })) {
        tally.check(conn, 'ssh fields', field, { ...our, ...banners }[field] ?? null, value);
      }
    });
  });
}

function compareQuic(
  truth: SessionTruth,
  lines: readonly Line[],
  view: View,
  tally: Tally,
  cipherNumber: (name: string) => number,
): void {
  const ours = lines.flatMap((line) =>
    line.subscription === 'datagrams' ? [{ session: line.quic, ft: line.ft }] : [],
  );
  const hellos = (truth.tls as readonly TlsRecord[]).filter((tls) => tls.over === 'quic');
  paired(truth, view, ours, truth.quic, (conn, mine, theirs) => {
    tally.check(conn, 'quic', 'quic connections', mine.length, theirs.length);
    const [our, their] = [mine[0], theirs[0]];
    if (our === undefined || their === undefined) return;
    const version = numberOf(QUIC_VERSIONS, our.version) ?? -1;
    const shown = `0x${version.toString(16).padStart(8, '0')}`;
    const hello = hellos.find((tls) => tls.conn === their.conn);
    tally.check(conn, 'quic fields', 'quic version known', their.versions.includes(shown), true);
    tally.check(conn, 'quic fields', 'quic dcid', our.dcid ?? null, their.first_initial_dcid);
    tally.check(conn, 'quic fields', 'quic sni', our.sni ?? null, hello?.sni ?? null);
    tally.check(conn, 'quic fields', 'quic alpn', our.client_alpn_protocols ?? [], hello?.alpn_offered ?? []);
    tally.check(conn, 'quic fields', 'quic ja3', our.ja3_hash ?? null, hello?.client_hellos.at(-1)?.ja3 ?? null);
    const cipher = our.cipher === undefined ? null : cipherNumber(our.cipher as string);
    const chosen = hello?.cipher_selected ?? null;
    tally.check(conn, 'quic fields', 'quic cipher', cipher, chosen === null ? null : Number(chosen));
    tally.check(conn, 'quic fields', 'quic tls version', our.tls_version ?? null, hello?.version_selected ?? null);
    tally.check(conn, 'quic fields', 'quic ja3s', our.ja3s_hash ?? null, hello?.ja3s ?? null);
    const ciphers = ((our.client_ciphers ?? []) as string[]).map(cipherNumber);
    tally.check(conn, 'quic fields', 'quic ciphers', ciphers, hello?.client_hellos.at(-1)?.ciphers ?? []);
  });
}

function compareGquic(truth: SessionTruth, lines: readonly Line[], view: View, tally: Tally): void {
  const ours = lines.flatMap((line) =>
    line.subscription === 'oldDatagrams' ? [{ session: line.gquic, ft: line.ft }] : [],
  );
  paired(truth, view, ours, truth.gquic ?? [], (conn, mine, theirs) => {
    tally.check(conn, 'gquic', 'gquic connections', mine.length, theirs.length);
    const [our, their] = [mine[0], theirs[0]];
    if (our === undefined || their === undefined) return;
    tally.check(conn, 'gquic fields', 'gquic version known', their.versions.includes(our.version as string), true);
    tally.check(conn, 'gquic fields', 'gquic sni', our.sni ?? null, their.sni);
    tally.check(conn, 'gquic fields', 'gquic user agent', our.user_agent ?? null, their.user_agent);
  });
}

/** HTTP, DNS, SSH and QUIC, that of Google too. */
export function compareSessions(
  truth: SessionTruth,
  lines: readonly Line[],
  view: View,
  cipherNumber: (name: string) => number,
): Comparison {
  const tally = new Tally();
  compareHttp(truth, lines, view, tally);
  compareDns(truth, lines, view, tally);
  compareSsh(truth, lines, view, tally);
  compareGquic(truth, lines, view, tally);
  compareQuic(truth, lines, view, tally, cipherNumber);
  return tally;
}
