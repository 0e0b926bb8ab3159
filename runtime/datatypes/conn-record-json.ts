/** Writes connection records out of their columns: what `ConnRecord.toJSON` has. Hot: most lines of most runs. */
import { ConnMeta, END_REASON_NAMES, Rec } from '../conntrack/layout.ts';
import { wordOf } from '../subscription/column.ts';
import type { ColumnPlaces, RecordWriter } from '../subscription/json-writers.ts';
import type { LineBuffer } from '../subscription/line-buffer.ts';
import { type Literal, literal } from '../subscription/prepared-text.ts';
import type { FiveTuple } from './five-tuple.ts';

const OPEN = 0x7b;
const CLOSE = 0x7d;
const START = literal(',"start":');
const DURATION = literal(',"duration":');
const SECOND_PACKET = literal(',"second_packet":');
const NO_SECOND_PACKET = literal(',"second_packet":null');
const LONGEST_SILENCE = literal(',"longest_silence":');
const HISTORY = literal(',"history":"');
/** By the number of the reason. */
const ENDED = END_REASON_NAMES.map((name) => literal(`","ended":"${name}","orig":{"packets":`));
const RESP = literal(',"resp":{"packets":');
const BYTES = literal(',"bytes":');
const PAYLOAD_BYTES = literal(',"payload_bytes":');
/** The counts of one end of an orderly connection, behind its sizes. */
const ORDERLY = literal(
  ',"malformed":0,"late_start":0,"retransmitted":0,"content_gaps":0,"missed_bytes":0,"max_simultaneous_gaps":0}',
);
const MALFORMED = literal(',"malformed":');
const LATE_START = literal(',"late_start":');
const RETRANSMITTED = literal(',"retransmitted":');
const CONTENT_GAPS = literal(',"content_gaps":');
const MISSED_BYTES = literal(',"missed_bytes":');
const MAX_GAPS = literal(',"max_simultaneous_gaps":');

/** What the class says of its history. */
export interface HistoryLayout {
  /** Characters by number; 16 is added for the responder. */
  readonly letters: string;
  /** Letters of a word, of five bits each. */
  readonly lettersAWord: number;
  /** Where in `seen` their number begins. */
  readonly count: number;
}

/** Makes the writer of records whose columns lie at `places`. */
export function connRecordWriter(places: ColumnPlaces, history: HistoryLayout, holes: number): RecordWriter {
  const { rec, recF, rare } = places.records;
  const rareF = new Float64Array(rare.buffer, rare.byteOffset, rare.length >> 1);
  const fiveTuple = places.followers.fiveTuple as FiveTuple;
  const word = (name: string): number => wordOf(places.columns, name);
  const packets = word('packets');
  const lowBytes = word('lowBytes');
  const lowPayload = word('lowPayload');
  const silenceMicros = word('silenceMicros');
  const seen = word('seen');
  const letters = word('letters');
  const secondTime = word('secondTime');
  // Beside the records.
  const carriedBytes = word('carriedBytes');
  const carriedPayload = word('carriedPayload');
  const malformed = word('malformed');
  const lateStart = word('lateStart');
  const retransmitted = word('retransmitted');
  const maxGaps = word('maxGaps');
  const forgottenGaps = word('forgottenGaps');
  const forgottenBytes = word('forgottenBytes');
  const holeStart = word('holeStart');
  const holeEnd = word('holeEnd');
  const codes = Uint8Array.from({ length: 32 }, (_, i) => {
    const letter = history.letters[i & 15] ?? ' ';
    return (i < 16 ? letter : letter.toLowerCase()).charCodeAt(0);
  });

  function writeHistory(c: number, out: LineBuffer): void {
    const count = rec[c + seen] >>> history.count;
    let at = c + letters;
    let rest = rec[at];
    for (let i = 0; i < count; i++) {
      if (i === history.lettersAWord) rest = rec[++at];
      out.byte(codes[rest & 31]);
      rest >>>= 5;
    }
  }

  function writeSizes(c: number, out: LineBuffer, dir: number): void {
    const more = (rec[c + Rec.META] & ConnMeta.RARE) !== 0 ? c + dir : 0;
    out.whole(rec[c + packets + dir] >>> 0);
    out.literal(BYTES);
    out.number((rec[c + lowBytes + dir] >>> 0) + (rare[more + carriedBytes] >>> 0) * 2 ** 32);
    out.literal(PAYLOAD_BYTES);
    out.number((rec[c + lowPayload + dir] >>> 0) + (rare[more + carriedPayload] >>> 0) * 2 ** 32);
  }

  function writeFaults(c: number, out: LineBuffer, dir: number): void {
    writeCount(out, MALFORMED, rare[c + malformed + dir] >>> 0);
    writeCount(out, LATE_START, rare[c + lateStart + dir] >>> 0);
    writeCount(out, RETRANSMITTED, rare[c + retransmitted + dir] >>> 0);
    let gaps = rare[c + forgottenGaps + dir] >>> 0;
    let missed = rareF[((c + forgottenBytes) >> 1) + dir];
    for (let hole = c + dir * holes, end = hole + holes; hole < end; hole++) {
      const size = (rare[hole + holeEnd] - rare[hole + holeStart]) >>> 0;
      missed += size;
      if (size !== 0) gaps++;
    }
    writeCount(out, CONTENT_GAPS, gaps);
    out.literal(MISSED_BYTES);
    out.number(missed);
    writeCount(out, MAX_GAPS, rare[c + maxGaps + dir] >>> 0);
    out.byte(CLOSE);
  }

  return (c, out) => {
    const start = (rec[c + Rec.START_SEC] >>> 0) + rec[c + Rec.START_NSEC] * 1e-9;
    const meta = rec[c + Rec.META];
    out.byte(OPEN);
    fiveTuple.at(c).writeMembers(out);
    out.literal(START);
    out.seconds(start);
    out.literal(DURATION);
    out.micros(Math.round((recF[(c + Rec.LAST) >> 1] - start) * 1e6));
    const second = recF[(c + secondTime) >> 1];
    if (second === 0) out.literal(NO_SECOND_PACKET);
    else {
      out.literal(SECOND_PACKET);
      out.seconds(second);
    }
    out.literal(LONGEST_SILENCE);
    out.micros(rec[c + silenceMicros] >>> 0);
    out.literal(HISTORY);
    writeHistory(c, out);
    out.literal(ENDED[(meta >>> ConnMeta.END_SHIFT) & ConnMeta.END_MASK]);
    const orderly = (meta & ConnMeta.RARE) === 0;
    writeSizes(c, out, 0);
    if (orderly) out.literal(ORDERLY);
    else writeFaults(c, out, 0);
    out.literal(RESP);
    writeSizes(c, out, 1);
    if (orderly) out.literal(ORDERLY);
    else writeFaults(c, out, 1);
    out.byte(CLOSE);
  };
}

function writeCount(out: LineBuffer, key: Literal, count: number): void {
  out.literal(key);
  out.whole(count);
}
