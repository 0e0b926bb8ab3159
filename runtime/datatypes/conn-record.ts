import type { L4Pdu } from '../conntrack/l4-pdu.ts';
import { datatype, on, rare, type u32 } from '../subscription/decorators.ts';
import { columnsWrittenBy } from '../subscription/json-writers.ts';
import { connRecordWriter } from './conn-record-json.ts';
import type { FiveTuple, FiveTupleJson } from './five-tuple.ts';
import type { Lifespan } from './lifespan.ts';

/** What one end of a connection sent, as JSON. */
export interface EndJson {
  readonly packets: number;
  readonly bytes: number;
  readonly payload_bytes: number;
  readonly malformed: number;
  readonly late_start: number;
  readonly retransmitted: number;
  readonly content_gaps: number;
  readonly missed_bytes: number;
  readonly max_simultaneous_gaps: number;
}

/** {@link ConnRecord} as JSON. Times in seconds. */
export interface ConnRecordJson extends FiveTupleJson {
  readonly start: number;
  readonly duration: number;
  readonly second_packet: number | null;
  readonly longest_silence: number;
  readonly history: string;
  readonly ended: string;
  readonly orig: EndJson;
  readonly resp: EndJson;
}

/** Holes remembered at a time, per direction. Of more only number and size are kept, and they count as never filled. */
const HOLES = 2;
/** Letters of the history that are kept, six a word of five bits each. */
const MOST_LETTERS = 12;
const LETTERS_A_WORD = 6;
/**
 * What the letters' numbers stand for, in the order in which one packet adds them, and where in `seen` the count of those
 * kept begins.
 */
const LETTERS = ' ^QSHIADFRT';
const LETTER_COUNT = 24;
/** Bits of `seen` for one direction: bit 0 says that `nextSeq` is known, the others which letters came. */
const SEEN_BITS = 11;

/** What a word of bytes carries over. */
const CARRY = 2 ** 32;

const TCP = 6;
const FIN = 1;
const SYN = 2;
const RST = 4;
/** Letters of the history, by their place in LETTERS. */
const FLIPPED = 1;
const Q = 2;
const S = 3;
const H = 4;
const I = 5;
const A = 6;
const D = 7;
const F = 8;
const R = 9;
const T = 10;

/**
 * A connection in numbers, per direction (index 0: from the originator, 1: from the responder).
 *
 * Bytes: `bytes` are those of IP packets, headers included (Zeek's `orig_ip_bytes`); `payloadBytes` are TCP or UDP
 * payload by the headers, each retransmission counted again. Link-layer headers and padding are in neither.
 *
 * History, as Zeek writes it: upper case for the originator, lower case for the responder, each letter once for each, in
 * the order first seen: `S` SYN, `H` SYN-ACK, `A` ACK without payload, `D` payload, `F` FIN, `R` RST, `T` payload seen
 * before, `I` FIN with RST, `Q` SYN with FIN or RST; `^` first when the originator was told by a SYN-ACK. UDP: `D` only.
 *
 * Content gaps are holes in the sequence numbers that nothing filled, whether lost on the way or not captured; they are
 * found without reassembly.
 */
@datatype
export class ConnRecord {
  /** Addresses and ports. */
  declare readonly fiveTuple: FiveTuple;
  /** First and last packet's time, and how the connection ended. */
  declare readonly lifespan: Lifespan;

  // Read or written with every packet, or once: one cache line.
  packets = new Uint32Array(2);
  /** Bytes of IP packets, modulo 2^32; the rest is in `carriedBytes`. */
  lowBytes = new Uint32Array(2);
  /** The same of payload. */
  lowPayload = new Uint32Array(2);
  /** TCP: sequence number expected next. */
  nextSeq = new Uint32Array(2);
  /** Longest time between two packets of either direction, in microseconds; at most 71 minutes. */
  silenceMicros: u32 = 0;
  /** What was seen: SEEN_BITS for each direction, then the number of letters kept. */
  seen: u32 = 0;
  /** The history. */
  letters = new Uint32Array(2);
  /** First sequence number seen. */
  baseSeq = new Uint32Array(2);
  /** Time of the second packet, 0 while there is none. */
  secondTime = 0;

