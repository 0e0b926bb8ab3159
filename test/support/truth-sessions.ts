/** Application records of the truth files, naively put together to what a parser should deliver. */
import type { Truth, TruthTls } from './corpus.ts';

export interface HttpMessage {
  readonly conn: number;
  readonly kind: 'request' | 'response';
  readonly version: string;
  readonly method?: string;
  readonly uri?: string;
  readonly host?: string;
  readonly user_agent?: string;
  readonly cookie?: string;
  readonly status?: number;
  readonly reason?: string;
  readonly content_type?: string;
  readonly content_length?: string;
  readonly transfer_encoding?: string;
}

interface DnsRecord {
  readonly type: number;
  readonly data?: string;
}
export interface DnsMessage {
  readonly conn: number | null;
  readonly from: 'orig' | 'resp';
  readonly frame: number;
  readonly id: number;
  readonly response: boolean;
  readonly rcode: number | null;
  readonly queries: readonly { readonly name: string; readonly type: number }[];
  readonly answers: readonly DnsRecord[];
  readonly authority: readonly DnsRecord[];
  readonly additional: readonly DnsRecord[];
  readonly counts: readonly (number | null)[];
}

export interface SshKexInit {
  readonly kex_algorithms: readonly string[];
  readonly server_host_key_algorithms: readonly string[];
  readonly encryption_algorithms_client_to_server: readonly string[];
  readonly encryption_algorithms_server_to_client: readonly string[];
  readonly mac_algorithms_client_to_server: readonly string[];
  readonly mac_algorithms_server_to_client: readonly string[];
  readonly compression_algorithms_client_to_server: readonly string[];
  readonly compression_algorithms_server_to_client: readonly string[];
  readonly hassh: string;
  readonly cookie: string;
}
export interface SshRecord {
  readonly conn: number;
  readonly client_version: string | null;
  readonly server_version: string | null;
  readonly client_kexinit: SshKexInit | null;
  readonly server_kexinit: SshKexInit | null;
}

export interface QuicRecord {
  readonly conn: number;
  readonly versions: readonly string[];
  readonly first_initial_dcid: string;
  readonly gquic?: unknown;
}
/** Google QUIC up to Q046. */
export interface GquicRecord {
  readonly conn: number;
  readonly versions: readonly string[];
  readonly sni: string | null;
  readonly user_agent: string | null;
}
export interface TlsRecord extends TruthTls {
  readonly client_hellos: readonly {
    readonly random: string;
    readonly ciphers: readonly number[];
    readonly extensions: readonly number[];
    readonly groups: readonly number[];
    readonly ja3: string;
  }[];
}

/** A truth file with the records that only session parsers are compared with. */
export interface SessionTruth extends Truth {
  readonly http: readonly HttpMessage[];
  readonly dns: readonly DnsMessage[];
  readonly ssh: readonly SshRecord[];
  readonly quic: readonly QuicRecord[];
  readonly gquic?: readonly GquicRecord[];
}

/** HTTP transactions of one connection, by the order of its requests and responses. Keys are fields of the catalog. */
export function httpTransactions(messages: readonly HttpMessage[]): Record<string, unknown>[] {
  const requests = messages.filter((message) => message.kind === 'request');
  const responses = messages.filter((message) => message.kind === 'response');
  return Array.from({ length: Math.max(requests.length, responses.length) }, (_, i) => {
    const [request, response] = [requests[i], responses[i]];
    return {
      method: request?.method,
      uri: request?.uri,
      host: request?.host,
      user_agent: request?.user_agent,
      cookie: request?.cookie,
      request_version: request?.version,
      request_content_length: request?.content_length === undefined ? undefined : Number(request.content_length),
      request_content_type: request?.content_type,
      status_code: response?.status,
      status_msg: response?.reason,
      response_version: response?.version,
      response_content_length: response?.content_length === undefined ? undefined : Number(response.content_length),
      response_content_type: response?.content_type,
      response_transfer_encoding: response?.transfer_encoding,
    };
  });
}

/** A DNS transaction in a form that both sides can be brought to. */
export interface DnsSummary {
  readonly id: number;
  readonly name: string | null;
  readonly type: number | null;
  readonly rcode: number | null;
  readonly answers: readonly string[] | undefined;
  readonly nameservers: readonly string[] | undefined;
  readonly additionals: readonly string[] | undefined;
}

/** Types whose data the truth tells. */
const TOLD = [1, 2, 5, 12, 28];
const OPT = 41;
const SOA = 6;

/** The data of a section; undefined where the truth left records out (SRV, and what an UPDATE asks for). */
function texts(records: readonly DnsRecord[] = [], count: number | null = 0): string[] | undefined {
  if (records.length !== count) return undefined;
  return records
    .filter((record) => record.type !== OPT)
    .map((record) => {
      if (record.type === SOA) return `SOA ${record.data}`;
      return TOLD.includes(record.type) ? (record.data ?? '').replace('<Root>', '.') : '…';
    });
}

/** Queries of one connection with their answers; those without come last. */
export function dnsTransactions(messages: readonly DnsMessage[]): DnsSummary[] {
  const waiting: DnsMessage[] = [];
  const done: DnsSummary[] = [];
  const tell = (query: DnsMessage | undefined, response: DnsMessage | undefined) => {
    const question = (query ?? response)?.queries[0];
    done.push({
      id: (query ?? response)?.id ?? -1,
      name: question?.name.replace('<Root>', '.') ?? null,
      type: question?.type ?? null,
      rcode: response?.rcode ?? null,
      answers: texts(response?.answers, response?.counts[1]),
      nameservers: texts(response?.authority, response?.counts[2]),
      additionals: texts(response?.additional, response?.counts[3]),
    });
  };
  for (const message of messages) {
    if (!message.response) {
      waiting.push(message);
      continue;
    }
    const [question] = message.queries;
    const i = waiting.findIndex(
      (query) =>
        query.id === message.id &&
        query.from !== message.from &&
        (question === undefined || query.queries[0]?.name === question.name),
    );
    tell(i < 0 ? undefined : waiting.splice(i, 1)[0], message);
  }
  for (const query of waiting) tell(query, undefined);
  return done;
}

/** Ours with what the truth does not tell blanked out. */
export function dnsMasked(ours: DnsSummary, theirs: DnsSummary): DnsSummary {
  const mask = (list: readonly string[] | undefined, model: readonly string[] | undefined) =>
    model &&
    list?.map((text, i) => {
      if (model[i] === '…') return '…';
      return model[i]?.startsWith('SOA ') ? `SOA ${text.split(' ')[0]}` : text;
    });
  return {
    ...ours,
    answers: mask(ours.answers, theirs.answers),
    nameservers: mask(ours.nameservers, theirs.nameservers),
    additionals: mask(ours.additionals, theirs.additionals),
  };
}
