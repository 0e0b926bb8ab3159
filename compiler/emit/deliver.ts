/** The functions that hand a delivery to the user: each guards against the user's exceptions, and nothing else does. */
import type { CallbackInfo, DataTypeInfo, Level } from '../analysis/info.ts';
import type { TypedParam, TypedSubscription } from '../language/typed.ts';
import { patternText } from '../plan/atom.ts';
import { isStreaming, repeats } from '../plan/deliveries.ts';
import { ownerOf } from '../plan/parts.ts';
import { patternOfMark } from '../plan/plan.ts';
import type { Thread } from '../plan/threads.ts';
import { type Context, callbackLocal, type Subscriber } from './context.ts';
import { type DeliveryShape, familyFunction } from './families.ts';
import { callbackKey } from './instances.ts';
import { RUNTIME } from './scope.ts';
import { commentText, identifier, LINE, Names, propertyKey, stringLiteral } from './text.ts';
import { argumentsOf, type Input, inputs, parameterList, valueAt } from './values.ts';
import { type FunctionView, type HandlerView, lines } from './view.ts';

/** What a delivery function is called with: the connection, and of the packet and the session what it hands over. */
function inputsOf(subscriber: Subscriber, level: Level, context: Context): readonly Input[] {
  const { source } = subscriber;
  const asked = source.params.flatMap(({ type }) => valueAt(type, level, context, 'matched').uses);
  const matched = patternTexts(subscriber, level, context).length > 1;
  const some = asked.filter((input) => input !== 'matched' || matched);
  return level === 'Packet' ? inputs(...some) : inputs('c', ...some);
}

/** The patterns of a delivery, as users read them. */
function patternTexts({ index }: Subscriber, level: Level, { plan }: Context): readonly string[] {
  const own = plan.deliveries.find((d) => d.subscription === index && d.level === level);
  // That there is a session is implied by the data that is asked for, and nothing that users write.
  return (own?.patterns ?? []).map((pattern) =>
    patternText(pattern.filter((l) => l.atom.predicate.kind !== 'session')),
  );
}

/** Deliveries that can end the subscription: they return false then. */
export function answers({ source }: Subscriber, level: Level): boolean {
  if (level === 'Packet' || level === 'L4Terminated') return false;
  return (
    repeats(level) || source.part !== undefined || (source.levels.length > 1 && source.callback?.streaming === true)
  );
}

/**
 * The call of a delivery function. Where the subscription is told which pattern matched, and there are several, `threads`
 * are those that may have brought it here, as bits of `base`; `text` is an expression for the pattern's text.
 */
export function deliverCall(
  subscriber: Subscriber,
  level: Level,
  context: Context,
  from: { readonly base: string; readonly threads: readonly Thread[] } | { readonly text: string },
): string {
  const args = inputsOf(subscriber, level, context).map((input) => {
    if (input !== 'matched') return input;
    return 'text' in from ? from.text : matchedText(subscriber, level, context, from.base, from.threads);
  });
  return `${subscriber.deliver.get(level) ?? ''}(${args.join(', ')})`;
}

/** The text of the first pattern of which a thread is alive. */
function matchedText(
  subscriber: Subscriber,
  level: Level,
  context: Context,
  base: string,
  threads: readonly Thread[],
): string {
  const texts = patternTexts(subscriber, level, context);
  const used = texts.flatMap((text, i) => {
    const mine = threads.filter((thread) => thread.pattern === i);
    return mine.length === 0 ? [] : [{ literal: stringLiteral(text), mine }];
  });
  const last = used.at(-1)?.literal ?? "''";
  return used
    .slice(0, -1)
    .reduceRight((rest, { literal, mine }) => `${context.live.any(base, mine)} ? ${literal} : ${rest}`, last);
}

/** The pattern behind the mark of a delivery at the first packet, or of a single frame: a literal, if anybody asks. */
export function patternLiteral(
  subscriber: Subscriber,
  level: Level,
  mark: number,
  context: Context,
): string | undefined {
  if (!inputsOf(subscriber, level, context).includes('matched')) return undefined;
  return stringLiteral(patternTexts(subscriber, level, context)[patternOfMark(mark)] ?? '');
}

/** Statements of a delivery under a condition; where it ends the subscription, its threads in `bases` go too. */
export function deliverLines(
  subscriber: Subscriber,
  level: Level,
  condition: string,
  call: string,
  context: Context,
  ...bases: readonly string[]
): readonly string[] {
  const gone = answers(subscriber, level) ? silence(subscriber, context, ...bases) : [];
  if (gone.length === 0) return [`if (${condition}) ${call}`];
  const both = condition.includes(' || ') ? `(${condition})` : condition;
  return [`if (${both} && !${call}) {`, ...gone.map((line) => `  ${line}`), '}'];
}

