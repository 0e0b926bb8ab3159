/**
 * The data types that are not ordinary `@datatype` classes of the library: what the runtime itself makes them from. All
 * other built-in types are read from their sources by way of runtime/runtime.ts, as a user's are.
 */
import { PROTOCOLS } from '../catalog/catalog.ts';
import type { DataTypeInfo, Level } from './info.ts';

type Kind = DataTypeInfo['kind'];

/** Built-in types by class or type name; a `@datatype({ kind, at })` on the class says the same and wins. */
export const BUILT_IN_KINDS: Readonly<Record<string, { readonly kind: Kind; readonly availableAt: Level }>> = {
  L4Pdu: { kind: 'pdu', availableAt: 'Packet' },
  FiveTuple: { kind: 'view', availableAt: 'L4FirstPacket' },
  StartTime: { kind: 'view', availableAt: 'L4FirstPacket' },
  CoreId: { kind: 'context', availableAt: 'Packet' },
  FilterStr: { kind: 'context', availableAt: 'Packet' },
  StateTransition: { kind: 'context', availableAt: 'Packet' },
  SessionProto: { kind: 'context', availableAt: 'L7OnDisc' },
  StateTxData: { kind: 'context', availableAt: 'Packet' },
  Session: { kind: 'context', availableAt: 'L7EndHdrs' },
};

/** Session types of the protocols: class name -> catalog name. */
export const SESSION_TYPES: Readonly<Record<string, string>> = Object.fromEntries(
  PROTOCOLS.flatMap(({ name, sessionType }) => (sessionType === undefined ? [] : [[sessionType.name, name]])),
);
