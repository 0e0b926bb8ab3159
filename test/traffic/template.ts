/**
 * Templates: every packet of every script laid out once as a whole frame (Ethernet, VLAN tag, IPv4 or IPv6, TCP or UDP),
 * with the sum of its checksum over all that does not change. To send one is to copy it and to patch the addresses, the
 * ports, the sequence numbers and the checksums.
 */

import type { Facts } from './apps.ts';
import { concat, type Part, u8, u16, u32 } from './bytes.ts';
import type { Script, Segment } from './script.ts';
import { SYN } from './script.ts';

/** Words of one template in {@link Templates.words}. */
export const enum T {
  STRIDE = 16,
  /** First byte in the blob. */
  OFFSET = 0,
  CAPLEN = 1,
  WIRELEN = 2,
  /** Offset of the four changing bytes of the source address; those of the destination follow after `ADDRESS_STEP`. */
  ADDRESS = 3,
  ADDRESS_STEP = 4,
  L4 = 5,
  /** Offset of the IPv4 header checksum, 0 for IPv6. */
  IP_CHECKSUM = 6,
  L4_CHECKSUM = 7,
  /** Sums of 16-bit words over all bytes that stay. */
  IP_SUM = 8,
  L4_SUM = 9,
  DIR = 10,
  /** TCP flags; -1 for UDP. */
  FLAGS = 11,
  SEQ = 12,
  ACKNO = 13,
  PAYLOAD = 14,
  IPLEN = 15,
}

/** One script in one packet format. */
export interface TemplateScript {
  /** Index of its first template. */
  readonly first: number;
  readonly count: number;
  /** Templates that repeat, relative to `first`; `loopFrom` = `loopTo` when none do. */
  readonly loopFrom: number;
  readonly loopTo: number;
  readonly delta: readonly [number, number];
  readonly proto: 6 | 17;
  readonly ipv6: boolean;
  readonly port: number;
  readonly facts: Facts;
  readonly script: Script;
}

export interface Format {
  readonly ipv6: boolean;
  readonly vlan: boolean;
  readonly snaplen: number;
}

/** First 12 bytes of every IPv6 address: 2001:db8:1::/96 for originators, 2001:db8:2::/96 for responders (RFC 3849). */
export const IPV6_PREFIX: readonly [string, string] = [
  '20010db8000100000000000000000000',
  '20010db8000200000000000000000000',
];

const MAC: readonly [readonly number[], readonly number[]] = [
  [0x02, 0x00, 0x5e, 0x00, 0x00, 0x01],
  [0x02, 0x00, 0x5e, 0x00, 0x00, 0x02],
];
const SYN_OPTIONS = (mss: number) => [2, 4, ...u16(mss), 1, 3, 3, 7, 1, 1, 4, 2];

/** Sum of big-endian 16-bit words, not folded; an odd last byte counts as the high one. */
export function sum16(bytes: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i + 1 < bytes.length; i += 2) sum += ((bytes[i] ?? 0) << 8) | (bytes[i + 1] ?? 0);
  if (bytes.length & 1) sum += (bytes[bytes.length - 1] ?? 0) << 8;
  return sum;
}

/** Largest payload of a TCP segment on an Ethernet of 1500 bytes. */
export const mssOf = (ipv6: boolean): number => (ipv6 ? 1440 : 1460);

export interface Templates {
  readonly blob: Uint8Array;
  readonly words: Int32Array;
  readonly scripts: readonly TemplateScript[];
}

export interface TemplateBuilder {
  add(script: Script, format: Format, port: number, facts: Facts): number;
  finish(): Templates;
}

