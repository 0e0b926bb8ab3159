/** The pool of scripts that connections are drawn from: for each kind, format and ending a number of variants. */
import { dnsMessages, type Facts, httpMessages, plainData } from './apps.ts';
import type { App, TrafficOptions } from './options.ts';
import { APPS } from './options.ts';
import type { Random } from './random.ts';
import { type Ending, type Message, type Script, SYN_SCRIPT, tcpScript, udpScript } from './script.ts';
import { createTemplateBuilder, mssOf, type Templates } from './template.ts';
import { tlsMessages } from './tls.ts';
import { SERVER_NAMES } from './words.ts';

export interface Pool {
  readonly templates: Templates;
  /** Draws the script of a new connection. */
  draw(random: Random): number;
}

const PORTS: Readonly<Record<App, number>> = {
  tls12: 443,
  tls13: 443,
  http: 80,
  dns: 53,
  data: 5201,
  stream: 8000,
  chat: 5222,
  datagrams: 4500,
  syn: 445,
};

const ENDINGS: readonly Ending[] = ['fin', 'rst', 'open'];

export function createPool(random: Random, options: TrafficOptions): Pool {
  const builder = createTemplateBuilder();
  const weights = APPS.map((app) => options.mix[app] ?? 0);
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  if (total <= 0) throw new RangeError('mix: no kind of connection has a weight above 0');

  // variants[app][ipv6][vlan][ending]: numbers of scripts; empty where the options never ask for them.
  const variants = APPS.map((app, i) =>
    [false, true].map((ipv6) =>
      [false, true].map((vlan) =>
        ENDINGS.map((ending): number[] => {
          const wanted =
            (weights[i] ?? 0) > 0 &&
            (ipv6 ? options.ipv6 > 0 : options.ipv6 < 1) &&
            (vlan ? options.vlan > 0 : options.vlan < 1) &&
            (ending === 'fin' || (ending === 'rst' ? options.rst > 0 : options.halfOpen > 0));
          if (!wanted) return [];
          // The rarer endings need fewer variants.
          const count = ending === 'fin' ? options.variety : Math.ceil(options.variety / 4);
          return Array.from({ length: count }, () => {
            const { script, facts } = makeScript(random, app, ipv6, ending, options.tlsBulk);
            return builder.add(script, { ipv6, vlan, snaplen: options.snaplen }, PORTS[app], facts);
          });
        }),
      ),
    ),
  );

  function draw(connection: Random): number {
    let at = connection.below(1 << 24) * (total / (1 << 24));
    let app = 0;
    while (app < weights.length - 1 && at >= (weights[app] ?? 0)) {
      at -= weights[app] ?? 0;
      app++;
    }
    const ipv6 = connection.chance(options.ipv6) ? 1 : 0;
    const vlan = connection.chance(options.vlan) ? 1 : 0;
    const ending = connection.chance(options.halfOpen) ? 2 : connection.chance(options.rst) ? 1 : 0;
    return connection.pick(variants[app]?.[ipv6]?.[vlan]?.[ending] ?? []);
  }

  return { templates: builder.finish(), draw };
}

function makeScript(
  random: Random,
  app: App,
  ipv6: boolean,
  ending: Ending,
  tlsBulk: boolean,
): { script: Script; facts: Facts } {
  const name = random.pick(SERVER_NAMES);
  const closer = random.chance(0.7) ? 0 : 1;
  const tcp = (messages: readonly Message[], loop: readonly Message[] = []): Script =>
    tcpScript({ messages, loop, mss: mssOf(ipv6), ending, closer });

  switch (app) {
    case 'tls12':
    case 'tls13': {
      const sizes = { request: 80 + random.below(400), response: 200 + random.below(4000) };
      const { messages, facts } = tlsMessages(random, { sni: name, tls13: app === 'tls13', ...sizes });
      if (!tlsBulk) return { script: tcp(messages), facts };
      const bulk = random.fill(new Uint8Array(5 + 16401));
      bulk.set([23, 3, 3, 16401 >>> 8, 16401 & 0xff]);
      return { script: tcp(messages, [{ dir: 1, bytes: bulk }]), facts };
    }
    case 'http': {
      const { messages, facts } = httpMessages(random, name);
      return { script: tcp(messages), facts };
    }
    case 'dns': {
      const { messages, facts } = dnsMessages(random, name);
      return { script: udpScript(messages), facts };
    }
    case 'data': {
      const messages = Array.from({ length: 1 + random.below(4) }, (_, i): Message => {
        return { dir: i & 1 ? 1 : 0, bytes: plainData(random, 1 + random.below(4000)) };
      });
      return { script: tcp(messages), facts: { app: 'data' } };
    }
    case 'stream': {
      const request: Message = { dir: 0, bytes: plainData(random, 64) };
      const piece: Message = { dir: 1, bytes: plainData(random, 2 * mssOf(ipv6)) };
      return { script: tcp([request], [piece]), facts: { app: 'data' } };
    }
    case 'chat': {
      const say = (dir: 0 | 1): Message => ({ dir, bytes: plainData(random, 8 + random.below(40)) });
      return { script: tcp([say(0), say(1)], [say(0), say(1)]), facts: { app: 'data' } };
    }
    case 'datagrams': {
      const say = (dir: 0 | 1): Message => ({ dir, bytes: plainData(random, 16 + random.below(40)) });
      return { script: udpScript([say(0), say(1)], [say(0), say(0), say(1)]), facts: { app: 'data' } };
    }
    case 'syn':
      return { script: SYN_SCRIPT, facts: { app: 'syn' } };
  }
}
