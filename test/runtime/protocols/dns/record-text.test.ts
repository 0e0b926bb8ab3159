/** Record data as a zone file has it: the same records were written and read by another implementation. */
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { recordText } from '../../../../runtime/protocols/dns/record-text.ts';

const test = suite('dns record data');

const HASH = '0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef';
const KEY = 'mdsswUyr3DPW132mOi8V9xESWE8jTo0dxCjjnopKl+GqJxpVXckHAeF+KkxLbxILfDLUT0rAK9iUzy1L53eKGQ==';
const KEY_HEX = Buffer.from(KEY, 'base64').toString('hex');
const ZONE = '076578616d706c65036f726700';

const RECORDS: readonly (readonly [type: number, hex: string, text: string])[] = [
  [43, `30390d02${HASH}`, `12345 13 2 ${HASH}`],
  [48, `0101030d${KEY_HEX}`, `257 3 13 ${KEY}`],
  [
    46,
    `00010d0300000e1072bd0bff677485803039${ZONE}${KEY_HEX}`,
    `A 13 3 3600 20301231235959 20250101000000 12345 example.org ${KEY}`,
  ],
  [
    47,
    `0179${ZONE}0006620100080003041b000000000000000000000000000000000000000000000000000020`,
    'y.example.org A NS SOA MX AAAA RRSIG NSEC TYPE1234',
  ],
  [
    50,
    '0101000c04aabbccdd1417f3df17b2b2adaef615257de4d2020b80ac6c7c0006400000000002',
    '1 1 12 aabbccdd 2vptu5timamqttgl4luu9kg21e0aor3s A RRSIG',
  ],
  [51, '0100000a00', '1 0 10 -'],
  [52, `030101${HASH}`, `3 1 1 ${HASH}`],
  [44, `0402${HASH}`, `4 2 ${HASH}`],
  [64, `000103737663${ZONE}000100060268320268330003000220fb`, '1 svc.example.org alpn="h2,h3" port=8443'],
  [
    65,
    '00010000000002000100010006026832026833000200000003000201bb00040008c0000201c00002020006001020010db8000000000000000000000001',
    '1 . mandatory=alpn alpn="h2,h3" no-default-alpn port=443 ipv4hint=192.0.2.1,192.0.2.2 ipv6hint=2001:db8::1',
  ],
  [65, '00010000050003aabbcc02010001ff', '1 . ech="qrvM" key513="\ufffd"'],
  [
    35,
    '0064000a0175074532552b7369701b215e2e2a24217369703a696e666f406578616d706c652e636f6d2100',
    '100 10 "u" "E2U+sip" "!^.*$!sip:info@example.com!" .',
  ],
  [29, '000016138b3cf018810cbce0009895b8', '52 22 23.000 N 4 53 32.000 E -2.00m 0.00m 10000.00m 10.00m'],
  [256, '000a000168747470733a2f2f6578616d706c652e6f72672f', '10 1 "https://example.org/"'],
  [37, '000100010868656c6c6f', '1 1 8 aGVsbG8='],
  [61, '68656c6c6f20776f726c64', 'aGVsbG8gd29ybGQ='],
  [108, '001122334455', '00-11-22-33-44-55'],
  [109, '0011223344556677', '00-11-22-33-44-55-66-77'],
  [63, `7848b78c0101${HASH}`, `2018031500 1 1 ${HASH}`],
  [62, '000000420003000460000008', '66 3 A NS AAAA'],
  [21, `0002${ZONE}`, '2 example.org'],
];

for (const [type, hex, text] of RECORDS) {
  test(`type ${type}: ${text.slice(0, 40)}`, () => {
    const data = Uint8Array.from(Buffer.from(hex, 'hex'));
    assert.is(recordText(data, type, 0, data.length), text);
  });
}

test('what does not fit its type, and types without a text, are shown as bytes', () => {
  for (const [type, bytes] of [
    [1, [1, 2, 3]],
    [43, [1, 2, 3, 4]],
    [46, [1, 2, 3]],
    [50, [1, 0, 0, 1, 9, 1]],
    [65, [0, 1, 0, 0, 1, 0, 9, 1]],
    [29, [1, 2, 3]],
    [108, [1, 2, 3]],
    [65280, [1, 2, 3]],
  ] as const) {
    const hex = Buffer.from(bytes).toString('hex');
    assert.is(recordText(Uint8Array.from(bytes), type, 0, bytes.length), `\\# ${bytes.length} ${hex}`);
  }
  assert.is(recordText(new Uint8Array(0), 65280, 0, 0), '\\# 0');
});

test('no bytes make it throw', () => {
  const types = fc.oneof(fc.constantFrom(...RECORDS.map(([type]) => type)), fc.integer({ min: 0, max: 300 }));
  fc.assert(
    fc.property(types, fc.uint8Array({ maxLength: 80 }), (type, data) => {
      assert.type(recordText(data, type, 0, data.length), 'string');
    }),
  );
});

test.run();
