/**
 * Families: what many subscriptions that differ in their ends are handed, and when they say "no more", against the same
 * subscriptions planned one by one. That they are handed the right things at all is the oracle's to say.
 */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { compile } from '../../../compiler/compile.ts';
import type { SubscriptionModule } from '../../../runtime/subscription/contract.ts';
import { memoryHost } from '../../support/analysis-host.ts';
import { captureFolder } from '../../support/captures.ts';
import { DEFAULTS } from '../../traffic/options.ts';
import { writeCapture } from '../../traffic/pcap-writer.ts';
import { loadModule } from '../support/load-module.ts';
import { templates } from '../support/templates.ts';
import { runModule } from '../support/whole-path.ts';

const test = suite('families of subscriptions');
const folder = captureFolder();
const capture = `${folder.path}/mixed.pcap`;
test.before(() => {
  const mix = { ...DEFAULTS.mix, chat: 2 };
  writeCapture(capture, { ...DEFAULTS, seed: 7, connections: 200, mix, ipv6: 0.3, clients: 300, servers: 60 });
});
test.after(folder.remove);

/** Members overlap: eight ranges of ports of the originator's side, each with the next. */
const conditions = Array.from(
  { length: 16 },
  (_, i) => `tcp.src_port in ${i * 4096}..${Math.min(65535, i * 4096 + 6000)} and (tls or http)`,
);

async function program(which: readonly number[], head: string): Promise<SubscriptionModule> {
  const text = which.map((i) => `subscribe s${i}${head} when ${conditions[i]}\n`).join('');
  const compiled = compile(
    { path: '/families.iris', text },
    { files: memoryHost({}), templates: templates(), version: '0', parsers: ['tls', 'http'] },
  );
  assert.equal(compiled.diagnostics, []);
  assert.is(
    compiled.plan?.families.length,
    which.length >= 8 ? compiled.plan?.program.subscriptions[0]?.levels.length : 0,
  );
  return loadModule(compiled.text ?? '');
}

/** What every member was told, in order; a streaming member has enough of a connection after `most` calls. */
async function told(module: SubscriptionModule, most: number): Promise<Record<string, string[]>> {
  const calls: Record<string, string[]> = {};
  const handlers = Object.fromEntries(
    module.plan.subscriptions.map((name) => {
      const heard = new Map<string, number>();
      calls[name] = [];
      return [
        name,
        (ft: { readonly origPort: number; readonly respPort: number }, pdu?: { readonly ts: number }) => {
          const conn = `${ft.origPort} ${ft.respPort}`;
          const count = (heard.get(conn) ?? 0) + 1;
          heard.set(conn, count);
          calls[name]?.push(`${conn} ${pdu?.ts ?? ''}`);
          return count < most + (Number(name.slice(1)) % 3);
        },
      ];
    }),
  );
  const counted: SubscriptionModule = { plan: module.plan, create: (core) => module.create(core, handlers) };
  await runModule(counted, capture);
  return calls;
}

for (const [head, most] of [
  ['(ft: FiveTuple, pdu: L4Pdu) at InL4Conn', 3],
  ['(ft: FiveTuple, pdu: L4Pdu) at InL4Conn', 1],
  ['(ft: FiveTuple, pdu: L4Pdu) at InL4Stream', 2],
  ['(ft: FiveTuple) at L7OnDisc', 1],
  ['(ft: FiveTuple) at L7OnDisc, L4Terminated', 1],
] as const) {
  test(`say no more each for itself${head}, after ${most}`, async () => {
    const together = await told(await program([...conditions.keys()], head), most);
    let calls = 0;
    for (const i of conditions.keys()) {
      const alone = await told(await program([i], head), most);
      assert.equal(together[`s${i}`], alone[`s${i}`], conditions[i]);
      calls += alone[`s${i}`]?.length ?? 0;
    }
    assert.ok(calls > 50, `${calls} calls`);
  });
}

test('a connection of which no member wants more is let go of', async () => {
  const module = await program([...conditions.keys()], '(ft: FiveTuple, pdu: L4Pdu) at InL4Conn');
  const never = Object.fromEntries(module.plan.subscriptions.map((name) => [name, () => false]));
  let kept = 0;
  let asked = 0;
  await runModule({ plan: module.plan, create: (core) => module.create(core, never) }, capture, (sub) => ({
    ...sub,
    update(c, p) {
      const actions = sub.update?.(c, p) ?? 0;
      asked++;
      if (actions !== 0) kept++;
      return actions;
    },
  }));
  assert.ok(asked > 50, `${asked} connections`);
  assert.is(kept, 0);
  const deliveries = await runModule(module, capture);
  assert.ok(deliveries.length > asked, 'without handlers every packet is delivered');
});

test.run();
