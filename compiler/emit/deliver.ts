/** The functions that hand a delivery to the user: each guards against the user's exceptions, and nothing else does. */
import type { DataTypeInfo, Level } from '../analysis/info.ts';
import type { TypedParam } from '../language/typed.ts';
import { isStreaming } from '../plan/deliveries.ts';
import type { Context, Subscriber } from './context.ts';
import { type DeliveryShape, familyFunction } from './families.ts';
import { RUNTIME } from './scope.ts';
import { camelCase, commentText, identifier, LINE, Names, propertyKey, stringLiteral } from './text.ts';
import { type FunctionView, type HandlerView, lines } from './view.ts';

/** What a delivery function is called with: the connection, and of the packet and the session what it hands over. */
function argumentsOf({ source }: Subscriber, level: Level): readonly string[] {
  const { params } = source;
  const out = level === 'Packet' ? [] : ['c'];
  if (params.some(({ type }) => type.kind === 'pdu')) out.push('p');
  if (params.some(({ type }) => takesSession(type, level))) out.push('session');
  return out;
}

function takesSession(type: DataTypeInfo, level: Level): boolean {
  return level === 'L7EndHdrs' && (type.kind === 'session' || (type.kind === 'context' && type.name === 'Session'));
}

/** Deliveries that can come again for one connection say whether they want more. */
export const repeats = (level: Level): boolean => isStreaming(level) || level === 'L7EndHdrs';

/** The call of a delivery function. */
export function deliverCall(subscriber: Subscriber, level: Level): string {
  return `${subscriber.deliver.get(level) ?? ''}(${argumentsOf(subscriber, level).join(', ')})`;
}

function isImported(type: DataTypeInfo): boolean {
  return type.kind !== 'context' || type.module !== RUNTIME || type.name === 'Session';
}

/** The TypeScript type of a parameter. */
function typeOf(type: DataTypeInfo, context: Context): string {
  return isImported(type) || type.kind === 'context'
    ? context.scope.type(type.module, type.name)
    : identifier(type.name);
}

/** Parameter names that are safe to declare, in order. */
function parameterNames(params: readonly TypedParam[]): readonly string[] {
  const names = new Names(['core', 'handlers']);
  return params.map((p) => names.take(p.name));
}

/** Handled by a method of `Handlers`, or by a line of output. */
const isDeclared = ({ source, family }: Subscriber): boolean => source.callback === undefined && family === undefined;

/** The methods of the `Handlers` interface. */
export function handlerViews(context: Context): readonly HandlerView[] {
  const declared = context.subscribers.filter(isDeclared);
  return declared.map(({ source, text }) => {
    const names = parameterNames(source.params);
    const params = source.params.map((p, i) => `${names[i] ?? ''}: ${typeOf(p.type, context)}`).join(', ');
    const streaming = source.levels.some(isStreaming);
    const doc = `${text} (${source.levels.join(', ')})${streaming ? '; false: no more of this connection' : ''}`;
    return {
      doc: commentText(doc),
      signature: `${propertyKey(source.name)}?(${params}): ${streaming ? 'boolean | void' : 'void'}`,
    };
  });
}

/** `const handshakes = handlers.handshakes?.bind(handlers) ?? …`: without a handler a delivery becomes a line of output. */
export function handlerLines(context: Context): readonly string[] {
  const declared = context.subscribers.filter(isDeclared);
  return declared.flatMap(({ source, handler }) => {
    const names = parameterNames(source.params);
    const params = source.params.map((p, i) => `${names[i] ?? ''}: ${typeOf(p.type, context)}`).join(', ');
    const fields = source.params.map((p, i) => {
      const key = propertyKey(p.name);
      return key === names[i] ? key : `${key}: ${names[i] ?? ''}`;
    });
    const record = fields.length === 0 ? '{}' : `{ ${fields.join(', ')} }`;
    const own = /^\w+$/.test(source.name) ? `handlers.${source.name}` : `handlers[${stringLiteral(source.name)}]`;
    const given = `${own}?.bind(handlers)`;
    const line = `((${params}): void => core.emit(${stringLiteral(source.name)}, ${record}))`;
    const whole = `const ${handler} = ${given} ?? ${line}`;
    return whole.length <= LINE ? [whole] : [`const ${handler} =`, `  ${given} ??`, `  ${line}`];
  });
}

