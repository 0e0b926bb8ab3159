import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { LEVELS } from '../../../compiler/analysis/info.ts';
import { check } from '../../../compiler/language/check.ts';
import { comesBefore } from '../../../compiler/language/levels.ts';
import { parseFilterFile } from '../../../compiler/language/parse.ts';
import { testEnvironment } from '../../support/check-environment.ts';

const USE = 'use { notInternal, isLarge, onHttps } from "./user.ts"\n';

function run(subscribe: string) {
  const file = { path: 'test.iris', text: USE + subscribe };
  const { ast, diagnostics } = parseFilterFile(file);
  assert.equal(diagnostics, [], subscribe);
  const checked = check(ast, file, testEnvironment());
  const said = checked.diagnostics.filter(({ code }) => code !== 'unused');
  return { levels: checked.program?.subscriptions[0]?.levels, said };
}

const inferred = (subscribe: string) => {
  const { levels, said } = run(subscribe);
  return said.length > 0 ? said.map(({ message }) => message).join('; ') : levels?.join(', ');
};

test('the known order of levels is a strict partial order', () => {
  for (const a of LEVELS) {
    assert.not.ok(comesBefore(a, a));
    for (const b of LEVELS) {
      assert.not.ok(comesBefore(a, b) && comesBefore(b, a), `${a} ${b}`);
      for (const c of LEVELS)
        if (comesBefore(a, b) && comesBefore(b, c)) assert.ok(comesBefore(a, c), `${a} ${b} ${c}`);
    }
  }
  assert.ok(comesBefore('L7OnDisc', 'L7EndHdrs') && comesBefore('L4EndHshk', 'L7EndHdrs'));
  assert.not.ok(comesBefore('L4EndHshk', 'L7OnDisc') || comesBefore('L7OnDisc', 'L4EndHshk'));
  assert.not.ok(comesBefore('InL4Conn', 'L7EndHdrs') || comesBefore('L7EndHdrs', 'InL4Conn'));
});

test('the earliest level that suits is inferred', () => {
  for (const [subscribe, level] of [
    ['subscribe f(tls: TlsHandshake) when tls', 'L7EndHdrs'],
    ['subscribe f(tls: TlsHandshake)', 'L7EndHdrs'],
    ['subscribe f(tls: TlsHandshake, ft: FiveTuple) when tcp', 'L7EndHdrs'],
    ['subscribe f(tls: TlsHandshake, c: ConnRecord)', 'L4Terminated'],
    ['subscribe f(c: ConnRecord) when tls', 'L4Terminated'],
    ['subscribe f(ft: FiveTuple)', 'L4FirstPacket'],
    ['subscribe f(ft: FiveTuple) when tcp.port = 80 and tcp.syn', 'L4FirstPacket'],
    ['subscribe f(ft: FiveTuple) when notInternal', 'L4FirstPacket'],
    ['subscribe f(ft: FiveTuple) when isLarge', 'L4Terminated'],
    ['subscribe f(ft: FiveTuple) when tls', 'L7OnDisc'],
    ['subscribe f(ft: FiveTuple) when not tls', 'L7OnDisc'],
    ['subscribe f(ft: FiveTuple) when udp or tls', 'L7OnDisc'],
    ['subscribe f(p: SessionProto)', 'L7OnDisc'],
    ["subscribe f(ft: FiveTuple) when tls.sni = 'a'", 'L7EndHdrs'],
    ["subscribe f(ft: FiveTuple) when tls.sni != 'a'", 'L7EndHdrs'],
    // Holds for connections without a session too, which L7EndHdrs would miss.
    ["subscribe f(ft: FiveTuple) when not tls.sni = 'a'", 'L4Terminated'],
    ["subscribe f(ft: FiveTuple) when udp or tls.sni = 'a'", 'L4Terminated'],
    ['subscribe f(r: HandshakeRtt) when tcp', 'L4EndHshk'],
    ['subscribe f(r: HandshakeRtt) when tls', 'L7EndHdrs'],
    ['subscribe onHttps when tls', 'L7EndHdrs'],
  ] as const) {
    assert.is(inferred(subscribe), level, subscribe);
  }
});

