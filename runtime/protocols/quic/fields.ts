/** The catalog's entry of QUIC: the first packets of a connection and the TLS hellos they carry. */
import { ProtocolNumber } from '../contract.ts';
import type { FieldDef, ProtocolDef } from '../field.ts';
import { sessionField } from '../session-field.ts';
import { TLS_FIELDS } from '../tls/fields.ts';
import { VERSIONS } from '../tls/names.ts';

/** Versions with a specification (IANA, QUIC Versions). */
export const QUIC_VERSIONS: Readonly<Record<string, number>> = {
  negotiation: 0,
  v1: 0x00000001,
  v2: 0x6b3343cf,
};

/** Numbers of our own: the bits of the two versions differ (RFC 9000 section 17.2, RFC 9369 section 3.2). */
export const QUIC_PACKET_TYPES: Readonly<Record<string, number>> = {
  initial: 0,
  '0rtt': 1,
  handshake: 2,
  retry: 3,
  version_negotiation: 4,
  '1rtt': 5,
};

/** Value of the header form bit (RFC 8999 section 5). */
export const QUIC_HEADER_TYPES: Readonly<Record<string, number>> = { short: 0, long: 1 };

const PACKET = 'RFC 9000 section 17.2';

const OWN_FIELDS: readonly FieldDef[] = [
  sessionField('version', 'u32', 'QUIC version of the first long header.', `${PACKET}, RFC 9369`, {
    names: QUIC_VERSIONS,
  }),
  sessionField('dcid', 'bytes', "Destination connection ID of the client's first Initial packet.", PACKET),
  sessionField('scid', 'bytes', "Source connection ID of the client's first Initial packet.", PACKET),
  sessionField('packet_type', 'u8', 'Type of the first packet.', PACKET, { names: QUIC_PACKET_TYPES, max: 5 }),
  sessionField('header_type', 'u8', 'Header form of the first packet.', 'RFC 8999 section 5', {
    names: QUIC_HEADER_TYPES,
    max: 1,
  }),
  sessionField('payload_bytes_count', 'u16', 'Length field of the first long header, in bytes.', PACKET),
  sessionField('tls_version', 'u16', 'Version of TLS the server chose.', 'RFC 8446 section 4.2.1', { names: VERSIONS }),
];

/** What ClientHello and ServerHello tell; the rest is encrypted with keys that the wire does not show. */
const HELLOS = /^(?:sni|client_(?!cert).*|cipher|server_(?:random|key_share|extensions)|ja3s?_.*|ja4)$/;

export const QUIC: ProtocolDef = {
  name: 'quic',
  doc: 'QUIC version 1 and 2, read from its Initial packets.',
  source: 'RFC 9000, RFC 9001, RFC 9369',
  over: ['udp'],
  layer: 'application',
  number: ProtocolNumber.QUIC,
  fields: [...OWN_FIELDS, ...TLS_FIELDS.filter((field) => HELLOS.test(field.name))],
  sessionType: { name: 'QuicStream', doc: 'The start of one QUIC connection, with the ClientHello it carries.' },
};
