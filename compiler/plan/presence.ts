/** Which protocols a pattern says are there or cannot be there: exclusions and implications between layers. */
import type { ProtocolDef } from '../../runtime/protocols/field.ts';
import { applicationOf, type Literal } from './atom.ts';

/** What a planning context knows of the world. */
export interface World {
  /** Every protocol of the catalog, outermost layer first. */
  readonly protocols: readonly ProtocolDef[];
  /** Connections have one of IPv4 and IPv6 and one of TCP and UDP; single frames need not. */
  readonly connections: boolean;
}

export interface Presence {
  readonly present: ReadonlySet<string>;
  readonly absent: ReadonlySet<string>;
  /** Why the literals contradict each other, if they do. */
  readonly conflict: string | undefined;
}

/** Of each of these a connection has exactly one. */
const EXHAUSTIVE: readonly (readonly string[])[] = [
  ['ipv4', 'ipv6'],
  ['tcp', 'udp'],
];

function namesOf(over: readonly string[]): string {
  return over.length <= 1 ? (over[0] ?? 'nothing') : `${over.slice(0, -1).join(', ')} or ${over.at(-1)}`;
}

/**
 * Presence by the literals of one conjunction. A protocol implies the one it lies on; protocols of one layer exclude each
 * other (the innermost headers count); what lies only on absent protocols is absent.
 */
export function presenceOf(literals: readonly Literal[], world: World): Presence {
  const present = new Set<string>();
  const absent = new Set<string>();
  const why = new Map<string, string>();
  let conflict: string | undefined;

  const assert = (protocol: ProtocolDef): void => {
    const { name } = protocol;
    if (present.has(name)) return;
    if (absent.has(name)) conflict ??= why.get(name) ?? `\`${name}\` and \`not ${name}\` exclude each other`;
    present.add(name);
    if (protocol.layer === 'link') return;
    for (const other of world.protocols) {
      if (other.layer === protocol.layer && other.name !== name) {
        deny(other, `\`${name}\` and \`${other.name}\` exclude each other`);
      }
    }
  };
  const deny = (protocol: ProtocolDef, reason: string | undefined): void => {
    const { name } = protocol;
    if (reason !== undefined && !why.has(name)) why.set(name, reason);
    if (absent.has(name)) return;
    if (present.has(name)) conflict ??= why.get(name) ?? `\`${name}\` and \`not ${name}\` exclude each other`;
    absent.add(name);
  };

  for (const { atom, positive } of literals) {
    const { predicate } = atom;
    if (predicate.kind === 'user') {
      const asked = applicationOf({ atom, positive });
      if (positive && asked !== undefined) assert(asked);
      continue;
    }
    if (positive) assert(predicate.protocol);
    else if (predicate.kind === 'protocol') deny(predicate.protocol, undefined);
  }

  let known = -1;
  while (known !== present.size + absent.size) {
    known = present.size + absent.size;
    for (const protocol of world.protocols) {
      if (protocol.over.length === 0) continue;
      const parents = world.protocols.filter((p) => protocol.over.includes(p.name));
      if (parents.some((p) => p.layer === 'link')) continue;
      const possible = parents.filter((p) => !absent.has(p.name));
      const [only] = possible;
      if (only === undefined) {
        const reason = `\`${protocol.name}\` runs over ${namesOf(protocol.over)} only`;
        deny(protocol, reason);
      } else if (possible.length === 1 && present.has(protocol.name)) assert(only);
    }
    if (!world.connections) continue;
    for (const names of EXHAUSTIVE) {
      const possible = names.filter((name) => !absent.has(name));
      const only = world.protocols.find((p) => p.name === possible[0]);
      if (possible.length === 0) conflict ??= `a connection runs over ${namesOf(names)}`;
      else if (possible.length === 1 && only !== undefined) assert(only);
    }
  }
  return { present, absent, conflict };
}
