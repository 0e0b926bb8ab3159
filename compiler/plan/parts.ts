/** The methods of callback classes as subscriptions of their own, so that the other passes know nothing of classes. */
import type { TypedProgram, TypedSubscription } from '../language/typed.ts';

/** The program with every class replaced by its methods, in order of declaration. */
export function splitClasses(program: TypedProgram): TypedProgram {
  return { ...program, subscriptions: program.subscriptions.flatMap(partsOf) };
}

function partsOf(subscription: TypedSubscription): readonly TypedSubscription[] {
  const { methods, name } = subscription;
  if (methods === undefined) return [subscription];
  return methods.map((method) => ({
    ...subscription,
    name: `${name}.${method.name}`,
    params: method.params,
    levels: method.levels,
    part: { owner: name, method, made: subscription.params },
  }));
}

/** Who is unsubscribed together: the subscription itself, or the class whose method it is. */
export const ownerOf = ({ name, part }: TypedSubscription): string => part?.owner ?? name;

/** The subscriptions as they were declared. */
export function ownersOf({ subscriptions }: TypedProgram): readonly string[] {
  return [...new Set(subscriptions.map(ownerOf))];
}
