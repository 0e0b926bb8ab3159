/** The `[decap]` section of the configuration: which tunnels are opened, so that a packet belongs to its innermost connection. */
export interface DecapConfig {
  /** GRE of versions 0 and 1 (RFC 2784, 2890, PPTP's RFC 2637), with Ethernet bridging and ERSPAN inside. */
  readonly gre: boolean;
  /** IPv4 and IPv6 in IPv4 and IPv6: IP-in-IP (RFC 2003), 6in4 (RFC 4213), 4in6 and 6in6 (RFC 2473). */
  readonly ipip: boolean;
  /** VXLAN (RFC 7348) over UDP to {@link vxlan_ports}. */
  readonly vxlan: boolean;
  /** GENEVE (RFC 8926) over UDP to {@link geneve_ports}. */
  readonly geneve: boolean;
  /** User data of GTP version 1 (3GPP TS 29.281) over UDP to {@link gtp_u_ports}. */
  readonly gtp_u: boolean;
  /** Teredo (RFC 4380) over UDP from or to port 3544. */
  readonly teredo: boolean;
  readonly vxlan_ports: readonly number[];
  readonly geneve_ports: readonly number[];
  readonly gtp_u_ports: readonly number[];
  /** Tunnels inside each other that are opened; deeper ones stay closed. */
  readonly max_depth: number;
}

export const DECAP_DEFAULTS: DecapConfig = {
  gre: false,
  ipip: false,
  vxlan: false,
  geneve: false,
  gtp_u: false,
  teredo: false,
  vxlan_ports: [4789, 8472],
  geneve_ports: [6081],
  gtp_u_ports: [2152],
  max_depth: 4,
};

/** Every tunnel opened. */
export const DECAP_ALL: DecapConfig = {
  ...DECAP_DEFAULTS,
  gre: true,
  ipip: true,
  vxlan: true,
  geneve: true,
  gtp_u: true,
  teredo: true,
};

/** Whether any tunnel is opened at all. */
export function decapsulates({ gre, ipip, vxlan, geneve, gtp_u, teredo }: DecapConfig): boolean {
  return gre || ipip || vxlan || geneve || gtp_u || teredo;
}

/** The one UDP port of Teredo's servers (RFC 4380 section 2.7). */
export const TEREDO_PORT = 3544;
