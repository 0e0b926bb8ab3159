/** What a generated module uses: whatever is asked for here appears at its top, and nothing else. */
import { Action, ConnMeta } from '../../runtime/conntrack/layout.ts';
import { LinkType, Meta } from '../../runtime/packet/layout.ts';
import { TOUCH_RARE } from '../analysis/pdu-members.ts';
import { commentText, Names, wrapList } from './text.ts';

export const RUNTIME = 'iris-ts/runtime';

/** Numbers that generated code names: bits of the layouts' words. */
const NUMBERS = {
  META_IPV6: Meta.IPV6,
  META_IP: Meta.IP,
  META_L4: Meta.L4,
  META_VLAN: Meta.VLAN,
  LINK_ETHERNET: LinkType.ETHERNET,
  CONN_IPV6: ConnMeta.IPV6,
  CONN_L7_KNOWN: ConnMeta.L7_KNOWN,
  CONN_RARE: ConnMeta.RARE,
  UPDATE: Action.UPDATE,
  STREAM: Action.STREAM,
  PARSE: Action.PARSE,
  TRACK: Action.TRACK,
  HANDSHAKE: Action.HANDSHAKE,
} as const;
export type NumberName = keyof typeof NUMBERS;

const HEX: ReadonlySet<string> = new Set([
  'META_IPV6',
  'META_IP',
  'META_L4',
  'META_VLAN',
  'CONN_IPV6',
  'CONN_L7_KNOWN',
  'CONN_RARE',
]);

/** Members of the core that generated code takes out of it, in the order in which they are written. */
const CORE_MEMBERS = ['recF', 'rare', 'addr6', 'pdu', 'fiveTuple'] as const;
export type CoreMember = (typeof CORE_MEMBERS)[number];

/** Columns of packet rows and of records that generated code reads, in the order in which they are written. */
const COLUMNS = {
  row: [
    'pktOffset',
    'pktWirelen',
    'pktLink',
    'pktL3',
    'pktL4',
    'pktPaylen',
    'pktIplen',
    'pktSrc',
    'pktDst',
    'pktPorts',
    'pktMeta',
    'pktCappay',
    'pktSeq',
    'pktAck',
    'pktEthertype',
    'pktTs',
    'pktDir',
    'pktGap',
  ],
  record: ['recSrc', 'recDst', 'recPorts', 'recMeta', 'recActions', 'recLast', 'recLive'],
} as const;
export type ColumnName = (typeof COLUMNS)['row' | 'record'][number];

export interface ImportView {
  readonly module: string;
  /** `a`, `type B`, `c as d`. */
  readonly names: readonly string[];
}

/** A function or constant that several places of the module use. */
export interface HelperView {
  readonly comment: string;
  readonly lines: readonly string[];
}

/** Types of the contract between a module and the runtime: they keep their names whatever users call theirs. */
const CONTRACT: readonly string[] = ['Actions', 'Core', 'EndReason', 'Plan', 'Session', 'Subscription'];

export class Scope {
  readonly names: Names;
  readonly #imports = new Map<string, Map<string, { alias: string; value: boolean }>>();
  readonly #numbers = new Map<string, string>();
  readonly #members = new Set<CoreMember>();
  readonly #columns = new Set<string>();
  readonly #helpers = new Map<string, { name: string; view: HelperView; inCreate: boolean }>();
  #view = false;

  /** `reserved`: names that the templates themselves use. */
  constructor(reserved: readonly string[]) {
    this.names = new Names([
      ...reserved,
      ...Object.keys(NUMBERS),
      ...CORE_MEMBERS,
      ...COLUMNS.row,
      ...COLUMNS.record,
      TOUCH_RARE,
    ]);
  }

  /** A class or function of another module; returns its local name. */
  value(module: string, name: string): string {
    return this.#import(module, name, true);
  }

  /** The same, used as a type only. */
  type(module: string, name: string): string {
    return this.#import(module, name, false);
  }

  #import(module: string, name: string, value: boolean): string {
    const fixed = module === RUNTIME && CONTRACT.includes(name);
    const names = this.#imports.get(module) ?? new Map<string, { alias: string; value: boolean }>();
    this.#imports.set(module, names);
    const known = names.get(name);
    if (known !== undefined) {
      known.value ||= value;
      return known.alias;
    }
    const alias = fixed ? name : this.names.take(name);
    names.set(name, { alias, value });
    return alias;
  }

  /** A number of the layouts. */
  number(name: NumberName): string {
    this.#numbers.set(name, HEX.has(name) ? `0x${NUMBERS[name].toString(16)}` : `${NUMBERS[name]}`);
    return name;
  }

  /** A column of packet rows or of records: the array whose element `p` or `c` it is. */
  column(name: ColumnName): string {
    this.#columns.add(name);
    return name;
  }

  /** The same, of a name that the analysis gives. */
  columnNamed(name: string): void {
    this.#columns.add(name);
  }

  member(name: CoreMember): string {
    this.#members.add(name);
    return name;
  }

  /** The DataView over packet memory. */
  view(): string {
    this.#view = true;
    return 'view';
  }

  /**
   * A helper, made once per `key`. `base` is what it would like to be called; `inCreate` puts it among the things made
   * once per worker, else it stands at the top of the module.
   */
  helper(
    key: string,
    base: string,
    comment: string,
    inCreate: boolean,
    lines: (name: string) => readonly string[],
  ): string {
    const known = this.#helpers.get(key);
    if (known !== undefined) return known.name;
    const name = this.names.take(base);
    this.#helpers.set(key, { name, inCreate, view: { comment: commentText(comment), lines: [] } });
    this.#helpers.set(key, { name, inCreate, view: { comment: commentText(comment), lines: lines(name) } });
    return name;
  }

  helpers(inCreate: boolean): readonly HelperView[] {
    return [...this.#helpers.values()].filter((h) => h.inCreate === inCreate).map((h) => h.view);
  }

  numbers(): readonly { readonly name: string; readonly value: string }[] {
    const order = ['META', 'LINK', 'CONN'];
    const rank = (name: string): number => order.indexOf(name.split('_')[0] ?? '') & 7;
    return [...this.#numbers]
      .sort(([a, x], [b, y]) => rank(a) - rank(b) || Number(x) - Number(y) || (a < b ? -1 : 1))
      .map(([name, value]) => ({ name, value }));
  }

  /** `const { pkt, rec } = core` and the like. */
  coreLines(): readonly string[] {
    const members = CORE_MEMBERS.filter((m) => this.#members.has(m));
    const lines = members.length === 0 ? [] : [`const { ${members.join(', ')} } = core`];
    for (const home of ['row', 'record'] as const) {
      const columns = COLUMNS[home].filter((name) => this.#columns.has(name));
      if (columns.length > 0) lines.push(...wrapList('const { ', columns, ` } = core.${home}`));
    }
    if (this.#view) lines.push('const { view } = core.memory');
    return lines;
  }

  imports(): readonly ImportView[] {
    const views: ImportView[] = [];
    const modules = [...this.#imports.keys()].sort(
      (a, b) => Number(a !== RUNTIME) - Number(b !== RUNTIME) || (a < b ? -1 : 1),
    );
    for (const module of modules) {
      const entries = [...(this.#imports.get(module) ?? [])].sort(([a], [b]) => (a < b ? -1 : 1));
      const names = entries.map(([name, { alias, value }]) => {
        const text = name === alias ? name : `${name} as ${alias}`;
        return value ? text : `type ${text}`;
      });
      views.push({ module, names });
    }
    return views;
  }
}
