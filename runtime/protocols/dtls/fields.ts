/** The catalog's entry of DTLS: the fields of TLS, over UDP. */
import { ProtocolNumber } from '../contract.ts';
import type { ProtocolDef } from '../field.ts';
import { TLS_FIELDS } from '../tls/fields.ts';

export const DTLS: ProtocolDef = {
  name: 'dtls',
  doc: 'Datagram Transport Layer Security 1.0 to 1.3, read from the part of its handshake that is in clear.',
  source: 'RFC 9147, RFC 6347',
  over: ['udp'],
  layer: 'application',
  number: ProtocolNumber.DTLS,
  fields: TLS_FIELDS,
  sessions: 'one',
  sessionType: { name: 'DtlsHandshake', doc: 'One DTLS handshake, with the properties of a TLS handshake.' },
};
