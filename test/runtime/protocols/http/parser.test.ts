import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Parse, Probe } from '../../../../runtime/protocols/contract.ts';
import { HTTP_PARSER } from '../../../../runtime/protocols/http/parser.ts';
import type { HttpTransaction } from '../../../../runtime/protocols/http/transaction.ts';
import { cutBy, type Flight, orig, resp, sessionsOf } from '../../../support/session-parser.ts';
import { text } from '../../../support/tls-messages.ts';

const test = suite('http parser');
const parser = HTTP_PARSER.create();

type Told = Record<string, unknown>;
function parsed(flights: readonly Flight[], cut?: (left: number) => number): Told[] {
  parser.reset();
  return sessionsOf(parser, flights, cut) as Told[];
}
const lines = (...all: readonly string[]) => `${all.join('\r\n')}\r\n\r\n`;
const ask = (...parts: readonly string[]) => orig(text(parts.join('')));
const answer = (...parts: readonly string[]) => resp(text(parts.join('')));
const get = (uri: string) => lines(`GET ${uri} HTTP/1.1`, 'Host: a.example');
const ok = (length: number) => lines('HTTP/1.1 200 OK', `Content-Length: ${length}`) + 'x'.repeat(length);

/** `URI STATUS` of each transaction. */
const pairs = (flights: readonly Flight[]) =>
  parsed(flights).map(({ uri, status_code }) => `${uri ?? '-'} ${status_code ?? '-'}`);

test('a request and its response', () => {
  const request = lines(
    'POST /a?b=c HTTP/1.1',
    'hOsT:a.example:8080',
    'User-Agent: \t curl/8 (x) \t',
    'Cookie: one=1; two=2',
    'Content-Length: 4',
    'Content-Type: text/plain',
    'Cookie: three=3',
  );
  const response = lines('HTTP/1.0 404 Not at all', 'Content-Type: text/html', 'Transfer-Encoding: gzip, chunked');
  assert.equal(parsed([ask(request, 'body'), answer(response, '0\r\n\r\n')]), [
    {
      method: 'POST',
      uri: '/a?b=c',
      host: 'a.example:8080',
      user_agent: 'curl/8 (x)',
      cookie: 'one=1; two=2',
      request_version: 'HTTP/1.1',
      request_content_length: 4,
      request_content_type: 'text/plain',
      status_code: 404,
      status_msg: 'Not at all',
      response_version: 'HTTP/1.0',
      response_content_type: 'text/html',
      response_transfer_encoding: 'gzip, chunked',
    },
  ]);
});

test('what stands in the way of heads is passed over', () => {
  const long = (status: number, more: string) =>
    answer(lines(`HTTP/1.1 ${status} OK`, 'Content-Length: 2'), `12${more}`);
  const next = [ask(get('/2')), answer(ok(3)), ask(get('/3')), answer(ok(0))];
  const rest = ['/2 200', '/3 200'];
  // Bodies longer than they say: with lines in what is over, without, with zeros, with the beginning of a head.
  for (const more of ['345', '3\r\n\r\n4', 'abc\r\n', '\0\0\0', 'GET', 'HTTP/1.1 2', 'x'.repeat(70_000)]) {
    assert.equal(pairs([ask(get('/1')), long(201, more), ...next]), ['/1 201', ...rest], more.slice(0, 10));
    const posted = ask(lines('POST /1 HTTP/1.1', 'Content-Length: 2'), `12${more}`);
    assert.equal(pairs([posted, answer(ok(1)), ...next]), ['/1 200', ...rest], more.slice(0, 10));
  }
  // However it is cut.
  const stray = [ask(get('/1')), long(201, 'ab\r\nHTTP/1.1\r\nHTTP/1'), ...next];
  for (let cut = 1; cut < 60; cut++) {
    assert.equal(
      parsed(stray, cutBy([cut])).map(({ uri, status_code }) => `${uri} ${status_code}`),
      ['/1 201', ...rest],
      `${cut}`,
    );
  }
  // Over several pieces.
  const pieces = [long(201, '3'), answer('4'), answer('5\r\n'), answer('6 7')];
  assert.equal(pairs([ask(get('/1')), ...pieces, ...next]), ['/1 201', ...rest]);
  // A chunk without a size, and one with too long a size.
  for (const size of ['zz', '', '1234567890abc']) {
    const chunks = `3\r\nabc\r\n${size}\r\nfoo\r\n0\r\n\r\n`;
    const chunked = answer(lines('HTTP/1.1 201 OK', 'Transfer-Encoding: chunked'), chunks);
    assert.equal(pairs([ask(get('/1')), chunked, ...next]), ['/1 201', ...rest], size);
  }
  // An answer to what was no request.
  const bad = answer(lines('HTTP/1.1 400 Bad Request', 'Content-Length: 0'));
  const nonsense = [ask(get('/1')), answer(ok(1)), ask('nonsense\r\n\r\n'), bad];
  assert.equal(pairs([...nonsense, ...next]), ['/1 200', '- 400', ...rest]);
  // Requests that wait for what was passed over are told alone, and so is what comes; where no line was passed over they are not.
  const two = ask(get('/1'), get('/1b'));
  assert.equal(pairs([two, long(201, `345\r\n${ok(4)}`), ...next]), ['/1 201', '/1b -', '- 200', ...rest]);
  assert.equal(pairs([two, long(201, '345'), answer(ok(4)), ...next]), ['/1 201', '/1b 200', ...rest]);
  // A side that never sent a head is not waited for.
  assert.equal(pairs([ask(get('/1')), answer('220 hello\r\n\r\n'), answer(ok(1))]), ['/1 -']);
});

