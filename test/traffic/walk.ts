/** A naive reading of generated frames, sharing no code with the generator: what the tests compare it with. */

export interface Walked {
  readonly ipv6: boolean;
  readonly vlan: boolean;
  readonly proto: number;
  readonly src: string;
  readonly dst: string;
  readonly srcPort: number;
  readonly dstPort: number;
  readonly seq: number;
  readonly flags: number;
  /** Of TCP, as it stands in the header: scaled but in a SYN. */
  readonly window: number;
  readonly ipLength: number;
  readonly payload: Buffer;
  readonly ipChecksumGood: boolean;
  readonly l4ChecksumGood: boolean;
}

/** Reads one whole Ethernet frame (RFC 791, 8200, 9293, 768). */
export function walk(bytes: Uint8Array): Walked {
  const frame = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const vlan = frame.readUInt16BE(12) === 0x8100;
  const l3 = vlan ? 18 : 14;
  const ipv6 = frame.readUInt16BE(l3 - 2) === 0x86dd;
  const l4 = l3 + (ipv6 ? 40 : (frame.readUInt8(l3) & 15) * 4);
  const ipLength = ipv6 ? frame.readUInt16BE(l3 + 4) + 40 : frame.readUInt16BE(l3 + 2);
  const proto = frame.readUInt8(l3 + (ipv6 ? 6 : 9));
  const addresses = frame.subarray(l3 + (ipv6 ? 8 : 12), l3 + (ipv6 ? 40 : 20));
  const half = addresses.length / 2;
  const segment = frame.subarray(l4, l3 + ipLength);
  const header = proto === 6 ? (segment.readUInt8(12) >> 4) * 4 : 8;
  const pseudo = Buffer.alloc(8);
  pseudo.writeUInt32BE(segment.length, 0);
  pseudo.writeUInt32BE(proto, 4);
  return {
    ipv6,
    vlan,
    proto,
    src: printAddress(addresses.subarray(0, half)),
    dst: printAddress(addresses.subarray(half)),
    srcPort: segment.readUInt16BE(0),
    dstPort: segment.readUInt16BE(2),
    seq: proto === 6 ? segment.readUInt32BE(4) : 0,
    flags: proto === 6 ? segment.readUInt8(13) : 0,
    window: proto === 6 ? segment.readUInt16BE(14) : 0,
    ipLength,
    payload: Buffer.from(segment.subarray(header)),
    ipChecksumGood: ipv6 || checksum(frame.subarray(l3, l4)) === 0,
    l4ChecksumGood: checksum(Buffer.concat([addresses, pseudo, segment])) === 0,
  };
}

/** RFC 1071; 0 over bytes that hold their own right checksum. */
function checksum(bytes: Buffer): number {
  let sum = 0;
  for (let i = 0; i < bytes.length; i++) {
    sum += i & 1 ? bytes.readUInt8(i) : bytes.readUInt8(i) << 8;
    if (sum > 0xffff) sum -= 0xffff;
  }
  return ~sum & 0xffff;
}

function printAddress(bytes: Buffer): string {
  if (bytes.length === 4) return [...bytes].join('.');
  const groups = Array.from({ length: 8 }, (_, i) => bytes.readUInt16BE(i * 2).toString(16));
  return groups.join(':').replace(/(^|:)0(:0)+(:|$)/, '::');
}