  // Written where something is amiss, or very large.
  /** Multiples of 2^32 bytes. */
  @rare carriedBytes = new Uint32Array(2);
  @rare carriedPayload = new Uint32Array(2);
  /** Packets whose headers promise more bytes than the frame had. */
  @rare malformed = new Uint32Array(2);
  /** TCP segments from before the first sequence number seen: the capture began late, or order was lost. */
  @rare lateStart = new Uint32Array(2);
  /** TCP segments with payload that had all been seen before. */
  @rare retransmitted = new Uint32Array(2);
  /** Most holes open at a time. */
  @rare maxGaps = new Uint32Array(2);
  @rare forgottenGaps = new Uint32Array(2);
  /** Bytes of holes that are no longer remembered one by one. */
  @rare forgottenBytes = new Float64Array(2);
  /** Open holes from sequence number to sequence number, HOLES per direction; empty when both are equal. */
  @rare holeStart = new Uint32Array(4);
  @rare holeEnd = new Uint32Array(4);

  @on('InL4Conn')
  update(pdu: L4Pdu): void {
    const dir = pdu.dir;
    const length = pdu.payloadLength;
    this.packets[dir]++;
    const bytes = this.lowBytes[dir];
    this.lowBytes[dir] += pdu.ipLength;
    if (this.lowBytes[dir] < bytes) this.carriedBytes[dir]++;
    const payload = this.lowPayload[dir];
    this.lowPayload[dir] += length;
    if (this.lowPayload[dir] < payload) this.carriedPayload[dir]++;
    const silence = pdu.sinceLast * 1e6 + 0.5;
    if (silence >= this.silenceMicros + 1) this.silenceMicros = Math.min(silence, 0xffffffff) >>> 0;
    if (this.packets[dir] <= 2 && this.packets[0] + this.packets[1] === 2) this.secondTime = pdu.ts;
    if (pdu.malformed) this.malformed[dir]++;
    if (pdu.proto === TCP) {
      // D or A, without a branch: which of them comes next cannot be foretold.
      const letter = A + (-length >>> 31);
      const unseen = ~(this.seen >>> (dir * SEEN_BITS + letter)) & 1;
      // The usual segment is the next one and has nothing new about it. What it changes is computed for all, so that it
      // is known to the compiler however long only SYNs come.
      const unusual = (pdu.flags & (FIN | SYN | RST)) | (pdu.seqNo ^ this.nextSeq[dir]) | unseen;
      this.nextSeq[dir] = (this.nextSeq[dir] + (unusual === 0 ? length : 0)) >>> 0;
      if (unusual !== 0) {
        this.note(pdu, this.lettersOf(pdu));
        this.noteSequence(pdu);
      }
    } else {
      const unseen = ~(this.seen >>> (dir * SEEN_BITS + D)) & (-length >>> 31);
      if (unseen !== 0) this.note(pdu, 1 << D);
    }
  }

  /** Letters that this segment has, as bits by their numbers. Without branches, as `update` says why. */
  private lettersOf(pdu: L4Pdu): number {
    const flags = pdu.flags;
    const fin = flags & 1;
    const syn = (flags >>> 1) & 1;
    const rst = (flags >>> 2) & 1;
    const ack = (flags >>> 4) & 1;
    const data = -pdu.payloadLength >>> 31;
    const closing = fin | rst;
    const first = this.seen === 0 ? pdu.dir : 0;
    const opening = (first << FLIPPED) | ((syn & closing) << Q) | ((syn & ~ack) << S) | ((syn & ack) << H);
    const middle = ((~syn & fin & rst) << I) | ((ack & ~(syn | closing | data)) << A) | (data << D);
    return opening | middle | (fin << F) | (rst << R);
  }