test('where nothing can be inferred, the levels that would do are named', () => {
  for (const [subscribe, message] of [
    [
      'subscribe f(pdu: L4Pdu) when tcp.syn',
      'where `f` is delivered cannot be told from its data: `Packet`, `L4FirstPacket`, `InL4Conn` or `InL4Stream` would do',
    ],
    [
      'subscribe f(pdu: L4Pdu) when tls',
      'where `f` is delivered cannot be told from its data: `InL4Conn` or `InL4Stream` would do',
    ],
    [
      'subscribe f(c: ConnRecord) when tcp.syn',
      'where `f` is delivered cannot be told from its data: `InL4Conn` or `InL4Stream` would do; `tcp.syn` speaks of a single packet: it can be tested at `Packet`, `L4FirstPacket`, `InL4Conn` and `InL4Stream`, not at L4Terminated',
    ],
  ] as const) {
    assert.is(inferred(subscribe), message, subscribe);
  }
  const { said } = run('subscribe f(pdu: L4Pdu) when tls');
  assert.is(said[0]?.suggestion, 'say which: `subscribe f(...) at InL4Conn when ...`');
});

test('a level that does not suit is refused with the reason', () => {
  for (const [subscribe, message, suggestion] of [
    [
      'subscribe f(ft: FiveTuple) at L4FirstPacket when tls',
      '`tls` is not known before L7OnDisc',
      '`InL4Conn`, `InL4Stream`, `L7OnDisc`, `L7EndHdrs` or `L4Terminated` would do',
    ],
    [
      "subscribe f(ft: FiveTuple) at L7OnDisc when tls.sni = 'a'",
      "`tls.sni = 'a'` is not known before L7EndHdrs",
      '`InL4Conn`, `InL4Stream`, `L7EndHdrs` or `L4Terminated` would do',
    ],
    [
      'subscribe f(c: ConnRecord) at L7EndHdrs when tls',
      '`ConnRecord` is not whole before L4Terminated',
      '`InL4Conn`, `InL4Stream` or `L4Terminated` would do',
    ],
    [
      'subscribe f(pdu: L4Pdu) at L4Terminated',
      '`L4Pdu` is the packet at hand, and there is none at L4Terminated',
      '`Packet`, `L4FirstPacket`, `L4EndHshk`, `InL4Conn` or `InL4Stream` would do',
    ],
    [
      'subscribe f(ft: FiveTuple) at Packet',
      '`FiveTuple` belongs to a connection, and Packet delivers single frames outside any',
      '`L4FirstPacket`, `L4EndHshk`, `InL4Conn`, `InL4Stream`, `L7OnDisc`, `L7EndHdrs` or `L4Terminated` would do',
    ],
    [
      'subscribe f(pdu: L4Pdu) at Packet when tls',
      '`tls` is found out over a connection, and Packet delivers single frames outside any',
      '`InL4Conn` or `InL4Stream` would do',
    ],
    [
      'subscribe f(c: ConnRecord) at L4Terminated when tcp.syn',
      '`tcp.syn` speaks of a single packet: it can be tested at `Packet`, `L4FirstPacket`, `InL4Conn` and `InL4Stream`, not at L4Terminated',
      '`InL4Conn` or `InL4Stream` would do',
    ],
    [
      'subscribe f(tls: TlsHandshake) at L7OnDisc',
      '`TlsHandshake` is not known before L7EndHdrs',
      '`InL4Conn`, `InL4Stream`, `L7EndHdrs` or `L4Terminated` would do',
    ],
    [
      'subscribe f(pdu: L4Pdu) at Packet when notInternal',
      'the filter `notInternal` looks at connections, and Packet delivers single frames outside any',
      '`L4FirstPacket`, `L4EndHshk`, `InL4Conn` or `InL4Stream` would do',
    ],
  ] as const) {
    const { said } = run(subscribe);
    assert.equal(
      said.map((one) => one.message),
      [message],
      subscribe,
    );
    assert.is(said[0]?.suggestion, suggestion, subscribe);
  }
});

test('packet fields are allowed where a packet is delivered', () => {
  for (const level of ['Packet', 'L4FirstPacket', 'InL4Conn', 'InL4Stream']) {
    assert.is(inferred(`subscribe f(pdu: L4Pdu) at ${level} when tcp.syn and ipv4.ttl > 3`), level);
  }
  assert.is(inferred('subscribe f(pdu: L4Pdu) at L4FirstPacket, InL4Conn when tcp.syn'), 'L4FirstPacket, InL4Conn');
});

test('an alternative that comes too late is a warning', () => {
  const { levels, said } = run('subscribe f(ft: FiveTuple) at L4FirstPacket when tls or tcp.dst_port = 443');
  assert.equal(levels, ['L4FirstPacket']);
  assert.equal(
    said.map(({ severity, message }) => `${severity}: ${message}`),
    ['warning: part of the condition never holds at L4FirstPacket: `tls` is not known before L7OnDisc'],
  );
});

test.run();
