/** TLS connections made by hand, and what their handshakes print of what matters. */
import { type Flight, orig, resp } from '../../../support/session-parser.ts';
import * as tls from '../../../support/tls-messages.ts';

export interface Flow {
  readonly flights: readonly Flight[];
  /** Some of what is printed. */
  readonly expected: Readonly<Record<string, unknown>>;
}

const CERTIFICATE = Uint8Array.of(0x30, 0x03, 0x02, 0x01, 0x00);
const hello = tls.clientHello({
  sessionId: tls.random(7),
  ciphers: [0x0a0a, 0x1301, 0xc02f, 0x00ff],
  extensions: [
    tls.extension(0x1a1a),
    tls.sniExtension('www.example.org'),
    tls.groupsExtension(0x2a2a, 29, 23),
    tls.pointFormatsExtension(0),
    tls.alpnExtension('h2', 'http/1.1'),
    tls.signaturesExtension(0x0403, 0x0804),
    tls.versionsExtension(0x3a3a, 0x0304, 0x0303),
    tls.keySharesExtension([0x2a2a, 1], [29, 32]),
  ],
});
const said = {
  sni: 'www.example.org',
  client_alpn_protocols: ['h2', 'http/1.1'],
  client_key_shares: ['0x2a2a', 'x25519'],
};
const hello12 = tls.serverHello({ extensions: [tls.extension(0xff01, [0]), tls.alpnExtension('h2')] });
const chosen12 = { version: 'TLSv1.2', cipher: 'TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256', alpn: 'h2' };
const versionChosen = (version: number) => tls.extension(43, tls.u16be(version));
const hello13 = tls.serverHello({
  cipher: 0x1301,
  extensions: [versionChosen(0x0304), tls.extension(51, tls.u16be(29), tls.vector(2, tls.random(9)))],
});
const chosen13 = {
  version: 'TLSv1.3',
  server_version: 'TLSv1.2',
  cipher: 'TLS_AES_128_GCM_SHA256',
  server_key_share: 'x25519',
};
const retry = tls.serverHello({
  random: tls.RETRY_RANDOM,
  cipher: 0x1301,
  extensions: [versionChosen(0x0304), tls.extension(51, tls.u16be(23))],
});
const secondHello = tls.clientHello({
  sessionId: tls.random(7),
  extensions: [tls.sniExtension('www.example.org'), tls.keySharesExtension([23, 65])],
});
const afterRetry = tls.serverHello({
  cipher: 0x1301,
  extensions: [versionChosen(0x0304), tls.extension(51, tls.u16be(23), tls.vector(2, new Uint8Array(65)))],
});

/** Handshake messages of one flight, in records of at most `size` bytes. */
type Pack = (...messages: readonly Uint8Array[]) => Uint8Array;

