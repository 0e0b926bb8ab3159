/** A plan as an outline for people: one item per stage, tests with what follows from them below. `iris explain` prints it. */
import { fieldKey, literalText, patternText, pendingFilter } from './atom.ts';
import { pendingFilters } from './data.ts';
import type { Family } from './families.ts';
import { type ProgramPlan, subscriptionOfMark } from './plan.ts';
import type { Step, Thread } from './threads.ts';
import type { Arm, Chain, TreeNode } from './tree.ts';

export interface Item {
  readonly text: string;
  /** What kind of thing it is, for those who draw it. */
  readonly kind: 'stage' | 'test' | 'result' | 'note';
  readonly items: readonly Item[];
  /** How often a test passed, in a run that counted. */
  readonly hits?: number;
}

/** What a run counted, for the outline of its plan. */
export interface RunFigures {
  hitsOf(arm: Arm): number;
  /** By number of the application protocol, 0 for none of those asked for. */
  found(protocol: number): number;
  /** What a stage let go of, in words; undefined where there is nothing to say. Named as the function of the module. */
  stage(name: string): string | undefined;
}

const item = (kind: Item['kind'], text: string, items: readonly Item[] = [], hits?: number): Item =>
  hits === undefined ? { kind, text, items } : { kind, text, items, hits };

/** The stages of a plan, from the packet filter to the end of a connection. */
export function outlinePlan(plan: ProgramPlan, figures?: RunFigures): readonly Item[] {
  const nameOf = (index: number): string => unitName(plan, index);
  const names = threadNames(plan);
  const label = (thread: Thread): string => names.get(thread) ?? '';
  const stages: Item[] = [];
  const add = (title: string, items: readonly Item[], stage?: string): void => {
    const said = stage === undefined ? undefined : figures?.stage(stage);
    const notes = said === undefined ? [] : [item('note', said)];
    if (items.length + notes.length > 0) stages.push(item('stage', title, [...notes, ...items]));
  };
  const tree = (node: TreeNode, marks: MarkItems): readonly Item[] => treeItems(node, marks, figures);

  if (plan.packet !== undefined) {
    add(
      'Packet: every frame',
      tree(plan.packet, (marks) => {
        const delivered = marks.flatMap((m) => subscriptionOfMark(m) ?? []).map(nameOf);
        return [item('result', `deliver ${unique(delivered)}`)];
      }),
    );
  }
  if (plan.starts.length > 0) {
    const always = plan.packetFilter.marks.length > 0;
    add(
      'packet filter: may the packet belong to a wanted connection, whichever way it goes?',
      always
        ? [item('result', 'let in every TCP and UDP packet')]
        : tree(plan.packetFilter, () => [item('result', 'let in')]),
      'packetFilter',
    );
  }
  add(
    'L4FirstPacket',
    tree(plan.first, (marks) => {
      const started = plan.threads.filter((t) => marks.includes(t.id)).map(label);
      const delivered = marks.flatMap((m) => subscriptionOfMark(m) ?? []).map(nameOf);
      return [
        ...(started.length > 0 ? [item('result', `start ${started.join(', ')}`)] : []),
        ...(delivered.length > 0 ? [item('result', `deliver ${unique(delivered)}`)] : []),
      ];
    }),
    'onL4FirstPacket',
  );
  if (plan.handshake.delivered.length > 0) {
    const names = unique(plan.handshake.delivered.map((t) => nameOf(t.subscription)));
    add('L4EndHshk', [item('result', `deliver ${names}`)], 'onL4EndHshk');
  }
  for (const stream of plan.streams) {
    add(
      stream.level,
      tree(stream.tree, (marks) => {
        const mine = stream.threads.filter((t) => marks.includes(t.id));
        return [item('result', `deliver ${unique(mine.map((t) => nameOf(t.subscription)))}`)];
      }),
      stream.level === 'InL4Conn' ? 'update' : 'onL4Stream',
    );
  }
  add(
    'L7OnDisc',
    plan.discovery
      .map(({ protocol, steps }) =>
        item(
          'test',
          protocol?.name ?? 'none of these',
          stepItems(steps, nameOf, label),
          figures?.found(protocol?.number ?? 0),
        ),
      )
      .filter((d) => d.items.length > 0),
    'onL7OnDisc',
  );
  for (const session of plan.sessions) {
    const items = tree(session.tree, (marks) => {
      const steps = session.matches.filter((s) => marks.includes(s.thread.id));
      return stepItems(steps, nameOf, label, true);
    });
    const over = session.mismatches.filter((s) => s.next === undefined).map((s) => label(s.thread));
    const rest = over.length === 0 ? [] : [item('result', `then end ${over.join(', ')}: nothing more to parse for`)];
    // All protocols share one function, and its figures.
    const stage = session === plan.sessions[0] ? 'onL7EndHdrs' : undefined;
    add(`L7EndHdrs: a ${session.protocol.name} session`, [...items, ...rest], stage);
  }
  add(
    'L4Terminated',
    plan.units.flatMap((_, index) => {
      const conditions = plan.ends
        .filter(({ thread }) => thread.subscription === index)
        .map(({ thread, under }) => {
          const where = under?.map((p) => p?.name ?? 'no known protocol').join(' or ');
          return `${label(thread)}${where === undefined ? '' : ` under ${where}`}`;
        });
      return conditions.length === 0
        ? []
        : [item('result', `deliver ${nameOf(index)} where alive: ${conditions.join(', ')}`)];
    }),
  );
  for (const { members, fields, unit } of plan.families) {
    const by = fields.map(fieldKey).join(', ');
    const note = item('note', `${members.length} subscriptions alike but for ${by}: looked up when one is delivered`);
    add(`${nameOf(unit)}`, [note]);
  }
  add('threads, and what the tracker does while they are alive', threadItems(plan, label));
  add(
    'filters, asked until they decide',
    pendingFilters(plan.threads).map((filter) => {
      const waiting = plan.threads.filter((t) => t.rest.some((l) => pendingFilter(l)?.name === filter.name));
      return item('note', `${filter.name} at ${filter.levels.join(', ')} for ${unique(waiting.map(ownerName(plan)))}`);
    }),
  );
  add(
    'tracked data',
    plan.data.map(({ type, threads }) => {
      const dropped = type.expensive ? ', dropped when none of them is alive' : '';
      const text = `${type.name} (${type.kind}) for ${unique(threads.map(ownerName(plan)))}${dropped}`;
      // All of its fields are numeric, so that somebody may have counted on columns.
      const why = type.notColumns === undefined ? [] : [item('note', `not in columns: ${type.notColumns.reason}`)];
      return item('note', text, why);
    }),
  );
  return stages;
}

