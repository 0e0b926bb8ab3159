/**
 * Members of L4Pdu that a compiled update reads straight off the packet row `p` (and the record `c`), in step with
 * runtime/conntrack/l4-pdu.ts, which means the same by the same names.
 */
import { Meta } from '../../runtime/packet/layout.ts';
import { INT32, type Interval, UINT32 } from './interval.ts';

export interface PduMember {
  /** An expression over `p`, `c` and the columns it names. */
  readonly code: string;
  readonly kind: 'int' | 'number' | 'bool';
  readonly interval?: Interval;
  /** The same modulo 2^32. */
  readonly raw?: string;
  /** A single operand: needs no parentheses anywhere. */
  readonly tight?: true;
}

/** Columns of packet rows and of records that code may name. Generated modules take those they use out of the core. */
export const ROW_COLUMNS = [
  'pktLink',
  'pktWirelen',
  'pktPaylen',
  'pktCappay',
  'pktIplen',
  'pktMeta',
  'pktSeq',
  'pktAck',
  'pktTs',
  'pktDir',
  'pktGap',
  'recLast',
] as const;
/** What code calls before it writes a word beside the records: it returns `c`. */
export const TOUCH_RARE = 'touchRare';

const LENGTH: Interval = { low: 0, high: INT32.high };

function length(word: string): PduMember {
  return { code: `${word}[p]`, kind: 'int', interval: LENGTH, tight: true };
}

function unsigned(word: string): PduMember {
  return { code: `${word}[p] >>> 0`, kind: 'int', interval: UINT32, raw: `${word}[p]` };
}

export const PDU_MEMBERS: ReadonlyMap<string, PduMember> = new Map<string, PduMember>([
  ['dir', { code: 'pktDir[p]', kind: 'int', interval: { low: 0, high: 1 }, tight: true }],
  ['fromOrig', { code: 'pktDir[p] === 0', kind: 'bool' }],
  ['ts', { code: 'pktTs[p >> 1]', kind: 'number', tight: true }],
  ['sinceLast', { code: 'pktTs[p >> 1] - recLast[c >> 1]', kind: 'number' }],
  ['length', length('pktPaylen')],
  ['payloadLength', length('pktPaylen')],
  ['capturedLength', length('pktCappay')],
  ['ipLength', length('pktIplen')],
  ['wireLength', length('pktWirelen')],
  ['linkType', { code: 'pktLink[p] & 0xffff', kind: 'int', interval: { low: 0, high: 0xffff } }],
  ['gapBefore', length('pktGap')],
  ['malformed', { code: `(pktMeta[p] & 0x${Meta.MALFORMED.toString(16)}) !== 0`, kind: 'bool' }],
  ['proto', { code: 'pktMeta[p] & 0xff', kind: 'int', interval: { low: 0, high: 0xff } }],
  ['flags', { code: `pktMeta[p] >>> ${Meta.TCP_FLAGS_SHIFT}`, kind: 'int', interval: { low: 0, high: 0xffff } }],
  ['seqNo', unsigned('pktSeq')],
  ['ackNo', unsigned('pktAck')],
]);
