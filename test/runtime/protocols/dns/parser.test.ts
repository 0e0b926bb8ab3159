import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Parse, Probe } from '../../../../runtime/protocols/contract.ts';
import { DNS_TCP_PARSER, DNS_UDP_PARSER } from '../../../../runtime/protocols/dns/parser.ts';
import { cutBy, type Flight, orig, resp, sessionsOf } from '../../../support/session-parser.ts';
import { type Bytes, concat, text, u16be, vector } from '../../../support/tls-messages.ts';

const test = suite('dns parser');

type Name = string | Bytes;
const nameBytes = (name: Name): Uint8Array =>
  typeof name !== 'string'
    ? concat(name)
    : concat(...name.split('.').map((label) => vector(1, text(label))), name === '' ? [] : [0]);

interface Parts {
  readonly id?: number;
  readonly flags?: number;
  readonly questions?: readonly (readonly [name: Name, type: number])[];
  readonly sections?: readonly (readonly Uint8Array[])[];
}
const QUERY = 0x0100;
const RESPONSE = 0x8180;

function message({ id = 7, flags = QUERY, questions = [['example.org', 1]], sections = [] }: Parts = {}): Uint8Array {
  const counts = [0, 1, 2].map((i) => sections[i]?.length ?? 0);
  return concat(
    u16be(id, flags, questions.length, ...counts),
    ...questions.map(([name, type]) => concat(nameBytes(name), u16be(type, 1))),
    ...sections.flat(),
  );
}
const record = (type: number, data: Bytes, name: Name = Uint8Array.of(0xc0, 12)): Uint8Array =>
  concat(nameBytes(name), u16be(type, 1, 0, 300), vector(2, data));
const answer = (type: number, data: Bytes): Uint8Array =>
  message({ flags: RESPONSE, questions: [['example.org', type]], sections: [[record(type, data)]] });

const udp = (...flights: readonly Flight[]) =>
  sessionsOf(DNS_UDP_PARSER.create(), flights) as Record<string, unknown>[];
const framed = (...messages: readonly Uint8Array[]) => concat(...messages.map((each) => vector(2, each)));
/** The only answer of a response. */
const answered = (type: number, data: Bytes) => (udp(resp(answer(type, data)))[0].answers as string[])[0];

test('a query and its answer are one transaction', () => {
  const response = message({
    flags: RESPONSE,
    sections: [[record(1, [192, 0, 2, 1])], [record(2, nameBytes('ns.example'))]],
  });
  assert.equal(udp(orig(message()), resp(response)), [
    {
      query_domain: 'example.org',
      query_type: 'A',
      id: 7,
      rcode: 'NOERROR',
      answers: ['192.0.2.1'],
      nameservers: ['ns.example'],
    },
  ]);
});

test('a query without an answer is delivered at the end', () => {
  assert.equal(udp(orig(message({ questions: [['example.org', 65]] }))), [
    { query_domain: 'example.org', query_type: 'HTTPS', id: 7 },
  ]);
});

test('an answer without a query is delivered alone', () => {
  assert.equal(udp(resp(message({ flags: 0x8183 }))), [
    { query_domain: 'example.org', query_type: 'A', id: 7, rcode: 'NXDOMAIN' },
  ]);
});

test('answers find their query by identifier, question and sender', () => {
  const of = (id: number, name: string, flags: number) => message({ id, flags, questions: [[name, 1]] });
  const sessions = udp(
    orig(of(1, 'a.example', QUERY)),
    orig(of(2, 'b.example', QUERY)),
    resp(of(2, 'B.Example', RESPONSE)),
    resp(of(1, 'other.example', RESPONSE)),
    orig(of(1, 'a.example', RESPONSE)),
    resp(of(1, 'a.example', 0x8182)),
  );
  const told = sessions.map(({ query_domain, rcode }) => [query_domain, rcode]);
  assert.equal(told, [
    ['b.example', 'NOERROR'],
    ['other.example', 'NOERROR'],
    ['a.example', 'NOERROR'],
    ['a.example', 'SERVFAIL'],
  ]);
});

test('an error without a question answers by identifier', () => {
  const [only, ...more] = udp(orig(message()), resp(message({ flags: 0x8181, questions: [] })));
  assert.is(more.length, 0);
  assert.is(only.rcode, 'FORMERR');
  assert.is(only.query_domain, 'example.org');
});

test('the response code of EDNS', () => {
  const opt = concat([0], u16be(41, 1232, 0x0100, 0), vector(2));
  const [only] = udp(resp(message({ flags: 0x8187, sections: [[], [], [record(1, [192, 0, 2, 9]), opt]] })));
  assert.is(only.rcode, 'BADCOOKIE');
  assert.equal(only.additionals, ['192.0.2.9']);
});

