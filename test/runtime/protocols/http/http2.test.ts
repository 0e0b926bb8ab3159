/** HTTP/2: header compression by the RFC's own examples, and whole connections that Node's HTTP/2 made. */
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Parse, Probe } from '../../../../runtime/protocols/contract.ts';
import { createHpackDecoder } from '../../../../runtime/protocols/http/hpack.ts';
import { PREFACE } from '../../../../runtime/protocols/http/http2.ts';
import { HTTP_PARSER } from '../../../../runtime/protocols/http/parser.ts';
import { recordHttp2, request } from '../../../support/http2-traffic.ts';
import { cutBy, type Flight, orig, resp, sessionsOf } from '../../../support/session-parser.ts';
import { concat, text, u16be } from '../../../support/tls-messages.ts';

const test = suite('http2');
const parser = HTTP_PARSER.create();

type Told = Record<string, unknown>;
function parsed(flights: readonly Flight[], cut?: (left: number) => number): Told[] {
  parser.reset();
  return sessionsOf(parser, flights, cut) as Told[];
}
const hex = (digits: string) => Uint8Array.from(Buffer.from(digits.replace(/ /g, ''), 'hex'));

test('requests of RFC 7541 appendix C.3 and C.4', () => {
  const plain = ['828684410f7777772e6578616d706c652e636f6d', '828684be58086e6f2d6361636865'];
  plain.push('828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565');
  const huffman = ['828684418cf1e3c2e5f23a6ba0ab90f4ff', '828684be5886a8eb10649cbf'];
  huffman.push('828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf');
  for (const blocks of [plain, huffman]) {
    const decoder = createHpackDecoder();
    const decoded = blocks.map((block) => decoder.decode(hex(block), 0, block.length / 2));
    assert.equal(decoded, [
      [
        [':method', 'GET'],
        [':scheme', 'http'],
        [':path', '/'],
        [':authority', 'www.example.com'],
      ],
      [
        [':method', 'GET'],
        [':scheme', 'http'],
        [':path', '/'],
        [':authority', 'www.example.com'],
        ['cache-control', 'no-cache'],
      ],
      [
        [':method', 'GET'],
        [':scheme', 'https'],
        [':path', '/index.html'],
        [':authority', 'www.example.com'],
        ['custom-key', 'custom-value'],
      ],
    ]);
  }
});

test('what is no header block is refused', () => {
  const refused = (digits: string) => {
    const block = hex(digits);
    assert.is(createHpackDecoder().decode(block, 0, block.length), undefined, digits);
  };
  refused('80'); // index 0
  refused('be'); // nothing in the dynamic table
  refused('4088f1e3'); // a string that is cut off
  refused('418430ffffff'); // too much padding
  refused('4184fffffffc'); // the end code
  refused('3fe1ffff7f'); // a table of 268 million bytes
  refused('ffffffffffff7f'); // an index without end
  // A few bytes that unfold to more than 128 KiB: an entry of 4000 bytes, a hundred times.
  refused(`400161${'7fa11e'}${'62'.repeat(4000)}${'be'.repeat(100)}`);
});

let recorded: Promise<Flight[]> | undefined;
/** Requests with large and many headers, so that tables fill and blocks take several frames. */
function connection(): Promise<Flight[]> {
  recorded ??= recordHttp2(
    (headers) => ({
      headers: {
        ':status': headers[':path'] === '/none' ? 404 : 200,
        'content-type': 'text/plain',
        'x-id': headers['x-id'],
      },
      body: 'hello',
    }),
    async (client) => {
      await request(client, { ':path': '/first', 'user-agent': 'tester', cookie: ['a=1', 'b=2'], 'x-id': '1' });
      await Promise.all(
        Array.from({ length: 20 }, (_, i) =>
          request(client, { ':path': `/many/${i}`, 'x-id': `v${'y'.repeat(40 * i)}` }),
        ),
      );
      await request(client, { ':path': '/none', 'x-long': 'z'.repeat(20000) });
      await request(
        client,
        { ':method': 'POST', ':path': '/post', 'content-length': 4, 'content-type': 'a/b' },
        'body',
      );
    },
  );
  return recorded;
}

test('a connection of Node', async () => {
  const told = parsed(await connection());
  assert.is(told.length, 23);
  const [first] = told;
  assert.match(String(first.host), /^127\.0\.0\.1:\d+$/);
  assert.equal(
    { ...first, host: undefined },
    {
      method: 'GET',
      uri: '/first',
      host: undefined,
      user_agent: 'tester',
      cookie: 'a=1; b=2',
      request_version: 'HTTP/2.0',
      status_code: 200,
      response_version: 'HTTP/2.0',
      response_content_type: 'text/plain',
    },
  );
  assert.equal(
    told
      .slice(1, 21)
      .map(({ uri, status_code }) => `${uri} ${status_code}`)
      .sort(),
    Array.from({ length: 20 }, (_, i) => `/many/${i} 200`).sort(),
  );
  assert.equal([told[21].uri, told[21].status_code], ['/none', 404]);
  const post = told[22];
  assert.equal(
    [post.method, post.uri, post.request_content_length, post.request_content_type],
    ['POST', '/post', 4, 'a/b'],
  );
});

