/** The session of SSH: what both sides said of themselves before encryption. */
import { createHash } from 'node:crypto';
import { datatype } from '../../subscription/decorators.ts';
import { writtenBy } from '../../subscription/json-writers.ts';
import { textOf, u16 } from '../bytes.ts';
import { ProtocolNumber, type Session } from '../contract.ts';
import { sessionJson, sessionWriter } from '../session-json.ts';
import { SSH } from './fields.ts';

/** Name lists of a key exchange offer, in order (RFC 4253 section 7.1). */
const enum List {
  KEX = 0,
  HOST_KEY = 1,
  ENCRYPTION_CTOS = 2,
  ENCRYPTION_STOC = 3,
  MAC_CTOS = 4,
  MAC_STOC = 5,
  COMPRESSION_CTOS = 6,
  COMPRESSION_STOC = 7,
  LANGUAGES_CTOS = 8,
  LANGUAGES_STOC = 9,
}

/** The first list stands behind the message's number and its cookie. */
const LISTS = 17;
const NONE: readonly string[] = [];

/** What one side sent in clear. */
export interface SshSide {
  /** The identification line without its line end. */
  readonly banner: Uint8Array | undefined;
  /** The payload of its SSH_MSG_KEXINIT packet. */
  readonly offer: Uint8Array | undefined;
}

/** Identification line and key exchange offer of one side, read when asked for. */
export class Side {
  private readonly line: string | undefined;
  private readonly offer: Uint8Array | undefined;

  constructor({ banner, offer }: SshSide) {
    this.line = banner && textOf(banner, 0, banner.length);
    this.offer = offer;
  }

  /** Parts of `SSH-protoversion-softwareversion SP comments` (RFC 4253 section 4.2). */
  get protocolVersion(): string | undefined {
    return this.line?.split('-', 2)[1];
  }
  get softwareVersion(): string | undefined {
    const line = this.line?.split(' ', 1)[0];
    return line?.slice(line.indexOf('-', 4) + 1);
  }
  get comments(): string | undefined {
    const space = this.line?.indexOf(' ') ?? -1;
    return space < 0 ? undefined : this.line?.slice(space + 1);
  }
  get cookie(): Uint8Array | undefined {
    return this.offer?.subarray(1, LISTS);
  }
  /** A name list as it was sent. */
  text(which: List): string | undefined {
    const { offer } = this;
    if (offer === undefined) return undefined;
    let at = LISTS;
    for (let i = 0; at + 4 <= offer.length; i++) {
      const next = at + 4 + u16(offer, at) * 0x10000 + u16(offer, at + 2);
      if (next > offer.length) return undefined;
      if (i === which) return textOf(offer, at + 4, next);
      at = next;
    }
    return undefined;
  }
  list(which: List): readonly string[] {
    const text = this.text(which);
    return text ? text.split(',') : NONE;
  }
  /** HASSH: github.com/salesforce/hassh. */
  hassh(encryption: List, mac: List, compression: List): string | undefined {
    const lists = [List.KEX, encryption, mac, compression].map((which) => this.text(which));
    if (lists.includes(undefined)) return undefined;
    return createHash('md5').update(lists.join(';'), 'latin1').digest('hex');
  }
}

/**
 * Banners and key exchange offers of one SSH connection. Its properties are the fields of the catalog in camelCase; `Ctos` is
 * the client's word and `Stoc` the server's. What was not seen is undefined, or an empty list.
 */
@datatype({ kind: 'session', protocol: 'ssh' })
export class SshHandshake implements Session {
  readonly proto = ProtocolNumber.SSH;
  private readonly client: Side;
  private readonly server: Side;

  constructor(client: SshSide, server: SshSide) {
    this.client = new Side(client);
    this.server = new Side(server);
  }

  get protocolVersionCtos(): string | undefined {
    return this.client.protocolVersion;
  }
  get protocolVersionStoc(): string | undefined {
    return this.server.protocolVersion;
  }
  get softwareVersionCtos(): string | undefined {
    return this.client.softwareVersion;
  }
  get softwareVersionStoc(): string | undefined {
    return this.server.softwareVersion;
  }
  get commentsCtos(): string | undefined {
    return this.client.comments;
  }
  get commentsStoc(): string | undefined {
    return this.server.comments;
  }
  get keyExchangeCookieCtos(): Uint8Array | undefined {
    return this.client.cookie;
  }
  get keyExchangeCookieStoc(): Uint8Array | undefined {
    return this.server.cookie;
  }
  get kexAlgsCtos(): readonly string[] {
    return this.client.list(List.KEX);
  }
  get kexAlgsStoc(): readonly string[] {
    return this.server.list(List.KEX);
  }
  get serverHostKeyAlgsCtos(): readonly string[] {
    return this.client.list(List.HOST_KEY);
  }
  get serverHostKeyAlgsStoc(): readonly string[] {
    return this.server.list(List.HOST_KEY);
  }
  get encryptionAlgsCtos(): readonly string[] {
    return this.client.list(List.ENCRYPTION_CTOS);
  }
  get encryptionAlgsStoc(): readonly string[] {
    return this.server.list(List.ENCRYPTION_STOC);
  }
  get macAlgsCtos(): readonly string[] {
    return this.client.list(List.MAC_CTOS);
  }
  get macAlgsStoc(): readonly string[] {
    return this.server.list(List.MAC_STOC);
  }
  get compressionAlgsCtos(): readonly string[] {
    return this.client.list(List.COMPRESSION_CTOS);
  }
  get compressionAlgsStoc(): readonly string[] {
    return this.server.list(List.COMPRESSION_STOC);
  }
  get languagesCtos(): readonly string[] {
    return this.client.list(List.LANGUAGES_CTOS);
  }
  get languagesStoc(): readonly string[] {
    return this.server.list(List.LANGUAGES_STOC);
  }
  get hassh(): string | undefined {
    return this.client.hassh(List.ENCRYPTION_CTOS, List.MAC_CTOS, List.COMPRESSION_CTOS);
  }
  get hasshServer(): string | undefined {
    return this.server.hassh(List.ENCRYPTION_STOC, List.MAC_STOC, List.COMPRESSION_STOC);
  }

  /** The fields of the catalog that have a value, by their names there. */
  toJSON(): Record<string, unknown> {
    return sessionJson(this, SSH.fields);
  }
}

writtenBy(SshHandshake.prototype.toJSON, sessionWriter(SSH.fields));
