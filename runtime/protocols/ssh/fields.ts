/**
 * The catalog's entry of SSH: banners and key exchange offers of both sides. `_ctos` is the client's word, `_stoc` the
 * server's; of the lists that exist per direction it is what each side offers for the data it sends. A name without
 * either ending means any of the two.
 */
import { ProtocolNumber } from '../contract.ts';
import type { FieldDef, FieldType, ProtocolDef } from '../field.ts';
import { sessionField } from '../session-field.ts';

const BANNER = 'RFC 4253 section 4.2';
const KEXINIT = 'RFC 4253 section 7.1';

function bothSides(name: string, type: FieldType, doc: string, source: string): FieldDef[] {
  const [ctos, stoc] = [`${name}_ctos`, `${name}_stoc`];
  return [
    {
      name,
      type,
      scope: 'session',
      access: { kind: 'either', fields: [ctos, stoc] },
      doc: `${doc} Either side's.`,
      source,
    },
    sessionField(ctos, type, `${doc} The client's.`, source),
    sessionField(stoc, type, `${doc} The server's.`, source),
  ];
}

const SSH_FIELDS: readonly FieldDef[] = [
  ...bothSides('protocol_version', 'text', 'Protocol version of the banner: `2.0`.', BANNER),
  ...bothSides('software_version', 'text', 'Software version of the banner: `OpenSSH_9.2p1`.', BANNER),
  ...bothSides('comments', 'text', 'Comments of the banner.', BANNER),
  ...bothSides('key_exchange_cookie', 'bytes', 'The 16 random bytes of the key exchange offer.', KEXINIT),
  ...bothSides('kex_algs', 'text[]', 'Key exchange algorithms, in order of preference.', KEXINIT),
  ...bothSides('server_host_key_algs', 'text[]', 'Host key algorithms, in order of preference.', KEXINIT),
  ...bothSides('encryption_algs', 'text[]', 'Encryption algorithms, in order of preference.', KEXINIT),
  ...bothSides('mac_algs', 'text[]', 'Message authentication algorithms, in order of preference.', KEXINIT),
  ...bothSides('compression_algs', 'text[]', 'Compression algorithms, in order of preference.', KEXINIT),
  ...bothSides('languages', 'text[]', 'Language tags, in order of preference.', KEXINIT),
  sessionField('hassh', 'text', 'HASSH of the client: MD5 of its algorithms, in hex.', 'github.com/salesforce/hassh'),
  sessionField(
    'hassh_server',
    'text',
    'HASSH of the server: MD5 of its algorithms, in hex.',
    'github.com/salesforce/hassh',
  ),
];

export const SSH: ProtocolDef = {
  name: 'ssh',
  doc: 'Secure Shell 2, read from its banners and key exchange offers.',
  source: 'RFC 4253',
  over: ['tcp'],
  layer: 'application',
  number: ProtocolNumber.SSH,
  fields: SSH_FIELDS,
  sessionType: { name: 'SshHandshake', doc: 'Banners and key exchange offers of one SSH connection.' },
};
