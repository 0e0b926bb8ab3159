import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { formatDiagnostics } from '../../../compiler/cli/print-diagnostics.ts';
import { check } from '../../../compiler/language/check.ts';
import type { Diagnostic } from '../../../compiler/language/diagnostic.ts';
import { parseFilterFile } from '../../../compiler/language/parse.ts';
import type { TypedExpr, TypedProgram } from '../../../compiler/language/typed.ts';
import { testEnvironment } from '../../support/check-environment.ts';

const FILES = {
  'hosts.txt': '# hosts\na.com\n  b.com  # inline\n\n',
  'nets.txt': '10.0.0.0/8\n::1\n',
  'bad.txt': '10.0.0.1\nfoo\n',
  'empty.txt': '#\n',
};

function run(text: string, files = FILES): { program: TypedProgram | undefined; diagnostics: readonly Diagnostic[] } {
  const file = { path: 'test.iris', text };
  const { ast, diagnostics } = parseFilterFile(file);
  const checked = check(ast, file, testEnvironment(files));
  return { program: checked.program, diagnostics: [...diagnostics, ...checked.diagnostics] };
}

/** The typed condition of a subscription to connection records at a level where everything is allowed. */
function typed(condition: string, before = '', files = FILES): TypedExpr {
  const { program, diagnostics } = run(`${before}\nsubscribe f(pdu: L4Pdu) at InL4Conn when ${condition}`, files);
  assert.equal(
    diagnostics.filter(({ severity }) => severity === 'error').map(({ message }) => message),
    [],
    condition,
  );
  const [first] = program?.subscriptions ?? [];
  if (first === undefined) throw new Error(condition);
  return first.when;
}

/** A typed condition as text: fields with their tests. */
function show(expr: TypedExpr): string {
  switch (expr.kind) {
    case 'true':
      return 'true';
    case 'not':
      return `not ${show(expr.expr)}`;
    case 'and':
    case 'or':
      return `(${expr.terms.map(show).join(` ${expr.kind} `)})`;
    case 'protocol':
      return expr.protocol.name;
    case 'user':
      return `${expr.filter.name}()`;
    case 'field': {
      const { test: t } = expr;
      const values =
        t.kind === 'ranges'
          ? t.ranges.map(({ low, high }) => (low === high ? `${low}` : `${low}..${high}`)).join(',')
          : 'pattern' in t
            ? t.pattern
            : t.values.map(String).join('|');
      return `${expr.protocol.name}.${expr.field.name}:${t.kind}[${values}]`;
    }
  }
}

/** Errors as `code: message` with the suggestion behind it. */
const errors = (text: string) =>
  run(text).diagnostics.map(
    ({ code, message, suggestion }) => `${code}: ${message}${suggestion === undefined ? '' : ` | ${suggestion}`}`,
  );

const conditionErrors = (condition: string, before = '') =>
  errors(`${before}\nsubscribe f(pdu: L4Pdu) at InL4Conn when ${condition}`);

