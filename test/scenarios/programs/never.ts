import { Continue, callback, Drop, type FiveTuple, filter, type L4Pdu, on } from 'iris-ts/runtime';
import { told } from './told.ts';

export const never = filter('L4FirstPacket', (_ft: FiveTuple) => Drop);
export const undecided = filter('InL4Conn', (_pdu: L4Pdu) => Continue);

@filter({ at: 'InL4Stream' })
export class Thrower {
  ask(_pdu: L4Pdu): boolean {
    throw new Error('cannot say');
  }
}

class Silent {
  constructor(readonly name: string) {
    told(`${name} made`, {});
  }
}
@callback
export class Never extends Silent {
  constructor(_first: L4Pdu) {
    super('Never');
  }
  @on('InL4Conn') packet(ft: FiveTuple): void {
    told('Never hears', ft);
  }
}
@callback
export class Undecided {
  @on('InL4Conn', 'L4Terminated') packet(ft: FiveTuple): void {
    told('Undecided hears', ft);
  }
}
@callback
export class Unnamed {
  @on('InL4Stream', 'L7EndHdrs', 'L4Terminated') piece(ft: FiveTuple): void {
    told('Unnamed hears', ft);
  }
}
@callback
export class Thrown {
  @on('InL4Stream', 'L4Terminated') piece(ft: FiveTuple): void {
    told('Thrown hears', ft);
  }
}
export const wasUndecided = (ft: FiveTuple): void => told('not undecided', ft);
