import {
  Continue,
  Drop,
  datatype,
  type FilterStr,
  type FiveTuple,
  filter,
  on,
  type SessionProto,
  type StartTime,
  type StateTransition,
  type StateTxData,
  type TlsHandshake,
  type Verdict,
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
  @filter({ at: 'L4FirstPacket' }) static secure(ft: FiveTuple): boolean {
    return ft.respPort === 443;
  }
  @filter({ at: ['InL4Conn', 'L4Terminated'] }) static other(start: StartTime): Verdict {
    return start.time > 0 ? Drop : Continue;
  }
}

export const isTls = filter('L7OnDisc', (proto: SessionProto) => proto === 'tls');
export const longName = filter('L7EndHdrs', (tls: TlsHandshake) => (tls.sni ?? '').length > 10);

export function secure(ft: FiveTuple): void {
  told('secure', ft, ft.respPort);
}
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
