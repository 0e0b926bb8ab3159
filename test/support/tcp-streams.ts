/**
 * The naive way from a capture to TCP streams, to hold clever code against: reads a whole file, keeps every segment, and
 * replays a connection's segments in order of arrival, each byte once. Ethernet with VLAN tags, Linux cooked, raw IP and
 * loopback; no tunnels, no fragments, no timeouts.
 */
import { readFileSync } from 'node:fs';
import type { Truth } from './corpus.ts';

export interface Frame {
  readonly link: number;
  readonly bytes: Buffer;
}

/** The frames of a pcap or pcapng file. */
export function framesOf(path: string): Frame[] {
  const file = readFileSync(path);
  const frames: Frame[] = [];
  const magic = file.readUInt32LE(0);
  if (magic === 0x0a0d0d0a) {
    let links: number[] = [];
    let big = false;
    for (let at = 0; at + 12 <= file.length; ) {
      if (file.readUInt32LE(at) === 0x0a0d0d0a) {
        big = file.readUInt32LE(at + 8) !== 0x1a2b3c4d;
        links = [];
      }
      const u32 = (i: number) => (big ? file.readUInt32BE(i) : file.readUInt32LE(i));
      const type = u32(at);
      const length = u32(at + 4);
      if (type === 1) links.push(big ? file.readUInt16BE(at + 8) : file.readUInt16LE(at + 8));
      if (type === 6) {
        const link = links[u32(at + 8)];
        frames.push({ link, bytes: file.subarray(at + 28, at + 28 + u32(at + 20)) });
      }
      at += length;
    }
    return frames;
  }
  const big = magic === 0xd4c3b2a1 || magic === 0x4d3cb2a1;
  const u32 = (i: number) => (big ? file.readUInt32BE(i) : file.readUInt32LE(i));
  const link = u32(20) & 0xffff;
  for (let at = 24; at + 16 <= file.length; at += 16 + u32(at + 8)) {
    frames.push({ link, bytes: file.subarray(at + 16, at + 16 + u32(at + 8)) });
  }
  return frames;
}

export interface Segment {
  /** `address|port`, IPv6 addresses as eight groups of four digits. */
  readonly from: string;
  readonly to: string;
  readonly protocol: 'tcp' | 'udp';
  readonly seq: number;
  readonly flags: number;
  readonly payload: Buffer;
}

/** The TCP segment or UDP datagram of a frame, if it has a whole one. */
export function segmentOf(frame: Frame): Segment | undefined {
  const { bytes } = frame;
  let at = 0;
  let ip = false;
  switch (frame.link) {
    case 1: {
      at = 12;
      while (at + 2 <= bytes.length && [0x8100, 0x88a8, 0x9100].includes(bytes.readUInt16BE(at))) at += 4;
      if (at + 2 > bytes.length) return undefined;
      let type = bytes.readUInt16BE(at);
      at += 2;
      if (type === 0x8864) {
        at += 6;
        type = bytes.readUInt16BE(at) === 0x21 ? 0x0800 : 0x86dd;
        at += 2;
      }
      ip = type === 0x0800 || type === 0x86dd;
      break;
    }
    case 113:
      at = 16;
      ip = true;
      break;
    case 276:
      at = 20;
      ip = true;
      break;
    case 0:
      at = 4;
      ip = true;
      break;
    case 9:
      at = bytes[0] === 0xff ? 4 : 2;
      ip = true;
      break;
    case 101:
    case 228:
    case 229:
    case 12:
      ip = true;
      break;
    default:
      break;
  }
  return ip ? segmentOfIp(bytes.subarray(at)) : undefined;
}

function segmentOfIp(ip: Buffer): Segment | undefined {
  if (ip.length < 20) return undefined;
  let protocol: number;
  let end: number;
  let at: number;
  let from: string;
  let to: string;
  if (ip[0] >> 4 === 4) {
    if ((ip.readUInt16BE(6) & 0x3fff) !== 0) return undefined;
    protocol = ip[9];
    // A length of 0: the card cut the packet into segments after it was captured.
    end = ip.readUInt16BE(2) || ip.length;
    at = (ip[0] & 15) * 4;
    from = Array.from(ip.subarray(12, 16)).join('.');
    to = Array.from(ip.subarray(16, 20)).join('.');
  } else if (ip[0] >> 4 === 6 && ip.length >= 40) {
    protocol = ip[6];
    end = 40 + ip.readUInt16BE(4);
    at = 40;
    const groups = (i: number) =>
      (
        ip
          .subarray(i, i + 16)
          .toString('hex')
          .match(/..../g) ?? []
      ).join(':');
    from = groups(8);
    to = groups(24);
    while ([0, 43, 60].includes(protocol) && at + 8 <= ip.length) {
      protocol = ip[at];
      at += 8 + ip[at + 1] * 8;
    }
  } else return undefined;
  if (protocol === 17 && at + 8 <= ip.length) {
    const ends = { from: `${from}|${ip.readUInt16BE(at)}`, to: `${to}|${ip.readUInt16BE(at + 2)}` };
    return { ...ends, protocol: 'udp', seq: 0, flags: 0, payload: ip.subarray(at + 8, end) };
  }
  if (protocol !== 6 || at + 20 > ip.length) return undefined;
  return {
    from: `${from}|${ip.readUInt16BE(at)}`,
    to: `${to}|${ip.readUInt16BE(at + 2)}`,
    protocol: 'tcp',
    seq: ip.readUInt32BE(at + 4),
    flags: ip[at + 13],
    payload: ip.subarray(at + (ip[at + 12] >> 4) * 4, end),
  };
}

