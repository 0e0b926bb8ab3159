/** Finds the shared corpus of captures and truth files beside the checkout, or at IRIS_CORPUS. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const PACKAGE_ROOT = fileURLToPath(new URL('../../../', import.meta.url));

/** The corpus folder (it holds pcaps/ and truth/), or undefined where there is none. */
export function corpus(): string | undefined {
  const folder = process.env.IRIS_CORPUS ?? join(PACKAGE_ROOT, '../shared/corpus');
  return existsSync(join(folder, 'truth')) ? folder : undefined;
}

/** The root of the checkout, whether the caller runs from dist/ or not. */
export function packageRoot(): string {
  return PACKAGE_ROOT;
}

export interface CorpusEntry {
  readonly name: string;
  readonly pcap: string;
  readonly truth: string;
}

/** Every capture of the corpus with its truth file, by name. */
export function corpusEntries(folder: string): CorpusEntry[] {
  const truths = new Map(
    readdirSync(join(folder, 'truth')).map((file) => [file.replace(/\.json$/, ''), join(folder, 'truth', file)]),
  );
  const entries: CorpusEntry[] = [];
  for (const file of readdirSync(join(folder, 'pcaps')).sort()) {
    const name = file.replace(/\.pcap(ng)?$/, '');
    const truth = truths.get(name);
    if (truth !== undefined) entries.push({ name, pcap: join(folder, 'pcaps', file), truth });
  }
  return entries;
}

/** The parsed truth file; its `definitions` explain every key. */
export function readTruth(entry: CorpusEntry): Truth {
  return JSON.parse(readFileSync(entry.truth, 'utf8')) as Truth;
}

export type Pair = readonly [orig: number, resp: number];

export interface Truth {
  readonly summary: {
    readonly packets: number;
    readonly wire_bytes: number;
    readonly captured_bytes: number;
    readonly first_ts: number;
    readonly last_ts: number;
    readonly connections: Readonly<
      Record<'all' | 'outermost' | 'innermost', { readonly tcp: number; readonly udp: number }>
    > & { readonly tcp_starting_with_syn_outermost: number; readonly tcp_with_syn_outermost: number };
  };
  readonly features: readonly string[];
  readonly connections: readonly TruthConnection[];
  readonly tls: readonly TruthTls[];
}

export interface TruthConnection {
  readonly id: number;
  readonly proto: 'tcp' | 'udp';
  readonly depth: number;
  /** `address|port` */
  readonly orig: string;
  readonly resp: string;
  readonly first_ts: number;
  readonly last_ts: number;
  readonly max_idle_s: number;
  readonly first_frame: number;
  readonly last_frame: number;
  readonly packets: Pair;
  readonly frame_bytes: Pair;
  readonly ip_bytes: Pair;
  readonly payload_bytes: Pair;
  readonly tcp?: {
    readonly starts_with_syn: boolean;
    readonly syn: Pair;
    readonly rst: Pair;
    readonly fin: readonly [boolean, boolean];
    readonly closed: boolean;
    readonly stream: Readonly<Record<'orig' | 'resp', TruthStream>>;
  };
}

export interface TruthStream {
  readonly unique_bytes: number;
  readonly gap_bytes: number;
  readonly dup_bytes: number;
  readonly conflict_bytes: number;
  readonly prefix_len: number;
  readonly prefix_sha256: string;
}

export interface TruthTls {
  readonly conn: number;
  readonly over: string;
  readonly sni: string | null;
  readonly client_legacy_version: string | null;
  readonly version_selected: string | null;
  readonly ciphers_offered: readonly string[];
  readonly cipher_selected: string | null;
  readonly alpn_offered: readonly string[];
  readonly alpn_selected: string | null;
  readonly ja3: string | null;
  readonly ja3s: string | null;
  readonly client_side: 'orig' | 'resp' | null;
  readonly at_stream_start?: boolean;
}
