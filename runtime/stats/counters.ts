/**
 * What one core counts: frames by fate, connections by fate, losses by reason. One Float64Array per core (exact up to
 * 2^53), which may lie in shared memory so that a monitor can read it while the core runs. The names are stable: they
 * stand in summaries, logs and metrics.
 */
export const enum Counter {
  // Decoding. A frame without TCP or UDP is counted under exactly one of the reasons below `FRAMES`.
  FRAMES,
  TRUNCATED_LINK,
  UNKNOWN_LINK_TYPE,
  NOT_IP,
  ENCRYPTED_LINK,
  TRUNCATED_IPV4,
  BAD_IPV4_HEADER,
  TRUNCATED_IPV6,
  BAD_IPV6_HEADER,
  TRUNCATED_TCP,
  BAD_TCP_HEADER,
  TRUNCATED_UDP,
  BAD_UDP_HEADER,
  OTHER_TRANSPORT,
  BAD_CHECKSUM,
  FRAGMENTS,
  // Not reasons of their own: kinds of frames counted elsewhere too.
  MALFORMED,
  DATAGRAMS_REASSEMBLED,
  FRAGMENTS_DROPPED,
  DATAGRAMS_TIMED_OUT,
  /** Packets behind the first in aggregated 802.11 frames (A-MSDU): each is counted as a frame is, but under `FRAMES`. */
  SUBFRAMES,
  // Tunnels: those opened, and those that stayed closed, by reason.
  DECAPSULATED,
  TUNNELS_TRUNCATED,
  TUNNELS_MALFORMED,
  /** No IP packet inside, or a form of the tunnel that is not read. */
  TUNNELS_UNREAD,
  TUNNELS_TOO_DEEP,
  // Filter and connections.
  TRANSPORT_PACKETS,
  FILTERED_OUT,
  TRACKED_PACKETS,
  LATE_PACKETS,
  MIDSTREAM_PACKETS,
  CONNS_OPENED,
  CONNS_UNWANTED,
  CONNS_DROPPED,
  CONNS_REFUSED,
  CONNS_EVICTED,
  TOMBSTONES_EVICTED,
  ENDED_FIN,
  ENDED_RST,
  ENDED_ESTABLISH_TIMEOUT,
  ENDED_INACTIVITY_TIMEOUT,
  ENDED_DRAIN,
  ENDED_REUSED,
  // Reassembly.
  OUT_OF_ORDER_SEGMENTS,
  OUT_OF_WINDOW_SEGMENTS,
  STREAM_GAPS,
  STREAM_GAP_BYTES,
  REASSEMBLY_OVERFLOWS,
  REASSEMBLY_TIMEOUTS,
  STREAMS_REFUSED,
  // Application layer.
  L7_IDENTIFIED,
  L7_UNIDENTIFIED,
  L7_SESSIONS,
  L7_FAULTS,
  COUNT,
}

/** Names of {@link Counter}, by number. */
export const COUNTER_NAMES = [
  'frames',
  'truncated_link',
  'unknown_link_type',
  'not_ip',
  'encrypted_link',
  'truncated_ipv4',
  'bad_ipv4_header',
  'truncated_ipv6',
  'bad_ipv6_header',
  'truncated_tcp',
  'bad_tcp_header',
  'truncated_udp',
  'bad_udp_header',
  'other_transport',
  'bad_checksum',
  'fragments',
  'malformed',
  'datagrams_reassembled',
  'fragments_dropped',
  'datagrams_timed_out',
  'subframes',
  'decapsulated',
  'tunnels_truncated',
  'tunnels_malformed',
  'tunnels_unread',
  'tunnels_too_deep',
  'transport_packets',
  'filtered_out',
  'tracked_packets',
  'late_packets',
  'midstream_packets',
  'conns_opened',
  'conns_unwanted',
  'conns_dropped',
  'conns_refused',
  'conns_evicted',
  'tombstones_evicted',
  'ended_fin',
  'ended_rst',
  'ended_establish_timeout',
  'ended_inactivity_timeout',
  'ended_drain',
  'ended_reused',
  'out_of_order_segments',
  'out_of_window_segments',
  'stream_gaps',
  'stream_gap_bytes',
  'reassembly_overflows',
  'reassembly_timeouts',
  'streams_refused',
  'l7_identified',
  'l7_unidentified',
  'l7_sessions',
  'l7_faults',
] as const;

export type CounterName = (typeof COUNTER_NAMES)[number];

/** One core's counters, indexed by {@link Counter}. */
export type Counters = Float64Array;

/** New counters, all zero; over `buffer` (a SharedArrayBuffer, say) when one is given. */
export function createCounters(buffer?: ArrayBufferLike): Counters {
  return buffer === undefined ? new Float64Array(Counter.COUNT) : new Float64Array(buffer, 0, Counter.COUNT);
}

/** Bytes {@link createCounters} needs of a buffer. */
export const COUNTERS_BYTES = Counter.COUNT * 8;

/** Counters by name, for summaries and tests. */
export function namedCounters(counters: Counters): Record<CounterName, number> {
  const named = {} as Record<CounterName, number>;
  COUNTER_NAMES.forEach((name, i) => {
    named[name] = counters[i];
  });
  return named;
}
