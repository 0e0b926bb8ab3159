/** Tracked data: set at the opening of a connection, updated at its levels, let go of at its end. */
import type { DataTypeInfo, Level, UpdateMethod } from '../analysis/info.ts';
import type { Context } from './context.ts';
import { repeats, viewLocal } from './deliver.ts';
import { familyClearings } from './families.ts';
import type { PlacedType } from './layout.ts';
import { RUNTIME } from './scope.ts';
import { camelCase, pascalCase, stringLiteral } from './text.ts';
import { type FunctionView, lines, type NodeView, when } from './view.ts';

/** The analysis ends statements with semicolons; generated modules have none. */
const bare = (line: string): string => line.replace(/;$/, '');

/** Statements made once per worker: flyweights over columns, arrays of instances, compiled methods. */
export function dataLines(context: Context): readonly string[] {
  return context.layout.types.flatMap((placed) => {
    if (placed.compiled === undefined) {
      const type = context.scope.value(placed.type.module, placed.type.name);
      return [`const ${placed.local} = new Array<${type} | undefined>(core.maxConnections + 1)`];
    }
    return columnLines(placed, placed.compiled, context);
  });
}

function columnLines(
  { type, local }: PlacedType,
  compiled: NonNullable<PlacedType['compiled']>,
  context: Context,
): readonly string[] {
  const { scope } = context;
  const view = scope.value(RUNTIME, 'columnView');
  const columns = compiled.columns.map((column) => {
    const length = column.array ? `, length: ${column.length}` : '';
    return `  { name: ${stringLiteral(column.name)}, type: '${column.type}', word: ${column.constant}${length} },`;
  });
  const followers = compiled.followers.map((f) => {
    const flyweight = viewLocal(runtimeView(f.type, context), context);
    return flyweight === f.name ? f.name : `${f.name}: ${flyweight}`;
  });
  const end = followers.length === 0 ? '])' : `], { ${followers.join(', ')} })`;
  return [`const ${local} = ${view}(core, ${scope.value(type.module, type.name)}, [`, ...columns, end];
}

/** A flyweight of the runtime, by name. */
export function runtimeView(name: string, context: Context): DataTypeInfo {
  const { file } = context.plan.program;
  const span = { start: 0, end: 0 };
  return {
    name,
    module: RUNTIME,
    file,
    span,
    kind: 'view',
    availableAt: 'L4FirstPacket',
    updates: [],
    expensive: false,
  };
}

/** Takes the arrays out of the core that compiled code names, and declares the words it names. */
function noteUses(text: readonly string[], context: Context): void {
  const all = text.join('\n');
  for (const member of ['pkt', 'pktF', 'rec', 'recF'] as const) {
    if (new RegExp(`\\b${member}\\b`).test(all)) context.scope.member(member);
  }
}

/** The compiled methods of column types, and guarded calls of the methods of objects. */
export function dataFunctions(context: Context): readonly FunctionView[] {
  return context.layout.types.flatMap((placed): readonly FunctionView[] => {
    const { compiled, type } = placed;
    if (compiled === undefined) return objectFunctions(placed, context);
    for (const { name, value } of compiled.words) context.scope.word(name, value);
    return compiled.functions.map(({ lines: text }) => {
      noteUses(text, context);
      const [head = '', ...body] = text.map(bare);
      const inner = body.slice(0, -1).map((line) => line.replace(/^ {2}/, ''));
      return { doc: [`A method of ${type.name}, over its columns.`], head, nodes: [lines(...inner)] };
    });
  });
}

function objectFunctions({ type, local }: PlacedType, context: Context): readonly FunctionView[] {
  return type.updates.map((update) => {
    const call = `own.${update.name}(${update.params.map((p) => argument(p.type, context)).join(', ')})`;
    const parameters = callArguments(update).map((name) => `${name}: number`);
    return {
      doc: [`${type.name}.${update.name}.`],
      head: `function ${objectUpdate(type, update, context)}(${parameters.join(', ')}): void {`,
      nodes: [
        lines(
          `const own = ${local}[c / RECORD_WORDS]`,
          'if (own === undefined) return',
          'try {',
          `  ${call}`,
          '} catch (error) {',
          `  core.userError(${stringLiteral(type.name)}, c, error)`,
          `  ${local}[c / RECORD_WORDS] = undefined`,
          '}',
        ),
      ],
    };
  });
}

const callArguments = (update: UpdateMethod): readonly string[] =>
  update.params.some((p) => p.type === 'L4Pdu') ? ['c', 'p'] : ['c'];

function objectUpdate(type: DataTypeInfo, update: UpdateMethod, context: Context): string {
  return context.claimed(`${camelCase(type.name)}${pascalCase(update.name)}`);
}

/** What a method or a constructor of tracked data is handed. */
function argument(type: string, context: Context): string {
  if (type === 'L4Pdu') return `${context.scope.member('pdu')}.at(p)`;
  if (type === 'CoreId') return 'core.id';
  return `${viewLocal(runtimeView(type, context), context)}.at(c)`;
}

/** `open` and `clear` of the plan's Trackable. */
export function trackedFunctions(context: Context): readonly FunctionView[] {
  const opened: string[] = [];
  const cleared = [...context.kept.values()].map((name) => `${name}[c / RECORD_WORDS] = undefined`);
  for (const { type, compiled, local } of context.layout.types) {
    if (compiled !== undefined) opened.push(...compiled.open.map(bare));
    else {
      const args = (type.params ?? []).map((p) => argument(p.type, context)).join(', ');
      opened.push(`${local}[c / RECORD_WORDS] = new ${context.scope.value(type.module, type.name)}(${args})`);
      cleared.push(`${local}[c / RECORD_WORDS] = undefined`);
    }
  }
  cleared.push(...familyClearings(context, ({ level }) => repeats(level)));
  noteUses(opened, context);
  const signature = (body: readonly string[], names: readonly string[]): string => {
    const used = names.filter((name) => new RegExp(`\\b${name}\\b`).test(body.join('\n')));
    return (used.includes('p') ? names : used).map((name) => `${name}: number`).join(', ');
  };
  return [
    {
      doc: ['A connection opens.'],
      head: `function open(${signature(opened, ['c', 'p'])}): void {`,
      nodes: [lines(...opened)],
    },
    {
      doc: ['A connection ends.'],
      head: `function clear(${signature(cleared, ['c'])}): void {`,
      nodes: [lines(...cleared)],
    },
  ];
}

/** Statements that update tracked data at a level. */
export function updateNodes(level: Level, context: Context): readonly NodeView[] {
  return context.layout.types.flatMap(({ type, compiled, data }) => {
    const calls =
      compiled === undefined
        ? type.updates
            .filter((u) => u.levels.includes(level))
            .map((u) => `${objectUpdate(type, u, context)}(${callArguments(u).join(', ')})`)
        : compiled.updates
            .filter((u) => u.levels.includes(level))
            .map((u) => `${u.call}(${u.usesPacket ? 'c, p' : 'c'})`);
    if (calls.length === 0) return [];
    const optional = type.expensive && level !== 'L4FirstPacket';
    return [optional ? when(context.live.any('live', data.threads), [lines(...calls)]) : lines(...calls)];
  });
}
