/**
 * Where lines are written: straight as bytes, without strings and objects in between. Hot: a run that only prints its
 * connections spends most of its time in here.
 *
 * Digits come out of tables, four at a time, and are stored as words; a word may reach beyond what it stands for, as what
 * comes next is written over it.
 */
import { FOUR_DIGITS, HEX_PAIRS, type Literal, literal, OCTET_LENGTHS, OCTETS } from './prepared-text.ts';

/** Takes the line at hand to where there is room for `bytes` more: calls {@link LineBuffer.moveTo}. */
export type MakeRoom = (out: LineBuffer, bytes: number) => void;

/** UTF-8 needs at most this many bytes for one UTF-16 unit. */
const BYTES_PER_UNIT = 3;
/** A number, a time or an address, with the words that reach beyond it. */
const SHORT_BYTES = 64;
/** Texts up to so many units are copied here; a call of the engine's encoder costs as much. */
const SHORT_TEXT = 96;

/** From here on, seconds and nanoseconds add up to the double that is nearest to the microseconds they stand for. */
const EXACT_SUM = 65_536;

const QUOTE = 0x22;
const DOT = 0x2e;
const ZERO = 0x30;
const COLON = 0x3a;
const BACKSLASH = 0x5c;

const NULL = literal('null');
const MAPPED = literal('::ffff:');

/** Memory that is written to from `start` on; `at` is where the next byte goes. */
export class LineBuffer {
  bytes: Buffer;
  start = 0;
  at = 0;
  private view: DataView;
  private readonly makeRoom: MakeRoom;

  constructor(bytes: Buffer, makeRoom: MakeRoom) {
    this.bytes = bytes;
    this.view = viewOf(bytes);
    this.makeRoom = makeRoom;
  }

  /** Forgets what was written since `start`. */
  restart(): void {
    this.at = this.start;
  }

  /** Goes on in `bytes` at `start`; the line at hand comes along. */
  moveTo(bytes: Buffer, start: number): void {
    const length = this.bytes.copy(bytes, start, this.start, this.at);
    if (bytes !== this.bytes) {
      this.bytes = bytes;
      this.view = viewOf(bytes);
    }
    this.start = start;
    this.at = start + length;
  }

  /** Makes sure that so many bytes can be written. */
  room(bytes: number): void {
    if (this.bytes.length - this.at < bytes) this.makeRoom(this, bytes);
  }

  /** One byte. */
  byte(code: number): void {
    this.room(1);
    this.bytes[this.at++] = code;
  }

  /** A text that was prepared. */
  literal({ words, length }: Literal): void {
    this.room(words.length * 4);
    const view = this.view;
    const { at } = this;
    for (let i = 0; i < words.length; i++) view.setInt32(at + i * 4, words[i], true);
    this.at = at + length;
  }

  /** Text as it is, in UTF-8. */
  text(text: string): void {
    const { length } = text;
    this.room(length * BYTES_PER_UNIT);
    const { bytes, at } = this;
    if (length <= SHORT_TEXT) {
      let i = 0;
      for (; i < length; i++) {
        const code = text.charCodeAt(i);
        if (code > 0x7f) break;
        bytes[at + i] = code;
      }
      if (i === length) {
        this.at = at + length;
        return;
      }
    }
    this.at = at + bytes.write(text, at);
  }

  /** A text as JSON has it: in quotes, with escapes. */
  string(text: string): void {
    const { length } = text;
    this.room(length + 2);
    const { bytes } = this;
    const from = this.at + 1;
    for (let i = 0; i < length; i++) {
      const code = text.charCodeAt(i);
      if (code < 0x20 || code > 0x7f || code === QUOTE || code === BACKSLASH) {
        this.text(JSON.stringify(text));
        return;
      }
      bytes[from + i] = code;
    }
    bytes[from - 1] = QUOTE;
    bytes[from + length] = QUOTE;
    this.at = from + length + 1;
  }

  /** Bytes as two lower-case hex digits each, in quotes. */
  hex(from: Uint8Array): void {
    const { length } = from;
    this.room(length * 2 + 4);
    const { view } = this;
    this.bytes[this.at++] = QUOTE;
    for (let i = 0; i < length; i++) view.setInt16(this.at + i * 2, HEX_PAIRS[from[i]], true);
    this.at += length * 2;
    this.bytes[this.at++] = QUOTE;
  }

  /** A number as JSON has it: null where it is not finite. */
  number(value: number): void {
    if (value >= 0 && value <= Number.MAX_SAFE_INTEGER && Math.floor(value) === value) this.whole(value);
    else if (Number.isFinite(value)) this.text(String(value));
    else this.literal(NULL);
  }

  /** A whole number, 0 to 2^53 - 1. */
  whole(value: number): void {
    this.room(SHORT_BYTES);
    if (value < 1e4) this.upToFour(value);
    else if (value < 1e8) {
      const high = Math.floor(value / 1e4);
      this.upToFour(high);
      this.four(value - high * 1e4);
    } else {
      const high = Math.floor(value / 1e8);
      this.whole(high);
      this.eight(value - high * 1e8);
    }
  }

