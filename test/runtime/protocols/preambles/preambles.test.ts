/** SOCKS and the PROXY header: where they end, however they are cut, and that what is none is found to be none. */
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Parse, type ParserFactory, Probe } from '../../../../runtime/protocols/contract.ts';
import { PROXY_PREAMBLE } from '../../../../runtime/protocols/preambles/proxy-header.ts';
import { SOCKS_PREAMBLE } from '../../../../runtime/protocols/preambles/socks.ts';
import { PREAMBLES } from '../../../../runtime/protocols/registry.ts';
import { cutBy, type Flight, orig, resp, whole } from '../../../support/session-parser.ts';
import { type Bytes, concat, text } from '../../../support/tls-messages.ts';

const test = suite('preambles');

/** What is left of the last flight when the parser switches; undefined if it does not. Asked as the engine asks. */
function rest(factory: ParserFactory, flights: readonly Flight[], cut = whole): number | undefined {
  const parser = factory.create();
  for (const [i, { fromOrig, bytes = new Uint8Array() }] of flights.entries()) {
    for (let at = 0; at < bytes.length; ) {
      const length = cut(bytes.length - at);
      const said = parser.parse(fromOrig, bytes, at, length);
      at += length;
      if (said === Parse.SWITCH) return i === flights.length - 1 ? bytes.length - at + (parser.rest?.() ?? 0) : -1;
      if (said === Parse.STOP) return undefined;
    }
  }
  return undefined;
}

const asks = (...parts: Bytes[]) => orig(concat(...parts));
const says = (...parts: Bytes[]) => resp(concat(...parts));
const name = concat([3, 11], text('example.com'), [1, 187]);
const bound = [1, 0, 0, 0, 0, 0, 0];
const banner = text('SSH-2.0-x\r\n');

const conversations: Record<string, readonly Flight[]> = {
  'SOCKS 5': [asks([5, 1, 0]), says([5, 0]), asks([5, 1, 0], name), says([5, 0, 0], bound, banner)],
  'SOCKS 5 with a password': [
    asks([5, 2, 0, 2]),
    says([5, 2]),
    asks([1, 1, 0x61, 2, 0x62, 0x63]),
    says([1, 0]),
    asks([5, 1, 0, 1, 192, 0, 2, 1, 0, 80]),
    says([5, 0, 0, 4], new Uint8Array(18), banner),
  ],
  'SOCKS 4': [asks([4, 1, 0, 80, 192, 0, 2, 1], text('me\0')), says([0, 90, 0, 0, 0, 0, 0, 0], banner)],
  'SOCKS 4a': [asks([4, 1, 0, 80, 0, 0, 0, 1, 0], text('example.org\0')), says([0, 90, 0, 0, 0, 0, 0, 0], banner)],
  'the PROXY line': [asks(text('PROXY TCP4 192.0.2.1 192.0.2.2 40000 443\r\n'), banner)],
  'the PROXY line of an unknown connection': [asks(text('PROXY UNKNOWN\r\n'), banner)],
  'the binary PROXY header': [
    asks(text('\r\n\r\n\0\r\nQUIT\n'), [0x21, 0x11, 0, 12, 192, 0, 2, 1, 192, 0, 2, 2, 0x9c, 0x40, 1, 187], banner),
  ],
};

for (const [title, flights] of Object.entries(conversations)) {
  const factory = title.startsWith('SOCKS') ? SOCKS_PREAMBLE : PROXY_PREAMBLE;
  test(`${title} is found, and ends before what follows, cut in any way`, () => {
    const found = flights.map(({ fromOrig, bytes = new Uint8Array() }) =>
      factory.create().probe(fromOrig, bytes, 0, bytes.length),
    );
    assert.ok(found.includes(Probe.YES));
    assert.is(found.slice(0, found.indexOf(Probe.YES)).includes(Probe.NO), false);
    assert.is(rest(factory, flights), banner.length);
    const cuts = fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 6 });
    fc.assert(fc.property(cuts, (list) => assert.is(rest(factory, flights, cutBy(list)), banner.length)));
  });
}

test('what is refused, not asked for or spoilt has nothing behind it', () => {
  const wrong: readonly (readonly Flight[])[] = [
    [asks([5, 1, 0]), says([5, 255])],
    [asks([5, 1, 0]), says([5, 0]), asks([5, 3, 0], name), says([5, 0, 0], bound, banner)],
    [asks([5, 1, 0]), says([5, 0]), asks([5, 1, 0], name), says([5, 5, 0], bound, banner)],
    [asks([5, 1, 0]), says([5, 0]), asks([5, 1, 0, 9], name), says([5, 0, 0], bound, banner)],
    [asks([5, 1, 2]), says([5, 2]), asks([1, 1, 0x61, 1, 0x62]), says([1, 1])],
    [asks([4, 1, 0, 80, 192, 0, 2, 1, 0]), says([0, 91, 0, 0, 0, 0, 0, 0], banner)],
    [asks([4, 2, 0, 80, 192, 0, 2, 1, 0]), says([0, 90, 0, 0, 0, 0, 0, 0], banner)],
    [says([0, 90, 0, 0, 0, 0, 0, 0], banner)],
  ];
  for (const flights of wrong) assert.is(rest(SOCKS_PREAMBLE, flights), undefined);
  assert.is(rest(PROXY_PREAMBLE, [asks(text(`PROXY TCP4 ${'1'.repeat(200)}\r\n`))]), undefined);
});

test('other first bytes are refused at once', () => {
  for (const start of [
    'GET / HTTP/1.1\r\n',
    'PROXIMA',
    '\u0016\u0003\u0001',
    '\u0005\u0001\u0000more',
    'SSH-2.0-x\r\n',
  ]) {
    for (const factory of PREAMBLES) {
      assert.is(factory.create().probe(true, text(start), 0, start.length), Probe.NO, `${factory.name} ${start}`);
    }
  }
});

test('nothing throws, and a side is kept only as far as it may go', () => {
  const bytes = fc.uint8Array({ maxLength: 60 });
  const flights = fc.array(
    fc.tuple(fc.boolean(), fc.constantFrom([5, 1, 0], [5, 0], [4, 1], [13, 10], [0, 90]), bytes),
  );
  fc.assert(
    fc.property(flights, (list) => {
      for (const factory of PREAMBLES) {
        rest(
          factory,
          list.map(([from, start, more]) => ({ fromOrig: from, bytes: concat(start, more) })),
        );
      }
    }),
  );
  const endless = [asks([4, 1, 0, 80, 192, 0, 2, 1], new Uint8Array(4000).fill(65))];
  assert.is(rest(SOCKS_PREAMBLE, endless), undefined);
});

test.run();
