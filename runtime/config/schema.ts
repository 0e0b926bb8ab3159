/**
 * Every key of the configuration file, in the order of the reference: path, type, default, unit, what it is for.
 * Names are those of Iris's own configuration, so that its files can be taken over.
 */
import { CONNTRACK_DEFAULTS } from '../conntrack/config.ts';
import { DECAP_DEFAULTS } from '../packet/decap-config.ts';
import { type Key, MAX_CORE } from './key.ts';

/** Elements of `[[online.ports]]` have this path, then a dot and the key. */
export const PORTS = 'online.ports[]';

/** Buckets of flow sampling, as many as the longest RSS tables have entries. */
export const BUCKETS = 512;

const HOUR = 3_600_000;
const D = CONNTRACK_DEFAULTS;
const T = DECAP_DEFAULTS;
/** A timeout: milliseconds in the file, as in Iris's; seconds in the runtime. */
const timeout = (seconds: number, doc: string) =>
  ({ type: 'number', default: seconds * 1000, min: 0, max: 1e12, unit: 'ms', doc }) as const;

export const SCHEMA = {
  main_core: {
    type: 'integer',
    min: 0,
    max: MAX_CORE,
    default: 0,
    doc: 'Core of the main thread: start, output, monitor.',
  },
  nb_memory_channels: {
    type: 'integer',
    min: 1,
    max: 32,
    default: 1,
    doc: 'Memory channels of the machine, told to DPDK (its option -n).',
  },

  'mempool.capacity': {
    type: 'integer',
    min: 255,
    max: 1_000_000,
    default: 65_535,
    unit: 'packets',
    doc: 'Packet buffers of each receive core; DPDK works best with 2^n - 1.',
  },
  'mempool.cache_size': {
    type: 'integer',
    min: 0,
    max: 512,
    default: 512,
    unit: 'packets',
    doc: 'Buffers that a core keeps to itself; less than two thirds of the capacity.',
  },

  'offline.pcap': { type: 'string', doc: 'Capture to read when the command line names none.' },
  'offline.mtu': {
    type: 'integer',
    min: 64,
    max: 65_535,
    default: 9702,
    unit: 'bytes',
    inert: true,
    doc: 'Longest packet of the capture. The reader takes packets of any length.',
  },

  'online.duration': {
    type: 'number',
    min: 0.001,
    max: 2_000_000,
    unit: 's',
    doc: 'The run ends after so many seconds.',
  },
  'online.nb_rxd': {
    type: 'integer',
    min: 32,
    max: 65_535,
    default: 4096,
    unit: 'descriptors',
    doc: 'Receive descriptors of each queue, within what the device allows. They hold what arrives during a pause.',
  },
  'online.promiscuous': { type: 'boolean', default: true, doc: 'Take frames for other addresses too.' },
  'online.mtu': {
    type: 'integer',
    min: 64,
    max: 32_000,
    default: 1500,
    unit: 'bytes',
    doc: 'Longest packet to receive in one buffer. Longer ones that the device delivers in pieces cost a copy.',
  },
  'online.hardware_assist': {
    type: 'boolean',
    default: false,
    doc: 'Let devices drop TCP and UDP packets that nobody asked for, as far as they can; the rest is filtered in software.',
  },
  'online.dpdk_supl_args': {
    type: 'strings',
    default: [],
    doc: 'More options for DPDK’s EAL, as on its command line.',
  },

  'online.ports[].device': {
    type: 'string',
    required: true,
    doc: 'PCI address (0000:3b:00.0), or virtual device with its options (net_af_packet0,iface=veth0).',
  },
  'online.ports[].cores': {
    type: 'cores',
    required: true,
    doc: 'Receive cores: one worker and one queue each. A device without RSS takes one.',
  },
  'online.ports[].sink.core': {
    type: 'integer',
    min: 0,
    max: MAX_CORE,
    required: true,
    doc:
      'Flow sampling: core that takes and drops the flows which are not in the sample, where the device has an RSS table. ' +
      'Elsewhere the receive cores drop them, and this core stays free.',
  },
  'online.ports[].sink.nb_buckets': {
    type: 'integer',
    min: 1,
    max: BUCKETS,
    default: BUCKETS,
    doc: `Of ${BUCKETS} buckets of flows, those that are kept: 384 drops a quarter of all flows, ${BUCKETS} none.`,
  },

  'online.monitor.display.throughput': {
    type: 'boolean',
    default: true,
    doc: 'Show packets and bits a second. The section [online.monitor.display] switches the display on.',
  },
  'online.monitor.display.mempool_usage': {
    type: 'boolean',
    default: true,
    doc: 'Show how much of each packet memory is in use.',
  },
  'online.monitor.display.port_stats': {
    type: 'strings',
    default: [],
    doc: 'Show the device counters whose names contain one of these; "" is in all of them.',
  },
  'online.monitor.display.interval': {
    type: 'integer',
    min: 10,
    max: HOUR,
    default: 1000,
    unit: 'ms',
    doc: 'Time between two looks.',
  },
  'online.monitor.log.directory': {
    type: 'string',
    default: './log/',
    doc: 'Each run writes its CSV files into a folder of its own here, named after the time of its start.',
  },
  'online.monitor.log.interval': {
    type: 'integer',
    min: 10,
    max: HOUR,
    default: 1000,
    unit: 'ms',
    doc: 'Time between two lines.',
  },
  'online.monitor.log.port_stats': {
    type: 'strings',
    default: ['rx'],
    doc: 'Log the device counters whose names contain one of these; "" is in all of them.',
  },
  'online.prometheus.port': {
    type: 'integer',
    min: 1,
    max: 65_535,
    required: true,
    doc: 'TCP port of the metrics endpoint, http://…/metrics. The section [online.prometheus] switches it on.',
  },
  'online.prometheus.address': {
    type: 'string',
    default: '0.0.0.0',
    doc: 'Address to listen on; 127.0.0.1 for this machine only.',
  },

  'dispatch.*.mode': {
    type: 'string',
    values: ['inline', 'shared', 'dedicated'],
    required: true,
    doc:
      'Where the handler of a subscription runs, [dispatch.NAME]: on the receive cores, on threads that all "shared" ones ' +
      'have in common, or on threads of its own.',
  },
  'dispatch.*.ring': {
    type: 'integer',
    min: 4096,
    max: 268_435_456,
    default: 4_194_304,
    unit: 'bytes',
    doc:
      'Room for deliveries that wait for their handler, per receive core, as a power of two at least this; of "shared" ' +
      'subscriptions the largest counts.',
  },
  'dispatch.*.threads': {
    type: 'integer',
    min: 1,
    max: 64,
    default: 1,
    doc: 'Threads; each serves its share of the receive cores, so more than those are not started. Of "shared" ones the most.',
  },
  'dispatch.*.on_full': {
    type: 'string',
    values: ['drop', 'wait'],
    doc: 'When there is no room: drop the delivery and count it, or, captures only, wait. Captures wait unless told otherwise.',
  },

  'decap.all': {
    type: 'boolean',
    default: false,
    doc: 'Open every tunnel but those set to false: packets then belong to their innermost connection.',
  },
  'decap.gre': {
    type: 'boolean',
    doc: 'Open GRE, with PPTP, bridged Ethernet, MPLS, ERSPAN, WCCP and EoIP; false unless all is true.',
  },
  'decap.ipip': { type: 'boolean', doc: 'Open IP in IP: IPv4 and IPv6, each in each; false unless all is true.' },
  'decap.etherip': { type: 'boolean', doc: 'Open Ethernet in IP; false unless all is true.' },
  'decap.mpls': { type: 'boolean', doc: 'Open MPLS in IP and over UDP to port 6635; false unless all is true.' },
  'decap.l2tp': { type: 'boolean', doc: 'Open L2TP version 2, from and to UDP port 1701; false unless all is true.' },
  'decap.vxlan': { type: 'boolean', doc: 'Open VXLAN and VXLAN-GPE; false unless all is true.' },
  'decap.geneve': { type: 'boolean', doc: 'Open GENEVE; false unless all is true.' },
  'decap.gtp_u': { type: 'boolean', doc: 'Open the user data of GTP version 1; false unless all is true.' },
  'decap.teredo': { type: 'boolean', doc: 'Open Teredo, from and to UDP port 3544; false unless all is true.' },
  'decap.ayiya': { type: 'boolean', doc: 'Open AYIYA, from and to UDP port 5072; false unless all is true.' },
  'decap.capwap': {
    type: 'boolean',
    doc: 'Open data of CAPWAP that is not encrypted, from and to UDP port 5247; false unless all is true.',
  },
  'decap.tzsp': { type: 'boolean', doc: 'Open TZSP, to UDP port 37008; false unless all is true.' },
  'decap.vxlan_ports': { type: 'ports', default: T.vxlan_ports, doc: 'UDP ports that VXLAN is sent to.' },
  'decap.geneve_ports': { type: 'ports', default: T.geneve_ports, doc: 'UDP ports that GENEVE is sent to.' },
  'decap.gtp_u_ports': { type: 'ports', default: T.gtp_u_ports, doc: 'UDP ports that GTP user data is sent to.' },
  'decap.max_depth': {
    type: 'integer',
    min: 1,
    max: 16,
    default: T.max_depth,
    unit: 'tunnels',
    doc: 'Tunnels inside each other that are opened.',
  },

  'conntrack.max_connections': {
    type: 'integer',
    min: 1,
    max: 16_000_000,
    default: D.max_connections,
    doc: 'Connections that one core tracks at a time.',
  },
  'conntrack.on_full': {
    type: 'string',
    values: ['drop_new', 'evict_embryonic', 'evict_oldest'],
    default: D.on_full,
    doc: 'What gives way when the table is full: the new one, one whose handshake is not complete, the longest silent.',
  },
  'conntrack.max_out_of_order': {
    type: 'integer',
    min: 0,
    max: 65_535,
    default: D.max_out_of_order,
    unit: 'segments',
    doc: 'Out-of-order TCP segments kept per direction of a connection.',
  },
  'conntrack.max_out_of_order_bytes': {
    type: 'integer',
    min: 65_536,
    max: 1_073_741_824,
    default: D.max_out_of_order_bytes,
    unit: 'bytes',
    doc: 'Out-of-order bytes kept per core.',
  },
  'conntrack.on_gap': {
    type: 'string',
    values: ['skip', 'drop'],
    default: D.on_gap,
    doc: 'After bytes were lost: go on behind the gap, or end the stream there.',
  },
  'conntrack.timeout_resolution': {
    type: 'integer',
    min: 1,
    max: 10_000,
    default: Math.round(D.timeout_resolution * 1000),
    unit: 'ms',
    doc: 'Granularity of all timeouts.',
  },
  'conntrack.tcp_establish_timeout': timeout(
    D.tcp_establish_timeout,
    'A TCP connection without a second packet ends after this.',
  ),
  'conntrack.tcp_inactivity_timeout': timeout(D.tcp_inactivity_timeout, 'A silent TCP connection ends after this.'),
  'conntrack.tcp_reassembly_timeout': timeout(D.tcp_reassembly_timeout, 'An open gap is given up after this.'),
  'conntrack.udp_inactivity_timeout': timeout(D.udp_inactivity_timeout, 'A silent UDP connection ends after this.'),
  'conntrack.tcp_closed_timeout': timeout(D.tcp_closed_timeout, 'An ended TCP connection is forgotten after this.'),
  'conntrack.tcp_reuse_timeout': timeout(
    D.tcp_reuse_timeout,
    'After this silence a SYN with another sequence number replaces an open connection.',
  ),
  'conntrack.max_streams': {
    type: 'integer',
    min: 0,
    max: 16_000_000,
    default: D.max_streams,
    doc: 'Connections that one core reassembles or parses at a time; 0: as many as it tracks.',
  },
  'conntrack.max_probe_bytes': {
    type: 'integer',
    min: 64,
    max: 65_536,
    default: D.max_probe_bytes,
    unit: 'bytes',
    doc: 'Bytes of a direction kept while its application protocol is not known.',
  },
  'conntrack.verify_checksums': {
    type: 'boolean',
    default: D.verify_checksums,
    doc: 'Leave out packets with wrong checksums. A host whose device computes them captures its own packets without.',
  },
  'conntrack.init_synack': { type: 'boolean', default: D.init_synack, doc: 'Pick up TCP connections at a SYN-ACK.' },
  'conntrack.init_fin': { type: 'boolean', default: D.init_fin, doc: 'Pick up TCP connections at a FIN.' },
  'conntrack.init_rst': { type: 'boolean', default: D.init_rst, doc: 'Pick up TCP connections at an RST.' },
  'conntrack.init_data': { type: 'boolean', default: D.init_data, doc: 'Pick up TCP connections at any other packet.' },
} as const satisfies Readonly<Record<string, Key>>;

export type KeyPath = keyof typeof SCHEMA;

/** The keys as plain descriptions. */
export const KEYS: ReadonlyMap<string, Key> = new Map(Object.entries<Key>(SCHEMA));
