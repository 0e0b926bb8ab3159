/** Hand-made frames: Ethernet, IP, TCP and UDP, with every field open to mischief. Checksums are left 0. */

export interface IpOptions {
  readonly src?: string;
  readonly dst?: string;
  readonly ttl?: number;
  /** IPv4 options, padded to four bytes; IPv6: whole extension headers, the first of type `firstExtension`. */
  readonly options?: Uint8Array;
  readonly firstExtension?: number;
  /** IPv4: flags and fragment offset. */
  readonly fragment?: number;
  readonly id?: number;
  /** Replaces the length field. */
  readonly length?: number;
}

export interface TcpOptions extends IpOptions {
  readonly sport?: number;
  readonly dport?: number;
  readonly seq?: number;
  readonly ack?: number;
  readonly flags?: number;
  readonly window?: number;
  readonly payload?: Uint8Array | string;
  /** TCP options, padded to four bytes. */
  readonly tcpOptions?: Uint8Array;
}

export interface UdpOptions extends IpOptions {
  readonly sport?: number;
  readonly dport?: number;
  readonly payload?: Uint8Array | string;
  /** Replaces the length field. */
  readonly udpLength?: number;
}

export const FIN = 1;
export const SYN = 2;
export const RST = 4;
export const PSH = 8;
export const ACK = 16;

const ORIG = '10.0.0.1';
const RESP = '10.0.0.2';

export function concat(...parts: Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}

export function u16(...values: number[]): Uint8Array {
  return Uint8Array.from(values.flatMap((v) => [(v >>> 8) & 0xff, v & 0xff]));
}

export function u32(...values: number[]): Uint8Array {
  return u16(...values.flatMap((v) => [v >>> 16, v & 0xffff]));
}

export function bytesOf(payload: Uint8Array | string | undefined): Uint8Array {
  return typeof payload === 'string' ? new TextEncoder().encode(payload) : (payload ?? new Uint8Array());
}

/** An address as bytes; IPv6 as eight groups or with `::`. */
export function address(text: string): Uint8Array {
  if (!text.includes(':')) return Uint8Array.from(text.split('.').map(Number));
  const [head = '', tail] = text.split('::');
  const groups = (s: string) => (s === '' ? [] : s.split(':').map((g) => Number.parseInt(g, 16)));
  const left = groups(head);
  const right = tail === undefined ? [] : groups(tail);
  return u16(...left, ...Array(8 - left.length - right.length).fill(0), ...right);
}

export function ip(proto: number, payload: Uint8Array, o: IpOptions = {}): Uint8Array {
  const src = address(o.src ?? ORIG);
  const dst = address(o.dst ?? RESP);
  const options = o.options ?? new Uint8Array();
  if (src.length === 4) {
    const header = 20 + options.length;
    return concat(
      Uint8Array.of(0x40 | (header >> 2), 0),
      u16(o.length ?? header + payload.length, o.id ?? 0, o.fragment ?? 0),
      Uint8Array.of(o.ttl ?? 64, proto, 0, 0),
      src,
      dst,
      options,
      payload,
    );
  }
  return concat(
    u32(0x60000000),
    u16(o.length ?? options.length + payload.length),
    Uint8Array.of(o.firstExtension ?? proto, o.ttl ?? 64),
    src,
    dst,
    options,
    payload,
  );
}

export function tcpSegment(o: TcpOptions): Uint8Array {
  const options = o.tcpOptions ?? new Uint8Array();
  return concat(
    u16(o.sport ?? 40000, o.dport ?? 443),
    u32((o.seq ?? 0) >>> 0, (o.ack ?? 0) >>> 0),
    u16((((20 + options.length) >> 2) << 12) | (o.flags ?? ACK), o.window ?? 65535, 0, 0),
    options,
    bytesOf(o.payload),
  );
}

export function udpDatagram(o: UdpOptions): Uint8Array {
  const payload = bytesOf(o.payload);
  return concat(u16(o.sport ?? 40000, o.dport ?? 53, o.udpLength ?? payload.length + 8, 0), payload);
}

export function ethernet(type: number, payload: Uint8Array, pad = 0): Uint8Array {
  return concat(Uint8Array.of(2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2), u16(type), payload, new Uint8Array(pad));
}

const typeOf = (packet: Uint8Array) => (packet[0] >> 4 === 6 ? 0x86dd : 0x0800);

/** An Ethernet frame with a TCP segment. */
export function tcp(o: TcpOptions = {}): Uint8Array {
  const packet = ip(6, tcpSegment(o), o);
  return ethernet(typeOf(packet), packet);
}

/** An Ethernet frame with a UDP datagram. */
export function udp(o: UdpOptions = {}): Uint8Array {
  const packet = ip(17, udpDatagram(o), o);
  return ethernet(typeOf(packet), packet);
}

/** The same frame sent the other way by the other end. */
export function back<T extends TcpOptions | UdpOptions>(o: T): T {
  return {
    ...o,
    src: o.dst ?? RESP,
    dst: o.src ?? ORIG,
    sport: o.dport ?? 443,
    dport: o.sport ?? 40000,
  };
}