/** All flows, their messages packed into records by `pack`. */
export function flows(pack: Pack): Readonly<Record<string, Flow>> {
  const rest13 = resp(tls.concat(tls.changeCipherSpec(), tls.encrypted(tls.RecordType.APPLICATION_DATA, 900)));
  const finished = tls.concat(tls.changeCipherSpec(), tls.encrypted(tls.RecordType.HANDSHAKE, 40));
  const flight12 = [hello12, tls.certificate(CERTIFICATE, CERTIFICATE), tls.message(12, new Uint8Array(300))];
  return {
    'TLS 1.2': {
      flights: [orig(pack(hello)), resp(pack(...flight12, tls.serverHelloDone()))],
      expected: { ...said, ...chosen12, server_cert_chain: ['', ''], client_cert_chain: undefined },
    },
    'TLS 1.2, the responder is the client': {
      flights: [resp(pack(hello)), orig(pack(...flight12, tls.serverHelloDone()))],
      expected: { ...said, ...chosen12, server_cert_chain: ['', ''] },
    },
    'TLS 1.2 with a client certificate': {
      flights: [
        orig(pack(hello)),
        resp(pack(...flight12, tls.certificateRequest(), tls.serverHelloDone())),
        orig(pack(tls.certificate(CERTIFICATE), tls.clientKeyExchange(), tls.message(15, new Uint8Array(80)))),
        orig(finished),
      ],
      expected: { ...said, ...chosen12, server_cert_chain: ['', ''], client_cert_chain: [''] },
    },
    'TLS 1.2 resumed': {
      flights: [orig(pack(hello)), resp(tls.concat(pack(hello12), finished)), orig(finished)],
      expected: { ...said, ...chosen12, server_cert_chain: undefined },
    },
    'TLS 1.3': {
      flights: [orig(pack(hello)), resp(pack(hello13)), rest13],
      expected: { ...said, ...chosen13 },
    },
    'TLS 1.3 with early data': {
      flights: [
        orig(tls.concat(pack(hello), tls.changeCipherSpec(), tls.encrypted(tls.RecordType.APPLICATION_DATA, 3000))),
        resp(pack(hello13)),
        rest13,
      ],
      expected: { ...said, ...chosen13 },
    },
    'TLS 1.3 with a HelloRetryRequest': {
      flights: [
        orig(pack(hello)),
        resp(tls.concat(pack(retry), tls.changeCipherSpec())),
        orig(tls.concat(tls.changeCipherSpec(), pack(secondHello))),
        resp(pack(afterRetry)),
        rest13,
      ],
      expected: {
        ...chosen13,
        server_key_share: 'secp256r1',
        client_key_shares: ['secp256r1'],
        sni: 'www.example.org',
      },
    },
    'a post-quantum ClientHello': {
      flights: [
        orig(pack(tls.clientHello({ extensions: [tls.keySharesExtension([0x11ec, 1216], [29, 32])] }))),
        resp(pack(hello13)),
      ],
      expected: { ...chosen13, client_key_shares: ['X25519MLKEM768', 'x25519'] },
    },
    'SSL 3.0 without extensions': {
      flights: [
        orig(pack(tls.clientHello({ version: 0x0300, ciphers: [4, 5] }))),
        resp(pack(tls.serverHello({ version: 0x0300, cipher: 5 }), tls.serverHelloDone())),
      ],
      expected: {
        version: 'SSLv3',
        client_version: 'SSLv3',
        cipher: 'TLS_RSA_WITH_RC4_128_SHA',
        ja3_str: '768,4-5,,,',
      },
    },
    'an SSLv2-compatible ClientHello': {
      flights: [
        orig(tls.ssl2Hello(0x0301, [0x010080, 0x000004, 0x00c02f], tls.random(40).subarray(0, 16))),
        resp(pack(hello12, tls.serverHelloDone())),
      ],
      expected: {
        ...chosen12,
        client_version: 'TLSv1.0',
        client_ciphers: ['TLS_RSA_WITH_RC4_128_MD5', 'TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256'],
        client_random: `${'00'.repeat(16)}28292a2b2c2d2e2f3031323334353637`,
      },
    },
    'a ClientHello that nobody answers': {
      flights: [orig(pack(hello))],
      expected: { ...said, version: undefined, cipher: undefined, ja3s_hash: undefined },
    },
    'a refused ClientHello': {
      flights: [orig(pack(hello)), resp(tls.alert(2, 40)), orig(pack(secondHello))],
      expected: { ...said, version: undefined },
    },
    'a warning before the ServerHello': {
      flights: [orig(pack(hello)), resp(tls.concat(tls.alert(1, 112), pack(hello13)))],
      expected: { ...said, ...chosen13 },
    },
    'a ClientHello answered in clear text': {
      flights: [orig(pack(hello)), resp(tls.text('HTTP/1.1 400 Bad Request\r\n\r\n'))],
      expected: { ...said, version: undefined },
    },
    'the server alone': {
      flights: [resp(pack(hello13)), rest13],
      expected: { ...chosen13, sni: undefined, ja3_hash: undefined, ja4: undefined },
    },
  };
}

/** Packs all messages into one record, or one per 2^14 bytes. */
export const together: Pack = (...messages) => tls.records(16384, ...messages);
