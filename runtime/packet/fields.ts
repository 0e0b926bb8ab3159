/**
 * The catalog's entries of the header layers. In a subscription over connections, `src_*` is the originator's and `dst_*`
 * the responder's; fields of scope `packet` speak of the packet at hand.
 */
import type { FieldDef, FieldScope, FieldType, ProtocolDef } from '../protocols/field.ts';

type Place = Omit<Extract<FieldDef['access'], { kind: 'header' }>, 'kind'>;
type More = Pick<FieldDef, 'aliases' | 'names' | 'max'>;

function header(
  name: string,
  type: FieldType,
  scope: FieldScope,
  at: Place,
  doc: string,
  source: string,
  more: More = {},
): FieldDef {
  return { name, type, scope, access: { kind: 'header', ...at }, doc, source, ...more };
}

function either(name: string, of: readonly [string, string], type: FieldType, doc: string, source: string): FieldDef {
  return { name, type, scope: 'connection', access: { kind: 'either', fields: of }, doc, source };
}

const ETHER_TYPES: Readonly<Record<string, number>> = {
  ipv4: 0x0800,
  arp: 0x0806,
  vlan: 0x8100,
  ipv6: 0x86dd,
  mpls: 0x8847,
  pppoe: 0x8864,
  qinq: 0x88a8,
  lldp: 0x88cc,
};

const IP_PROTOCOLS: Readonly<Record<string, number>> = {
  icmp: 1,
  igmp: 2,
  ipip: 4,
  tcp: 6,
  udp: 17,
  ipv6: 41,
  gre: 47,
  esp: 50,
  ah: 51,
  icmpv6: 58,
  ospf: 89,
  sctp: 132,
};

const ETH = 'IEEE 802.3 clause 3.2';
const VLAN = 'IEEE 802.1Q clause 9.6';

export const ETHERNET: ProtocolDef = {
  name: 'ethernet',
  doc: 'Ethernet II frames.',
  source: 'IEEE 802.3',
  over: [],
  layer: 'link',
  number: 1,
  fields: [
    header('src', 'mac', 'connection', { offset: 6, size: 6 }, 'Source address.', ETH, { aliases: ['src_addr'] }),
    header('dst', 'mac', 'connection', { offset: 0, size: 6 }, 'Destination address.', ETH, { aliases: ['dst_addr'] }),
    either('addr', ['src', 'dst'], 'mac', 'Source or destination address.', ETH),
    header(
      'ether_type',
      'u16',
      'connection',
      { offset: 0, size: 2, from: 'ethertype' },
      'EtherType of what the frame carries; with VLAN tags the innermost.',
      ETH,
      { names: ETHER_TYPES, aliases: ['type'] },
    ),
    header(
      'tci',
      'u16',
      'packet',
      { offset: -2, size: 2, from: 'ethertype', needs: 'vlan' },
      'Tag control information of the innermost VLAN tag: priority, drop eligible, VLAN.',
      VLAN,
    ),
    header(
      'vlan_id',
      'u16',
      'connection',
      { offset: -2, size: 2, mask: 0x0fff, from: 'ethertype', needs: 'vlan' },
      'VLAN of the innermost tag.',
      VLAN,
      { max: 4095, aliases: ['vlan'] },
    ),
  ],
};

const V4 = 'RFC 791 section 3.1';