test('numbers become sorted, merged ranges', () => {
  for (const [text, meaning] of [
    ['tcp.dst_port = 80', 'tcp.dst_port:ranges[80]'],
    ['tcp.dst_port > 1023', 'tcp.dst_port:ranges[1024..65535]'],
    ['tcp.dst_port >= 0x400', 'tcp.dst_port:ranges[1024..65535]'],
    ['tcp.dst_port < 10', 'tcp.dst_port:ranges[0..9]'],
    ['tcp.dst_port <= 10', 'tcp.dst_port:ranges[0..10]'],
    ['tcp.dst_port in {443, 80, 81..90, 85..95, 443}', 'tcp.dst_port:ranges[80..95,443]'],
    ['tcp.dst_port in 8000..8100', 'tcp.dst_port:ranges[8000..8100]'],
    ['ipv4.ttl > 63', 'ipv4.time_to_live:ranges[64..255]'],
    ['tcp.flags <= 511', 'tcp.flags:ranges[0..511]'],
    ['tcp.syn', 'tcp.syn:ranges[1]'],
    ['tcp.syn = false', 'tcp.syn:ranges[0]'],
    ['ipv4.protocol = tcp', 'ipv4.protocol:ranges[6]'],
    ['tls.version = TLSv1.3', 'tls.version:ranges[772]'],
    ["tls.version = 'tlsv1.3'", 'tls.version:ranges[772]'],
    ['tls.client_ciphers contains 0x1301', 'tls.client_ciphers:ranges[4865]'],
    ['dns.query_type in {A, AAAA}', 'dns.query_type:ranges[1,28]'],
    ['ipv4.src_addr = 10.0.0.1', 'ipv4.src_addr:ranges[167772161]'],
    ['ipv4.src_addr in 10.0.0.0/8', 'ipv4.src_addr:ranges[167772160..184549375]'],
    ['ipv4.src_addr = 10.0.0.0/31', 'ipv4.src_addr:ranges[167772160..167772161]'],
    ['ipv4.src_addr in 0.0.0.0/0', 'ipv4.src_addr:ranges[0..4294967295]'],
    ['ipv4.src_addr in 10.0.0.1..10.0.0.3', 'ipv4.src_addr:ranges[167772161..167772163]'],
    ['ipv6.src_addr = ::1', 'ipv6.src_addr:ranges[1]'],
    ['ipv6.src_addr in ::/127', 'ipv6.src_addr:ranges[0..1]'],
    ['ethernet.src = 00:00:00:00:01:02', 'ethernet.src:ranges[258]'],
  ] as const) {
    assert.is(show(typed(text)), meaning, text);
  }
});

test('texts and bytes become their tests', () => {
  for (const [text, meaning] of [
    ["tls.sni = 'a'", 'tls.sni:text-in[a]'],
    ["tls.sni in {'b', 'a', 'b'}", 'tls.sni:text-in[a|b]'],
    ["tls.sni contains 'a'", 'tls.sni:text-contains[a]'],
    ["tls.sni contains any {'a', 'b'}", 'tls.sni:text-contains[a|b]'],
    ["tls.sni starts_with 'a'", 'tls.sni:text-starts[a]'],
    ["tls.sni ends_with {'.a', '.b'}", 'tls.sni:text-ends[.a|.b]'],
    [String.raw`tls.sni ~ '^a\.b$'`, String.raw`tls.sni:text-matches[^a\.b$]`],
    // A list contains its elements, not parts of them.
    ["tls.client_alpn_protocols contains 'h2'", 'tls.client_alpn_protocols:text-in[h2]'],
    ["tls.client_alpn_protocols starts_with 'h'", 'tls.client_alpn_protocols:text-starts[h]'],
    ['ssh.key_exchange_cookie_stoc contains |15 A1|', 'ssh.key_exchange_cookie_stoc:bytes-contains[21,161]'],
    ["tls.client_random = 'ab'", 'tls.client_random:bytes-in[97,98]'],
    [String.raw`tls.client_random ~b '\x00'`, String.raw`tls.client_random:bytes-matches[\x00]`],
    ['tls.client_random starts_with |0a|', String.raw`tls.client_random:bytes-matches[^(?:\x0a)]`],
  ] as const) {
    assert.is(show(typed(text)), meaning, text);
  }
});

test('combined and neutral fields are spread, negated operators become not', () => {
  for (const [text, meaning] of [
    ['tcp.port = 80', '(tcp.src_port:ranges[80] or tcp.dst_port:ranges[80])'],
    ['not tcp.port = 80', 'not (tcp.src_port:ranges[80] or tcp.dst_port:ranges[80])'],
    ['tcp.port != 80', '(tcp and not (tcp.src_port:ranges[80] or tcp.dst_port:ranges[80]))'],
    [
      'port = 53',
      '(tcp.src_port:ranges[53] or tcp.dst_port:ranges[53] or udp.src_port:ranges[53] or udp.dst_port:ranges[53])',
    ],
    ['dst_port not in {53}', '((tcp or udp) and not (tcp.dst_port:ranges[53] or udp.dst_port:ranges[53]))'],
    ['ip.src = 0.0.0.1', 'ipv4.src_addr:ranges[1]'],
    ['ip.src in {0.0.0.1, ::2}', '(ipv4.src_addr:ranges[1] or ipv6.src_addr:ranges[2])'],
    ['ip.src != ::2', '((ipv4 or ipv6) and not ipv6.src_addr:ranges[2])'],
    ['ip.ttl = 1', '(ipv4.time_to_live:ranges[1] or ipv6.hop_limit:ranges[1])'],
    ['ip', '(ipv4 or ipv6)'],
    ["tls.sni not contains any {'a'}", '(tls and not tls.sni:text-contains[a])'],
    ["ssh.kex_algs contains 'x'", '(ssh.kex_algs_ctos:text-in[x] or ssh.kex_algs_stoc:text-in[x])'],
    ["tls.sni !~ 'a'", '(tls and not tls.sni:text-matches[a])'],
  ] as const) {
    assert.is(show(typed(text)), meaning, text);
  }
});

