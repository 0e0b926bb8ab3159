/** Delivery to a family: the members that the connection's ends satisfy are looked up, and each is handed the delivery. */
import type { Family, MemberRule } from '../plan/families.ts';
import type { Context, Subscriber } from './context.ts';
import { addressStarts, ipv6Steps } from './ipv6.ts';
import { unsignedLiteral } from './range-tables.ts';
import { RUNTIME } from './scope.ts';
import { addressWords, Locals, readValue } from './tests.ts';
import { commentText, constantCase, wrapList } from './text.ts';
import { type FunctionView, lines } from './view.ts';

/** Fields that the runtime's classifier takes. */
const FIELDS = 4;

/** What delivery functions of one level have in common. */
export interface DeliveryShape {
  readonly args: readonly string[];
  readonly parameters: string;
  /** It can come again for one connection, and false says no more. */
  readonly again: boolean;
}

/** The function that delivers to a family's members. */
export function familyFunction(
  subscriber: Subscriber,
  family: Family,
  { args, parameters, again }: DeliveryShape,
  context: Context,
): FunctionView {
  const { handler, text } = subscriber;
  const locals = new Locals('first', context.scope);
  const values = family.fields.map(({ protocol, field }) => {
    if (field.type !== 'ipv6') return readValue(protocol, field, locals);
    // Addresses are classified by their places among all that the members name.
    const starts = addressesOf(family);
    const comment = `Where members' ranges of addresses begin and end: ${starts.length} places.`;
    const place = ipv6Steps(`${handler}Place`, comment, starts, context.scope);
    return `${place}(${addressWords(field, context.scope)}) + 1`;
  });
  while (values.length < FIELDS) values.push('0');
  const give = `${membersName(subscriber, context)}[member]?.(${args.join(', ')})`;
  const body = again
    ? [
        `if (${handler}.left(c, member)) continue`,
        `if (${give} === false) ${handler}.leave(c, member)`,
        'else wanted = true',
      ]
    : [give];
  return {
    doc: [commentText(`The ${family.members.length} subscriptions that ask for ${text}: those whose ends these are.`)],
    head: `function ${subscriber.deliver.get(family.level) ?? ''}(${parameters}): ${again ? 'boolean' : 'void'} {`,
    nodes: [
      lines(
        ...locals.lines(),
        `const count = ${handler}.find(${values.join(', ')})`,
        ...(again ? ['let wanted = false'] : []),
        'for (let i = 0; i < count; i++) {',
        `  const member = ${handler}.found[i] as number`,
        ...body.map((line) => `  ${line}`),
        '}',
        ...(again ? ['return wanted'] : []),
      ),
    ],
  };
}

/** All places at which the IPv6 ranges of a family's members begin, or end before, sorted. */
function addressesOf({ fields, rules }: Family): readonly bigint[] {
  const ranges = rules.flatMap((rule) =>
    rule.ranges.flatMap((list, i) => (fields[i]?.field.type === 'ipv6' ? (list ?? []) : [])),
  );
  return addressStarts(ranges);
}

const membersName = ({ handler }: Subscriber, context: Context): string => context.claimed(`${handler}Members`);

/** `const s0Family = createClassifier(S0_FAMILY)` and the list of its members' delivery functions. */
export function familyLines(context: Context): readonly string[] {
  const { scope, subscribers } = context;
  return subscribers.flatMap((subscriber) => {
    const { family, handler } = subscriber;
    if (family === undefined) return [];
    const rule = scope.type(RUNTIME, 'FamilyRule');
    const comment = `Members by number, and what each asks of ${family.fields.map((f) => `${f.protocol.name}.${f.field.name}`).join(', ')}.`;
    const places = new Map(addressesOf(family).map((start, i) => [start, i + 1]));
    const table = scope.helper(`family ${handler}`, constantCase(handler), comment, false, (name) => [
      `const ${name}: readonly ${rule}[] = [`,
      ...family.rules.map((one) => `  ${ruleLiteral(one, family, places)} // ${commentText(one.text)}`),
      ']',
    ]);
    const delivers = family.members.map((member) => subscribers[member]?.deliver.get(family.level) ?? '');
    return [
      `const ${handler} = ${scope.value(RUNTIME, 'createClassifier')}(${table})`,
      ...wrapList(`const ${membersName(subscriber, context)} = [`, delivers, ']'),
    ];
  });
}

function ruleLiteral(
  { member, ranges }: MemberRule,
  { members, fields }: Family,
  places: ReadonlyMap<bigint, number>,
): string {
  const lists = ranges.map((list, i) => {
    const type = fields[i]?.field.type ?? 'u32';
    if (type === 'ipv6') {
      const end = (high: bigint): number => (places.get(high + 1n) ?? places.size + 1) - 1;
      return `[${(list ?? []).map(({ low, high }) => `${places.get(low) ?? 0}, ${end(high)}`).join(', ')}]`;
    }
    const numbers = (list ?? []).flatMap(({ low, high }) => [unsignedLiteral(low, type), unsignedLiteral(high, type)]);
    return `[${numbers.join(', ')}]`;
  });
  return `{ member: ${members.indexOf(member)}, ranges: [${lists.join(', ')}] },`;
}

/** What a connection that ends leaves behind. */
export function familyClearings(context: Context, repeats: (family: Family) => boolean): readonly string[] {
  return context.subscribers.flatMap(({ family, handler }) =>
    family !== undefined && repeats(family) ? [`${handler}.forget(c)`] : [],
  );
}
