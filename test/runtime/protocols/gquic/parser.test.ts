import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Parse, Probe } from '../../../../runtime/protocols/contract.ts';
import { readChlo } from '../../../../runtime/protocols/gquic/chlo.ts';
import { GQUIC_PARSER } from '../../../../runtime/protocols/gquic/parser.ts';
import { QUIC_PARSER } from '../../../../runtime/protocols/quic/parser.ts';
import { SAMPLES } from '../../../fuzz/samples.ts';
import * as quic from '../../../support/quic-packets.ts';
import { type Flight, orig, sessionsOf } from '../../../support/session-parser.ts';
import { type Bytes, concat, text } from '../../../support/tls-messages.ts';

const test = suite('gquic parser');
const parser = GQUIC_PARSER.create();
function parsed(flights: readonly Flight[]): unknown[] {
  parser.reset();
  return sessionsOf(parser, flights);
}
const probe = (bytes: Uint8Array) => parser.probe(true, bytes, 0, bytes.length);
const told = { cid: '0102030405060708', sni: 'g.example.a', user_agent: 'fuzz' };
const [q043 = [], q025 = [], q046 = []] = SAMPLES['gquic udp'] ?? [];

test('a CHLO in one packet, of the big-endian versions and of those before', () => {
  assert.equal(parsed(q043), [{ version: 'Q043', ...told }]);
  assert.equal(parsed(q025), [{ version: 'Q025', ...told }]);
});

test('a CHLO over two packets with long headers', () => {
  assert.equal(parsed(q046), [{ version: 'Q046', ...told }]);
  assert.equal(parsed(q046.slice(0, 1)), [{ version: 'Q046', cid: told.cid }]);
});

test('nothing more is read once the CHLO is whole', () => {
  parser.reset();
  const [first] = q043;
  const bytes = first?.bytes ?? new Uint8Array();
  assert.is(parser.parse(true, bytes, 0, bytes.length), Parse.STOP);
});

test('probing: a version that is told, no other', () => {
  for (const flights of [q043, q025, q046]) assert.is(probe(flights[0]?.bytes ?? new Uint8Array()), Probe.YES);
  const start = (first: number, version: string) => concat([first, 1, 2, 3, 4, 5, 6, 7, 8], text(version), [1, 0]);
  for (const no of [start(8, 'Q043'), start(11, 'Q043'), start(9, 'Q046'), start(9, 'Q0x3'), start(0x49, 'Q043')]) {
    assert.is(probe(no), Probe.NO);
  }
  assert.is(probe(quic.initial({ dcid: [1, 2, 3, 4, 5, 6, 7, 8] }, new Uint8Array(4))), Probe.NO);
});

test('a CHLO whose index does not fit is none', () => {
  const chlo = (count: number, ...rest: Bytes[]) => concat(text('CHLO'), [count, 0, 0, 0], ...rest);
  const end = (n: number) => concat(text('SNI\0'), [n, 0, 0, 0]);
  assert.equal(readChlo(chlo(1, end(1), text('a'))), { sni: 'a', userAgent: undefined });
  for (const wrong of [
    chlo(1, end(2), text('a')),
    chlo(2, end(1), text('a')),
    chlo(200),
    text('CHLO'),
    text('REJ\0'),
  ]) {
    assert.is(readChlo(wrong), undefined);
  }
  assert.is(readChlo(chlo(2, end(1), end(0), text('a'))), undefined, 'values that go back');
});

/** The CHLO of the samples, whole. */
const hello = concat(...q046.map(({ bytes = new Uint8Array() }) => bytes.subarray(34)));

test('Q050 is QUIC: its CHLO tells the name', () => {
  const frames = concat([8], quic.varint(0), quic.varint(hello.length, 2), hello);
  const packet = quic.initial({ version: 0x51303530, dcid: [8, 7, 6, 5, 4, 3, 2, 1] }, frames);
  assert.is(probe(packet), Probe.NO);
  const [session] = sessionsOf(QUIC_PARSER.create(), [orig(packet)]) as Record<string, unknown>[];
  assert.is(session.sni, 'g.example.a');
  assert.is(session.ja3_hash, undefined);
});

test.run();