test('predicates keep their source form, per plain field', () => {
  const expr = typed('tcp.port   not in { 80,  # web\n 443 }');
  const texts: string[] = [];
  const walk = (one: TypedExpr): void => {
    if (one.kind === 'field') texts.push(one.text);
    else if (one.kind === 'not') walk(one.expr);
    else if (one.kind === 'and' || one.kind === 'or') one.terms.forEach(walk);
  };
  walk(expr);
  assert.equal(texts, ['tcp.src_port in { 80, 443 }', 'tcp.dst_port in { 80, 443 }']);
});

test('lets, sets, files of values and user filters stand for what they hold', () => {
  assert.is(show(typed('b or tls', 'let b = a and udp\nlet a = ipv4')), '((ipv4 and udp) or tls)');
  assert.is(show(typed('tcp.dst_port in W', 'set V = {80, 443}\nset W = {V, 22}')), 'tcp.dst_port:ranges[22,80,443]');
  assert.is(show(typed('tls.sni in H', 'set H = lines("hosts.txt")')), 'tls.sni:text-in[a.com|b.com]');
  const nets = '(ipv4.src_addr:ranges[167772160..184549375] or ipv6.src_addr:ranges[1])';
  assert.is(show(typed('ip.src in N', 'set N = lines("nets.txt")')), nets);
  const windows = { ...FILES, 'hosts.txt': '\ufeff# from elsewhere\r\na.com\r\n\r\nb.com # the other\r\n' };
  assert.is(show(typed('tls.sni in H', 'set H = lines("hosts.txt")', windows)), 'tls.sni:text-in[a.com|b.com]');
  assert.is(show(typed('not notInternal', 'use { notInternal } from "./user.ts"')), 'not notInternal()');
});

