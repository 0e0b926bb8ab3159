/** Instances of users' callback and filter classes: one per connection, made at the first call, let go of at its end. */
import { pendingFilter } from '../plan/atom.ts';
import { pendingFilters } from '../plan/data.ts';
import { ownerOf } from '../plan/parts.ts';
import { type Context, callbackLocal, type Instances, type Subscriber } from './context.ts';
import { camelCase, stringLiteral } from './text.ts';
import { argumentsOf, typeByName } from './values.ts';
import { type FunctionView, lines, type NodeView } from './view.ts';

type Draft = Omit<Instances, 'array' | 'accessor'>;

export const callbackKey = (owner: string): string => `callback ${owner}`;
export const filterKey = (filter: { readonly module: string; readonly name: string }): string =>
  `filter ${filter.module}#${filter.name}`;

/** All classes of a plan. */
export function findInstances(context: Omit<Context, 'instances'>): ReadonlyMap<string, Instances> {
  const drafts = [...callbackDrafts(context), ...filterDrafts(context)];
  return new Map(
    drafts.map((draft) => {
      const base = camelCase(draft.name);
      const local = base.charAt(0).toLowerCase() + base.slice(1);
      const array = context.scope.names.take(`${local}All`);
      return [draft.key, { ...draft, array, accessor: context.scope.names.take(`${local}Of`) }];
    }),
  );
}

function callbackDrafts({ plan, subscribers, claimed }: Omit<Context, 'instances'>): readonly Draft[] {
  const found = new Map<string, Draft>();
  for (const { source, threads } of subscribers) {
    const { part, callback } = source;
    if (part === undefined || callback === undefined) continue;
    found.set(part.owner, {
      key: callbackKey(part.owner),
      name: callback.name,
      module: callback.module,
      made: callbackLocal(source, claimed),
      params: part.made.map(({ type }) => type),
      threads,
      atOnce: threads.filter((t) => t.rest.length === 0 && !t.waits && plan.starts.some((s) => s.thread === t)),
    });
  }
  return [...found.values()];
}

function filterDrafts(context: Omit<Context, 'instances'>): readonly Draft[] {
  const { plan } = context;
  return pendingFilters(plan.threads).flatMap((filter) => {
    if (filter.kind === 'function') return [];
    const key = filterKey(filter);
    const threads = plan.threads.filter((t) =>
      t.rest.some((l) => {
        const own = pendingFilter(l);
        return own !== undefined && filterKey(own) === key;
      }),
    );
    const params = filter.params.map(({ type }) => typeByName(type, context as Context));
    return [{ key, name: filter.name, module: filter.module, params, threads, atOnce: threads }];
  });
}

const wantsPacket = ({ params }: Instances): boolean => params.some(({ kind }) => kind === 'pdu');

/** Classes that are constructed after the first packet and want it: a copy is kept for them. */
const waitsForPacket = (one: Instances): boolean => wantsPacket(one) && one.atOnce.length < one.threads.length;

const all = (context: Context): readonly Instances[] => [...context.instances.values()];

/** The array of copies of first packets. */
const copies = (context: Context): string => context.claimed('firstPackets');

/** Arrays of instances, and of first packets that classes may still ask for. */
export function instanceLines(context: Context): readonly string[] {
  const { scope } = context;
  const arrays = all(context).map(({ array, module, name }) => {
    return `const ${array} = new Array<${scope.value(module, name)} | undefined>(core.maxConnections + 1)`;
  });
  if (!all(context).some(waitsForPacket)) return arrays;
  const pdu = scope.type('iris-ts/runtime', 'L4Pdu');
  return [...arrays, `const ${copies(context)} = new Array<${pdu} | undefined>(core.maxConnections + 1)`];
}

/** What the end of a connection lets go of. */
export function instanceClears(context: Context): readonly string[] {
  const arrays = all(context).map(({ array }) => array);
  if (all(context).some(waitsForPacket)) arrays.push(copies(context));
  return arrays.map((array) => `${array}[c / RECORD_WORDS] = undefined`);
}

/** The functions that give a connection's instance, made at the first call. */
export function instanceFunctions(context: Context): readonly FunctionView[] {
  return all(context).map((one) => {
    const { scope } = context;
    const type = scope.value(one.module, one.name);
    const packet = wantsPacket(one);
    const first = packet ? context.claimed('first') : '';
    const args = one.params.map((param) => (param.kind === 'pdu' ? undefined : param));
    const given = argumentsOf(
      args.flatMap((param) => param ?? []),
      'L4FirstPacket',
      context,
      'return undefined',
    );
    const others = given.list === '' ? [] : splitList(given.list);
    const list = args.map((param) => (param === undefined ? first : (others.shift() ?? ''))).join(', ');
    const kept = waitsForPacket(one) ? ` = ${copies(context)}[c / RECORD_WORDS]` : '';
    const extra = packet
      ? `, ${first}${kept === '' ? '?' : ''}: ${scope.type('iris-ts/runtime', 'L4Pdu')}${kept === '' ? '' : ' | undefined'}${kept}`
      : '';
    return {
      doc: [`The ${one.name} of a connection, made at the first call; undefined if that fails.`],
      head: `function ${one.accessor}(c: number${extra}): ${type} | undefined {`,
      nodes: [
        lines(
          `const known = ${one.array}[c / RECORD_WORDS]`,
          'if (known !== undefined) return known',
          ...(packet ? [`if (${first} === undefined) return undefined`] : []),
          ...given.before,
          'try {',
          `  const made = new ${one.made ?? type}(${list})`,
          `  ${one.array}[c / RECORD_WORDS] = made`,
          '  return made',
          '} catch (error) {',
          `  core.userError(${stringLiteral(one.name)}, c, error)`,
          '  return undefined',
          '}',
        ),
      ],
    };
  });
}

/** Arguments of a call; none of those that are generated has a comma of its own. */
const splitList = (list: string): string[] => list.split(', ');

/** At the first packet: instances that want it are made of it now, or it is kept for those that may come later. */
export function firstPacketNodes(context: Context, flags: ReadonlyMap<Subscriber, string>): readonly NodeView[] {
  const { live, scope } = context;
  const found = all(context).filter(wantsPacket);
  return found.map((one) => {
    const now = [...flags].filter(([{ source }]) => callbackKey(ownerOf(source)) === one.key).map(([, flag]) => flag);
    const holding = one.atOnce.length === 0 ? [] : [live.any('live', one.atOnce)];
    const atOnce = [...holding, ...now].join(' || ');
    const later = one.threads.filter((t) => !one.atOnce.includes(t));
    const pdu = `${scope.member('pdu')}.at(p)`;
    const keep = `if (${live.any('live', later)}) ${copies(context)}[c / RECORD_WORDS] ??= ${pdu}.copy()`;
    const make = `${one.accessor}(c, ${pdu})`;
    if (atOnce === '') return lines(keep);
    return lines(`if (${atOnce}) ${make}`, ...(later.length === 0 ? [] : [`else ${keep}`]));
  });
}
