/** What a delivery itself knows: parameters that no class holds, given as plain values. */
import type { L4Pdu } from '../conntrack/l4-pdu.ts';
import type { ProtocolNumber, Session } from '../protocols/contract.ts';
import type { Level } from '../subscription/decorators.ts';

/** Number of the core that delivers, from 0. Output that names it depends on how many cores ran. */
export type CoreId = number & { readonly __coreId?: never };

/**
 * The pattern that matched, in source form: of a condition's alternatives one that holds, as the conjunction of its tests.
 * Streaming levels have none.
 */
export type FilterStr = string & { readonly __filterStr?: never };

/** The state transition at which the delivery happens. */
export type StateTransition = Level;

/** The application protocol of the connection; `unknown` while it is not known, and where it is none of those asked for. */
export type SessionProto = 'unknown' | Lowercase<Exclude<keyof typeof ProtocolNumber, 'NONE'>>;

/** The state transition together with what comes with it. Made for each delivery; flyweights in it are valid during the call. */
export type StateTxData =
  | { readonly at: 'Packet' | 'L4FirstPacket' | 'L4EndHshk' | 'InL4Conn' | 'InL4Stream'; readonly pdu: L4Pdu }
  | { readonly at: 'L7OnDisc'; readonly proto: SessionProto }
  | { readonly at: 'L7EndHdrs'; readonly session: Session }
  /** How the connection ended, as in {@link Lifespan}. */
  | { readonly at: 'L4Terminated'; readonly ended: string };
