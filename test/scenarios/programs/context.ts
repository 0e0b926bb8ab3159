import {
  datatype,
  type FilterStr,
  type FiveTuple,
  filter,
  on,
  type SessionProto,
  type StateTransition,
  type StateTxData,
  type TlsHandshake,
} from 'iris-ts/runtime';
import { told } from './told.ts';

/** Built from a handshake; kept as long as somebody may still ask for it. */
@datatype({ expensive: true })
export class Names {
  readonly list: string[];
  constructor(tls: TlsHandshake) {
    this.list = [tls.sni ?? '', ...(tls.clientAlpnProtocols ?? [])];
    told('names made', {}, tls.sni ?? '');
  }
  toJSON(): readonly string[] {
    return this.list;
  }
}
/** How often the connection passed a level. */
@datatype
export class Steps {
  readonly list: string[] = [];
  @on('L4FirstPacket', 'L4EndHshk', 'L7OnDisc') step(at: StateTransition): void {
    this.list.push(at);
  }
}

export const isTls = filter('L7OnDisc', (proto: SessionProto) => proto === 'tls');
export const longName = filter('L7EndHdrs', (tls: TlsHandshake) => (tls.sni ?? '').length > 10);

export function matched(ft: FiveTuple, why: FilterStr): void {
  told('matched', ft, why);
}
export function ended(ft: FiveTuple, how: StateTxData): void {
  told('ended', ft, how.at === 'L4Terminated' ? how.ended : how.at);
}
export function names(ft: FiveTuple, all: Names, steps: Steps): void {
  told('names', ft, `${all.list.length} ${steps.list.join(' ')}`);
}
export function proto(ft: FiveTuple, one: SessionProto, at: StateTransition): void {
  told(at, ft, one);
}
export function long(tls: TlsHandshake, ft: FiveTuple): void {
  told('long', ft, tls.sni ?? '');
}