export const IPV4: ProtocolDef = {
  name: 'ipv4',
  doc: 'Internet Protocol version 4.',
  source: 'RFC 791',
  over: ['ethernet'],
  layer: 'network',
  number: 0x0800,
  fields: [
    header('version', 'u8', 'connection', { offset: 0, size: 1, shift: 4, mask: 15 }, 'Version: 4.', V4, { max: 15 }),
    header('ihl', 'u8', 'packet', { offset: 0, size: 1, mask: 15 }, 'Header length in 32-bit words.', V4, { max: 15 }),
    header(
      'dscp',
      'u8',
      'packet',
      { offset: 1, size: 1, shift: 2, mask: 63 },
      'Differentiated services code point.',
      'RFC 2474 section 3',
      { max: 63 },
    ),
    header(
      'ecn',
      'u8',
      'packet',
      { offset: 1, size: 1, mask: 3 },
      'Explicit congestion notification.',
      'RFC 3168 section 5',
      { max: 3 },
    ),
    header('type_of_service', 'u8', 'packet', { offset: 1, size: 1 }, 'DSCP and ECN together.', V4, {
      aliases: ['tos'],
    }),
    header(
      'total_length',
      'u16',
      'packet',
      { offset: 2, size: 2 },
      'Length of the datagram in bytes, header included.',
      V4,
      { aliases: ['length', 'len'] },
    ),
    header('identification', 'u16', 'packet', { offset: 4, size: 2 }, 'Identification of the datagram.', V4, {
      aliases: ['id'],
    }),
    header(
      'flags',
      'u8',
      'packet',
      { offset: 6, size: 1, shift: 5, mask: 7 },
      'The three flags: 2 is DF, 1 is MF.',
      V4,
      { max: 7 },
    ),
    header('df', 'bool', 'packet', { offset: 6, size: 1, mask: 0x40 }, "Don't fragment.", V4),
    header('mf', 'bool', 'packet', { offset: 6, size: 1, mask: 0x20 }, 'More fragments.', V4),
    header(
      'fragment_offset',
      'u16',
      'packet',
      { offset: 6, size: 2, mask: 0x1fff },
      'Offset of the fragment in units of 8 bytes.',
      V4,
      { max: 0x1fff },
    ),
    header('time_to_live', 'u8', 'packet', { offset: 8, size: 1 }, 'Hops left.', V4, { aliases: ['ttl'] }),
    header('protocol', 'u8', 'connection', { offset: 9, size: 1 }, 'Number of the protocol carried.', V4, {
      names: IP_PROTOCOLS,
      aliases: ['proto'],
    }),
    header('header_checksum', 'u16', 'packet', { offset: 10, size: 2 }, 'Header checksum, as sent.', V4, {
      aliases: ['checksum'],
    }),
    header('src_addr', 'ipv4', 'connection', { offset: 12, size: 4 }, 'Source address.', V4, { aliases: ['src'] }),
    header('dst_addr', 'ipv4', 'connection', { offset: 16, size: 4 }, 'Destination address.', V4, { aliases: ['dst'] }),
    either('addr', ['src_addr', 'dst_addr'], 'ipv4', 'Source or destination address.', V4),
  ],
};

const V6 = 'RFC 8200 section 3';

export const IPV6: ProtocolDef = {
  name: 'ipv6',
  doc: 'Internet Protocol version 6.',
  source: 'RFC 8200',
  over: ['ethernet'],
  layer: 'network',
  number: 0x86dd,
  fields: [
    header('version', 'u8', 'connection', { offset: 0, size: 1, shift: 4, mask: 15 }, 'Version: 6.', V6, { max: 15 }),
    header('traffic_class', 'u8', 'packet', { offset: 0, size: 2, shift: 4, mask: 0xff }, 'DSCP and ECN together.', V6),
    header(
      'dscp',
      'u8',
      'packet',
      { offset: 0, size: 2, shift: 6, mask: 63 },
      'Differentiated services code point.',
      'RFC 2474 section 3',
      { max: 63 },
    ),
    header(
      'ecn',
      'u8',
      'packet',
      { offset: 1, size: 1, shift: 4, mask: 3 },
      'Explicit congestion notification.',
      'RFC 3168 section 5',
      { max: 3 },
    ),
    header('flow_label', 'u32', 'packet', { offset: 0, size: 4, mask: 0xfffff }, 'Flow label.', 'RFC 6437', {
      max: 0xfffff,
    }),
    header(
      'payload_length',
      'u16',
      'packet',
      { offset: 4, size: 2 },
      'Bytes behind the fixed header, extension headers included.',
      V6,
      { aliases: ['length', 'len'] },
    ),
    header(
      'next_header',
      'u8',
      'packet',
      { offset: 6, size: 1 },
      'Number of the first header behind the fixed one.',
      V6,
      { names: IP_PROTOCOLS },
    ),
    header('hop_limit', 'u8', 'packet', { offset: 7, size: 1 }, 'Hops left.', V6, { aliases: ['ttl'] }),
    header('src_addr', 'ipv6', 'connection', { offset: 8, size: 16 }, 'Source address.', V6, { aliases: ['src'] }),
    header('dst_addr', 'ipv6', 'connection', { offset: 24, size: 16 }, 'Destination address.', V6, {
      aliases: ['dst'],
    }),
    either('addr', ['src_addr', 'dst_addr'], 'ipv6', 'Source or destination address.', V6),
  ],
};

