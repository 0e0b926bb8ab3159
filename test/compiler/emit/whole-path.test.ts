/**
 * The whole path against the truth: random filters, compiled and run by the engine over generated captures, deliver those
 * connections of which the naive interpreter, told what the generator did, says that the filter holds.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { PROTOCOLS } from '../../../compiler/catalog/catalog.ts';
import { type Compilation, compile } from '../../../compiler/compile.ts';
import { PARSERS } from '../../../runtime/protocols/registry.ts';
import { memoryHost } from '../../support/analysis-host.ts';
import { evaluateAtEnd, type Facts, type FieldValue } from '../../support/interpreter.ts';
import { DEFAULTS } from '../../traffic/options.ts';
import { writePcap } from '../../traffic/pcap-writer.ts';
import type { Truth } from '../../traffic/truth.ts';
import { loadModule } from '../support/load-module.ts';
import { templates } from '../support/templates.ts';
import { runModule } from '../support/whole-path.ts';

const SEED = Number(process.env.IRIS_SEED ?? Date.now() % 1_000_000);
const PROGRAMS = Number(process.env.IRIS_RUNS ?? 12);
const CONNECTIONS = 250;

const test = suite('the whole path against the truth of the traffic');
const folder = mkdtempSync(join(tmpdir(), 'iris-whole-'));
test.after(() => rmSync(folder, { recursive: true, force: true }));

// Filters as text

const quoted = (values: readonly string[]) => fc.constantFrom(...values).map((v) => `'${v}'`);
const leaves: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom('tcp', 'udp', 'ipv4', 'ipv6', 'tls', 'http', 'dns', 'ssh'),
  fc.constantFrom('port = 443', 'tcp.dst_port in {80, 443}', 'udp.port = 53', 'tcp.src_port >= 40000', 'port != 80'),
  fc.constantFrom('ipv4.addr in 10.0.0.0/17', 'ip.dst in 198.18.0.0/16', 'ipv4.src_addr >= 10.0.128.0'),
  quoted(['example', 'api.', '.org', 'video']).map((v) => `tls.sni contains ${v}`),
  quoted(['.com', '.net', '.example']).map((v) => `tls.sni ends_with ${v}`),
  fc.constantFrom("tls.sni matches '^(www|api)\\\\.'", "http.host matches 'example\\\\.(com|org)$'"),
  fc.constantFrom('tls.cipher = 0x1301', 'tls.cipher != 0xc02f', "tls.client_alpn_protocols contains 'h2'"),
  fc.constantFrom("http.method = 'POST'", "http.method in {'GET', 'HEAD'}", 'http.status_code >= 400'),
  quoted(['api', 'img', '.net']).map((v) => `http.host contains ${v}`),
  fc.constantFrom(
    'dns.query_type = 1',
    'dns.rcode = 0',
    "dns.query_domain contains 'a'",
    "dns.query_domain ends_with '.org'",
  ),
);
const filters: fc.Arbitrary<string> = fc.letrec<{ node: string }>((tie) => {
  const several = fc.array(tie('node'), { minLength: 2, maxLength: 3 });
  return {
    node: fc.oneof(
      { depthSize: 'small' },
      leaves,
      several.map((terms) => `(${terms.join(' and ')})`),
      several.map((terms) => `(${terms.join(' or ')})`),
      tie('node').map((one) => `not ${one}`),
    ),
  };
}).node;

function compileFilters(list: readonly string[]): Compilation {
  const text = list.map((when, i) => `subscribe s${i}(ft: FiveTuple) at L4Terminated when ${when}\n`).join('');
  const parsers = PARSERS.map((parser) => parser.name);
  return compile(
    { path: '/f/whole.iris', text },
    { files: memoryHost({}), templates: templates(), version: '0', parsers },
  );
}

// What the generator says

function addressValue(text: string): bigint {
  if (!text.includes(':')) return text.split('.').reduce((all, part) => (all << 8n) | BigInt(part), 0n);
  const [head = '', tail = ''] = text.split('::');
  const groups = (part: string): string[] => (part === '' ? [] : part.split(':'));
  const missing = 8 - groups(head).length - groups(tail).length;
  const all = text.includes('::')
    ? [...groups(head), ...Array<string>(missing).fill('0'), ...groups(tail)]
    : groups(head);
  return all.reduce((sum, group) => (sum << 16n) | BigInt(Number.parseInt(group, 16)), 0n);
}

/** One set of facts per session, or one without any. */
function momentsOf({ proto, orig, resp, facts }: Truth): readonly Facts[] {
  const ip = orig.addr.includes(':') ? 'ipv6' : 'ipv4';
  const application = facts.app === 'data' || facts.app === 'syn' ? '' : facts.app;
  const there = new Set(['ethernet', ip, proto, application]);
  const protocols = new Map(PROTOCOLS.map(({ name }) => [name, there.has(name)]));
  const ends: [string, FieldValue][] = [
    [`${ip}.src_addr`, addressValue(orig.addr)],
    [`${ip}.dst_addr`, addressValue(resp.addr)],
    [`${proto}.src_port`, BigInt(orig.port)],
    [`${proto}.dst_port`, BigInt(resp.port)],
  ];
  const sessions: [string, FieldValue][][] = [];
  if (facts.app === 'tls') {
    const alpn = facts.alpn.length === 0 ? null : facts.alpn;
    sessions.push([
      ['tls.sni', facts.sni],
      ['tls.cipher', BigInt(facts.cipher)],
      ['tls.client_alpn_protocols', alpn],
    ]);
  } else if (facts.app === 'http') {
    for (const { method, host, status } of facts.transactions) {
      sessions.push([
        ['http.method', method],
        ['http.host', host],
        ['http.status_code', BigInt(status)],
      ]);
    }
  } else if (facts.app === 'dns') {
    sessions.push([
      ['dns.query_domain', facts.name],
      ['dns.query_type', BigInt(facts.type)],
      ['dns.rcode', BigInt(facts.rcode)],
    ]);
  }
  if (sessions.length === 0) sessions.push([]);
  return sessions.map((fields) => ({ protocols, fields: new Map([...ends, ...fields]), filters: new Map() }));
}