test('refuses values and operators of the wrong type', () => {
  for (const [condition, ...expected] of [
    ['tcp.dst_port = 70000', 'out-of-range: `tcp.dst_port` holds at most 65535, not 70000'],
    ['ipv4.dscp = 64', 'out-of-range: `ipv4.dscp` holds at most 63, not 64'],
    ['tcp.dst_port > 65535', 'out-of-range: no value of `tcp.dst_port` is > 65535: a number from 0 to 65535'],
    ['tcp.port < 0', 'out-of-range: no value of `tcp.port` is < 0: a number from 0 to 65535'],
    ["tcp.port = '80'", 'value-type: `tcp.port` is a number; this is text'],
    ['tcp.port = http', 'value-type: `tcp.port` is a number; `http` is not one'],
    ['tcp.port in 90..80', 'empty-range: this range is empty: its first value is larger than its last | swap its ends'],
    ['tcp.port = {1, 2}', 'operator-value: `=` takes one value, not a set | use `in`'],
    ['tcp.port = 1..2', 'operator-value: `=` takes one value, not a range | use `in`'],
    ['tcp.port in 80', 'operator-value: `in` takes a set, a range or a prefix | use `=` for a single value'],
    ['tcp.port in {}', 'empty-set: a set needs at least one value'],
    [
      'tcp.port contains 80',
      'operator-type: `contains` does not apply to `tcp.port`, which is a number; it takes `=`, `>`, `>=`, `<`, `<=`, `in` | use `=` or `in`',
    ],
    ['ipv4.addr = fe80::1', 'value-type: `ipv4.addr` is an IPv4 address; this is an IPv6 address'],
    ['ipv6.addr in 10.0.0.0/8', 'value-type: `ipv6.addr` is an IPv6 address; this is an IPv4 prefix'],
    [
      'ipv4.addr > 10.0.0.1',
      'operator-type: `>` does not apply to `ipv4.addr`, which is an IPv4 address; it takes `=`, `in` | use a range: `in 10.0.0.1..10.0.0.9`',
    ],
    ['ethernet.src = 10.0.0.1', 'value-type: `ethernet.src` is a MAC address; this is an IPv4 address'],
    ['tls.sni = 5', 'value-type: `tls.sni` is text; this is a number | text stands in quotes'],
    ['tls.sni = abc', 'value-type: `tls.sni` is text; `abc` has no quotes and is no set | text stands in quotes'],
    [
      "tls.sni > 'a'",
      'operator-type: `>` does not apply to `tls.sni`, which is text; it takes `=`, `in`, `contains`, `contains any`, `matches`, `starts_with`, `ends_with`',
    ],
    ["tls.sni contains ''", 'empty-text: `contains` an empty text is always true'],
    [
      "tls.sni ~b 'a'",
      'operator-type: `matches bytes` does not apply to `tls.sni`, which is text; it takes `=`, `in`, `contains`, `contains any`, `matches`, `starts_with`, `ends_with` | use `~`, which matches text',
    ],
    ['tls.version = TLSv1.9', 'unknown-name: `TLSv1.9` is no value of `tls.version` | did you mean `TLSv1.0`?'],
    ['tls.client_random = 5', 'value-type: `tls.client_random` is bytes; this is a number | write bytes as `|15 A1|`'],
    ['tcp.syn = 2', 'out-of-range: `tcp.syn` holds at most 1, not 2'],
    ['tcp.port', 'not-a-condition: `tcp.port` is a number; compare it with a value'],
  ] as const) {
    assert.equal(conditionErrors(condition), expected, condition);
  }
});

test('refuses regular expressions that RE2 cannot run', () => {
  const why = 'would need backtracking, which hostile text can make arbitrarily slow; RE2 has none';
  for (const [pattern, message] of [
    ['(a)\\1', `the back-reference \`\\1\` ${why}`],
    ['(?=a)', `\`(?=…)\` (look-ahead) ${why}`],
    ['(?<!a)b', `\`(?<!…)\` (negative look-behind) ${why}`],
    ['(?>a)', `\`(?>…)\` (an atomic group) ${why}`],
  ] as const) {
    assert.equal(conditionErrors(`tls.sni ~ '${pattern}'`), [`regex: ${message}`], pattern);
  }
  const [open] = conditionErrors("tls.sni ~ '(a'");
  assert.match(open ?? '', /^regex: this is not a regular expression of RE2: /);
  // In a class or behind a backslash these are just characters.
  typed("tls.sni ~ '[(?=]\\\\(?=a'");
});

test('unknown names come with suggestions', () => {
  for (const [condition, expected] of [
    ["tls.sin = 'x'", 'unknown-field: tls has no field `sin` | did you mean `tls.sni`?'],
    ["tls.host = 'x'", 'unknown-field: tls has no field `host` | did you mean `http.host`?'],
    ["tsl.sni = 'x'", 'unknown-protocol: no protocol is named `tsl` | did you mean `tls.sni`?'],
    ['tlss', 'unknown-name: nothing is named `tlss`: no protocol, `let` or imported filter | did you mean `tls`?'],
    ['sni', 'unknown-name: nothing is named `sni`: no protocol, `let` or imported filter | did you mean `tls.sni`?'],
    ["sni = 'x'", 'unknown-field: no field is named `sni` | did you mean `tls.sni`?'],
    ['tls = 5', 'unknown-field: `tls` is no field and cannot be compared'],
    ['port', 'not-a-condition: `port` is a field; compare it with a value, as in `port = 443`'],
    ['constructor', 'unknown-name: nothing is named `constructor`: no protocol, `let` or imported filter'],
    ['ip.adr = 1.2.3.4', 'unknown-field: ip has no field `adr` | did you mean `ip.addr`?'],
  ] as const) {
    assert.equal(conditionErrors(condition), [expected], condition);
  }
  assert.equal(conditionErrors('wbe', 'let web = tls'), [
    'unknown-name: nothing is named `wbe`: no protocol, `let` or imported filter | did you mean `web`?',
  ]);
  assert.equal(conditionErrors('tls and V', 'set V = {1}'), [
    'not-a-condition: `V` is a set; compare a field with it, as in `tls.sni in V`',
  ]);
});

