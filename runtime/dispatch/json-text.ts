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

/** Names of protocols and addresses hold nothing that JSON escapes. */
function fiveTupleMembers({ proto, origAddr, origPort, respAddr, respPort }: FiveTuple): string {
  return `"proto":"${proto}","orig_addr":"${origAddr}","orig_port":${origPort},"resp_addr":"${respAddr}","resp_port":${respPort}`;
}

/** The counts of one end of an orderly connection, behind its sizes. */
const ORDERLY =
  ',"malformed":0,"late_start":0,"retransmitted":0,"content_gaps":0,"missed_bytes":0,"max_simultaneous_gaps":0}';

function connRecordText(conn: ConnRecord): string {
  const { secondTime } = conn;
  const second = secondTime === 0 ? 'null' : secondTime;
  // Each read of an array of columns fills it anew.
  const { packets, bytes, payloadBytes, malformed, lateStart, retransmitted, maxGaps } = conn;

  function end(dir: 0 | 1): string {
    const sizes = `{"packets":${packets[dir]},"bytes":${bytes[dir]},"payload_bytes":${payloadBytes[dir]}`;
    // Where there was a hole, there was a most of them.
    if ((malformed[dir] | lateStart[dir] | retransmitted[dir] | maxGaps[dir]) === 0) return sizes + ORDERLY;
    return `${sizes},"malformed":${malformed[dir]},"late_start":${lateStart[dir]},"retransmitted":${retransmitted[dir]},"content_gaps":${conn.contentGaps(dir)},"missed_bytes":${conn.missedBytes(dir)},"max_simultaneous_gaps":${maxGaps[dir]}}`;
  }

  return `{${fiveTupleMembers(conn.fiveTuple)},"start":${conn.start},"duration":${conn.duration},"second_packet":${second},"longest_silence":${conn.longestSilence},"history":"${conn.history}","ended":"${conn.ended}","orig":${end(0)},"resp":${end(1)}}`;
}
