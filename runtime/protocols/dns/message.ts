/**
 * Reading DNS messages (RFC 1035 section 4.1). No reader leaves the message, whatever the bytes say.
 */
import { u16 } from '../bytes.ts';
import { skipName } from './name.ts';
import { recordText } from './record-text.ts';

/** Bytes of the header. */
export const HEADER = 12;

/** Offsets of the header's counts. */
export const enum Count {
  QUESTIONS = 4,
  ANSWERS = 6,
  NAMESERVERS = 8,
  ADDITIONALS = 10,
}

/** Type of the record of EDNS. */
const OPT = 41;

/** Whether the message is an answer. The header must be whole. */
export function isResponse(bytes: Uint8Array, start: number): boolean {
  return bytes[start + 2] > 127;
}

/** Where the questions end, or -1 if they are not whole. */
export function skipQuestions(bytes: Uint8Array, start: number, end: number): number {
  let at = start + HEADER;
  for (let left = u16(bytes, start + Count.QUESTIONS); left > 0; left--) {
    at = skipName(bytes, at, end);
    if (at < 0 || at + 4 > end) return -1;
    at += 4;
  }
  return at;
}

/** Where the record at `at` ends, or -1 if it is not whole. */
function skipRecord(bytes: Uint8Array, at: number, end: number): number {
  const fixed = skipName(bytes, at, end);
  if (fixed < 0 || fixed + 10 > end) return -1;
  const next = fixed + 10 + u16(bytes, fixed + 8);
  return next <= end ? next : -1;
}

/** Where `count` records from `at` on end, or -1 if they are not whole. */
export function skipRecords(bytes: Uint8Array, from: number, end: number, count: number): number {
  let at = from;
  for (let left = count; left > 0 && at >= 0; left--) at = skipRecord(bytes, at, end);
  return at;
}

/** Data of the records of one section, in order. Those of EDNS (RFC 6891) are no data and are left out. */
export function sectionText(message: Uint8Array, section: Count): string[] {
  const end = message.length;
  const list: string[] = [];
  let at = skipQuestions(message, 0, end);
  for (let before = Count.ANSWERS; before < section && at >= 0; before += 2) {
    at = skipRecords(message, at, end, u16(message, before));
  }
  for (let left = at < 0 ? 0 : u16(message, section); left > 0; left--) {
    const next = skipRecord(message, at, end);
    if (next < 0) break;
    const fixed = skipName(message, at, end);
    const type = u16(message, fixed);
    if (type !== OPT) list.push(recordText(message, type, fixed + 10, next));
    at = next;
  }
  return list;
}

/** The upper bits of the response code, from the OPT record (RFC 6891 section 6.1.3). */
export function extendedRcode(message: Uint8Array): number {
  const end = message.length;
  let at = skipQuestions(message, 0, end);
  if (at < 0) return 0;
  at = skipRecords(message, at, end, u16(message, Count.ANSWERS) + u16(message, Count.NAMESERVERS));
  for (let left = at < 0 ? 0 : u16(message, Count.ADDITIONALS); left > 0; left--) {
    const next = skipRecord(message, at, end);
    if (next < 0) return 0;
    const fixed = skipName(message, at, end);
    if (u16(message, fixed) === OPT) return message[fixed + 4] << 4;
    at = next;
  }
  return 0;
}
