/** Tracked data: set at the opening of a connection, updated at its levels, let go of at its end. */
import type { ProtocolDef } from '../../runtime/protocols/field.ts';
import type { ColumnLayout } from '../analysis/columns.ts';
import type { DataTypeInfo, Level, UpdateMethod } from '../analysis/info.ts';
import { TOUCH_RARE } from '../analysis/pdu-members.ts';
import { repeats } from '../plan/deliveries.ts';
import { protocolOfSession } from '../plan/filters.ts';
import type { Context } from './context.ts';
import { familyClearings } from './families.ts';
import { instanceClears } from './instances.ts';
import type { PlacedType } from './layout.ts';
import { RUNTIME, type Scope } from './scope.ts';
import { protocolNumber } from './tests.ts';
import { camelCase, pascalCase, stringLiteral } from './text.ts';
import { argumentsOf, inputs, parameterList, typeByName, valueAt, viewLocal } from './values.ts';
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
    const aside = column.rare === true ? ', rare: true' : '';
    return `  { name: ${stringLiteral(column.name)}, type: '${column.type}', word: ${column.constant}${length}${aside} },`;
  });
  const code = [...compiled.open, ...compiled.functions.flatMap((one) => one.lines)].join('\n');
  const arrays = compiled.columns
    .filter((column) => new RegExp(`\\b${column.local}\\[`).test(code))
    .map((column) => {
      const make = `${column.rare === true ? 'rareColumn' : 'column'}${column.type === 'f64' ? 'F' : ''}`;
      return `const ${column.local} = core.${make}(${column.constant})`;
    });
  const followers = compiled.followers.map((f) => {
    const flyweight = viewLocal(typeByName(f.type, context), context);
    return flyweight === f.name ? f.name : `${f.name}: ${flyweight}`;
  });
  const end = followers.length === 0 ? '])' : `], { ${followers.join(', ')} })`;
  return [...arrays, `const ${local} = ${view}(core, ${scope.value(type.module, type.name)}, [`, ...columns, end];
}

/** The function that compiled code calls before it writes a word beside the records. */
function touchRare(scope: Scope): FunctionView {
  const meta = scope.column('recMeta');
  return {
    doc: ['Before a word beside the records is written.'],
    head: `function ${TOUCH_RARE}(c: number): number {`,
    nodes: [lines(`${meta}[c] |= ${scope.number('CONN_RARE')}`, 'return c')],
  };
}

/** The compiled methods of column types, and guarded calls of the methods of objects. */
export function dataFunctions(context: Context): readonly FunctionView[] {
  const touches = context.layout.types.some(({ compiled }) =>
    compiled?.functions.some((one) => one.lines.some((line) => line.includes(`${TOUCH_RARE}(`))),
  );
  const methods = context.layout.types.flatMap((placed): readonly FunctionView[] => {
    const { compiled, type } = placed;
    if (compiled === undefined) return objectFunctions(placed, context);
    for (const name of compiled.reads) context.scope.columnNamed(name);
    return compiled.functions.map(({ lines: text }) => {
      const [head = '', ...body] = text.map(bare);
      const inner = body.slice(0, -1).map((line) => line.replace(/^ {2}/, ''));
      return { doc: [`A method of ${type.name}, over its columns.`], head, nodes: [lines(...inner)] };
    });
  });
  return touches ? [touchRare(context.scope), ...methods] : methods;
}

/** One function per method, or per method and level where what it is handed depends on that; and one that makes it. */
function objectFunctions(placed: PlacedType, context: Context): readonly FunctionView[] {
  const { type, local } = placed;
  const updates = type.updates.flatMap((update) =>
    (dependsOnLevel(update) ? update.levels : update.levels.slice(0, 1)).map((level): FunctionView => {
      const given = argumentsOf(typesOf(update.params, context), level, context, 'return');
      const name = objectUpdate(type, update, level, context);
      return {
        doc: [`${type.name}.${update.name}.`],
        head: `function ${name}(${parameterList(inputs('c', ...given.uses))}): void {`,
        nodes: [
          lines(
            `const own = ${local}[c / RECORD_WORDS]`,
            'if (own === undefined) return',
            ...given.before,
            'try {',
            `  own.${update.name}(${given.list})`,
            ...caught(placed),
          ),
        ],
      };
    }),
  );
  return [maker(placed, context), ...updates];
}