test('probing', async () => {
  const probe = (bytes: Uint8Array) => parser.probe(true, bytes, 0, bytes.length);
  const preface = text(PREFACE);
  for (let n = 1; n < preface.length; n++) assert.is(probe(preface.subarray(0, n)), Probe.MAYBE, `${n}`);
  assert.is(probe(preface), Probe.YES);
  const server = (await connection()).find(({ fromOrig }) => !fromOrig)?.bytes ?? new Uint8Array();
  assert.is(probe(server), Probe.MAYBE);
  assert.is(probe(text('PRI * HTTP/2.0\r\n\r\nXX')), Probe.NO);
  assert.is(probe(new Uint8Array(9)), Probe.NO);
});

test('the same streams cut in any way give the same transactions', async () => {
  const flights = await connection();
  const whole = parsed(flights);
  assert.equal(parsed(flights, cutBy([1])), whole);
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 500 }), { minLength: 1, maxLength: 8 }), (cuts) => {
      assert.equal(parsed(flights, cutBy(cuts)), whole);
    }),
    { numRuns: 40 },
  );
});

function frame(type: number, flags: number, stream: number, payload: Uint8Array): Uint8Array {
  return concat([0], u16be(payload.length), [type, flags], u16be(0, stream), payload);
}
const GET = hex('8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d');
const OK = hex('88');
const SETTINGS = frame(4, 0, 0, new Uint8Array());

test('the server may speak first', () => {
  const flights = [
    resp(SETTINGS),
    orig(concat(text(PREFACE), SETTINGS, frame(1, 5, 1, GET))),
    resp(frame(1, 4, 1, OK)),
  ];
  const [told, ...more] = parsed(flights);
  assert.equal([told.uri, told.status_code, told.host, more.length], ['/', 200, 'www.example.com', 0]);
});

test('padding, priority, continuation, interim responses, trailers, pushes and resets', () => {
  const padded = concat([3], [0, 0, 0, 0, 9], GET.subarray(0, 4), [0, 0, 0]);
  const interim = hex('0803 313033'); // :status 103
  const trailers = hex('400178 0179');
  const flights = [
    orig(concat(text(PREFACE), SETTINGS, frame(1, 8 | 32 | 1, 1, padded), frame(9, 4, 1, GET.subarray(4)))),
    orig(concat(frame(1, 5, 3, hex('828684be')), frame(3, 0, 3, new Uint8Array(4)))),
    resp(concat(SETTINGS, frame(1, 4, 1, interim), frame(5, 4, 1, concat([0, 0, 0, 2], hex('82868504012f'))))),
    resp(concat(frame(1, 4, 1, OK), frame(0, 0, 1, text('body')), frame(1, 5, 1, trailers), frame(1, 5, 2, hex('8d')))),
  ];
  assert.equal(
    parsed(flights).map(({ uri, status_code }) => `${uri} ${status_code ?? '-'}`),
    ['/ -', '/ 200', '/index.html 404'],
  );
});

test('upgraded from HTTP/1.1', () => {
  const ask = text('GET /up HTTP/1.1\r\nHost: a.example\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n');
  const switching = text('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n');
  const flights = [
    orig(ask),
    resp(concat(switching, SETTINGS, frame(1, 4, 1, OK), frame(0, 1, 1, text('x')))),
    orig(concat(text(PREFACE), SETTINGS, frame(1, 5, 3, GET))),
    resp(frame(1, 5, 3, hex('8d'))),
  ];
  assert.equal(
    parsed(flights).map((told) => [told.uri, told.request_version, told.status_code, told.response_version]),
    [
      ['/up', 'HTTP/1.1', 200, 'HTTP/2.0'],
      ['/', 'HTTP/2.0', 404, 'HTTP/2.0'],
    ],
  );
});

test('a hole in a body loses nothing; one elsewhere ends what can be said of that side', () => {
  const start = orig(concat(text(PREFACE), SETTINGS, frame(1, 5, 1, GET), frame(1, 5, 3, hex('828684be'))));
  const data = frame(0, 0, 1, new Uint8Array(3000));
  const answers = [
    resp(concat(SETTINGS, frame(1, 4, 1, OK), data.subarray(0, 500))),
    { fromOrig: false, missed: 1460, bytes: concat(data.subarray(1960), frame(1, 4, 3, OK)) },
  ];
  assert.equal(
    parsed([start, ...answers]).map((told) => told.status_code),
    [200, 200],
  );
  const lost = [resp(SETTINGS), { fromOrig: false, missed: 30, bytes: frame(1, 4, 3, OK) }];
  assert.equal(
    parsed([start, ...lost]).map((told) => told.status_code),
    [undefined, undefined],
  );
});

test('header values cannot make lines', () => {
  const value = text('a\r\nhost: evil');
  const block = concat(hex('8286'), [0x04, 5], text('/a b\n'), [0x00, 1], text('x'), [value.length], value);
  const [told] = parsed([orig(concat(text(PREFACE), SETTINGS, frame(1, 5, 1, block)))]);
  assert.equal([told.uri, told.host], ['/a%20b%0a', undefined]);
});

test('stops when neither side can be followed', () => {
  parser.reset();
  const wrong = frame(6, 0, 0, new Uint8Array(3));
  const client = concat(text(PREFACE), wrong);
  assert.is(parser.parse(true, client, 0, client.length), Parse.MORE);
  assert.is(parser.parse(false, wrong, 0, wrong.length), Parse.STOP);
});

test.run();