test('declarations: duplicates, reserved names, cycles, unreadable files, unused names', () => {
  const end = '\nsubscribe f(c: ConnRecord) when tcp';
  for (const [text, ...expected] of [
    ['let a = tls\nlet a = udp', 'duplicate-name: `a` is declared twice'],
    ['let tls = udp', 'reserved-name: `tls` is the name of a protocol; choose another'],
    ['let port = udp', 'reserved-name: `port` is the name of a field; choose another'],
    ['let a = b\nlet b = c\nlet c = not a', 'cycle: `a` is defined by itself'],
    ['let a = a', 'cycle: `a` is defined by itself'],
    ['set A = {B}\nset B = {A}\nlet a = tcp.port in A', 'cycle: the set `A` contains itself'],
    [
      'set A = lines("none.txt")\nlet a = tls.sni in A or tls.alpn in A',
      'unreadable-file: cannot read `none.txt`: no such file',
    ],
    ['set A = lines("empty.txt")\nlet a = tls.sni in A', 'empty-set: `empty.txt` holds no values'],
    [
      'use { x } from "./none.ts"\nlet a = x and y',
      'unresolved-use: there is no file `./none.ts`',
      'unknown-name: nothing is named `y`: no protocol, `let` or imported filter',
    ],
    [
      'use { onHttp } from "./user.ts"',
      'unresolved-use: "./user.ts" exports no `onHttp` that a filter can use | did you mean `onHttps`?',
    ],
    ['let a = tls', 'unused: `a` is never used'],
    [
      'let a = ipv4.addr in 10.0.0.1/8',
      'unused: `a` is never used',
      'host-bits: `10.0.0.1/8` has bits set behind its prefix; they are ignored',
    ],
  ] as const) {
    assert.equal(errors(text + end), expected, text);
  }
  assert.equal(conditionErrors('tls.sni in HOST and tls.sni not contains any H', "set HOSTS = {'a'}"), [
    'unknown-name: there is no set `HOST` | did you mean `HOSTS`?',
    'unknown-name: there is no set `H`',
  ]);
  assert.equal(conditionErrors('ip.addr = HOST or ip.src in {80}'), [
    'value-type: `ip.addr` is an IPv4 or IPv6 address; `HOST` is not one',
    'value-type: `ip.src` is an IPv4 or IPv6 address; this is a number',
  ]);
  const [inFile] = run(`set A = lines("bad.txt")\nsubscribe f(c: ConnRecord) when ipv4.addr in A`).diagnostics;
  assert.is(inFile?.file.path, 'bad.txt');
  assert.equal(inFile?.span, { start: 9, end: 12 });
});

