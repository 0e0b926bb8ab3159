/** The session of Google QUIC: how a connection starts, and what the client's CHLO says. */
import { datatype } from '../../subscription/decorators.ts';
import { writtenBy } from '../../subscription/json-writers.ts';
import { ProtocolNumber, type Session } from '../contract.ts';
import { sessionJson, sessionWriter } from '../session-json.ts';
import type { Chlo } from './chlo.ts';
import { GQUIC } from './fields.ts';

/** The start of one Google QUIC connection. Its properties are the fields of the catalog in camelCase. */
@datatype({ kind: 'session', protocol: 'gquic' })
export class GquicStream implements Session {
  readonly proto = ProtocolNumber.GQUIC;
  /** Four characters: `Q043`. */
  readonly version: string;
  /** Eight bytes, as sent. */
  readonly cid: Uint8Array;
  readonly sni: string | undefined;
  readonly userAgent: string | undefined;

  /** @param cid kept @param chlo undefined where it was not seen */
  constructor(version: string, cid: Uint8Array, chlo: Chlo | undefined) {
    this.version = version;
    this.cid = cid;
    this.sni = chlo?.sni;
    this.userAgent = chlo?.userAgent;
  }

  /** The fields of the catalog that have a value, by their names there. */
  toJSON(): Record<string, unknown> {
    return sessionJson(this, GQUIC.fields);
  }
}

writtenBy(GquicStream.prototype.toJSON, sessionWriter(GQUIC.fields));
