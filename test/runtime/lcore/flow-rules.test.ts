/**
 * The hardware filter: flow rules as a device gets them, what becomes of those that it refuses, and that whatever it
 * refuses, nothing that the plan wants is ever dropped.
 */
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { describeDevice, planDevice, wantedOf, withTunnels } from '../../../runtime/lcore/flow-rules.ts';
import { installFilter } from '../../../runtime/lcore/hardware-filter.ts';
import { DECAP_ALL, DECAP_DEFAULTS, type DecapConfig } from '../../../runtime/packet/decap-config.ts';
import type { DeviceItem, DeviceRule } from '../../../runtime/source/dpdk.ts';
import type { FlowItem, FlowRule } from '../../../runtime/subscription/contract.ts';

const test = suite('flow rules');

type Field = FlowItem['fields'][number];
const rule = (...items: readonly [layer: FlowItem['layer'], ...fields: Field[]][]): FlowRule => ({
  items: items.map(([layer, ...fields]) => ({ layer, fields })),
});
const HTTPS = [rule(['tcp', { field: 'dst_port', value: '443' }]), rule(['tcp', { field: 'src_port', value: '443' }])];

/** Bytes that matter, as `offset:hex`. */
function bytesText(bytes: Uint8Array): string {
  const parts: string[] = [];
  let previous = -2;
  bytes.forEach((byte, i) => {
    if (byte === 0) return;
    const hex = byte.toString(16).padStart(2, '0');
    if (i === previous + 1) parts.push(`${parts.pop()}${hex}`);
    else parts.push(`${i}:${hex}`);
    previous = i;
  });
  return parts.join(' ');
}

function itemText({ type, spec, last, mask }: DeviceItem): string {
  if (spec === undefined || mask === undefined) return type;
  const upTo = last === undefined ? '' : ` last ${bytesText(last)}`;
  return `${type}(${`spec ${bytesText(spec)}`.trim()}${upTo} mask ${bytesText(mask)})`;
}

const ruleText = ({ priority, items, action, count }: DeviceRule): string =>
  `${priority} ${items.map(itemText).join(' / ')} -> ${count ? 'count, ' : ''}${action}`;

function planned(rules: readonly FlowRule[], refuses: (rule: DeviceRule) => string | undefined = () => undefined) {
  const wanted = wantedOf(rules);
  const plan = planDevice(wanted, 'net_x', refuses);
  return { texts: plan.rules.map(ruleText), sentence: describeDevice(plan, wanted) };
}

test('golden: ports of one protocol', () => {
  const { texts, sentence } = planned(HTTPS);
  assert.equal(texts, [
    '0 eth / ipv4 / tcp(spec 2:01bb mask 2:ffff) -> pass',
    '0 eth / ipv4 / tcp(spec 0:01bb mask 0:ffff) -> pass',
    '0 eth / ipv6 / tcp(spec 2:01bb mask 2:ffff) -> pass',
    '0 eth / ipv6 / tcp(spec 0:01bb mask 0:ffff) -> pass',
    '1 eth / ipv4(spec mask 6:3fff) / tcp -> count, drop',
    '0 eth / ipv4 / udp -> count, drop',
    '1 eth / ipv6(spec mask 40:04) / tcp -> count, drop',
    '0 eth / ipv6 / udp -> count, drop',
  ]);
  assert.is(sentence, 'hardware filter of 8 rules');
});

test('golden: prefixes, ranges, addresses of both families', () => {
  const rules = [
    rule(
      ['ipv4', { field: 'src_addr', value: '10.0.0.0', mask: '255.0.0.0' }],
      ['udp', { field: 'dst_port', value: '1024', last: '2047' }],
    ),
    rule(['ipv6', { field: 'dst_addr', value: '2001:db8::1' }]),
    rule(['ipv6', { field: 'dst_addr', value: 'fe80::', mask: 'ffc0::' }]),
  ];
  const six = (transport: string) => [
    `0 eth / ipv6(spec 24:20010db8 39:01 mask 24:${'ff'.repeat(16)}) / ${transport} -> pass`,
    `0 eth / ipv6(spec 24:fe80 mask 24:ffc0) / ${transport} -> pass`,
  ];
  assert.equal(planned(rules).texts, [
    '0 eth / ipv4(spec 12:0a mask 12:ff) / udp(spec 2:04 last 2:07ff mask 2:ffff) -> pass',
    ...six('tcp'),
    ...six('udp'),
    '0 eth / ipv4 / tcp -> count, drop',
    '1 eth / ipv4(spec mask 6:3fff) / udp -> count, drop',
    '1 eth / ipv6(spec mask 40:04) / tcp -> count, drop',
    '1 eth / ipv6(spec mask 40:04) / udp -> count, drop',
  ]);
});