test('a head in two pieces, behind another', () => {
  const first = [ask(get('/1')), answer(ok(1))];
  const head = lines('GET  /a b  HTTP/1.1', 'Host: a.example');
  for (let at = 1; at < head.length; at++) {
    const cut = [ask(head.slice(0, at)), ask(head.slice(at)), answer(ok(2))];
    assert.equal(pairs([...first, ...cut]), ['/1 200', '/a b 200'], `${at}`);
  }
});

test('a body that was waited for does not come after a refusal', () => {
  const expecting = lines('POST /big HTTP/1.1', 'Content-Length: 500', 'Expect: 100-Continue');
  const refused = lines('HTTP/1.1 417 Expectation Failed', 'Content-Length: 0');
  assert.equal(pairs([ask(expecting), answer(refused), ask(get('/2')), answer(ok(1))]), ['/big 417', '/2 200']);
  const chunked = lines('PUT /c HTTP/1.1', 'Transfer-Encoding: chunked', 'Expect: 100-continue');
  assert.equal(pairs([ask(chunked), answer(refused), ask(get('/2')), answer(ok(1))]), ['/c 417', '/2 200']);
  // One that has begun goes on, and so does one that nothing was asked for.
  const rest = 'x'.repeat(499);
  assert.equal(pairs([ask(expecting, 'x'), answer(refused), ask(rest, get('/2')), answer(ok(1))]), [
    '/big 417',
    '/2 200',
  ]);
  const plain = lines('POST /p HTTP/1.1', 'Content-Length: 3');
  assert.equal(pairs([ask(plain), answer(refused), ask('abc', get('/2')), answer(ok(1))]), ['/p 417', '/2 200']);
});

test('start lines with more white space than is due, and with other versions', () => {
  const [first] = parsed([ask('GET /a \t  HTTP/1.1\r\n\r\n'), answer(ok(0))]);
  assert.is(first?.uri, '/a');
  const flights = [ask(lines('GET /2 HTTP/2.0')), answer(lines('HTTP/2.0 505 No', 'Content-Length: 0'))];
  assert.equal(parsed(flights), [
    {
      method: 'GET',
      uri: '/2',
      request_version: 'HTTP/2.0',
      status_code: 505,
      status_msg: 'No',
      response_version: 'HTTP/2.0',
      response_content_length: 0,
    },
  ]);
});

test('a header that goes on in lines of white space', () => {
  const request = lines('GET / HTTP/1.1', 'Cookie: a=1; ', ' b=2', '\tc=3', 'X: y', 'Transfer-Encoding:', ' chunked');
  const [first, second] = parsed([ask(request, '0\r\n\r\n', get('/2')), answer(ok(0), ok(1))]);
  assert.equal([first.cookie, first.request_transfer_encoding], ['a=1; b=2 c=3', 'chunked']);
  assert.equal([second.uri, second.response_content_length], ['/2', 1]);
});

