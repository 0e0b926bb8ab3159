import type { L4Pdu } from '../conntrack/l4-pdu.ts';
import { datatype, on, type u32 } from '../subscription/decorators.ts';

const TCP = 6;
const FIN = 1;
const SYN = 2;
const RST = 4;
const ACK = 16;

/** What the numbers of letters stand for; 0 is no letter. The order is that in which letters of one packet are written. */
const LETTERS = ' ^QSHIDAFR';
const FLIPPED = 1;
const Q = 2;
const S = 3;
const H = 4;
const I = 5;
const D = 6;
const A = 7;
const F = 8;
const R = 9;
/** Letters that can come: each but `^` from either direction. */
const MOST_LETTERS = 17;
/** Bits of `seen` for one direction. */
const SEEN_BITS = 10;

/**
 * What happened on a connection, in the order first seen, as Zeek writes it: upper case for the originator, lower case for
 * the responder, each letter once for each: `S` SYN, `H` SYN-ACK, `A` ACK without payload, `D` payload, `F` FIN, `R` RST,
 * `I` FIN with RST, `Q` SYN with FIN or RST; `^` first when the originator was told by a SYN-ACK or the like. UDP: `D`
 * only. ConnRecord's history is the same with `T`, for which sequence numbers have to be followed. As JSON: the text.
 */
@datatype
export class ConnHistory {
  /** Which letters were seen, SEEN_BITS for each direction. */
  seen: u32 = 0;
  count: u32 = 0;
  /** Number of each letter, 16 added for the responder. */
  letters = new Uint8Array(MOST_LETTERS);

  @on('InL4Conn')
  update(pdu: L4Pdu): void {
    const length = pdu.length;
    if (pdu.proto === TCP) {
      const flags = pdu.flags;
      if (this.seen === 0 && pdu.dir === 1) this.note(pdu, FLIPPED);
      if ((flags & SYN) !== 0) {
        if ((flags & (FIN | RST)) !== 0) this.note(pdu, Q);
        if ((flags & ACK) !== 0) this.note(pdu, H);
        else this.note(pdu, S);
      } else if ((flags & (FIN | RST)) === (FIN | RST)) {
        this.note(pdu, I);
      }
      if (length > 0) this.note(pdu, D);
      else if ((flags & (SYN | FIN | RST | ACK)) === ACK) this.note(pdu, A);
      if ((flags & FIN) !== 0) this.note(pdu, F);
      if ((flags & RST) !== 0) this.note(pdu, R);
    } else if (length > 0) {
      this.note(pdu, D);
    }
  }

  private note(pdu: L4Pdu, letter: number): void {
    const dir = pdu.dir;
    const bit = 1 << (dir * SEEN_BITS + letter);
    if ((this.seen & bit) !== 0 || this.count >= MOST_LETTERS) return;
    this.seen |= bit;
    this.letters[this.count] = letter + dir * 16;
    this.count++;
  }

  toString(): string {
    const { letters, count } = this;
    let text = '';
    for (let i = 0; i < count; i++) {
      const letter = LETTERS[letters[i] & 15];
      text += letters[i] < 16 ? letter : letter.toLowerCase();
    }
    return text;
  }
  toJSON(): string {
    return this.toString();
  }
}