test('presence alone: the other kinds are dropped, nothing has to pass by rule', () => {
  assert.equal(planned([rule(['tcp'])]).texts, [
    '0 eth / ipv4 / udp -> count, drop',
    '0 eth / ipv6 / udp -> count, drop',
  ]);
  assert.equal(planned([rule(['ipv4', { field: 'protocol', value: '17' }])]).texts, [
    '0 eth / ipv4 / tcp -> count, drop',
    '0 eth / ipv6 / tcp -> count, drop',
    '0 eth / ipv6 / udp -> count, drop',
  ]);
  assert.equal(planned([]).texts, []);
  assert.is(planned([]).sentence, 'no hardware filter: the program asks for packets of every kind');
  assert.equal(planned([rule(['ethernet', { field: 'vlan_id', value: '7' }])]).texts, []);
});

test('tunnels over UDP that are opened pass', () => {
  const dropped = (decap: DecapConfig) =>
    planned(withTunnels([rule(['ipv4'], ['tcp'])], decap)).texts.filter((text) => text.includes('ipv4'));
  assert.equal(dropped(DECAP_DEFAULTS), ['0 eth / ipv4 / udp -> count, drop']);
  assert.equal(dropped({ ...DECAP_DEFAULTS, geneve: true, teredo: true }), [
    '0 eth / ipv4 / udp(spec 2:17c1 mask 2:ffff) -> pass',
    '0 eth / ipv4 / udp(spec 2:0dd8 mask 2:ffff) -> pass',
    '0 eth / ipv4 / udp(spec 0:0dd8 mask 0:ffff) -> pass',
    '1 eth / ipv4(spec mask 6:3fff) / udp -> count, drop',
  ]);
  assert.equal(dropped({ ...DECAP_DEFAULTS, gre: true, ipip: true }), ['0 eth / ipv4 / udp -> count, drop']);
  assert.equal(withTunnels([], DECAP_ALL), []);
});

test('a device without ranges gets masks', () => {
  const ports = [rule(['ipv4'], ['tcp', { field: 'dst_port', value: '1000', last: '1007' }])];
  const noRanges = (r: DeviceRule) => (r.items.some(({ last }) => last !== undefined) ? 'no ranges' : undefined);
  const { texts, sentence } = planned(ports, noRanges);
  assert.equal(texts.slice(0, 1), ['0 eth / ipv4 / tcp(spec 2:03e8 mask 2:fff8) -> pass']);
  assert.is(sentence, 'hardware filter of 5 rules');
  const odd = planned([rule(['ipv4'], ['tcp', { field: 'dst_port', value: '1', last: '5' }])], noRanges).texts;
  assert.equal(odd.slice(0, 3), [
    '0 eth / ipv4 / tcp(spec 3:01 mask 2:ffff) -> pass',
    '0 eth / ipv4 / tcp(spec 3:02 mask 2:fffe) -> pass',
    '0 eth / ipv4 / tcp(spec 3:04 mask 2:fffe) -> pass',
  ]);
});

test('what is refused is widened, and said in one sentence', () => {
  const rules = [
    rule(['ipv4', { field: 'src_addr', value: '10.0.0.1' }], ['tcp', { field: 'dst_port', value: '443' }]),
    rule(['ipv4'], ['udp', { field: 'dst_port', value: '53' }]),
  ];
  const hasPorts = ({ items }: DeviceRule) => items.some(({ type, mask }) => type === 'tcp' && mask !== undefined);
  const noPorts = planned(rules, (r) => (hasPorts(r) ? 'no TCP ports' : undefined));
  assert.equal(noPorts.texts.slice(0, 2), [
    `0 eth / ipv4(spec 12:0a 15:01 mask 12:ffffffff) / tcp -> pass`,
    '0 eth / ipv4 / udp(spec 3:35 mask 2:ffff) -> pass',
  ]);
  assert.is(
    noPorts.sentence,
    'hardware filter of 6 rules; it lets more TCP over IPv4 in, as the device refuses the rest (no TCP ports), ' +
      'which is filtered in software',
  );
  const noPriorities = planned(rules, (r) => (r.priority > 0 ? 'no priorities' : undefined));
  assert.equal(noPriorities.texts, ['0 eth / ipv6 / tcp -> count, drop', '0 eth / ipv6 / udp -> count, drop']);
  assert.match(
    noPriorities.sentence,
    /^hardware filter of 2 rules; it lets all TCP over IPv4, all UDP over IPv4 in, as /,
  );
  const nothing = planned(rules, () => 'it has no flow rules');
  assert.equal(nothing.texts, []);
  assert.is(
    nothing.sentence,
    'no hardware filter: the device refuses it (it has no flow rules); packets are filtered in software',
  );
});

