/** The engine with every tunnel opened, over the corpus: its connections against the truth's innermost ones. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { DECAP_ALL } from '../../runtime/packet/decap-config.ts';
import { corpus, corpusEntries, readTruth } from '../support/corpus.ts';
import { framesOf, keyOfRecord, keyOfTruth } from '../support/corpus-frames.ts';
import { createEngine, packetMemory } from '../support/engine.ts';

const test = suite('tunnels of the corpus');
const folder = corpus();
const memory = packetMemory(1 << 22, 1 << 24);

const ENDLESS = {
  tcp_inactivity_timeout: 3e9,
  tcp_establish_timeout: 3e9,
  udp_inactivity_timeout: 3e9,
  tcp_closed_timeout: 3e9,
  tcp_reuse_timeout: 3e9,
  timeout_resolution: 100_000,
  init_data: true,
  init_fin: true,
  init_rst: true,
  init_synack: true,
};

for (const entry of folder === undefined ? [] : corpusEntries(folder)) {
  const truth = readTruth(entry);
  if (!truth.features.includes('tunnel-inner-ip')) continue;
  test(entry.name, () => {
    const engine = createEngine({ memory, maxConnections: 50_000, config: ENDLESS, decap: DECAP_ALL });
    engine.run(framesOf(entry.pcap));
    engine.drain();
    const ours = new Map(engine.of('end').flatMap(({ record: r }) => (r === undefined ? [] : [[keyOfRecord(r), r]])));
    const theirs = new Map(truth.connections.map((c) => [keyOfTruth(c), c]));
    for (const [key, c] of theirs) {
      if (c.depth === 0) continue;
      const r = ours.get(key);
      assert.ok(r !== undefined, `${c.proto} ${c.orig} ${c.resp} was not found`);
      assert.equal([r.orig.packets, r.resp.packets], c.packets, key);
      assert.equal([r.orig.bytes, r.resp.bytes], c.ip_bytes, key);
      assert.equal([r.orig.payload_bytes, r.resp.payload_bytes], c.payload_bytes, key);
    }
    // What carries nothing but tunnels is no connection any more; nothing else is lost or new.
    const { all, innermost } = truth.summary.connections;
    for (const proto of ['tcp', 'udp'] as const) {
      const keys = (map: ReadonlyMap<string, unknown>) => [...map.keys()].filter((key) => key.startsWith(proto));
      assert.is(keys(ours).length, keys(theirs).length - (all[proto] - innermost[proto]));
      for (const key of keys(ours)) assert.ok(theirs.has(key), key);
    }
    const { tunnels_truncated, tunnels_malformed, tunnels_unread, tunnels_too_deep } = engine.counters();
    assert.is(tunnels_truncated + tunnels_malformed + tunnels_unread + tunnels_too_deep, 0);
  });
}

if (folder === undefined) {
  test.skip('no corpus beside the checkout', () => {});
}

test.run();
