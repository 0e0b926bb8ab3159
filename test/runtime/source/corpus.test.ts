/** Every capture of the corpus: packets, bytes and times as tshark counts them. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { corpus, corpusEntries, readTruth } from '../../support/corpus.ts';
import { readCapture } from '../../support/read-capture.ts';

const test = suite('source/corpus');
const folder = corpus();

for (const entry of folder === undefined ? [] : corpusEntries(folder)) {
  test(entry.name, () => {
    const { summary } = readTruth(entry);
    const { packets, error, stats } = readCapture(entry.pcap);
    assert.is(error, undefined);
    assert.is(packets.length, summary.packets);
    assert.is(stats?.packets, summary.packets);
    assert.is(stats?.bytes, summary.wire_bytes);
    assert.is(
      packets.reduce((sum, packet) => sum + packet.bytes.length, 0),
      summary.captured_bytes,
    );
    // The truth has its times as doubles, with six or seven digits of the fraction.
    const times = packets.map((packet) => packet.sec + packet.nsec / 1e9);
    assert.ok(Math.abs(Math.min(...times) - summary.first_ts) < 2e-6);
    assert.ok(Math.abs(Math.max(...times) - summary.last_ts) < 2e-6);
    // Small windows make no difference.
    assert.equal(readCapture(entry.pcap, { windowBytes: 65600 + 1 }, 7).packets, packets);
  });
}

if (folder === undefined) test.skip('no corpus here: set IRIS_CORPUS', () => {});

test.run();