test('no counters: dropped without', () => {
  const { texts } = planned([rule(['tcp'])], (r) => (r.count ? 'no counters' : undefined));
  assert.equal(texts, ['0 eth / ipv4 / udp -> drop', '0 eth / ipv6 / udp -> drop']);
});

test('fragments: only devices that know them take a plain rule', () => {
  const refuses = ({ items }: DeviceRule) =>
    items.some(({ mask, spec }) => mask !== undefined && spec?.every((byte) => byte === 0))
      ? 'no fragments'
      : undefined;
  const wanted = wantedOf(HTTPS);
  const kinds = (driver: string) =>
    planDevice(wanted, driver, refuses)
      .rules.filter(({ action }) => action === 'drop')
      .map(ruleText);
  assert.equal(kinds('net_x'), ['0 eth / ipv4 / udp -> count, drop', '0 eth / ipv6 / udp -> count, drop']);
  assert.equal(kinds('net_ice'), [
    '1 eth / ipv4 / tcp -> count, drop',
    '0 eth / ipv4 / udp -> count, drop',
    '1 eth / ipv6 / tcp -> count, drop',
    '0 eth / ipv6 / udp -> count, drop',
  ]);
});

test('all or none is installed', () => {
  const done: string[] = [];
  const addon = {
    flowRule: (_port: number, r: DeviceRule, _queues: readonly number[], install: boolean) => {
      if (!install) return undefined;
      done.push(r.action);
      return done.length === 3 ? 'table full' : undefined;
    },
    flowFlush: () => void done.push('flush'),
  };
  const filter = installFilter(addon, { port: 0, driver: 'net_x' }, [0], HTTPS);
  assert.equal(done, ['pass', 'pass', 'pass', 'flush']);
  assert.is(filter.rules, 0);
  assert.match(filter.sentence, /^no hardware filter: a rule could not be installed \(table full\)/);
});

/** A packet as a device sees it. A later fragment has a protocol, and bytes that are not its ports. */
interface Packet {
  readonly network: 'ipv4' | 'ipv6';
  readonly transport: 'tcp' | 'udp';
  readonly addresses: readonly [number, number];
  readonly ports: readonly [number, number];
  readonly fragment: boolean;
}

/** Few values, so that rules and packets meet; the rest of an address is zero. */
const small = fc.integer({ min: 0, max: 15 });
const packets: fc.Arbitrary<Packet> = fc.record({
  network: fc.constantFrom('ipv4', 'ipv6'),
  transport: fc.constantFrom('tcp', 'udp'),
  addresses: fc.tuple(small, small),
  ports: fc.tuple(small, small),
  fragment: fc.boolean(),
});

const portField: fc.Arbitrary<Field> = fc
  .tuple(fc.constantFrom('src_port', 'dst_port'), small, small)
  .map(([field, a, b]) =>
    a === b ? { field, value: `${a}` } : { field, value: `${Math.min(a, b)}`, last: `${Math.max(a, b)}` },
  );
const addressField = (v6: boolean): fc.Arbitrary<Field> =>
  fc.tuple(fc.constantFrom('src_addr', 'dst_addr'), small, fc.integer({ min: 0, max: 4 })).map(([field, n, bits]) => {
    const low = (n >> bits) << bits;
    if (v6)
      return {
        field,
        value: `::${low.toString(16)}`,
        mask: `${'ffff:'.repeat(7)}${(0x10000 - (1 << bits)).toString(16)}`,
      };
    return { field, value: `0.0.0.${low}`, mask: `255.255.255.${256 - (1 << bits)}` };
  });
const oneField = (field: fc.Arbitrary<Field>) =>
  fc.array(field, { maxLength: 2 }).map((all) => {
    // A rule names a field once.
    return all.filter((one, i) => all.findIndex((other) => other.field === one.field) === i);
  });
const networkItem = fc
  .constantFrom(false, true)
  .chain((v6) => oneField(addressField(v6)).map((fields): FlowItem => ({ layer: v6 ? 'ipv6' : 'ipv4', fields })));
const transportItem = fc
  .tuple(fc.constantFrom('tcp' as const, 'udp' as const), oneField(portField))
  .map(([layer, fields]): FlowItem => ({ layer, fields }));
const flowRule: fc.Arbitrary<FlowRule> = fc
  .tuple(fc.option(networkItem, { nil: undefined }), fc.option(transportItem, { nil: undefined }))
  .map((items) => ({ items: items.filter((item) => item !== undefined) }))
  .filter(({ items }) => items.length > 0);

