import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  fieldNames,
  findField,
  findProtocol,
  mirrorField,
  NEUTRAL_FIELDS,
  PROTOCOLS,
  protocolByNumber,
  resolveField,
  resolveProtocol,
} from '../../../compiler/catalog/catalog.ts';
import { didYouMean, editDistance, nearest } from '../../../compiler/catalog/suggest.ts';

const names = (proto: string | undefined, field: string) =>
  resolveField(proto, field)?.map((one) => `${one.protocol.name}.${one.field.name}`);

test('holds every field a filter can name', () => {
  for (const [protocol, fields] of [
    ['ethernet', 'src dst ether_type tci vlan_id'],
    [
      'ipv4',
      'version ihl dscp ecn type_of_service total_length identification flags df mf fragment_offset time_to_live protocol header_checksum src_addr dst_addr addr ttl',
    ],
    ['ipv6', 'dscp ecn traffic_class flow_label payload_length next_header hop_limit src_addr dst_addr addr'],
    [
      'tcp',
      'src_port dst_port port seq_no ack_no data_offset flags window checksum urgent_pointer fin syn rst psh ack urg ece cwr ns synack',
    ],
    ['udp', 'src_port dst_port port length checksum'],
    [
      'tls',
      'sni version client_version server_version client_random server_random client_ciphers cipher client_compression_algs compression_alg client_alpn_protocols alpn client_signature_algs client_extensions server_extensions ja3_str ja3_hash ja3s_str ja3s_hash ja4',
    ],
    [
      'http',
      'method uri host user_agent cookie request_version request_content_length request_content_type request_transfer_encoding status_code status_msg response_version response_content_length response_content_type response_transfer_encoding',
    ],
    ['dns', 'query_domain query_type id rcode answers nameservers additionals'],
    [
      'quic',
      'version dcid scid packet_type header_type payload_bytes_count sni client_ciphers client_alpn_protocols ja3_hash ja4',
    ],
    [
      'ssh',
      'protocol_version_ctos software_version_stoc comments_ctos kex_algs_stoc server_host_key_algs_ctos encryption_algs_ctos mac_algs_stoc compression_algs_ctos languages_stoc key_exchange_cookie_stoc hassh hassh_server',
    ],
  ] as const) {
    for (const field of fields.split(' ')) assert.ok(resolveField(protocol, field), `${protocol}.${field}`);
  }
});

