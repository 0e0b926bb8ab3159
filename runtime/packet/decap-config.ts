/** The `[decap]` section of the configuration: which tunnels are opened, so that a packet belongs to its innermost connection. */
export interface DecapConfig {
  /**
   * GRE of versions 0 and 1 (RFC 2784, 2890, PPTP's RFC 2637), with Ethernet bridging (NVGRE, RFC 7637), MPLS, ERSPAN, WCCP
   * and EoIP inside.
   */
  readonly gre: boolean;
  /** IPv4 and IPv6 in IPv4 and IPv6: IP-in-IP (RFC 2003), 6in4 (RFC 4213), 4in6 and 6in6 (RFC 2473). */
  readonly ipip: boolean;
  /** Ethernet in IP (RFC 3378). */
  readonly etherip: boolean;
  /** MPLS in IP (RFC 4023) and over UDP to port 6635 (RFC 7510). */
  readonly mpls: boolean;
  /** L2TP: data of version 2 (RFC 2661), PPP, over UDP from or to port 1701. */
  readonly l2tp: boolean;
  /** VXLAN (RFC 7348) and its generic protocol extension over UDP to {@link vxlan_ports}. */
  readonly vxlan: boolean;
  /** GENEVE (RFC 8926) over UDP to {@link geneve_ports}. */
  readonly geneve: boolean;
  /** User data of GTP version 1 (3GPP TS 29.281) over UDP to {@link gtp_u_ports}. */
  readonly gtp_u: boolean;
  /** Teredo (RFC 4380) over UDP from or to port 3544. */
  readonly teredo: boolean;
  /** AYIYA, IPv6 of tunnel brokers, over UDP from or to port 5072. */
  readonly ayiya: boolean;
  /** CAPWAP's data (RFC 5415), not encrypted, over UDP from or to port 5247: 802.11 or Ethernet. */
  readonly capwap: boolean;
  /** TZSP, frames that sniffers send on, over UDP to port 37008. */
  readonly tzsp: boolean;
  readonly vxlan_ports: readonly number[];
  readonly geneve_ports: readonly number[];
  readonly gtp_u_ports: readonly number[];
  /** Tunnels inside each other that are opened; deeper ones stay closed. */
  readonly max_depth: number;
}

export const DECAP_DEFAULTS: DecapConfig = {
  gre: false,
  ipip: false,
  etherip: false,
  mpls: false,
  l2tp: false,
  vxlan: false,
  geneve: false,
  gtp_u: false,
  teredo: false,
  ayiya: false,
  capwap: false,
  tzsp: false,
  vxlan_ports: [4789, 4790, 8472],
  geneve_ports: [6081],
  gtp_u_ports: [2152],
  max_depth: 4,
};

/** The keys that open a kind of tunnel each. */
export const TUNNEL_KINDS = [
  'gre',
  'ipip',
  'etherip',
  'mpls',
  'l2tp',
  'vxlan',
  'geneve',
  'gtp_u',
  'teredo',
  'ayiya',
  'capwap',
  'tzsp',
] as const;

/** Every tunnel opened. */
export const DECAP_ALL: DecapConfig = {
  ...DECAP_DEFAULTS,
  ...(Object.fromEntries(TUNNEL_KINDS.map((kind) => [kind, true])) as Record<(typeof TUNNEL_KINDS)[number], boolean>),
};

/** Whether any tunnel is opened at all. */
export function decapsulates(config: DecapConfig): boolean {
  return TUNNEL_KINDS.some((kind) => config[kind]);
}

/** UDP ports that are a kind of tunnel's for good; `from`: packets from that port, too, and not only to it. */
export const FIXED_PORTS = [
  /** RFC 7510 section 3. */
  { kind: 'mpls', port: 6635, from: false },
  /** RFC 2661 section 8.1. */
  { kind: 'l2tp', port: 1701, from: true },
  /** Teredo's servers, RFC 4380 section 2.7. */
  { kind: 'teredo', port: 3544, from: true },
  /** draft-massar-v6ops-ayiya-02. */
  { kind: 'ayiya', port: 5072, from: true },
  /** RFC 5415 section 3.1. */
  { kind: 'capwap', port: 5247, from: true },
  { kind: 'tzsp', port: 37008, from: false },
] as const;

/** A UDP port whose packets may be tunnels of a kind. */
export interface TunnelPort {
  readonly kind: (typeof TUNNEL_KINDS)[number];
  readonly port: number;
  readonly from: boolean;
}

/** The UDP ports of all tunnels that are opened. */
export function tunnelPorts(config: DecapConfig): readonly TunnelPort[] {
  const given = (['vxlan', 'geneve', 'gtp_u'] as const).flatMap((kind) =>
    config[`${kind}_ports`].map((port) => ({ kind, port, from: false })),
  );
  return [...given, ...FIXED_PORTS].filter(({ kind }) => config[kind]);
}
