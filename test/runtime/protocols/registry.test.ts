import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { DNS } from '../../../runtime/protocols/dns/fields.ts';
import { DTLS } from '../../../runtime/protocols/dtls/fields.ts';
import type { ProtocolDef } from '../../../runtime/protocols/field.ts';
import { GQUIC } from '../../../runtime/protocols/gquic/fields.ts';
import { HTTP } from '../../../runtime/protocols/http/fields.ts';
import { MQTT } from '../../../runtime/protocols/mqtt/fields.ts';
import { QUIC } from '../../../runtime/protocols/quic/fields.ts';
import { PARSERS, PREAMBLES, parsersFor } from '../../../runtime/protocols/registry.ts';
import { SSH } from '../../../runtime/protocols/ssh/fields.ts';
import { TLS } from '../../../runtime/protocols/tls/fields.ts';
import {
  DnsTransaction,
  DtlsHandshake,
  GquicStream,
  HttpTransaction,
  MqttConnect,
  QuicStream,
  SshHandshake,
  TlsHandshake,
} from '../../../runtime/runtime.ts';

const test = suite('protocol registry');

const NO_BYTES = new Uint8Array(0);
const side = { banner: undefined, offer: undefined };
const SESSIONS: readonly (readonly [ProtocolDef, object])[] = [
  [TLS, new TlsHandshake({})],
  [DNS, new DnsTransaction(new Uint8Array(12), undefined)],
  [HTTP, new HttpTransaction(undefined, undefined)],
  [
    QUIC,
    new QuicStream({ version: 1, dcid: NO_BYTES, scid: NO_BYTES, packetType: 0, payloadBytesCount: 0 }, undefined),
  ],
  [SSH, new SshHandshake(side, side)],
  [DTLS, new DtlsHandshake({})],
  [MQTT, new MqttConnect(new Uint8Array(2), undefined)],
  [GQUIC, new GquicStream('Q043', NO_BYTES, undefined)],
];

for (const [protocol, session] of SESSIONS) {
  test(`${protocol.name}: what the catalog says is what there is`, () => {
    for (const { name, access } of protocol.fields) {
      if (access.kind === 'session') assert.ok(access.property in session, name);
    }
    assert.is(session.constructor.name, protocol.sessionType?.name);
    const parsers = parsersFor([protocol.name]).filter((parser) => !PREAMBLES.includes(parser));
    assert.ok(parsers.length > 0);
    for (const parser of parsers) assert.is(parser.proto, protocol.number);
    assert.equal(parsers.flatMap((parser) => parser.over).sort(), [...protocol.over].sort());
  });
}

test('parsers by name', () => {
  assert.equal(
    parsersFor(['dns', 'tls']).map(({ name, over }) => `${name} ${over}`),
    ['dns udp', 'dns tcp', 'tls tcp', 'socks tcp', 'proxy tcp'],
  );
  assert.equal(parsersFor([]), []);
  assert.equal(parsersFor(['quic']).length, 1, 'no preambles over UDP');
  assert.throws(() => parsersFor(['gopher']), /no parser for the protocol 'gopher'/);
  assert.is(new Set(PARSERS).size, PARSERS.length);
});

test.run();