test('record data', () => {
  assert.is(answered(28, [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1]), '2001:db8::1:0:1');
  assert.is(answered(28, new Uint8Array(16)), '::');
  assert.is(answered(28, [0, 1, 0, 0, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1]), '1:0:1:1:1:1:1:1');
  assert.is(answered(5, [1, 0x61, 0xc0, 12]), 'a.example.org');
  assert.is(answered(15, concat(u16be(10), nameBytes('mx.example'))), '10 mx.example');
  assert.is(answered(33, concat(u16be(1, 2, 443), nameBytes('s.example'))), '1 2 443 s.example');
  assert.is(answered(16, concat(vector(1, text('v=spf1')), vector(1, text('-all')))), 'v=spf1 -all');
  assert.is(
    answered(6, concat(nameBytes('ns.example'), nameBytes('me.example'), u16be(0, 1, 0, 2, 0, 3, 0, 4, 0x8000, 5))),
    'ns.example me.example 1 2 3 4 2147483653',
  );
  assert.is(answered(257, concat([0], vector(1, text('issue')), text('ca.example'))), '0 issue "ca.example"');
  assert.is(answered(48, [1, 2, 0xab]), '\\# 3 0102ab');
  assert.is(answered(1, [1, 2]), '\\# 2 0102');
  assert.is(answered(10, []), '\\# 0');
});

test('names with what is no letter', () => {
  const domain = (name: Name) => udp(orig(message({ questions: [[name, 1]] })))[0].query_domain;
  assert.is(domain([0]), '.');
  assert.is(domain('_dmarc.*.a-b'), '_dmarc.*.a-b');
  assert.is(domain([3, 0x61, 0x2e, 0x5c, 0]), 'a\\.\\\\');
  assert.is(domain([2, 0x20, 0x07, 1, 0xff, 0]), ' \\007.\\255');
  assert.is(domain('bücher.example'), 'bücher.example');
});

test('compression pointers that go round or forward end the name', () => {
  assert.is(answered(5, [0xc0, 12]), 'example.org');
  const loop = message({ flags: RESPONSE, sections: [[record(5, [0xc0, 41])]] });
  assert.equal(udp(resp(loop))[0].answers, ['']);
  assert.is(answered(5, [0xff, 0xff]), '');
});

test('a connection that asks and asks keeps 64 queries', () => {
  const parser = DNS_UDP_PARSER.create();
  let early = 0;
  for (let id = 0; id < 100; id++) {
    const query = message({ id });
    if (parser.parse(true, query, 0, query.length) === Parse.READY) early++;
  }
  assert.is(early, 36);
  assert.equal((parser.take() as unknown as { id: number }).id, 0);
});

const tcpFlights = [
  orig(framed(message({ id: 1 }), message({ id: 2, questions: [['b.example', 16]] }))),
  resp(
    framed(
      message({
        id: 2,
        flags: RESPONSE,
        questions: [['b.example', 16]],
        sections: [[record(16, vector(1, new Uint8Array(200).fill(0x78)))]],
      }),
    ),
  ),
  resp(
    framed(
      message({ id: 1, flags: RESPONSE, sections: [Array.from({ length: 90 }, (_, i) => record(1, [10, 0, 0, i]))] }),
    ),
  ),
  orig(framed(message({ id: 3 }))),
];

test('over TCP, cut in any way', () => {
  const parser = DNS_TCP_PARSER.create();
  const expected = sessionsOf(parser, tcpFlights) as { id: number }[];
  assert.equal(
    expected.map(({ id }) => id),
    [2, 1, 3],
  );
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1, maxLength: 12 }), (cuts) => {
      parser.reset();
      assert.equal(sessionsOf(parser, tcpFlights, cutBy(cuts)), expected);
    }),
  );
});

test('a message that is none is passed over, two in a row end a direction', () => {
  const parser = DNS_TCP_PARSER.create();
  const good = (id: number) => message({ id });
  // A name that is longer than names are.
  const bad = message({ id: 9, questions: [[new Uint8Array(400).fill(1), 1]] });
  const ids = (...all: Uint8Array[]) => {
    parser.reset();
    return (sessionsOf(parser, [orig(framed(...all))]) as { id: number }[]).map(({ id }) => id);
  };
  assert.equal(ids(good(1), bad, good(2), bad, good(3)), [1, 2, 3]);
  assert.equal(ids(good(1), bad, bad, good(2)), [1]);
  assert.equal(ids(good(1), new Uint8Array(3), good(2)), [1, 2]);
});