const caught = ({ type, local }: PlacedType): readonly string[] => [
  '} catch (error) {',
  `  core.userError(${stringLiteral(type.name)}, c, error)`,
  `  ${local}[c / RECORD_WORDS] = undefined`,
  '}',
];

/** Makes the instance of a connection, of a session where the constructor asks for one. */
function maker(placed: PlacedType, context: Context): FunctionView {
  const { type, local } = placed;
  const level = sessionOf(type) === undefined ? 'L4FirstPacket' : 'L7EndHdrs';
  const given = argumentsOf(typesOf(type.params ?? [], context), level, context, 'return');
  const own = context.scope.value(type.module, type.name);
  return {
    doc: [`Makes the ${type.name} of a connection.`],
    head: `function ${makerName(type, context)}(${parameterList(inputs('c', ...given.uses))}): void {`,
    nodes: [
      lines(...given.before, 'try {', `  ${local}[c / RECORD_WORDS] = new ${own}(${given.list})`, ...caught(placed)),
    ],
  };
}

const makerName = (type: DataTypeInfo, context: Context): string => context.claimed(`make${pascalCase(type.name)}`);

function makerCall(type: DataTypeInfo, context: Context): string {
  const level = sessionOf(type) === undefined ? 'L4FirstPacket' : 'L7EndHdrs';
  const uses = typesOf(type.params ?? [], context).flatMap((param) => valueAt(param, level, context).uses);
  return `${makerName(type, context)}(${inputs('c', ...uses).join(', ')})`;
}

/** The protocol of the sessions that a type is built from. */
function sessionOf(type: DataTypeInfo): ProtocolDef | undefined {
  return (type.params ?? []).flatMap((param) => protocolOfSession(param.type) ?? [])[0];
}

const typesOf = (params: readonly { readonly type: string }[], context: Context): readonly DataTypeInfo[] =>
  params.map(({ type }) => typeByName(type, context));

const dependsOnLevel = ({ levels, params }: UpdateMethod): boolean =>
  levels.length > 1 &&
  params.some(
    ({ type }) => ['StateTransition', 'StateTxData', 'Session'].includes(type) || protocolOfSession(type) !== undefined,
  );

function objectUpdate(type: DataTypeInfo, update: UpdateMethod, level: Level, context: Context): string {
  const suffix = dependsOnLevel(update) ? level : '';
  return context.claimed(`${camelCase(type.name)}${pascalCase(update.name)}${suffix}`);
}

function updateCall(type: DataTypeInfo, update: UpdateMethod, level: Level, context: Context): string {
  const { uses } = argumentsOf(typesOf(update.params, context), level, context, '');
  return `${objectUpdate(type, update, level, context)}(${inputs('c', ...uses).join(', ')})`;
}

/** Expensive objects that nothing needs before: made once it is known that somebody wants them. */
const isLazy = ({ type, data, compiled }: PlacedType): boolean =>
  compiled === undefined &&
  type.expensive &&
  !data.first &&
  sessionOf(type) === undefined &&
  !type.updates.some((update) => update.levels.includes('L4FirstPacket'));

/** At the first packet: expensive objects that some thread asks for. */
export function startObjects(context: Context): readonly NodeView[] {
  return context.layout.types.filter(isLazy).map(({ type, data }) => {
    return lines(`if (${context.live.any('live', data.threads)}) ${makerCall(type, context)}`);
  });
}

/** From this many words in a row that begin with 0 on they are cleared in a loop. */
const LOOP_FROM = 6;

