/** What code of a module hands over for a parameter: data of a connection, of the packet or session at hand, of the call itself. */
import { ConnMeta } from '../../runtime/conntrack/layout.ts';
import type { DataTypeInfo, Level } from '../analysis/info.ts';
import type { Context } from './context.ts';
import { RUNTIME } from './scope.ts';
import { camelCase, stringLiteral } from './text.ts';

/** What a function of the module has to be called with. */
export type Input = 'c' | 'p' | 'session' | 'matched';

const INPUT_TYPES: Readonly<Record<Input, string>> = {
  c: 'number',
  p: 'number',
  session: 'Session',
  matched: 'string',
};

export interface Value {
  readonly code: string;
  /** Undefined at run time where there is none (yet): the caller looks before it uses it. */
  readonly optional: boolean;
  readonly uses: readonly Input[];
}

const value = (code: string, ...uses: readonly Input[]): Value => ({ code, optional: false, uses });

/** The value of a type at a level. `matched` is the pattern that matched, as text or as an expression. */
export function valueAt(type: DataTypeInfo, level: Level, context: Context, matched = "''"): Value {
  const { scope } = context;
  switch (type.kind) {
    case 'view':
      return value(`${viewLocal(type, context)}.at(c)`, 'c');
    case 'columns':
      return value(`${placed(type, context).local}.at(c)`, 'c');
    case 'object':
      return { code: `${placed(type, context).local}[c / RECORD_WORDS]`, optional: true, uses: ['c'] };
    case 'session': {
      if (level === 'L7EndHdrs') return value(`session as ${scope.type(type.module, type.name)}`, 'session');
      const kept = context.kept.get(type.protocol ?? '') ?? '';
      return { code: `${kept}[c / RECORD_WORDS]`, optional: true, uses: ['c'] };
    }
    case 'pdu':
      return value(`${scope.member('pdu')}.at(p)`, 'p');
    case 'context':
      return contextValue(type.name, level, context, matched);
  }
}

function contextValue(name: string, level: Level, context: Context, matched: string): Value {
  switch (name) {
    case 'CoreId':
      return value('core.id');
    case 'FilterStr':
      return matched === 'matched' ? value(matched, 'matched') : value(matched);
    case 'StateTransition':
      return value(stringLiteral(level));
    case 'Session':
      return value('session', 'session');
    case 'SessionProto':
      return value(sessionProto(context), 'c');
    case 'StateTxData':
      return transitionData(level, context);
    default:
      throw new TypeError(`no value for ${name} at ${level}`);
  }
}

/** The name of the application protocol as far as the tracker knows it. */
function sessionProto(context: Context): string {
  const { scope, plan } = context;
  const type = scope.type(RUNTIME, 'SessionProto');
  const names = scope.helper('protocol names', 'PROTOCOLS', 'Application protocols by number.', false, (name) => {
    const list: string[] = [];
    for (const protocol of plan.world.protocols)
      if (protocol.layer === 'application') list[protocol.number] = protocol.name;
    const texts = Array.from(list, (one) => stringLiteral(one ?? 'unknown'));
    return [`const ${name}: readonly ${type}[] = [${texts.join(', ')}]`];
  });
  const meta = `${scope.column('recMeta')}[c]`;
  return `${names}[(${meta} >>> ${ConnMeta.L7_PROTO_SHIFT}) & ${ConnMeta.L7_PROTO_MASK}]`;
}

function transitionData(level: Level, context: Context): Value {
  const at = `at: ${stringLiteral(level)}`;
  switch (level) {
    case 'L7OnDisc':
      return value(`{ ${at}, proto: ${sessionProto(context)} }`, 'c');
    case 'L7EndHdrs':
      return value(`{ ${at}, session }`, 'session');
    case 'L4Terminated':
      return value(`{ ${at}, ended: ${viewLocal(runtimeView('Lifespan', context), context)}.at(c).ended }`, 'c');
    default:
      return value(`{ ${at}, pdu: ${context.scope.member('pdu')}.at(p) }`, 'p');
  }
}

/** Values for parameters, in order. */
export interface Arguments {
  /** Takes what may be missing into locals and leaves where it is, with `missing` as the statement. */
  readonly before: readonly string[];
  readonly list: string;
  readonly uses: readonly Input[];
}

export function argumentsOf(
  types: readonly DataTypeInfo[],
  level: Level,
  context: Context,
  missing: string,
  matched?: string,
): Arguments {
  const before: string[] = [];
  const uses = new Set<Input>();
  const list = types.map((type) => {
    const own = valueAt(type, level, context, matched);
    for (const input of own.uses) uses.add(input);
    if (!own.optional) return own.code;
    const local = context.scope.names.take(camelCase('own', type.name));
    before.push(`const ${local} = ${own.code}`, `if (${local} === undefined) ${missing}`);
    return local;
  });
  return { before, list: list.join(', '), uses: INPUTS.filter((input) => uses.has(input)) };
}

const INPUTS = ['c', 'p', 'session', 'matched'] as const;

/** Inputs in the order in which functions of a module take them. */
export const inputs = (...some: readonly Input[]): readonly Input[] => INPUTS.filter((one) => some.includes(one));

/** `c: number, p: number` */
export const parameterList = (some: readonly Input[]): string =>
  some.map((name) => `${name}: ${INPUT_TYPES[name]}`).join(', ');

/** A data type by name: what the checker found, else a flyweight of the runtime. */
export function typeByName(name: string, context: Context): DataTypeInfo {
  return context.plan.program.dataTypes?.get(name) ?? runtimeView(name, context);
}

/** The flyweight of a view type. */
export function viewLocal(type: DataTypeInfo, context: Context): string {
  const { scope } = context;
  if (type.module === RUNTIME && type.name === 'FiveTuple') return scope.member('fiveTuple');
  const base = camelCase(type.name);
  return scope.helper(
    `view ${type.module}#${type.name}`,
    base.charAt(0).toLowerCase() + base.slice(1),
    `The flyweight of ${type.name}.`,
    true,
    (name) => [`const ${name} = new ${scope.value(type.module, type.name)}(core)`],
  );
}

/** A built-in type of the runtime, for programs that do not come from the checker. */
export function runtimeView(name: string, context: Context): DataTypeInfo {
  const { file } = context.plan.program;
  const base = { name, module: RUNTIME, file, span: { start: 0, end: 0 }, updates: [], expensive: false };
  if (name === 'L4Pdu') return { ...base, kind: 'pdu', availableAt: 'Packet' };
  if (name === 'CoreId') return { ...base, kind: 'context', availableAt: 'Packet' };
  return { ...base, kind: 'view', availableAt: 'L4FirstPacket' };
}

export function placed(type: DataTypeInfo, context: Context): Context['layout']['types'][number] {
  const found = context.layout.types.find((t) => t.type.name === type.name && t.type.module === type.module);
  if (found === undefined) throw new TypeError(`${type.name} is not among the plan's data`);
  return found;
}
