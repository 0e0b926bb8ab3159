/** How long a connection may be silent: which of the four timeouts of `[conntrack]` it is under. */
import { IpProto } from '../packet/transport.ts';
import type { ConnTrackConfig } from './config.ts';
import { ConnMeta } from './layout.ts';

/** The timeouts, as numbers. */
export const enum Timeout {
  /** TCP, one packet so far. */
  ESTABLISH = 0,
  INACTIVITY = 1,
  /** A TCP connection that has closed: its tombstone's. */
  CLOSED = 2,
  UDP = 3,
}

export interface Timeouts {
  /** Seconds: the least and the greatest of the four. */
  readonly shortest: number;
  readonly longest: number;
  /** The one in force for record `c`, in seconds and in ticks of the timer wheel, rounded up; and which it is. */
  seconds(c: number): number;
  ticks(c: number): number;
  kind(c: number): Timeout;
  /** Ticks of {@link Timeout.CLOSED}. */
  readonly closedTicks: number;
}

/** The timeouts of `config` for records with these `recMeta`. */
export function createTimeouts(recMeta: Int32Array, config: ConnTrackConfig): Timeouts {
  const all = Float64Array.of(
    config.tcp_establish_timeout,
    config.tcp_inactivity_timeout,
    config.tcp_closed_timeout,
    config.udp_inactivity_timeout,
  );
  const inTicks = new Int32Array(all.map((seconds) => Math.ceil(seconds / config.timeout_resolution)));

  function kind(c: number): Timeout {
    const meta = recMeta[c];
    if ((meta & ConnMeta.PROTO_MASK) !== IpProto.TCP) return Timeout.UDP;
    if (((meta >>> ConnMeta.END_SHIFT) & ConnMeta.END_MASK) !== 0) return Timeout.CLOSED;
    return (meta & ConnMeta.SECOND) !== 0 ? Timeout.INACTIVITY : Timeout.ESTABLISH;
  }

  return {
    shortest: Math.min(...all),
    longest: Math.max(...all),
    seconds: (c) => all[kind(c)],
    ticks: (c) => inTicks[kind(c)],
    kind,
    closedTicks: inTicks[Timeout.CLOSED],
  };
}
