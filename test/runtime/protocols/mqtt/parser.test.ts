import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Parse, Probe } from '../../../../runtime/protocols/contract.ts';
import { MQTT_PARSER } from '../../../../runtime/protocols/mqtt/parser.ts';
import { cutBy, type Flight, orig, resp, sessionsOf } from '../../../support/session-parser.ts';
import { type Bytes, concat, text, u16be, vector } from '../../../support/tls-messages.ts';

const test = suite('mqtt parser');
const parser = MQTT_PARSER.create();
function parsed(flights: readonly Flight[], cut?: (left: number) => number): unknown[] {
  parser.reset();
  return sessionsOf(parser, flights, cut);
}

function packet(type: number, ...parts: readonly Bytes[]): Uint8Array {
  const body = concat(...parts);
  const length = body.length < 128 ? [body.length] : [(body.length & 127) | 128, body.length >> 7];
  return concat([type], length, body);
}
const string = (value: string) => vector(2, text(value));
/** A CONNECT with a will and a user. */
const connect = (version: number, id: string) =>
  packet(
    0x10,
    string(version === 3 ? 'MQIsdp' : 'MQTT'),
    [version, 0xc6],
    u16be(60),
    version === 5 ? [5, 17, 0, 0, 0, 9] : [],
    string(id),
    version === 5 ? [0] : [],
    string('gone/sensor'),
    string('bye'),
    string('ada'),
    string('secret'),
  );
const connack = (version: number, code: number) => packet(0x20, version === 5 ? [0, code, 0] : [0, code]);
const publish = packet(0x30, string('t'), text('21.5'));

for (const [version, shown] of [
  [3, '3.1'],
  [4, '3.1.1'],
  [5, '5.0'],
] as const) {
  test(`version ${shown}`, () => {
    const long = 'sensor-'.repeat(30);
    assert.equal(parsed([orig(connect(version, long)), resp(connack(version, 5)), orig(publish)]), [
      {
        version: shown,
        client_id: long,
        keep_alive: 60,
        clean: true,
        will_topic: 'gone/sensor',
        user_name: 'ada',
        return_code: 5,
      },
    ]);
  });
}

test('stops at the answer; without one the CONNECT is delivered at the end', () => {
  parser.reset();
  const [a, b] = [connect(4, 'x'), connack(4, 0)];
  assert.is(parser.parse(true, a, 0, a.length), Parse.MORE);
  assert.is(parser.parse(false, b, 0, b.length), Parse.STOP);
  assert.is(parsed([orig(a)]).length, 1);
  assert.is(parsed([orig(a.subarray(0, 20))]).length, 0);
  assert.is(parsed([orig(a), { fromOrig: false, missed: 3, bytes: b }]).length, 1);
});

test('probing', () => {
  const probe = (bytes: Uint8Array) => parser.probe(true, bytes, 0, bytes.length);
  for (const version of [3, 4, 5]) {
    const bytes = connect(version, 'a'.repeat(200));
    for (let n = 0; n < (version === 3 ? 11 : 9); n++) assert.is(probe(bytes.subarray(0, n)), Probe.MAYBE, `${n}`);
    assert.is(probe(bytes), Probe.YES);
  }
  for (const other of [connack(4, 0), text('GET / HTTP/1.1'), packet(0x10, string('MQTX'), new Uint8Array(9))]) {
    assert.is(probe(other), Probe.NO);
  }
  assert.is(probe(Uint8Array.of(0x10, 0xff, 0xff, 0xff, 0xff, 0xff)), Probe.NO);
});

test('the same stream cut in any way gives the same session', () => {
  const flights = [orig(concat(connect(5, 'x'.repeat(300)), publish)), resp(connack(5, 0))];
  const whole = parsed(flights);
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 99 }), { minLength: 1, maxLength: 9 }), (cuts) => {
      assert.equal(parsed(flights, cutBy(cuts)), whole);
    }),
  );
});

test.run();