  /** Adds letters (bits by their numbers) to the history, each the first time it comes from this direction. */
  private note(pdu: L4Pdu, letters: number): void {
    const dir = pdu.dir;
    let fresh = letters & ~(this.seen >>> (dir * SEEN_BITS));
    this.seen |= fresh << (dir * SEEN_BITS);
    while (fresh !== 0) {
      const letter = 31 - Math.clz32(fresh & -fresh);
      fresh &= fresh - 1;
      const count = this.seen >>> LETTER_COUNT;
      if (count >= MOST_LETTERS) return;
      this.seen += 1 << LETTER_COUNT;
      const place = count < LETTERS_A_WORD ? 0 : 1;
      this.letters[place] |= (letter + dir * 16) << ((count - place * LETTERS_A_WORD) * 5);
    }
  }

  /** Follows the sequence numbers of one direction: what is new, what came before, where a hole is. */
  private noteSequence(pdu: L4Pdu): void {
    const dir = pdu.dir;
    const flags = pdu.flags;
    const length = pdu.payloadLength;
    // An RST's sequence number may be anything.
    if ((flags & RST) !== 0) return;
    const syn = (flags & SYN) !== 0 ? 1 : 0;
    const fin = (flags & FIN) !== 0 ? 1 : 0;
    const seq = (pdu.seqNo + syn) >>> 0;
    const known = 1 << (dir * SEEN_BITS);
    if ((this.seen & known) === 0) {
      this.seen |= known;
      this.baseSeq[dir] = seq;
      this.nextSeq[dir] = seq;
    }
    const ahead = (seq - this.nextSeq[dir]) | 0;
    // Bytes, and a FIN, that lie behind all that was seen.
    const fresh = ahead + length + fin;
    if (ahead !== 0) {
      // Beyond any window (RFC 7323 section 2.3): not of this stream.
      if (ahead > 0x40000000 || ahead < -0x40000000) return;
      if (ahead > 0) this.openHole(pdu, ahead);
      // A keep-alive is one byte before the next, with one byte or none.
      else if (length > 1 || (length === 1 && ahead !== -1)) this.noteRepeated(pdu, seq);
    }
    this.nextSeq[dir] = (this.nextSeq[dir] + (fresh > 0 ? fresh : 0)) >>> 0;
  }

  /** Payload whose first byte, `seq`, is before the one expected next. */
  private noteRepeated(pdu: L4Pdu, seq: number): void {
    const dir = pdu.dir;
    if (((seq - this.baseSeq[dir]) | 0) < 0) this.lateStart[dir]++;
    if (this.fillHoles(pdu) === 0 && ((seq - this.nextSeq[dir]) | 0) + pdu.payloadLength <= 0) {
      this.retransmitted[dir]++;
      this.note(pdu, 1 << T);
    }
  }

  /** `size` bytes are missing before this segment. */
  private openHole(pdu: L4Pdu, size: number): void {
    const dir = pdu.dir;
    let placed = 0;
    let open = 0;
    for (let i = 0; i < HOLES; i++) {
      const hole = dir * HOLES + i;
      if (this.holeStart[hole] === this.holeEnd[hole] && placed === 0) {
        this.holeStart[hole] = this.nextSeq[dir];
        this.holeEnd[hole] = (this.nextSeq[dir] + size) >>> 0;
        placed = 1;
      }
      if (this.holeStart[hole] !== this.holeEnd[hole]) open++;
    }
    if (placed === 0) {
      this.forgottenGaps[dir]++;
      this.forgottenBytes[dir] += size;
    }
    open += this.forgottenGaps[dir];
    if (open > this.maxGaps[dir]) this.maxGaps[dir] = open;
  }

  /** Takes this segment's bytes out of the holes; returns how many holes it touched. */
  private fillHoles(pdu: L4Pdu): number {
    const dir = pdu.dir;
    const from = pdu.seqNo;
    const to = (pdu.seqNo + pdu.payloadLength) >>> 0;
    let touched = 0;
    for (let i = 0; i < HOLES; i++) {
      const hole = dir * HOLES + i;
      const startsIn = (from - this.holeStart[hole]) | 0;
      const endsBefore = (this.holeEnd[hole] - to) | 0;
      const outside = ((to - this.holeStart[hole]) | 0) <= 0 || ((this.holeEnd[hole] - from) | 0) <= 0;
      if (!outside && this.holeStart[hole] !== this.holeEnd[hole]) {
        touched++;
        if (startsIn <= 0 && endsBefore <= 0) {
          this.holeEnd[hole] = this.holeStart[hole];
        } else if (startsIn <= 0) {
          this.holeStart[hole] = to;
        } else if (endsBefore <= 0) {
          this.holeEnd[hole] = from;
        } else {
          // The middle of a hole: what is before it is set down as lost, what is behind stays open.
          this.forgottenGaps[dir]++;
          this.forgottenBytes[dir] += startsIn;
          this.holeStart[hole] = to;
        }
      }
    }
    return touched;
  }

