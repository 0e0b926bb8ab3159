/** The catalog's entry of DNS: one query and the answer to it. */
import { ProtocolNumber } from '../contract.ts';
import type { FieldDef, ProtocolDef } from '../field.ts';
import { sessionField } from '../session-field.ts';

/** Types of resource records (IANA, Domain Name System Parameters). */
export const DNS_TYPES: Readonly<Record<string, number>> = {
  A: 1,
  NS: 2,
  CNAME: 5,
  SOA: 6,
  NULL: 10,
  WKS: 11,
  PTR: 12,
  HINFO: 13,
  MX: 15,
  TXT: 16,
  RP: 17,
  AFSDB: 18,
  SIG: 24,
  KEY: 25,
  AAAA: 28,
  LOC: 29,
  SRV: 33,
  NAPTR: 35,
  KX: 36,
  CERT: 37,
  DNAME: 39,
  OPT: 41,
  APL: 42,
  DS: 43,
  SSHFP: 44,
  IPSECKEY: 45,
  RRSIG: 46,
  NSEC: 47,
  DNSKEY: 48,
  DHCID: 49,
  NSEC3: 50,
  NSEC3PARAM: 51,
  TLSA: 52,
  SMIMEA: 53,
  HIP: 55,
  CDS: 59,
  CDNSKEY: 60,
  OPENPGPKEY: 61,
  CSYNC: 62,
  ZONEMD: 63,
  SVCB: 64,
  HTTPS: 65,
  SPF: 99,
  EUI48: 108,
  EUI64: 109,
  TKEY: 249,
  TSIG: 250,
  IXFR: 251,
  AXFR: 252,
  ANY: 255,
  URI: 256,
  CAA: 257,
};

/** Response codes that fit the header's four bits and those of EDNS (IANA, Domain Name System Parameters). */
export const DNS_RCODES: Readonly<Record<string, number>> = {
  NOERROR: 0,
  FORMERR: 1,
  SERVFAIL: 2,
  NXDOMAIN: 3,
  NOTIMP: 4,
  REFUSED: 5,
  YXDOMAIN: 6,
  YXRRSET: 7,
  NXRRSET: 8,
  NOTAUTH: 9,
  NOTZONE: 10,
  BADVERS: 16,
  BADCOOKIE: 23,
};

const MESSAGE = 'RFC 1035 section 4.1';

const DNS_FIELDS: readonly FieldDef[] = [
  sessionField('query_domain', 'text', 'Name asked for, without the final dot, as sent.', `${MESSAGE}.2`),
  sessionField('query_type', 'u16', 'Type asked for.', `${MESSAGE}.2`, { names: DNS_TYPES }),
  sessionField('id', 'u16', 'Identifier that query and answer share.', `${MESSAGE}.1`),
  sessionField(
    'rcode',
    'u16',
    'Response code; absent while there is no answer.',
    `${MESSAGE}.1, RFC 6891 section 6.1.3`,
    {
      names: DNS_RCODES,
      max: 4095,
    },
  ),
  sessionField('answers', 'text[]', 'Data of the answer records: addresses, names, texts.', `${MESSAGE}.3`),
  sessionField('nameservers', 'text[]', 'Data of the authority records.', `${MESSAGE}.3`),
  sessionField('additionals', 'text[]', 'Data of the additional records.', `${MESSAGE}.3`),
];

export const DNS: ProtocolDef = {
  name: 'dns',
  doc: 'Domain Name System over UDP and TCP, one query with its answer at a time.',
  source: 'RFC 1035',
  over: ['tcp', 'udp'],
  layer: 'application',
  number: ProtocolNumber.DNS,
  fields: DNS_FIELDS,
  sessionType: { name: 'DnsTransaction', doc: 'One DNS query and the answer to it.' },
};
