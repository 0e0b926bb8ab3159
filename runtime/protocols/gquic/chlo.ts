/** Reading CHLO, the client's hello of QUIC Crypto: a count of tags, an index of them, and their values one after another. */
import { textOf, u16 } from '../bytes.ts';

const CHLO = 'CHLO';
/** Bytes before the index: the message's tag, the number of tags, and two of padding. */
const INDEX = 8;
/** Bytes of the index for each tag: the tag, and where its value ends. */
const ENTRY = 8;
/** Most tags of a message (QUIC Crypto, "Handshake"). */
const TAGS_MAX = 128;

/** Whether `text`, of ASCII letters, stands at `at`. */
export function tagAt(bytes: Uint8Array, at: number, text: string): boolean {
  if (at + text.length > bytes.length) return false;
  for (let i = 0; i < text.length; i++) if (bytes[at + i] !== text.charCodeAt(i)) return false;
  return true;
}

function u32le(bytes: Uint8Array, at: number): number {
  return u16(Uint8Array.of(bytes[at + 3], bytes[at + 2]), 0) * 0x10000 + (bytes[at + 1] << 8) + bytes[at];
}

/** What is read of a CHLO; undefined is what it does not say. */
export interface Chlo {
  readonly sni: string | undefined;
  readonly userAgent: string | undefined;
}

/** The CHLO at the start of these bytes, or undefined if there is none, or not all of it. */
export function readChlo(bytes: Uint8Array): Chlo | undefined {
  if (bytes.length < INDEX || !tagAt(bytes, 0, CHLO)) return undefined;
  const count = bytes[4] | (bytes[5] << 8);
  const values = INDEX + ENTRY * count;
  if (count > TAGS_MAX || values > bytes.length) return undefined;
  const found = new Map<string, string>();
  let from = 0;
  for (let at = INDEX; at < values; at += ENTRY) {
    const to = u32le(bytes, at + 4);
    if (to < from || values + to > bytes.length) return undefined;
    for (const tag of ['SNI\0', 'UAID']) {
      if (tagAt(bytes, at, tag)) found.set(tag, textOf(bytes, values + from, values + to));
    }
    from = to;
  }
  return { sni: found.get('SNI\0'), userAgent: found.get('UAID') };
}
