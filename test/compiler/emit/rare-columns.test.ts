/** Columns that lie beside the records: written where something is rare, and 0 again for the record's next connection. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { compile } from '../../../compiler/compile.ts';
import { memoryHost } from '../../support/analysis-host.ts';
import { buildPcap, captureFolder, type TestPacket } from '../../support/captures.ts';
import { udp } from '../../support/frames.ts';
import { loadModule } from '../support/load-module.ts';
import { templates } from '../support/templates.ts';
import { runModule } from '../support/whole-path.ts';

const test = suite('rare columns');
const folder = captureFolder();
test.after(() => folder.remove());

const TYPES = `import { datatype, type L4Pdu, on, rare, type u32 } from 'iris-ts/runtime';
@datatype export class Marks {
  packets: u32 = 0;
  @rare large: u32 = 0;
  @rare bytes = new Float64Array(2);
  @rare begun: u32 = 7;
  @on('InL4Conn') update(pdu: L4Pdu): void {
    this.packets++;
    if (pdu.payloadLength < 100) return;
    this.large++;
    this.bytes[pdu.dir] += pdu.payloadLength;
    this.begun++;
  }
}`;

/** The same without what the compiler alone reads. */
const USER = 'export class Marks { packets = 0; large = 0; bytes = new Float64Array(2); begun = 7 }';

function emitted(): string {
  const text = 'use { Marks } from "./user.ts"\nsubscribe marks(m: Marks, ft: FiveTuple) at L4Terminated when udp\n';
  const host = memoryHost({ 'user.ts': TYPES });
  const compilation = compile(
    { path: 'x.iris', text },
    { files: host, templates: templates(), version: '0', parsers: [] },
  );
  assert.equal(compilation.diagnostics, []);
  return compilation.text ?? '';
}

/** Connections one after the other, long enough apart that the next one has the record of the one before. */
function capture(payloads: readonly (readonly number[])[]): string {
  const packets = payloads.flatMap((sizes, i) =>
    sizes.map(
      (size, k): TestPacket => ({
        sec: 1000 + i * 1000 + k,
        nsec: 0,
        bytes: udp({ sport: 1000 + i, payload: new Uint8Array(size) }),
      }),
    ),
  );
  return folder.write('marks.pcap', buildPcap(packets));
}

test('are written, delivered, and 0 for the next connection of the record', async () => {
  const module = await loadModule(emitted(), USER);
  const deliveries = await runModule(module, capture([[100, 200, 5], [1, 2], [300], [9]]));
  assert.equal(
    deliveries.map(({ values }) => values.m),
    [
      { packets: 3, large: 2, bytes: [300, 0], begun: 9 },
      { packets: 2, large: 0, bytes: [0, 0], begun: 7 },
      { packets: 1, large: 1, bytes: [300, 0], begun: 8 },
      { packets: 1, large: 0, bytes: [0, 0], begun: 7 },
    ],
  );
});

test('take no word of the record, unless they begin with another value than 0', () => {
  const text = emitted();
  assert.match(text, /const MARKS_LARGE = 0 \/\/ Marks\.large: u32, beside the record/);
  assert.match(text, /const MARKS_BYTES = 2 \/\/ Marks\.bytes: f64\[2\], beside the record/);
  assert.match(text, /const MARKS_BEGUN = 17 \/\/ Marks\.begun: u32\n/);
  assert.match(text, /recordWords: 32,/);
});

test.run();