test('subscriptions: names, handlers and data types', () => {
  for (const [text, ...expected] of [
    ['', 'no-subscription: this file subscribes to nothing: it has no `subscribe` statement'],
    ['subscribe f(c: ConnRecord)\nsubscribe f(c: ConnRecord)', 'duplicate-name: there are two subscriptions named `f`'],
    ['subscribe class(c: ConnRecord)', 'reserved-name: `class` is a reserved word of TypeScript; choose another name'],
    ['subscribe f(c: ConnRecord, c: FiveTuple)', 'duplicate-name: there are two parameters named `c`'],
    ['subscribe f(c: ConRecord)', 'unknown-type: there is no data type `ConRecord` | did you mean `ConnRecord`?'],
    [
      'subscribe f(c: ConnRecord) at L4Terminatd',
      'unknown-level: there is no level `L4Terminatd` | did you mean `L4Terminated`?',
    ],
    [
      'subscribe onHttps when tls',
      'not-a-callback: `onHttps` has no parameters and is not imported, so there is nothing to deliver to it | import it: `use { onHttps } from "./file.ts"`, or say what it takes: `subscribe onHttps(conn: ConnRecord) when ...`',
    ],
    [
      'use { notInternal } from "./user.ts"\nsubscribe notInternal',
      'not-a-callback: `notInternal` is a filter: use it behind `when`',
    ],
    [
      'use { onHttps } from "./user.ts"\nsubscribe onHttps(c: ConnRecord)',
      'duplicate-name: `onHttps` is imported from "./user.ts" | leave out the parameters: `subscribe onHttps when ...`',
    ],
    [
      'use { onHttps } from "./user.ts"\nsubscribe f(c: ConnRecord) when onHttps',
      'not-a-condition: `onHttps` is a callback, not a filter',
    ],
    ['use { odd } from "./user.ts"\nsubscribe odd', 'unknown-type: there is no data type `NoSuchType`'],
    [
      'use { Bitrate } from "./user.ts"\nsubscribe Bitrate at InL4Stream',
      'level: `Bitrate` is a class: its methods say with `@on` where they are called | leave out `at`',
    ],
    [
      'use { Wrong } from "./user.ts"\nsubscribe Wrong',
      'level: `L4Pdu` is the packet at hand, and there is none at L4Terminated',
    ],
  ] as const) {
    assert.equal(errors(text), expected, text);
  }
  const { program } = run(`use { onHttps, Bitrate, Mine, notInternal } from "./user.ts"
subscribe onHttps when tls and notInternal
subscribe Bitrate
subscribe f(m: Mine)`);
  assert.equal(
    program?.subscriptions.map(({ name, levels, callback }) => [name, levels.join(), callback?.kind]),
    [
      ['onHttps', 'L7EndHdrs', 'function'],
      ['Bitrate', 'InL4Stream,L4Terminated', 'class'],
      ['f', 'L4Terminated', undefined],
    ],
  );
  assert.equal(program?.uses, [{ from: './user.ts', names: ['onHttps', 'Bitrate', 'Mine', 'notInternal'] }]);
  assert.is(program?.subscriptions[0]?.text, 'tls and notInternal');
});

test('all mistakes of a file are reported, each at its place', () => {
  const text = `use { onHttps } from "./handlers.ts"
set VIDEO = lines("hosts.txt")
let web = tcp.port in {80, 443,
subscribe handshakes(tls: TlsHandshake, conn: FiveTupel)
  when tls.sin contains any VIDEO and web
subscribe onHttps when tls and tcp.dst_port = 70000
subscribe flows(conn: ConnRecord) at L4Terminated when tcp and udp
`;
  const file = { path: 'video.iris', text };
  const { ast, diagnostics } = parseFilterFile(file);
  const all = [...diagnostics, ...check(ast, file, testEnvironment(FILES)).diagnostics];
  assert.is(
    formatDiagnostics(all, { color: false }),
    `video.iris:3:32: error: expected a value after \`,\` [syntax]
 3 | let web = tcp.port in {80, 443,
   |                                ^

video.iris:1:22: error: there is no file \`./handlers.ts\` [unresolved-use]
 1 | use { onHttps } from "./handlers.ts"
   |                      ^^^^^^^^^^^^^^^

video.iris:4:47: error: there is no data type \`FiveTupel\` [unknown-type]
 4 | subscribe handshakes(tls: TlsHandshake, conn: FiveTupel)
   |                                               ^^^^^^^^^
   = did you mean \`FiveTuple\`?

video.iris:5:12: error: tls has no field \`sin\` [unknown-field]
 5 |   when tls.sin contains any VIDEO and web
   |            ^^^
   = did you mean \`tls.sni\`?

video.iris:6:47: error: \`tcp.dst_port\` holds at most 65535, not 70000 [out-of-range]
 6 | subscribe onHttps when tls and tcp.dst_port = 70000
   |                                               ^^^^^

video.iris:7:56: error: nothing can satisfy this: \`tcp\` and \`udp\` exclude each other: a packet has one transport protocol [unsatisfiable]
 7 | subscribe flows(conn: ConnRecord) at L4Terminated when tcp and udp
   |                                                        ^^^^^^^^^^^

6 errors
`,
  );
});

test.run();
