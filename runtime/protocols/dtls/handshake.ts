/** The session of DTLS: a TLS handshake that came over UDP. */
import { datatype } from '../../subscription/decorators.ts';
import { ProtocolNumber } from '../contract.ts';
import { type HandshakeBodies, TlsHandshake } from '../tls/handshake.ts';

/**
 * One DTLS handshake. Its properties are those of a `TlsHandshake`. After a HelloVerifyRequest they are those of the
 * ClientHello that the server accepted.
 */
@datatype({ kind: 'session', protocol: 'dtls' })
export class DtlsHandshake extends TlsHandshake {
  override readonly proto = ProtocolNumber.DTLS;

  /** @param bodies in the form of TLS, without a cookie */
  constructor(bodies: HandshakeBodies) {
    super(bodies, 'd');
  }
}