test('the coding `identity` is none: a length counts beside it', () => {
  const plain = `${lines('HTTP/1.1 200 OK', 'Transfer-Encoding: Identity', 'Content-Length: 3')}abc`;
  assert.equal(pairs([ask(get('/1'), get('/2')), answer(plain, ok(0))]), ['/1 200', '/2 200']);
});

test('HTTP/0.9: a line asks, and what comes is the answer', () => {
  const flights = [ask('GET /old\r\n'), answer('<p>\r\n\r\nHTTP/1.1 500 no\r\n\r\n')];
  const old = { method: 'GET', uri: '/old', request_version: '' };
  assert.equal(parsed(flights), [old]);
  for (const length of [1, 3, 8])
    assert.equal(
      parsed(flights, () => length),
      [old],
    );
  assert.is(parser.probe(true, text('GET /old\r\n'), 0, 10), Probe.YES);
  for (const no of ['GET old\r\n', 'GET /a b\r\n', 'get /old\r\n', 'SET /old\r\n']) {
    assert.is(parser.probe(true, text(no), 0, no.length), Probe.NO, no);
  }
});

test('a SHOUTcast server answers in its own way', () => {
  const [stream] = parsed([ask(get('/listen')), answer(lines('ICY 200 OK', 'Content-Type: audio/mpeg'), 'xx')]);
  assert.equal(
    [stream.status_code, stream.status_msg, stream.response_version, stream.response_content_type],
    [200, 'OK', 'ICY', 'audio/mpeg'],
  );
});

test('empty lines before the first head', () => {
  const request = text(`\r\n\r\n${get('/')}`);
  assert.is(parser.probe(true, request, 0, request.length), Probe.YES);
  assert.is(parser.probe(true, request, 0, 4), Probe.MAYBE);
  assert.is(parser.probe(true, text('\r\n'.repeat(9)), 0, 18), Probe.NO);
});

test('line feeds alone, a status line without a reason, empty lines between messages', () => {
  const flights = [ask('\r\nGET / HTTP/1.0\nHost: b\n\n\n', get('/2')), answer('HTTP/1.1 204\n\n\r\n', ok(0))];
  const [first, second] = parsed(flights);
  assert.equal([first.host, first.status_code, first.status_msg], ['b', 204, undefined]);
  assert.equal([second.uri, second.status_code], ['/2', 200]);
});

test('each request is paired with its response', () => {
  const chunks = lines('HTTP/1.1 201 Created', 'Transfer-Encoding: chunked');
  const flights = [
    ask(get('/1'), get('/2'), get('/3'), lines('HEAD /4 HTTP/1.1'), get('/5'), get('/6')),
    answer(lines('HTTP/1.1 100 Continue'), ok(3000)),
    answer(chunks, '5;ext=1\r\nhello\r\n', '1b\r\n', 'HTTP/1.1 500 not this one\r\n', '\r\n0\r\nTrailer: x\r\n\r\n'),
    answer(lines('HTTP/1.1 304 Not Modified', 'Content-Length: 99')),
    answer(lines('HTTP/1.1 200 OK', 'Content-Length: 99')),
    answer(lines('HTTP/1.1 200 OK'), 'until the end', ok(5)),
  ];
  assert.equal(pairs(flights), ['/1 200', '/2 201', '/3 304', '/4 200', '/5 200', '/6 -']);
});

test('a response that comes before its request', () => {
  assert.equal(pairs([answer(ok(1)), ask(get('/1'), get('/2')), answer(ok(2))]), ['/1 200', '/2 200']);
  assert.equal(pairs([answer(ok(1), ok(2))]), ['- 200', '- 200']);
});

test('after CONNECT and Upgrade the connection is another protocol', () => {
  for (const [request, response] of [
    [lines('CONNECT a.example:443 HTTP/1.1'), lines('HTTP/1.1 200 Connection established')],
    [lines('GET /chat HTTP/1.1', 'Upgrade: websocket'), lines('HTTP/1.1 101 Switching Protocols')],
  ]) {
    parser.reset();
    const [a, b] = [text(request), text(response)];
    assert.is(parser.parse(true, a, 0, a.length), Parse.MORE);
    const more = Buffer.concat([b, Buffer.from('SSH-2.0')]);
    assert.is(parser.parse(false, more, 0, more.length), Parse.SWITCH);
    assert.is(parser.rest?.(), 7);
    assert.ok(parser.take());
    assert.is(parser.take(), null);
  }
  assert.equal(
    pairs([
      ask(lines('CONNECT a:1 HTTP/1.1'), get('/2')),
      answer(lines('HTTP/1.1 407 No', 'Content-Length: 0'), ok(0)),
    ]),
    ['a:1 407', '/2 200'],
  );
});

