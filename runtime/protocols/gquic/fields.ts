/** The catalog's entry of Google QUIC: what a client says in clear before it was an IETF protocol. */
import { ProtocolNumber } from '../contract.ts';
import type { FieldDef, ProtocolDef } from '../field.ts';
import { sessionField } from '../session-field.ts';

const WIRE = 'QUIC Wire Layout Specification (2016)';
const CRYPTO = 'QUIC Crypto (2016)';

const GQUIC_FIELDS: readonly FieldDef[] = [
  sessionField('version', 'text', 'Version of the first packet: `Q043`.', WIRE),
  sessionField('cid', 'bytes', 'Connection ID the client chose.', WIRE),
  sessionField('sni', 'text', 'Host name the client asks for: SNI of its CHLO.', CRYPTO),
  sessionField('user_agent', 'text', 'What the client says it is: UAID of its CHLO.', CRYPTO),
];

export const GQUIC: ProtocolDef = {
  name: 'gquic',
  doc: 'Google QUIC up to version Q046. Later versions have the packets of the IETF and are found as `quic`.',
  source: WIRE,
  over: ['udp'],
  layer: 'application',
  number: ProtocolNumber.GQUIC,
  fields: GQUIC_FIELDS,
  sessions: 'one',
  sessionType: { name: 'GquicStream', doc: 'The start of one Google QUIC connection, with what its CHLO says.' },
};