/** Statements that set columns, those that set many words in a row to zero as one loop over pairs of them. */
function zeroedTogether(
  statements: readonly string[],
  columns: readonly ColumnLayout[],
  scope: Scope,
): readonly string[] {
  const near = columns.filter(({ rare, initial }) => rare !== true && Object.is(initial, 0));
  const size = ({ type, length }: ColumnLayout): number => length * (type === 'f64' ? 2 : 1);
  const zeroed = new Set(near.flatMap((one) => Array.from({ length: size(one) }, (_, i) => one.word + i)));
  const out: string[] = [];
  const gone: string[] = [];
  for (const word of [...zeroed].sort((a, b) => a - b)) {
    if (zeroed.has(word - 1)) continue;
    let end = word;
    while (zeroed.has(end)) end++;
    const start = word + (word % 2);
    end -= end % 2;
    if (end - start < LOOP_FROM) continue;
    const inside = near.filter((one) => one.word >= start && one.word + size(one) <= end);
    // A column that the pairs cut in two stands for itself as well.
    const comment = `// ${inside[0]?.constant ?? ''} and what follows`;
    out.push(
      `for (let i = (c + ${start}) >> 1, end = (c + ${end}) >> 1; i < end; i++) ${scope.member('recF')}[i] = 0 ${comment}`,
    );
    gone.push(...inside.map(({ local }) => local));
  }
  const left = statements.filter((statement) => !gone.some((local) => statement.includes(`${local}[`)));
  return [...out, ...left];
}

/** What lies beside the records is 0 again when a connection has ended. */
function rareCleared({ layout, scope }: Context): readonly string[] {
  const words = layout.types.flatMap(({ compiled }) =>
    (compiled?.columns ?? [])
      .filter((one) => one.rare === true)
      .map((one) => one.word + one.length * (one.type === 'f64' ? 2 : 1)),
  );
  if (words.length === 0) return [];
  const meta = scope.column('recMeta');
  const bit = scope.number('CONN_RARE');
  const rare = scope.member('rare');
  return [
    `if ((${meta}[c] & ${bit}) !== 0) {`,
    `  ${meta}[c] &= ~${bit}`,
    `  for (let word = c, end = c + ${Math.max(...words)}; word < end; word++) ${rare}[word] = 0`,
    '}',
  ];
}

/** `open` and `clear` of the plan's Trackable. */
export function trackedFunctions(context: Context): readonly FunctionView[] {
  const opened: string[] = [];
  const cleared = [...context.kept.values()].map((name) => `${name}[c / RECORD_WORDS] = undefined`);
  for (const { type, compiled, local, data } of context.layout.types) {
    if (compiled !== undefined)
      opened.push(...zeroedTogether(compiled.open.map(bare), compiled.columns, context.scope));
    else {
      const later = isLazy({ type, compiled, local, data }) || sessionOf(type) !== undefined;
      if (!later) opened.push(makerCall(type, context));
      cleared.push(`${local}[c / RECORD_WORDS] = undefined`);
    }
  }
  cleared.push(...rareCleared(context));
  cleared.push(...instanceClears(context));
  cleared.push(...familyClearings(context, ({ level }) => repeats(level)));
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
            .map((u) => ofSession(u, level, updateCall(type, u, level, context), context))
        : compiled.updates
            .filter((u) => u.levels.includes(level))
            .map((u) => `${u.call}(${u.usesPacket ? 'c, p' : 'c'})`);
    const made = level === 'L7EndHdrs' ? sessionOf(type) : undefined;
    if (made !== undefined) {
      const alive = type.expensive ? '' : ` && ${context.live.any('live', data.threads)}`;
      const wanted = `session.proto === ${protocolNumber(made, context.scope)}${alive}`;
      calls.unshift(`if (${wanted}) ${makerCall(type, context)}`);
    }
    if (calls.length === 0) return [];
    const optional = type.expensive && level !== 'L4FirstPacket';
    return [optional ? when(context.live.any('live', data.threads), [lines(...calls)]) : lines(...calls)];
  });
}

/** A call that takes a session of one protocol is made for those alone. */
function ofSession(update: UpdateMethod, level: Level, call: string, context: Context): string {
  const protocol = update.params.flatMap(({ type }) => protocolOfSession(type) ?? [])[0];
  if (level !== 'L7EndHdrs' || protocol === undefined) return call;
  return `if (session.proto === ${protocolNumber(protocol, context.scope)}) ${call}`;
}
