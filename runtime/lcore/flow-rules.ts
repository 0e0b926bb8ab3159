/**
 * The hardware filter: what a plan tells the port (its flow rules) as rules that a device can install, and the search for
 * those that a given device takes.
 *
 * Only TCP and UDP packets that nobody asked for are ever dropped in hardware. For each of the four kinds (TCP or UDP over
 * IPv4 or IPv6) there are rules that let packets pass, and behind them one rule that drops the rest of the kind. So a
 * frame that the device cannot read down to its ports (VLAN tags, tunnels, extension headers, other protocols) passes,
 * and so do fragments, which have no ports. What a device refuses is made wider until it takes it, at last to "all of
 * this kind pass"; the software filter does the rest.
 */
import { type DecapConfig, tunnelPorts } from '../packet/decap-config.ts';
import type { DeviceItem, DeviceRule, FlowHeader } from '../source/dpdk.ts';
import type { FlowItem, FlowRule } from '../subscription/contract.ts';

/**
 * The rules of a plan, and those that let in the tunnels over UDP which are opened: what is inside them is filtered when
 * it is out. (Tunnels over IP itself are neither TCP nor UDP and always pass.)
 */
export function withTunnels(rules: readonly FlowRule[], decap: DecapConfig): readonly FlowRule[] {
  if (rules.length === 0) return rules;
  const ports = tunnelPorts(decap);
  const to = (field: string, port: number): FlowRule => ({
    items: [{ layer: 'udp', fields: [{ field, value: String(port) }] }],
  });
  return [
    ...rules,
    ...ports.map(({ port }) => to('dst_port', port)),
    ...ports.filter(({ from }) => from).map(({ port }) => to('src_port', port)),
  ];
}

/** Bytes of each header as DPDK's items have them. The IPv6 item has flags behind the header. */
const HEADER_BYTES: Readonly<Record<FlowHeader, number>> = { eth: 20, ipv4: 20, ipv6: 44, tcp: 20, udp: 8 };
/** Byte and bit of an IPv6 item that says "has a fragment header". */
const FRAGMENT_FLAG = { offset: 40, bit: 4 };

/** Where fields lie in their headers; those that are not here are left out, which lets more in. */
const PLACES: Readonly<Record<string, { readonly offset: number; readonly size: number }>> = {
  'ipv4.src_addr': { offset: 12, size: 4 },
  'ipv4.dst_addr': { offset: 16, size: 4 },
  'ipv6.src_addr': { offset: 8, size: 16 },
  'ipv6.dst_addr': { offset: 24, size: 16 },
  'tcp.src_port': { offset: 0, size: 2 },
  'tcp.dst_port': { offset: 2, size: 2 },
  'udp.src_port': { offset: 0, size: 2 },
  'udp.dst_port': { offset: 2, size: 2 },
};

export interface Kind {
  readonly network: 'ipv4' | 'ipv6';
  readonly transport: 'tcp' | 'udp';
}

export const KINDS: readonly Kind[] = [
  { network: 'ipv4', transport: 'tcp' },
  { network: 'ipv4', transport: 'udp' },
  { network: 'ipv6', transport: 'tcp' },
  { network: 'ipv6', transport: 'udp' },
];

/** One field's values: those from `low` to `high` under `mask`. */
interface Match {
  readonly header: FlowHeader;
  readonly offset: number;
  readonly size: number;
  readonly low: bigint;
  readonly high: bigint;
  readonly mask: bigint;
}

/** What must hold for a packet of a kind to pass; empty: nothing. */
type Condition = readonly Match[];

/** What a plan wants of one kind. */
export interface Wanted {
  readonly kind: Kind;
  /** Any one of them; `all`: no condition at all, empty: nothing of this kind. */
  readonly conditions: readonly Condition[] | 'all';
}

/** The flow rules of a plan, kind by kind. No rules at all want everything. */
export function wantedOf(rules: readonly FlowRule[]): readonly Wanted[] {
  return KINDS.map((kind) => {
    if (rules.length === 0) return { kind, conditions: 'all' as const };
    const conditions = rules.filter((rule) => concerns(rule, kind)).map(conditionOf);
    return { kind, conditions: conditions.some((condition) => condition.length === 0) ? ('all' as const) : conditions };
  });
}

/** Whether packets of the kind can match a rule. */
function concerns({ items }: FlowRule, { network, transport }: Kind): boolean {
  return items.every(({ layer, fields }) => {
    if (layer === 'ethernet') return true;
    if (layer !== network && layer !== transport) return false;
    const number = transport === 'tcp' ? '6' : '17';
    const wrong = ({ field, value, last }: FlowItem['fields'][number]) =>
      field === 'protocol' && last === undefined && value !== number;
    return layer !== 'ipv4' || !fields.some(wrong);
  });
}

