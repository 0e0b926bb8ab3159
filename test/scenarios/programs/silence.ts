import { callback, type FiveTuple, type L4Pdu, on } from 'iris-ts/runtime';
import { told } from './told.ts';

/** Each says no more at another level. What it hears afterwards would be a fault. */
@callback
export class AtFirst {
  @on('L4FirstPacket') stop(ft: FiveTuple): boolean {
    told('AtFirst stops', ft);
    return false;
  }
  @on('InL4Conn', 'L4EndHshk', 'InL4Stream', 'L7OnDisc', 'L7EndHdrs', 'L4Terminated') more(ft: FiveTuple): void {
    told('AtFirst hears', ft);
  }
}
@callback
export class AtHandshake {
  @on('L4EndHshk') stop(ft: FiveTuple): boolean {
    told('AtHandshake stops', ft);
    return false;
  }
  @on('InL4Stream', 'L7OnDisc', 'L7EndHdrs', 'L4Terminated') more(ft: FiveTuple): void {
    told('AtHandshake hears', ft);
  }
}
@callback
export class AtPacket {
  seen = 0;
  @on('InL4Conn') stop(pdu: L4Pdu, ft: FiveTuple): boolean {
    told('AtPacket stops', ft, pdu.length);
    return ++this.seen < 3;
  }
  @on('L4Terminated') more(ft: FiveTuple): void {
    told('AtPacket hears', ft, this.seen);
  }
}
@callback
export class AtPiece {
  seen = 0;
  @on('InL4Stream') stop(pdu: L4Pdu, ft: FiveTuple): boolean {
    told('AtPiece stops', ft, pdu.length);
    return ++this.seen < 2;
  }
  @on('L4Terminated') more(ft: FiveTuple): void {
    told('AtPiece hears', ft, this.seen);
  }
}
@callback
export class AtDiscovery {
  @on('L7OnDisc') stop(ft: FiveTuple): boolean {
    told('AtDiscovery stops', ft);
    return false;
  }
  @on('L7EndHdrs', 'L4Terminated') more(ft: FiveTuple): void {
    told('AtDiscovery hears', ft);
  }
}
@callback
export class AtSession {
  @on('L7EndHdrs') stop(ft: FiveTuple): boolean {
    told('AtSession stops', ft);
    return false;
  }
  @on('L4Terminated') more(ft: FiveTuple): void {
    told('AtSession hears', ft);
  }
}
/** A constructor that throws silences the class as well. */
@callback
export class Broken {
  constructor(ft: FiveTuple) {
    told('Broken made', ft);
    throw new Error('not today');
  }
  @on('InL4Conn') more(ft: FiveTuple): void {
    told('Broken hears', ft);
  }
}