test('a hole ends a direction, two end the connection', () => {
  const parser = DNS_TCP_PARSER.create();
  const [first] = tcpFlights;
  assert.is(parser.parse(true, first.bytes ?? new Uint8Array(), 0, first.bytes?.length ?? 0), Parse.MORE);
  assert.is(parser.gap(true, 5), Parse.MORE);
  assert.is(parser.gap(false, 5), Parse.STOP);
  assert.ok(parser.take());
  assert.ok(parser.take());
  assert.is(parser.take(), null);
});

test('arbitrary and damaged bytes give no error', () => {
  const good = message({
    flags: RESPONSE,
    sections: [[record(5, [0xc0, 12]), record(16, vector(1, text('x')))], [record(6, nameBytes('a.b'))]],
  });
  const damaged = fc
    .array(fc.tuple(fc.nat(good.length - 1), fc.integer({ min: 0, max: 255 })), { maxLength: 6 })
    .map((changes) => {
      const bytes = Uint8Array.from(good);
      for (const [at, to] of changes) bytes[at] = to;
      return bytes;
    });
  const piece = fc.record({
    fromOrig: fc.boolean(),
    bytes: fc.oneof(
      damaged,
      damaged.map((each) => framed(each)),
      fc.uint8Array({ maxLength: 80 }),
    ),
  });
  fc.assert(
    fc.property(fc.array(piece, { minLength: 1, maxLength: 6 }), fc.nat(100), (flights, cut) => {
      for (const factory of [DNS_UDP_PARSER, DNS_TCP_PARSER]) {
        const parser = factory.create();
        for (const { fromOrig, bytes } of flights) parser.probe(fromOrig, bytes, 0, Math.min(bytes.length, cut));
        sessionsOf(parser, flights, cutBy([cut + 1]));
      }
    }),
    { numRuns: 1000 },
  );
});

test('probing datagrams', () => {
  const parser = DNS_UDP_PARSER.create();
  const probe = (bytes: Bytes) => parser.probe(true, concat([1, 2, 3], bytes), 3, bytes.length);
  assert.is(probe(message()), Probe.YES);
  assert.is(probe(answer(1, [1, 2, 3, 4])), Probe.YES);
  assert.is(probe(message().subarray(0, 20)), Probe.NO);
  assert.is(probe(concat(message(), [0])), Probe.NO);
  assert.is(probe(message({ flags: 0x1900 })), Probe.NO);
  assert.is(probe(message({ questions: [] })), Probe.NO);
  assert.is(probe(message({ questions: [['CKAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA', 33]] })), Probe.NO);
  assert.is(probe(message({ questions: [['CKAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA', 1]] })), Probe.YES);
  assert.is(probe(text('d1:ad2:id20:aaaaaaaaaaaaaaaaaaaae1:q4:ping1:t2:aa1:y1:qe')), Probe.NO);
});

test('probing streams', () => {
  const parser = DNS_TCP_PARSER.create();
  const bytes = framed(message());
  const asked = Array.from({ length: bytes.length + 1 }, (_, length) => parser.probe(true, bytes, 0, length));
  assert.equal(new Set(asked.slice(0, -1)), new Set([Probe.MAYBE]));
  assert.is(asked.at(-1), Probe.YES);
  const long = framed(
    message({
      questions: [
        ['example.org', 1],
        ['example.com', 1],
      ],
      sections: [[], [], [record(1, new Uint8Array(900))]],
    }),
  );
  assert.is(parser.probe(true, long, 0, 120), Probe.YES);
  const plain = text('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  assert.is(parser.probe(true, plain, 0, plain.length), Probe.NO);
});

test('an inverse query has an answer and no question', () => {
  const asked = message({ flags: 0x0900, questions: [], sections: [[record(1, [192, 0, 2, 7], '')]] });
  assert.is(DNS_UDP_PARSER.create().probe(true, asked, 0, asked.length), Probe.YES);
  const [told] = udp(orig(asked), resp(message({ flags: 0x8984, questions: [] })));
  assert.is(told.id, 7);
  assert.is(told.rcode, 'NOTIMP');
  // A common query without a question is none.
  const empty = message({ questions: [], sections: [[record(1, [192, 0, 2, 7], '')]] });
  assert.is(DNS_UDP_PARSER.create().probe(true, empty, 0, empty.length), Probe.NO);
});

test('counts that a message over TCP has no room for', () => {
  const begins = (records: number) => {
    const start = concat(u16be(1283, 512, 0, 1, records, 0, 0), nameBytes('example.org'), u16be(1, 1));
    return DNS_TCP_PARSER.create().probe(true, start, 0, start.length);
  };
  assert.is(begins(0x1212), Probe.NO);
  assert.is(begins(100), Probe.YES);
});

test.run();
