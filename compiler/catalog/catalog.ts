/**
 * The one table of what a filter can name: protocols, their fields, and the names that stand for several of them. The
 * checker, the code generator, the documentation and `explain` read it. A new protocol is one more line in
 * {@link PROTOCOLS}; everything about it is in its own folder.
 */
import { ETHERNET, IPV4, IPV6, TCP, UDP } from '../../runtime/packet/fields.ts';
import { DNS } from '../../runtime/protocols/dns/fields.ts';
import { DTLS } from '../../runtime/protocols/dtls/fields.ts';
import type { FieldDef, ProtocolDef } from '../../runtime/protocols/field.ts';
import { GQUIC } from '../../runtime/protocols/gquic/fields.ts';
import { HTTP } from '../../runtime/protocols/http/fields.ts';
import { MQTT } from '../../runtime/protocols/mqtt/fields.ts';
import { QUIC } from '../../runtime/protocols/quic/fields.ts';
import { SSH } from '../../runtime/protocols/ssh/fields.ts';
import { TLS } from '../../runtime/protocols/tls/fields.ts';

/** All protocols, from the outside in. */
export const PROTOCOLS: readonly ProtocolDef[] = [
  ETHERNET,
  IPV4,
  IPV6,
  TCP,
  UDP,
  TLS,
  HTTP,
  DNS,
  QUIC,
  SSH,
  DTLS,
  MQTT,
  GQUIC,
];

/** A field together with its protocol. */
export interface CatalogField {
  readonly protocol: ProtocolDef;
  readonly field: FieldDef;
}

/** Names that stand for one of several protocols: `ip` is `ipv4 or ipv6`. */
export const NEUTRAL_PROTOCOLS: Readonly<Record<string, readonly ProtocolDef[]>> = { ip: [IPV4, IPV6] };

/** Names that stand for the same field of one of several protocols; those without a dot stand alone in a filter. */
export const NEUTRAL_FIELDS: Readonly<Record<string, readonly CatalogField[]>> = {
  port: sameField('port', TCP, UDP),
  src_port: sameField('src_port', TCP, UDP),
  dst_port: sameField('dst_port', TCP, UDP),
  'ip.version': sameField('version', IPV4, IPV6),
  'ip.addr': sameField('addr', IPV4, IPV6),
  'ip.src': sameField('src_addr', IPV4, IPV6),
  'ip.dst': sameField('dst_addr', IPV4, IPV6),
  'ip.src_addr': sameField('src_addr', IPV4, IPV6),
  'ip.dst_addr': sameField('dst_addr', IPV4, IPV6),
  'ip.dscp': sameField('dscp', IPV4, IPV6),
  'ip.ecn': sameField('ecn', IPV4, IPV6),
  'ip.ttl': sameField('ttl', IPV4, IPV6),
};

const byName = new Map(PROTOCOLS.map((protocol) => [protocol.name, protocol]));

/** The protocol of that name. */
export function findProtocol(name: string): ProtocolDef | undefined {
  return byName.get(name);
}

/** The protocol with that number, among those of one layer. */
export function protocolByNumber(layer: ProtocolDef['layer'], number: number): ProtocolDef | undefined {
  return PROTOCOLS.find((protocol) => protocol.layer === layer && protocol.number === number);
}

/** A protocol's field by name or alias. */
export function findField(protocol: ProtocolDef, name: string): FieldDef | undefined {
  return (
    protocol.fields.find((field) => field.name === name) ??
    protocol.fields.find((field) => field.aliases?.includes(name))
  );
}

/**
 * The plain fields that a name in a filter stands for, any of which may hold: one for `tcp.dst_port`, two for `tcp.port`
 * and `ip.src`, four for `port`. `undefined` when there is no such name.
 */
export function resolveField(proto: string | undefined, name: string): readonly CatalogField[] | undefined {
  const neutral = lookUp(NEUTRAL_FIELDS, proto === undefined ? name : `${proto}.${name}`);
  if (neutral !== undefined) return neutral.flatMap(plainFields);
  const protocol = proto === undefined ? undefined : findProtocol(proto);
  const field = protocol === undefined ? undefined : findField(protocol, name);
  return protocol === undefined || field === undefined ? undefined : plainFields({ protocol, field });
}

/** The protocols that a bare name stands for, any of which may be present. */
export function resolveProtocol(name: string): readonly ProtocolDef[] | undefined {
  const protocol = findProtocol(name);
  return protocol === undefined ? lookUp(NEUTRAL_PROTOCOLS, name) : [protocol];
}

/** The parts of a combined field; any other field alone. */
export function plainFields({ protocol, field }: CatalogField): readonly CatalogField[] {
  if (field.access.kind !== 'either') return [{ protocol, field }];
  return field.access.fields.flatMap((name) => sameField(name, protocol));
}

/**
 * The field that holds the same value in packets of the other direction: `dst_port` for `src_port`, the field itself where
 * the direction does not matter.
 */
export function mirrorField({ protocol, field }: CatalogField): CatalogField {
  const other = field.name.replace(/^(src|dst)(?=$|_)/, (end) => (end === 'src' ? 'dst' : 'src'));
  return { protocol, field: findField(protocol, other) ?? field };
}

/** Every name that can stand before an operator: `tls.sni`, `port`. Aliases are left out. */
export function fieldNames(): string[] {
  const plain = PROTOCOLS.flatMap((protocol) => protocol.fields.map((field) => `${protocol.name}.${field.name}`));
  return [...plain, ...Object.keys(NEUTRAL_FIELDS)];
}

/** Names of all protocols, neutral ones included. */
export function protocolNames(): string[] {
  return [...byName.keys(), ...Object.keys(NEUTRAL_PROTOCOLS)];
}

function sameField(name: string, ...protocols: readonly ProtocolDef[]): readonly CatalogField[] {
  return protocols.map((protocol) => {
    const field = findField(protocol, name);
    if (field === undefined) throw new Error(`the catalog has no field ${protocol.name}.${name}`);
    return { protocol, field };
  });
}

/** Own properties only, so that `constructor` is no field. */
function lookUp<T>(table: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(table, name) ? table[name] : undefined;
}
