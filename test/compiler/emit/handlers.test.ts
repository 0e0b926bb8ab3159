/** Handlers of a generated module: what they are handed, how they unsubscribe, what their exceptions do. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { PROTOCOLS } from '../../../compiler/catalog/catalog.ts';
import { emitModule } from '../../../compiler/emit/module.ts';
import type { TypedSubscription } from '../../../compiler/language/typed.ts';
import { planProgram } from '../../../compiler/plan/plan.ts';
import type { Core } from '../../../runtime/subscription/contract.ts';
import { loadModule } from '../support/load-module.ts';
import { everything, matches, program, proto, subscribe, TLS_HANDSHAKE } from '../support/program.ts';
import { runConnection, type StubConnection, stubCore } from '../support/stub-tracker.ts';
import { templates } from '../support/templates.ts';

const CONNECTION: StubConnection = {
  ends: { proto: 6, v6: false, orig: [1], resp: [2], origPort: 1000, respPort: 443 },
  packets: Array.from({ length: 5 }, () => ({ dir: 0, flags: 16, ttl: 64 })),
  handshakeAt: undefined,
  discoveredAt: 1,
  protocol: 1,
  sessions: [{ at: 2, session: { proto: 1, sni: 'www.example.org' } as never }],
  tellsNone: false,
};

type Handler = (...args: readonly unknown[]) => unknown;

/** Runs one connection; returns what `core.userError` and `core.emit` were told. */
async function run(
  subscriptions: readonly TypedSubscription[],
  handlers: Readonly<Record<string, Handler>>,
): Promise<readonly string[]> {
  const { plan } = planProgram(program(...subscriptions), PROTOCOLS, ['tls']);
  if (plan === undefined) throw new Error('not planned');
  const compileColumns = (): never => {
    throw new TypeError('no columns here');
  };
  const { text } = emitModule(plan, { templates: templates(), version: '0', sourceName: 'x.iris', compileColumns });
  const module = await loadModule(text);
  const told: string[] = [];
  const core: Core = {
    ...stubCore(module.plan.recordWords, (name) => told.push(name)),
    userError: (name, c, error) => told.push(`${name} ${c}: ${error instanceof Error ? error.message : String(error)}`),
  };
  runConnection(core, module.create(core, handlers), module.plan, CONNECTION, () => {});
  return told;
}

const handlers = suite('handlers of a generated module');

handlers('that stream are called until they say false', async () => {
  let calls = 0;
  await run([subscribe('each', {}, ['InL4Conn'], proto('tcp'))], { each: () => ++calls < 3 });
  assert.is(calls, 3);
});

handlers('that stream begin when the condition holds, and get the session', async () => {
  const seen: unknown[] = [];
  const each = subscribe('each', { tls: TLS_HANDSHAKE }, ['InL4Stream'], matches('tls.sni', 'example'));
  await run([each], { each: (tls) => void seen.push(Reflect.get(tls as object, 'sni')) });
  assert.equal(seen, ['www.example.org', 'www.example.org']);
});

handlers('at the end of a connection get the session that satisfied them', async () => {
  const seen: unknown[] = [];
  const last = subscribe('last', { tls: TLS_HANDSHAKE }, ['L4Terminated'], everything);
  await run([last], { last: (tls) => void seen.push(Reflect.get(tls as object, 'sni')) });
  assert.equal(seen, ['www.example.org']);
});

handlers('that throw are reported and unsubscribed, others go on', async () => {
  const told = await run(
    [subscribe('bad', {}, ['InL4Conn'], proto('tcp')), subscribe('good', {}, ['InL4Conn'], proto('tcp'))],
    {
      bad: () => {
        throw new Error('mine');
      },
    },
  );
  assert.equal(told, ['bad 16: mine', 'good', 'good', 'good', 'good', 'good']);
});

handlers('keep their this', async () => {
  const own = {
    count: 0,
    each(): void {
      this.count++;
    },
  };
  await run([subscribe('each', {}, ['L4FirstPacket'], proto('tcp'))], own as never);
  assert.is(own.count, 1);
});

handlers.run();