export function createTemplateBuilder(): TemplateBuilder {
  const frames: Uint8Array[] = [];
  const words: number[] = [];
  const scripts: TemplateScript[] = [];
  let bytes = 0;

  function add(script: Script, format: Format, port: number, facts: Facts): number {
    const first = frames.length;
    script.segments.forEach((segment, i) => {
      const { frame, row } = layOut(script, segment, i, format, port);
      row[T.OFFSET] = bytes;
      const kept = frame.subarray(0, format.snaplen);
      row[T.CAPLEN] = kept.length;
      frames.push(kept);
      words.push(...row);
      bytes += kept.length;
    });
    const { loop } = script;
    scripts.push({
      first,
      count: script.segments.length,
      loopFrom: loop?.from ?? script.segments.length,
      loopTo: loop?.to ?? script.segments.length,
      delta: loop?.delta ?? [0, 0],
      proto: script.proto,
      ipv6: format.ipv6,
      port,
      facts,
      script,
    });
    return scripts.length - 1;
  }

  function finish(): Templates {
    const blob = new Uint8Array(bytes);
    let at = 0;
    for (const frame of frames) {
      blob.set(frame, at);
      at += frame.length;
    }
    return { blob, words: Int32Array.from(words), scripts };
  }

  return { add, finish };
}

function layOut(script: Script, segment: Segment, index: number, format: Format, port: number) {
  const { ipv6 } = format;
  const { dir, payload } = segment;
  const l2: Part[] = [MAC[dir === 0 ? 1 : 0], MAC[dir]];
  if (format.vlan) l2.push(u16(0x8100), u16(0x0064));
  l2.push(u16(ipv6 ? 0x86dd : 0x0800));
  const ethernet = concat(...l2);

  const l4 = script.proto === 6 ? tcpHeader(segment, mssOf(ipv6), port) : udpHeader(segment, port);
  const l4Length = l4.length + payload.length;
  const zero = new Uint8Array(4);
  const [source, destination] = dir === 0 ? ([0, 1] as const) : ([1, 0] as const);
  const prefix = (end: 0 | 1) => new Uint8Array(Buffer.from(IPV6_PREFIX[end].slice(0, 24), 'hex'));
  const ttl = dir === 0 ? 64 : 57;
  const ip = ipv6
    ? concat(u32(0x60000000), u16(l4Length), u8(script.proto), u8(ttl), prefix(source), zero, prefix(destination), zero)
    : concat(
        u8(0x45),
        u8(0),
        u16(20 + l4Length),
        u16(index),
        u16(0x4000),
        u8(ttl),
        u8(script.proto),
        u16(0),
        zero,
        zero,
      );
  const frame = concat(ethernet, ip, l4, payload);
  const pseudo = script.proto + l4Length + (ipv6 ? sum16(prefix(0)) + sum16(prefix(1)) : 0);

  const row = new Array<number>(T.STRIDE).fill(0);
  row[T.WIRELEN] = frame.length;
  row[T.ADDRESS] = ethernet.length + (ipv6 ? 20 : 12);
  row[T.ADDRESS_STEP] = ipv6 ? 16 : 4;
  row[T.L4] = ethernet.length + ip.length;
  row[T.IP_CHECKSUM] = ipv6 ? 0 : ethernet.length + 10;
  row[T.L4_CHECKSUM] = ethernet.length + ip.length + (script.proto === 6 ? 16 : 6);
  row[T.IP_SUM] = ipv6 ? 0 : sum16(ip);
  row[T.L4_SUM] = pseudo + sum16(l4) + sum16(payload);
  row[T.DIR] = dir;
  row[T.FLAGS] = script.proto === 6 ? segment.flags : -1;
  row[T.SEQ] = segment.seq;
  row[T.ACKNO] = segment.ack;
  row[T.PAYLOAD] = payload.length;
  row[T.IPLEN] = ip.length + l4Length;
  return { frame, row };
}

/** The responder's port is fixed; the originator's is patched in. */
const ports = (dir: number, port: number): Part => (dir === 0 ? [0, 0, ...u16(port)] : [...u16(port), 0, 0]);

function tcpHeader({ dir, flags }: Segment, mss: number, port: number): Uint8Array {
  const options = flags & SYN ? SYN_OPTIONS(mss) : [];
  const offset = (20 + options.length) >> 2;
  // In a SYN it is not scaled.
  const window = flags & SYN ? 64240 : 502;
  return concat(ports(dir, port), u32(0), u32(0), u8(offset << 4), u8(flags), u16(window), u16(0), u16(0), options);
}

function udpHeader({ dir, payload }: Segment, port: number): Uint8Array {
  return concat(ports(dir, port), u16(8 + payload.length), u16(0));
}
