/** Conversations from which the fuzzer starts, for each parser: well-formed, short, and reaching into its corners. */

import * as quic from '../support/quic-packets.ts';
import { type Flight, orig, resp } from '../support/session-parser.ts';
import * as tls from '../support/tls-messages.ts';
import { concat, text, u16be, vector } from '../support/tls-messages.ts';
import { EC_CERTIFICATE } from '../traffic/certificate.ts';

const lines = (...all: readonly string[]) => text(`${all.join('\r\n')}\r\n\r\n`);

const hello = tls.clientHello({
  sessionId: tls.random(3),
  ciphers: [0x1301, 0xc02f],
  extensions: [
    tls.sniExtension('fuzz.example'),
    tls.groupsExtension(29, 23),
    tls.pointFormatsExtension(0),
    tls.alpnExtension('h2', 'http/1.1'),
    tls.signaturesExtension(0x0403),
    tls.versionsExtension(0x0304, 0x0303),
    tls.keySharesExtension([29, 32]),
  ],
});
const helloRetry = tls.serverHello({ random: tls.RETRY_RANDOM, extensions: [tls.extension(43, [3, 4])] });
const hello13 = tls.serverHello({ cipher: 0x1301, extensions: [tls.extension(43, [3, 4])] });
const DER = Uint8Array.of(0x30, 0x03, 0x02, 0x01, 0x00);
const server12 = [
  tls.serverHello(),
  tls.certificate(EC_CERTIFICATE, DER),
  tls.certificateRequest(),
  tls.serverHelloDone(),
];

const TLS: readonly (readonly Flight[])[] = [
  [
    orig(tls.records(16384, hello)),
    resp(tls.records(50, ...server12)),
    orig(concat(tls.records(16384, tls.certificate(DER), tls.clientKeyExchange()), tls.changeCipherSpec())),
  ],
  [
    orig(tls.records(60, hello)),
    resp(concat(tls.records(16384, helloRetry), tls.changeCipherSpec())),
    orig(concat(tls.changeCipherSpec(), tls.records(16384, hello))),
    resp(concat(tls.records(16384, hello13), tls.encrypted(tls.RecordType.APPLICATION_DATA, 200))),
  ],
  [orig(tls.ssl2Hello(0x0301, [4, 0x010080], tls.random(1).subarray(0, 16))), resp(tls.alert(2, 40))],
  [
    resp(text('220 mx.example ESMTP\r\n')),
    orig(text('EHLO a\r\nSTARTTLS\r\n')),
    resp(text('250 STARTTLS\r\n220 go\r\n')),
    orig(tls.records(16384, hello)),
    resp(tls.records(16384, ...server12)),
  ],
];

const frame = (type: number, flags: number, stream: number, payload: tls.Bytes) =>
  concat([0], u16be(payload.length), [type, flags], u16be(0, stream), payload);
