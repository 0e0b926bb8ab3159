/** Many constants of one field are looked up in tables: at `Packet`, too, where not every frame has the field. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { compile } from '../../../compiler/compile.ts';
import { memoryHost } from '../../support/analysis-host.ts';
import { buildPcap, captureFolder } from '../../support/captures.ts';
import { concat, ethernet, ip, tcp, u16, udp, udpDatagram } from '../../support/frames.ts';
import { loadModule } from '../support/load-module.ts';
import { templates } from '../support/templates.ts';
import { runModule } from '../support/whole-path.ts';

const tables = suite('tables at Packet');
const folder = captureFolder();
tables.after(folder.remove);

const datagram = ip(17, udpDatagram({ payload: 'x'.repeat(32) }), { fragment: 0x2000, id: 7 });
const later = ip(17, new Uint8Array(24).fill(0xff), { fragment: 0x2005, id: 7 });
const tagged = ethernet(0x8100, concat(u16(0x0007, 0x0800), ip(17, udpDatagram({ dport: 9000 }))));
const capture = folder.write(
  'odd.pcap',
  buildPcap(
    [
      ethernet(0x0800, datagram),
      ethernet(0x0800, later),
      ethernet(0x0800, ip(17, Uint8Array.of(1, 2, 3))),
      ethernet(0x0806, new Uint8Array(28)),
      udp({ dport: 65535, sport: 1 }),
      udp({ dport: 3 }),
      tcp({ dport: 9, sport: 2 }),
      tagged,
    ].map((bytes, i) => ({ sec: 1 + i, nsec: 0, bytes })),
  ),
);

async function deliveries(conditions: readonly string[]): Promise<readonly (readonly number[])[]> {
  const text = conditions.map((when, i) => `subscribe s${i}() at Packet when ${when}\n`).join('');
  const host = { files: memoryHost({}), templates: templates(), version: '0', parsers: [] };
  const compiled = compile({ path: '/tables.iris', text }, host);
  assert.equal(compiled.diagnostics, []);
  const all = await runModule(await loadModule(compiled.text ?? ''), capture);
  return conditions.map((_, i) => all.filter((d) => d.subscription === `s${i}`).map((d) => d.sec));
}

for (const [field, step] of [
  ['udp.dst_port', 8192],
  ['udp.src_port', 8192],
  ['udp.length', 8192],
  ['tcp.window', 8192],
  ['ethernet.vlan_id', 512],
  ['ethernet.ether_type', 8192],
] as const) {
  tables(`${field}: a frame without it is in no range`, async () => {
    const conditions = Array.from({ length: 8 }, (_, i) => `${field} in {${i * step}..${(i + 1) * step - 1}}`);
    const together = await deliveries(conditions);
    for (const [i, condition] of conditions.entries()) {
      const [alone] = await deliveries([condition]);
      assert.equal(together[i], alone, condition);
    }
    assert.ok(together.flat().length > 0);
  });
}

tables.run();
