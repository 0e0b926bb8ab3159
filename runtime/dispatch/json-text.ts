/**
 * The JSON of the data types that most lines are made of, written out at once. It is the text that JSON.stringify makes
 * of their `toJSON`, without the objects in between, which cost ten times as much.
 */
import { ConnRecord } from '../datatypes/conn-record.ts';
import { FiveTuple } from '../datatypes/five-tuple.ts';

/** Writers by the `toJSON` that they stand for: a class that brings its own is none of theirs. */
const WRITERS: ReadonlyMap<unknown, (value: never) => string> = new Map<unknown, (value: never) => string>([
  [ConnRecord.prototype.toJSON, connRecordText],
  [FiveTuple.prototype.toJSON, fiveTupleText],
]);

/** The JSON of `value`, or undefined when it is of no type known here. */
export function jsonText(value: object): string | undefined {
  return WRITERS.get((value as { readonly toJSON?: unknown }).toJSON)?.(value as never);
}

function fiveTupleText(tuple: FiveTuple): string {
  return `{${fiveTupleMembers(tuple)}}`;
}

/** From here on, seconds and nanoseconds add up to the double that is nearest to the microseconds they stand for. */
const EXACT_SUM = 65_536;

/**
 * A number of seconds, as JSON has it. Nearly all are the double nearest to whole microseconds, whose digits need not be
 * searched for: up to 2^32 seconds doubles lie nearer to each other than microseconds.
 */
export function secondsText(seconds: number): string {
  const whole = Math.floor(seconds);
  const micros = Math.round((seconds - whole) * 1e6);
  if (!(whole >= 0 && whole < 2 ** 32) || micros === 1e6) return String(seconds);
  if (whole < EXACT_SUM ? (whole * 1e6 + micros) / 1e6 !== seconds : whole + micros * 1000 * 1e-9 !== seconds) {
    return String(seconds);
  }
  if (micros === 0) return String(whole);
  const high = Math.floor(micros / 1000);
  const low = micros - high * 1000;
  return low === 0 ? `${whole}.${CUT[high]}` : `${whole}.${THOUSANDTHS[high]}${CUT[low]}`;
}

/** Numbers that most counts, sizes and ports are below. */
const SMALL = 65_536;
const small: (string | undefined)[] = new Array(SMALL).fill(undefined);

/**
 * A whole number as text. The engine keeps the texts of numbers in a cache, but for so many different ones that each is
 * made, kept a while, moved about and dropped.
 */
export function wholeText(value: number): string {
  if (!(value >= 0 && value < SMALL)) return String(value);
  const known = small[value];
  if (known !== undefined) return known;
  const text = String(value);
  small[value] = text;
  return text;
}

/** Six digits of microseconds. */
export function microsText(micros: number): string {
  const high = Math.floor(micros / 1000);
  return THOUSANDTHS[high] + THOUSANDTHS[micros - high * 1000];
}

/** Three digits of a fraction; and without the zeros at their end. */
const THOUSANDTHS: readonly string[] = Array.from({ length: 1000 }, (_, i) => String(i).padStart(3, '0'));
const CUT: readonly string[] = THOUSANDTHS.map((digits) => digits.replace(/0+$/, ''));

/** Names of protocols and addresses hold nothing that JSON escapes. */
function fiveTupleMembers({ proto, origAddr, origPort, respAddr, respPort }: FiveTuple): string {
  return `"proto":"${proto}","orig_addr":"${origAddr}","orig_port":${wholeText(origPort)},"resp_addr":"${respAddr}","resp_port":${wholeText(respPort)}`;
}

/** The counts of one end of an orderly connection, behind its sizes. */
const ORDERLY =
  ',"malformed":0,"late_start":0,"retransmitted":0,"content_gaps":0,"missed_bytes":0,"max_simultaneous_gaps":0}';

function connRecordText(conn: ConnRecord): string {
  const { secondTime } = conn;
  const second = secondTime === 0 ? 'null' : secondsText(secondTime);
  // Each read of an array of columns fills it anew.
  const { packets, bytes, payloadBytes, malformed, lateStart, retransmitted, maxGaps } = conn;

  function end(dir: 0 | 1): string {
    const sizes = `{"packets":${wholeText(packets[dir])},"bytes":${wholeText(bytes[dir])},"payload_bytes":${wholeText(payloadBytes[dir])}`;
    // Where there was a hole, there was a most of them.
    if ((malformed[dir] | lateStart[dir] | retransmitted[dir] | maxGaps[dir]) === 0) return sizes + ORDERLY;
    return `${sizes},"malformed":${malformed[dir]},"late_start":${lateStart[dir]},"retransmitted":${retransmitted[dir]},"content_gaps":${conn.contentGaps(dir)},"missed_bytes":${conn.missedBytes(dir)},"max_simultaneous_gaps":${maxGaps[dir]}}`;
  }

  return `{${fiveTupleMembers(conn.fiveTuple)},"start":${secondsText(conn.start)},"duration":${secondsText(conn.duration)},"second_packet":${second},"longest_silence":${secondsText(conn.longestSilence)},"history":"${conn.history}","ended":"${conn.ended}","orig":${end(0)},"resp":${end(1)}}`;
}