function conditionOf({ items }: FlowRule): Condition {
  return items.flatMap(({ layer, fields }) =>
    fields.flatMap(({ field, value, mask, last }): Match[] => {
      const place = PLACES[`${layer}.${field}`];
      if (place === undefined || layer === 'ethernet') return [];
      const all = (1n << BigInt(place.size * 8)) - 1n;
      const low = numberOf(value);
      return [
        {
          header: layer,
          ...place,
          low,
          high: last === undefined ? low : numberOf(last),
          mask: mask === undefined ? all : numberOf(mask),
        },
      ];
    }),
  );
}

/** An address or a number as a number. */
function numberOf(text: string): bigint {
  if (text.includes(':')) {
    const [head = '', tail] = text.split('::');
    const groups = (part: string) => (part === '' ? [] : part.split(':'));
    const left = groups(head);
    const right = tail === undefined ? [] : groups(tail);
    const zeros = Array.from({ length: 8 - left.length - right.length }, () => '0');
    return [...left, ...zeros, ...right].reduce((all, group) => (all << 16n) | BigInt(`0x${group}`), 0n);
  }
  if (text.includes('.')) return text.split('.').reduce((all, byte) => (all << 8n) | BigInt(byte), 0n);
  return BigInt(text);
}

/** A range of ports splits into at most so many masks. */
const MAX_MASKS = 32;

/** Conditions of which any one must hold, in place of another condition. */
interface Form {
  readonly conditions: readonly Condition[];
  /** They let in more than the other did. */
  readonly wider: boolean;
}

/** A condition in ever wider forms; none of them is without any condition. */
function formsOf(condition: Condition): readonly Form[] {
  const without = (...headers: FlowHeader[]) => condition.filter((match) => !headers.includes(match.header));
  const fewer = [without('tcp', 'udp'), without('ipv4', 'ipv6')].filter(
    ({ length }) => length > 0 && length < condition.length,
  );
  return [condition, ...fewer].flatMap((form) => {
    const wider = form !== condition;
    const masks = asMasks(form);
    const said: Form[] = [{ conditions: [form], wider }];
    return masks === undefined ? said : [...said, { conditions: masks, wider }];
  });
}

/** The same without ranges: values and masks only. Undefined when there are no ranges, or it would be too many. */
function asMasks(condition: Condition): readonly Condition[] | undefined {
  if (condition.every(({ low, high }) => low === high)) return undefined;
  let all: Condition[] = [[]];
  for (const match of condition) {
    const blocks = match.low === match.high ? [match] : blocksOf(match);
    all = all.flatMap((done) => blocks.map((block) => [...done, block]));
    if (all.length > MAX_MASKS) return undefined;
  }
  return all;
}

function blocksOf(match: Match): Match[] {
  const blocks: Match[] = [];
  const full = (1n << BigInt(match.size * 8)) - 1n;
  for (let at = match.low; at <= match.high; ) {
    let size = 1n;
    while (at % (size * 2n) === 0n && at + size * 2n - 1n <= match.high) size *= 2n;
    blocks.push({ ...match, low: at, high: at, mask: full ^ (size - 1n) });
    at += size;
  }
  return blocks;
}

function write(bytes: Uint8Array, { offset, size }: Match, value: bigint): void {
  for (let i = 0; i < size; i++) bytes[offset + i] |= Number((value >> BigInt(8 * (size - 1 - i))) & 0xffn);
}

function item(type: FlowHeader, condition: Condition): DeviceItem {
  const mine = condition.filter((match) => match.header === type);
  if (mine.length === 0) return { type };
  const spec = new Uint8Array(HEADER_BYTES[type]);
  const mask = new Uint8Array(HEADER_BYTES[type]);
  const last = mine.some(({ low, high }) => low !== high) ? new Uint8Array(HEADER_BYTES[type]) : undefined;
  for (const match of mine) {
    write(spec, match, match.low);
    write(mask, match, match.mask);
    if (last !== undefined) write(last, match, match.high);
  }
  return { type, spec, mask, ...(last === undefined ? {} : { last }) };
}

function passRule({ network, transport }: Kind, condition: Condition): DeviceRule {
  const items = [{ type: 'eth' } as const, item(network, condition), item(transport, condition)];
  return { priority: 0, items, action: 'pass', count: false };
}

/** Drivers whose devices never take a fragment for a TCP or UDP packet. */
const KNOWS_FRAGMENTS = ['net_i40e', 'net_iavf', 'net_ice'];

/** Rules that drop a kind, the best first: those that count, and those that leave fragments alone by themselves. */
function dropRules({ network, transport }: Kind, passes: boolean, driver: string): readonly DeviceRule[] {
  const whole = unfragmented(network);
  // Where some packets of the kind pass, its fragments must: they have no ports to be told apart by.
  const plain: DeviceItem = { type: network };
  const networks = !passes ? [plain] : KNOWS_FRAGMENTS.includes(driver) ? [whole, plain] : [whole];
  return networks.flatMap((header) =>
    [true, false].map(
      (count): DeviceRule => ({
        priority: passes ? 1 : 0,
        items: [{ type: 'eth' }, header, { type: transport }],
        action: 'drop',
        count,
      }),
    ),
  );
}