const ownerName =
  (plan: ProgramPlan) =>
  ({ subscription }: Thread): string => {
    const part = plan.units[subscription]?.part;
    return part?.owner ?? unitName(plan, subscription);
  };
/**
 * The name of a subscription; of a family its first and last member, with the level and the version of IP where other
 * families are of the same.
 */
export function unitName(plan: ProgramPlan, index: number): string {
  const family = plan.families.find((f) => f.unit === index);
  if (family === undefined) return plan.units[index]?.name ?? '';
  const { level } = family;
  const name = (member: number | undefined): string => plan.units[member ?? -1]?.name ?? '';
  const span = ({ members }: Family): string => `${name(members[0])} … ${name(members.at(-1))}`;
  const alike = plan.families.filter((other) => other !== family && span(other) === span(family));
  const at = alike.some((other) => other.level !== level) ? ` at ${level}` : '';
  const [field] = family.fields;
  const over = alike.some((other) => other.level === level) ? ` over ${field?.protocol.name ?? ''}` : '';
  return `${span(family)}${at}${over}`;
}

const unique = (names: readonly string[]): string => [...new Set(names)].join(', ');

/** The subscription's name; numbered where a subscription has several threads. */
export function threadNames(plan: ProgramPlan): ReadonlyMap<Thread, string> {
  const names = new Map<Thread, string>();
  const counts = new Map<number, number>();
  for (const thread of plan.threads) {
    const count = (counts.get(thread.subscription) ?? 0) + 1;
    counts.set(thread.subscription, count);
    const name = unitName(plan, thread.subscription);
    names.set(thread, count === 1 ? name : `${name}#${count}`);
  }
  return names;
}

type MarkItems = (marks: readonly number[]) => readonly Item[];

function treeItems(node: TreeNode, marks: MarkItems, figures: RunFigures | undefined): readonly Item[] {
  const own = node.marks.length === 0 ? [] : marks(node.marks);
  return [...own, ...node.chains.flatMap((chain) => chainItems(chain, marks, figures))];
}

function chainItems(chain: Chain, marks: MarkItems, figures: RunFigures | undefined): readonly Item[] {
  const arms = chain.arms.map((arm, i) => {
    const text = `${i === 0 ? '' : 'else '}${literalText(arm.test)}`;
    return item('test', text, treeItems(arm.node, marks, figures), figures?.hitsOf(arm));
  });
  const otherwise = chain.otherwise === undefined ? [] : treeItems(chain.otherwise, marks, figures);
  return otherwise.length === 0 ? arms : [...arms, item('test', 'else', otherwise)];
}

function stepItems(
  steps: readonly Step[],
  nameOf: (index: number) => string,
  label: (thread: Thread) => string,
  matched = false,
): readonly Item[] {
  const delivered = steps.filter((s) => s.delivers).map((s) => nameOf(s.thread.subscription));
  const moved = steps.filter((s) => s.next !== undefined && s.next !== s.thread);
  const ended = matched ? [] : steps.filter((s) => s.next === undefined && !s.delivers).map((s) => label(s.thread));
  return [
    ...(delivered.length > 0 ? [item('result', `deliver ${unique(delivered)}`)] : []),
    ...moved.map((s) => item('result', `${label(s.thread)} goes on as ${s.next === undefined ? '' : label(s.next)}`)),
    ...(ended.length > 0 ? [item('result', `end ${ended.join(', ')}`)] : []),
  ];
}

function threadItems(plan: ProgramPlan, label: (thread: Thread) => string): readonly Item[] {
  const actionsText = (t: Thread): string => plan.actions.get(t)?.join(' | ') ?? '';
  const widest = (text: (t: Thread) => string): number => Math.max(0, ...plan.threads.map((t) => text(t).length));
  const widths = [widest(label), widest((t) => t.level), widest(actionsText)] as const;
  return plan.threads.map((thread) => {
    const actions = actionsText(thread).padEnd(widths[2]);
    const open =
      thread.rest.length === 0
        ? thread.waits
          ? 'waits for the protocol'
          : 'holds'
        : `open: ${patternText(thread.rest)}`;
    return item(
      'note',
      `${label(thread).padEnd(widths[0])}  at ${thread.level.padEnd(widths[1])}  ${actions}  ${open}`,
    );
  });
}