/** What a delivery hands over for one parameter. */
function argumentOf({ type }: TypedParam, level: Level, subscriber: Subscriber, context: Context): string {
  const { scope } = context;
  switch (type.kind) {
    case 'view':
      return `${viewLocal(type, context)}.at(c)`;
    case 'columns':
      return `${placed(type, context).local}.at(c)`;
    case 'object':
      return instanceOf(type, context);
    case 'session':
      if (level === 'L7EndHdrs') return `session as ${scope.type(type.module, type.name)}`;
      return context.kept.get(type.protocol ?? '') ?? '';
    case 'pdu':
      return `${scope.member('pdu')}.at(p)`;
    case 'context':
      return contextValue(type.name, level, subscriber);
  }
}

function contextValue(name: string, level: Level, subscriber: Subscriber): string {
  switch (name) {
    case 'CoreId':
      return 'core.id';
    case 'FilterStr':
      return stringLiteral(subscriber.source.text);
    case 'StateTransition':
      return stringLiteral(level);
    case 'Session':
      return 'session';
    default:
      throw new TypeError(`no value for ${name} at ${level}`);
  }
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

export function placed(type: DataTypeInfo, context: Context): Context['layout']['types'][number] {
  const found = context.layout.types.find((t) => t.type.name === type.name && t.type.module === type.module);
  if (found === undefined) throw new TypeError(`${type.name} is not among the plan's data`);
  return found;
}

/** The instance of an object data type that belongs to connection `c`. */
function instanceOf(type: DataTypeInfo, context: Context): string {
  return `${placed(type, context).local}[c / RECORD_WORDS]`;
}

/** One delivery function per subscription and level. */
export function deliverFunctions(context: Context): readonly FunctionView[] {
  return context.subscribers.flatMap((subscriber) =>
    subscriber.source.levels.map((level) => {
      const { family } = subscriber;
      return family === undefined
        ? deliverFunction(subscriber, level, context)
        : familyFunction(subscriber, family, shapeOf(subscriber, level), context);
    }),
  );
}

/** `c: number, session: Session` */
function parametersOf(names: readonly string[]): string {
  const types: Record<string, string> = { c: 'number', p: 'number', session: 'Session' };
  return names.map((name) => `${name}: ${types[name] ?? 'number'}`).join(', ');
}

function shapeOf(subscriber: Subscriber, level: Level): DeliveryShape {
  const args = argumentsOf(subscriber, level);
  return { args, parameters: parametersOf(args), again: repeats(level) };
}

function deliverFunction(subscriber: Subscriber, level: Level, context: Context): FunctionView {
  const { source, handler } = subscriber;
  const again = repeats(level);
  const parameters = parametersOf(argumentsOf(subscriber, level));
  const body: string[] = [];
  const give = source.params.map((param) => {
    const value = argumentOf(param, level, subscriber, context);
    if (param.type.kind !== 'object' && !(param.type.kind === 'session' && level !== 'L7EndHdrs')) return value;
    const local = context.scope.names.take(camelCase('own', param.type.name));
    const from = param.type.kind === 'object' ? value : `${value}[c / RECORD_WORDS]`;
    body.push(`const ${local} = ${from}`, `if (${local} === undefined) return${again ? ' true' : ''}`);
    return local;
  });
  const call = `${handler}(${give.join(', ')})`;
  const connection = level === 'Packet' ? '0' : 'c';
  const asks = source.callback === undefined ? isStreaming(level) : again && source.callback.streaming;
  body.push('try {');
  if (asks) body.push(`  return ${call} !== false`);
  else body.push(`  ${call}`, ...(again ? ['  return true'] : []));
  body.push('} catch (error) {', `  core.userError(${stringLiteral(source.name)}, ${connection}, error)`);
  if (again) body.push('  return false');
  body.push('}');
  const doc = commentText(`${source.name} at ${level}: ${subscriber.text}`);
  return {
    doc: [again ? `${doc}. False: no more of this connection.` : doc],
    head: `function ${subscriber.deliver.get(level) ?? ''}(${parameters}): ${again ? 'boolean' : 'void'} {`,
    nodes: [lines(...body)],
  };
}
