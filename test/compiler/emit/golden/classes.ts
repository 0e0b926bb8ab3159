import {
  Accept,
  callback,
  Continue,
  type ConnRecord,
  Drop,
  datatype,
  type FilterStr,
  type FiveTuple,
  filter,
  type L4Pdu,
  on,
  type SessionProto,
  type StateTransition,
  type StateTxData,
  type TlsHandshake,
  type Verdict,
} from 'iris-ts/runtime';

@filter
export class Busy {
  packets = 0;
  constructor(readonly ends: FiveTuple) {}
  @on('InL4Conn') packet(): Verdict {
    return ++this.packets >= 10 ? Accept : Continue;
  }
  @on('L4Terminated') end(): Verdict {
    return Drop;
  }
}
@filter({ at: 'L7OnDisc' })
export class Known {
  ask(proto: SessionProto): boolean {
    return proto !== 'unknown';
  }
}
export const tiny = filter('Packet', (pdu: L4Pdu) => pdu.length < 20);
export const fresh = filter('L7EndHdrs', (tls: TlsHandshake) => tls.version !== undefined);
export const long = filter('L4Terminated', (conn: ConnRecord) => conn.duration > 1);

@datatype({ expensive: true })
export class Names {
  readonly list: string[] = [];
  constructor(tls: TlsHandshake) {
    this.list.push(tls.sni ?? '');
  }
}

@callback
export class Watch {
  bytes = 0;
  constructor(
    readonly first: L4Pdu,
    readonly ends: FiveTuple,
  ) {}
  @on('InL4Stream') piece(pdu: L4Pdu, tls: TlsHandshake): boolean {
    this.bytes += tls.sni === undefined ? 0 : pdu.length;
    return this.bytes < 1_000_000;
  }
  @on('L7OnDisc', 'L4Terminated') step(at: StateTransition, what: StateTxData): void {
    this.bytes += at.length + what.at.length;
  }
}
export function told(ends: FiveTuple, why: FilterStr, names: Names): void {
  if (names.list.length > why.length) ends.toString();
}
