/** --cores with everything that could tell cores apart: tunnels, fragments, short timeouts, streaming, packed and several files. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { runOffline } from '../../../runtime/cli/offline.ts';
import { parseConfig } from '../../../runtime/config/config.ts';
import { corpus, packageRoot } from '../../support/corpus.ts';

const test = suite('cli/cores with tunnels');
// Beside the checkout's node_modules, so that the module finds `iris-ts/runtime`.
const folder = mkdtempSync(join(packageRoot(), 'dist', 'cores-'));
test.after(() => rmSync(folder, { recursive: true }));

const FILTER = `
subscribe flows(conn: ConnRecord) at L4Terminated when tcp or udp
subscribe pieces(pdu: L4Pdu, ft: FiveTuple) at InL4Stream when tcp
subscribe each(pdu: L4Pdu) at InL4Conn when udp
subscribe requests(http: HttpTransaction, ft: FiveTuple) when http
`;

const CONFIG = `
[decap]
all = true
[conntrack]
init_data = true
tcp_inactivity_timeout = 2000
udp_inactivity_timeout = 500
tcp_establish_timeout = 1000
verify_checksums = true
`;

const captures = join(corpus() ?? '', 'pcaps');

function packed(name: string): string {
  const path = join(folder, `${name}.gz`);
  writeFileSync(path, gzipSync(readFileSync(join(captures, name))));
  return path;
}

const RUNS: readonly [name: string, paths: () => string[]][] = [
  ['fragments inside GTP', () => [join(captures, 'zeek-gtp1_gn_normal_incl_fragmentation.pcap')]],
  ['6in4', () => [join(captures, 'ndpi-6in4tunnel.pcap')]],
  ['IPv6 fragments', () => [join(captures, 'zeek-ipv6-fragmented-dns.pcap')]],
  ['a packed file', () => [packed('zeek-wikipedia.pcap')]],
  [
    'several files',
    () => ['zeek-get.pcap', 'pcpp-ip4_fragments.pcap', 'zeek-gre-sample.pcap'].map((f) => join(captures, f)),
  ],
];

if (corpus() === undefined) test.skip('needs the corpus', () => {});
else {
  const source = join(folder, 'all.iris');
  writeFileSync(source, FILTER);
  execFileSync(process.execPath, [join(packageRoot(), 'dist/compiler/cli/iris-compile.js'), source], { stdio: 'pipe' });
  for (const [name, paths] of RUNS) {
    test(name, async () => {
      const config = parseConfig(CONFIG, 'run.toml');
      const lines = async (cores: number) => {
        const out = join(folder, `out-${cores}`);
        const code = await runOffline(`${source}.js`, paths(), config, {
          ...{ out, strict: false, quiet: true, json: false, maxConnections: 20_000 },
          cores,
        });
        assert.is(code, 0);
        return readFileSync(out, 'utf8');
      };
      const one = await lines(1);
      assert.ok(one.split('\n').length > 5);
      for (const cores of [2, 3]) assert.ok((await lines(cores)) === one, `${cores} cores`);
    });
  }
}

test.run();
