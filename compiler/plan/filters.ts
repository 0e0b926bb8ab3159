/** When a user's filter can say what it says: which kind of atom it is, and what it waits for. */
import type { ProtocolDef } from '../../runtime/protocols/field.ts';
import { type FilterInfo, LEVELS, type Level } from '../analysis/info.ts';
import { PROTOCOLS } from '../catalog/catalog.ts';

/**
 * - `first`: asked once, at the first packet, before anything else is decided;
 * - `packet`: of the packet at hand;
 * - `session`: a function of one parsed session, asked of each;
 * - `later`: asked at each of its levels until it says Accept or Drop. Its word holds for the connection.
 */
export type FilterKind = 'first' | 'packet' | 'session' | 'later';

export function filterKind({ kind, levels }: FilterInfo): FilterKind {
  const [only] = levels;
  if (levels.length !== 1) return 'later';
  if (only === 'Packet') return 'packet';
  if (only === 'L4FirstPacket') return 'first';
  return only === 'L7EndHdrs' && kind === 'function' ? 'session' : 'later';
}

/** The protocol whose sessions a type holds. */
export function protocolOfSession(type: string): ProtocolDef | undefined {
  return PROTOCOLS.find((protocol) => protocol.sessionType?.name === type);
}

/** One call of a filter: where, and with what. A class has one for each method and level. */
export interface FilterRun {
  readonly level: Level;
  /** The method; undefined for a function. */
  readonly method: string | undefined;
  readonly params: readonly { readonly name: string; readonly type: string }[];
}

/** The calls of a filter in order of level. */
export function runsOf({ kind, levels, params, methods }: FilterInfo): readonly FilterRun[] {
  return LEVELS.filter((level) => levels.includes(level)).flatMap((level): readonly FilterRun[] => {
    if (kind === 'function') return [{ level, method: undefined, params }];
    return methods
      .filter((method) => method.levels.includes(level))
      .map((method) => ({ level, method: method.name, params: method.params }));
  });
}

/** The one protocol whose sessions a filter asks for; undefined for none, or any. */
export function filterProtocol(filter: FilterInfo): ProtocolDef | undefined {
  return runsOf(filter).flatMap(({ params }) => params.flatMap(({ type }) => protocolOfSession(type) ?? []))[0];
}

/** Whether a filter that has not decided by then can still do so once the application protocol is known to be this one. */
export function canDecideUnder(filter: FilterInfo, protocol: ProtocolDef | undefined): boolean {
  return runsOf(filter).some(({ level, params }) => {
    if (level === 'L4FirstPacket' || level === 'L7OnDisc') return false;
    return (protocol !== undefined || level !== 'L7EndHdrs') && canBeHad(params, protocol);
  });
}

/** Whether a filter looks at sessions of this protocol, as they come or later on. */
export function asksSessions(filter: FilterInfo, protocol: ProtocolDef): boolean {
  return runsOf(filter).some(({ level, params }) => {
    if (level === 'L7EndHdrs') return canBeHad(params, protocol);
    return params.some(({ type }) => protocolOfSession(type) === protocol);
  });
}

/** Whether parameters can be had where the application protocol is this one. */
export function canBeHad(params: readonly { readonly type: string }[], protocol: ProtocolDef | undefined): boolean {
  return params.every(({ type }) => {
    const own = protocolOfSession(type);
    return own === undefined || own === protocol;
  });
}

/** Whether a filter wants to hear of the application protocol or its sessions. */
export function wantsParsing(filter: FilterInfo): boolean {
  return runsOf(filter).some(({ level, params }) => {
    return (
      level === 'L7OnDisc' || level === 'L7EndHdrs' || params.some(({ type }) => protocolOfSession(type) !== undefined)
    );
  });
}
