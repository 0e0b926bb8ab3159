/**
 * Opening Initial packets (RFC 9001 section 5, RFC 9369 section 3.3). Their keys come from the connection identifier that the
 * client chose, so anybody who sees it can open them.
 */
import { createCipheriv, createDecipheriv, createHmac } from 'node:crypto';
import { isDraft, isReserved, type LongHeader, Version } from './packet.ts';

const SALT_V1 = Buffer.from('38762cf7f55934b34d179ae6a4c80cadccbb7f0a', 'hex');
const SALT_V2 = Buffer.from('0dede3def700a6db819381be6e269dcbf9bd2ed9', 'hex');
const SALT_DRAFT_29 = Buffer.from('afbfec289993d24c9e9786f19c6111e04390a899', 'hex');
const SALT_DRAFT_23 = Buffer.from('c3eef712c72ebb5a11a7d2432bb46365bef9f502', 'hex');
const SALT_DRAFT_22 = Buffer.from('7fbcdb0e7c66bbe9193a96cd21519ebd7a02644a', 'hex');

/** Salts of versions that are no drafts. */
const SALTS: ReadonlyMap<number, Buffer> = new Map([
  [Version.V1, SALT_V1],
  [Version.V2, SALT_V2],
  [Version.Q050, Buffer.from('504574efd066fe2f9d945cfcdbd3a7f0d3b56b45', 'hex')],
  [Version.T050, Buffer.from('7ff579e5acd072915580304c43a2367c60488310', 'hex')],
  [Version.T051, Buffer.from('7a4edef4e7ccee5fa4506c19124fc8ccda6e033d', 'hex')],
  [Version.MVFST_22, SALT_DRAFT_22],
  [Version.MVFST_27, SALT_DRAFT_23],
  [Version.MVFST_EXPERIMENT, SALT_DRAFT_23],
]);

/** A draft with the last salt before version 1's. */
const LAST_SALTED_DRAFT = 29;

/** Bytes of the authentication tag at the end of a packet, and of the sample that protects its header. */
const TAG = 16;
const SAMPLE = 16;

function saltOf(version: number): Buffer {
  const salt = SALTS.get(version);
  if (salt !== undefined) return salt;
  if (!isDraft(version) || version > Version.DRAFT + 32) return SALT_V1;
  if (version > Version.DRAFT + 28) return SALT_DRAFT_29;
  return version > Version.DRAFT + 22 ? SALT_DRAFT_23 : SALT_DRAFT_22;
}

/** Whose keys packets of `version` may have. Those of a reserved one have the keys of the version that the client knows best. */
export function keyVersions(version: number): readonly number[] {
  return isReserved(version) ? [Version.V1, Version.DRAFT + LAST_SALTED_DRAFT] : [version];
}

/** HKDF-Expand-Label with an empty context and at most one block of output (RFC 8446 section 7.1). */
function expandLabel(secret: Buffer, label: string, length: number): Buffer {
  const name = Buffer.from(`tls13 ${label}`, 'latin1');
  const info = Buffer.concat([Buffer.of(0, length, name.length), name, Buffer.of(0, 1)]);
  return createHmac('sha256', secret).update(info).digest().subarray(0, length);
}

export interface InitialKeys {
  readonly key: Buffer;
  readonly iv: Buffer;
  /** Key of the header protection. */
  readonly hp: Buffer;
}

/** The keys of one side's Initial packets. `dcid` is the client's choice. */
export function initialKeys(version: number, dcid: Uint8Array, side: 'client' | 'server'): InitialKeys {
  const initial = createHmac('sha256', saltOf(version)).update(dcid).digest();
  const secret = expandLabel(initial, `${side} in`, 32);
  const prefix = version === Version.V2 ? 'quicv2' : 'quic';
  return {
    key: expandLabel(secret, `${prefix} key`, 16),
    iv: expandLabel(secret, `${prefix} iv`, 12),
    hp: expandLabel(secret, `${prefix} hp`, 16),
  };
}

/** The frames of the Initial packet at `start`, or undefined if these keys do not open it. */
export function openInitial(
  keys: InitialKeys,
  bytes: Uint8Array,
  start: number,
  header: LongHeader,
): Uint8Array | undefined {
  const { numberAt, end } = header;
  if (numberAt + 4 + SAMPLE > end) return undefined;
  const cipher = createCipheriv('aes-128-ecb', keys.hp, null);
  const mask = cipher.update(bytes.subarray(numberAt + 4, numberAt + 4 + SAMPLE));
  const first = bytes[start] ^ (mask[0] & 0x0f);
  const numberLength = (first & 3) + 1;
  const payloadAt = numberAt + numberLength;
  if (payloadAt + TAG > end) return undefined;

  // The header without its protection is authenticated; the packet number makes the nonce.
  const associated = Buffer.from(bytes.subarray(start, payloadAt));
  associated[0] = first;
  const nonce = Buffer.from(keys.iv);
  for (let i = 0; i < numberLength; i++) {
    const byte = bytes[numberAt + i] ^ mask[1 + i];
    associated[numberAt - start + i] = byte;
    nonce[12 - numberLength + i] ^= byte;
  }
  const decipher = createDecipheriv('aes-128-gcm', keys.key, nonce);
  decipher.setAAD(associated);
  decipher.setAuthTag(bytes.subarray(end - TAG, end));
  const frames = decipher.update(bytes.subarray(payloadAt, end - TAG));
  try {
    decipher.final();
  } catch {
    return undefined;
  }
  return frames;
}
