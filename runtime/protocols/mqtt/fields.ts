/** The catalog's entry of MQTT: how a client introduces itself, and what the server says to that. */
import { ProtocolNumber } from '../contract.ts';
import type { FieldDef, ProtocolDef } from '../field.ts';
import { sessionField } from '../session-field.ts';

/** Values of the Protocol Level byte. */
export const MQTT_VERSIONS: Readonly<Record<string, number>> = { '3.1': 3, '3.1.1': 4, '5.0': 5 };

const CONNECT = 'MQTT 3.1.1 section 3.1';

const MQTT_FIELDS: readonly FieldDef[] = [
  sessionField('version', 'u8', 'Protocol level of the CONNECT packet.', `${CONNECT}.2.2`, { names: MQTT_VERSIONS }),
  sessionField('client_id', 'text', 'Client identifier; empty where the server is to choose one.', `${CONNECT}.3.1`),
  sessionField('keep_alive', 'u16', 'Longest silence of the client, in seconds; 0 is any.', `${CONNECT}.2.10`),
  sessionField('clean', 'bool', 'Whether the client starts without what an earlier session left.', `${CONNECT}.2.4`),
  sessionField('will_topic', 'text', "Topic of the message that tells of the client's end.", `${CONNECT}.3.2`),
  sessionField('user_name', 'text', 'User name.', `${CONNECT}.3.4`),
  sessionField(
    'return_code',
    'u8',
    'Return or reason code of the CONNACK packet: 0 is accepted.',
    'MQTT 3.1.1 section 3.2.2.3, MQTT 5.0 section 3.2.2.2',
  ),
];

export const MQTT: ProtocolDef = {
  name: 'mqtt',
  doc: 'MQTT 3.1, 3.1.1 and 5.0, read from the first packet of client and server.',
  source: 'OASIS MQTT 3.1.1, OASIS MQTT 5.0',
  over: ['tcp'],
  layer: 'application',
  number: ProtocolNumber.MQTT,
  fields: MQTT_FIELDS,
  sessions: 'one',
  sessionType: { name: 'MqttConnect', doc: "An MQTT client's CONNECT and the CONNACK to it." },
};