  /** Whole seconds and nanoseconds, all digits: six decimals, or nine when there are nanoseconds. */
  time(sec: number, nsec: number): void {
    this.whole(sec >>> 0);
    const micros = Math.floor(nsec / 1000);
    this.bytes[this.at++] = DOT;
    if (micros * 1000 === nsec) {
      this.six(micros);
      return;
    }
    const first = Math.floor(nsec / 1e8);
    this.bytes[this.at++] = ZERO + first;
    this.eight(nsec - first * 1e8);
  }

  /**
   * A number of seconds as JSON has it. Nearly all are the double nearest to whole microseconds, whose digits need not be
   * searched for: up to 2^32 seconds doubles lie nearer to each other than microseconds.
   */
  seconds(value: number): void {
    const whole = Math.floor(value);
    const micros = Math.round((value - whole) * 1e6);
    if (!(whole >= 0 && whole < 2 ** 32) || micros === 1e6) this.number(value);
    else if ((whole < EXACT_SUM ? (whole * 1e6 + micros) / 1e6 : whole + micros * 1000 * 1e-9) !== value) {
      this.number(value);
    } else {
      this.whole(whole);
      if (micros !== 0) this.decimals(micros);
    }
  }

  /** So many microseconds as seconds, the way JSON has them; a whole number. */
  micros(value: number): void {
    if (!(value >= 0 && value < 2 ** 53)) {
      this.number(value / 1e6);
      return;
    }
    const whole = Math.floor(value / 1e6);
    this.whole(whole);
    if (value !== whole * 1e6) this.decimals(value - whole * 1e6);
  }

  /** An IPv4 address, given as a big-endian 32-bit number, as dotted decimals. */
  ipv4(address: number): void {
    this.room(SHORT_BYTES);
    this.octet(address >>> 24);
    this.octet((address >>> 16) & 0xff);
    this.octet((address >>> 8) & 0xff);
    this.octet(address & 0xff);
    // The last one has a dot as well.
    this.at--;
  }

  /** An IPv6 address, given as four big-endian 32-bit words from `first` on, in the form of RFC 5952; see `ipv6Text`. */
  ipv6(words: Int32Array, first: number): void {
    this.room(SHORT_BYTES);
    if (words[first] === 0 && words[first + 1] === 0 && words[first + 2] === 0xffff) {
      this.literal(MAPPED);
      this.ipv4(words[first + 3]);
      return;
    }
    // The longest run of two or more zeros, the first of equals.
    let start = -1;
    let length = 1;
    for (let i = 0, run = 0; i < 8; i++) {
      run = groupOf(words, first, i) === 0 ? run + 1 : 0;
      if (run > length) {
        length = run;
        start = i + 1 - run;
      }
    }
    const { bytes } = this;
    for (let i = 0; i < 8; i++) {
      if (i === start) {
        bytes[this.at++] = COLON;
        bytes[this.at++] = COLON;
        i += length - 1;
      } else {
        if (i > 0 && i !== start + length) bytes[this.at++] = COLON;
        this.group(groupOf(words, first, i));
      }
    }
  }

  /** Up to four digits, of a number below 10,000. */
  private upToFour(value: number): void {
    const digits = value < 10 ? 1 : value < 100 ? 2 : value < 1000 ? 3 : 4;
    this.view.setInt32(this.at, FOUR_DIGITS[value] >>> (32 - digits * 8), true);
    this.at += digits;
  }

  private four(value: number): void {
    this.view.setInt32(this.at, FOUR_DIGITS[value], true);
    this.at += 4;
  }

  private six(value: number): void {
    const high = Math.floor(value / 1e4);
    this.view.setInt32(this.at, FOUR_DIGITS[high] >>> 16, true);
    this.at += 2;
    this.four(value - high * 1e4);
  }

  private eight(value: number): void {
    const high = Math.floor(value / 1e4);
    this.four(high);
    this.four(value - high * 1e4);
  }

  /** Six decimals, without the zeros at their end. */
  private decimals(micros: number): void {
    this.bytes[this.at++] = DOT;
    this.six(micros);
    while (this.bytes[this.at - 1] === ZERO) this.at--;
  }

  private octet(value: number): void {
    this.view.setInt32(this.at, OCTETS[value], true);
    this.at += OCTET_LENGTHS[value];
  }

  /** Up to four hex digits. */
  private group(value: number): void {
    const digits = value < 0x10 ? 1 : value < 0x100 ? 2 : value < 0x1000 ? 3 : 4;
    const word = HEX_PAIRS[value >>> 8] | (HEX_PAIRS[value & 0xff] << 16);
    this.view.setInt32(this.at, word >>> (32 - digits * 8), true);
    this.at += digits;
  }
}

function groupOf(words: Int32Array, first: number, i: number): number {
  const word = words[first + (i >> 1)];
  return (i & 1) === 0 ? word >>> 16 : word & 0xffff;
}

function viewOf(bytes: Buffer): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}