interface Ends {
  readonly orig_addr: string;
  readonly orig_port: number;
  readonly resp_addr: string;
  readonly resp_port: number;
}
const keyOf = (e: Ends): string =>
  `${addressValue(e.orig_addr)} ${e.orig_port} ${addressValue(e.resp_addr)} ${e.resp_port}`;
const keyOfTruth = ({ orig, resp }: Truth): string =>
  keyOf({ orig_addr: orig.addr, orig_port: orig.port, resp_addr: resp.addr, resp_port: resp.port });

test('delivers the connections that the interpreter chooses', async () => {
  console.log(`seed ${SEED}`);
  let cases = 0;
  let chosen = 0;
  for (let round = 0; round < PROGRAMS; round++) {
    const capture = join(folder, `${round}.pcap`);
    const truths: Truth[] = [];
    const chunks: Uint8Array[] = [];
    const options = {
      ...DEFAULTS,
      seed: SEED + round,
      connections: CONNECTIONS,
      ipv6: 0.2,
      rst: 0,
      halfOpen: 0,
      // A response captured before its request is a transaction of its own: order stays as it was.
      reorder: 0,
      retransmit: round % 3 === 0 ? 0.05 : 0,
    };
    writePcap(
      options,
      (bytes) => chunks.push(bytes.slice()),
      (truth) => truths.push(truth),
    );
    writeFileSync(capture, Buffer.concat(chunks));
    const list = fc
      .sample(filters, { numRuns: 12, seed: SEED + round })
      .filter((one) => compileFilters([one]).text !== undefined);
    const { text, typed } = compileFilters(list);
    assert.ok(text !== undefined && typed !== undefined);
    const deliveries = await runModule(await loadModule(text), capture);
    for (const { name, when } of typed.subscriptions) {
      const got = deliveries.filter((d) => d.subscription === name).map((d) => keyOf(d.values.ft as Ends));
      const wanted = truths.filter((truth) => momentsOf(truth).some((facts) => evaluateAtEnd(when, facts)));
      const missing = wanted.filter((truth) => !got.includes(keyOfTruth(truth)));
      const place = `seed ${SEED}, round ${round}: ${list[Number(name.slice(1))]}`;
      assert.equal(missing.slice(0, 3), [], `${place}: missing`);
      assert.is(got.length, wanted.length, `${place}: too many`);
      cases += truths.length;
      chosen += wanted.length;
    }
  }
  console.log(`${cases} cases, ${chosen} connections chosen`);
  assert.ok(cases > 1000 && chosen > 0 && chosen < cases);
});

test.run();