  /** Bytes of IP packets of a direction. */
  get bytes(): readonly [number, number] {
    const low = this.lowBytes;
    const carried = this.carriedBytes;
    return [low[0] + carried[0] * CARRY, low[1] + carried[1] * CARRY];
  }
  /** Bytes of payload by the headers of a direction, retransmissions included. */
  get payloadBytes(): readonly [number, number] {
    const low = this.lowPayload;
    const carried = this.carriedPayload;
    return [low[0] + carried[0] * CARRY, low[1] + carried[1] * CARRY];
  }
  /** Time of the first packet, seconds since 1970. */
  get start(): number {
    return this.lifespan.start;
  }
  /** Seconds from the first to the last packet. */
  get duration(): number {
    return this.lifespan.duration;
  }
  /** How the connection ended: `fin`, `rst`, `establish_timeout`, `inactivity_timeout`, `drain`, `evicted`, `reused`. */
  get ended(): string {
    return this.lifespan.ended;
  }
  /** Longest time between two packets of either direction, in seconds. */
  get longestSilence(): number {
    return this.silenceMicros / 1e6;
  }
  /** The letters of what happened, in order; the class comment says what they mean. */
  get history(): string {
    const letters = this.letters;
    const count = this.seen >>> LETTER_COUNT;
    let text = '';
    for (let i = 0; i < count; i++) {
      const entry = (letters[i < LETTERS_A_WORD ? 0 : 1] >>> ((i % LETTERS_A_WORD) * 5)) & 31;
      const letter = LETTERS[entry & 15];
      text += entry < 16 ? letter : letter.toLowerCase();
    }
    return text;
  }

  /** Holes of a direction that nothing filled. */
  contentGaps(dir: 0 | 1): number {
    const start = this.holeStart;
    const end = this.holeEnd;
    let count = this.forgottenGaps[dir];
    for (let hole = dir * HOLES; hole < (dir + 1) * HOLES; hole++) if (start[hole] !== end[hole]) count++;
    return count;
  }

  /** Bytes of those holes. */
  missedBytes(dir: 0 | 1): number {
    const start = this.holeStart;
    const end = this.holeEnd;
    let sum = this.forgottenBytes[dir];
    for (let hole = dir * HOLES; hole < (dir + 1) * HOLES; hole++) sum += (end[hole] - start[hole]) >>> 0;
    return sum;
  }

  private end(dir: 0 | 1): EndJson {
    return {
      packets: this.packets[dir],
      bytes: this.bytes[dir],
      payload_bytes: this.payloadBytes[dir],
      malformed: this.malformed[dir],
      late_start: this.lateStart[dir],
      retransmitted: this.retransmitted[dir],
      content_gaps: this.contentGaps(dir),
      missed_bytes: this.missedBytes(dir),
      max_simultaneous_gaps: this.maxGaps[dir],
    };
  }

  toJSON(): ConnRecordJson {
    return {
      ...this.fiveTuple.toJSON(),
      start: this.start,
      duration: this.duration,
      second_packet: this.secondTime === 0 ? null : this.secondTime,
      longest_silence: this.longestSilence,
      history: this.history,
      ended: this.ended,
      orig: this.end(0),
      resp: this.end(1),
    };
  }
}

columnsWrittenBy(ConnRecord.prototype.toJSON, (places) =>
  connRecordWriter(places, { letters: LETTERS, lettersAWord: LETTERS_A_WORD, count: LETTER_COUNT }, HOLES),
);