/** Statements that end a subscription: its threads are let go of, in the other words of bits as well. */
export function silence({ threads }: Subscriber, context: Context, ...bases: readonly string[]): readonly string[] {
  return ['live', ...bases].flatMap((base) => context.live.clear(base, threads));
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

/** Of what stands in `create`. */
const INDENT = 2;

/** Whether there are no more deliveries than connections and sessions. */
const perConnection = ({ levels }: TypedSubscription): boolean =>
  levels.every((level) => level !== 'Packet' && !isStreaming(level));

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
    const apart = perConnection(source) ? noinline(context) : undefined;
    const whole = `${given} ?? ${line}`;
    const one = `const ${handler} = ${apart === undefined ? whole : `${apart}(${whole})`}`;
    if (INDENT + one.length <= LINE) return [one];
    if (apart === undefined) return [`const ${handler} =`, `  ${given} ??`, `  ${line}`];
    return [`const ${handler} = ${apart}(`, `  ${given} ??`, `  ${line},`, ')'];
  });
}

/**
 * `const callOnHttps = core.callback('onHttps', onHttps)`: functions and classes that the filter file names itself, or what
 * stands for them where they run on other threads.
 */
export function callbackLines(context: Context): readonly string[] {
  const lines = context.subscribers.flatMap(({ source }) => {
    if (source.callback === undefined) return [];
    const own = context.scope.value(source.callback.module, source.callback.name);
    const local = callbackLocal(source, context.claimed);
    const streaming = source.part === undefined && source.callback.streaming ? ', true' : '';
    const given = `core.callback(${stringLiteral(ownerOf(source))}, ${own}${streaming})`;
    return [`const ${local} = ${neverPerPacket(source.callback, context) ? `${noinline(context)}(${given})` : given}`];
  });
  return [...new Set(lines)];
}

/** Whether a callback is a function, and none of the subscriptions that it handles calls it for every packet. */
function neverPerPacket({ module, name }: CallbackInfo, { subscribers }: Context): boolean {
  return subscribers
    .filter(({ source }) => source.callback?.module === module && source.callback.name === name)
    .every(({ source }) => source.part === undefined && perConnection(source));
}

const noinline = ({ scope }: Context): string => scope.value(RUNTIME, 'noinline');

/** One delivery function per subscription and level. */
export function deliverFunctions(context: Context): readonly FunctionView[] {
  return context.subscribers.flatMap((subscriber) =>
    subscriber.source.levels
      .filter((level) => subscriber.source.part === undefined || patternTexts(subscriber, level, context).length > 0)
      .map((level) => {
        const { family } = subscriber;
        return family === undefined
          ? deliverFunction(subscriber, level, context)
          : familyFunction(subscriber, family, shapeOf(subscriber, level, context), context);
      }),
  );
}

function shapeOf(subscriber: Subscriber, level: Level, context: Context): DeliveryShape {
  const args = inputsOf(subscriber, level, context);
  return { args, parameters: parameterList(args), again: answers(subscriber, level) };
}

function deliverFunction(subscriber: Subscriber, level: Level, context: Context): FunctionView {
  const { source, handler } = subscriber;
  const again = answers(subscriber, level);
  const texts = patternTexts(subscriber, level, context);
  const matched = texts.length > 1 ? 'matched' : stringLiteral(texts[0] ?? source.text);
  const types = source.params.map(({ type }) => type);
  const given = argumentsOf(types, level, context, `return${again ? ' true' : ''}`, matched);
  const body: string[] = [...given.before];
  let called = handler;
  if (source.part !== undefined) {
    const own = context.instances.get(callbackKey(source.part.owner))?.accessor ?? '';
    body.push(`const own = ${own}(c)`, `if (own === undefined) return${again ? ' false' : ''}`);
    called = `own.${source.part.method.name}`;
  }
  const call = `${called}(${given.list})`;
  const connection = level === 'Packet' ? '0' : 'c';
  body.push('try {');
  if (again && saysMore(subscriber, level)) body.push(`  return ${call} !== false`);
  else body.push(`  ${call}`, ...(again ? ['  return true'] : []));
  body.push('} catch (error) {', `  core.userError(${stringLiteral(ownerOf(source))}, ${connection}, error)`);
  if (again) body.push('  return false');
  body.push('}');
  const doc = commentText(`${source.name} at ${level}: ${subscriber.text}`);
  return {
    doc: [again ? `${doc}. False: no more of this connection.` : doc],
    head: `function ${subscriber.deliver.get(level) ?? ''}(${parameterList(inputsOf(subscriber, level, context))}): ${again ? 'boolean' : 'void'} {`,
    nodes: [lines(...body)],
  };
}

/** Whether the user's code returns whether it wants more. */
function saysMore({ source }: Subscriber, level: Level): boolean {
  if (source.part !== undefined) return source.part.method.returns;
  return source.callback === undefined ? isStreaming(level) : source.callback.streaming;
}