/** What a rule says of a packet, read straight from its text. */
function wants({ items }: FlowRule, packet: Packet): boolean {
  return items.every(({ layer, fields }) => {
    if (layer !== packet.network && layer !== packet.transport) return false;
    return fields.every(({ field, value, mask, last }) => {
      const [kind = '', what = ''] = [field.slice(0, 3), field.slice(4)];
      const pair = what === 'port' ? packet.ports : packet.addresses;
      const own = pair[kind === 'src' ? 0 : 1] ?? 0;
      const lowest = (text: string) => Number.parseInt(/[^.:]*$/.exec(text)?.[0] || '0', layer === 'ipv6' ? 16 : 10);
      if (mask !== undefined) return (own & lowest(mask)) === lowest(value);
      return own >= lowest(value) && own <= lowest(last ?? value);
    });
  });
}

/** Whether one header of a device rule matches: numbers of each field under the mask, ranges included. */
function matches({ type, spec, last, mask }: DeviceItem, packet: Packet): boolean {
  if (type === 'eth') return true;
  if (type !== packet.network && type !== packet.transport) return false;
  if (spec === undefined || mask === undefined) return true;
  const view = (bytes: Uint8Array, offset: number) => ((bytes[offset] ?? 0) << 8) | (bytes[offset + 1] ?? 0);
  if (type === 'ipv4' && view(mask, 6) !== 0 && packet.fragment) return false;
  if (type === 'ipv6' && mask[40] !== 0 && packet.fragment) return false;
  const places = type === 'ipv4' ? [14, 18] : type === 'ipv6' ? [22, 38] : [0, 2];
  const pair = type === 'tcp' || type === 'udp' ? (packet.fragment ? [0, 0] : packet.ports) : packet.addresses;
  return places.every((offset, i) => {
    const under = view(mask, offset);
    const own = (pair[i] ?? 0) & under;
    return own >= view(spec, offset) && own <= (view(last ?? spec, offset) & under);
  });
}

test('whatever a device refuses, nothing wanted is dropped; a device that takes all drops the rest', () => {
  const seed = Number(process.env.IRIS_SEED ?? Date.now() % 2 ** 31);
  const run = fc.record({
    rules: fc.array(flowRule, { minLength: 1, maxLength: 4 }),
    traffic: fc.array(packets, { minLength: 20, maxLength: 60 }),
    /** Shapes of rules that the device refuses. */
    refused: fc.array(fc.constantFrom('last', 'ports', 'addresses', 'count', 'priority', 'whole', 'ipv6', 'udp'), {
      maxLength: 4,
    }),
  });
  fc.assert(
    fc.property(run, ({ rules, traffic, refused }) => {
      const shape = (r: DeviceRule): string[] => {
        const shapes = r.items.flatMap(({ type, spec, last, mask }) => {
          const fields = mask === undefined ? [] : [type === 'tcp' || type === 'udp' ? 'ports' : 'addresses'];
          const whole =
            mask !== undefined && spec?.every((b) => b === 0) && (mask[6] !== 0 || mask[40] !== 0) ? ['whole'] : [];
          return [type, ...(last === undefined ? [] : ['last']), ...(whole.length > 0 ? whole : fields)];
        });
        return [...shapes, ...(r.count ? ['count'] : []), ...(r.priority > 0 ? ['priority'] : [])];
      };
      const refuses = (r: DeviceRule) => refused.find((what) => shape(r).includes(what));
      const { rules: installed } = planDevice(wantedOf(rules), 'net_x', refuses);
      for (const r of installed) assert.is(refuses(r), undefined);
      for (const packet of traffic) {
        const hit = installed
          .filter((r) => r.items.every((item) => matches(item, packet)))
          .sort((a, b) => a.priority - b.priority)[0];
        const dropped = hit?.action === 'drop';
        const asked = rules.some((r) => wants(r, packet));
        if (asked) assert.not(dropped, `${JSON.stringify({ rules, packet })} dropped by ${hit && ruleText(hit)}`);
        // A later fragment may belong to any port.
        const possible = rules.some((r) =>
          wants(
            { items: r.items.map((i) => (i.layer === 'tcp' || i.layer === 'udp' ? { ...i, fields: [] } : i)) },
            packet,
          ),
        );
        if (packet.fragment && possible) assert.not(dropped, 'a fragment of a wanted kind');
        if (refused.length === 0 && !asked && !packet.fragment) {
          const portless = rules.some((r) => r.items.every(({ fields }) => fields.length === 0) && wants(r, packet));
          assert.ok(dropped || portless, `${JSON.stringify({ rules, packet })} passes`);
        }
      }
    }),
    { seed, numRuns: 300 },
  );
});
test.run();