function unfragmented(network: Kind['network']): DeviceItem {
  const spec = new Uint8Array(HEADER_BYTES[network]);
  const mask = new Uint8Array(HEADER_BYTES[network]);
  if (network === 'ipv6') mask[FRAGMENT_FLAG.offset] = FRAGMENT_FLAG.bit;
  else mask.set([0x3f, 0xff], 6);
  return { type: network, spec, mask };
}

/** What a device is to install, in order, and what it would not take. */
export interface DevicePlan {
  readonly rules: readonly DeviceRule[];
  /** Kinds of which more passes than was asked for, with the device's reason. */
  readonly widened: readonly { readonly kind: Kind; readonly all: boolean; readonly reason: string }[];
}

/**
 * Finds rules that the device takes. `refuses` asks it: undefined for a rule that it would install, else its reason.
 */
export function planDevice(wanted: readonly Wanted[], driver: string, refuses: Refuses): DevicePlan {
  const rules: DeviceRule[] = [];
  const widened: { kind: Kind; all: boolean; reason: string }[] = [];
  for (const { kind, conditions } of wanted) {
    if (conditions === 'all') continue;
    const passes = passRules(kind, conditions, refuses);
    const drop = passes.rules === undefined ? passes : dropRule(kind, conditions.length > 0, driver, refuses);
    if (passes.rules === undefined || drop.rule === undefined) {
      widened.push({ kind, all: true, reason: drop.reason ?? 'refused' });
      continue;
    }
    if (passes.reason !== undefined) widened.push({ kind, all: false, reason: passes.reason });
    rules.push(...passes.rules, drop.rule);
  }
  // Nothing is dropped before everything that passes is in place.
  const ordered = [...rules.filter(({ action }) => action === 'pass'), ...rules.filter((r) => r.action === 'drop')];
  return { rules: ordered, widened };
}

type Refuses = (rule: DeviceRule) => string | undefined;

/** Rules for the conditions, and the reason if they let in more; no rules if one of them cannot be said at all. */
function passRules(
  kind: Kind,
  conditions: readonly Condition[],
  refuses: Refuses,
): { readonly rules?: readonly DeviceRule[]; readonly rule?: undefined; readonly reason?: string } {
  const rules = new Map<string, DeviceRule>();
  let reason: string | undefined;
  for (const condition of conditions) {
    let refusal: string | undefined;
    const form = formsOf(condition).find((candidate) => {
      const refused = firstRefusal(candidate.conditions, kind, refuses);
      refusal ??= refused;
      return refused === undefined;
    });
    if (form === undefined) return refusal === undefined ? {} : { reason: refusal };
    if (form.wider) reason ??= refusal;
    for (const one of form.conditions) {
      const rule = passRule(kind, one);
      rules.set(JSON.stringify(rule), rule);
    }
  }
  return { rules: [...rules.values()], ...(reason === undefined ? {} : { reason }) };
}

function firstRefusal(conditions: readonly Condition[], kind: Kind, refuses: Refuses): string | undefined {
  for (const condition of conditions) {
    const reason = refuses(passRule(kind, condition));
    if (reason !== undefined) return reason;
  }
  return undefined;
}

function dropRule(
  kind: Kind,
  passes: boolean,
  driver: string,
  refuses: Refuses,
): { readonly rule?: DeviceRule; readonly reason?: string } {
  let first: string | undefined;
  for (const rule of dropRules(kind, passes, driver)) {
    const reason = refuses(rule);
    if (reason === undefined) return { rule };
    first ??= reason;
  }
  return { reason: first ?? 'refused' };
}

const words = ({ network, transport }: Kind): string =>
  `${transport.toUpperCase()} over ${network === 'ipv4' ? 'IPv4' : 'IPv6'}`;

/** What a device's hardware filter does, in one sentence. */
export function describeDevice({ rules, widened }: DevicePlan, wanted: readonly Wanted[]): string {
  if (wanted.every(({ conditions }) => conditions === 'all')) {
    return 'no hardware filter: the program asks for packets of every kind';
  }
  const list = widened.map(({ kind, all }) => `${all ? 'all' : 'more'} ${words(kind)}`).join(', ');
  const reason = widened[0]?.reason ?? '';
  if (rules.length === 0)
    return `no hardware filter: the device refuses it (${reason}); packets are filtered in software`;
  const installed = `hardware filter of ${rules.length} rule${rules.length === 1 ? '' : 's'}`;
  if (widened.length === 0) return installed;
  return `${installed}; it lets ${list} in, as the device refuses the rest (${reason}), which is filtered in software`;
}
