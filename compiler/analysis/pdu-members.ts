/**
 * Members of L4Pdu that a compiled update reads straight off the packet row `p` (and the record `c`), in step with
 * runtime/conntrack/l4-pdu.ts, which means the same by the same names.
 */
import { Rec } from '../../runtime/conntrack/layout.ts';
import { Meta, Pkt } from '../../runtime/packet/layout.ts';
import { INT32, type Interval, UINT32 } from './interval.ts';

export interface PduMember {
  /** An expression over `pkt`, `pktF`, `recF`, `p`, `c` and the words it names. */
  readonly code: string;
  readonly kind: 'int' | 'number' | 'bool';
  readonly interval?: Interval;
  /** The same modulo 2^32. */
  readonly raw?: string;
  /** A single operand: needs no parentheses anywhere. */
  readonly tight?: true;
}

/** Words that code may name, with their numbers. Generated modules declare those they use. */
export const WORDS: Readonly<Record<string, number>> = {
  PKT_WIRELEN: Pkt.WIRELEN,
  PKT_PAYLEN: Pkt.PAYLEN,
  PKT_CAPPAY: Pkt.CAPPAY,
  PKT_IPLEN: Pkt.IPLEN,
  PKT_META: Pkt.META,
  PKT_SEQ: Pkt.SEQ,
  PKT_ACK: Pkt.ACK,
  PKT_TS: Pkt.TS,
  PKT_DIR: Pkt.DIR,
  PKT_GAP: Pkt.GAP,
  REC_LAST: Rec.LAST,
};

const LENGTH: Interval = { low: 0, high: INT32.high };

function length(word: string): PduMember {
  return { code: `pkt[p + ${word}]`, kind: 'int', interval: LENGTH, tight: true };
}

function unsigned(word: string): PduMember {
  return { code: `pkt[p + ${word}] >>> 0`, kind: 'int', interval: UINT32, raw: `pkt[p + ${word}]` };
}

export const PDU_MEMBERS: ReadonlyMap<string, PduMember> = new Map<string, PduMember>([
  ['dir', { code: 'pkt[p + PKT_DIR]', kind: 'int', interval: { low: 0, high: 1 }, tight: true }],
  ['fromOrig', { code: 'pkt[p + PKT_DIR] === 0', kind: 'bool' }],
  ['ts', { code: 'pktF[(p + PKT_TS) >> 1]', kind: 'number', tight: true }],
  ['sinceLast', { code: 'pktF[(p + PKT_TS) >> 1] - recF[(c + REC_LAST) >> 1]', kind: 'number' }],
  ['length', length('PKT_PAYLEN')],
  ['payloadLength', length('PKT_PAYLEN')],
  ['capturedLength', length('PKT_CAPPAY')],
  ['ipLength', length('PKT_IPLEN')],
  ['wireLength', length('PKT_WIRELEN')],
  ['gapBefore', length('PKT_GAP')],
  ['malformed', { code: `(pkt[p + PKT_META] & 0x${Meta.MALFORMED.toString(16)}) !== 0`, kind: 'bool' }],
  ['proto', { code: 'pkt[p + PKT_META] & 0xff', kind: 'int', interval: { low: 0, high: 0xff } }],
  ['flags', { code: `pkt[p + PKT_META] >>> ${Meta.TCP_FLAGS_SHIFT}`, kind: 'int', interval: { low: 0, high: 0xffff } }],
  ['seqNo', unsigned('PKT_SEQ')],
  ['ackNo', unsigned('PKT_ACK')],
]);
