/**
 * The parsers of all application protocols. A new protocol is a folder beside this file and a line in this list; one that
 * is carried in two ways has two parsers of one name.
 */
import type { ParserFactory } from './contract.ts';
import { DNS_TCP_PARSER, DNS_UDP_PARSER } from './dns/parser.ts';
import { DTLS_PARSER } from './dtls/parser.ts';
import { GQUIC_PARSER } from './gquic/parser.ts';
import { HTTP_PARSER } from './http/parser.ts';
import { MQTT_PARSER } from './mqtt/parser.ts';
import { PROXY_PREAMBLE } from './preambles/proxy-header.ts';
import { SOCKS_PREAMBLE } from './preambles/socks.ts';
import { QUIC_PARSER } from './quic/parser.ts';
import { SSH_PARSER } from './ssh/parser.ts';
import { TLS_PARSER } from './tls/parser.ts';

export const PARSERS: readonly ParserFactory[] = [
  TLS_PARSER,
  HTTP_PARSER,
  SSH_PARSER,
  MQTT_PARSER,
  QUIC_PARSER,
  GQUIC_PARSER,
  DTLS_PARSER,
  DNS_UDP_PARSER,
  DNS_TCP_PARSER,
];

/** What may stand before the first bytes of any protocol over TCP. */
export const PREAMBLES: readonly ParserFactory[] = [SOCKS_PREAMBLE, PROXY_PREAMBLE];

/**
 * The parsers of the protocols with these catalog names, and behind them the preambles, if any of them runs over TCP. Throws a
 * RangeError for a name without one.
 */
export function parsersFor(names: readonly string[]): ParserFactory[] {
  const parsers = names.flatMap((name) => {
    const factories = PARSERS.filter((each) => each.name === name);
    if (factories.length === 0) throw new RangeError(`no parser for the protocol '${name}'`);
    return factories;
  });
  return parsers.some(({ over }) => over.includes('tcp')) ? [...parsers, ...PREAMBLES] : parsers;
}