test('is sound', () => {
  const seen = new Set<string>();
  for (const protocol of PROTOCOLS) {
    assert.not.ok(seen.has(protocol.name));
    seen.add(protocol.name);
    for (const below of protocol.over)
      assert.ok(seen.has(below), `${protocol.name} lies on ${below}, which comes later`);
    const own = protocol.fields.flatMap((field) => [field.name, ...(field.aliases ?? [])]);
    assert.is(new Set(own).size, own.length, `${protocol.name} has two fields of one name`);
    for (const { name, access, type, scope, doc, source, names: named, max } of protocol.fields) {
      const path = `${protocol.name}.${name}`;
      assert.match(name, /^[a-z][a-z0-9_]*$/);
      assert.ok(/[.:`)]$/.test(doc) && source.length > 0, `${path} is not documented`);
      assert.is(scope === 'session', protocol.layer === 'application', path);
      if (access.kind === 'session')
        assert.is(
          access.property,
          name.replace(/_(.)/g, (_, c: string) => c.toUpperCase()),
          path,
        );
      if (access.kind === 'either')
        for (const part of access.fields) assert.is(findField(protocol, part)?.type, type, path);
      if (access.kind === 'header' && access.mask !== undefined && type !== 'bool') {
        const limit = BigInt(max ?? { u8: 255, u16: 65535, u32: 4294967295 }[type as 'u8' | 'u16' | 'u32']);
        assert.is(BigInt(access.mask), limit, `${path}: mask and largest value differ`);
      }
      const numbers = Object.values(named ?? {});
      if (numbers.length > 0) assert.ok(Math.max(...numbers) <= (max ?? 0xffff_ffff), path);
    }
  }
});

test('header fields read what the RFC puts there', () => {
  // One header each, in hex, with values that tell a field from its neighbours.
  const ipv4 = '45b91234567851234020abcd0a0000010a000002';
  const read = (hex: string, protocol: string, name: string): bigint | boolean => {
    const found = findProtocol(protocol);
    const field = found && findField(found, name);
    if (field?.access.kind !== 'header') throw new Error(name);
    const { offset, size, shift = 0, mask } = field.access;
    const raw = BigInt(`0x${hex.slice(offset * 2, (offset + size) * 2)}`);
    const value = (raw >> BigInt(shift)) & (mask === undefined ? (1n << 128n) - 1n : BigInt(mask));
    return field.type === 'bool' ? value === BigInt(mask ?? 1) : value;
  };
  for (const [name, value] of [
    ['version', 4n],
    ['ihl', 5n],
    ['dscp', 0xb9n >> 2n],
    ['ecn', 1n],
    ['type_of_service', 0xb9n],
    ['total_length', 0x1234n],
    ['identification', 0x5678n],
    ['flags', 2n],
    ['df', true],
    ['mf', false],
    ['fragment_offset', 0x1123n],
    ['ttl', 0x40n],
    ['protocol', 0x20n],
    ['header_checksum', 0xabcdn],
    ['src_addr', 0x0a000001n],
    ['dst_addr', 0x0a000002n],
  ] as const) {
    assert.is(read(ipv4, 'ipv4', name), value, `ipv4.${name}`);
  }
  const ipv6 = `6b912345123406ff${'11'.repeat(16)}${'22'.repeat(16)}`;
  for (const [name, value] of [
    ['version', 6n],
    ['traffic_class', 0xb9n],
    ['dscp', 0xb9n >> 2n],
    ['ecn', 1n],
    ['flow_label', 0x12345n],
    ['payload_length', 0x1234n],
    ['next_header', 6n],
    ['hop_limit', 0xffn],
    ['src_addr', BigInt(`0x${'11'.repeat(16)}`)],
    ['dst_addr', BigInt(`0x${'22'.repeat(16)}`)],
  ] as const) {
    assert.is(read(ipv6, 'ipv6', name), value, `ipv6.${name}`);
  }
  const tcp = '123456780a0b0c0d01020304715211112222abcd';
  for (const [name, value] of [
    ['src_port', 0x1234n],
    ['dst_port', 0x5678n],
    ['seq_no', 0x0a0b0c0dn],
    ['ack_no', 0x01020304n],
    ['data_offset', 7n],
    ['flags', 0x152n],
    ['fin', false],
    ['syn', true],
    ['rst', false],
    ['psh', false],
    ['ack', true],
    ['urg', false],
    ['ece', true],
    ['cwr', false],
    ['ns', true],
    ['synack', true],
    ['window', 0x1111n],
    ['checksum', 0x2222n],
    ['urgent_pointer', 0xabcdn],
  ] as const) {
    assert.is(read(tcp, 'tcp', name), value, `tcp.${name}`);
  }
  assert.is(read('12345678001cffff', 'udp', 'length'), 0x1cn);
});

test('combined and neutral names stand for plain fields', () => {
  assert.equal(names('tcp', 'port'), ['tcp.src_port', 'tcp.dst_port']);
  assert.equal(names(undefined, 'port'), ['tcp.src_port', 'tcp.dst_port', 'udp.src_port', 'udp.dst_port']);
  assert.equal(names(undefined, 'dst_port'), ['tcp.dst_port', 'udp.dst_port']);
  assert.equal(names('ip', 'addr'), ['ipv4.src_addr', 'ipv4.dst_addr', 'ipv6.src_addr', 'ipv6.dst_addr']);
  assert.equal(names('ip', 'src'), ['ipv4.src_addr', 'ipv6.src_addr']);
  assert.equal(names('ipv4', 'ttl'), ['ipv4.time_to_live']);
  assert.equal(names('ssh', 'kex_algs'), ['ssh.kex_algs_ctos', 'ssh.kex_algs_stoc']);
  for (const [proto, field] of [
    ['tls', 'nothing'],
    ['nothing', 'sni'],
    ['constructor', 'name'],
    [undefined, 'sni'],
    [undefined, 'constructor'],
  ] as const) {
    assert.is(names(proto, field), undefined);
  }
  assert.equal(
    resolveProtocol('ip')?.map(({ name }) => name),
    ['ipv4', 'ipv6'],
  );
  assert.is(resolveProtocol('toString'), undefined);
  for (const fields of Object.values(NEUTRAL_FIELDS)) assert.ok(fields.length === 2);
  assert.is(new Set(fieldNames()).size, fieldNames().length);
});

test('the mirror of a field is that of the other direction', () => {
  for (const [path, mirror] of [
    ['tcp.src_port', 'dst_port'],
    ['udp.dst_port', 'src_port'],
    ['ipv6.dst_addr', 'src_addr'],
    ['ethernet.src', 'dst'],
    ['ethernet.vlan_id', 'vlan_id'],
    ['tls.sni', 'sni'],
  ] as const) {
    const [proto, field] = path.split('.');
    const [one] = resolveField(proto, field ?? '') ?? [];
    assert.is(one && mirrorField(one).field.name, mirror, path);
  }
});

test('protocols are found by number within their layer', () => {
  assert.is(protocolByNumber('transport', 6)?.name, 'tcp');
  assert.is(protocolByNumber('network', 0x86dd)?.name, 'ipv6');
  assert.is(protocolByNumber('application', 1)?.name, 'tls');
  assert.is(protocolByNumber('transport', 99), undefined);
});

test('near misses are found, far ones are not', () => {
  assert.is(nearest('sin', ['sni', 'version']), 'sni');
  assert.is(nearest('SNI', ['sni']), 'sni');
  assert.is(nearest('verison', ['sni', 'version']), 'version');
  assert.is(nearest('zzz', ['sni', 'version']), undefined);
  assert.is(nearest('x', ['y']), undefined);
  // The first word says what is meant, unless it is another's by a slip.
  assert.is(nearest('QuicHandshake', ['DtlsHandshake', 'Quicksilver', 'QuicStream']), 'QuicStream');
  assert.is(nearest('TlsConn', ['ConnRecord', 'TlsHandshake']), 'TlsHandshake');
  assert.is(nearest('SshHandshake', ['SshSession', 'SslHandshake']), 'SslHandshake');
  assert.is(didYouMean('sin', ['sni'], 'tls.'), 'did you mean `tls.sni`?');
  assert.is(didYouMean('nothing', ['sni']), undefined);
});

test('edit distance counts insertions, deletions, substitutions and swaps', () => {
  for (const [a, b, distance] of [
    ['', '', 0],
    ['', 'abc', 3],
    ['abc', 'abc', 0],
    ['abc', 'acb', 1],
    ['abc', 'ab', 1],
    ['abc', 'xabc', 1],
    ['kitten', 'sitting', 3],
  ] as const) {
    assert.is(editDistance(a, b), distance);
    assert.is(editDistance(b, a), distance);
  }
});

test.run();