test('the responder may be the client', () => {
  assert.equal(pairs([resp(text(get('/1'))), orig(text(ok(2)))]), ['/1 200']);
});

test('a hole in a body of known length does no harm', () => {
  const body = lines('HTTP/1.1 200 OK', 'Content-Length: 5000');
  const flights = [
    ask(get('/1'), get('/2')),
    answer(body, 'x'.repeat(100)),
    { fromOrig: false, missed: 4900, bytes: text(ok(1)) },
  ];
  assert.equal(pairs(flights), ['/1 200', '/2 200']);
});

test('behind any other hole messages are found again', () => {
  const flights: Flight[] = [
    ask(get('/1'), get('/2')),
    answer(lines('HTTP/1.1 200 OK', 'Content-Length: 10')),
    { fromOrig: false, missed: 100, bytes: text('of a body') },
    answer(ok(3)),
    ask(get('/3')),
    answer(ok(3)),
  ];
  assert.equal(pairs(flights), ['/1 200', '/2 -', '- 200', '/3 200']);
});

test('a client that is never answered is delivered as it goes on', () => {
  parser.reset();
  const request = text(get(`/${'x'.repeat(4000)}`));
  let early = 0;
  for (let i = 0; i < 100; i++) {
    parser.parse(true, request, 0, request.length);
    while (parser.take() !== null) early++;
  }
  assert.is(early, 68);
});

test('a head without an end is given up', () => {
  parser.reset();
  const start = text('GET / HTTP/1.1\r\n');
  parser.parse(true, start, 0, start.length);
  const line = text(`X: ${'y'.repeat(1000)}\r\n`);
  for (let i = 0; i < 100; i++) parser.parse(true, line, 0, line.length);
  const end = text('\r\n');
  assert.is(parser.parse(true, end, 0, end.length), Parse.MORE);
  parser.end();
  assert.is(parser.take(), null);
});

const flow = [
  ask(get('/1'), lines('POST /2 HTTP/1.1', 'Content-Length: 30'), 'b'.repeat(30), lines('HEAD /3 HTTP/1.0')),
  answer(ok(300), lines('HTTP/1.1 100 Continue'), lines('HTTP/1.1 200 OK', 'Transfer-Encoding: chunked')),
  answer('12c\r\n', 'z'.repeat(300), '\r\n0;a=b\r\nT: 1\r\n\r\n', 'HTTP/1.1 200 OK\nContent-Length: 7\n\n'),
  ask(lines('CONNECT b.example:443 HTTP/1.1'), get('/4')),
  answer(lines('HTTP/1.1 407 No', 'Content-Length: 3'), 'no.'),
  answer(lines('HTTP/1.1 404 No', 'Content-Length: 0')),
  ask(lines('POST /5 HTTP/1.1', 'Content-Length: 9', 'Expect: 100-continue')),
  answer(lines('HTTP/1.1 417 No', 'Content-Length: 0')),
  ask('\r\n', get('/6')),
  answer(lines('HTTP/1.1 200'), 'rest'),
];

test('the same streams cut in any way give the same transactions', () => {
  const expected = parsed(flow);
  assert.equal(
    expected.map(({ uri }) => uri),
    ['/1', '/2', '/3', 'b.example:443', '/4', '/5', '/6'],
  );
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1, maxLength: 12 }), (cuts) => {
      assert.equal(parsed(flow, cutBy(cuts)), expected);
    }),
    { numRuns: 300 },
  );
  assert.equal(parsed(flow, cutBy([1])), expected);
});