/** One piece of a stream, in order; `missed` bytes are not in the capture before it. */
export interface Piece {
  readonly fromOrig: boolean;
  readonly missed: number;
  readonly bytes: Buffer;
}

export interface Stream {
  /** As {@link connectionKey} makes it. */
  readonly key: string;
  readonly orig: string;
  readonly resp: string;
  readonly pieces: Piece[];
}

/** Names streams by protocol, their ends in either order, and their place among those with the same ends. */
function keyed(protocol: string, streams: readonly Omit<Stream, 'key'>[]): Stream[] {
  const seen = new Map<string, number>();
  return streams.map((stream) => {
    const ends = [protocol, ...[stream.orig, stream.resp].sort()].join(' ');
    const place = seen.get(ends) ?? 0;
    seen.set(ends, place + 1);
    return { ...stream, key: `${ends} ${place}` };
  });
}

/** An `address|port` of a truth file with IPv6 addresses written out. */
function writtenOut(end: string): string {
  const [address, port] = end.split('|');
  if (!address.includes(':')) return end;
  const [head, tail = ''] = address.split('::');
  const left = head.split(':').filter((group) => group !== '');
  const right = tail.split(':').filter((group) => group !== '');
  const zeros = Array.from({ length: 8 - left.length - right.length }, () => '0');
  return `${[...left, ...zeros, ...right].map((group) => group.padStart(4, '0')).join(':')}|${port}`;
}

/** The key of the stream that is a connection of a truth file. */
export function connectionKey(truth: Truth, conn: number): string {
  const ends = (id: number) => {
    const { proto, orig, resp } = truth.connections[id];
    return [proto, ...[writtenOut(orig), writtenOut(resp)].sort()].join(' ');
  };
  const place = truth.connections.filter((each) => each.id < conn && each.depth === 0 && ends(each.id) === ends(conn));
  return `${ends(conn)} ${place.length}`;
}

const SYN = 2;
const RST = 4;
const ACK = 16;
const FIN = 1;

/** TCP connections in order of their first segment; a SYN on a closed five-tuple starts another. */
export function tcpStreams(frames: readonly Frame[]): Stream[] {
  const connections: { orig: string; resp: string; segments: Segment[]; fins: Set<string>; closed: boolean }[] = [];
  const current = new Map<string, (typeof connections)[number]>();
  for (const frame of frames) {
    const segment = segmentOf(frame);
    if (segment?.protocol !== 'tcp') continue;
    const { from, to, flags } = segment;
    const key = [from, to].sort().join(' ');
    let connection = current.get(key);
    if (connection === undefined || (connection.closed && (flags & (SYN | ACK)) === SYN)) {
      const [orig, resp] = (flags & (SYN | ACK)) === (SYN | ACK) ? [to, from] : [from, to];
      connection = { orig, resp, segments: [], fins: new Set(), closed: false };
      connections.push(connection);
      current.set(key, connection);
    }
    connection.segments.push(segment);
    if (flags & FIN) connection.fins.add(from);
    if (flags & RST || connection.fins.size === 2) connection.closed = true;
  }
  return keyed(
    'tcp',
    connections.map(({ orig, resp, segments }) => ({ orig, resp, pieces: inOrder(segments, orig) })),
  );
}

/** UDP connections in order of their first datagram; each datagram is a piece. */
export function udpStreams(frames: readonly Frame[]): Stream[] {
  const connections = new Map<string, Omit<Stream, 'key'>>();
  for (const frame of frames) {
    const segment = segmentOf(frame);
    if (segment?.protocol !== 'udp') continue;
    const { from, to, payload } = segment;
    const ends = [from, to].sort().join(' ');
    const connection = connections.get(ends) ?? { orig: from, resp: to, pieces: [] };
    connections.set(ends, connection);
    if (payload.length > 0) connection.pieces.push({ fromOrig: from === connection.orig, missed: 0, bytes: payload });
  }
  return keyed('udp', [...connections.values()]);
}

/** Pieces as a receiver gets them; what never comes is told as missed when the capture is over. */
function inOrder(segments: readonly Segment[], orig: string): Piece[] {
  const pieces: Piece[] = [];
  const waiting = new Map<string, { at: number; seq: number; bytes: Buffer }[]>();
  const next = new Map<string, number>();
  const distance = (seq: number, base: number) => (seq - base) | 0;
  const flush = (from: string, force: boolean) => {
    const queue = waiting.get(from) ?? [];
    for (;;) {
      const base = next.get(from) ?? 0;
      queue.sort((a, b) => distance(a.seq, b.seq) || a.at - b.at);
      const first = queue[0];
      if (first === undefined) return;
      const ahead = distance(first.seq, base);
      if (ahead > 0 && !force) return;
      queue.shift();
      const bytes = first.bytes.subarray(Math.max(0, -ahead));
      if (bytes.length === 0) continue;
      pieces.push({ fromOrig: from === orig, missed: Math.max(0, ahead), bytes });
      next.set(from, (first.seq + first.bytes.length) | 0);
    }
  };
  segments.forEach((segment, at) => {
    const { from, flags } = segment;
    const seq = flags & SYN ? (segment.seq + 1) | 0 : segment.seq | 0;
    if (flags & SYN && !next.has(from)) next.set(from, seq);
    if (segment.payload.length === 0 || flags & RST) return;
    if (!next.has(from)) next.set(from, seq);
    waiting.set(from, [...(waiting.get(from) ?? []), { at, seq, bytes: segment.payload }]);
    flush(from, false);
  });
  for (const from of waiting.keys()) flush(from, true);
  return pieces;
}
