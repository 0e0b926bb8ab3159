/** What traffic to make: the options with their defaults, and the named shapes that benchmarks and tests use. */

/** Kinds of connection. */
export const APPS = ['tls12', 'tls13', 'http', 'dns', 'data', 'stream', 'chat', 'datagrams', 'syn'] as const;
export type App = (typeof APPS)[number];

export interface TrafficOptions {
  /** Decides every byte. */
  readonly seed: number;
  /** Connections to open in all. */
  readonly connections: number;
  /** Stop after this many packets, whatever is still open then. */
  readonly packets: number;
  /** Connections under way at a time; each packet belongs to a random one of them. */
  readonly live: number;
  /** Weight of each kind of connection. */
  readonly mix: Readonly<Partial<Record<App, number>>>;
  /** Least and most repetitions of the repeating part of `tls*`, `stream`, `chat` and `datagrams`. */
  readonly repeats: readonly [number, number];
  /** TLS connections carry a repeating bulk part behind their first request. */
  readonly tlsBulk: boolean;
  /** Different scripts of each kind. */
  readonly variety: number;
  /** Shares of connections, 0..1: over IPv6; with a VLAN tag; aborted by RST; never closed. */
  readonly ipv6: number;
  readonly vlan: number;
  readonly rst: number;
  readonly halfOpen: number;
  /** Shares of packets with payload, 0..1: missing in the capture; late by one to three packets; sent twice. */
  readonly loss: number;
  readonly reorder: number;
  readonly retransmit: number;
  /** Addresses in use on either side. */
  readonly clients: number;
  readonly servers: number;
  /** Bytes kept of each frame, at least 96. */
  readonly snaplen: number;
  /** Packets per second of capture time, and the time of the first one (seconds since 1970). */
  readonly rate: number;
  readonly start: number;
  /** Nanosecond times; else microseconds. */
  readonly nanoseconds: boolean;
}

export const DEFAULTS: TrafficOptions = {
  seed: 1,
  connections: 1000,
  packets: Number.POSITIVE_INFINITY,
  live: 100,
  mix: { tls13: 4, tls12: 2, http: 3, dns: 2, data: 1 },
  repeats: [1, 4],
  tlsBulk: false,
  variety: 64,
  ipv6: 0,
  vlan: 0,
  rst: 0.05,
  halfOpen: 0.01,
  loss: 0,
  reorder: 0,
  retransmit: 0,
  clients: 65536,
  servers: 4096,
  snaplen: 65535,
  rate: 100_000,
  start: 1_700_000_000,
  nanoseconds: false,
};

/** Largest number of repetitions: "until the packets are used up". */
const ENDLESS = 1 << 26;

/** The shapes, at their full size. */
export const SHAPES = {
  /** A small web mix; the default. */
  mixed: {},
  /** A few fat flows of full segments, 128 bytes kept of each. */
  elephant: {
    connections: 200,
    live: 200,
    packets: 5_000_000,
    mix: { stream: 1 },
    repeats: [ENDLESS, ENDLESS],
    snaplen: 128,
    rate: 1_000_000,
  },
  /** Many short connections with TLS, HTTP and DNS payloads. */
  short: { connections: 250_000, live: 10_000, ipv6: 0.1, rate: 500_000 },
  /** One SYN each, never answered. */
  scan: { connections: 3_000_000, live: 1, mix: { syn: 1 }, variety: 1, servers: 1 << 22, rate: 200_000 },
  /** Many connections at once with small packets in random order. */
  live200k: {
    connections: 200_000,
    live: 200_000,
    packets: 2_400_000,
    mix: { chat: 9, datagrams: 1 },
    repeats: [ENDLESS, ENDLESS],
    variety: 16,
    rate: 1_000_000,
  },
  live1m: {
    connections: 1_000_000,
    live: 1_000_000,
    packets: 6_000_000,
    mix: { chat: 9, datagrams: 1 },
    repeats: [ENDLESS, ENDLESS],
    variety: 16,
    rate: 2_000_000,
  },
  live5m: {
    connections: 5_000_000,
    live: 5_000_000,
    packets: 15_000_000,
    mix: { chat: 9, datagrams: 1 },
    repeats: [ENDLESS, ENDLESS],
    variety: 16,
    clients: 1 << 20,
    rate: 10_000_000,
  },
  /** TLS handshakes followed by bulk records. */
  tls: {
    connections: 20_000,
    live: 1_000,
    mix: { tls13: 2, tls12: 1 },
    tlsBulk: true,
    repeats: [1, 8],
    ipv6: 0.1,
    rate: 500_000,
  },
} as const satisfies Record<string, Partial<TrafficOptions>>;

export type Shape = keyof typeof SHAPES;
export const SHAPE_NAMES = Object.keys(SHAPES) as Shape[];

/** The options of a shape with its counts multiplied by `factor`, then overridden. */
export function shapeOptions(shape: Shape, factor = 1, overrides: Partial<TrafficOptions> = {}): TrafficOptions {
  const base: TrafficOptions = { ...DEFAULTS, ...SHAPES[shape] };
  const scaled = (value: number) => (Number.isFinite(value) ? Math.max(1, Math.round(value * factor)) : value);
  return {
    ...base,
    connections: scaled(base.connections),
    packets: scaled(base.packets),
    live: scaled(base.live),
    ...overrides,
  };
}