const TCP_HEADER = 'RFC 9293 section 3.1';

function flag(name: string, byte: 12 | 13, mask: number, doc: string, source = TCP_HEADER): FieldDef {
  return header(name, 'bool', 'packet', { offset: byte, size: 1, mask }, doc, source);
}

export const TCP: ProtocolDef = {
  name: 'tcp',
  doc: 'Transmission Control Protocol.',
  source: 'RFC 9293',
  over: ['ipv4', 'ipv6'],
  layer: 'transport',
  number: 6,
  fields: [
    header('src_port', 'u16', 'connection', { offset: 0, size: 2 }, 'Source port.', TCP_HEADER),
    header('dst_port', 'u16', 'connection', { offset: 2, size: 2 }, 'Destination port.', TCP_HEADER),
    either('port', ['src_port', 'dst_port'], 'u16', 'Source or destination port.', TCP_HEADER),
    header('seq_no', 'u32', 'packet', { offset: 4, size: 4 }, 'Sequence number.', TCP_HEADER, { aliases: ['seq'] }),
    header('ack_no', 'u32', 'packet', { offset: 8, size: 4 }, 'Acknowledgement number.', TCP_HEADER),
    header(
      'data_offset',
      'u8',
      'packet',
      { offset: 12, size: 1, shift: 4, mask: 15 },
      'Header length in 32-bit words.',
      TCP_HEADER,
      { max: 15 },
    ),
    header(
      'flags',
      'u16',
      'packet',
      { offset: 12, size: 2, mask: 0x1ff },
      'The nine flags: FIN is bit 0, NS bit 8.',
      TCP_HEADER,
      { max: 0x1ff },
    ),
    flag('fin', 13, 0x01, 'The sender has no more data.'),
    flag('syn', 13, 0x02, 'Opens a connection.'),
    flag('rst', 13, 0x04, 'Resets the connection.'),
    flag('psh', 13, 0x08, 'Asks to push data to the user.'),
    flag('ack', 13, 0x10, 'The acknowledgement number is meant.'),
    flag('urg', 13, 0x20, 'The urgent pointer is meant.'),
    flag('ece', 13, 0x40, 'Congestion was experienced.', 'RFC 3168 section 6.1'),
    flag('cwr', 13, 0x80, 'The congestion window was reduced.', 'RFC 3168 section 6.1'),
    flag('ns', 12, 0x01, 'ECN nonce sum.', 'RFC 3540 section 9'),
    flag('synack', 13, 0x12, 'SYN and ACK both: the answer to an opening.'),
    header('window', 'u16', 'packet', { offset: 14, size: 2 }, 'Receive window in bytes, before scaling.', TCP_HEADER),
    header('checksum', 'u16', 'packet', { offset: 16, size: 2 }, 'Checksum, as sent.', TCP_HEADER),
    header('urgent_pointer', 'u16', 'packet', { offset: 18, size: 2 }, "Offset of the urgent data's end.", TCP_HEADER),
  ],
};

const UDP_HEADER = 'RFC 768';

export const UDP: ProtocolDef = {
  name: 'udp',
  doc: 'User Datagram Protocol.',
  source: 'RFC 768',
  over: ['ipv4', 'ipv6'],
  layer: 'transport',
  number: 17,
  fields: [
    header('src_port', 'u16', 'connection', { offset: 0, size: 2 }, 'Source port.', UDP_HEADER),
    header('dst_port', 'u16', 'connection', { offset: 2, size: 2 }, 'Destination port.', UDP_HEADER),
    either('port', ['src_port', 'dst_port'], 'u16', 'Source or destination port.', UDP_HEADER),
    header('length', 'u16', 'packet', { offset: 4, size: 2 }, 'Length of header and data in bytes.', UDP_HEADER, {
      aliases: ['len'],
    }),
    header('checksum', 'u16', 'packet', { offset: 6, size: 2 }, 'Checksum, as sent; 0 when there is none.', UDP_HEADER),
  ],
};
