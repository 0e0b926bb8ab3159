/**
 * Streams and counts over the corpus: each direction's in-order bytes against the truth's hash of them, packets, IP bytes
 * and payload bytes of each connection against the truth's.
 */
import { createHash } from 'node:crypto';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { corpus, corpusEntries, readTruth, type TruthConnection } from '../../support/corpus.ts';
import { endsKey, framesOf, keyOfRecord, keyOfTruth } from '../../support/corpus-frames.ts';
import { createEngine, packetMemory, type Told } from '../../support/engine.ts';

const test = suite('engine on the corpus');
const folder = corpus();
const memory = packetMemory(1 << 22, 1 << 24);

function keyOf({ record }: Told): string {
  return record === undefined ? '' : keyOfRecord(record);
}

/** Connections that the truth splits or joins otherwise, by their nature: more than one of the same ends. */
function unique(connections: readonly TruthConnection[]): Map<string, TruthConnection> {
  const byKey = new Map<string, TruthConnection | undefined>();
  for (const c of connections) {
    const own = [keyOfTruth(c), endsKey(c.proto, c.resp, c.orig)];
    const seen = own.some((k) => byKey.has(k));
    for (const k of own) byKey.set(k, seen ? undefined : c);
  }
  const out = new Map<string, TruthConnection>();
  for (const [k, c] of byKey) if (c !== undefined && k === keyOfTruth(c)) out.set(k, c);
  return out;
}

const ENDLESS = {
  tcp_inactivity_timeout: 3e9,
  tcp_establish_timeout: 3e9,
  udp_inactivity_timeout: 3e9,
  tcp_closed_timeout: 3e9,
  tcp_reassembly_timeout: 3e9,
  tcp_reuse_timeout: 3e9,
  timeout_resolution: 100_000,
  max_out_of_order: 65535,
  init_data: true,
  init_fin: true,
  init_rst: true,
  init_synack: true,
};

for (const entry of folder === undefined ? [] : corpusEntries(folder)) {
  test(entry.name, () => {
    const truth = readTruth(entry);
    const outermost = truth.connections.filter((c) => c.depth === 0);
    const wanted = unique(outermost);
    const engine = createEngine({ memory, maxConnections: 50_000, config: ENDLESS });
    engine.run(framesOf(entry.pcap));
    engine.drain();
    const ends = engine.of('end');
    const problems: string[] = [];
    for (const end of ends) {
      const t = wanted.get(keyOf(end));
      const r = end.record;
      if (t === undefined || r === undefined) continue;
      wanted.delete(keyOf(end));
      // A connection ends at its close here; the truth counts what comes after it, too.
      const closed = end.reason === 'fin' || end.reason === 'rst';
      [r.orig, r.resp].forEach((mine, i) => {
        const counts: [string, number, number][] = [
          ['packets', mine.packets, t.packets[i]],
          ['ip_bytes', mine.bytes, t.ip_bytes[i]],
          ['payload_bytes', mine.payload_bytes, t.payload_bytes[i]],
        ];
        for (const [name, got, want] of counts) {
          if (closed ? got > want : got !== want) problems.push(`${end.conn} ${name}[${i}] ${got}, truth ${want}`);
        }
        const stream = t.tcp?.stream[i === 0 ? 'orig' : 'resp'];
        if (stream === undefined) return;
        const hash = createHash('sha256');
        let length = 0;
        for (const piece of engine.told) {
          if (piece.what !== 'stream' || piece.conn !== end.conn || piece.fromOrig !== (i === 0)) continue;
          if (piece.gap !== 0) break;
          const bytes = (piece.bytes ?? new Uint8Array()).subarray(0, stream.prefix_len - length);
          hash.update(bytes);
          length += bytes.length;
        }
        const digest = hash.digest('hex');
        if (length < stream.prefix_len && closed) return;
        if (length !== stream.prefix_len || (length > 0 && digest !== stream.prefix_sha256)) {
          problems.push(`${end.conn} stream[${i}] ${length} bytes, truth ${stream.prefix_len}`);
        }
      });
    }
    for (const [k, t] of wanted)
      if (!ends.some((e) => keyOf(e) === k)) problems.push(`missing ${t.proto} ${t.orig} ${t.resp}`);
    assert.equal(problems, []);
  });
}

if (folder === undefined) {
  test.skip('no corpus beside the checkout', () => {});
}

test.run();