test('arbitrary and damaged bytes give no error', () => {
  const change = fc.record({ flight: fc.nat(4), at: fc.nat(900), to: fc.integer({ min: 0, max: 255 }) });
  const noise = fc.record({ fromOrig: fc.boolean(), bytes: fc.uint8Array({ maxLength: 60 }), missed: fc.nat(900) });
  fc.assert(
    fc.property(
      fc.array(change, { maxLength: 8 }),
      fc.option(noise),
      fc.nat(5),
      fc.nat(300),
      (changes, extra, at, cut) => {
        const flights: Flight[] = flow.map(({ fromOrig, bytes }) => ({
          fromOrig,
          bytes: Uint8Array.from(bytes ?? []),
        }));
        for (const { flight, at, to } of changes) {
          const bytes = flights[flight].bytes ?? new Uint8Array(1);
          bytes[at % bytes.length] = to;
        }
        if (extra !== null) flights.splice(at, 0, extra);
        for (const { fromOrig, bytes } of flights)
          parser.probe(fromOrig, bytes ?? new Uint8Array(), 0, bytes?.length ?? 0);
        parsed(flights, cutBy([cut + 1]));
      },
    ),
    { numRuns: 1500 },
  );
});

test('where bodies begin in their streams, cut in any way and behind holes', () => {
  const post = (body: string) => lines('POST / HTTP/1.1', `Content-Length: ${body.length}`) + body;
  const asked = `\r\n${get('/')}${post('first')}${post('second')}`;
  const chunked = `${lines('HTTP/1.1 200 OK', 'Transfer-Encoding: chunked')}3\r\nabc\r\n0\r\n\r\n`;
  const told = `${lines('HTTP/1.1 100 Continue')}${ok(0)}${chunked}${ok(5)}`;
  const bodies = (length: number) => {
    parser.reset();
    const found: string[] = [];
    for (const [fromOrig, stream] of [
      [true, asked],
      [false, told],
    ] as const) {
      for (let at = 0; at < stream.length; at += length) {
        const piece = text(`..${stream.slice(at, at + length)}`);
        parser.parse(fromOrig, piece, 2, piece.length - 2);
      }
    }
    for (let each = parser.take(); each !== null; each = parser.take()) {
      const { requestBodyOffset = 0, responseBodyOffset = 0 } = each as HttpTransaction;
      found.push(`${asked.slice(requestBodyOffset).slice(0, 4)} ${told.slice(responseBodyOffset).slice(0, 5)}`);
    }
    return found;
  };
  for (const length of [1000, 1, 2, 3, 7, 50]) {
    assert.equal(bodies(length), ['POST HTTP/', 'firs 3\r\nab', 'seco xxxxx'], `${length}`);
  }
  parser.reset();
  const [head, rest] = [lines('HTTP/1.1 200 OK', 'Content-Length: 100'), ok(1)];
  parser.parse(true, text(get('/') + get('/')), 0, 2 * get('/').length);
  parser.parse(false, text(head), 0, head.length);
  parser.gap(false, 100);
  parser.parse(false, text(rest), 0, rest.length);
  parser.take();
  assert.is((parser.take() as HttpTransaction).responseBodyOffset, head.length + 100 + rest.length - 1);
});

test('probing', () => {
  const probe = (start: string) => parser.probe(true, text(`..${start}`), 2, text(start).length);
  for (const start of [
    '',
    'G',
    'GET',
    'GET ',
    'GET /',
    'GET / HTTP/1.1',
    'HTT',
    'HTTP/1.1',
    'HTTP/1.1 20',
    'OPTIONS * ',
  ]) {
    assert.is(probe(start), Probe.MAYBE, start);
  }
  for (const start of [
    'GET / HTTP/1.1\r\n',
    'M-SEARCH * HTTP/1.1\r\nHost',
    'get /x y HTTP/1.0\n',
    'HTTP/1.1 200',
    `GET /${'a'.repeat(1100)}`,
    'HTTP/2.0 200 OK',
  ]) {
    assert.is(probe(start), Probe.YES, start);
  }
  for (const start of [
    'PRI * HTTP/2.0\r\nHost: a\r\n',
    'OPTIONS rtsp://a RTSP/1.0\r\n',
    'INVITE sip:a SIP/2.0\r\n',
    'HTTP/2 200 OK',
    'HTTP/x.0 200 OK',
    'HTTP/1.1 x00',
    ' GET / HTTP/1.1',
    'SSH-2.0-OpenSSH\r\n',
    'GET HTTP/1.1\r\n',
    'EHLO mail.example\r\n',
    '\u0016\u0003\u0001',
    'abcdefghijklmnopqrstuvwxyz',
  ]) {
    assert.is(probe(start), Probe.NO, start);
  }
});

test.run();
