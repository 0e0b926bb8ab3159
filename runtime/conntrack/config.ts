/** The `[conntrack]` section of the configuration: what it means and what it is when not said. Times are in seconds. */
export interface ConnTrackConfig {
  /** Connections a core can hold at a time, tombstones of ended ones included. */
  readonly max_connections: number;
  /**
   * What happens to a new connection when the table is full and holds no tombstone: it is not tracked (`drop_new`), or
   * it takes the place of one that got no second packet or whose TCP handshake is not complete (`evict_embryonic`), or of
   * one that was silent longest (`evict_oldest`). The two evictions look at a sample of the table, so that a flood costs bounded time.
   */
  readonly on_full: 'drop_new' | 'evict_embryonic' | 'evict_oldest';
  /** Open a TCP connection at a SYN-ACK whose SYN was not seen; its receiver becomes the originator. */
  readonly init_synack: boolean;
  /** Open a TCP connection at a FIN. */
  readonly init_fin: boolean;
  /** Open a TCP connection at an RST. */
  readonly init_rst: boolean;
  /** Open a TCP connection at any other packet. */
  readonly init_data: boolean;
  /** TCP: silence after the first packet that ends the connection while there is no second one. */
  readonly tcp_establish_timeout: number;
  /** TCP: silence that ends a connection. */
  readonly tcp_inactivity_timeout: number;
  /** UDP: silence that ends a connection. */
  readonly udp_inactivity_timeout: number;
  /** TCP: how long a stream waits for missing bytes while later ones are there. */
  readonly tcp_reassembly_timeout: number;
  /** Silence after which an ended TCP connection is forgotten; its late packets are recognised until then. */
  readonly tcp_closed_timeout: number;
  /** Silence after which a SYN with another initial sequence number replaces an open connection. */
  readonly tcp_reuse_timeout: number;
  /** How often timeouts are looked at. Deadlines themselves are exact whatever this is. */
  readonly timeout_resolution: number;
  /** Out-of-order segments one direction of a stream may hold. 0: none, every hole is skipped at once. */
  readonly max_out_of_order: number;
  /** Bytes of memory for out-of-order segments and fragments, per core. */
  readonly max_out_of_order_bytes: number;
  /** Streams (connections being reassembled or parsed) at a time, per core; 0: as many as connections. */
  readonly max_streams: number;
  /** What a hole that is not filled means: go on behind it with `gapBefore`, or end the stream there. */
  readonly on_gap: 'skip' | 'drop';
  /**
   * Bytes of a direction that may be kept while the application protocol is not known. TLS behind STARTTLS, CONNECT or
   * SOCKS is found where it begins within this many bytes of its direction.
   */
  readonly max_probe_bytes: number;
  /** Whether packets with a wrong IPv4, TCP or UDP checksum are left out. They are wrong where a sender's device computes them. */
  readonly verify_checksums: boolean;
}

export const CONNTRACK_DEFAULTS: ConnTrackConfig = {
  max_connections: 1_000_000,
  on_full: 'drop_new',
  init_synack: false,
  init_fin: false,
  init_rst: false,
  init_data: false,
  tcp_establish_timeout: 5,
  tcp_inactivity_timeout: 300,
  udp_inactivity_timeout: 60,
  tcp_reassembly_timeout: 30,
  tcp_closed_timeout: 5,
  tcp_reuse_timeout: 60,
  timeout_resolution: 0.1,
  max_out_of_order: 100,
  max_out_of_order_bytes: 16 * 1024 * 1024,
  max_streams: 0,
  on_gap: 'skip',
  max_probe_bytes: 4096,
  verify_checksums: false,
};

/** The defaults with some values replaced. Values are checked by whoever read them (runtime/config). */
export function conntrackConfig(some: Partial<ConnTrackConfig> = {}): ConnTrackConfig {
  return { ...CONNTRACK_DEFAULTS, ...some };
}
