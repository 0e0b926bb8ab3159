import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { check } from '../../../compiler/language/check.ts';
import { parseFilterFile } from '../../../compiler/language/parse.ts';
import type { TypedExpr } from '../../../compiler/language/typed.ts';
import { testEnvironment } from '../../support/check-environment.ts';
import { evaluate, evaluateAtEnd, type Facts, type FieldValue } from '../../support/interpreter.ts';

function typed(condition: string): TypedExpr {
  const file = {
    path: 'test.iris',
    text: `use { notInternal } from "./user.ts"\nsubscribe f(pdu: L4Pdu) at InL4Conn when ${condition}`,
  };
  const { program } = check(parseFilterFile(file).ast, file, testEnvironment());
  const [first] = program?.subscriptions ?? [];
  if (first === undefined) throw new Error(condition);
  return first.when;
}

function facts(
  protocols: Record<string, boolean>,
  fields: Record<string, FieldValue> = {},
  filters: Record<string, boolean> = {},
): Facts {
  return {
    protocols: new Map(Object.entries(protocols)),
    fields: new Map(Object.entries(fields)),
    filters: new Map(Object.entries(filters)),
  };
}

const NOTHING = facts({});
const TCP = facts({ ipv4: true, ipv6: false, tcp: true, udp: false }, { 'tcp.src_port': 5000n, 'tcp.dst_port': 443n });
const TLS = facts(
  { ...Object.fromEntries(TCP.protocols), tls: true },
  { ...Object.fromEntries(TCP.fields), 'tls.sni': 'a.com' },
);

test('what is not known yet stays unknown until it no longer matters', () => {
  for (const [condition, nothing, tcp, tls] of [
    ['tls', undefined, undefined, true],
    ['not tls', undefined, undefined, false],
    ['tls or tcp', undefined, true, true],
    ['tls and tcp', undefined, undefined, true],
    ['tls and tcp.dst_port = 80', undefined, false, false],
    ['not (tls and tcp.dst_port = 80)', undefined, true, true],
    ["tls.sni = 'a.com'", undefined, undefined, true],
    ["tls.sni != 'a.com'", undefined, undefined, false],
    ['udp.dst_port = 53', undefined, false, false],
    ['udp.dst_port != 53', undefined, false, false],
    ['not udp.dst_port = 53', undefined, true, true],
    ['tcp.port != 443', undefined, false, false],
    ['tcp.port != 80', undefined, true, true],
    ['notInternal', undefined, undefined, undefined],
  ] as const) {
    const expr = typed(condition);
    assert.equal(
      [NOTHING, TCP, TLS].map((known) => evaluate(expr, known)),
      [nothing, tcp, tls],
      condition,
    );
  }
  assert.is(evaluate({ kind: 'true' }, NOTHING), true);
  assert.is(evaluate(typed('notInternal'), facts({}, {}, { notInternal: true })), true);
});

test('at the end what was never revealed is false', () => {
  for (const [condition, expected] of [
    ['tls', false],
    ['not tls', true],
    ["not tls.sni = 'x'", true],
    ["tls.sni != 'x'", false],
    ['tcp and not tls', true],
    ['udp or tls', false],
  ] as const) {
    assert.is(evaluateAtEnd(typed(condition), TCP), expected, condition);
  }
});

test('every test looks at its own type of value', () => {
  const tls = (fields: Record<string, FieldValue>) => facts({ tls: true, ssh: false }, fields);
  for (const [condition, fields, expected] of [
    ["tls.sni contains any {'a', 'b'}", { 'tls.sni': 'xbx' }, true],
    ["tls.sni starts_with 'a'", { 'tls.sni': 'ba' }, false],
    ["tls.sni ends_with 'a'", { 'tls.sni': 'ba' }, true],
    [String.raw`tls.sni ~ '(^|\.)b\.c$'`, { 'tls.sni': 'a.b.c' }, true],
    [String.raw`tls.sni ~ '(^|\.)b\.c$'`, { 'tls.sni': 'ab.c' }, false],
    ["tls.sni = ''", { 'tls.sni': null }, false],
    ["tls.client_alpn_protocols contains 'h2'", { 'tls.client_alpn_protocols': ['http/1.1', 'h2'] }, true],
    ["tls.client_alpn_protocols contains 'h2'", { 'tls.client_alpn_protocols': ['h2c'] }, false],
    ['tls.client_ciphers = 0x1301', { 'tls.client_ciphers': [5n, 0x1301n] }, true],
    ['tls.client_ciphers = 0x1301', { 'tls.client_ciphers': [] }, false],
    ['tls.client_random contains |02 03|', { 'tls.client_random': Uint8Array.of(1, 2, 3) }, true],
    ['tls.client_random = |02 03|', { 'tls.client_random': Uint8Array.of(1, 2, 3) }, false],
    [String.raw`tls.client_random ~b '\xff$'`, { 'tls.client_random': Uint8Array.of(1, 255) }, true],
  ] as const) {
    assert.is(evaluate(typed(condition), tls(fields)), expected, condition);
  }
});

test.run();
