/** Builders of capture files for tests: pcap and pcapng in every byte order, resolution and kind of block. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface TestPacket {
  /** Whole seconds, unsigned. */
  readonly sec: number;
  /** Nanoseconds; the file's resolution may cut them. */
  readonly nsec: number;
  readonly bytes: Uint8Array;
  /** Bytes on the wire; default all of `bytes`. */
  readonly wirelen?: number;
}

export interface PcapOptions {
  readonly littleEndian?: boolean;
  readonly nanoseconds?: boolean;
  /** 24-byte record headers (magic a1b2cd34). */
  readonly longHeaders?: boolean;
  readonly link?: number;
  readonly snaplen?: number;
  readonly version?: readonly [major: number, minor: number];
}

/** A growing buffer with one byte order. */
function writer(littleEndian: boolean) {
  let bytes = Buffer.alloc(1024);
  let length = 0;
  function room(count: number): number {
    if (length + count > bytes.length) bytes = Buffer.concat([bytes, Buffer.alloc(bytes.length + count)]);
    length += count;
    return length - count;
  }
  return {
    u16: (value: number) => {
      const at = room(2);
      littleEndian ? bytes.writeUInt16LE(value, at) : bytes.writeUInt16BE(value, at);
    },
    u32: (value: number) => {
      const at = room(4);
      littleEndian ? bytes.writeUInt32LE(value >>> 0, at) : bytes.writeUInt32BE(value >>> 0, at);
    },
    i64: (value: bigint) => {
      const at = room(8);
      littleEndian ? bytes.writeBigInt64LE(value, at) : bytes.writeBigInt64BE(value, at);
    },
    bytes: (data: Uint8Array) => {
      const at = room(data.length);
      bytes.set(data, at);
    },
    zeros: (count: number) => {
      const at = room(count);
      bytes.fill(0, at, at + count);
    },
    done: (): Buffer => bytes.subarray(0, length),
  };
}

export function buildPcap(packets: readonly TestPacket[], options: PcapOptions = {}): Buffer {
  const { littleEndian = true, nanoseconds = false, longHeaders = false, link = 1, snaplen = 262144 } = options;
  const [major, minor] = options.version ?? [2, 4];
  const out = writer(littleEndian);
  out.u32(longHeaders ? 0xa1b2cd34 : nanoseconds ? 0xa1b23c4d : 0xa1b2c3d4);
  out.u16(major);
  out.u16(minor);
  out.zeros(8);
  out.u32(snaplen);
  out.u32(link);
  for (const packet of packets) {
    out.u32(packet.sec);
    out.u32(nanoseconds && !longHeaders ? packet.nsec : Math.floor(packet.nsec / 1000));
    const wirelen = packet.wirelen ?? packet.bytes.length;
    // Before version 2.3 the two lengths stood the other way round.
    out.u32(minor < 3 ? wirelen : packet.bytes.length);
    out.u32(minor < 3 ? packet.bytes.length : wirelen);
    if (longHeaders) out.zeros(8);
    out.bytes(packet.bytes);
  }
  return out.done();
}

export type PcapngBlock =
  | { readonly kind: 'section'; readonly littleEndian: boolean; readonly major?: number }
  | {
      readonly kind: 'interface';
      readonly link?: number;
      readonly snaplen?: number;
      /** The option if_tsresol. */
      readonly resolution?: number;
      /** The option if_tsoffset, in seconds. */
      readonly offset?: bigint;
    }
  | {
      readonly kind: 'enhanced' | 'obsolete';
      readonly interface?: number;
      /** The 64-bit time stamp as it stands in the file. */
      readonly stamp: bigint;
      readonly bytes: Uint8Array;
      readonly wirelen?: number;
      /** Bytes of a comment option behind the packet. */
      readonly comment?: number;
    }
  | { readonly kind: 'simple'; readonly bytes: Uint8Array; readonly wirelen?: number }
  | { readonly kind: 'other'; readonly type: number; readonly body: Uint8Array };

const BLOCK_TYPES = { section: 0x0a0d0d0a, interface: 1, obsolete: 2, simple: 3, enhanced: 6 };

/** A pcapng file of the given blocks; the first should be a section. */
export function buildPcapng(blocks: readonly PcapngBlock[]): Buffer {
  const parts: Buffer[] = [];
  let littleEndian = true;
  for (const block of blocks) {
    if (block.kind === 'section') littleEndian = block.littleEndian;
    const body = writer(littleEndian);
    writeBody(body, block);
    const padded = body.done();
    const type = block.kind === 'other' ? block.type : BLOCK_TYPES[block.kind];
    const out = writer(littleEndian);
    const total = 12 + Math.ceil(padded.length / 4) * 4;
    out.u32(type);
    out.u32(total);
    out.bytes(padded);
    out.zeros(total - 12 - padded.length);
    out.u32(total);
    parts.push(out.done());
  }
  return Buffer.concat(parts);
}

function writeBody(out: ReturnType<typeof writer>, block: PcapngBlock): void {
  switch (block.kind) {
    case 'section':
      out.u32(0x1a2b3c4d);
      out.u16(block.major ?? 1);
      out.u16(0);
      out.i64(-1n);
      break;
    case 'interface':
      out.u16(block.link ?? 1);
      out.u16(0);
      out.u32(block.snaplen ?? 0);
      if (block.resolution !== undefined) {
        out.u16(9);
        out.u16(1);
        out.bytes(Uint8Array.of(block.resolution, 0, 0, 0));
      }
      if (block.offset !== undefined) {
        out.u16(14);
        out.u16(8);
        out.i64(block.offset);
      }
      if (block.resolution !== undefined || block.offset !== undefined) out.zeros(4);
      break;
    case 'enhanced':
    case 'obsolete':
      if (block.kind === 'enhanced') out.u32(block.interface ?? 0);
      else {
        out.u16(block.interface ?? 0);
        out.u16(0);
      }
      out.u32(Number(block.stamp >> 32n));
      out.u32(Number(block.stamp & 0xffffffffn));
      out.u32(block.bytes.length);
      out.u32(block.wirelen ?? block.bytes.length);
      out.bytes(block.bytes);
      out.zeros((4 - (block.bytes.length & 3)) & 3);
      if (block.comment !== undefined) {
        out.u16(1);
        out.u16(block.comment);
        out.bytes(new Uint8Array(Math.ceil(block.comment / 4) * 4).fill(0x63));
        out.zeros(4);
      }
      break;
    case 'simple':
      out.u32(block.wirelen ?? block.bytes.length);
      out.bytes(block.bytes);
      break;
    case 'other':
      out.bytes(block.body);
      break;
  }
}

/** A folder for one test file's captures; `remove` deletes it. */
export function captureFolder(): {
  readonly path: string;
  write(name: string, bytes: Uint8Array): string;
  remove(): void;
} {
  const path = mkdtempSync(join(tmpdir(), 'iris-test-'));
  return {
    path,
    write(name, bytes) {
      const file = join(path, name);
      writeFileSync(file, bytes);
      return file;
    },
    remove: () => rmSync(path, { recursive: true, force: true }),
  };
}