/** Header blocks: literals that go to the table, Huffman codes, an index into the table. */
const ASK = Uint8Array.from(Buffer.from('828684418cf1e3c2e5f23a6ba0ab90f4ff400178017a', 'hex'));
const ASK_AGAIN = Uint8Array.of(0x82, 0x86, 0x84, 0xbe, 0xbf);
const preface = concat(text('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), frame(4, 0, 0, [0, 3, 0, 0, 0, 9]));
const answers = concat(
  frame(1, 4, 1, [0x88, 0x5c, 1, 0x35]),
  frame(0, 1, 1, text('hello')),
  frame(1, 5, 3, [0x8d, 0xbe]),
);

const HTTP: readonly (readonly Flight[])[] = [
  [
    orig(concat(lines('GET /1 HTTP/1.1', 'Host: a.example', 'Cookie: b=c'), lines('HEAD /2 HTTP/1.1'))),
    resp(concat(lines('HTTP/1.1 200 OK', 'Content-Length: 5'), text('hello'))),
    resp(lines('HTTP/1.1 200 OK', 'Content-Length: 5')),
    orig(concat(lines('POST /3 HTTP/1.1', 'Transfer-Encoding: chunked'), text('4;x=y\r\nbody\r\n0\r\nT: x\r\n\r\n'))),
    resp(lines('HTTP/1.1 100 Continue')),
    resp(concat(lines('HTTP/1.1 404 Not Found', 'Transfer-Encoding: chunked'), text('a\r\n0123456789\r\n0\r\n\r\n'))),
  ],
  [orig(lines('CONNECT a.example:443 HTTP/1.1')), resp(concat(lines('HTTP/1.1 200 OK'), text('SSH-2.0-x\r\n')))],
  [
    orig(
      concat(preface, frame(1, 0, 1, ASK.subarray(0, 9)), frame(9, 4, 1, ASK.subarray(9)), frame(1, 5, 3, ASK_AGAIN)),
    ),
    resp(concat(frame(4, 0, 0, []), answers)),
  ],
  [
    orig(lines('GET /up HTTP/1.1', 'Upgrade: h2c')),
    resp(concat(lines('HTTP/1.1 101 Switching Protocols', 'Upgrade: h2c'), frame(4, 0, 0, []), answers)),
    orig(concat(preface, frame(1, 5, 3, ASK))),
  ],
  [
    orig(concat(lines('CONNECT a.example:443 HTTP/1.1'), lines('GET /in HTTP/1.1'))),
    resp(lines('HTTP/1.1 407 No', 'Content-Length: 0')),
    resp(lines('HTTP/1.1 404 No', 'Content-Length: 0')),
    orig(lines('POST /5 HTTP/1.1', 'Content-Length: 9', 'Expect: 100-continue')),
    resp(lines('HTTP/1.1 417 No', 'Content-Length: 0')),
    orig(lines('GET /6 HTTP/2.0')),
  ],
  [orig(lines('GET /chat HTTP/1.1', 'Upgrade: websocket')), resp(lines('HTTP/1.1 101 Switching Protocols'))],
];

const name = (of: string) => concat(...of.split('.').map((label) => vector(1, text(label))), [0]);
const question = concat(name('www.example.org'), u16be(1, 1));
const query = concat(u16be(7, 0x0100, 1, 0, 0, 0), question);
const record = (type: number, data: tls.Bytes) => concat([0xc0, 12], u16be(type, 1, 0, 60), vector(2, data));
const response = concat(
  u16be(7, 0x8180, 1, 6, 1, 1),
  question,
  record(5, [0xc0, 16]),
  record(1, [192, 0, 2, 1]),
  record(28, tls.random(1).subarray(0, 16)),
  record(15, concat([0, 10], name('mail.example'))),
  record(16, vector(1, text('v=spf1'))),
  record(65, concat([0, 1, 0], [0, 1, 0, 3, 2, 104, 50])),
  record(6, concat(name('ns.example'), [0xc0, 12], new Uint8Array(20))),
  concat([0], u16be(41, 1232, 0, 0, 0)),
);
const DNS_UDP: readonly (readonly Flight[])[] = [[orig(query), resp(response)], [resp(response)], [orig(query)]];
const DNS_TCP: readonly (readonly Flight[])[] = [
  [orig(concat(vector(2, query), vector(2, query))), resp(concat(vector(2, response), vector(2, response)))],
];

function sshPacket(message: number, payload: Uint8Array): Uint8Array {
  return concat(u16be(0, 11 + payload.length), [9, message], payload, new Uint8Array(9));
}
const lists = ['curve25519-sha256', 'ssh-ed25519', 'aes128-ctr', 'aes128-ctr', 'a', 'b', 'none', 'none', '', ''];
const offer = sshPacket(
  20,
  concat(new Uint8Array(16), ...lists.map((list) => concat([0, 0], vector(2, text(list)))), new Uint8Array(5)),
);
const SSH: readonly (readonly Flight[])[] = [
  [
    resp(concat(text('Hello\r\nSSH-2.0-OpenSSH_9.2p1 Debian\r\n'), offer)),
    orig(concat(text('SSH-2.0-libssh\r\n'), sshPacket(2, new Uint8Array(3)), offer)),
  ],
];

const dcid = [1, 2, 3, 4, 5, 6, 7, 8];
const scid = [9, 9, 9];
const QUIC: readonly (readonly Flight[])[] = [
  [
    orig(quic.initial({ dcid, scid }, quic.cryptoFrame(0, hello.subarray(0, 90)))),
    orig(quic.initial({ dcid, scid, number: 1 }, quic.cryptoFrame(90, hello.subarray(90)))),
    resp(quic.initial({ dcid: scid, scid: [7], keysOf: dcid, side: 'server' }, quic.cryptoFrame(0, hello13), 600)),
  ],
  [
    orig(quic.longPacket(0, dcid, scid, 1190, 0x1a2a3a4a)),
    resp(quic.negotiation(scid, dcid, 1)),
    resp(quic.retry(scid, dcid)),
    orig(quic.initial({ dcid: [5, 5, 5, 5, 5, 5, 5, 5], scid }, quic.cryptoFrame(0, hello))),
    orig(quic.shortPacket(50)),
  ],
];

function dtls(type: number, number: number, body: Uint8Array, from = 0, to = body.length): Uint8Array {
  const header = concat([type, 0], u16be(body.length, number), [0], u16be(from), [0], u16be(to - from));
  return concat([22, 0xfe, 0xfd], new Uint8Array(8), vector(2, header, body.subarray(from, to)));
}
const plain = tls.clientHelloBody({ version: 0xfefd, extensions: [tls.sniExtension('d.example')] });
const dtlsHello = concat(plain.subarray(0, 35), [0], plain.subarray(35));
const DTLS: readonly (readonly Flight[])[] = [
  [
    orig(dtls(1, 0, dtlsHello, 0, 40)),
    orig(dtls(1, 0, dtlsHello, 40)),
    resp(dtls(2, 1, tls.serverHelloBody({ version: 0xfefd }))),
    resp(concat(dtls(11, 2, tls.certificate(DER).subarray(4)), dtls(14, 3, new Uint8Array()))),
  ],
];

const mqttConnect = concat(
  vector(2, text('MQTT')),
  [5, 0xc6, 0, 60, 0],
  ...['id', 'will', 'bye', 'user', 'x'].map((part, i) => concat(i === 1 ? [0] : [], vector(2, text(part)))),
);
const MQTT: readonly (readonly Flight[])[] = [
  [orig(concat([0x10], vector(1, mqttConnect))), resp(Uint8Array.of(0x20, 3, 0, 0, 0))],
];

/** A CHLO with a name and a client, the values of four more tags empty. */
const chlo = concat(
  text('CHLO'),
  [6, 0, 0, 0],
  text('PAD\0'),
  [4, 0, 0, 0],
  text('SNI\0'),
  [15, 0, 0, 0],
  text('VER\0'),
  [19, 0, 0, 0],
  text('CCS\0'),
  [19, 0, 0, 0],
  text('UAID'),
  [23, 0, 0, 0],
  text('PDMD'),
  [27, 0, 0, 0],
  text('----'),
  text('g.example.a'),
  text('Q043'),
  text('fuzz'),
  text('X509'),
);
const cid = [1, 2, 3, 4, 5, 6, 7, 8];
const hash = new Uint8Array(12);
const GQUIC: readonly (readonly Flight[])[] = [
  [orig(concat([9], cid, text('Q043'), [1], hash, [0xa0, 1], u16be(chlo.length), chlo)), resp(concat([8], cid, [1]))],
  [orig(concat([0x1d], cid, text('Q025'), [1, 0], hash, [1, 0xa0, 1, chlo.length, 0], chlo))],
  [
    orig(concat([0xc3], text('Q046'), [0x50], cid, [0, 0, 0, 1], hash, [0xa0, 1, 0, 40], chlo.subarray(0, 40))),
    orig(concat([0xc3], text('Q046'), [0x50], cid, [0, 0, 0, 2], hash, [0x84, 1, 0, 40], chlo.subarray(40))),
  ],
];

const socksName = concat([3, 11], text('example.com'), [1, 187]);
const socksBound = [1, 0, 0, 0, 0, 0, 0];
const SOCKS: readonly (readonly Flight[])[] = [
  [
    orig(Uint8Array.of(5, 1, 0)),
    resp(Uint8Array.of(5, 0)),
    orig(concat([5, 1, 0], socksName, text('early'))),
    resp(concat([5, 0, 0], socksBound, text('SSH-2.0-x\r\n'))),
  ],
  [
    orig(Uint8Array.of(5, 2, 0, 2)),
    resp(Uint8Array.of(5, 2)),
    orig(Uint8Array.of(1, 1, 0x61, 2, 0x62, 0x63)),
    resp(Uint8Array.of(1, 0)),
    orig(Uint8Array.of(5, 1, 0, 1, 192, 0, 2, 1, 0, 80)),
    resp(concat([5, 0, 0, 4], new Uint8Array(18))),
  ],
  [orig(concat([4, 1, 0, 80, 0, 0, 0, 1, 0], text('a.example\0'))), resp(concat([0, 90], new Uint8Array(9)))],
];

const PROXY: readonly (readonly Flight[])[] = [
  [orig(text('PROXY TCP4 192.0.2.1 192.0.2.2 40000 443\r\nGET / HTTP/1.1'))],
  [orig(concat(text('\r\n\r\n\0\r\nQUIT\n'), [0x21, 0x11, 0, 12], new Uint8Array(12), text('SSH-')))],
];

/** By the name of the parser and its transport. */
export const SAMPLES: Readonly<Record<string, readonly (readonly Flight[])[]>> = {
  'tls tcp': TLS,
  'http tcp': HTTP,
  'dns udp': DNS_UDP,
  'dns tcp': DNS_TCP,
  'ssh tcp': SSH,
  'quic udp': QUIC,
  'dtls udp': DTLS,
  'mqtt tcp': MQTT,
  'gquic udp': GQUIC,
  'socks tcp': SOCKS,
  'proxy tcp': PROXY,
};
